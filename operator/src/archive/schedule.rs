//! An archive that is fetched periodically, and how far it has come.

use std::time::Duration;

use portcullis_policies::{Address, Scope, Timestamp};
use portcullis_webhook::ScheduledImport;
use serde::{Deserialize, Serialize};

/// Most archives that are fetched: a repository of policies has some dozens.
pub(crate) const MAX_SCHEDULES: usize = 100;

/// The first wait after a failure, which doubles until it is the interval.
const SHORTEST: Duration = Duration::from_mins(1);

/// An archive that is fetched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Schedule {
    /// The name of its object, in a cluster.
    #[serde(skip)]
    pub(crate) object: String,
    pub(crate) url: String,
    /// In whole seconds.
    pub(crate) interval_seconds: u64,
    #[serde(default)]
    pub(crate) outcome: Outcome,
}

/// What became of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Outcome {
    /// When it was tried last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) attempted: Option<Timestamp>,
    /// When it was imported last, or found to be the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) succeeded: Option<Timestamp>,
    /// `group/name@version` of the policy that came of it last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) policy: Option<String>,
    /// Its digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) digest: Option<String>,
    /// What the server called the archive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tag: Option<String>,
    /// Why the last attempt failed, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) failure: Option<String>,
    /// Attempts that failed since the last one that did not.
    #[serde(default)]
    pub(crate) failures: u32,
}

impl Schedule {
    pub(crate) fn interval(&self) -> Duration {
        Duration::from_secs(self.interval_seconds)
    }

    /// When it is to be fetched; at once where it never was.
    pub(crate) fn due(&self) -> Timestamp {
        let Some(attempted) = self.outcome.attempted else {
            return Timestamp::UNIX_EPOCH;
        };
        let wait = match self.outcome.failures {
            0 => self.interval(),
            failures => backoff(failures).min(self.interval()),
        };
        // Beyond the end of time it is not fetched any more.
        attempted.saturating_add(wait).unwrap_or(Timestamp::MAX)
    }
}

impl Outcome {
    /// The same, after an attempt that failed. What was imported stays.
    pub(crate) fn failed(self, now: Timestamp, why: String) -> Self {
        Self {
            attempted: Some(now),
            failures: self.failures.saturating_add(1),
            failure: Some(why),
            ..self
        }
    }

    /// The same, after an attempt that found what there is.
    pub(crate) fn unchanged(self, now: Timestamp) -> Self {
        Self {
            attempted: Some(now),
            succeeded: Some(now),
            failure: None,
            failures: 0,
            ..self
        }
    }
}

/// The wait after so many failures.
fn backoff(failures: u32) -> Duration {
    let doubled = 1_u32.checked_shl(failures - 1).unwrap_or(u32::MAX);
    SHORTEST.saturating_mul(doubled)
}

impl From<Schedule> for ScheduledImport {
    fn from(schedule: Schedule) -> Self {
        let next = schedule.outcome.attempted.map(|_| schedule.due());
        let outcome = &schedule.outcome;
        let address = outcome.policy.as_deref().and_then(|text| {
            let address: Option<Address> = text.parse().ok();
            address.filter(|address| *address.scope() == Scope::Cluster)
        });
        Self {
            interval: schedule.interval(),
            next,
            address,
            digest: schedule.outcome.digest,
            succeeded: schedule.outcome.succeeded,
            failure: schedule.outcome.failure,
            failures: schedule.outcome.failures,
            url: schedule.url,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(None, 0, 0)]
    #[case(Some(1_000), 0, 1_000 + 3_600)]
    #[case(Some(1_000), 1, 1_000 + 60)]
    #[case(Some(1_000), 2, 1_000 + 120)]
    #[case(Some(1_000), 6, 1_000 + 1_920)]
    #[case(Some(1_000), 7, 1_000 + 3_600)]
    #[case(Some(1_000), 4_000_000, 1_000 + 3_600)]
    fn what_fails_is_tried_sooner_and_never_later_than_usual(
        #[case] attempted: Option<i64>,
        #[case] failures: u32,
        #[case] expected: i64,
    ) {
        let schedule = Schedule {
            object: String::new(),
            url: String::new(),
            interval_seconds: 3_600,
            outcome: Outcome {
                attempted: attempted.map(|second| Timestamp::from_second(second).unwrap()),
                failures,
                ..Outcome::default()
            },
        };
        assert_eq!(schedule.due().as_second(), expected);
    }
}
