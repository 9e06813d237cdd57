//! How far a document has come, and when it is asked for next. Pure.

use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    time::Duration,
};

use portcullis_policies::Timestamp;

/// The first wait after a failure, which doubles until it is the period: a server that starts together
/// with its policy is there soon.
const SHORTEST: Duration = Duration::from_secs(5);

/// What became of the attempts at one document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Attempts {
    /// When it was tried last.
    pub(crate) attempted: Option<Timestamp>,
    /// When it was fetched last, or found to be the same.
    pub(crate) fetched: Option<Timestamp>,
    /// Bytes of the document.
    pub(crate) size: Option<usize>,
    /// What the server calls it.
    pub(crate) tag: Option<String>,
    /// Why the last attempt failed, if it did.
    pub(crate) failure: Option<String>,
    /// Attempts that failed since the last one that did not.
    pub(crate) failures: u32,
}

impl Attempts {
    /// When it is asked for: at once where it never was, or by a clock that was ahead of this one.
    pub(super) fn due(&self, name: &str, period: Duration, now: Timestamp) -> Timestamp {
        let Some(attempted) = self.attempted.filter(|attempted| *attempted <= now) else {
            return Timestamp::UNIX_EPOCH;
        };
        let wait = match self.failures {
            0 => period,
            failures => scattered(doubled(failures), name, failures).min(period),
        };
        attempted.saturating_add(wait).unwrap_or(Timestamp::MAX)
    }

    /// The same, after an attempt that brought a document.
    pub(super) fn succeeded(self, now: Timestamp, size: usize, tag: Option<String>) -> Self {
        Self {
            size: Some(size),
            tag,
            ..self.unchanged(now)
        }
    }

    /// The same, after an attempt that found what there is.
    pub(super) fn unchanged(self, now: Timestamp) -> Self {
        Self {
            attempted: Some(now),
            fetched: Some(now),
            failure: None,
            failures: 0,
            ..self
        }
    }

    /// The same, after an attempt that failed. What was fetched stays.
    pub(super) fn failed(self, now: Timestamp, why: String) -> Self {
        Self {
            attempted: Some(now),
            failures: self.failures.saturating_add(1),
            failure: Some(why),
            ..self
        }
    }
}

fn doubled(failures: u32) -> Duration {
    let factor = 1_u32.checked_shl(failures - 1).unwrap_or(u32::MAX);
    SHORTEST.saturating_mul(factor)
}

/// Between the half and the whole of a wait, so that what failed together does not come back together.
/// A name and a number of failures give the same part each time: whoever looks again waits no longer.
fn scattered(wait: Duration, name: &str, failures: u32) -> Duration {
    let mut hasher = DefaultHasher::new();
    (name, failures).hash(&mut hasher);
    let part = u32::try_from(hasher.finish() % 1_000).unwrap_or_default();
    wait / 2 + wait / 2 * part / 1_000
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const NAME: &str = "data-0123";

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[rstest]
    #[case::never_asked(None, 0, 0..=0)]
    #[case::fetched(Some(1_000), 0, 1_300..=1_300)]
    #[case::failed_once(Some(1_000), 1, 1_002..=1_005)]
    #[case::failed_twice(Some(1_000), 2, 1_005..=1_010)]
    #[case::failed_often(Some(1_000), 5, 1_040..=1_080)]
    #[case::away(Some(1_000), 40, 1_300..=1_300)]
    #[case::for_ever(Some(1_000), u32::MAX, 1_300..=1_300)]
    #[case::by_a_clock_that_was_ahead(Some(100_000), 0, 0..=0)]
    fn a_failure_is_tried_again_sooner_and_never_later_than_usual(
        #[case] attempted: Option<i64>,
        #[case] failures: u32,
        #[case] expected: std::ops::RangeInclusive<i64>,
    ) {
        let attempts = Attempts {
            attempted: attempted.map(at),
            failures,
            ..Attempts::default()
        };
        let due = attempts.due(NAME, Duration::from_mins(5), at(2_000));
        assert!(expected.contains(&due.as_second()), "{due}");
    }

    #[test]
    fn what_failed_together_does_not_come_back_together() {
        let names = (0..100).map(|number| format!("data-{number}"));
        let waits = names.map(|name| scattered(Duration::from_secs(100), &name, 1).as_secs());
        let waits: std::collections::BTreeSet<_> = waits.collect();
        assert!(waits.len() > 30, "{waits:?}");
        assert!(
            waits.iter().all(|wait| (50..=100).contains(wait)),
            "{waits:?}"
        );
    }

    #[test]
    fn a_failure_takes_nothing_away() {
        let fetched = Attempts::default().succeeded(at(1), 2, Some("\"a\"".to_owned()));
        let failed = fetched.clone().failed(at(5), "away".to_owned());
        assert_eq!((failed.fetched, failed.size), (Some(at(1)), Some(2)));
        assert_eq!(failed.tag, fetched.tag);
        let again = failed.unchanged(at(9));
        assert_eq!((again.failures, again.failure), (0, None));
        assert_eq!(again.fetched, Some(at(9)));
    }
}
