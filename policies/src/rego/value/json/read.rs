//! Reading JSON, with the numbers as they are written.

use std::collections::BTreeMap;

use crate::rego::value::{Value, number};

/// How deep arrays and objects may lie in each other; that of `serde_json`, too.
const MAX_DEPTH: usize = 128;

/// Reads a document. The error is a sentence.
pub fn read(text: &str) -> Result<Value, String> {
    let mut reader = Reader {
        text,
        at: 0,
        depth: 0,
    };
    let value = reader.value()?;
    reader.skip_space();
    match reader.peek() {
        None => Ok(value),
        Some(_) => Err(reader.unexpected()),
    }
}

#[derive(Debug)]
struct Reader<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn unexpected(&self) -> String {
        match self.text[self.at..].chars().next() {
            Some(character) => format!("unexpected {character:?} at byte {}", self.at),
            None => "unexpected end of the document".to_owned(),
        }
    }

    /// Takes a byte if it comes next.
    fn take(&mut self, byte: u8) -> bool {
        self.skip_space();
        let taken = self.peek() == Some(byte);
        self.at += usize::from(taken);
        taken
    }

    fn value(&mut self) -> Result<Value, String> {
        self.skip_space();
        match self.peek() {
            Some(b'{') => self.nested(Self::object),
            Some(b'[') => self.nested(Self::array),
            Some(b'"') => Ok(Value::from(self.string()?)),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => {
                let words = [
                    ("true", Value::Bool(true)),
                    ("false", Value::Bool(false)),
                    ("null", Value::Null),
                ];
                for (word, value) in words {
                    if self.text[self.at..].starts_with(word) {
                        self.at += word.len();
                        return Ok(value);
                    }
                }
                Err(self.unexpected())
            }
        }
    }

    fn nested(
        &mut self,
        inside: impl FnOnce(&mut Self) -> Result<Value, String>,
    ) -> Result<Value, String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(format!("the document nests deeper than {MAX_DEPTH}"));
        }
        self.at += 1;
        let value = inside(self)?;
        self.depth -= 1;
        Ok(value)
    }

    fn array(&mut self) -> Result<Value, String> {
        let mut elements = Vec::new();
        if self.take(b']') {
            return Ok(Value::from(elements));
        }
        loop {
            elements.push(self.value()?);
            if self.take(b']') {
                return Ok(Value::from(elements));
            }
            if !self.take(b',') {
                return Err(self.unexpected());
            }
        }
    }

    fn object(&mut self) -> Result<Value, String> {
        let mut members = BTreeMap::new();
        if self.take(b'}') {
            return Ok(Value::from(members));
        }
        loop {
            self.skip_space();
            if self.peek() != Some(b'"') {
                return Err(self.unexpected());
            }
            let key = self.string()?;
            if !self.take(b':') {
                return Err(self.unexpected());
            }
            members.insert(Value::from(key), self.value()?);
            if self.take(b'}') {
                return Ok(Value::from(members));
            }
            if !self.take(b',') {
                return Err(self.unexpected());
            }
        }
    }

    fn number(&mut self) -> Result<Value, String> {
        let start = self.at;
        self.at += usize::from(self.peek() == Some(b'-'));
        let whole = self.digits()?;
        if whole > 1 && self.text.as_bytes()[self.at - whole] == b'0' {
            return Err(format!("a number begins with 0 at byte {start}"));
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            self.digits()?;
        }
        number::parse(&self.text[start..self.at])
            .ok_or_else(|| format!("a number of more than {} digits", number::MAX_DIGITS))
    }

    /// At least one digit. Returns how many.
    fn digits(&mut self) -> Result<usize, String> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        match self.at - start {
            0 => Err(self.unexpected()),
            count => Ok(count),
        }
    }

    fn string(&mut self) -> Result<String, String> {
        self.at += 1;
        let mut string = String::new();
        loop {
            let rest = &self.text[self.at..];
            let end = rest
                .find(|character: char| matches!(character, '"' | '\\' | '\0'..'\u{20}'))
                .unwrap_or(rest.len());
            string.push_str(&rest[..end]);
            self.at += end;
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(string);
                }
                Some(b'\\') => {
                    self.at += 1;
                    string.push(self.escape()?);
                }
                _ => return Err(self.unexpected()),
            }
        }
    }

    fn escape(&mut self) -> Result<char, String> {
        let escaped = match self.peek() {
            Some(escaped @ (b'"' | b'\\' | b'/')) => char::from(escaped),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                self.at += 1;
                return self.code_point();
            }
            _ => return Err(self.unexpected()),
        };
        self.at += 1;
        Ok(escaped)
    }

    /// Four digits, or eight with an escape between them. What is no character is replaced.
    fn code_point(&mut self) -> Result<char, String> {
        let first = self.hexadecimal()?;
        if (0xd800..0xdc00).contains(&first) && self.text[self.at..].starts_with("\\u") {
            let before = self.at;
            self.at += 2;
            let second = self.hexadecimal()?;
            if (0xdc00..0xe000).contains(&second) {
                let code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            self.at = before;
        }
        Ok(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    fn hexadecimal(&mut self) -> Result<u32, String> {
        let digits = self.text.get(self.at..self.at + 4);
        let digits = digits.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let code = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let code = code.ok_or_else(|| self.unexpected())?;
        self.at += 4;
        Ok(code)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::read;
    use crate::rego::value::text::literal;

    #[rstest]
    #[case(
        r#" {"b": [1, -2.5e1, true], "a": null} "#,
        r#"{"a": null, "b": [1, -25.0, true]}"#
    )]
    #[case("123456789012345678901234567890", "123456789012345678901234567890")]
    #[case("1.00000000000000000001", "1.00000000000000000001")]
    #[case("1.0", "1.0")]
    #[case("-0", "0")]
    #[case("1e3", "1000.0")]
    #[case("0.1", "0.1")]
    #[case(r#""a\n\u00e9\ud83d\ude00\ud83d""#, "\"a\\né😀\u{fffd}\"")]
    fn reads(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(
            read(text).map(|value| literal(&value)),
            Ok(expected.to_owned())
        );
    }

    #[rstest]
    #[case("")]
    #[case("01")]
    #[case("1.")]
    #[case("[1,]")]
    #[case("{\"a\" 1}")]
    #[case("{a: 1}")]
    #[case("\"\t\"")]
    #[case("nul")]
    #[case("1 2")]
    #[case("1e99999")]
    fn refuses(#[case] text: &str) {
        assert!(read(text).is_err());
    }

    #[test]
    fn refuses_what_is_too_deep() {
        let text = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(read(&text(128)).is_ok());
        assert!(read(&text(129)).is_err());
    }
}
