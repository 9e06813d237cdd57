//! Scalars: plain, quoted, and in blocks.

use super::{Result, Scanner, invalid};

/// White space in a scalar whose lines are folded.
#[derive(Debug, Default)]
struct Space {
    /// Within a line.
    blanks: String,
    /// The end of the first line, and the ends of those that follow.
    first: Option<char>,
    further: String,
    /// Whether a line has ended.
    has_break: bool,
}

impl Space {
    fn end_line(&mut self, end: Option<char>) {
        if self.has_break {
            self.further.extend(end);
        } else {
            self.blanks.clear();
            self.first = end;
            self.has_break = true;
        }
    }

    /// What the space is in the text.
    fn fold_into(&mut self, text: &mut String) {
        if !self.has_break {
            text.push_str(&self.blanks);
        } else if self.first == Some('\n') {
            if self.further.is_empty() {
                text.push(' ');
            }
        } else {
            text.extend(self.first);
        }
        if self.has_break {
            text.push_str(&self.further);
        }
        *self = Self::default();
    }
}

impl Scanner<'_> {
    pub(super) fn plain_scalar(&mut self) -> Result<String> {
        let indent = self.indent + 1;
        let mut text = String::new();
        let mut space = Space::default();
        loop {
            if self.is_document_indicator() || self.byte(0) == b'#' {
                break;
            }
            while !self.is_blank_or_end(0) && !self.ends_plain() {
                space.fold_into(&mut text);
                text.extend(self.read());
            }
            if !(self.is_blank(0) || self.is_break(0)) {
                break;
            }
            while self.is_blank(0) || self.is_break(0) {
                let is_early = space.has_break && self.mark.column < indent;
                if is_early && self.byte(0) == b'\t' {
                    let problem = "found a tab character that violates indentation";
                    return Err(invalid(problem));
                }
                self.read_space(&mut space);
            }
            if !self.is_flow() && self.mark.column < indent {
                break;
            }
        }
        if space.has_break {
            self.is_key_allowed = true;
        }
        Ok(text)
    }

    fn ends_plain(&self) -> bool {
        match self.byte(0) {
            b':' => self.is_blank_or_end(1),
            b',' | b'?' | b'[' | b']' | b'{' | b'}' => self.is_flow(),
            _ => false,
        }
    }

    fn read_space(&mut self, space: &mut Space) {
        if self.is_break(0) {
            let end = self.read_line();
            space.end_line(end);
        } else {
            let blank = self.read();
            if !space.has_break {
                space.blanks.extend(blank);
            }
        }
    }

    pub(super) fn quoted_scalar(&mut self, quote: u8) -> Result<String> {
        self.skip(1);
        let mut text = String::new();
        loop {
            if self.is_document_indicator() {
                return Err(invalid("found unexpected document indicator"));
            }
            if self.byte(0) == 0 {
                return Err(invalid("found unexpected end of stream"));
            }
            let mut space = Space::default();
            while !self.is_blank_or_end(0) {
                match self.byte(0) {
                    b'\'' if quote == b'\'' && self.byte(1) == b'\'' => {
                        self.skip(2);
                        text.push('\'');
                    }
                    byte if byte == quote => break,
                    b'\\' if quote == b'"' && self.is_break(1) => {
                        self.skip(1);
                        self.skip_line();
                        space.has_break = true;
                        break;
                    }
                    b'\\' if quote == b'"' => text.push(self.escape()?),
                    _ => text.extend(self.read()),
                }
            }
            if self.byte(0) == quote {
                self.skip(1);
                return Ok(text);
            }
            while self.is_blank(0) || self.is_break(0) {
                self.read_space(&mut space);
            }
            space.fold_into(&mut text);
        }
    }

    fn escape(&mut self) -> Result<char> {
        let length = match self.byte(1) {
            b'x' => 2,
            b'u' => 4,
            b'U' => 8,
            other => {
                let character = match other {
                    b'0' => '\0',
                    b'a' => '\x07',
                    b'b' => '\x08',
                    b't' | b'\t' => '\t',
                    b'n' => '\n',
                    b'v' => '\x0b',
                    b'f' => '\x0c',
                    b'r' => '\r',
                    b'e' => '\x1b',
                    b' ' | b'"' | b'\'' | b'\\' => char::from(other),
                    b'N' => '\u{85}',
                    b'_' => '\u{a0}',
                    b'L' => '\u{2028}',
                    b'P' => '\u{2029}',
                    _ => return Err(invalid("found unknown escape character")),
                };
                self.skip(2);
                return Ok(character);
            }
        };
        self.skip(2);
        let mut code = 0_u32;
        for ahead in 0..length {
            let digit = char::from(self.byte(ahead)).to_digit(16);
            let digit = digit.ok_or_else(|| invalid("did not find expected hexdecimal number"))?;
            code = code << 4 | digit;
        }
        let character = char::from_u32(code)
            .ok_or_else(|| invalid("found invalid Unicode character escape code"))?;
        self.skip(length);
        Ok(character)
    }

    pub(super) fn block_scalar(&mut self, is_literal: bool) -> Result<String> {
        self.skip(1);
        let (keeps, increment) = self.block_header()?;
        let mut indent = match increment {
            Some(increment) => self.indent.max(0) + increment,
            None => 0,
        };
        let mut text = String::new();
        // The end of the last line, and the ends of empty lines behind it.
        let mut last = None;
        let mut further = String::new();
        let mut was_blank = false;
        self.block_breaks(&mut indent, &mut further)?;
        while self.mark.column == indent && self.byte(0) != 0 {
            let is_blank = self.is_blank(0);
            if !is_literal && !was_blank && !is_blank && last == Some('\n') {
                if further.is_empty() {
                    text.push(' ');
                }
            } else {
                text.extend(last);
            }
            text.push_str(&further);
            further.clear();
            was_blank = is_blank;
            while !self.is_break_or_end(0) {
                text.extend(self.read());
            }
            last = self.read_line();
            self.block_breaks(&mut indent, &mut further)?;
        }
        if keeps != Some(false) {
            text.extend(last);
        }
        if keeps == Some(true) {
            text.push_str(&further);
        }
        Ok(text)
    }

    /// What follows the sign of a block, up to the end of its line: whether the ends of lines behind
    /// it are kept (`+`) or not even the first (`-`), and its indentation.
    fn block_header(&mut self) -> Result<(Option<bool>, Option<isize>)> {
        let (mut keeps, mut increment) = (None, None);
        for _ in 0..2 {
            match self.byte(0) {
                sign @ (b'+' | b'-') if keeps.is_none() => keeps = Some(sign == b'+'),
                b'0' if increment.is_none() => {
                    return Err(invalid("found an indentation indicator equal to 0"));
                }
                digit @ b'1'..=b'9' if increment.is_none() => {
                    increment = Some(isize::from(i8::try_from(digit - b'0').unwrap_or(0)));
                }
                _ => break,
            }
            self.skip(1);
        }
        while self.is_blank(0) {
            self.skip(1);
        }
        if self.byte(0) == b'#' {
            self.skip_to_break();
        }
        if !self.is_break_or_end(0) {
            return Err(invalid("did not find expected comment or line break"));
        }
        self.skip_line();
        Ok((keeps, increment))
    }

    /// Empty lines and indentation, which the first line determines if nothing does.
    fn block_breaks(&mut self, indent: &mut isize, breaks: &mut String) -> Result<()> {
        let mut deepest = 0;
        loop {
            let is_before = |scanner: &Self| *indent == 0 || scanner.mark.column < *indent;
            while is_before(self) && self.byte(0) == b' ' {
                self.skip(1);
            }
            deepest = deepest.max(self.mark.column);
            if is_before(self) && self.byte(0) == b'\t' {
                let problem = "found a tab character where an indentation space is expected";
                return Err(invalid(problem));
            }
            match self.read_line() {
                Some(end) => breaks.push(end),
                None => break,
            }
        }
        if *indent == 0 {
            *indent = deepest.max(self.indent + 1).max(1);
        }
        Ok(())
    }
}
