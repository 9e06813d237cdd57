//! Arrays, sets, objects, and their comprehensions.
//!
//! `{a | b}` is a comprehension and `{a | b, c}` a set with a union: a body is tried first. A
//! leading comma, which OPA allows, rules a comprehension out.

use std::collections::HashSet;

use super::super::ast::{Term, TermKind};
use super::super::lex::Kind;
use super::cursor::{Parsed, Parser, Place, build};

impl Parser<'_> {
    /// `[a, b]`, `[a | body]`
    pub(super) fn array(&mut self) -> Parsed<Term> {
        let start = self.start();
        self.advance();
        let plain = self.eat(Kind::Comma);
        let kind = self.array_members(plain)?;
        self.advance();
        build(kind, self.since(start))
    }

    /// What is between the brackets; the closing one becomes the current token.
    fn array_members(&mut self, plain: bool) -> Parsed<TermKind> {
        if !plain && self.is(Kind::RightBracket) {
            return Ok(TermKind::Array(Vec::new()));
        }
        let first = self.place();
        let head = self.term()?;
        match self.kind() {
            Kind::RightBracket => return Ok(TermKind::Array(vec![head])),
            Kind::Comma => {
                self.advance();
                return self
                    .list(Kind::RightBracket, vec![head])
                    .map(TermKind::Array);
            }
            Kind::Union if !plain => {
                self.advance();
                match self.body(Kind::RightBracket) {
                    Ok(body) => return Ok(TermKind::ArrayComprehension { value: head, body }),
                    Err(refusal) if !self.is(Kind::Comma) => return Err(refusal),
                    Err(_) => {}
                }
            }
            _ => {}
        }
        self.return_to(first);
        self.list(Kind::RightBracket, Vec::new())
            .map(TermKind::Array)
    }

    /// `{a, b}`, `{a: b}`, `{a | body}`, `{a: b | body}`
    pub(super) fn set_or_object(&mut self) -> Parsed<Term> {
        let start = self.start();
        self.advance();
        let plain = self.eat(Kind::Comma);
        let kind = self.set_or_object_members(plain)?;
        self.advance();
        build(kind, self.since(start))
    }

    /// What is between the braces; the closing one becomes the current token.
    fn set_or_object_members(&mut self, plain: bool) -> Parsed<TermKind> {
        if !plain && self.is(Kind::RightBrace) {
            return Ok(TermKind::Object(Vec::new()));
        }
        let first = self.place();
        let head = self.term()?;
        match self.kind() {
            Kind::Union if !plain => return self.set_comprehension(first, head),
            Kind::RightBrace | Kind::Comma => return self.set_members(head),
            Kind::Colon => return self.object_members(head, plain),
            _ => self.return_to(first),
        }
        let head = self.listed_operation()?;
        match self.kind() {
            Kind::RightBrace | Kind::Comma => self.set_members(head),
            Kind::Colon => self.object_members(head, plain),
            _ => Err(self.unexpected_or("non-terminated set")),
        }
    }

    fn set_members(&mut self, head: Term) -> Parsed<TermKind> {
        self.eat(Kind::Comma);
        let members = self.list(Kind::RightBrace, vec![head])?;
        Ok(TermKind::Set(distinct(members)))
    }

    fn set_comprehension(&mut self, first: Place, head: Term) -> Parsed<TermKind> {
        self.advance();
        match self.body(Kind::RightBrace) {
            Ok(body) => return Ok(TermKind::SetComprehension { value: head, body }),
            Err(refusal) if !self.is(Kind::Comma) => return Err(refusal),
            Err(_) => self.return_to(first),
        }
        let members = self.list(Kind::RightBrace, Vec::new())?;
        Ok(TermKind::Set(distinct(members)))
    }

    /// What follows an object's first key; the colon is the current token.
    fn object_members(&mut self, key: Term, plain: bool) -> Parsed<TermKind> {
        self.advance();
        let first = self.place();
        let value = self.term()?;
        let mut refusal = None;
        if !plain {
            match self.kind() {
                Kind::RightBrace | Kind::Comma => return self.pairs(key, value),
                Kind::Union => {
                    self.advance();
                    match self.body(Kind::RightBrace) {
                        Ok(body) => return Ok(TermKind::ObjectComprehension { key, value, body }),
                        Err(body) => refusal = Some(body),
                    }
                }
                _ => {}
            }
        }
        self.return_to(first);
        let pairs = self.listed_operation().and_then(|value| match self.kind() {
            Kind::RightBrace | Kind::Comma => self.pairs(key, value),
            _ => Err(self.unexpected_or("non-terminated object")),
        });
        pairs.map_err(|pairs| match refusal {
            Some(body) => body.or_further(pairs),
            None => pairs,
        })
    }

    /// The pairs after the first one, up to the closing brace.
    fn pairs(&mut self, key: Term, value: Term) -> Parsed<TermKind> {
        let mut pairs = vec![(key, value)];
        self.eat(Kind::Comma);
        while !self.is(Kind::RightBrace) {
            let key = self.listed_operation()?;
            if !self.eat(Kind::Colon) {
                return Err(self.unexpected_or("expected \":\""));
            }
            pairs.push((key, self.listed_operation()?));
            if !self.is(Kind::RightBrace) && !self.eat(Kind::Comma) {
                return Err(self.unexpected_or("expected \",\" or \"}\""));
            }
        }
        Ok(TermKind::Object(pairs))
    }
}

/// The members without those that were there before.
fn distinct(members: Vec<Term>) -> Vec<Term> {
    let mut known = HashSet::with_capacity(members.len());
    members
        .into_iter()
        .filter(|member| known.insert(member.clone()))
        .collect()
}
