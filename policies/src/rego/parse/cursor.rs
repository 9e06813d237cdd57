//! The parser's place in the tokens, what it has read already, and how it says what it expected.

use std::collections::HashSet;
use std::rc::Rc;

use super::super::ast::{MAX_HEIGHT, Name, Term, TermKind, Version, WILDCARD};
use super::super::lex::{Comment, Kind, Token, Word, lex};
use super::super::source::{ErrorCode, Fault, FileId, Span};
use super::MAX_FAULTS;
use super::keywords::Keywords;
use super::memo::{Entry, Memo};

/// What was read, or why it could not be.
pub(super) type Parsed<T> = Result<T, Refusal>;

/// Why something could not be read. Cheap to keep, because it may be asked for again.
#[derive(Clone, Debug)]
pub(super) struct Refusal(Rc<Fault>);

impl Refusal {
    pub(super) fn new(span: Span, message: impl Into<String>) -> Self {
        Self(Rc::new(Fault::new(ErrorCode::Parse, span, message)))
    }

    /// What is nested deeper than a tree may be high.
    pub(super) fn too_deep(span: Span) -> Self {
        Self::new_with_remedy(
            span,
            format!("expressions are nested deeper than {MAX_HEIGHT}"),
            "give the inner expression a name of its own",
        )
    }

    pub(super) fn new_with_remedy(
        span: Span,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self(Rc::new(
            Fault::new(ErrorCode::Parse, span, message).with_remedy(remedy),
        ))
    }

    /// The same refusal with what to do about it.
    pub(super) fn with_remedy(self, remedy: impl Into<String>) -> Self {
        Self(Rc::new(Rc::unwrap_or_clone(self.0).with_remedy(remedy)))
    }

    /// The refusal that came further in the source, the first if both came as far.
    pub(super) fn or_further(self, other: Self) -> Self {
        if other.0.span.start > self.0.span.start {
            other
        } else {
            self
        }
    }
}

/// A place to come back to.
#[derive(Clone, Copy)]
pub(super) struct Place {
    at: usize,
    kind: Kind,
}

/// Terms of so few tokens are read again faster than they are looked up.
const WORTH_KEEPING: usize = 4;

/// Reads one source.
pub(super) struct Parser<'s> {
    pub(super) source: &'s str,
    pub(super) file: FileId,
    pub(super) comments: Vec<Comment>,
    tokens: Vec<Token>,
    at: usize,
    /// What the current token is taken as: a keyword can be taken as a name.
    kind: Kind,
    /// The version that the source was read as from the beginning.
    pub(super) version: Version,
    pub(super) keywords: Keywords,
    /// `not { … }` is a body.
    pub(super) not_bodies: bool,
    depth: u16,
    wildcards: u32,
    /// Tokens of heads that were repeated so far.
    pub(super) repeated: usize,
    names: HashSet<Name>,
    terms: Memo<Term>,
    exprs: Memo<super::Expr>,
    faults: Vec<Fault>,
    /// Tokens that were read, those that were read again too.
    #[cfg(test)]
    pub(super) steps: usize,
}

impl<'s> Parser<'s> {
    pub(super) fn new(file: FileId, source: &'s str, version: Version) -> Self {
        let lexed = lex(file, source);
        let mut parser = Self {
            source,
            file,
            comments: lexed.comments,
            tokens: lexed.tokens,
            at: 0,
            kind: Kind::End,
            version,
            keywords: Keywords::of(version),
            not_bodies: version > Version::V1,
            depth: 0,
            wildcards: 0,
            repeated: 0,
            names: HashSet::new(),
            terms: Memo::default(),
            exprs: Memo::default(),
            faults: lexed.faults,
            #[cfg(test)]
            steps: 0,
        };
        parser.reclassify();
        parser
    }

    /// All faults, if there are any.
    pub(super) fn finish(&mut self) -> Result<(), Vec<Fault>> {
        if self.faults.is_empty() {
            return Ok(());
        }
        let mut faults = std::mem::take(&mut self.faults);
        faults.sort_by_key(|fault| fault.span);
        faults.dedup();
        faults.truncate(MAX_FAULTS);
        Err(faults)
    }

    /// How many tokens the source has.
    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.tokens.len()
    }

    // ── The current token

    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    pub(super) fn is(&self, kind: Kind) -> bool {
        self.kind == kind
    }

    pub(super) fn is_word(&self, word: Word) -> bool {
        self.kind == Kind::Word(word)
    }

    pub(super) fn token(&self) -> Token {
        self.tokens[self.at]
    }

    /// How many tokens are before the current one.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    /// The current token's text.
    pub(super) fn text(&self) -> &'s str {
        self.slice(self.here())
    }

    /// The text of the token before the current one.
    pub(super) fn text_before(&self) -> &'s str {
        self.at
            .checked_sub(1)
            .map_or("", |before| self.slice(self.span_of(before)))
    }

    fn span_of(&self, at: usize) -> Span {
        let Token { start, end, .. } = self.tokens[at];
        self.span(start, end)
    }

    /// The current token's place.
    pub(super) fn here(&self) -> Span {
        self.span_of(self.at)
    }

    pub(super) fn start(&self) -> u32 {
        self.token().start
    }

    pub(super) fn span(&self, start: u32, end: u32) -> Span {
        Span {
            file: self.file,
            start,
            end,
        }
    }

    /// From a byte to the end of what was read.
    pub(super) fn since(&self, start: u32) -> Span {
        let last = self
            .at
            .checked_sub(1)
            .map_or(0, |last| self.tokens[last].end);
        self.span(start, last.max(start))
    }

    /// The source between two bytes.
    pub(super) fn slice(&self, span: Span) -> &'s str {
        self.source
            .get(span.start as usize..span.end as usize)
            .unwrap_or("")
    }

    /// The current token continues what is before it: `.`, `[` or `(` without a space.
    pub(super) fn continues(&self) -> bool {
        !self.token().space
            && matches!(
                self.kind,
                Kind::Dot | Kind::LeftBracket | Kind::LeftParenthesis
            )
    }

    /// What the token after the current one is.
    pub(super) fn next_kind(&self) -> Kind {
        self.classify(self.at + 1)
    }

    /// The next token follows without a space and is one of these.
    pub(super) fn adjoins(&self, kinds: &[Kind]) -> bool {
        let next = self.tokens.get(self.at + 1);
        next.is_some_and(|next| !next.space && kinds.contains(&next.kind))
    }

    /// The current token is a keyword that begins a reference: `if.x`, `not[1]`.
    pub(super) fn is_keyword_reference(&self) -> bool {
        matches!(self.kind, Kind::Word(_)) && self.adjoins(&[Kind::Dot, Kind::LeftBracket])
    }

    /// Takes a keyword that begins a reference as a name; whether it did.
    pub(super) fn take_keyword_reference(&mut self) -> bool {
        let is = self.is_keyword_reference();
        if is {
            self.kind = Kind::Name;
        }
        is
    }

    /// Takes the current keyword as a name.
    pub(super) fn take_as_name(&mut self) {
        self.kind = Kind::Name;
    }

    /// Looks at the current token again, after the keywords have changed.
    pub(super) fn reclassify(&mut self) {
        self.kind = self.classify(self.at);
    }

    fn classify(&self, at: usize) -> Kind {
        match self.tokens.get(at).map_or(Kind::End, |token| token.kind) {
            Kind::Word(word) if !self.keywords.contain(word) => Kind::Name,
            kind => kind,
        }
    }

    // ── Moving

    pub(super) fn advance(&mut self) {
        #[cfg(test)]
        {
            self.steps += 1;
        }
        if self.at + 1 < self.tokens.len() {
            self.at += 1;
        }
        self.reclassify();
    }

    pub(super) fn place(&self) -> Place {
        Place {
            at: self.at,
            kind: self.kind,
        }
    }

    pub(super) fn return_to(&mut self, place: Place) {
        self.at = place.at;
        self.kind = place.kind;
    }

    /// Goes to the next line that begins with a name, after a statement that could not be read.
    pub(super) fn recover(&mut self, statement: Place) {
        self.at = self.at.max(statement.at + 1).min(self.tokens.len() - 1);
        self.reclassify();
        while !self.is(Kind::End) && !self.begins_line_with_name() {
            self.advance();
        }
    }

    fn begins_line_with_name(&self) -> bool {
        let Token { kind, start, .. } = self.token();
        let before = self
            .source
            .as_bytes()
            .get(..start as usize)
            .unwrap_or_default();
        matches!(kind, Kind::Name | Kind::Word(_)) && before.ends_with(b"\n")
    }

    /// The current token if it is this one, and past it.
    pub(super) fn eat(&mut self, kind: Kind) -> bool {
        let is = self.kind == kind;
        if is {
            self.advance();
        }
        is
    }

    // ── What was read already

    /// Reads a term, or remembers it.
    pub(super) fn remembering_term(
        &mut self,
        read: impl FnOnce(&mut Self) -> Parsed<Term>,
    ) -> Parsed<Term> {
        let slot = self.slot();
        if let Some(entry) = self.terms.get(slot) {
            let (result, after) = (entry.result.clone(), entry.after);
            self.return_to(after);
            return result;
        }
        let begin = self.at;
        let result = self.deeper(read);
        if self.at > begin + WORTH_KEEPING || result.is_err() {
            let entry = Entry {
                result: result.clone(),
                after: self.place(),
            };
            self.terms.put(slot, self.tokens.len() * 2, entry);
        }
        result
    }

    /// Reads a condition, or remembers it.
    pub(super) fn remembering_expr(
        &mut self,
        read: impl FnOnce(&mut Self) -> Parsed<super::Expr>,
    ) -> Parsed<super::Expr> {
        let slot = self.slot();
        if let Some(entry) = self.exprs.get(slot) {
            let (result, after) = (entry.result.clone(), entry.after);
            self.return_to(after);
            return result;
        }
        let result = read(self);
        let entry = Entry {
            result: result.clone(),
            after: self.place(),
        };
        self.exprs.put(slot, self.tokens.len() * 2, entry);
        result
    }

    /// Where the current token's entry is: a keyword that is taken as a name has its own.
    fn slot(&self) -> usize {
        self.at * 2 + usize::from(self.kind != self.classify(self.at))
    }

    /// Reads something that is nested, unless it is nested too deep.
    pub(super) fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth >= MAX_HEIGHT {
            return Err(Refusal::too_deep(self.here()));
        }
        self.depth += 1;
        let result = read(self);
        self.depth -= 1;
        result
    }

    // ── Building

    /// A shared copy of a name.
    pub(super) fn name(&mut self, text: &str) -> Name {
        if let Some(name) = self.names.get(text) {
            return name.clone();
        }
        let name = Name::from(text);
        self.names.insert(name.clone());
        name
    }

    /// The name of another `_`.
    pub(super) fn wildcard(&mut self) -> Name {
        let name = format!("{WILDCARD}{}", self.wildcards);
        self.wildcards += 1;
        Name::from(name)
    }

    // ── Refusing

    /// Keeps a fault and goes on.
    pub(super) fn report(&mut self, refusal: Refusal) {
        // What is wrong with an illegal token was said when it was read.
        let Refusal(fault) = refusal;
        let illegal = self
            .faults
            .iter()
            .any(|known| known.span.start == fault.span.start);
        if !illegal {
            self.faults.push(Rc::unwrap_or_clone(fault));
        }
    }

    /// As many faults are known as are reported.
    pub(super) fn has_enough_faults(&self) -> bool {
        self.faults.len() >= MAX_FAULTS
    }

    /// `unexpected } token`
    pub(super) fn unexpected(&self) -> Refusal {
        self.unexpected_or("")
    }

    /// `unexpected } token: expected number`
    pub(super) fn unexpected_or(&self, expected: &str) -> Refusal {
        let message = match self.kind {
            Kind::Illegal => "illegal token".to_owned(),
            kind => {
                let sort = if matches!(kind, Kind::Word(_)) {
                    "keyword"
                } else {
                    "token"
                };
                let colon = if expected.is_empty() { "" } else { ": " };
                format!("unexpected {} {sort}{colon}{expected}", kind.name())
            }
        };
        Refusal::new(self.here(), message)
    }

    /// The current token is a name that is no keyword.
    pub(super) fn expect_variable(&self) -> Parsed<()> {
        if self.is(Kind::Name) {
            Ok(())
        } else {
            Err(self.unexpected_or("expected var"))
        }
    }

    /// The current token is this keyword, and past it.
    pub(super) fn expect_word(&mut self, word: Word) -> Parsed<()> {
        if self.is_word(word) {
            self.advance();
            return Ok(());
        }
        Err(self.unexpected_or(&format!("expected {} keyword", word.text())))
    }
}

/// A term, unless it is too high.
pub(super) fn build(kind: TermKind, span: Span) -> Parsed<Term> {
    let term = Term::new(kind, span);
    if term.height() > MAX_HEIGHT {
        Err(Refusal::too_deep(span))
    } else {
        Ok(term)
    }
}
