//! Looking on while a plan is executed.
//!
//! The executor is generic over an [`Observer`] and asks [`Observer::LOOKS`], a constant, before it
//! shows anything. With [`Nobody`] each of these conditions is `if false`: neither a call nor a
//! branch is left of them in the compiled code.

use crate::rego::{
    plan::ir::{Definition, Fallback, Rule, Step},
    value::Value,
};

/// What can be seen at a moment.
#[derive(Debug, Clone, Copy)]
pub struct View<'v> {
    /// The frame of the definition that is evaluated.
    pub slots: &'v [Value],
    /// The input that is in force.
    pub input: &'v Value,
}

/// Sees what the executor does.
pub trait Observer {
    /// Whether it looks at all; without it, nothing below is called.
    const LOOKS: bool = true;

    /// A definition of a rule is tried.
    fn tries(&mut self, _rule: &Rule, _definition: &Definition) {}

    /// A definition of a rule is not tried, because what its conditions compare with is something
    /// else.
    fn passes_over(&mut self, _rule: &Rule, _definition: &Definition, _view: View<'_>) {}

    /// The arguments match the parameters of the definition that is tried.
    fn takes(&mut self) {}

    /// A condition is looked at.
    fn looks_at(&mut self, _step: &Step) {}

    /// A condition has a solution, or the next one.
    fn holds(&mut self, _step: &Step) {}

    /// A condition has no solution, or no further one.
    fn fails(&mut self, _step: &Step, _view: View<'_>) {}

    /// A definition holds with this value.
    fn yields(&mut self, _rule: &Rule, _definition: &Definition, _value: &Value, _view: View<'_>) {}

    /// No further solution of a definition is looked for.
    fn leaves(&mut self, _rule: &Rule, _definition: &Definition) {}

    /// No definition of a rule holds, but it has a default.
    fn falls_back(&mut self, _rule: &Rule, _default: &Fallback, _value: &Value) {}
}

/// Does not look.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nobody;

impl Observer for Nobody {
    const LOOKS: bool = false;
}
