//! One row of the table: an entry, and what became of it.

use std::time::Duration;

use serde::Serialize;

use super::{Entry, neighbour::Heard};

/// How often its budget an entry may take.
const TIMES: u32 = 2;

/// What an entry may take beyond that: the machine runs other things as well, and an evaluation of a
/// few milliseconds can wait for a processor for longer than it takes.
const GRACE: Duration = Duration::from_millis(500);

/// What became of an entry.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    /// `family/name`
    pub entry: String,
    /// What it tries.
    pub about: String,
    /// The outcomes that are right.
    pub expected: Vec<String>,
    /// The outcome.
    pub outcome: String,
    /// The time that it may take.
    pub budget_ms: f64,
    /// The time that it took.
    pub time_ms: f64,
    /// The most memory of the process meanwhile.
    pub peak_mib: f64,
    /// What the process had before.
    pub before_mib: f64,
    /// What the neighbour waited in the middle, meanwhile.
    pub neighbour_p50_ms: f64,
    /// What the neighbour waited at worst, but for one in a hundred.
    pub neighbour_p99_ms: f64,
    /// What is wrong with it.
    pub fault: Option<String>,
}

/// What was measured of an entry.
#[derive(Clone, Debug)]
pub struct Measured {
    /// The outcome.
    pub outcome: String,
    /// What it printed.
    pub printed: String,
    /// The time that it took.
    pub time: Duration,
    /// The most memory of the process meanwhile, in bytes.
    pub peak: u64,
    /// What the process had before.
    pub before: u64,
    /// What the neighbour waited.
    pub neighbour: Heard,
}

impl Row {
    /// Compares what was measured with what was expected.
    pub fn new(entry: &Entry, measured: &Measured) -> Self {
        let Measured { outcome, time, .. } = measured;
        let said = entry.says.as_deref().unwrap_or_default();
        let fault = if !is_expected(entry, outcome) {
            Some(format!("not {}", entry.expected.join(" or ")))
        } else if !measured.printed.contains(said) {
            Some(format!("it does not say `{said}`"))
        } else if *time > TIMES * entry.budget + GRACE {
            Some(format!("more than {TIMES} times its budget"))
        } else if measured.neighbour.failures > 0 {
            let reason = measured.neighbour.reason.as_deref().unwrap_or_default();
            Some(format!("the neighbour: {reason}"))
        } else {
            None
        };
        Self {
            entry: entry.title(),
            about: entry.about.clone(),
            expected: entry.expected.clone(),
            outcome: outcome.clone(),
            budget_ms: milliseconds(entry.budget),
            time_ms: milliseconds(*time),
            peak_mib: mebibytes(measured.peak),
            before_mib: mebibytes(measured.before),
            neighbour_p50_ms: milliseconds(measured.neighbour.latencies.percentile(50)),
            neighbour_p99_ms: milliseconds(measured.neighbour.latencies.percentile(99)),
            fault,
        }
    }
}

/// Limits of one evaluation: which of them comes first depends on how fast the machine is.
const LIMITS: [&str; 2] = ["POLICY.TIMEOUT", "POLICY.MEMORY_EXCEEDED"];

fn is_expected(entry: &Entry, outcome: &String) -> bool {
    let is_limit = |outcome: &String| LIMITS.contains(&outcome.as_str());
    entry.expected.contains(outcome) || is_limit(outcome) && entry.expected.iter().any(is_limit)
}

/// To a hundredth.
pub fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e5).round() / 100.0
}

/// To a tenth.
fn mebibytes(bytes: u64) -> f64 {
    let tenths = (bytes * 10) >> 20;
    f64::from(u32::try_from(tenths).unwrap_or(u32::MAX)) / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hostile::entry::Question;

    fn fault(outcome: &str, printed: &str, milliseconds: u64) -> Option<String> {
        let entry = Entry {
            family: "a".to_owned(),
            name: "b".to_owned(),
            about: "Tries c.".to_owned(),
            expected: vec!["denied".to_owned(), "POLICY.TIMEOUT".to_owned()],
            says: Some("word".to_owned()),
            budget: Duration::from_secs(1),
            question: Question::Command(Vec::new()),
            files: Vec::new(),
        };
        let measured = Measured {
            outcome: outcome.to_owned(),
            printed: printed.to_owned(),
            time: Duration::from_millis(milliseconds),
            peak: 0,
            before: 0,
            neighbour: Heard::default(),
        };
        Row::new(&entry, &measured).fault
    }

    #[test]
    fn an_entry_has_its_outcome_in_time() {
        assert_eq!(fault("denied", "a word", 10), None);
        assert_eq!(fault("POLICY.TIMEOUT", "words", 2_500), None);
        assert_eq!(fault("POLICY.MEMORY_EXCEEDED", "a word", 10), None);
        let not = Some("not denied or POLICY.TIMEOUT".to_owned());
        assert_eq!(fault("allowed", "a word", 10), not);
        let late = Some("more than 2 times its budget".to_owned());
        assert_eq!(fault("denied", "a word", 2_501), late);
        let silent = Some("it does not say `word`".to_owned());
        assert_eq!(fault("denied", "", 10), silent);
    }
}
