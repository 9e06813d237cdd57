//! Well-formed JSON, byte for byte as Go's `encoding/json` has it, which reads OPA's documents.
//!
//! A [`Scanner`] moves over the text of a document and says where its parts are. What lies in a
//! string is not looked at any further than that its escapes are escapes: [`unquote`] does that,
//! for the strings that somebody reads.

use std::borrow::Cow;

use crate::rego::value::number::{Decimal, MAX_DIGITS};

/// How deep arrays and objects may lie in each other; that of `serde_json`, too. Go's limit of
/// 10,000 is far from what any object of a cluster has.
pub(super) const MAX_DEPTH: u32 = 128;

/// How many noughts the exponents of a document may stand for. Six bytes, `1e4000`, become a value
/// of two kilobytes; so a document grows by half a megabyte at most.
const MAX_NOUGHTS: u64 = 1 << 20;

/// Why a text is no document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A byte that cannot stand here.
    #[error("unexpected {:?} at byte {at}", char::from(*byte))]
    Unexpected {
        /// The byte.
        byte: u8,
        /// Where it stands, from nought.
        at: usize,
    },
    /// The text ends too early.
    #[error("unexpected end of the document")]
    End,
    /// Too many arrays and objects in each other.
    #[error("the document nests deeper than {MAX_DEPTH}")]
    Depth,
    /// A number has more digits than a value can have.
    #[error("the number at byte {at} has more than {MAX_DIGITS} digits")]
    Digits {
        /// Where it begins.
        at: usize,
    },
    /// Numbers that are short to write and large to hold.
    #[error("the exponents of all numbers together stand for more than {MAX_NOUGHTS} digits")]
    Noughts,
}

/// A place in the text of a document.
#[derive(Debug)]
pub(super) struct Scanner<'t> {
    text: &'t [u8],
    at: usize,
    depth: u32,
    noughts: u64,
}

impl<'t> Scanner<'t> {
    pub(super) fn new(text: &'t [u8]) -> Self {
        Self {
            text,
            at: 0,
            depth: 0,
            noughts: 0,
        }
    }

    /// The next byte that is no white space.
    #[inline]
    pub(super) fn peek(&mut self) -> Option<u8> {
        loop {
            match self.here() {
                Some(b' ' | b'\t' | b'\n' | b'\r') => self.at += 1,
                byte => return byte,
            }
        }
    }

    /// Takes a byte if it comes next, after white space.
    #[inline]
    pub(super) fn take(&mut self, byte: u8) -> bool {
        let taken = self.peek() == Some(byte);
        self.at += usize::from(taken);
        taken
    }

    /// Whether there is another member of the array or object that this byte closes.
    #[inline]
    pub(super) fn more(&mut self, close: u8) -> Result<bool, Fault> {
        if self.take(b',') {
            return Ok(true);
        }
        if self.take(close) {
            return Ok(false);
        }
        Err(self.unexpected())
    }

    /// The byte here is not what has to come.
    pub(super) fn unexpected(&self) -> Fault {
        match self.here() {
            Some(byte) => Fault::Unexpected { byte, at: self.at },
            None => Fault::End,
        }
    }

    /// Nothing but white space is left.
    pub(super) fn end(mut self) -> Result<(), Fault> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.unexpected()),
        }
    }

    /// Enters an array or an object, at its bracket.
    #[inline]
    pub(super) fn open(&mut self) -> Result<(), Fault> {
        self.at += 1;
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Fault::Depth);
        }
        Ok(())
    }

    /// Leaves an array or an object, behind its bracket.
    #[inline]
    pub(super) fn close(&mut self) {
        self.depth -= 1;
    }

    /// The key of a member, and the colon.
    #[inline]
    pub(super) fn key(&mut self) -> Result<Quoted<'t>, Fault> {
        if self.peek() != Some(b'"') {
            return Err(self.unexpected());
        }
        let key = self.string()?;
        if self.take(b':') {
            Ok(key)
        } else {
            Err(self.unexpected())
        }
    }

    /// A string, at its quote.
    #[inline]
    pub(super) fn string(&mut self) -> Result<Quoted<'t>, Fault> {
        self.at += 1;
        let start = self.at;
        let mut has_escapes = false;
        loop {
            self.at += plain(&self.text[self.at..]);
            match self.here() {
                Some(b'"') => {
                    let text = &self.text[start..self.at];
                    self.at += 1;
                    return Ok(Quoted { text, has_escapes });
                }
                Some(b'\\') => {
                    has_escapes = true;
                    self.escape()?;
                }
                _ => return Err(self.unexpected()),
            }
        }
    }

    fn escape(&mut self) -> Result<(), Fault> {
        self.at += 1;
        let digits = match self.here() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => 0,
            Some(b'u') => 4,
            _ => return Err(self.unexpected()),
        };
        self.at += 1;
        for _ in 0..digits {
            if !self.here().is_some_and(|byte| byte.is_ascii_hexdigit()) {
                return Err(self.unexpected());
            }
            self.at += 1;
        }
        Ok(())
    }

    /// A number, at its first byte.
    #[inline]
    pub(super) fn number(&mut self) -> Result<Digits<'t>, Fault> {
        let at = self.at;
        self.at += usize::from(self.here() == Some(b'-'));
        if self.here() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.here() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        let mut has_exponent = false;
        if matches!(self.here(), Some(b'e' | b'E')) {
            self.at += 1;
            self.at += usize::from(matches!(self.here(), Some(b'+' | b'-')));
            self.digits()?;
            has_exponent = true;
        }
        let text = str::from_utf8(&self.text[at..self.at]).unwrap_or_default();
        // Digits and exponent count together, and a fraction has one for each of its digits.
        if has_exponent || text.len() as u64 > MAX_DIGITS / 2 {
            let decimal = Decimal::parse(text).ok_or(Fault::Digits { at })?;
            self.noughts += u64::try_from(decimal.exponent).unwrap_or(0);
            if self.noughts > MAX_NOUGHTS {
                return Err(Fault::Noughts);
            }
        }
        Ok(Digits { text, at })
    }

    /// At least one digit.
    fn digits(&mut self) -> Result<(), Fault> {
        let start = self.at;
        while matches!(self.here(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == start {
            return Err(self.unexpected());
        }
        Ok(())
    }

    /// `true`, `false` or `null`.
    pub(super) fn word(&mut self, word: &[u8]) -> Result<(), Fault> {
        for byte in word {
            if self.here() != Some(*byte) {
                return Err(self.unexpected());
            }
            self.at += 1;
        }
        Ok(())
    }

    /// Skips a value, of which nothing is kept but that it is one.
    pub(super) fn skip(&mut self) -> Result<(), Fault> {
        // Of each level that is open, whether it is an object. The innermost is the lowest bit, and
        // there are as many bits as levels.
        let mut objects: u128 = 0;
        let outside = self.depth;
        loop {
            match self.peek() {
                Some(b'{') => {
                    self.open()?;
                    if !self.take(b'}') {
                        objects = objects << 1 | 1;
                        self.key()?;
                        continue;
                    }
                    self.close();
                }
                Some(b'[') => {
                    self.open()?;
                    if !self.take(b']') {
                        objects <<= 1;
                        continue;
                    }
                    self.close();
                }
                Some(b'"') => drop(self.string()?),
                Some(b'-' | b'0'..=b'9') => drop(self.number()?),
                Some(b't') => self.word(b"true")?,
                Some(b'f') => self.word(b"false")?,
                Some(b'n') => self.word(b"null")?,
                _ => return Err(self.unexpected()),
            }
            loop {
                if self.depth == outside {
                    return Ok(());
                }
                let is_object = objects & 1 == 1;
                if self.more(if is_object { b'}' } else { b']' })? {
                    if is_object {
                        self.key()?;
                    }
                    break;
                }
                objects >>= 1;
                self.close();
            }
        }
    }

    /// Skips a value, and returns how it is written.
    pub(super) fn written(&mut self) -> Result<&'t [u8], Fault> {
        self.peek();
        let start = self.at;
        self.skip()?;
        Ok(&self.text[start..self.at])
    }

    #[inline]
    fn here(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }
}

/// A number as it is written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Digits<'t> {
    pub(super) text: &'t str,
    pub(super) at: usize,
}

/// What stands between the quotes of a string, escapes and all.
#[derive(Debug, Clone, Copy)]
pub(super) struct Quoted<'t> {
    text: &'t [u8],
    has_escapes: bool,
}

impl<'t> Quoted<'t> {
    /// The string. What is no text is replaced: each byte that is no UTF-8, and each escape of half
    /// a pair, by U+FFFD.
    #[inline]
    pub(super) fn text(self) -> Cow<'t, str> {
        match str::from_utf8(self.text) {
            Ok(text) if !self.has_escapes => Cow::Borrowed(text),
            _ => Cow::Owned(unquote(self.text)),
        }
    }
}

fn unquote(text: &[u8]) -> String {
    let mut string = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.iter().position(|byte| *byte == b'\\') {
        push(&mut string, &rest[..at]);
        let (character, length) = escaped(&rest[at + 1..]);
        string.push(character);
        rest = &rest[at + 1 + length..];
    }
    push(&mut string, rest);
    string
}

/// Appends what has no escapes.
fn push(string: &mut String, text: &[u8]) {
    for chunk in text.utf8_chunks() {
        string.push_str(chunk.valid());
        // Go replaces byte by byte.
        let replaced = chunk.invalid().iter();
        string.extend(replaced.map(|_| char::REPLACEMENT_CHARACTER));
    }
}

/// The character of an escape, from behind its backslash, and how many bytes that is.
fn escaped(escape: &[u8]) -> (char, usize) {
    let character = match escape.first() {
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(b'u') => return code_point(&escape[1..]),
        Some(byte) => char::from(*byte),
        None => char::REPLACEMENT_CHARACTER,
    };
    (character, 1)
}

/// Four digits, or a pair of four with an escape between them.
fn code_point(digits: &[u8]) -> (char, usize) {
    let first = hexadecimal(digits);
    if (0xd800..0xdc00).contains(&first)
        && let Some(second) = digits[4..].strip_prefix(b"\\u")
    {
        let second = hexadecimal(second);
        if (0xdc00..0xe000).contains(&second) {
            let code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
            let character = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
            return (character, 11);
        }
    }
    let character = char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER);
    (character, 5)
}

/// The number that the scanner has seen four digits of.
fn hexadecimal(digits: &[u8]) -> u32 {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).unwrap_or(0);
    digits
        .iter()
        .take(4)
        .fold(0, |number, byte| number * 16 + digit(byte))
}

/// How many bytes follow that are no quote, no backslash and no control character.
#[inline]
fn plain(text: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let (words, _) = text.as_chunks::<8>();
    for (at, word) in words.iter().enumerate() {
        // Eight bytes at once: a subtraction borrows from the high bit of a byte that is smaller.
        // It may mark bytes behind such a byte as well, never one before it.
        let word = u64::from_le_bytes(*word);
        let below = |word: u64, limit: u64| word.wrapping_sub(ONES * limit) & !word;
        let quote = below(word ^ (ONES * u64::from(b'"')), 1);
        let backslash = below(word ^ (ONES * u64::from(b'\\')), 1);
        let special = (quote | backslash | below(word, 0x20)) & HIGH;
        if special != 0 {
            return at * 8 + special.trailing_zeros() as usize / 8;
        }
    }
    let tail = words.len() * 8;
    let is_special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
    let plain = text[tail..].iter().position(is_special);
    plain.map_or(text.len(), |at| tail + at)
}
