//! Which variables a term or a condition mentions.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use crate::rego::core::{
    Body, Comprehension, Expr, ExprKind, Operand, Replacement, Root, Term, TermKind, Var,
};
use crate::rego::source::Span;

use super::outputs::bindings;

/// A set of variables of one definition. Copies share what they do not change: each body within a
/// body begins with a copy.
#[derive(Clone, Debug, Default)]
pub struct VarSet {
    pieces: Vec<Rc<Piece>>,
}

/// Words of one piece: what a definition of ordinary size has in all.
const WORDS: usize = 16;

type Piece = [u64; WORDS];

impl VarSet {
    /// Whether a variable is in the set.
    pub fn contains(&self, var: Var) -> bool {
        let (piece, word, bit) = place(var);
        let piece = self.pieces.get(piece);
        piece.is_some_and(|piece| piece[word] & bit != 0)
    }

    /// Adds a variable.
    pub fn insert(&mut self, var: Var) {
        let (piece, word, bit) = place(var);
        if self.pieces.len() <= piece {
            self.pieces.resize_with(piece + 1, Rc::default);
        }
        if self.pieces[piece][word] & bit == 0 {
            Rc::make_mut(&mut self.pieces[piece])[word] |= bit;
        }
    }

    /// Takes a variable out.
    pub fn remove(&mut self, var: Var) {
        let (piece, word, bit) = place(var);
        if let Some(piece) = self.pieces.get_mut(piece) {
            Rc::make_mut(piece)[word] &= !bit;
        }
    }
}

/// The piece, the word in it, and the bit of a variable.
fn place(var: Var) -> (usize, usize, u64) {
    let word = var.index() / 64;
    (word / WORDS, word % WORDS, 1 << (var.index() % 64))
}

/// The variables of a term, without those of comprehensions.
pub fn term(term: &Term, visit: &mut impl FnMut(Var)) {
    match &term.kind {
        TermKind::Constant(_) | TermKind::Comprehension(_) => {}
        TermKind::Var(var) => visit(*var),
        TermKind::Ref(reference) => {
            if let Root::Var(var) = reference.root {
                visit(var);
            }
            reference
                .path
                .iter()
                .for_each(|part| self::term(part, visit));
        }
        TermKind::Array(terms) | TermKind::Set(terms) => {
            terms.iter().for_each(|term| self::term(term, visit));
        }
        TermKind::Object(pairs) => pairs.iter().for_each(|(key, value)| {
            self::term(key, visit);
            self::term(value, visit);
        }),
    }
}

/// The variables that a pattern can bind: not in keys, sets or comprehensions, nor the heads of
/// references.
pub(super) fn pattern(term: &Term, visit: &mut impl FnMut(Var)) {
    match &term.kind {
        TermKind::Constant(_) | TermKind::Comprehension(_) | TermKind::Set(_) => {}
        TermKind::Var(var) => visit(*var),
        TermKind::Ref(reference) => {
            reference.path.iter().for_each(|part| pattern(part, visit));
        }
        TermKind::Array(terms) => terms.iter().for_each(|term| pattern(term, visit)),
        TermKind::Object(pairs) => pairs.iter().for_each(|(_, value)| pattern(value, visit)),
    }
}

/// Every variable of a term with its place, those of comprehensions' heads and bodies too.
pub(super) fn every_var(term: &Term, visit: &mut impl FnMut(Var, Span)) {
    match &term.kind {
        TermKind::Var(var) => visit(*var, term.span),
        _ => all(term, &mut |var| visit(var, term.span)),
    }
}

/// Every variable of a term, those of comprehensions too.
pub fn all(term: &Term, visit: &mut dyn FnMut(Var)) {
    match &term.kind {
        TermKind::Constant(_) => {}
        TermKind::Var(var) => visit(*var),
        TermKind::Ref(reference) => {
            if let Root::Var(var) = reference.root {
                visit(var);
            }
            reference.path.iter().for_each(|part| all(part, visit));
        }
        TermKind::Array(terms) | TermKind::Set(terms) => {
            terms.iter().for_each(|term| all(term, visit));
        }
        TermKind::Object(pairs) => pairs.iter().for_each(|(key, value)| {
            all(key, visit);
            all(value, visit);
        }),
        TermKind::Comprehension(comprehension) => all_in_comprehension(comprehension, visit),
    }
}

/// Every variable of a body.
pub fn all_in_body(body: &Body, visit: &mut dyn FnMut(Var)) {
    for expr in body {
        all_in_expr(expr, visit);
    }
}

/// Every variable of a condition.
pub fn all_in_expr(expr: &Expr, visit: &mut dyn FnMut(Var)) {
    terms(expr, &mut |term| all(term, visit));
    match &expr.kind {
        ExprKind::Every(every) => {
            every.key.iter().for_each(|&key| visit(key));
            visit(every.value);
            all_in_body(&every.body, visit);
        }
        ExprKind::Not(operand) => all_in_body(&operand.body, visit),
        ExprKind::And(left, right) | ExprKind::Or(left, right) => {
            all_in_body(&left.body, visit);
            all_in_body(&right.body, visit);
        }
        ExprKind::Term(_) | ExprKind::Unify { .. } | ExprKind::Call(_) => {}
    }
}

/// The terms of a condition itself, not those of bodies within it; with its modifiers' values.
pub fn terms_of(expr: &Expr) -> Vec<&Term> {
    let mut terms = match &expr.kind {
        ExprKind::Term(term) => vec![term],
        ExprKind::Unify { left, right, .. } => vec![left, right],
        ExprKind::Call(call) => call.arguments.iter().chain(&call.output).collect(),
        ExprKind::Every(every) => vec![&every.domain],
        ExprKind::Not(_) | ExprKind::And(..) | ExprKind::Or(..) => Vec::new(),
    };
    for with in expr.with.iter().flat_map(|with| with.iter()) {
        if let Replacement::Term(term) = &with.value {
            terms.push(term);
        }
    }
    terms
}

/// Calls `visit` for [`terms_of`] a condition.
pub fn terms(expr: &Expr, visit: &mut dyn FnMut(&Term)) {
    terms_of(expr).into_iter().for_each(visit);
}

/// The variables of a condition that are not inside of bodies within it.
pub fn outside_closures(expr: &Expr, visit: &mut impl FnMut(Var)) {
    terms(expr, &mut |term| self::term(term, visit));
}

/// The variables that a condition shares with those beside it: its own, and those of an operand
/// without braces that the operand does not bind itself.
pub(super) fn visible(expr: &Expr, visit: &mut impl FnMut(Var)) {
    outside_closures(expr, visit);
    let mut operand = |operand: &Operand| {
        if !operand.braces {
            open(&operand.body).into_iter().for_each(&mut *visit);
        }
    };
    match &expr.kind {
        ExprKind::Not(body) => operand(body),
        ExprKind::And(left, right) | ExprKind::Or(left, right) => {
            operand(left);
            operand(right);
        }
        _ => {}
    }
}

/// The variables of an operand without braces that it leaves to the body around it: those that it
/// does not bind, and those that only one of its conditions mentions.
fn open(body: &Body) -> Vec<Var> {
    let mut found: Vec<(Var, usize)> = Vec::new();
    let mut places: HashMap<Var, usize> = HashMap::new();
    for expr in body {
        let mut here = HashSet::new();
        outside_closures(expr, &mut |var| {
            if !here.insert(var) {
                return;
            }
            if let Some(&place) = places.get(&var) {
                found[place].1 += 1;
            } else {
                places.insert(var, found.len());
                found.push((var, 1));
            }
        });
    }
    if body.len() > 1 {
        let bound = bindings(body, &found);
        found.retain(|(var, count)| !bound.contains(*var) || *count == 1);
    }
    found.into_iter().map(|(var, _)| var).collect()
}

/// The variables inside of the bodies within a condition.
pub(super) fn closures(expr: &Expr, visit: &mut dyn FnMut(Var)) {
    terms(expr, &mut |term| {
        comprehensions(term, &mut |found| all_in_comprehension(found, visit));
    });
    match &expr.kind {
        ExprKind::Every(every) => all_in_body(&every.body, visit),
        ExprKind::Not(operand) => all_in_body(&operand.body, visit),
        ExprKind::And(left, right) | ExprKind::Or(left, right) => {
            all_in_body(&left.body, visit);
            all_in_body(&right.body, visit);
        }
        ExprKind::Term(_) | ExprKind::Unify { .. } | ExprKind::Call(_) => {}
    }
}

/// The comprehensions of a term, without those within them.
pub fn comprehensions<'t>(term: &'t Term, visit: &mut dyn FnMut(&'t Comprehension)) {
    match &term.kind {
        TermKind::Constant(_) | TermKind::Var(_) => {}
        TermKind::Ref(reference) => {
            reference
                .path
                .iter()
                .for_each(|part| comprehensions(part, visit));
        }
        TermKind::Array(terms) | TermKind::Set(terms) => {
            terms.iter().for_each(|term| comprehensions(term, visit));
        }
        TermKind::Object(pairs) => pairs.iter().for_each(|(key, value)| {
            comprehensions(key, visit);
            comprehensions(value, visit);
        }),
        TermKind::Comprehension(comprehension) => visit(comprehension),
    }
}

/// Every variable of a comprehension.
fn all_in_comprehension(comprehension: &Comprehension, visit: &mut dyn FnMut(Var)) {
    comprehension.head.terms().for_each(|term| all(term, visit));
    all_in_body(&comprehension.body, visit);
}
