//! Infix operators, which are calls of their builtins.
//!
//! ```text
//! x in xs      k, v in xs
//! == != < <= > >=
//! |
//! &
//! + -
//! * / %            binds tightest
//! ```
//!
//! All of them group from the left.

use super::super::ast::{Call, ExprKind, Term, TermKind};
use super::super::lex::{Kind, Word};
use super::super::source::Span;
use super::cursor::{Parsed, Parser, build};

/// How tight an operator binds, and its builtin.
fn operator(kind: Kind) -> Option<(u8, &'static str)> {
    Some(match kind {
        Kind::Equal => (0, "equal"),
        Kind::NotEqual => (0, "neq"),
        Kind::Less => (0, "lt"),
        Kind::LessOrEqual => (0, "lte"),
        Kind::Greater => (0, "gt"),
        Kind::GreaterOrEqual => (0, "gte"),
        Kind::Union => (1, "or"),
        Kind::Intersection => (2, "and"),
        Kind::Plus => (3, "plus"),
        Kind::Minus => (3, "minus"),
        Kind::Times => (4, "mul"),
        Kind::Divide => (4, "div"),
        Kind::Remainder => (4, "rem"),
        _ => return None,
    })
}

impl Parser<'_> {
    /// `term`, `term := term`, `term = term`; a call is an expression of its own.
    pub(super) fn expr(&mut self) -> Parsed<ExprKind> {
        let left = self.operation()?;
        let name = match self.kind() {
            Kind::Assign => "assign",
            Kind::Unify => "eq",
            _ => {
                return Ok(match &left.kind {
                    TermKind::Call(call) => ExprKind::Call(call.clone()),
                    _ => ExprKind::Term(left),
                });
            }
        };
        let span = self.here();
        self.advance();
        let right = self.operation()?;
        Ok(ExprKind::Call(self.call_of(name, span, vec![left, right])))
    }

    /// A term with operators, where a comma can only be that of `k, v in xs`.
    pub(super) fn operation(&mut self) -> Parsed<Term> {
        self.membership(true)
    }

    /// A term with operators as a member of a list, where a comma ends it.
    pub(super) fn listed_operation(&mut self) -> Parsed<Term> {
        self.membership(false)
    }

    fn membership(&mut self, pairs: bool) -> Parsed<Term> {
        let mut term = self.binary(0)?;
        let comma = self.place();
        let pair = if pairs && self.is(Kind::Comma) {
            self.pair_membership(&term)
        } else {
            Ok(None)
        };
        if let Ok(Some(call)) = pair {
            term = call;
        } else {
            self.return_to(comma);
            // `in.y` in the next line is a reference, and no operator.
            self.take_keyword_reference();
        }
        while self.is_word(Word::In) && !self.is_keyword_reference() {
            let span = self.here();
            self.advance();
            let domain = self.binary(0)?;
            term = self.operated("internal.member_2", span, vec![term, domain])?;
        }
        Ok(term)
    }

    /// `, v in xs`, if that is what follows.
    fn pair_membership(&mut self, key: &Term) -> Parsed<Option<Term>> {
        self.advance();
        let value = self.binary(0)?;
        if !self.is_word(Word::In) {
            return Ok(None);
        }
        let span = self.here();
        self.advance();
        let domain = self.binary(0)?;
        self.operated("internal.member_3", span, vec![key.clone(), value, domain])
            .map(Some)
    }

    /// Terms and operators that bind at least as tight as `level`.
    fn binary(&mut self, level: u8) -> Parsed<Term> {
        let mut left = self.term()?;
        while let Some((tightness, name)) = operator(self.kind())
            && tightness >= level
        {
            let span = self.here();
            self.advance();
            let right = self.binary(tightness + 1)?;
            left = self.operated(name, span, vec![left, right])?;
        }
        Ok(left)
    }

    fn operated(&mut self, name: &str, operator: Span, operands: Vec<Term>) -> Parsed<Term> {
        let first = operands
            .first()
            .map_or(operator.start, |operand| operand.span.start);
        let call = self.call_of(name, operator, operands);
        build(TermKind::Call(call), self.since(first))
    }

    /// A call of a builtin. Of a dotted name, the first part is a variable.
    pub(super) fn call_of(&mut self, name: &str, span: Span, arguments: Vec<Term>) -> Call {
        let operator = name.split('.').enumerate().map(|(at, part)| {
            let part = self.name(part);
            Term::new(
                if at == 0 {
                    TermKind::Var(part)
                } else {
                    TermKind::String(part)
                },
                span,
            )
        });
        Call {
            operator: operator.collect(),
            operator_span: span,
            arguments,
        }
    }
}
