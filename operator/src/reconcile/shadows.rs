//! What the replicas tell of shadows, joined. Pure.

use std::{cmp::Reverse, collections::BTreeMap};

use portcullis_crds::{ShadowExample, ShadowStatus};
use serde::{Deserialize, Deserializer};

/// Examples that a status shows: as many as each replica keeps.
const EXAMPLES: usize = 20;

/// A policy by its namespace and its address, as replicas tell it.
type Key = (Option<String>, String);

/// How often a shadow differs at a replica.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ShadowCounts {
    /// The version that it is compared with.
    pub(super) compares: String,
    compared: i64,
    missed: i64,
    stricter: i64,
    looser: i64,
    failed: i64,
    messages: i64,
}

/// On which requests the shadows of a replica differ.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Examples(BTreeMap<(Key, String), Vec<ShadowExample>>);

#[derive(Deserialize)]
struct Report {
    shadows: Vec<Differing>,
}

#[derive(Deserialize)]
struct Differing {
    address: String,
    namespace: Option<String>,
    compares: String,
    examples: Vec<ShadowExample>,
}

impl ShadowCounts {
    fn differing(&self) -> i64 {
        let kinds = [self.stricter, self.looser, self.failed, self.messages];
        kinds.into_iter().fold(0, i64::saturating_add)
    }

    /// Whether there is a request on which it differs.
    pub(super) fn differs(&self) -> bool {
        self.differing() > 0
    }
}

impl Examples {
    /// Those of a shadow that is compared with a version.
    pub(super) fn of(&self, shadow: &Key, version: &str) -> &[ShadowExample] {
        let key = (shadow.clone(), version.to_owned());
        self.0.get(&key).map_or(&[], Vec::as_slice)
    }
}

impl<'de> Deserialize<'de> for Examples {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let report = Report::deserialize(deserializer)?;
        let shadows = report.shadows.into_iter().map(|shadow| {
            let key = (shadow.namespace, shadow.address);
            ((key, shadow.compares), shadow.examples)
        });
        Ok(Self(shadows.collect()))
    }
}

/// What replicas tell of a shadow that is compared with a version: the sums, and the newest examples.
/// It is not said when they told it.
pub(super) fn joined<'t>(
    version: &str,
    told: impl Iterator<Item = (&'t ShadowCounts, &'t [ShadowExample])>,
) -> ShadowStatus {
    let mut status = ShadowStatus {
        compares: version.to_owned(),
        ..ShadowStatus::default()
    };
    for (counts, examples) in told {
        for (sum, count) in [
            (&mut status.compared, counts.compared),
            (&mut status.differing, counts.differing()),
            (&mut status.stricter, counts.stricter),
            (&mut status.looser, counts.looser),
            (&mut status.failed, counts.failed),
            (&mut status.messages, counts.messages),
            (&mut status.missed, counts.missed),
        ] {
            *sum = sum.saturating_add(count);
        }
        status.examples.extend_from_slice(examples);
    }
    // Times of one form and one zone, so that their texts are in their order.
    status
        .examples
        .sort_by(|left, right| Reverse(&left.time).cmp(&Reverse(&right.time)));
    status.examples.truncate(EXAMPLES);
    status
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn sums_and_keeps_the_newest() {
        let counts = |compared, stricter| ShadowCounts {
            compared,
            stricter,
            missed: 1,
            ..ShadowCounts::default()
        };
        let examples = |minutes: std::ops::Range<u8>| {
            let example = |minute| ShadowExample {
                time: format!("2026-11-30T12:{minute:02}:00Z"),
                ..ShadowExample::default()
            };
            minutes.map(example).collect::<Vec<_>>()
        };
        let (first, second) = (counts(10, 2), counts(i64::MAX, 1));
        let (old, new) = (examples(0..15), examples(10..25));
        let joined = joined("1.0", [(&first, &*old), (&second, &*new)].into_iter());
        assert_eq!(
            (joined.compared, joined.differing, joined.missed),
            (i64::MAX, 3, 2)
        );
        assert_eq!(joined.examples.len(), EXAMPLES);
        assert_eq!(joined.examples[0].time, "2026-11-30T12:24:00Z");
        assert_eq!(joined.examples[19].time, "2026-11-30T12:10:00Z");
    }

    #[test]
    fn reads_what_a_replica_tells() {
        let told = json!({"shadows": [{
            "address": "a/b@2", "namespace": "team", "compares": "1",
            "examples": [{
                "time": "2026-11-30T12:00:00Z", "request": "CREATE pods team/web", "user": "jane",
                "difference": "stricter", "inForce": "allowed", "shadow": "denied: X: no",
            }],
        }]});
        let examples: Examples = serde_json::from_value(told).unwrap();
        let key = (Some("team".to_owned()), "a/b@2".to_owned());
        assert_eq!(examples.of(&key, "1")[0].shadow, "denied: X: no");
        assert!(examples.of(&key, "2").is_empty());
        let (_, address) = key;
        assert!(examples.of(&(None, address), "1").is_empty());
    }
}
