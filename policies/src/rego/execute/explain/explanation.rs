//! What an explanation says.

use serde::Serialize;

use crate::Location;

/// Why rules hold or do not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// What was noted outside of rules.
    #[serde(skip_serializing_if = "Notes::is_empty")]
    pub notes: Notes,
    /// The definitions that were tried, in their order.
    pub rules: Vec<Tried>,
    /// How many more were tried than are shown.
    pub omitted: usize,
}

/// One definition of a rule that was tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tried {
    /// The rule: `data.platform.limits.deny`.
    pub rule: String,
    /// Where the definition begins.
    pub location: Location,
    /// Whether it holds.
    pub outcome: Outcome,
    /// What it noted.
    #[serde(skip_serializing_if = "Notes::is_empty")]
    pub notes: Notes,
    /// The rules that it asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub asked: Vec<Self>,
    /// Of a test with cases, for each that was begun the condition that failed within it, if one
    /// did.
    #[serde(skip)]
    pub cases: Vec<Option<Failed>>,
}

/// Whether a definition holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It holds.
    Holds {
        /// Its solutions, in their order.
        solutions: Vec<Solution>,
        /// How many more there are than are shown.
        omitted: usize,
    },
    /// It does not hold, but the rule has a default with this value.
    Default(String),
    /// It does not hold.
    Fails(Failed),
}

/// One solution of a definition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Solution {
    /// The value that it gives.
    pub value: String,
    /// Its variables.
    pub values: Vec<Named>,
}

/// Why a definition does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failed {
    /// Why.
    pub reason: Reason,
    /// Where that stands.
    pub location: Location,
    /// Its line.
    pub line: String,
    /// Carets, to be put below the line.
    pub caret: String,
    /// What the condition mentions.
    pub values: Vec<Named>,
}

/// Why a definition does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// A condition has no solution.
    Condition,
    /// The arguments, or the keys that were asked for, are not those of its head.
    Head,
    /// All conditions hold, but the value is undefined.
    Value,
    /// It was not tried, since its conditions compare with another value.
    Index,
    /// The evaluation ended before.
    Unfinished,
}

/// A value with what the policy calls it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Named {
    /// A variable, or a path: `c.image`, `input.kind`.
    pub name: String,
    /// The value as Rego, cut; `undefined` where there is none.
    pub value: String,
}

/// What was noted with `trace`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Notes {
    /// The notes, in their order.
    pub notes: Vec<Note>,
    /// How many more there are than are shown.
    pub omitted: usize,
}

/// A note.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Note {
    /// Where it was made.
    pub location: Location,
    /// Its text, cut.
    pub text: String,
}

impl Notes {
    /// Whether nothing was noted.
    pub fn is_empty(&self) -> bool {
        self.notes.is_empty()
    }
}
