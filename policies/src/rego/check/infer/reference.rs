//! References: their types, and those that lead nowhere.

use std::fmt::Write as _;

use regorus::Value;

use super::tree::Tree;
use super::{Checker, Environment};
use crate::rego::check::types::Type;
use crate::rego::core::{Expr, ExprKind, Ref, Root, Term, TermKind};
use crate::rego::findings::Stage;
use crate::rego::order::vars;
use crate::rego::source::Span;
use crate::rego::value::{self, json};

impl Checker<'_> {
    /// Checks the references of a condition, and of the bodies of `every`, `not`, `and`, `or`
    /// within it.
    pub(super) fn references(&mut self, environment: &mut Environment<'_>, expr: &Expr) -> bool {
        let mut fine = true;
        for term in vars::terms_of(expr) {
            fine &= self.references_in(environment, term);
        }
        let bodies = match &expr.kind {
            ExprKind::Every(every) => vec![&every.body],
            ExprKind::Not(operand) => vec![&operand.body],
            ExprKind::And(left, right) | ExprKind::Or(left, right) => vec![&left.body, &right.body],
            ExprKind::Term(_) | ExprKind::Unify { .. } | ExprKind::Call(_) => Vec::new(),
        };
        for expr in bodies.into_iter().flatten() {
            fine &= self.references(environment, expr);
        }
        fine
    }

    fn references_in(&mut self, environment: &mut Environment<'_>, term: &Term) -> bool {
        match &term.kind {
            TermKind::Constant(_) | TermKind::Var(_) | TermKind::Comprehension(_) => true,
            TermKind::Array(terms) | TermKind::Set(terms) => {
                // Each is looked at, so that all that is wrong is told at once.
                let mut fine = true;
                for term in terms {
                    fine &= self.references_in(environment, term);
                }
                fine
            }
            TermKind::Object(pairs) => pairs.iter().fold(true, |fine, (key, value)| {
                let key = self.references_in(environment, key);
                self.references_in(environment, value) && key && fine
            }),
            TermKind::Ref(reference) => {
                let fine = self.lead(environment, reference, term.span);
                reference.path.iter().fold(fine, |fine, part| {
                    self.references_in(environment, part) && fine
                })
            }
        }
    }

    /// Checks that a reference can lead somewhere.
    fn lead(&mut self, environment: &mut Environment<'_>, reference: &Ref, span: Span) -> bool {
        if let Type::Function(..) = self.reference_type(environment, reference) {
            let name = text(environment, reference);
            let message = format!("function {name} used as reference, not called");
            self.findings.kind(Stage::Types, span, message);
            return false;
        }
        match reference.root {
            Root::Input => self.below(environment, &Type::ANY, reference, 0, span),
            Root::Var(var) => {
                let kind = match environment.get(var) {
                    Type::Unknown => {
                        environment.set(var, Type::ANY);
                        Type::ANY
                    }
                    kind => kind.clone(),
                };
                self.below(environment, &kind, reference, 0, span)
            }
            Root::Data if environment.open => {
                self.below(environment, &Type::ANY, reference, 0, span)
            }
            Root::Data => self.below_data(environment, reference, span),
        }
    }

    fn below_data(
        &mut self,
        environment: &mut Environment<'_>,
        reference: &Ref,
        span: Span,
    ) -> bool {
        let mut node = &self.tree;
        for (at, part) in reference.path.iter().enumerate() {
            if node.children.is_empty() {
                break;
            }
            // The names of packages are strings.
            let is_name = matches!(
                part.kind,
                TermKind::Var(_) | TermKind::Constant(Value::String(_))
            );
            if at < 2 && !is_name {
                return self.undefined(environment, reference, span);
            }
            let key = match &part.kind {
                TermKind::Constant(key) => key,
                TermKind::Var(var) => {
                    let keys = node.document().keys();
                    let have = environment.get(*var);
                    if have.is_some() && !self.unifies(&keys, have) {
                        return self.undefined(environment, reference, span);
                    }
                    if !have.is_some() {
                        environment.set(*var, keys);
                    }
                    break;
                }
                _ => break,
            };
            let Some(child) = node.children.get(key) else {
                break;
            };
            node = child;
            if let Some(kind) = node.kind() {
                let kind = kind.clone();
                return self.below(environment, &kind, reference, at + 1, span);
            }
            if at + 1 == reference.path.len() {
                return true;
            }
        }
        // Base data can be there.
        self.below(environment, &Type::ANY, reference, 0, span)
    }

    /// Checks the rest of a reference below a value of a type.
    fn below(
        &mut self,
        environment: &mut Environment<'_>,
        kind: &Type,
        reference: &Ref,
        at: usize,
        span: Span,
    ) -> bool {
        let Some(part) = reference.path.get(at) else {
            return true;
        };
        if kind.is_empty_collection() {
            return match &part.kind {
                TermKind::Constant(key) if !value::is_collection(key) => {
                    self.undefined(environment, reference, span)
                }
                TermKind::Var(var) if !environment.get(*var).is_some() => {
                    environment.set(*var, Type::ANY);
                    true
                }
                TermKind::Var(var) => {
                    let have = environment.get(*var).clone();
                    let keys = kind.keys();
                    let possible = !have.is_some() || !keys.is_some() || self.unifies(&have, &keys);
                    possible || self.undefined(environment, reference, span)
                }
                _ => true,
            };
        }
        let keys = kind.keys();
        if !keys.is_some() {
            return self.undefined(environment, reference, span);
        }
        let below = match &part.kind {
            TermKind::Constant(key) if !value::is_collection(key) => {
                let below = kind.select(key);
                if !below.is_some() {
                    return self.undefined(environment, reference, span);
                }
                below
            }
            TermKind::Var(var) => {
                let have = environment.get(*var);
                if have.is_some() && !self.unifies(have, &keys) {
                    return self.undefined(environment, reference, span);
                }
                if !have.is_some() {
                    environment.set(*var, keys);
                }
                kind.values()
            }
            _ => {
                if !self.unify_type(environment, part, &keys, false) {
                    return self.undefined(environment, reference, span);
                }
                kind.values()
            }
        };
        self.below(environment, &below, reference, at + 1, span)
    }

    fn undefined(&mut self, environment: &Environment<'_>, reference: &Ref, span: Span) -> bool {
        let message = format!("undefined ref: {}", text(environment, reference));
        self.findings.kind(Stage::Types, span, message);
        false
    }

    /// The type of what a reference leads to.
    pub(super) fn reference_type(&self, environment: &Environment<'_>, reference: &Ref) -> Type {
        match reference.root {
            Root::Input => select(&Type::ANY, &reference.path),
            Root::Var(var) => match environment.get(var) {
                Type::Unknown => Type::Unknown,
                kind => select(kind, &reference.path),
            },
            Root::Data if environment.open => Type::ANY,
            Root::Data => data_type(&self.tree, &reference.path),
        }
    }
}

fn data_type(tree: &Tree, path: &[Term]) -> Type {
    let mut node = tree;
    for (at, part) in path.iter().enumerate() {
        if node.is_empty() {
            return Type::ANY;
        }
        let child = match &part.kind {
            TermKind::Constant(key) => node.children.get(key),
            _ => None,
        };
        node = match (child, node.kind(), &part.kind) {
            (Some(child), ..) => child,
            (None, Some(kind), _) => return select(kind, &path[at..]),
            (None, None, TermKind::Constant(_)) => return Type::ANY,
            (None, None, _) => return select(&node.document(), &path[at..]),
        };
    }
    if node.is_empty() {
        return Type::ANY;
    }
    node.document()
}

fn select(kind: &Type, path: &[Term]) -> Type {
    path.iter()
        .fold(kind.clone(), |kind, part| match &part.kind {
            _ if !kind.is_some() => Type::Unknown,
            TermKind::Constant(key) if !value::is_collection(key) => kind.select(key),
            _ if kind.is_empty_collection() => Type::ANY,
            _ => kind.values(),
        })
}

/// A reference as it is written, more or less.
fn text(environment: &Environment<'_>, reference: &Ref) -> String {
    let root = match reference.root {
        Root::Input => "input",
        Root::Data => "data",
        Root::Var(var) => environment.variables[var.index()].shown(),
    };
    let mut text = root.to_owned();
    for part in &reference.path {
        match &part.kind {
            TermKind::Constant(key) => text.push_str(&crate::rego::check::member(key)),
            TermKind::Var(var) => match environment.subjects.get(var) {
                Some(subject) => {
                    let last = subject.path.iter().filter_map(last).next_back();
                    let _ = write!(text, "[…{}]", last.unwrap_or_default());
                }
                None => {
                    let _ = write!(text, "[{}]", environment.variables[var.index()].shown());
                }
            },
            _ => text.push_str("[…]"),
        }
    }
    text
}

fn last(part: &Term) -> Option<String> {
    match &part.kind {
        TermKind::Constant(key) => Some(json::key_text(key)),
        _ => None,
    }
}
