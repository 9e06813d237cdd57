//! Which variables a unification binds.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use regorus::Value;

use crate::rego::core::{ByKey, Head, Root, Term, TermKind, Var};
use crate::rego::value;

use super::outputs::Known;
use super::vars;

/// The variables that `left = right` binds where `known` are bound.
pub(super) fn unify(known: &Known<'_>, left: &Term, right: &Term) -> BTreeSet<Var> {
    let mut unifier = Unifier {
        known,
        unified: BTreeSet::new(),
        waiting: BTreeMap::new(),
        dependents: HashMap::new(),
    };
    unifier.terms(left, right);
    unifier.unified
}

struct Unifier<'a> {
    known: &'a Known<'a>,
    unified: BTreeSet<Var>,
    /// Variables that are bound as soon as these are.
    waiting: BTreeMap<Var, BTreeSet<Var>>,
    /// For each of these, the variables that wait for it.
    dependents: HashMap<Var, Vec<Var>>,
}

impl Unifier<'_> {
    fn is_bound(&self, var: Var) -> bool {
        self.known.contains(var) || self.unified.contains(&var)
    }

    /// What a term can be taken from: a comprehension, or a reference whose head is bound.
    fn is_source(&self, term: &Term) -> bool {
        match &term.kind {
            TermKind::Ref(reference) => match reference.root {
                Root::Var(var) => self.known.contains(var),
                Root::Input | Root::Data => true,
            },
            TermKind::Comprehension(_) => true,
            _ => false,
        }
    }

    fn terms(&mut self, left: &Term, right: &Term) {
        use TermKind::{Array, Comprehension, Constant, Object, Ref, Set};
        match (&left.kind, &right.kind) {
            (TermKind::Var(a), TermKind::Var(b)) => {
                if self.is_bound(*b) {
                    self.bind(*a);
                } else if self.is_bound(*a) {
                    self.bind(*b);
                } else {
                    self.wait(*a, *b);
                    self.wait(*b, *a);
                }
            }
            (TermKind::Var(var), Array(_) | Object(_)) => self.pattern(*var, right),
            (Array(_) | Object(_), TermKind::Var(var)) => self.pattern(*var, left),
            (TermKind::Var(var), Constant(_) | Set(_))
            | (Constant(_) | Set(_), TermKind::Var(var)) => {
                self.bind(*var);
            }
            (TermKind::Var(var), Ref(_) | Comprehension(_)) if self.is_source(right) => {
                self.bind(*var);
            }
            (Ref(_) | Comprehension(_), TermKind::Var(var)) if self.is_source(left) => {
                self.bind(*var);
            }
            (Ref(_), Array(_) | Object(_)) if self.is_source(left) => self.bind_all(right),
            (Array(_) | Object(_), Ref(_)) if self.is_source(right) => self.bind_all(left),
            (Comprehension(comprehension), Array(_)) => {
                if matches!(comprehension.head, Head::Array(_)) {
                    self.bind_all(right);
                }
            }
            (Comprehension(comprehension), Object(_)) => {
                if matches!(comprehension.head, Head::Object(..)) {
                    self.bind_all(right);
                }
            }
            (Array(_), Comprehension(_)) => self.bind_all(left),
            (Array(a), Array(b)) if a.len() == b.len() => {
                for (a, b) in a.iter().zip(b) {
                    self.terms(a, b);
                }
            }
            (Object(a), Object(b)) if a.len() == b.len() => {
                let others = ByKey::new(b);
                for (key, value) in a {
                    if let Some(other) = others.find(key) {
                        self.terms(value, other);
                    }
                }
            }
            (Constant(constant), Array(_) | Object(_)) => self.constant(right, constant),
            (Array(_) | Object(_), Constant(constant)) => self.constant(left, constant),
            _ => {}
        }
    }

    /// A pattern against a constant.
    fn constant(&mut self, term: &Term, constant: &Value) {
        match &term.kind {
            TermKind::Var(var) => self.bind(*var),
            TermKind::Array(terms) => {
                let elements = value::elements(constant).unwrap_or_default();
                if elements.len() == terms.len() {
                    for (term, element) in terms.iter().zip(elements) {
                        self.constant(term, element);
                    }
                }
            }
            TermKind::Object(pairs) => {
                let Value::Object(object) = constant else {
                    return;
                };
                if object.len() != pairs.len() {
                    return;
                }
                for (key, value) in pairs {
                    if let TermKind::Constant(key) = &key.kind
                        && let Some(found) = object.get(key)
                    {
                        self.constant(value, found);
                    }
                }
            }
            _ => {}
        }
    }

    fn bind_all(&mut self, term: &Term) {
        let mut found = Vec::new();
        parts(term, &mut |var| found.push(var));
        found.into_iter().for_each(|var| self.bind(var));
    }

    fn bind(&mut self, var: Var) {
        let mut bound = vec![var];
        while let Some(var) = bound.pop() {
            self.unified.insert(var);
            bound.extend(self.waiting.remove(&var).unwrap_or_default());
            for other in self.dependents.remove(&var).unwrap_or_default() {
                let Some(needs) = self.waiting.get_mut(&other) else {
                    continue;
                };
                if needs.remove(&var) && needs.is_empty() {
                    self.waiting.remove(&other);
                    bound.push(other);
                }
            }
        }
    }

    fn wait(&mut self, var: Var, needs: Var) {
        if self.waiting.entry(var).or_default().insert(needs) {
            self.dependents.entry(needs).or_default().push(var);
        }
    }

    /// A variable against an array or object.
    fn pattern(&mut self, var: Var, term: &Term) {
        if self.is_bound(var) {
            return self.bind_all(term);
        }
        let mut missing = Vec::new();
        parts(term, &mut |var| missing.push(var));
        missing.retain(|&var| !self.is_bound(var));
        if missing.is_empty() {
            self.bind(var);
        }
        for needs in missing {
            self.wait(var, needs);
        }
    }
}

/// The variables of a pattern, members of sets too: a set that holds one that is not bound is no
/// source of a value.
fn parts(term: &Term, visit: &mut impl FnMut(Var)) {
    match &term.kind {
        TermKind::Set(terms) | TermKind::Array(terms) => {
            terms.iter().for_each(|term| parts(term, visit));
        }
        TermKind::Object(pairs) => {
            pairs.iter().for_each(|(_, value)| parts(value, visit));
        }
        _ => vars::pattern(term, visit),
    }
}
