//! How high a tree is, and whether there are variables in it.

use super::{Call, Expr, ExprKind, TemplatePart, Term, TermKind};

impl Term {
    /// Nothing in it is a variable; the heads of references do not count.
    pub fn is_ground(&self) -> bool {
        match &self.kind {
            TermKind::Null | TermKind::Bool(_) | TermKind::Number(_) | TermKind::String(_) => true,
            TermKind::Var(_) | TermKind::Template(_) => false,
            TermKind::Ref(path) => path.iter().skip(1).all(Self::is_ground),
            TermKind::Array(members) | TermKind::Set(members) => {
                members.iter().all(Self::is_ground)
            }
            TermKind::Object(pairs) => pairs
                .iter()
                .all(|(key, value)| key.is_ground() && value.is_ground()),
            TermKind::Call(call) => call
                .operator
                .iter()
                .skip(1)
                .chain(&call.arguments)
                .all(Self::is_ground),
            TermKind::ArrayComprehension { value, body }
            | TermKind::SetComprehension { value, body } => value.is_ground() && body.is_ground(),
            TermKind::ObjectComprehension { key, value, body } => {
                key.is_ground() && value.is_ground() && body.is_ground()
            }
        }
    }
}

impl TermKind {
    pub(super) fn height(&self) -> u16 {
        let tallest = match self {
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::String(_) | Self::Var(_) => 0,
            Self::Template(template) => template
                .parts
                .iter()
                .map(TemplatePart::height)
                .max()
                .unwrap_or(0),
            Self::Ref(terms) | Self::Array(terms) | Self::Set(terms) => tallest(terms),
            Self::Object(pairs) => pairs
                .iter()
                .map(|(key, value)| key.height().max(value.height()))
                .max()
                .unwrap_or(0),
            Self::ArrayComprehension { value, body } | Self::SetComprehension { value, body } => {
                value.height().max(body.height())
            }
            Self::ObjectComprehension { key, value, body } => {
                key.height().max(value.height()).max(body.height())
            }
            Self::Call(call) => call.height(),
        };
        tallest.saturating_add(1)
    }
}

impl TemplatePart {
    pub(super) fn height(&self) -> u16 {
        match self {
            Self::Constant(term) => term.height(),
            Self::Expr(expr) => expr.height(),
        }
    }
}

impl Call {
    pub(super) fn height(&self) -> u16 {
        tallest(&self.operator).max(tallest(&self.arguments))
    }
}

pub(super) fn tallest(terms: &[Term]) -> u16 {
    terms.iter().map(Term::height).max().unwrap_or(0)
}

impl Expr {
    /// Nothing in it is a variable; the modifiers do not count.
    pub fn is_ground(&self) -> bool {
        match &self.kind {
            ExprKind::Term(term) => term.is_ground(),
            ExprKind::Call(call) => call.arguments.iter().all(Term::is_ground),
            ExprKind::SomeDeclaration(_) | ExprKind::SomeIn { .. } | ExprKind::Every { .. } => {
                false
            }
            ExprKind::And(sides) | ExprKind::Or(sides) => {
                sides.left.is_ground() && sides.right.is_ground()
            }
            ExprKind::Not { body, .. } => body.is_ground(),
        }
    }
}

impl ExprKind {
    pub(super) fn height(&self) -> u16 {
        match self {
            Self::Term(term) => term.height(),
            Self::Call(call) => call.height(),
            Self::SomeDeclaration(variables) => tallest(variables),
            Self::SomeIn { key, value, domain } => key
                .as_ref()
                .map_or(0, Term::height)
                .max(value.height())
                .max(domain.height()),
            Self::Every { domain, body, .. } => domain.height().max(body.height()),
            Self::And(sides) | Self::Or(sides) => sides.left.height().max(sides.right.height()),
            Self::Not { body, .. } => body.height(),
        }
    }
}
