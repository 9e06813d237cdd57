//! `and`, `or`, and `not` with bodies, as their imports from `future.keywords` bring them.
//!
//! ```text
//! or       left to right
//! and      left to right, binds tighter
//! operand  `{ body }`, `(a or b)`, `not …`, or an expression without `with`
//! ```
//!
//! Braces that begin an operand hold a body, never a value. Parentheses hold a group if there is
//! `and`, `or`, `not` or `with` in them, and a term otherwise.

use super::super::ast::{Body, Expr, ExprKind, Logical};
use super::super::lex::{Kind, Word};
use super::super::source::Span;
use super::cursor::{Parsed, Parser, Refusal};

/// One side of `and` and `or`, or what `not` negates.
pub(super) struct Operand {
    pub(super) body: Body,
    /// It is written in braces.
    pub(super) braces: bool,
    pub(super) span: Span,
}

/// Builtins that have no value, so that they can neither hold nor fail.
const VOID: [&str; 3] = ["print", "internal.print", "internal.test_case"];

use super::body::expr_of;

impl Parser<'_> {
    /// `and` or `or` is a keyword.
    pub(super) fn has_logic(&self) -> bool {
        self.keywords.contain(Word::And) || self.keywords.contain(Word::Or)
    }

    fn at_logic(&self) -> bool {
        matches!(self.kind(), Kind::Word(Word::And | Word::Or))
    }

    /// `{ body } and …` at the beginning of a condition; `None` if the braces are a term.
    pub(super) fn leading_braces(&mut self) -> Parsed<Option<Expr>> {
        if !self.is(Kind::LeftBrace) {
            return Ok(None);
        }
        let place = self.place();
        let start = self.start();
        if let Ok(body) = self.braced_body()
            && self.at_logic()
        {
            let operand = Operand {
                body,
                braces: true,
                span: self.since(start),
            };
            self.refuse_union(&operand, "")?;
            return self.joined(operand, start).map(Some);
        }
        self.return_to(place);
        Ok(None)
    }

    /// An operand with the `and`, `or` and `with` that follow it, as one condition.
    pub(super) fn joined(&mut self, first: Operand, start: u32) -> Parsed<Expr> {
        let expr = if self.at_logic() {
            self.any(first)?
        } else {
            only(&first.body)
        };
        self.modified(&expr, start)
    }

    /// A condition with the `with` that follows it.
    fn modified(&mut self, expr: &Expr, start: u32) -> Parsed<Expr> {
        let modifiers = self.modifiers()?;
        let modifiers = if modifiers.is_empty() {
            expr.modifiers.clone()
        } else {
            modifiers
        };
        expr_of(
            expr.kind.clone(),
            expr.negated,
            modifiers,
            self.since(start),
        )
    }

    /// `first or second or …`
    fn any(&mut self, first: Operand) -> Parsed<Expr> {
        let mut left = self.all(first)?;
        while self.is_word(Word::Or) {
            self.advance();
            let right = self.operand(Some(Word::Or))?;
            let right = self.all(right)?;
            left = self.combined(left, right, Word::Or)?;
        }
        Ok(only(&left.body))
    }

    /// `first and second and …`
    fn all(&mut self, first: Operand) -> Parsed<Operand> {
        let mut left = first;
        while self.is_word(Word::And) {
            self.advance();
            let right = self.operand(Some(Word::And))?;
            left = self.combined(left, right, Word::And)?;
        }
        Ok(left)
    }

    fn combined(&mut self, left: Operand, right: Operand, word: Word) -> Parsed<Operand> {
        for side in [&left, &right] {
            if let Some(name) = void_call(&side.body) {
                let text = word.text();
                let message =
                    format!("operand of `{text}` cannot consist only of calls to `{name}`");
                let remedy = format!(
                    "`{name}` has no value and always succeeds: move it out of the operand, or add an expression that can fail"
                );
                return Err(Refusal::new_with_remedy(side.span, message, remedy));
            }
        }
        let span = self.since(left.span.start);
        let sides = Logical {
            left: left.body,
            right: right.body,
            left_braces: left.braces,
            right_braces: right.braces,
        };
        let kind = if word == Word::And {
            ExprKind::And(sides)
        } else {
            ExprKind::Or(sides)
        };
        let expr = expr_of(kind, false, Vec::new(), span)?;
        Ok(Operand {
            body: Body::new(vec![expr]),
            braces: false,
            span,
        })
    }

    /// One operand. `word` is the operator that it belongs to; without one, this is a guess.
    fn operand(&mut self, word: Option<Word>) -> Parsed<Operand> {
        let start = self.start();
        if self.is(Kind::LeftBrace) {
            return self.braced_operand(word);
        }
        let negated = self.is_word(Word::Not) && !self.is_keyword_reference();
        if negated {
            self.advance();
            if self.not_bodies && self.is(Kind::LeftBrace) {
                return self.not_body(start);
            }
        }
        if self.is(Kind::LeftParenthesis) && self.has_logic() && (!negated || self.not_bodies) {
            let prefix = if negated { "not " } else { "" };
            if let Some(group) = self.group(true, prefix)? {
                return if negated {
                    self.not(group.body, group.braces, start)
                } else {
                    Ok(group)
                };
            }
        }
        let kind = self.expr()?;
        let span = self.since(start);
        if negated && self.not_bodies {
            let body = Body::new(vec![expr_of(kind, false, Vec::new(), span)?]);
            return self.not(body, false, start);
        }
        let expr = expr_of(kind, negated, Vec::new(), span)?;
        Ok(Operand {
            body: Body::new(vec![expr]),
            braces: false,
            span,
        })
    }

    fn braced_operand(&mut self, word: Option<Word>) -> Parsed<Operand> {
        let place = self.place();
        let start = self.start();
        match self.braced_body() {
            Ok(body) => {
                let operand = Operand {
                    body,
                    braces: true,
                    span: self.since(start),
                };
                if word.is_some() {
                    self.refuse_union(&operand, "")?;
                }
                Ok(operand)
            }
            Err(refusal) => {
                let Some(word) = word else {
                    return Err(refusal);
                };
                self.return_to(place);
                match self.operation() {
                    Ok(term) if !super::body::is_empty_object(&term) => {
                        Err(self.value_in_braces(term.span, word))
                    }
                    _ => Err(refusal),
                }
            }
        }
    }

    /// What follows `not`, where it is a body in braces.
    pub(super) fn not_body(&mut self, start: u32) -> Parsed<Operand> {
        let place = self.place();
        let open = self.start();
        match self.braced_body() {
            Ok(body) => {
                let operand = Operand {
                    body,
                    braces: true,
                    span: self.since(open),
                };
                self.refuse_union(&operand, "not ")?;
                self.not(operand.body, true, start)
            }
            Err(refusal) => {
                self.return_to(place);
                match self.operation() {
                    Ok(term) if !super::body::is_empty_object(&term) => {
                        let text = self.slice(self.since(open));
                        Err(Refusal::new_with_remedy(
                            term.span,
                            "`{...}` in an operand position must contain expression(s)",
                            format!(
                                "write `not ({text})` to negate the value, or `not {{{text}}}` for a body holding it"
                            ),
                        ))
                    }
                    _ => Err(refusal),
                }
            }
        }
    }

    /// The negation of a body; it begins at `start`.
    pub(super) fn not(&mut self, body: Body, braces: bool, start: u32) -> Parsed<Operand> {
        let span = self.since(start);
        let not = expr_of(ExprKind::Not { body, braces }, false, Vec::new(), span)?;
        Ok(Operand {
            body: Body::new(vec![not]),
            braces: false,
            span,
        })
    }

    /// Parentheses around operands; `None` if they are a term's. `operand` says whether they are
    /// an operand of `and`, `or` or `not` already.
    pub(super) fn group(&mut self, operand: bool, prefix: &str) -> Parsed<Option<Operand>> {
        self.deeper(|parser| parser.group_or_term(operand, prefix))
    }

    fn group_or_term(&mut self, operand: bool, prefix: &str) -> Parsed<Option<Operand>> {
        let place = self.place();
        let open = self.here();
        self.advance();
        if self.is(Kind::RightParenthesis) && operand {
            return Err(Refusal::new(open, "empty parenthesized group"));
        }
        let Ok(mut first) = self.operand(None) else {
            self.return_to(place);
            return Ok(None);
        };
        let is_group = if self.at_logic() {
            self.refuse_union_if(first.braces, &first)?;
            let start = first.span.start;
            first = self.joined_operand(first, start)?;
            self.close_group()?;
            true
        } else if self.is_word(Word::With) && !first.braces && first.body.len() == 1 {
            let with = self.here();
            let start = first.span.start;
            first = self.joined_operand(first, start)?;
            if let Kind::Word(word @ (Word::And | Word::Or)) = self.kind() {
                return Err(modified_operand(with, word));
            }
            self.close_group()?;
            operand || self.at_logic()
        } else if first.braces {
            let close = self.since(first.span.start);
            self.return_to(place);
            self.advance();
            if self.term().is_err() {
                let braces = self.slice(close);
                return Err(Refusal::new_with_remedy(
                    open,
                    "`(...)` in an operand position cannot contain a body",
                    format!("drop the parens to keep the body: `{prefix}{braces}`"),
                ));
            }
            false
        } else if is_group(&first.body) {
            self.close_group()?;
            true
        } else {
            false
        };
        if !is_group {
            self.return_to(place);
            return Ok(None);
        }
        Ok(Some(Operand {
            span: self.since(open.start),
            ..first
        }))
    }

    fn joined_operand(&mut self, first: Operand, start: u32) -> Parsed<Operand> {
        let expr = self.joined(first, start)?;
        let span = expr.span;
        Ok(Operand {
            body: Body::new(vec![expr]),
            braces: false,
            span,
        })
    }

    fn close_group(&mut self) -> Parsed<()> {
        if self.eat(Kind::RightParenthesis) {
            return Ok(());
        }
        Err(Refusal::new(
            self.here(),
            "expected ) to close parenthesized group",
        ))
    }

    // ── Refusals

    /// `{a | b}` as an operand reads as a body with a union, and looks like a comprehension.
    fn refuse_union(&self, operand: &Operand, prefix: &str) -> Parsed<()> {
        let Some(first) = operand.body.first() else {
            return Ok(());
        };
        let ExprKind::Call(call) = &first.kind else {
            return Ok(());
        };
        let is_union = call.is("or") && self.slice(call.operator_span) == "|";
        if !is_union || self.slice(first.span).starts_with('(') {
            return Ok(());
        }
        let braces = self.slice(operand.span);
        Err(Refusal::new_with_remedy(
            operand.span,
            "ambiguous `{ ... | ... }` operand: read as a body holding a set-union expression, not as a comprehension",
            format!(
                "write `{prefix}({braces})` for the comprehension, or put the union in parentheses"
            ),
        ))
    }

    fn refuse_union_if(&self, braces: bool, operand: &Operand) -> Parsed<()> {
        if braces {
            self.refuse_union(operand, "")
        } else {
            Ok(())
        }
    }

    /// `{1} and x`: braces that begin an operand hold a body.
    pub(super) fn value_in_braces(&self, operand: Span, word: Word) -> Refusal {
        let text = word.text();
        Refusal::new_with_remedy(
            operand,
            format!("operand of `{text}` cannot begin with `{{` unless the braces hold a body"),
            format!(
                "wrap the operand to keep the value: `({}) {text} ...`",
                self.slice(operand)
            ),
        )
    }
}

/// `a with input as x and b` could mean either.
pub(super) fn modified_operand(with: Span, word: Word) -> Refusal {
    let text = word.text();
    Refusal::new_with_remedy(
        with,
        format!("`with` modifier is not allowed on operand of `{text}`"),
        format!(
            "wrap the operand in `(...)` or `{{...}}` to scope, or move `with` after the `{text}` expression to apply it to the whole expression"
        ),
    )
}

/// The only condition of a body that has one.
fn only(body: &Body) -> Expr {
    body.first()
        .expect("an operand without braces is one condition")
        .clone()
}

/// A body in parentheses is a group: `and`, `or`, or a negation.
fn is_group(body: &Body) -> bool {
    let [expr] = &body[..] else { return false };
    expr.negated
        || matches!(
            expr.kind,
            ExprKind::And(_) | ExprKind::Or(_) | ExprKind::Not { .. }
        )
}

/// The builtin without a value that a body does nothing but call.
fn void_call(body: &Body) -> Option<&'static str> {
    let mut names = body.iter().map(|expr| {
        let ExprKind::Call(call) = &expr.kind else {
            return None;
        };
        let name = call.name().filter(|_| !expr.negated)?;
        VOID.into_iter().find(|void| *void == name)
    });
    let first = names.next()??;
    names.all(|name| name.is_some()).then_some(first)
}
