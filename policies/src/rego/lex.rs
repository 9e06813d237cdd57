//! Source to tokens, in one pass.
//!
//! Words that only an import makes keywords are told apart by the parser. Whether white space or a
//! line break precedes a token is part of it: `f(x)` is a call and `f (x)` is not, and a line break
//! ends a condition.
//!
//! A template string is one token per text between its braces; the tokens of its expressions come
//! in between: `$"a{x}b"` is `$"a{`, `x`, `}`, `b"`.

mod token;

use super::source::{ErrorCode, Fault, FileId, Span};

pub use token::{Kind, Token, Word};

/// A comment with its `#`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Comment {
    /// The `#`.
    pub start: u32,
    /// The byte after the comment, without the line break.
    pub end: u32,
    /// The line, counted from one.
    pub line: u32,
    /// It begins its line.
    pub alone: bool,
}

/// What a source consists of.
#[derive(Clone, Debug)]
pub struct Lexed {
    /// The tokens; the last one is [`Kind::End`].
    pub tokens: Vec<Token>,
    /// The comments.
    pub comments: Vec<Comment>,
    /// What is wrong with illegal tokens.
    pub faults: Vec<Fault>,
}

/// Most faults that are kept. A person mends a few and compiles again.
const MAX_FAULTS: usize = 10;

/// Reads all tokens. The source is shorter than 4 GiB.
pub fn lex(file: FileId, source: &str) -> Lexed {
    let mut lexer = Lexer {
        source,
        bytes: source.as_bytes(),
        file,
        at: 0,
        line: 1,
        line_start: 0,
        templates: Vec::new(),
        lexed: Lexed {
            tokens: Vec::with_capacity(source.len() / 4),
            comments: Vec::new(),
            faults: Vec::new(),
        },
    };
    lexer.refuse_characters();
    if source.starts_with(BYTE_ORDER_MARK) {
        lexer.at = BYTE_ORDER_MARK.len_utf8();
    }
    while lexer.token() != Kind::End {}
    lexer.lexed
}

const BYTE_ORDER_MARK: char = '\u{feff}';

struct Lexer<'s> {
    source: &'s str,
    bytes: &'s [u8],
    file: FileId,
    at: usize,
    line: u32,
    line_start: usize,
    /// The templates that the place is in an expression of.
    templates: Vec<Open>,
    lexed: Lexed,
}

/// A template whose expression is being read.
struct Open {
    raw: bool,
    /// Braces that are open within the expression.
    braces: usize,
}

impl Lexer<'_> {
    /// Reads the next token and keeps it.
    fn token(&mut self) -> Kind {
        let (space, newline) = self.skip_space();
        let start = self.at;
        let kind = self.scan();
        self.push(kind, start, space, newline);
        if kind == Kind::RightBrace
            && let Some(open) = self.templates.pop()
        {
            if open.braces == 0 {
                let start = self.at;
                let kind = self.template_text(open.raw, start);
                self.push(kind, start, false, false);
            } else {
                self.templates.push(Open {
                    braces: open.braces - 1,
                    ..open
                });
            }
        }
        kind
    }

    fn push(&mut self, kind: Kind, start: usize, space: bool, newline: bool) {
        let (start, end) = (offset(start), offset(self.at));
        self.lexed.tokens.push(Token {
            kind,
            space,
            newline,
            start,
            end,
        });
    }

    /// Skips white space and comments; whether there was any, and a line break.
    fn skip_space(&mut self) -> (bool, bool) {
        let begin = self.at;
        let mut newline = false;
        loop {
            match self.peek() {
                Some(b' ' | b'\t' | b'\r') => self.at += 1,
                Some(b'\n') => {
                    newline = true;
                    self.at += 1;
                    self.begin_line();
                }
                Some(b'#') => self.comment(),
                _ => return (self.at > begin, newline),
            }
        }
    }

    fn begin_line(&mut self) {
        self.line += 1;
        self.line_start = self.at;
    }

    fn comment(&mut self) {
        let start = self.at;
        let rest = &self.bytes[start..];
        self.at += rest
            .iter()
            .position(|&byte| byte == b'\n')
            .unwrap_or(rest.len());
        self.lexed.comments.push(Comment {
            start: offset(start),
            end: offset(self.at),
            line: self.line,
            alone: start == self.line_start,
        });
    }

    fn scan(&mut self) -> Kind {
        let Some(byte) = self.peek() else {
            return Kind::End;
        };
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => return self.word(),
            b'0'..=b'9' => return self.number(),
            _ => self.at += 1,
        }
        match byte {
            b'"' => self.text(),
            b'`' => self.raw_text(),
            b'$' => self.template(),
            b'[' => Kind::LeftBracket,
            b']' => Kind::RightBracket,
            b'{' => {
                if let Some(open) = self.templates.last_mut() {
                    open.braces += 1;
                }
                Kind::LeftBrace
            }
            b'}' => Kind::RightBrace,
            b'(' => Kind::LeftParenthesis,
            b')' => Kind::RightParenthesis,
            b',' => Kind::Comma,
            b';' => Kind::Semicolon,
            b'.' => Kind::Dot,
            b'+' => Kind::Plus,
            b'-' => Kind::Minus,
            b'*' => Kind::Times,
            b'/' => Kind::Divide,
            b'%' => Kind::Remainder,
            b'&' => Kind::Intersection,
            b'|' => Kind::Union,
            b':' => self.with_equals(Kind::Colon, Kind::Assign),
            b'=' => self.with_equals(Kind::Unify, Kind::Equal),
            b'<' => self.with_equals(Kind::Less, Kind::LessOrEqual),
            b'>' => self.with_equals(Kind::Greater, Kind::GreaterOrEqual),
            b'!' if self.peek() == Some(b'=') => self.with_equals(Kind::Illegal, Kind::NotEqual),
            b'!' => self.illegal(self.at - 1, "illegal ! character"),
            _ => self.unknown(),
        }
    }

    fn with_equals(&mut self, alone: Kind, with_equals: Kind) -> Kind {
        if self.peek() == Some(b'=') {
            self.at += 1;
            return with_equals;
        }
        alone
    }

    fn word(&mut self) -> Kind {
        let start = self.at;
        self.skip(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        match Word::of(&self.source[start..self.at]) {
            Some(word) => Kind::Word(word),
            None => Kind::Name,
        }
    }

    fn number(&mut self) -> Kind {
        let start = self.at;
        self.skip(|byte| byte.is_ascii_digit());
        if self.peek() == Some(b'.') {
            self.at += 1;
            if self.skip(|byte| byte.is_ascii_digit()) == 0 {
                return self.illegal(start, "expected fraction");
            }
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            if self.skip(|byte| byte.is_ascii_digit()) == 0 {
                return self.illegal(start, "expected exponent");
            }
        }
        if self.skip(|byte| byte.is_ascii_alphanumeric() || byte == b'_') > 0 {
            return self.illegal(start, "illegal number format");
        }
        Kind::Number
    }

    /// The rest of `"…"`.
    fn text(&mut self) -> Kind {
        let start = self.at - 1;
        let mut escapes = true;
        loop {
            match self.peek() {
                None | Some(b'\n') => return self.illegal(start, "non-terminated string"),
                Some(b'"') => {
                    self.at += 1;
                    break;
                }
                Some(b'\\') => escapes &= self.escape(b""),
                Some(_) => self.at += 1,
            }
        }
        if escapes {
            Kind::Text
        } else {
            self.illegal(start, "illegal escape sequence")
        }
    }

    /// Skips a backslash and what it escapes; whether that can be escaped. `braces` can be escaped
    /// in templates only.
    fn escape(&mut self, braces: &[u8]) -> bool {
        self.at += 1;
        match self.peek() {
            Some(b'\\' | b'"' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' | b'u') => self.at += 1,
            Some(byte) if braces.contains(&byte) => self.at += 1,
            _ => return false,
        }
        true
    }

    /// The rest of `` `…` ``.
    fn raw_text(&mut self) -> Kind {
        let start = self.at - 1;
        while let Some(byte) = self.peek() {
            self.at += 1;
            match byte {
                b'`' => return Kind::RawText,
                b'\n' => self.begin_line(),
                _ => {}
            }
        }
        self.illegal(start, "non-terminated string")
    }

    /// What follows `$`.
    fn template(&mut self) -> Kind {
        let raw = match self.peek() {
            Some(b'"') => false,
            Some(b'`') => true,
            _ => return self.illegal(self.at - 1, "illegal $ character"),
        };
        self.at += 1;
        self.template_text(raw, self.at - 2)
    }

    /// The text of a template up to the next expression or the end; its token begins at `start`.
    fn template_text(&mut self, raw: bool, start: usize) -> Kind {
        let mut escapes = true;
        let last = loop {
            match self.peek() {
                None => return self.illegal(start, "non-terminated string"),
                Some(b'\n') if !raw => return self.illegal(start, "non-terminated string"),
                Some(b'"') if !raw => break true,
                Some(b'`') if raw => break true,
                Some(b'{') => break false,
                Some(b'\\') if !raw => escapes &= self.escape(b"{"),
                Some(b'\\') => {
                    self.at += 1;
                    if self.peek() == Some(b'{') {
                        self.at += 1;
                    }
                }
                Some(byte) => {
                    self.at += 1;
                    if byte == b'\n' {
                        self.begin_line();
                    }
                }
            }
        };
        self.at += 1;
        if !last {
            self.templates.push(Open { raw, braces: 0 });
        }
        if escapes {
            Kind::Template { raw, last }
        } else {
            self.illegal(start, "illegal escape sequence")
        }
    }

    /// Characters that begin no token; a run of them outside of ASCII is one.
    fn unknown(&mut self) -> Kind {
        let start = self.at - 1;
        let rest = &self.source[start..];
        let length = rest
            .find(|character: char| character.is_ascii())
            .unwrap_or(rest.len());
        self.at = start + length.max(1);
        match rest.chars().next() {
            Some('\0' | BYTE_ORDER_MARK) => Kind::Illegal, // Told by `refuse_characters`.
            Some('\u{a0}') => {
                let message = "illegal non-breaking space character, use a regular space instead";
                self.illegal(start, message)
            }
            _ => self.illegal(start, "illegal token"),
        }
    }

    /// Characters that may stand nowhere, not even in texts and comments.
    fn refuse_characters(&mut self) {
        for (at, character) in self.source.match_indices(['\0', BYTE_ORDER_MARK]) {
            match character {
                "\0" => self.fault(at, at + 1, "illegal null character"),
                _ if at > 0 => self.fault(at, at + character.len(), "illegal byte-order mark"),
                _ => {}
            }
        }
    }

    fn illegal(&mut self, start: usize, message: &str) -> Kind {
        self.fault(start, self.at, message);
        Kind::Illegal
    }

    fn fault(&mut self, start: usize, end: usize, message: &str) {
        if self.lexed.faults.len() < MAX_FAULTS {
            let span = Span {
                file: self.file,
                start: offset(start),
                end: offset(end),
            };
            self.lexed
                .faults
                .push(Fault::new(ErrorCode::Parse, span, message));
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// Skips bytes of a kind; how many.
    fn skip(&mut self, kind: impl Fn(u8) -> bool) -> usize {
        let rest = &self.bytes[self.at..];
        let count = rest
            .iter()
            .position(|&byte| !kind(byte))
            .unwrap_or(rest.len());
        self.at += count;
        count
    }
}

fn offset(at: usize) -> u32 {
    u32::try_from(at).expect("a source is shorter than 4 GiB")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::{FileId, Kind, lex};

    fn kinds(source: &str) -> Vec<&'static str> {
        let tokens = lex(FileId::default(), source).tokens;
        tokens.iter().map(|token| token.kind.name()).collect()
    }

    #[rstest]
    #[case("", &["eof"])]
    #[case("a:=b==c!=d", &["identifier", "assign", "identifier", "equal", "identifier", "neq", "identifier", "eof"])]
    #[case("a|b&c", &["identifier", "or", "identifier", "and", "identifier", "eof"])]
    #[case("1.5e+3-.5", &["number", "minus", ".", "number", "eof"])]
    #[case("\"a\\\"b\" `c\\`", &["string", "string", "eof"])]
    #[case("not_if if", &["identifier", "if", "eof"])]
    #[case("$\"a{x}b\"", &["template-string-part", "identifier", "}", "template-string-end", "eof"])]
    #[case("$\"{ {} }\"", &["template-string-part", "{", "}", "}", "template-string-end", "eof"])]
    #[case("$\"{$`{x}`}\"", &["template-string-part", "raw-template-string-part", "identifier", "}", "raw-template-string-end", "}", "template-string-end", "eof"])]
    #[case("} $\"\\{\"", &["}", "template-string-end", "eof"])]
    #[case("@éü \"a", &["illegal", "illegal", "illegal", "eof"])]
    fn tokens_are_told_apart(#[case] source: &str, #[case] expected: &[&str]) {
        assert_eq!(kinds(source), expected);
    }

    #[test]
    fn space_and_line_breaks_are_part_of_a_token() {
        let tokens = lex(FileId::default(), "a(b # c\n\t(d e").tokens;
        let before: Vec<_> = tokens
            .iter()
            .map(|token| (token.space, token.newline))
            .collect();
        let (none, space, newline) = ((false, false), (true, false), (true, true));
        assert_eq!(before, [none, none, none, newline, none, space, none]);
    }

    #[test]
    fn comments_know_whether_they_begin_their_line() {
        let comments = lex(FileId::default(), "# a\nb # c\n `\n` # d\n# e").comments;
        let places: Vec<_> = comments
            .iter()
            .map(|comment| (comment.line, comment.alone))
            .collect();
        assert_eq!(places, [(1, true), (2, false), (4, false), (5, true)]);
    }

    #[test]
    fn a_byte_order_mark_may_begin_a_source() {
        let lexed = lex(FileId::default(), "\u{feff}a");
        assert!(lexed.faults.is_empty());
        assert_eq!(lexed.tokens[0].kind, Kind::Name);
    }
}
