//! Walks over all conditions of a body or a term.

use super::{Body, Expr, ExprKind, Term, TermKind};

/// Calls `visit` for every condition of a body, and of the bodies within.
pub fn walk_body(body: &Body, visit: &mut dyn FnMut(&Expr)) {
    for expr in body {
        visit(expr);
        match &expr.kind {
            ExprKind::Term(term) => walk_term(term, visit),
            ExprKind::Unify { left, right, .. } => {
                walk_term(left, visit);
                walk_term(right, visit);
            }
            ExprKind::Call(call) => {
                for term in call.arguments.iter().chain(&call.output) {
                    walk_term(term, visit);
                }
            }
            ExprKind::Every(every) => {
                walk_term(&every.domain, visit);
                walk_body(&every.body, visit);
            }
            ExprKind::Not(operand) => walk_body(&operand.body, visit),
            ExprKind::And(left, right) | ExprKind::Or(left, right) => {
                walk_body(&left.body, visit);
                walk_body(&right.body, visit);
            }
        }
    }
}

/// Calls `visit` for every condition within a term.
pub fn walk_term(term: &Term, visit: &mut dyn FnMut(&Expr)) {
    match &term.kind {
        TermKind::Constant(_) | TermKind::Var(_) => {}
        TermKind::Ref(reference) => reference
            .path
            .iter()
            .for_each(|part| walk_term(part, visit)),
        TermKind::Array(terms) | TermKind::Set(terms) => {
            terms.iter().for_each(|term| walk_term(term, visit));
        }
        TermKind::Object(pairs) => pairs.iter().for_each(|(key, value)| {
            walk_term(key, visit);
            walk_term(value, visit);
        }),
        TermKind::Comprehension(comprehension) => {
            comprehension
                .head
                .terms()
                .for_each(|term| walk_term(term, visit));
            walk_body(&comprehension.body, visit);
        }
    }
}
