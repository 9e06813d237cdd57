//! Errors of builtin functions that are taken for undefined.

use super::material::fault;
use crate::{
    Diagnostic,
    rego::{
        execute::{Error, Observer},
        plan::ir::{Definition, Rule, Step},
        source::{Sources, Span},
    },
};

/// Errors that are told: more than anybody reads.
const MAX_ERRORS: usize = 200;

/// Collects errors. One that does not know its place, such as that of an operator, is put where the
/// condition stands that was looked at last in the same definition.
#[derive(Debug, Default)]
pub(super) struct Swallowed {
    errors: Vec<Error>,
    more: usize,
    /// The condition of the query that is looked at.
    query: Option<Span>,
    /// The same of each definition that is evaluated, each within the one before.
    open: Vec<Option<Span>>,
}

impl Swallowed {
    fn current(&mut self) -> &mut Option<Span> {
        self.open.last_mut().unwrap_or(&mut self.query)
    }

    /// The errors, in their order; the last says how many more there were.
    pub(super) fn diagnostics(self, sources: &Sources) -> Vec<Diagnostic> {
        let errors = self.errors.iter().map(|error| fault(sources, error));
        let more = (self.more > 0).then(|| {
            let message = format!("{} more errors of builtin functions", self.more);
            Diagnostic::new("eval_builtin_error", message)
        });
        errors.chain(more).collect()
    }
}

impl Observer for Swallowed {
    fn tries(&mut self, _rule: &Rule, definition: &Definition) {
        self.open.push(Some(definition.span));
    }

    fn looks_at(&mut self, step: &Step) {
        *self.current() = Some(step.span);
    }

    fn leaves(&mut self, _rule: &Rule, _definition: &Definition) {
        self.open.pop();
    }

    fn swallows(&mut self, error: &Error) {
        if self.errors.len() == MAX_ERRORS {
            self.more += 1;
            return;
        }
        let mut error = error.clone();
        error.span = error.span.or(*self.current());
        self.errors.push(error);
    }
}
