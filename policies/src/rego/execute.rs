//! Executes a [`Plan`].
//!
//! ```text
//! evaluate ─▶ Machine ─ step.rs     runs blocks, backtracking by continuation
//!                     ─ term.rs     values of terms
//!                     ─ rule.rs     rules, functions, their conflicts and what is memoised
//!                     ─ grouping.rs comprehensions for all keys at once
//!                     ─ part.rs     partial rules of which only a part is asked
//!                     ─ tree.rs     documents, where rules and base data overlay each other
//!                     ─ with.rs     replacements
//!                     ─ pattern.rs  destructuring
//! ```
//!
//! A block is run with what is to be done for each of its solutions (`next`). A step with one
//! solution at most is a turn of a loop; a step that enumerates calls the rest of the block for
//! every match. Nothing is undone on backtracking: a slot is written before it is read on every
//! way through a block, which the lowering has seen to.
//!
//! *Invariant: no lock, no clock but the budget's, no input or output.* What the request knows (the
//! time, headers, a seed) is an argument.

mod budget;
mod coverage;
mod error;
mod explain;
mod grouping;
mod memo;
mod observe;
mod part;
mod pattern;
mod rule;
mod step;
mod term;
mod tree;
mod with;

#[cfg(test)]
mod tests;

use std::mem;

pub(crate) use budget::{Budget, COLLECTION_SIZE, SET_SIZE, VALUE_SIZE, is_heavy};
pub use budget::{Limits, MAX_DEPTH, MAX_VALUE_DEPTH};
pub use coverage::{Coverage, FileReport, Position, Range, Report};
pub use error::{Error, ErrorKind};
pub use explain::{
    Explainer, Explanation, Failed, Kept, Named, Note, Notes, Outcome, Reason, Solution, Tried,
};
pub(crate) use explain::{MAX_TEXT as MAX_SHOWN, shown};
pub use observe::{Nobody, Observer, View};

use crate::rego::{
    builtins::Surroundings,
    plan::ir::{Entry, Plan, Slot},
    value::{Value, is_defined},
};
use with::Scope;

/// What the executor's parts return.
pub(crate) type Result<T> = std::result::Result<T, Box<Error>>;

/// What is evaluated, apart from the plan.
#[derive(Debug, Clone)]
pub struct Question<'q> {
    /// `input`; [`Value::Undefined`] where there is none.
    pub input: Value,
    /// Base data, an object.
    pub data: Value,
    /// What builtins may know of the request.
    pub surroundings: Surroundings<'q>,
    /// What may be used up.
    pub limits: Limits,
    /// Whether a builtin's error is one, instead of undefined.
    pub strict: bool,
}

/// The values of all solutions of an entry of the plan: none where it is undefined.
pub fn evaluate(plan: &Plan, entry: &Entry, question: Question<'_>) -> Result<Vec<Value>> {
    observe(plan, entry, question, &mut Nobody)
}

/// Evaluates while an observer looks on.
pub fn observe<'p, O: Observer>(
    plan: &'p Plan,
    entry: &'p Entry,
    question: Question<'p>,
    observer: &'p mut O,
) -> Result<Vec<Value>> {
    record(plan, entry, question, observer).0
}

/// What an evaluation says besides its values, also when it ends with an error.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Record {
    /// What `print` printed, line by line.
    pub printed: Vec<String>,
    /// The cases of tests that were begun: the keys of each.
    pub cases: Vec<Value>,
}

/// Evaluates while an observer looks on, and keeps what is said besides the values.
pub fn record<'p, O: Observer>(
    plan: &'p Plan,
    entry: &'p Entry,
    question: Question<'p>,
    observer: &'p mut O,
) -> (Result<Vec<Value>>, Record) {
    let mut machine = Machine {
        plan,
        data: question.data,
        scope: Scope::new(question.input),
        slots: Vec::with_capacity(SLOTS),
        base: 0,
        budget: Budget::new(question.limits),
        surroundings: question.surroundings,
        strict: question.strict,
        observer,
    };
    let values = machine.entry(entry);
    let Surroundings { printed, cases, .. } = machine.surroundings;
    (values, Record { printed, cases })
}

/// Slots that are there from the beginning: enough for a dozen rules within each other.
const SLOTS: usize = 128;

/// Whether to go on with the next solution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    /// There may be more to find.
    Continue,
    /// What was looked for is found.
    Stop,
}

/// What to do for each solution.
type Next<'n, 'p, O> = &'n mut dyn FnMut(&mut Machine<'p, O>) -> Result<Flow>;

/// One evaluation.
#[derive(Debug)]
struct Machine<'p, O> {
    plan: &'p Plan,
    data: Value,
    scope: Scope,
    /// The frames, one upon the other.
    slots: Vec<Value>,
    /// Where the current frame begins.
    base: usize,
    budget: Budget,
    surroundings: Surroundings<'p>,
    strict: bool,
    observer: &'p mut O,
}

impl<'p, O: Observer> Machine<'p, O> {
    fn entry(&mut self, entry: &'p Entry) -> Result<Vec<Value>> {
        let mut solutions = Vec::new();
        let base = self.open_frame(entry.slots);
        self.run(&entry.body, &mut |machine| {
            let value = machine.eval(&entry.value)?;
            if is_defined(&value) {
                machine.budget.charge(VALUE_SIZE)?;
                solutions.push(value);
            }
            Ok(Flow::Continue)
        })?;
        self.close_frame(base);
        Ok(solutions)
    }

    /// A frame of its own for a definition. Returns where the surrounding one begins.
    #[inline]
    fn open_frame(&mut self, slots: u32) -> usize {
        let start = self.slots.len();
        self.slots.resize(start + slots as usize, Value::Undefined);
        mem::replace(&mut self.base, start)
    }

    /// Back to the surrounding frame.
    #[inline]
    fn close_frame(&mut self, base: usize) {
        self.slots.truncate(self.base);
        self.base = base;
    }

    #[inline]
    fn local(&self, slot: Slot) -> &Value {
        &self.slots[self.base + slot.index()]
    }

    #[inline]
    fn write(&mut self, slot: Slot, value: Value) {
        let place = self.base + slot.index();
        self.slots[place] = value;
    }
}
