//! Text to tokens, step by step as go-yaml's scanner does it, which is libyaml's with comments.
//!
//! A key of a mapping is known as one only when its `:` comes. Until then it is remembered as a
//! possible key, one for each level of brackets, and the token of the key is put before it later.

mod characters;
mod scalars;
mod tags;

use std::collections::{HashMap, VecDeque};

use super::{Result, invalid};

/// What the parser reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    StreamEnd,
    /// `%YAML`
    Version {
        is_known: bool,
    },
    /// `%TAG`
    TagDirective {
        handle: String,
        prefix: String,
    },
    DocumentStart,
    DocumentEnd,
    BlockSequenceStart,
    BlockMappingStart,
    BlockEnd,
    FlowSequenceStart,
    FlowSequenceEnd,
    FlowMappingStart,
    FlowMappingEnd,
    BlockEntry,
    FlowEntry,
    Key,
    Value,
    Alias(String),
    Anchor(String),
    Tag {
        handle: String,
        suffix: String,
    },
    Scalar {
        text: String,
        is_plain: bool,
    },
}

/// Brackets, and levels of indentation, within each other.
const DEEPEST: usize = 10_000;

/// Characters that a key can have which nothing announces.
const LONGEST_KEY: usize = 1024;

/// A place in the text.
#[derive(Debug, Clone, Copy, Default)]
struct Mark {
    /// In characters.
    index: usize,
    line: usize,
    column: isize,
}

/// A key, should a `:` follow.
#[derive(Debug, Clone, Copy, Default)]
struct PossibleKey {
    is_possible: bool,
    /// Where it stands, nothing but a key can.
    is_required: bool,
    /// Of all tokens, the one that begins it.
    token: usize,
    mark: Mark,
}

#[derive(Debug)]
pub(super) struct Scanner<'t> {
    text: &'t str,
    /// In bytes.
    at: usize,
    mark: Mark,
    /// Ends of lines since something that is no blank.
    newlines: usize,
    tokens: VecDeque<Token>,
    /// How many tokens have been taken.
    taken: usize,
    /// Whether the first token is certain.
    is_available: bool,
    indent: isize,
    indents: Vec<isize>,
    is_key_allowed: bool,
    /// One for each level of brackets, and one outside.
    keys: Vec<PossibleKey>,
    /// The level of the key that a token begins.
    level_of_token: HashMap<usize, usize>,
}

impl<'t> Scanner<'t> {
    pub(super) fn new(text: &'t str) -> Result<Self> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let is_allowed = |character: char| {
            matches!(
                character,
                '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' | '\u{a0}'..='\u{fffd}' | '\u{10000}'..
            )
        };
        if !text.chars().all(is_allowed) {
            return Err(invalid("control characters are not allowed"));
        }
        Ok(Self {
            text,
            at: 0,
            mark: Mark::default(),
            newlines: 0,
            tokens: VecDeque::new(),
            taken: 0,
            is_available: false,
            indent: -1,
            indents: Vec::new(),
            is_key_allowed: true,
            keys: vec![PossibleKey::default()],
            level_of_token: HashMap::new(),
        })
    }

    /// The next token.
    pub(super) fn peek(&mut self) -> Result<&Token> {
        if !self.is_available {
            self.fetch_until_certain()?;
            self.is_available = true;
        }
        Ok(self.tokens.front().unwrap_or(&Token::StreamEnd))
    }

    /// Takes the next token.
    pub(super) fn take(&mut self) -> Result<Token> {
        self.peek()?;
        self.is_available = false;
        self.taken += 1;
        Ok(self.tokens.pop_front().unwrap_or(Token::StreamEnd))
    }

    /// The first token is certain if no token of a key can still be put before it.
    fn fetch_until_certain(&mut self) -> Result<()> {
        loop {
            if self.tokens.len() > 2 {
                match self.level_of_token.get(&self.taken).copied() {
                    Some(level) if self.is_possible(level)? => {}
                    _ => return Ok(()),
                }
            }
            self.fetch()?;
        }
    }

    fn fetch(&mut self) -> Result<()> {
        self.skip_to_token()?;
        self.unroll(self.mark.column);
        if self.byte(0) == 0 {
            return self.fetch_end();
        }
        if self.mark.column == 0 {
            if self.byte(0) == b'%' {
                self.end_of_blocks()?;
                let token = self.directive()?;
                self.tokens.push_back(token);
                return Ok(());
            }
            if self.is_document_indicator() {
                let token = match self.byte(0) {
                    b'-' => Token::DocumentStart,
                    _ => Token::DocumentEnd,
                };
                self.end_of_blocks()?;
                self.skip(3);
                self.tokens.push_back(token);
                return Ok(());
            }
        }
        self.fetch_token()?;
        if self.tokens.back() != Some(&Token::BlockEntry) {
            self.skip_comment_of_line();
        }
        Ok(())
    }

    fn fetch_token(&mut self) -> Result<()> {
        let is_flow = self.is_flow();
        let ends = self.is_blank_or_end(1);
        match self.byte(0) {
            b'[' => self.fetch_flow_start(Token::FlowSequenceStart),
            b'{' => self.fetch_flow_start(Token::FlowMappingStart),
            b']' => self.fetch_flow_end(Token::FlowSequenceEnd),
            b'}' => self.fetch_flow_end(Token::FlowMappingEnd),
            b',' => {
                self.forget_key()?;
                self.is_key_allowed = true;
                self.push(Token::FlowEntry)
            }
            b'-' if ends => self.fetch_block_entry(),
            b'?' if is_flow || ends => self.fetch_key(),
            b':' if is_flow || ends => self.fetch_value(),
            b'*' => self.fetch_atom(|scanner| Ok(Token::Alias(scanner.anchor()?))),
            b'&' => self.fetch_atom(|scanner| Ok(Token::Anchor(scanner.anchor()?))),
            b'!' => self.fetch_atom(Self::tag),
            style @ (b'|' | b'>') if !is_flow => {
                self.forget_key()?;
                self.is_key_allowed = true;
                let text = self.block_scalar(style == b'|')?;
                self.tokens.push_back(Token::Scalar {
                    text,
                    is_plain: false,
                });
                Ok(())
            }
            quote @ (b'\'' | b'"') => self.fetch_atom(|scanner| {
                let text = scanner.quoted_scalar(quote)?;
                Ok(Token::Scalar {
                    text,
                    is_plain: false,
                })
            }),
            byte => {
                let is_indicator = b"-?:,[]{}#&*!|>'\"%@`".contains(&byte);
                let begins_plain = !(is_indicator || self.is_blank_or_end(0))
                    || byte == b'-' && !self.is_blank(1)
                    || !is_flow && matches!(byte, b'?' | b':');
                if !begins_plain {
                    return Err(invalid("found character that cannot start any token"));
                }
                self.fetch_atom(|scanner| {
                    let text = scanner.plain_scalar()?;
                    Ok(Token::Scalar {
                        text,
                        is_plain: true,
                    })
                })
            }
        }
    }

    fn fetch_end(&mut self) -> Result<()> {
        if self.mark.column != 0 {
            self.mark.column = 0;
            self.mark.line += 1;
        }
        self.end_of_blocks()?;
        self.tokens.push_back(Token::StreamEnd);
        Ok(())
    }

    /// What begins at the left margin ends all blocks.
    fn end_of_blocks(&mut self) -> Result<()> {
        self.unroll(-1);
        self.forget_key()?;
        self.is_key_allowed = false;
        Ok(())
    }

    fn fetch_flow_start(&mut self, token: Token) -> Result<()> {
        self.remember_key()?;
        // What belongs to a level ends with it, even if it is the key that the brackets are.
        self.keys.push(PossibleKey {
            token: self.taken + self.tokens.len(),
            ..PossibleKey::default()
        });
        if self.keys.len() > DEEPEST + 1 {
            return Err(invalid("exceeded max depth of 10000"));
        }
        self.is_key_allowed = true;
        self.push(token)
    }

    fn fetch_flow_end(&mut self, token: Token) -> Result<()> {
        self.forget_key()?;
        if self.is_flow()
            && let Some(key) = self.keys.pop()
        {
            self.level_of_token.remove(&key.token);
        }
        self.is_key_allowed = false;
        self.push(token)
    }

    fn fetch_block_entry(&mut self) -> Result<()> {
        if !self.is_flow() {
            if !self.is_key_allowed {
                let problem = "block sequence entries are not allowed in this context";
                return Err(invalid(problem));
            }
            self.roll(self.mark.column, None, Token::BlockSequenceStart)?;
        }
        self.forget_key()?;
        self.is_key_allowed = true;
        self.push(Token::BlockEntry)
    }

    fn fetch_key(&mut self) -> Result<()> {
        if !self.is_flow() {
            if !self.is_key_allowed {
                return Err(invalid("mapping keys are not allowed in this context"));
            }
            self.roll(self.mark.column, None, Token::BlockMappingStart)?;
        }
        self.forget_key()?;
        self.is_key_allowed = !self.is_flow();
        self.push(Token::Key)
    }

    fn fetch_value(&mut self) -> Result<()> {
        let level = self.keys.len() - 1;
        if self.is_possible(level)? {
            let key = self.keys[level];
            self.insert(key.token, Token::Key);
            self.roll(key.mark.column, Some(key.token), Token::BlockMappingStart)?;
            self.keys[level].is_possible = false;
            self.level_of_token.remove(&key.token);
            self.is_key_allowed = false;
        } else {
            if !self.is_flow() {
                if !self.is_key_allowed {
                    return Err(invalid("mapping values are not allowed in this context"));
                }
                self.roll(self.mark.column, None, Token::BlockMappingStart)?;
            }
            self.is_key_allowed = !self.is_flow();
        }
        self.push(Token::Value)
    }

    /// What can be a key.
    fn fetch_atom(&mut self, scan: impl FnOnce(&mut Self) -> Result<Token>) -> Result<()> {
        self.remember_key()?;
        self.is_key_allowed = false;
        let token = scan(self)?;
        self.tokens.push_back(token);
        Ok(())
    }

    /// A token of one character.
    #[expect(clippy::unnecessary_wraps, reason = "the last step of what can fail")]
    fn push(&mut self, token: Token) -> Result<()> {
        self.skip(1);
        self.tokens.push_back(token);
        Ok(())
    }

    fn is_possible(&mut self, level: usize) -> Result<bool> {
        let Some(key) = self.keys.get_mut(level).filter(|key| key.is_possible) else {
            return Ok(false);
        };
        let is_near =
            key.mark.line >= self.mark.line && key.mark.index + LONGEST_KEY >= self.mark.index;
        if !is_near && key.is_required {
            return Err(invalid("could not find expected ':'"));
        }
        key.is_possible = is_near;
        Ok(is_near)
    }

    /// What comes next can be a key.
    fn remember_key(&mut self) -> Result<()> {
        if !self.is_key_allowed {
            return Ok(());
        }
        self.forget_key()?;
        let token = self.taken + self.tokens.len();
        let level = self.keys.len() - 1;
        self.keys[level] = PossibleKey {
            is_possible: true,
            is_required: !self.is_flow() && self.indent == self.mark.column,
            token,
            mark: self.mark,
        };
        self.level_of_token.insert(token, level);
        Ok(())
    }

    fn forget_key(&mut self) -> Result<()> {
        let level = self.keys.len() - 1;
        let key = &mut self.keys[level];
        if key.is_possible {
            if key.is_required {
                return Err(invalid("could not find expected ':'"));
            }
            key.is_possible = false;
            self.level_of_token.remove(&key.token);
        }
        Ok(())
    }

    /// A block begins, if this column is further than that of the last.
    fn roll(&mut self, column: isize, before: Option<usize>, token: Token) -> Result<()> {
        if self.is_flow() || self.indent >= column {
            return Ok(());
        }
        self.indents.push(self.indent);
        self.indent = column;
        if self.indents.len() > DEEPEST {
            return Err(invalid("exceeded max depth of 10000"));
        }
        match before {
            Some(number) => self.insert(number, token),
            None => self.tokens.push_back(token),
        }
        Ok(())
    }

    /// Puts a token before another; at the end, if the other has been taken.
    fn insert(&mut self, number: usize, token: Token) {
        match number.checked_sub(self.taken) {
            Some(at) => self.tokens.insert(at, token),
            None => self.tokens.push_back(token),
        }
    }

    /// Blocks end that begin right of a column.
    fn unroll(&mut self, column: isize) {
        if self.is_flow() {
            return;
        }
        while self.indent > column {
            self.tokens.push_back(Token::BlockEnd);
            self.indent = self.indents.pop().unwrap_or(-1);
        }
    }

    fn skip_to_token(&mut self) -> Result<()> {
        loop {
            let is_tab_blank = self.is_flow() || !self.is_key_allowed;
            while self.byte(0) == b' ' || is_tab_blank && self.byte(0) == b'\t' {
                self.skip(1);
            }
            if self.byte(0) == b'#' {
                self.skip_comments();
            }
            if !self.is_break(0) {
                return Ok(());
            }
            self.skip_line();
            if !self.is_flow() {
                self.is_key_allowed = true;
            }
        }
    }

    fn is_flow(&self) -> bool {
        self.keys.len() > 1
    }
}
