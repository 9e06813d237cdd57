//! What unifications say of the types of variables.

use std::borrow::Cow;

use super::{Checker, Environment};
use crate::rego::check::types::Type;
use crate::rego::core::{ByKey, Term, TermKind};
use crate::rego::value::{self, Value};

impl Checker<'_> {
    /// Whether two terms can be equal. Variables without a type get one.
    pub(super) fn unify_terms(
        &mut self,
        environment: &mut Environment<'_>,
        left: &Term,
        left_type: &Type,
        right: &Term,
        right_type: &Type,
    ) -> bool {
        match (left_type.is_unknown(), right_type.is_unknown()) {
            (true, false) => return self.unify_type(environment, left, right_type, false),
            (false, true) => return self.unify_type(environment, right, left_type, false),
            (false, false) => return self.unifies(left_type, right_type),
            (true, true) => {}
        }
        // The empty set in a constant has no type. What is beside it has one.
        let [left, right] = [left, right].map(parts);
        let (left, right) = (&*left, &*right);
        match (&left.kind, &right.kind) {
            (TermKind::Array(a), TermKind::Array(b)) => {
                a.len() == b.len()
                    && a.iter()
                        .zip(b)
                        .all(|(a, b)| self.unify_parts(environment, a, b))
            }
            (TermKind::Object(a), TermKind::Object(b)) => {
                a.len() == b.len() && {
                    let other = ByKey::new(b);
                    a.iter().all(|(key, left)| {
                        let right = other.find(key);
                        right.is_some_and(|right| self.unify_parts(environment, left, right))
                    })
                }
            }
            (TermKind::Array(_) | TermKind::Object(_) | TermKind::Var(_), TermKind::Var(_)) => {
                self.unify_type(environment, left, &Type::ANY, false) && {
                    let kind = self.type_of(environment, left);
                    self.unify_type(environment, right, &kind, false)
                }
            }
            (TermKind::Var(_), TermKind::Array(_) | TermKind::Object(_)) => {
                self.unify_type(environment, right, &Type::ANY, false) && {
                    let kind = self.type_of(environment, right);
                    self.unify_type(environment, left, &kind, false)
                }
            }
            (TermKind::Var(_), TermKind::Ref(_)) => {
                self.unify_type(environment, left, &Type::ANY, false)
            }
            (TermKind::Ref(_), TermKind::Var(_)) => {
                self.unify_type(environment, right, &Type::ANY, false)
            }
            (TermKind::Var(_), _) if !left_type.is_some() && right_type.is_some() => {
                self.unify_type(environment, left, right_type, false)
            }
            (_, TermKind::Var(_)) if !right_type.is_some() && left_type.is_some() => {
                self.unify_type(environment, right, left_type, false)
            }
            _ => false,
        }
    }

    fn unify_parts(
        &mut self,
        environment: &mut Environment<'_>,
        left: &Term,
        right: &Term,
    ) -> bool {
        let left_type = self.type_of(environment, left);
        let right_type = self.type_of(environment, right);
        self.unify_terms(environment, left, &left_type, right, &right_type)
    }

    /// Whether a term can have a type. Variables without a type get one; with `union`, a further
    /// one.
    pub(super) fn unify_type(
        &mut self,
        environment: &mut Environment<'_>,
        term: &Term,
        kind: &Type,
        union: bool,
    ) -> bool {
        self.charge(1);
        if self.is_exhausted() {
            return true;
        }
        let collection = matches!(
            term.kind,
            TermKind::Array(_) | TermKind::Object(_) | TermKind::Set(_)
        );
        if let (true, Type::Any(of)) = (collection, kind) {
            if of.is_empty() {
                self.any_within(environment, term);
                return true;
            }
            // Each adds what it tells of the variables.
            let mut found = false;
            for one in of.iter() {
                found |= self.unify_type(environment, term, one, true);
            }
            return found;
        }
        match (&term.kind, kind) {
            (TermKind::Array(terms), Type::Array(first, rest)) => {
                (terms.len() == first.len() || rest.is_some())
                    && terms.iter().enumerate().all(|(at, term)| {
                        let kind = first.get(at).or(rest.as_deref()).cloned();
                        let kind = kind.unwrap_or(Type::Unknown);
                        self.unify_type(environment, term, &kind, union)
                    })
            }
            (TermKind::Object(pairs), Type::Object(known, rest)) => {
                (pairs.len() == known.len() || rest.is_some())
                    && pairs.iter().all(|(key, value)| {
                        if let TermKind::Constant(key) = &key.kind {
                            let below = kind.select(key);
                            below.is_some() && self.unify_type(environment, value, &below, union)
                        } else {
                            self.unify_type(environment, value, &Type::ANY, union);
                            true
                        }
                    })
            }
            (TermKind::Set(terms), Type::Set(of)) => terms
                .iter()
                .all(|term| self.unify_type(environment, term, of, union)),
            (TermKind::Array(_) | TermKind::Object(_) | TermKind::Set(_), _) => false,
            (TermKind::Var(var), kind) => {
                let have = environment.get(*var).clone();
                if union {
                    let kind = self.keep(have.or(kind.clone()));
                    environment.set(*var, kind);
                    return true;
                }
                if have.is_some() {
                    return self.unifies(&have, kind);
                }
                environment.set(*var, kind.clone());
                true
            }
            (TermKind::Constant(value), kind) => self.has_type(value, kind),
            (TermKind::Ref(_) | TermKind::Comprehension(_), kind) => {
                let have = self.type_of(environment, term);
                self.unifies(&have, kind)
            }
        }
    }

    fn any_within(&mut self, environment: &mut Environment<'_>, term: &Term) {
        match &term.kind {
            TermKind::Array(terms) | TermKind::Set(terms) => {
                for term in terms {
                    self.unify_type(environment, term, &Type::ANY, true);
                }
            }
            TermKind::Object(pairs) => {
                for (key, value) in pairs {
                    self.unify_type(environment, key, &Type::ANY, true);
                    self.unify_type(environment, value, &Type::ANY, true);
                }
            }
            _ => {}
        }
    }
}

/// A constant array or object as a term of its parts.
fn parts(term: &Term) -> Cow<'_, Term> {
    let TermKind::Constant(constant) = &term.kind else {
        return Cow::Borrowed(term);
    };
    let part = |value: &Value| Term {
        kind: TermKind::Constant(value.clone()),
        span: term.span,
    };
    let kind = match constant {
        Value::Object(object) => {
            let pairs = object.iter().map(|(key, value)| (part(key), part(value)));
            TermKind::Object(pairs.collect())
        }
        constant => match value::elements(constant) {
            Some(elements) => TermKind::Array(elements.iter().map(part).collect()),
            None => return Cow::Borrowed(term),
        },
    };
    Cow::Owned(Term {
        kind,
        span: term.span,
    })
}

impl Checker<'_> {
    /// Whether a constant can have a type, as a term of its parts.
    fn has_type(&self, constant: &Value, kind: &Type) -> bool {
        self.charge(1);
        if self.is_exhausted() {
            return true;
        }
        match (constant, kind) {
            (_, Type::Any(of)) => {
                of.is_empty() || of.iter().any(|one| self.has_type(constant, one))
            }
            (Value::Set(members), Type::Set(of)) => {
                members.iter().all(|one| self.has_type(one, of))
            }
            (Value::Object(object), Type::Object(known, rest)) => {
                (object.len() == known.len() || rest.is_some())
                    && object.iter().all(|(key, value)| {
                        let below = kind.select(key);
                        below.is_some() && self.has_type(value, &below)
                    })
            }
            (_, Type::Array(first, rest)) if value::elements(constant).is_some() => {
                let elements = value::elements(constant).unwrap_or_default();
                (elements.len() == first.len() || rest.is_some())
                    && elements.iter().enumerate().all(|(at, element)| {
                        let kind = first.get(at).or(rest.as_deref());
                        kind.is_some_and(|kind| self.has_type(element, kind))
                    })
            }
            _ => self.unifies(&Type::of(constant), kind),
        }
    }
}
