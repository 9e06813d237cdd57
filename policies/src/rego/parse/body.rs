//! Bodies and their conditions: `some`, `every`, `not`, `with`, and plain expressions.

use super::super::ast::{Body, Call, Expr, ExprKind, Term, TermKind, With};
use super::super::lex::{Kind, Word};
use super::cursor::{Parsed, Parser, Refusal};
use super::logic::{Operand, modified_operand};

/// A negation's place, and whether there is one.
pub(super) type Negation = Option<u32>;

impl Parser<'_> {
    /// Conditions up to a closing bracket, which becomes the current token.
    pub(super) fn body(&mut self, end: Kind) -> Parsed<Body> {
        self.deeper(|parser| parser.conditions(end).map(Body::new))
    }

    fn conditions(&mut self, end: Kind) -> Parsed<Vec<Expr>> {
        if self.is(end) {
            return Err(Refusal::new(self.here(), "found empty body"));
        }
        let mut exprs = Vec::new();
        loop {
            exprs.push(self.literal()?);
            if self.eat(Kind::Semicolon) {
                continue;
            }
            if self.is(end) {
                return Ok(exprs);
            }
            if !self.token().newline {
                return Err(self.unexpected_after_condition(end));
            }
        }
    }

    /// `{ conditions }`, and past it.
    pub(super) fn braced_body(&mut self) -> Parsed<Body> {
        self.advance();
        let body = self.body(Kind::RightBrace)?;
        self.advance();
        Ok(body)
    }

    /// One condition of a body.
    pub(super) fn literal(&mut self) -> Parsed<Expr> {
        if self.has_logic() {
            // Braces and parentheses are read as bodies first; what they hold is kept.
            self.remembering_expr(Self::fresh_literal)
        } else {
            self.fresh_literal()
        }
    }

    fn fresh_literal(&mut self) -> Parsed<Expr> {
        let start = self.start();
        if self.has_logic() {
            if let Some(expr) = self.leading_braces()? {
                return Ok(expr);
            }
            if self.is(Kind::LeftParenthesis)
                && let Some(group) = self.group(false, "")?
            {
                return self.joined(group, start);
            }
        }
        if self.take_keyword_reference() {
            return self.plain_literal(start, None);
        }
        let negation = self.is_word(Word::Not).then_some(start);
        if negation.is_some() {
            self.advance();
            if self.not_bodies && self.is(Kind::LeftBrace) {
                let not = self.not_body(start)?;
                return self.joined(not, start);
            }
        }
        match self.kind() {
            Kind::Word(word @ (Word::Some | Word::Every)) if negation.is_some() => {
                Err(self.unexpected_or(&format!("illegal negation of '{}'", word.text())))
            }
            Kind::Word(Word::Some) => self.some(),
            Kind::Word(Word::Every) => self.every(),
            _ => self.plain_literal(start, negation),
        }
    }

    /// An expression with its negation and modifiers, and the `and` and `or` that follow it.
    fn plain_literal(&mut self, start: u32, negation: Negation) -> Parsed<Expr> {
        let not_body = negation.is_some() && self.not_bodies;
        if not_body
            && self.is(Kind::LeftParenthesis)
            && let Some(group) = self.group(true, "not ")?
        {
            let not = self.not(group.body, group.braces, start)?;
            return self.joined(not, start);
        }
        let brace = self.is(Kind::LeftBrace).then(|| self.here());
        let kind = self.expr()?;
        let inner = self.since(start);
        let with = self.is_word(Word::With).then(|| self.here());
        let modifiers = self.modifiers()?;
        let span = self.since(start);
        let (kind, negated) = if not_body {
            let body = Body::new(vec![expr_of(kind, false, Vec::new(), inner)?]);
            (
                ExprKind::Not {
                    body,
                    braces: false,
                },
                false,
            )
        } else {
            (kind, negation.is_some())
        };
        let expr = expr_of(kind, negated, modifiers, span)?;
        let Kind::Word(word @ (Word::And | Word::Or)) = self.kind() else {
            return Ok(expr);
        };
        if let Some(with) = with {
            return Err(modified_operand(with, word));
        }
        if let Some(brace) = brace.filter(|_| negation.is_none()) {
            return Err(match &expr.kind {
                ExprKind::Term(term) if is_empty_object(term) => {
                    Refusal::new(brace, "found empty body")
                }
                _ => self.value_in_braces(span, word),
            });
        }
        self.joined(
            Operand {
                body: Body::new(vec![expr]),
                braces: false,
                span,
            },
            start,
        )
    }

    /// `with target as value …`, if that is what follows.
    pub(super) fn modifiers(&mut self) -> Parsed<Vec<With>> {
        let mut modifiers = Vec::new();
        while self.is_word(Word::With) {
            let start = self.start();
            self.advance();
            if !self.is(Kind::Name) {
                return Err(self.unexpected_or("expected ident"));
            }
            let target = self.term()?;
            if !matches!(target.kind, TermKind::Ref(_) | TermKind::Var(_)) {
                return Err(self.unexpected_or("expected with target path"));
            }
            self.expect_word(Word::As)?;
            let value = self.operation()?;
            modifiers.push(With {
                target,
                value,
                span: self.since(start),
            });
        }
        Ok(modifiers)
    }

    /// `some x in xs`, `some x, y`
    fn some(&mut self) -> Parsed<Expr> {
        let start = self.start();
        let place = self.place();
        self.advance();
        let membership = self.operation();
        if let Ok(TermKind::Call(call)) = membership.as_ref().map(|term| &term.kind) {
            let Some((key, value, domain)) = self.member_of(call)? else {
                return Err(self.unexpected_or("expected `x in xs` or `x, y in xs` expression"));
            };
            let modifiers = self.modifiers()?;
            let kind = ExprKind::SomeIn { key, value, domain };
            return expr_of(kind, false, modifiers, self.since(start));
        }
        self.return_to(place);
        let mut variables = Vec::new();
        loop {
            self.advance();
            self.expect_variable()?;
            variables.push(self.variable());
            if !self.is(Kind::Comma) {
                break;
            }
        }
        // What is wrong with `some x in [` is not the `in`.
        match membership {
            Err(refusal) if self.is_word(Word::In) && !self.token().newline => Err(refusal),
            _ => expr_of(
                ExprKind::SomeDeclaration(variables),
                false,
                Vec::new(),
                self.since(start),
            ),
        }
    }

    /// `every x in xs { … }`
    fn every(&mut self) -> Parsed<Expr> {
        let start = self.start();
        self.advance();
        let membership = self.operation()?;
        let expected = "expected `x[, y] in xs { ... }` expression";
        let TermKind::Call(call) = &membership.kind else {
            return Err(self.unexpected_or(expected));
        };
        let Some((key, value, domain)) = self.member_of(call)? else {
            return Err(self.unexpected_or(expected));
        };
        let is_variable = |term: &Term| matches!(term.kind, TermKind::Var(_));
        if key.as_ref().is_some_and(|key| !is_variable(key)) {
            return Err(self.unexpected_or("expected key to be a variable"));
        }
        if !is_variable(&value) {
            return Err(self.unexpected_or("expected value to be a variable"));
        }
        if !self.is(Kind::LeftBrace) {
            return Err(self.unexpected_or("missing body"));
        }
        let body = self.braced_body()?;
        let modifiers = self.modifiers()?;
        let kind = ExprKind::Every {
            key,
            value,
            domain,
            body,
        };
        expr_of(kind, false, modifiers, self.since(start))
    }

    /// Key, value and collection of a call of `in`'s builtins.
    fn member_of(&self, call: &Call) -> Parsed<Option<(Option<Term>, Term, Term)>> {
        let illegal = || Err(self.unexpected_or("illegal domain"));
        match (call.name().as_deref(), &call.arguments[..]) {
            (Some("internal.member_2"), [value, domain]) => {
                Ok(Some((None, value.clone(), domain.clone())))
            }
            (Some("internal.member_3"), [key, value, domain]) => {
                Ok(Some((Some(key.clone()), value.clone(), domain.clone())))
            }
            (Some("internal.member_2" | "internal.member_3"), _) => illegal(),
            _ => Ok(None),
        }
    }

    /// What follows a condition on its line, with the import that would make sense of it.
    fn unexpected_after_condition(&self, end: Kind) -> super::cursor::Refusal {
        let refusal = self.unexpected_or(&format!("expected \\n or ; or {}", end.name()));
        let (word, example) = match (self.kind(), self.text()) {
            (Kind::Name, "in") => ("in", "x in xs"),
            (Kind::Name, "and") => ("and", "x and y"),
            (Kind::Name, "or") => ("or", "x or y"),
            (Kind::Name, _) if self.text_before() == "every" => ("every", "every x in xs { ... }"),
            _ => return refusal,
        };
        refusal.with_remedy(format!(
            "`import future.keywords.{word}` for `{example}` expressions"
        ))
    }
}

pub(super) fn is_empty_object(term: &Term) -> bool {
    matches!(&term.kind, TermKind::Object(pairs) if pairs.is_empty())
}

/// An expression, unless it is too high.
pub(super) fn expr_of(
    kind: ExprKind,
    negated: bool,
    modifiers: Vec<With>,
    span: super::Span,
) -> Parsed<Expr> {
    let expr = Expr::with(kind, negated, modifiers, span);
    if expr.height() > super::super::ast::MAX_HEIGHT {
        return Err(Refusal::too_deep(span));
    }
    Ok(expr)
}
