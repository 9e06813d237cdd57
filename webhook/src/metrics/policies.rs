//! What the cache holds: policies, locks, exemptions; and what is kept beside it.

use std::fmt;

use portcullis_policies::{Entry, Lock, Point, Timestamp, memory};
use prometheus_client::encoding::DescriptorEncoder;

use super::{count_of, encode_gauge};
use crate::Doors;

pub(super) fn encode(doors: &Doors, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    const POINTS: [Point; 2] = [Point::Admission, Point::Evaluation];
    let snapshot = doors.snapshot_so_far();
    let count = |holds: &dyn Fn(&Entry) -> bool| {
        count_of(snapshot.entries().filter(|entry| holds(entry)).count())
    };
    let now = Timestamp::now();
    let is_locked = |entry: &Entry| {
        let mut points = POINTS.into_iter();
        points.any(|point| entry.active_lock(point, now).is_some())
    };
    let is_active = |lock: &Lock| POINTS.into_iter().any(|point| lock.holds(point, now));
    let active = snapshot.locks().iter().filter(|lock| is_active(lock));
    let (results, result_bytes) = doors.results().size();
    let gauges = [
        (
            "portcullis_policies",
            "Policies, broken ones among them",
            count(&|_| true),
        ),
        (
            "portcullis_policies_broken",
            "Policies that cannot be evaluated",
            count(&|entry| entry.policy.faults().is_some()),
        ),
        (
            "portcullis_policies_locked",
            "Policies that a lock holds",
            count(&is_locked),
        ),
        (
            "portcullis_policies_exhausted",
            "Policies that rest, because they used up their limits several times in a row",
            count(&|entry| entry.policy.exhausts().is_some()),
        ),
        (
            "portcullis_policy_conflicts",
            "Objects whose address an older one holds",
            count_of(snapshot.conflicts().len()),
        ),
        (
            "portcullis_bindings",
            "Bindings",
            count_of(snapshot.bindings().count()),
        ),
        (
            "portcullis_locks",
            "Locks, expired ones among them",
            count_of(snapshot.locks().len()),
        ),
        (
            "portcullis_locks_active",
            "Locks that hold now",
            count_of(active.count()),
        ),
        (
            "portcullis_exemptions",
            "Exemptions, expired ones among them",
            count_of(snapshot.exemptions().len()),
        ),
        (
            "portcullis_snapshot_revision",
            "Changes of the cache since the start",
            i64::try_from(snapshot.revision()).unwrap_or(i64::MAX),
        ),
        (
            "portcullis_policy_memory_bytes",
            "What policies remember with `cache.set`, all together",
            count_of(memory::remembered()),
        ),
        (
            "portcullis_results",
            "Results that are kept for who asked for it",
            count_of(results),
        ),
        (
            "portcullis_results_bytes",
            "The results that are kept, all together",
            count_of(result_bytes),
        ),
    ];
    gauges
        .iter()
        .try_for_each(|(name, help, value)| encode_gauge(encoder, name, help, value))
}
