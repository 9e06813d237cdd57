//! How the cases of some suites went, counted.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::outcome::{Outcome, Reason};
use crate::run::run;
use crate::suite::Located;

/// How many cases were equal, refused, different.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) equal: usize,
    pub(crate) refused: usize,
    pub(crate) different: usize,
}

/// A case that is not equal, by its folder and name, with the reason.
#[derive(Clone, Debug)]
pub(crate) struct Exception<T> {
    pub(crate) folder: String,
    pub(crate) note: String,
    pub(crate) reason: T,
}

/// How the cases of some suites went.
#[derive(Clone, Debug, Default)]
pub(crate) struct Report {
    pub(crate) folders: BTreeMap<String, Counts>,
    pub(crate) refused: Vec<Exception<Reason>>,
    pub(crate) different: Vec<Exception<String>>,
    /// Errors of the right code whose text is not OPA's.
    pub(crate) own_words: usize,
}

impl Report {
    /// Runs all cases.
    pub(crate) fn of(cases: &[Located]) -> Self {
        let mut report = Self::default();
        for located in cases {
            let outcome = catch_unwind(AssertUnwindSafe(|| run(located)))
                .unwrap_or_else(|_| Outcome::Different("panicked".to_owned()));
            report.add(located, outcome);
        }
        report
    }

    fn add(&mut self, located: &Located, outcome: Outcome) {
        let folder = located.folder.clone();
        let note = located.case.note.clone();
        let counts = self.folders.entry(folder.clone()).or_default();
        match outcome {
            Outcome::Equal => counts.equal += 1,
            Outcome::OwnWords => {
                counts.equal += 1;
                self.own_words += 1;
            }
            Outcome::Refused(reason) => {
                counts.refused += 1;
                self.refused.push(Exception {
                    folder,
                    note,
                    reason,
                });
            }
            Outcome::Different(reason) => {
                counts.different += 1;
                self.different.push(Exception {
                    folder,
                    note,
                    reason,
                });
            }
        }
    }

    /// The counts of the folders whose names begin so.
    pub(crate) fn sum(&self, prefix: &str) -> Counts {
        let folders = self.folders.iter();
        let folders = folders.filter(|(folder, _)| folder.starts_with(prefix));
        folders.fold(Counts::default(), |sum, (_, counts)| Counts {
            equal: sum.equal + counts.equal,
            refused: sum.refused + counts.refused,
            different: sum.different + counts.different,
        })
    }

    /// Cases that are refused although every function that they need is here.
    pub(crate) fn of_our_own(&self) -> impl Iterator<Item = &Exception<Reason>> {
        let refused = self.refused.iter();
        refused.filter(|exception| exception.reason.missing().is_empty())
    }

    /// The functions that are refused.
    pub(crate) fn functions(&self) -> BTreeSet<&str> {
        let reasons = self.refused.iter().map(|exception| &exception.reason);
        let functions = reasons.filter_map(|reason| match reason {
            Reason::Functions(functions) => Some(functions.keys()),
            Reason::Other(_) => None,
        });
        functions.flatten().map(String::as_str).collect()
    }

    /// For people: a line a folder, or only the sums, and what is different.
    pub(crate) fn text(&self, name: &str, by_folder: bool, with_refused: bool) -> String {
        let mut text = String::new();
        let line = |text: &mut String, name: &str, counts: &Counts| {
            let Counts {
                equal,
                refused,
                different,
            } = counts;
            let _ = writeln!(text, "{name:<48} {equal:>7} {refused:>8} {different:>10}");
        };
        let _ = writeln!(
            text,
            "{name:<48} {:>7} {:>8} {:>10}",
            "equal", "refused", "different"
        );
        if by_folder {
            for (folder, counts) in &self.folders {
                line(&mut text, folder, counts);
            }
        }
        for version in ["v0", "v1"] {
            if self
                .folders
                .keys()
                .any(|folder| folder.starts_with(version))
            {
                line(&mut text, version, &self.sum(version));
            }
        }
        line(&mut text, "all", &self.sum(""));
        if with_refused {
            for exception in &self.refused {
                let Exception {
                    folder,
                    note,
                    reason,
                } = exception;
                let _ = writeln!(text, "refused {folder}: {note}: {reason}");
            }
        }
        for exception in &self.different {
            let Exception {
                folder,
                note,
                reason,
            } = exception;
            let _ = writeln!(text, "different {folder}: {note}: {reason}");
        }
        text
    }
}
