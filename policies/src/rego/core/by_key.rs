//! Looking for the members of an object by their keys.

use std::collections::HashMap;

use regorus::Value;

use super::{Term, TermKind, Var};
use crate::rego::value;

/// The members of an object by their keys, of those with the same key the first.
#[derive(Debug)]
pub struct ByKey<'t> {
    constants: Vec<(&'t Value, &'t Term)>,
    variables: HashMap<Var, &'t Term>,
}

impl<'t> ByKey<'t> {
    /// Of these members.
    pub fn new(pairs: &'t [(Term, Term)]) -> Self {
        let mut constants = Vec::new();
        let mut variables = HashMap::new();
        for (key, term) in pairs {
            match &key.kind {
                TermKind::Constant(key) => constants.push((key, term)),
                TermKind::Var(var) => {
                    variables.entry(*var).or_insert(term);
                }
                _ => {}
            }
        }
        constants.sort_by(|(a, _), (b, _)| value::compare(a, b));
        Self {
            constants,
            variables,
        }
    }

    /// What is under the same constant or variable.
    pub fn find(&self, key: &Term) -> Option<&'t Term> {
        match &key.kind {
            TermKind::Constant(key) => {
                let before = |&(other, _): &(&Value, _)| value::compare(other, key).is_lt();
                let (other, term) = *self.constants.get(self.constants.partition_point(before))?;
                value::compare(other, key).is_eq().then_some(term)
            }
            TermKind::Var(var) => self.variables.get(var).copied(),
            _ => None,
        }
    }
}
