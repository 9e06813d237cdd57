//! Why the rules that were asked hold or do not hold.
//!
//! An [`Explainer`] looks on; an [`Explanation`] is what it has seen, for people as text and for
//! programs by serde. A rule that another one asks for stands below it, once, as it is evaluated
//! once.
//!
//! ```text
//! policy.rego:9:1: data.a.deny holds
//!     value = "web: no limit"
//!     c = {"image": "nginx", "name": "web"}
//!   policy.rego:14:1: data.a.exempt does not hold
//!        |
//!     14 | exempt(c) if startswith(c.image, "trusted/")
//!        |              ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
//!     c.image = "nginx"
//! ```
//!
//! Of a rule that does not hold, the condition is shown that was the last to fail: the one that
//! stands furthest down among those that were reached, with the values that it mentions when it was
//! reached for the first time.
//!
//! What `trace` notes stands below the rule that notes it.
//!
//! An explanation shows parts of the input and of data, secrets among them. It is made where
//! somebody who may see these asks for it, and nowhere else.
//!
//! # Limits
//!
//! Definitions, rules within each other, solutions, variables, notes and the text of values are
//! limited, by the constants below. What is left out is counted.

mod explanation;
mod kept;
mod mentions;
mod render;
mod shown;

pub use explanation::{Explanation, Failed, Named, Note, Notes, Outcome, Reason, Solution, Tried};
pub use kept::Kept;
pub(crate) use shown::value as shown;

use super::{Observer, View, rule::path_name};
use crate::{
    rego::{
        builtins,
        plan::ir::{Callee, Definition, Fallback, Rule, Slot, Step, StepKind, Term},
        source::{Sources, Span},
        value::{Value, is_defined},
    },
    text,
};

/// Definitions that are shown: more than anybody reads.
const MAX_ENTRIES: usize = 200;

/// Rules within each other that are shown: hand-written ones stay below ten.
const MAX_DEPTH: usize = 16;

/// Solutions of one definition that are shown: the containers of a large Pod.
const MAX_SOLUTIONS: usize = 8;

/// Variables of one solution or condition that are shown.
const MAX_VALUES: usize = 16;

/// Cases of one test that are told apart: more than a table of tests has.
const MAX_CASES: usize = 10_000;

/// Notes of one definition that are shown: one for each container of each Pod of a long list.
const MAX_NOTES: usize = 1_000;

/// Characters of one value: one line and a half of a terminal.
pub(crate) const MAX_TEXT: usize = 120;

/// Looks on to explain.
#[derive(Debug, Default)]
pub struct Explainer {
    kept: Kept,
    done: Vec<Entry>,
    /// What is noted outside of rules.
    notes: Noted,
    /// The definitions that are evaluated, each within the one before.
    open: Vec<Entry>,
    count: usize,
    omitted: usize,
    /// How many definitions within the last open one are not shown.
    muted: usize,
}

#[derive(Debug)]
struct Entry {
    rule: String,
    span: Span,
    names: Names,
    /// Those that only inner blocks bind.
    inner_names: Names,
    /// Where the steps of the body are.
    steps: Steps,
    takes: bool,
    solutions: Vec<Solution>,
    more: usize,
    default: Option<String>,
    /// The condition that is looked at is `every`.
    every: bool,
    /// The condition within `every` that failed last.
    inner: Option<(Span, Vec<Named>)>,
    /// The furthest condition that held.
    held: Option<usize>,
    /// The furthest condition that failed.
    failed: Option<Furthest>,
    /// The same of each case that was begun.
    cases: Vec<Option<Furthest>>,
    reason: Reason,
    notes: Noted,
    asked: Vec<Self>,
}

/// Notes with their places, and how many more there were.
#[derive(Debug, Default)]
struct Noted {
    notes: Vec<(Span, String)>,
    more: usize,
}

/// Variables with their slots.
type Names = Box<[(Slot, Box<str>)]>;

/// A condition that failed: its number, its place, and what it mentions.
type Furthest = (usize, Span, Vec<Named>);

/// The place of a body's steps, to tell them from the steps of inner blocks.
#[derive(Debug, Clone, Copy)]
struct Steps {
    start: usize,
    count: usize,
}

impl Steps {
    fn new(steps: &[Step]) -> Self {
        Self {
            start: steps.as_ptr().addr(),
            count: steps.len(),
        }
    }

    /// The number of a step.
    fn number(self, step: &Step) -> Option<usize> {
        let distance = std::ptr::from_ref(step).addr().checked_sub(self.start)?;
        Some(distance / size_of::<Step>()).filter(|number| *number < self.count)
    }
}

impl Entry {
    fn new(rule: &Rule, definition: &Definition) -> Self {
        Self {
            rule: path_name(&rule.path),
            span: definition.span,
            names: definition.names.clone(),
            inner_names: definition.inner_names.clone(),
            every: false,
            inner: None,
            steps: Steps::new(&definition.body.steps),
            takes: false,
            solutions: Vec::new(),
            more: 0,
            default: None,
            held: None,
            failed: None,
            cases: Vec::new(),
            reason: Reason::Unfinished,
            notes: Noted::default(),
            asked: Vec::new(),
        }
    }

    /// A default that is taken.
    fn fallen_back(rule: &Rule, default: &Fallback, value: &Value) -> Self {
        Self {
            rule: path_name(&rule.path),
            span: default.span,
            names: Box::default(),
            inner_names: Box::default(),
            every: false,
            inner: None,
            steps: Steps::new(&[]),
            takes: true,
            solutions: Vec::new(),
            more: 0,
            default: Some(shown::value(value)),
            held: None,
            failed: None,
            cases: Vec::new(),
            reason: Reason::Value,
            notes: Noted::default(),
            asked: Vec::new(),
        }
    }

    fn left(&mut self) {
        let all = self.steps.count == 0 || self.held == Some(self.steps.count - 1);
        self.reason = match &self.failed {
            _ if !self.takes => Reason::Head,
            _ if all => Reason::Value,
            Some(_) => Reason::Condition,
            None => Reason::Unfinished,
        };
    }
}

impl Explainer {
    /// One that keeps only this.
    pub fn new(kept: Kept) -> Self {
        Self {
            kept,
            ..Self::default()
        }
    }

    /// The definition whose conditions are looked at, if it is shown.
    fn current(&mut self) -> Option<&mut Entry> {
        if self.muted > 0 {
            return None;
        }
        self.open.last_mut()
    }

    /// Whether one more definition is shown.
    fn has_room(&mut self) -> bool {
        let room = self.muted == 0 && self.open.len() < MAX_DEPTH && self.count < MAX_ENTRIES;
        if room {
            self.count += 1;
        } else if self.kept != Kept::Notes {
            self.omitted += 1;
        }
        room
    }

    fn put(&mut self, entry: Entry) {
        if self.kept == Kept::Notes && entry.notes.notes.is_empty() && entry.asked.is_empty() {
            self.count -= 1;
            return;
        }
        let place = match self.open.last_mut() {
            Some(outer) => &mut outer.asked,
            None => &mut self.done,
        };
        place.push(entry);
    }

    /// What was seen, also of an evaluation that ended with an error.
    pub fn explain(mut self, sources: &Sources) -> Explanation {
        while let Some(entry) = self.open.pop() {
            self.put(entry);
        }
        let tried = |entry: Entry| entry.tried(sources);
        let mut explanation = Explanation {
            notes: self.notes.shown(sources),
            rules: self.done.into_iter().map(tried).collect(),
            omitted: self.omitted,
        };
        if self.kept == Kept::Failures {
            explanation.keep_failures();
        }
        explanation
    }
}

impl Observer for Explainer {
    fn tries(&mut self, rule: &Rule, definition: &Definition) {
        if self.has_room() {
            self.open.push(Entry::new(rule, definition));
        } else {
            self.muted += 1;
        }
    }

    fn passes_over(&mut self, rule: &Rule, definition: &Definition, view: View<'_>) {
        if self.kept == Kept::Notes || !self.has_room() {
            return;
        }
        let mut entry = Entry::new(rule, definition);
        entry.reason = Reason::Index;
        if let Some(step) = mentions::unequal(definition, view) {
            let values = mentions::of(step, &entry.names, view);
            entry.failed = Some((0, step.span, values));
        }
        self.put(entry);
    }

    fn takes(&mut self) {
        if let Some(entry) = self.current() {
            entry.takes = true;
        }
    }

    fn looks_at(&mut self, step: &Step) {
        if let Some(entry) = self.current()
            && entry.steps.number(step).is_some()
        {
            entry.every = matches!(step.kind, StepKind::Every(_));
            entry.inner = None;
        }
    }

    fn holds(&mut self, step: &Step) {
        if let Some(entry) = self.current() {
            entry.held = entry.held.max(entry.steps.number(step));
            if begins_case(step) && entry.cases.len() < MAX_CASES {
                entry.cases.push(None);
            }
        }
    }

    fn fails(&mut self, step: &Step, view: View<'_>) {
        let Some(entry) = self.current() else { return };
        let is_every = matches!(step.kind, StepKind::Every(_));
        let Some(number) = entry.steps.number(step) else {
            // Of `every` within `every`, the condition that failed is the innermost.
            if entry.every && (!is_every || entry.inner.is_none()) {
                let names = entry.inner_names.iter().chain(&entry.names);
                let names: Names = names.cloned().collect();
                entry.inner = Some((step.span, mentions::of(step, &names, view)));
            }
            return;
        };
        let inner = entry.inner.take().filter(|_| is_every);
        let is_further = |failed: &Option<Furthest>| {
            failed
                .as_ref()
                .is_none_or(|(furthest, ..)| number > *furthest)
        };
        let of_case = entry.cases.last().is_some_and(is_further);
        let of_all = is_further(&entry.failed);
        if !of_all && !of_case {
            return;
        }
        let (span, values) =
            inner.unwrap_or_else(|| (step.span, mentions::of(step, &entry.names, view)));
        let failed = Some((number, span, values));
        if of_case && let Some(case) = entry.cases.last_mut() {
            case.clone_from(&failed);
        }
        if of_all {
            entry.failed = failed;
        }
    }

    fn yields(&mut self, _rule: &Rule, _definition: &Definition, value: &Value, view: View<'_>) {
        let Some(entry) = self.current() else { return };
        if entry.solutions.len() == MAX_SOLUTIONS {
            entry.more += 1;
            return;
        }
        let named = entry.names.iter().filter_map(|(slot, name)| {
            let value = view
                .slots
                .get(slot.index())
                .filter(|value| is_defined(value))?;
            Some(Named {
                name: name.to_string(),
                value: shown::value(value),
            })
        });
        let values = named.take(MAX_VALUES).collect();
        entry.solutions.push(Solution {
            value: shown::value(value),
            values,
        });
    }

    fn leaves(&mut self, _rule: &Rule, _definition: &Definition) {
        if self.muted > 0 {
            self.muted -= 1;
        } else if let Some(mut entry) = self.open.pop() {
            entry.left();
            self.put(entry);
        }
    }

    fn falls_back(&mut self, rule: &Rule, default: &Fallback, value: &Value) {
        if self.kept != Kept::Notes && self.has_room() {
            self.put(Entry::fallen_back(rule, default, value));
        }
    }

    /// Of a definition that is not shown, notes stand with the one that led to it.
    fn notes(&mut self, text: &str, span: Span) {
        let noted = match self.open.last_mut() {
            Some(entry) => &mut entry.notes,
            None => &mut self.notes,
        };
        if noted.notes.len() < MAX_NOTES {
            noted.notes.push((span, text::clean(text)));
        } else {
            noted.more += 1;
        }
    }
}

impl Noted {
    fn shown(self, sources: &Sources) -> Notes {
        let note = |(span, text)| Note {
            location: sources.location(span),
            text,
        };
        Notes {
            notes: self.notes.into_iter().map(note).collect(),
            omitted: self.more,
        }
    }
}

impl Entry {
    fn tried(self, sources: &Sources) -> Tried {
        let outcome = if let Some(value) = self.default {
            Outcome::Default(value)
        } else if !self.solutions.is_empty() {
            Outcome::Holds {
                solutions: self.solutions,
                omitted: self.more,
            }
        } else {
            let (span, values) = match (self.reason, self.failed) {
                (Reason::Condition | Reason::Index, Some((_, span, values))) => (span, values),
                _ => (self.span, Vec::new()),
            };
            Outcome::Fails(Failed::new(self.reason, span, values, sources))
        };
        let case = |case: Option<Furthest>| {
            let (_, span, values) = case?;
            Some(Failed::new(Reason::Condition, span, values, sources))
        };
        let cases = self.cases.into_iter().map(case).collect();
        let tried = |entry: Self| entry.tried(sources);
        Tried {
            rule: self.rule,
            location: sources.location(self.span),
            outcome,
            notes: self.notes.shown(sources),
            asked: self.asked.into_iter().map(tried).collect(),
            cases,
        }
    }
}

impl Failed {
    fn new(reason: Reason, span: Span, values: Vec<Named>, sources: &Sources) -> Self {
        let excerpt = sources.excerpt(span).unwrap_or_default();
        Self {
            reason,
            location: sources.location(span),
            line: excerpt.line,
            caret: excerpt.carets,
            values,
        }
    }
}

/// Whether a condition begins a case of a test.
fn begins_case(step: &Step) -> bool {
    let StepKind::Test(Term::Call(call)) = &step.kind else {
        return false;
    };
    matches!(call.callee, Callee::Builtin(id) if builtins::name(id) == "internal.test_case")
}
