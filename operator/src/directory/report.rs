//! What a person is told of a directory: a table of its policies, and what is wrong.

use std::fmt::{self, Write as _};

use portcullis_policies::{Diagnostic, Point, Snapshot, Timestamp, text::clean};

use super::loader::Status;

/// One fault, where it is, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The object or the file: `ClusterPolicy required-labels`, `platform/limits/1.0`.
    pub origin: String,
    /// What is wrong.
    pub diagnostic: Diagnostic,
    /// What is in force in the meantime.
    pub meanwhile: Meanwhile,
}

/// What is in force where something is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meanwhile {
    /// What was in force before.
    LastGood,
    /// A policy that cannot answer and so denies, or a lock that refuses.
    Denies,
    /// Nothing: there was nothing before.
    Nothing,
    /// An exemption that exempts nothing.
    NotExempt,
}

/// One policy in the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// `platform/required_labels@1.0`
    pub address: String,
    /// What a denial does at admission, or `-` where it is not asked.
    pub action: &'static str,
    /// The language's version, or `-` where it is not known.
    pub rego: &'static str,
    /// `in force`, `locked`, `broken`, `out of its window`, `last good`, `superseded by 2.0`.
    pub state: String,
}

/// The table of all policies, as it is printed at the start.
pub fn policy_table(snapshot: &Snapshot, status: &Status, now: Timestamp) -> String {
    let rows: Vec<Row> = rows(snapshot, status, now);
    let width = |field: fn(&Row) -> &str, title: &str| {
        rows.iter()
            .map(|row| field(row).chars().count())
            .chain([title.len()])
            .max()
            .unwrap_or(0)
    };
    let address = width(|row| &row.address, "POLICY");
    let action = width(|row| row.action, "ACTION");
    let rego = width(|row| row.rego, "REGO");
    let mut table = String::new();
    let mut line = |row: &Row| {
        // Writing to a String cannot fail.
        let _ = writeln!(
            table,
            "{:address$}  {:action$}  {:rego$}  {}",
            row.address, row.action, row.rego, row.state
        );
    };
    line(&Row {
        address: "POLICY".to_owned(),
        action: "ACTION",
        rego: "REGO",
        state: "STATE".to_owned(),
    });
    rows.iter().for_each(line);
    table
}

fn rows(snapshot: &Snapshot, status: &Status, now: Timestamp) -> Vec<Row> {
    let row = |entry: &std::sync::Arc<portcullis_policies::Entry>| {
        let definition = entry.policy.definition();
        let stale = status.stale.contains(&entry.object);
        let lock = [Point::Admission, Point::Evaluation]
            .into_iter()
            .find_map(|point| entry.active_lock(point, now));
        let state = match lock {
            _ if let Some(newer) = &entry.superseded_by => {
                format!("superseded by {}", newer.version())
            }
            _ if entry.is_shadow() => match snapshot.pair(entry.address()) {
                Some(pair) => format!("shadow of {}", pair.in_force.address().version()),
                None => "shadow".to_owned(),
            },
            _ if entry.policy.faults().is_some() => "broken: denies".to_owned(),
            Some(lock) => format!("locked by {}", lock.key),
            None if !definition.window.contains(now) => "out of its window".to_owned(),
            None if stale => "in force: last good, the file is broken".to_owned(),
            None => "in force".to_owned(),
        };
        Row {
            address: entry.address().to_string(),
            action: definition
                .admission
                .as_ref()
                .map_or("-", |settings| settings.action.as_str()),
            rego: entry
                .policy
                .rego_version()
                .map_or("-", |version| version.as_str()),
            state,
        }
    };
    snapshot.entries().map(row).collect()
}

/// Text for a terminal: lines as they are, without what a file could forge beside them.
pub fn printable(text: &str) -> String {
    let line = |line: &str| {
        let indent = line.len() - line.trim_start_matches(' ').len();
        format!("{}{}\n", &line[..indent], clean(line))
    };
    text.lines().map(line).collect()
}

/// All that is wrong, one paragraph each.
pub fn problem_table(problems: &[Problem]) -> String {
    let mut text = String::new();
    for problem in problems {
        let _ = writeln!(text, "{problem}");
    }
    printable(&text)
}

impl Meanwhile {
    fn sentence(self) -> &'static str {
        match self {
            Self::LastGood => "the last good state stays in force",
            Self::Denies => "until it is mended, it denies",
            Self::Nothing => "nothing of it is in force",
            Self::NotExempt => "until it is mended, it exempts nothing",
        }
    }
}

impl Problem {
    /// The problem in one line: where, what, and what holds until it is mended.
    pub fn line(&self) -> String {
        let mut fault = self.diagnostic.clone();
        (fault.snippet, fault.remedy) = (None, None);
        let short = Self {
            diagnostic: fault,
            ..self.clone()
        };
        clean(&short.to_string().replace("\n  · ", "; "))
    }
}

/// `platform/limits/1.0: policy.rego:3:7: …`, the line, the remedy, and what holds until then.
impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inside = self.diagnostic.location.as_ref().is_some_and(|place| {
            place.file == self.origin || place.file.starts_with(&format!("{}/", self.origin))
        });
        let named = self
            .diagnostic
            .message
            .starts_with(&format!("{}:", self.origin));
        if !inside && !named {
            write!(formatter, "{}: ", self.origin)?;
        }
        write!(
            formatter,
            "{}\n  · {}",
            self.diagnostic,
            self.meanwhile.sentence()
        )
    }
}
