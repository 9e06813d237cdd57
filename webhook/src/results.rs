//! Results that callers asked to be kept for a while, to be fetched by the id of their evaluation.
//!
//! Only who asks for it takes the lock: an evaluation without `x-cache-ttl` comes nowhere near.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use axum::body::Bytes;
use portcullis_policies::{Address, Timestamp};

/// Longest time that a result is kept: who needs it longer keeps it.
pub(crate) const LONGEST: Duration = Duration::from_hours(24);

/// Largest result that is kept, in bytes of JSON: a DID document or a credential has some KiB.
pub const MAX_RESULT: usize = 1 << 20;

/// Bytes of all results together: a small part of what a replica needs for its policies.
const ALL_RESULTS: usize = 32 << 20;

/// Results at a time. With what is noted of each, ten thousand take some MiB beside their texts.
const MOST: usize = 10_000;

/// The results that are kept.
#[derive(Debug, Default)]
pub(crate) struct Results(Mutex<Shelf>);

#[derive(Debug, Default)]
struct Shelf {
    by_id: HashMap<Arc<str>, Kept>,
    by_end: BTreeSet<(Instant, Arc<str>)>,
    bytes: usize,
}

/// A result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    /// The policy that it is of.
    pub(crate) policy: Address,
    /// Its JSON.
    pub(crate) body: Bytes,
    /// Whether its caller named it, so that another replica may keep one of the same name.
    pub(crate) is_named: bool,
    /// When it was made, by the clock that replicas share.
    pub(crate) at: Timestamp,
    /// Until when it is kept.
    pub(crate) end: Instant,
}

impl Results {
    /// Keeps a result, in the place of an older one of the same policy and id, and of those that end
    /// soonest where there is no room. Not one that is too large, nor one whose id names a result of
    /// another policy. Whether it is kept.
    pub(crate) fn keep(&self, id: &Arc<str>, result: Kept, now: Instant) -> bool {
        if result.body.len() > MAX_RESULT || result.end <= now {
            return false;
        }
        let mut shelf = self.lock();
        shelf.forget_until(now);
        if shelf
            .by_id
            .get(id)
            .is_some_and(|other| other.policy != result.policy)
        {
            return false;
        }
        shelf.remove(id);
        while shelf.by_id.len() >= MOST || shelf.bytes + result.body.len() > ALL_RESULTS {
            let Some((_, soonest)) = shelf.by_end.first().cloned() else {
                return false;
            };
            shelf.remove(&soonest);
        }
        shelf.insert(id.clone(), result);
        true
    }

    /// What is kept under an id.
    pub(crate) fn find(&self, id: &str, now: Instant) -> Option<Kept> {
        let mut shelf = self.lock();
        shelf.forget_until(now);
        shelf.by_id.get(id).cloned()
    }

    /// How many are kept, and their bytes; those that have ended among them until somebody asks.
    pub(crate) fn size(&self) -> (usize, usize) {
        let shelf = self.lock();
        (shelf.by_id.len(), shelf.bytes)
    }

    /// A writer that panicked left whole results behind.
    fn lock(&self) -> MutexGuard<'_, Shelf> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shelf {
    fn insert(&mut self, id: Arc<str>, kept: Kept) {
        self.bytes += kept.body.len();
        self.by_end.insert((kept.end, id.clone()));
        self.by_id.insert(id, kept);
    }

    fn remove(&mut self, id: &Arc<str>) {
        if let Some(kept) = self.by_id.remove(id) {
            self.bytes -= kept.body.len();
            self.by_end.remove(&(kept.end, id.clone()));
        }
    }

    fn forget_until(&mut self, now: Instant) {
        while let Some((end, id)) = self.by_end.first().cloned()
            && end <= now
        {
            self.remove(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn policy(name: &str) -> Address {
        format!("a/{name}@1").parse().unwrap()
    }

    fn keep(results: &Results, id: &str, name: &str, bytes: usize, seconds: (u64, u64)) -> bool {
        let result = Kept {
            policy: policy(name),
            body: Bytes::from(vec![b' '; bytes]),
            is_named: true,
            at: Timestamp::UNIX_EPOCH,
            end: at(seconds.1),
        };
        results.keep(&id.into(), result, at(seconds.0))
    }

    fn at(second: u64) -> Instant {
        static BEGIN: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
        *BEGIN.get_or_init(Instant::now) + Duration::from_secs(second)
    }

    #[test]
    fn is_kept_until_its_end() {
        let results = Results::default();
        assert!(keep(&results, "id", "b", 3, (0, 10)));
        assert_eq!(results.find("id", at(9)).unwrap().body.len(), 3);
        assert!(results.find("id", at(10)).is_none());
        assert_eq!(results.lock().bytes, 0);
    }

    #[test]
    fn the_id_of_another_policys_result_is_left_alone() {
        let results = Results::default();
        assert!(keep(&results, "id", "b", 3, (0, 10)));
        assert!(!keep(&results, "id", "c", 4, (0, 10)));
        assert!(keep(&results, "id", "b", 5, (0, 10)));
        assert_eq!(results.find("id", at(1)).unwrap().body.len(), 5);
        assert!(keep(&results, "id", "c", 4, (10, 20)));
    }

    #[test]
    fn what_ends_soonest_makes_room() {
        let results = Results::default();
        assert!(!keep(&results, "large", "b", MAX_RESULT + 1, (0, 10)));
        for number in 0..ALL_RESULTS / MAX_RESULT {
            let end = 100 - u64::try_from(number).unwrap();
            assert!(keep(
                &results,
                &number.to_string(),
                "b",
                MAX_RESULT,
                (0, end)
            ));
        }
        assert!(keep(&results, "one more", "b", 1, (0, 5)));
        assert!(results.find("31", at(1)).is_none());
        assert!(results.find("0", at(1)).is_some());
    }

    proptest! {
        #[test]
        fn is_bounded_and_counts_what_it_holds(steps in proptest::collection::vec((0..50_u8, 0..2 * MAX_RESULT, 0..20_u64), 0..80)) {
            let results = Results::default();
            for (now, (id, bytes, life)) in steps.into_iter().enumerate() {
                let now = now as u64 / 4;
                keep(&results, &id.to_string(), "b", bytes, (now, now + life));
                let shelf = results.lock();
                prop_assert!(shelf.bytes <= ALL_RESULTS && shelf.by_id.len() <= MOST);
                prop_assert_eq!(shelf.by_id.len(), shelf.by_end.len());
                let sum: usize = shelf.by_id.values().map(|kept| kept.body.len()).sum();
                prop_assert_eq!(shelf.bytes, sum);
            }
        }
    }
}
