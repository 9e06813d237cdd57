//! The text of a template to tokens.

use super::{Result, invalid};
use crate::rego::builtins::letters::{is_digit, is_letter};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// What stands outside of actions.
    Text(String),
    /// `{{`
    Open,
    /// `}}`
    Close,
    Space,
    /// `=`
    Assign,
    /// `:=`
    Declare,
    /// `|`
    Pipe,
    LeftParenthesis,
    RightParenthesis,
    /// `.`
    Dot,
    /// `.name`, without the point.
    Field(String),
    /// `$name`, with its sign.
    Variable(String),
    /// A name that is no keyword.
    Identifier(String),
    Keyword(Keyword),
    Boolean(bool),
    Number(String),
    /// `'a'`
    Character(String),
    /// `"a"` or `` `a` ``, with what it is quoted in.
    Quoted(String),
    /// Any other character.
    Other(char),
    End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keyword {
    Block,
    Break,
    Continue,
    Define,
    Else,
    End,
    If,
    Nil,
    Range,
    Template,
    With,
}

const OPEN: &str = "{{";
const CLOSE: &str = "}}";
const SPACES: [char; 4] = [' ', '\t', '\r', '\n'];

pub(super) fn tokens(text: &str) -> Result<Vec<Token>> {
    let mut lexer = Lexer {
        rest: text,
        before: None,
        tokens: Vec::new(),
    };
    while let Some(at) = lexer.rest.find(OPEN) {
        let (before, action) = (&lexer.rest[..at], &lexer.rest[at + OPEN.len()..]);
        let trimmed = trim_before(action);
        let before = match trimmed {
            Some(_) => before.trim_end_matches(SPACES),
            None => before,
        };
        if !before.is_empty() {
            lexer.tokens.push(Token::Text(before.to_owned()));
        }
        lexer.rest = trimmed.unwrap_or(action);
        match lexer.rest.strip_prefix("/*") {
            Some(comment) => lexer.comment(comment)?,
            None => lexer.action()?,
        }
    }
    if !lexer.rest.is_empty() {
        lexer.tokens.push(Token::Text(lexer.rest.to_owned()));
    }
    lexer.tokens.push(Token::End);
    Ok(lexer.tokens)
}

/// What follows `- `, which takes the space before an action away.
fn trim_before(action: &str) -> Option<&str> {
    action.strip_prefix('-')?.strip_prefix(SPACES)
}

/// What follows the end of an action, if it is here; ` -` before it takes space away.
fn close(rest: &str) -> Option<&str> {
    let trimmed = rest
        .strip_prefix(SPACES)
        .and_then(|rest| rest.strip_prefix('-'))
        .and_then(|rest| rest.strip_prefix(CLOSE));
    match trimmed {
        Some(rest) => Some(rest.trim_start_matches(SPACES)),
        None => rest.strip_prefix(CLOSE),
    }
}

fn is_word(character: char) -> bool {
    character == '_' || is_letter(character) || is_digit(character)
}

#[derive(Debug)]
struct Lexer<'t> {
    rest: &'t str,
    /// The character before the rest.
    before: Option<char>,
    tokens: Vec<Token>,
}

impl<'t> Lexer<'t> {
    fn comment(&mut self, comment: &'t str) -> Result<()> {
        let (_, rest) = comment
            .split_once("*/")
            .ok_or_else(|| invalid("unclosed comment"))?;
        self.rest = close(rest).ok_or_else(|| invalid("comment ends before closing delimiter"))?;
        Ok(())
    }

    fn action(&mut self) -> Result<()> {
        self.tokens.push(Token::Open);
        let mut depth = 0_usize;
        loop {
            if let Some(rest) = close(self.rest) {
                if depth > 0 {
                    return Err(invalid("unclosed left paren"));
                }
                self.rest = rest;
                self.tokens.push(Token::Close);
                return Ok(());
            }
            let start = self.rest;
            let character = self.take().ok_or_else(|| invalid("unclosed action"))?;
            let next = self.rest.chars().next();
            let token = match character {
                space if SPACES.contains(&space) => {
                    // The last one can belong to the end of the action.
                    while close(self.rest).is_none() && self.rest.starts_with(SPACES) {
                        self.take();
                    }
                    Token::Space
                }
                '=' => Token::Assign,
                ':' if next == Some('=') => {
                    self.take();
                    Token::Declare
                }
                ':' => return Err(invalid("expected :=")),
                '|' => Token::Pipe,
                '(' => {
                    depth += 1;
                    Token::LeftParenthesis
                }
                ')' => {
                    depth = depth
                        .checked_sub(1)
                        .ok_or_else(|| invalid("unexpected right paren"))?;
                    Token::RightParenthesis
                }
                '"' => Token::Quoted(self.quoted(start, '"', "unterminated quoted string")?),
                '\'' => {
                    let problem = "unterminated character constant";
                    Token::Character(self.quoted(start, '\'', problem)?)
                }
                '`' => {
                    let end = self.rest.find('`');
                    let end = end.ok_or_else(|| invalid("unterminated raw quoted string"))?;
                    self.rest = &self.rest[end + 1..];
                    Token::Quoted(start[..end + 2].to_owned())
                }
                '$' => Token::Variable(format!("${}", self.name()?)),
                '.' if !next.is_some_and(|next| next.is_ascii_digit()) && next.is_some() => {
                    match self.name()? {
                        "" => Token::Dot,
                        name => Token::Field(name.to_owned()),
                    }
                }
                '.' | '+' | '-' | '0'..='9' => {
                    self.rest = start;
                    Token::Number(self.number()?)
                }
                word if is_word(word) => {
                    self.rest = start;
                    self.word()?
                }
                ' '..='~' => Token::Other(character),
                _ => return Err(invalid("unrecognized character in action")),
            };
            self.tokens.push(token);
        }
    }

    fn take(&mut self) -> Option<char> {
        let character = self.rest.chars().next()?;
        self.rest = &self.rest[character.len_utf8()..];
        self.before = Some(character);
        Some(character)
    }

    /// Up to the sign that ends it, with what is escaped on the way.
    fn quoted(&mut self, start: &str, sign: char, problem: &str) -> Result<String> {
        loop {
            match self.take() {
                Some('\\') => match self.take() {
                    Some('\n') | None => return Err(invalid(problem)),
                    Some(_) => {}
                },
                Some('\n') | None => return Err(invalid(problem)),
                Some(character) if character == sign => {
                    return Ok(start[..start.len() - self.rest.len()].to_owned());
                }
                Some(_) => {}
            }
        }
    }

    /// A name that may be empty, and behind which something else begins.
    fn name(&mut self) -> Result<&'t str> {
        let end = self.rest.find(|character| !is_word(character));
        let (name, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        if !self.is_at_terminator() {
            return Err(invalid("bad character"));
        }
        Ok(name)
    }

    fn is_at_terminator(&self) -> bool {
        let is_terminator = |character| SPACES.contains(&character) || ".,|:)(".contains(character);
        self.rest.chars().next().is_none_or(is_terminator) || self.rest.starts_with(CLOSE)
    }

    fn word(&mut self) -> Result<Token> {
        Ok(match self.name()? {
            "true" => Token::Boolean(true),
            "false" => Token::Boolean(false),
            "block" => Token::Keyword(Keyword::Block),
            "break" => Token::Keyword(Keyword::Break),
            "continue" => Token::Keyword(Keyword::Continue),
            "define" => Token::Keyword(Keyword::Define),
            "else" => Token::Keyword(Keyword::Else),
            "end" => Token::Keyword(Keyword::End),
            "if" => Token::Keyword(Keyword::If),
            "nil" => Token::Keyword(Keyword::Nil),
            "range" => Token::Keyword(Keyword::Range),
            "template" => Token::Keyword(Keyword::Template),
            "with" => Token::Keyword(Keyword::With),
            name => Token::Identifier(name.to_owned()),
        })
    }

    /// What can be a number; whether it is one is asked later.
    fn number(&mut self) -> Result<String> {
        let start = self.rest;
        self.part_of_number()?;
        if self.rest.starts_with(['+', '-']) {
            self.part_of_number()?;
            if self.before != Some('i') {
                return Err(invalid("bad number syntax"));
            }
        }
        Ok(start[..start.len() - self.rest.len()].to_owned())
    }

    fn part_of_number(&mut self) -> Result<()> {
        self.accept("+-");
        let mut digits = "0123456789_";
        if self.accept("0") {
            if self.accept("xX") {
                digits = "0123456789abcdefABCDEF_";
            } else if self.accept("oO") {
                digits = "01234567_";
            } else if self.accept("bB") {
                digits = "01_";
            }
        }
        while self.accept(digits) {}
        if self.accept(".") {
            while self.accept(digits) {}
        }
        let exponent = match digits.len() {
            11 => "eE",
            23 => "pP",
            _ => "",
        };
        if self.accept(exponent) {
            self.accept("+-");
            while self.accept("0123456789_") {}
        }
        self.accept("i");
        if self.rest.starts_with(is_word) {
            return Err(invalid("bad number syntax"));
        }
        Ok(())
    }

    fn accept(&mut self, characters: &str) -> bool {
        let next = self.rest.chars().next();
        let is_accepted = next.is_some_and(|next| characters.contains(next));
        if is_accepted {
            self.take();
        }
        is_accepted
    }
}
