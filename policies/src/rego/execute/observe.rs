//! Looking on while a plan is executed.
//!
//! The executor is generic over an [`Observer`] and asks [`Observer::LOOKS`], a constant, before it
//! shows anything. With [`Nobody`] each of these conditions is `if false`: neither a call nor a
//! branch is left of them in the compiled code.

use super::Error;
use crate::rego::{
    plan::ir::{Definition, Fallback, Rule, Step},
    source::Span,
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

    /// A text is noted, with `trace`.
    fn notes(&mut self, _text: &str, _span: Span) {}

    /// A builtin function fails, and is undefined. The error has no place where the function is an
    /// operator.
    fn swallows(&mut self, _error: &Error) {}
}

/// Does not look.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nobody;

impl Observer for Nobody {
    const LOOKS: bool = false;
}

/// Looks if it is there.
impl<O: Observer> Observer for Option<O> {
    fn tries(&mut self, rule: &Rule, definition: &Definition) {
        if let Some(observer) = self {
            observer.tries(rule, definition);
        }
    }

    fn passes_over(&mut self, rule: &Rule, definition: &Definition, view: View<'_>) {
        if let Some(observer) = self {
            observer.passes_over(rule, definition, view);
        }
    }

    fn takes(&mut self) {
        if let Some(observer) = self {
            observer.takes();
        }
    }

    fn looks_at(&mut self, step: &Step) {
        if let Some(observer) = self {
            observer.looks_at(step);
        }
    }

    fn holds(&mut self, step: &Step) {
        if let Some(observer) = self {
            observer.holds(step);
        }
    }

    fn fails(&mut self, step: &Step, view: View<'_>) {
        if let Some(observer) = self {
            observer.fails(step, view);
        }
    }

    fn yields(&mut self, rule: &Rule, definition: &Definition, value: &Value, view: View<'_>) {
        if let Some(observer) = self {
            observer.yields(rule, definition, value, view);
        }
    }

    fn leaves(&mut self, rule: &Rule, definition: &Definition) {
        if let Some(observer) = self {
            observer.leaves(rule, definition);
        }
    }

    fn falls_back(&mut self, rule: &Rule, default: &Fallback, value: &Value) {
        if let Some(observer) = self {
            observer.falls_back(rule, default, value);
        }
    }

    fn notes(&mut self, text: &str, span: Span) {
        if let Some(observer) = self {
            observer.notes(text, span);
        }
    }

    fn swallows(&mut self, error: &Error) {
        if let Some(observer) = self {
            observer.swallows(error);
        }
    }
}

/// Both look.
impl<A: Observer, B: Observer> Observer for (A, B) {
    fn tries(&mut self, rule: &Rule, definition: &Definition) {
        self.0.tries(rule, definition);
        self.1.tries(rule, definition);
    }

    fn passes_over(&mut self, rule: &Rule, definition: &Definition, view: View<'_>) {
        self.0.passes_over(rule, definition, view);
        self.1.passes_over(rule, definition, view);
    }

    fn takes(&mut self) {
        self.0.takes();
        self.1.takes();
    }

    fn looks_at(&mut self, step: &Step) {
        self.0.looks_at(step);
        self.1.looks_at(step);
    }

    fn holds(&mut self, step: &Step) {
        self.0.holds(step);
        self.1.holds(step);
    }

    fn fails(&mut self, step: &Step, view: View<'_>) {
        self.0.fails(step, view);
        self.1.fails(step, view);
    }

    fn yields(&mut self, rule: &Rule, definition: &Definition, value: &Value, view: View<'_>) {
        self.0.yields(rule, definition, value, view);
        self.1.yields(rule, definition, value, view);
    }

    fn leaves(&mut self, rule: &Rule, definition: &Definition) {
        self.0.leaves(rule, definition);
        self.1.leaves(rule, definition);
    }

    fn falls_back(&mut self, rule: &Rule, default: &Fallback, value: &Value) {
        self.0.falls_back(rule, default, value);
        self.1.falls_back(rule, default, value);
    }

    fn notes(&mut self, text: &str, span: Span) {
        self.0.notes(text, span);
        self.1.notes(text, span);
    }

    fn swallows(&mut self, error: &Error) {
        self.0.swallows(error);
        self.1.swallows(error);
    }
}
