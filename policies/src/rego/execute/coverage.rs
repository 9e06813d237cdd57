//! Which conditions and rules of a policy an evaluation has looked at.
//!
//! As in `opa test --coverage`, a condition is covered when it has been looked at, whether it held or
//! not, the head of a rule when the rule has held, and both when they stand within a place that is
//! covered. `some … in` is covered, or not counted at all.
//!
//! The lines are those of `opa test --coverage`, but for these:
//!
//! - A definition that an index leaves out is not covered, and OPA has other indexes.
//! - A condition that is a constant other than `false` is not there.
//! - A value that is computed in a rule's head is no condition of its own, only the rule is.
//! - Of parts that OPA evaluates one by one, such as `data.a[0] = x` where there is nothing at
//!   `data.a`, all are covered when the condition has been looked at.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use serde::Serialize;

use super::{Observer, View};
use crate::rego::{
    plan::{
        ir::{Definition, Fallback, Plan, Rule, Step},
        visit,
    },
    source::{Sources, Span},
    value::Value,
};

/// Which conditions have been looked at, and which rules have held.
#[derive(Debug, Clone, Default)]
pub struct Coverage {
    /// Where they stand.
    pub covered: BTreeSet<Span>,
}

impl Observer for Coverage {
    fn looks_at(&mut self, step: &Step) {
        self.covered.insert(step.span);
    }

    fn yields(&mut self, _rule: &Rule, definition: &Definition, _value: &Value, _view: View<'_>) {
        self.covered.insert(definition.span);
    }

    fn falls_back(&mut self, _rule: &Rule, default: &Fallback, _value: &Value) {
        self.covered.insert(default.span);
    }
}

/// What is covered of each file, in the form of OPA's report.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// By the files' names.
    pub files: BTreeMap<String, FileReport>,
    /// Lines on which something is covered.
    pub covered_lines: usize,
    /// Lines on which something is not covered.
    pub not_covered_lines: usize,
    /// The share of covered lines, in percent; 0 where there is nothing to be covered.
    #[serde(serialize_with = "as_go")]
    pub coverage: f64,
}

/// What is covered of one file.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct FileReport {
    /// Places that are covered.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub covered: Vec<Range>,
    /// Places that are not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_covered: Vec<Range>,
    /// Lines on which something is covered.
    #[serde(skip_serializing_if = "is_zero")]
    pub covered_lines: usize,
    /// Lines on which something is not covered.
    #[serde(skip_serializing_if = "is_zero")]
    pub not_covered_lines: usize,
    /// The share of covered lines, in percent.
    #[serde(serialize_with = "as_go", skip_serializing_if = "is_nothing")]
    pub coverage: f64,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "this is what serde calls"
)]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "this is what serde calls"
)]
fn is_nothing(share: &f64) -> bool {
    *share <= 0.0
}

/// As Go writes it: without a fraction where there is none.
#[expect(
    clippy::trivially_copy_pass_by_ref,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "this is what serde calls; a share is between 0 and 100"
)]
fn as_go<S: serde::Serializer>(share: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    if share.fract() == 0.0 {
        serializer.serialize_u8(*share as u8)
    } else {
        serializer.serialize_f64(*share)
    }
}

/// A place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Range {
    /// Where it begins.
    pub start: Position,
    /// Where it ends.
    pub end: Position,
}

/// A row and a column, from one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Position {
    /// The line.
    pub row: u32,
    /// The column, in characters.
    pub col: u32,
}

impl Coverage {
    /// Adds what another evaluation has looked at.
    pub fn add(&mut self, other: Self) {
        self.covered.extend(other.covered);
    }

    /// What is covered of the files of a plan.
    pub fn report(&self, plan: &Plan, sources: &Sources) -> Report {
        let mut spans = BTreeSet::new();
        for rule in &plan.rules {
            if let Some(default) = &rule.default {
                spans.insert(default.span);
            }
            for definition in &rule.definitions {
                visit::definitions(definition, &mut |one| {
                    spans.insert(one.span);
                    visit::steps(one, &mut |step| {
                        spans.insert(step.span);
                    });
                });
            }
        }
        let mut files: BTreeMap<String, FileReport> = BTreeMap::new();
        // Those that begin first, and of these the longest, come first: what contains a place was
        // seen before it.
        let mut spans: Vec<Span> = spans.into_iter().collect();
        spans.sort_by_key(|span| (span.file, span.start, Reverse(span.end)));
        let mut covered_to = None;
        let mut declared_to = None;
        for span in spans {
            // What the compiler added stands nowhere, and the shared library has tests of its own.
            if span.start == span.end || sources.is_shared(span.file) {
                continue;
            }
            let within = covered_to.is_some_and(|(file, end)| file == span.file && span.end <= end);
            let covered = within || self.covered.contains(&span);
            if covered && !within {
                covered_to = Some((span.file, span.end));
            }
            if is_declaration(sources.slice(span)) {
                declared_to = Some((span.file, span.end));
            }
            // OPA does not count declarations that were not reached.
            let declared =
                declared_to.is_some_and(|(file, end)| file == span.file && span.end <= end);
            if declared && !covered {
                continue;
            }
            let report = files.entry(sources.name(span.file).to_owned()).or_default();
            let list = if covered {
                &mut report.covered
            } else {
                &mut report.not_covered
            };
            list.push(range(sources, span));
        }
        let (mut covered, mut not_covered) = (0, 0);
        for report in files.values_mut() {
            report.covered_lines = lines(&report.covered);
            report.not_covered_lines = lines(&report.not_covered);
            report.coverage = percent(report.covered_lines, report.not_covered_lines);
            covered += report.covered_lines;
            not_covered += report.not_covered_lines;
        }
        Report {
            files,
            covered_lines: covered,
            not_covered_lines: not_covered,
            coverage: percent(covered, not_covered),
        }
    }
}

/// `some … in …`
fn is_declaration(text: &str) -> bool {
    text.strip_prefix("some")
        .is_some_and(|rest| rest.starts_with(char::is_whitespace))
}

fn range(sources: &Sources, span: Span) -> Range {
    let position = |at: u32| {
        let (row, col) = sources.line_column(Span {
            start: at,
            end: at,
            ..span
        });
        Position { row, col }
    };
    Range {
        start: position(span.start),
        end: position(span.end),
    }
}

fn lines(ranges: &[Range]) -> usize {
    let rows = ranges
        .iter()
        .flat_map(|range| range.start.row..=range.end.row);
    rows.collect::<BTreeSet<u32>>().len()
}

#[expect(
    clippy::cast_precision_loss,
    reason = "there are fewer lines than 2^52"
)]
fn percent(covered: usize, not_covered: usize) -> f64 {
    let all = covered + not_covered;
    if all == 0 {
        return 0.0;
    }
    100.0 * covered as f64 / all as f64
}
