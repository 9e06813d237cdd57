//! Directives, anchors and tags.

use super::{Result, Scanner, Token, invalid};

impl Scanner<'_> {
    pub(super) fn directive(&mut self) -> Result<Token> {
        self.skip(1);
        let name = self.word();
        if name.is_empty() {
            return Err(invalid("could not find expected directive name"));
        }
        if !self.is_blank_or_end(0) {
            return Err(invalid("found unexpected non-alphabetical character"));
        }
        let token = match &*name {
            "YAML" => {
                self.skip_blanks();
                let major = self.version_number()?;
                if self.byte(0) != b'.' {
                    return Err(invalid("did not find expected digit or '.' character"));
                }
                self.skip(1);
                let minor = self.version_number()?;
                let is_known = (major, minor) == (1, 1);
                Token::Version { is_known }
            }
            "TAG" => {
                self.skip_blanks();
                let handle = self.tag_handle(true)?;
                if !self.is_blank(0) {
                    return Err(invalid("did not find expected whitespace"));
                }
                self.skip_blanks();
                let prefix = self.tag_uri(None)?;
                if !self.is_blank_or_end(0) {
                    return Err(invalid("did not find expected whitespace or line break"));
                }
                Token::TagDirective { handle, prefix }
            }
            _ => return Err(invalid("found unknown directive name")),
        };
        self.skip_blanks();
        if self.byte(0) == b'#' {
            self.skip_to_break();
        }
        if !self.is_break_or_end(0) {
            return Err(invalid("did not find expected comment or line break"));
        }
        self.skip_line();
        Ok(token)
    }

    fn version_number(&mut self) -> Result<u8> {
        let mut number = None;
        let mut length = 0;
        while let digit @ b'0'..=b'9' = self.byte(0) {
            length += 1;
            if length > 2 {
                return Err(invalid("found extremely long version number"));
            }
            number = Some(number.unwrap_or(0) * 10 + (digit - b'0'));
            self.skip(1);
        }
        number.ok_or_else(|| invalid("did not find expected version number"))
    }

    /// What follows `*` or `&`.
    pub(super) fn anchor(&mut self) -> Result<String> {
        self.skip(1);
        let name = self.word();
        let ends = self.is_blank_or_end(0) || b"?:,]}%@`".contains(&self.byte(0));
        if name.is_empty() || !ends {
            let problem = "did not find expected alphabetic or numeric character";
            return Err(invalid(problem));
        }
        Ok(name)
    }

    pub(super) fn tag(&mut self) -> Result<Token> {
        let (handle, suffix) = if self.byte(1) == b'<' {
            self.skip(2);
            let suffix = self.tag_uri(None)?;
            if self.byte(0) != b'>' {
                return Err(invalid("did not find the expected '>'"));
            }
            self.skip(1);
            (String::new(), suffix)
        } else {
            let handle = self.tag_handle(false)?;
            if handle.len() > 1 && handle.ends_with('!') {
                (handle, self.tag_uri(None)?)
            } else {
                let suffix = self.tag_uri(Some(&handle[1..]))?;
                if suffix.is_empty() {
                    (String::new(), "!".to_owned())
                } else {
                    ("!".to_owned(), suffix)
                }
            }
        };
        if !self.is_blank_or_end(0) {
            return Err(invalid("did not find expected whitespace or line break"));
        }
        Ok(Token::Tag { handle, suffix })
    }

    /// `!`, `!!` or `!name!`; outside of a directive, what stands before the last `!` may be all.
    fn tag_handle(&mut self, is_directive: bool) -> Result<String> {
        if self.byte(0) != b'!' {
            return Err(invalid("did not find expected '!'"));
        }
        self.skip(1);
        let mut handle = format!("!{}", self.word());
        if self.byte(0) == b'!' {
            handle.extend(self.read());
        } else if is_directive && handle != "!" {
            return Err(invalid("did not find expected '!'"));
        }
        Ok(handle)
    }

    /// What a tag is called, which goes on from what was read already.
    fn tag_uri(&mut self, head: Option<&str>) -> Result<String> {
        let mut uri = head.unwrap_or_default().as_bytes().to_vec();
        let mut is_there = head.is_some();
        loop {
            match self.byte(0) {
                b'%' => self.uri_escape(&mut uri)?,
                byte if is_word(byte) || b";/?:@&=+$,.!~*'()[]".contains(&byte) => {
                    self.skip(1);
                    uri.push(byte);
                }
                _ => break,
            }
            is_there = true;
        }
        if !is_there {
            return Err(invalid("did not find expected tag URI"));
        }
        // A tag is only compared.
        Ok(String::from_utf8_lossy(&uri).into_owned())
    }

    /// One character in escapes, a byte in each.
    fn uri_escape(&mut self, uri: &mut Vec<u8>) -> Result<()> {
        let mut left = None;
        while left != Some(0) {
            let digit = |ahead| char::from(self.byte(ahead)).to_digit(16);
            let octet = match (self.byte(0), digit(1), digit(2)) {
                (b'%', Some(high), Some(low)) => u8::try_from(high << 4 | low).unwrap_or(0),
                _ => return Err(invalid("did not find URI escaped octet")),
            };
            let width = match octet {
                _ if left.is_some() && octet & 0xc0 != 0x80 => {
                    return Err(invalid("found an incorrect trailing UTF-8 octet"));
                }
                0..0x80 => 1,
                0xc0..0xe0 => 2,
                0xe0..0xf0 => 3,
                0xf0..0xf8 => 4,
                _ if left.is_some() => 0,
                _ => return Err(invalid("found an incorrect leading UTF-8 octet")),
            };
            uri.push(octet);
            self.skip(3);
            left = Some(left.unwrap_or(width) - 1);
        }
        Ok(())
    }

    fn word(&mut self) -> String {
        let mut word = String::new();
        while is_word(self.byte(0)) {
            word.extend(self.read());
        }
        word
    }

    fn skip_blanks(&mut self) {
        while self.is_blank(0) {
            self.skip(1);
        }
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}
