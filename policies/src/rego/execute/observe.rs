//! Looking on while a plan is executed.
//!
//! The executor is generic over an [`Observer`]. With [`Nobody`], which does nothing, nothing of it
//! is left in the compiled code.

use std::collections::BTreeSet;

use crate::rego::{
    plan::ir::{Definition, Rule, Step},
    source::Span,
    value::Value,
};

/// Sees what the executor does.
pub trait Observer {
    /// A definition of a rule is tried.
    fn tries(&mut self, _rule: &Rule, _definition: &Definition) {}

    /// A condition has a solution, or the next one.
    fn holds(&mut self, _step: &Step) {}

    /// A condition has no solution, or no further one.
    fn fails(&mut self, _step: &Step) {}

    /// A definition holds with this value; the slots of its frame are what they are then.
    fn yields(&mut self, _rule: &Rule, _definition: &Definition, _value: &Value, _slots: &[Value]) {
    }

    /// No further solution of a definition is looked for.
    fn leaves(&mut self, _rule: &Rule, _definition: &Definition) {}
}

/// Does not look.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nobody;

impl Observer for Nobody {}

/// Which conditions and rules held at least once.
#[derive(Debug, Default)]
pub struct Coverage {
    /// Where they stand.
    pub covered: BTreeSet<Span>,
}

impl Observer for Coverage {
    fn holds(&mut self, step: &Step) {
        self.covered.insert(step.span);
    }

    fn yields(&mut self, _rule: &Rule, definition: &Definition, _value: &Value, _slots: &[Value]) {
        self.covered.insert(definition.span);
    }
}
