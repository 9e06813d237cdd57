//! Terms: scalars, variables, references, calls, parentheses.

use super::super::ast::{Call, MAX_PATH, Term, TermKind};
use super::super::lex::{Kind, Word};
use super::cursor::{Parsed, Parser, Refusal, build};

impl Parser<'_> {
    /// One term, with the path and the arguments that follow it without a space.
    pub(super) fn term(&mut self) -> Parsed<Term> {
        self.remembering_term(Self::fresh_term)
    }

    fn fresh_term(&mut self) -> Parsed<Term> {
        // Where a term is expected, `or(x, y)` calls the builtin of `|`.
        if matches!(self.kind(), Kind::Word(Word::And | Word::Or))
            && self.adjoins(&[Kind::LeftParenthesis])
        {
            self.take_as_name();
        }
        let head = match self.kind() {
            Kind::Word(Word::Null) => self.scalar(TermKind::Null),
            Kind::Word(Word::True) => self.scalar(TermKind::Bool(true)),
            Kind::Word(Word::False) => self.scalar(TermKind::Bool(false)),
            Kind::Minus => return self.negative(),
            Kind::Dot | Kind::Number => self.number()?,
            Kind::Text | Kind::RawText => self.string()?,
            Kind::Template { raw, .. } => self.template(raw)?,
            Kind::Name | Kind::Word(Word::Contains) => self.variable(),
            Kind::LeftBracket => self.array()?,
            Kind::LeftBrace => self.set_or_object()?,
            Kind::LeftParenthesis => self.parenthesis()?,
            _ => return Err(self.unexpected()),
        };
        self.continued(head)
    }

    fn scalar(&mut self, kind: TermKind) -> Term {
        let term = Term::new(kind, self.here());
        self.advance();
        term
    }

    /// The current token as a variable.
    pub(super) fn variable(&mut self) -> Term {
        let name = match self.text() {
            "_" => self.wildcard(),
            text => self.name(text),
        };
        self.scalar(TermKind::Var(name))
    }

    /// `-1`, or `-x`, which is `0 - x`.
    fn negative(&mut self) -> Parsed<Term> {
        let sign = self.here();
        let place = self.place();
        self.advance();
        if !matches!(self.kind(), Kind::Name | Kind::Word(Word::Contains)) {
            self.return_to(place);
            let number = self.number()?;
            return self.continued(number);
        }
        let variable = self.variable();
        let term = self.continued(variable)?;
        let zero = Term::new(TermKind::Number(self.numeral("0")), sign);
        let call = self.call_of("minus", sign, vec![zero, term]);
        build(TermKind::Call(call), self.since(sign.start))
    }

    fn parenthesis(&mut self) -> Parsed<Term> {
        self.advance();
        let term = self.operation()?;
        if !self.eat(Kind::RightParenthesis) {
            return Err(Refusal::new(self.here(), "non-terminated expression"));
        }
        Ok(term)
    }

    /// A head with what follows it without a space. `input` and `data` are references anyhow.
    fn continued(&mut self, head: Term) -> Parsed<Term> {
        if self.continues() {
            return self.reference(head);
        }
        Ok(alone(head))
    }

    /// The path or the arguments that follow a head; the current token begins them.
    pub(super) fn reference(&mut self, head: Term) -> Parsed<Term> {
        let start = head.span.start;
        if !can_head(&head.kind) {
            let message = format!("illegal ref (head cannot be {})", kind_name(&head.kind));
            return Err(Refusal::new(head.span, message));
        }
        let mut path = vec![head];
        loop {
            match self.kind() {
                Kind::Dot => path.push(self.field()?),
                Kind::LeftBracket => {
                    self.advance();
                    path.push(self.operation()?);
                    if !self.eat(Kind::RightBracket) {
                        return Err(self.unexpected_or("expected ]"));
                    }
                }
                Kind::LeftParenthesis => {
                    let call = self.call(path, start)?;
                    if !self.continues() || self.is(Kind::LeftParenthesis) {
                        return Ok(call);
                    }
                    path = vec![call];
                    continue;
                }
                _ => break,
            }
            if path.len() > MAX_PATH {
                let message = format!("a reference has at most {MAX_PATH} parts");
                return Err(Refusal::new(self.since(start), message));
            }
            if !self.continues() {
                break;
            }
        }
        build(TermKind::Ref(path), self.since(start))
    }

    /// `.name`, where keywords are names.
    fn field(&mut self) -> Parsed<Term> {
        self.advance();
        if self.token().space && !self.is(Kind::End) {
            let message = "unexpected whitespace token: expected identifier";
            return Err(Refusal::new(self.here(), message));
        }
        if !matches!(self.kind(), Kind::Name | Kind::Word(_)) {
            return Err(self.unexpected_or("expected identifier"));
        }
        let name = self.name(self.text());
        Ok(self.scalar(TermKind::String(name)))
    }

    /// `(a, b)` after a function's reference.
    fn call(&mut self, operator: Vec<Term>, start: u32) -> Parsed<Term> {
        let operator_span = self.since(start);
        self.advance();
        let arguments = self.list(Kind::RightParenthesis, Vec::new())?;
        self.advance();
        let call = Call {
            operator,
            operator_span,
            arguments,
        };
        let kind = if call.is("set") && call.arguments.is_empty() {
            TermKind::Set(Vec::new())
        } else {
            TermKind::Call(call)
        };
        build(kind, self.since(start))
    }

    /// Members up to a closing bracket, which becomes the current token.
    pub(super) fn list(&mut self, end: Kind, mut members: Vec<Term>) -> Parsed<Vec<Term>> {
        while !self.is(end) {
            members.push(self.listed_operation()?);
            if !self.is(end) && !self.eat(Kind::Comma) {
                return Err(self.unexpected_or(&format!("expected \",\" or {:?}", end.name())));
            }
        }
        Ok(members)
    }
}

/// A term that nothing continues: `input` and `data` are references of one term.
pub(super) fn alone(term: Term) -> Term {
    match &term.kind {
        TermKind::Var(name) if matches!(&**name, "input" | "data") => {
            let span = term.span;
            Term::new(TermKind::Ref(vec![term]), span)
        }
        _ => term,
    }
}

/// OPA's name of a kind of terms.
pub(super) fn kind_name(kind: &TermKind) -> &'static str {
    match kind {
        TermKind::Null => "null",
        TermKind::Bool(_) => "boolean",
        TermKind::Number(_) => "number",
        TermKind::String(_) => "string",
        TermKind::Template(_) => "templatestring",
        TermKind::Var(_) => "var",
        TermKind::Ref(_) => "ref",
        TermKind::Array(_) => "array",
        TermKind::Object(_) => "object",
        TermKind::Set(_) => "set",
        TermKind::ArrayComprehension { .. } => "arraycomprehension",
        TermKind::SetComprehension { .. } => "setcomprehension",
        TermKind::ObjectComprehension { .. } => "objectcomprehension",
        TermKind::Call(_) => "call",
    }
}

/// A term of this kind can have a path.
fn can_head(kind: &TermKind) -> bool {
    !matches!(
        kind,
        TermKind::Null
            | TermKind::Bool(_)
            | TermKind::Number(_)
            | TermKind::String(_)
            | TermKind::Template(_)
            | TermKind::Ref(_)
    )
}
