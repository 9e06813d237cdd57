//! What became of a test.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    Diagnostic, Location,
    rego::{
        execute::{Explanation, Failed, Outcome as Explained, Tried, shown},
        value::{self, Value, json},
    },
};

/// What became of a test.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Whether it passed.
    pub verdict: Verdict,
    /// How long it took.
    pub duration: Duration,
    /// What was printed, line by line.
    pub printed: Vec<String>,
    /// Its cases, by name.
    pub cases: BTreeMap<String, Case>,
    /// Why it failed, of a test without cases.
    pub failure: Option<Failure>,
    /// All that was asked, and why it held or did not hold, of a test that failed.
    pub explanation: Option<Explanation>,
}

/// Whether a test passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It holds.
    Pass,
    /// It does not.
    Fail,
    /// It is not to be run yet.
    Skip,
    /// It could not be evaluated.
    Error(Diagnostic),
}

/// A case of a test, or what cases have in common.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Case {
    /// Whether it, or one within it, does not hold.
    pub fail: bool,
    /// Why it failed.
    pub failure: Option<Failure>,
    /// The cases within it.
    pub cases: BTreeMap<String, Self>,
}

/// The first condition that did not hold, or a value that is not `true`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// A condition.
    Condition(Box<Failed>),
    /// A value, as Rego, of the definition that stands there.
    Value(Location, String),
}

impl Outcome {
    /// Whether it passed, or was skipped.
    pub fn is_good(&self) -> bool {
        matches!(self.verdict, Verdict::Pass | Verdict::Skip)
    }
}

/// What a test with cases makes of its value, and of the cases that were begun.
pub(super) fn cases(
    value: &Value,
    begun: &[Value],
    explanation: Option<&Explanation>,
) -> (bool, BTreeMap<String, Case>) {
    let (mut fail, mut found) = match value {
        Value::Object(_) => members(value),
        _ => (true, BTreeMap::new()),
    };
    let tried = explanation.and_then(|explanation| explanation.rules.first());
    let failed = tried.map_or(&[][..], |tried| &tried.cases[..]);
    for (at, keys) in begun.iter().enumerate() {
        let keys: Vec<String> = value::elements(keys)
            .unwrap_or_default()
            .iter()
            .map(json::key_text)
            .collect();
        let failure = failed.get(at).cloned().flatten();
        fail |= begin(&mut found, &keys, failure.as_ref());
    }
    (fail, found)
}

/// The cases that hold, and those whose value is not `true`.
fn members(value: &Value) -> (bool, BTreeMap<String, Case>) {
    let Value::Object(object) = value else {
        return (false, BTreeMap::new());
    };
    let case = |(key, value): (&Value, &Value)| {
        let case = match value {
            Value::Object(_) => {
                let (fail, cases) = members(value);
                Case {
                    fail,
                    failure: None,
                    cases,
                }
            }
            value => Case {
                fail: !matches!(value, Value::Bool(true) | Value::Null),
                ..Case::default()
            },
        };
        (json::key_text(key), case)
    };
    let cases: BTreeMap<String, Case> = object.iter().map(case).collect();
    (cases.values().any(|case| case.fail), cases)
}

/// A case was begun. If it has no value, it failed. Tells whether it did.
fn begin(cases: &mut BTreeMap<String, Case>, keys: &[String], failure: Option<&Failed>) -> bool {
    let Some((key, rest)) = keys.split_first() else {
        return true;
    };
    let case = cases.entry(key.clone()).or_insert_with(|| Case {
        fail: true,
        ..Case::default()
    });
    if rest.is_empty() {
        if case.fail
            && let Some(failure) = failure
        {
            case.failure = Some(Failure::Condition(Box::new(failure.clone())));
        }
        return case.fail;
    }
    let fail = begin(&mut case.cases, rest, failure);
    case.fail |= fail;
    fail
}

/// Why a test failed: of its definitions that were tried, the first that does not hold, or whose
/// value is not `true`; or else its value, which is an object.
pub(super) fn failure(explanation: &Explanation, value: &Value) -> Option<Failure> {
    let found = explanation.rules.iter().find_map(|tried: &Tried| {
        let location = tried.location.clone();
        match &tried.outcome {
            Explained::Fails(failed) => Some(Failure::Condition(Box::new(failed.clone()))),
            Explained::Default(value) => Some(Failure::Value(location, value.clone())),
            Explained::Holds { solutions, .. } => {
                let value = solutions.first()?.value.clone();
                (value != "true").then_some(Failure::Value(location, value))
            }
        }
    });
    found.or_else(|| {
        let location = explanation.rules.first()?.location.clone();
        Some(Failure::Value(location, shown(value)))
    })
}
