//! What there is to say of a lock. Pure.

use std::sync::Arc;

use portcullis_crds::{
    ConditionType, Finding, LockStatus,
    conditions::{merged, reason},
};
use portcullis_policies::{Effect, Entry, Lock, ObjectKey};

use super::World;
use crate::cluster::Record;

impl World<'_> {
    /// The status of a lock.
    pub(crate) fn lock(&self, key: &ObjectKey, record: &Record, before: &LockStatus) -> LockStatus {
        let lock = self
            .view
            .snapshot
            .locks()
            .iter()
            .find(|lock| lock.key == *key);
        let held = lock.filter(|lock| lock.is_active(self.now));
        let mut locked: Vec<String> = held
            .into_iter()
            .flat_map(|_| self.view.snapshot.entries())
            .filter(|entry| entry.locks.iter().any(|lock| lock.key == *key))
            .map(|entry| address(entry, key))
            .collect();
        locked.sort_unstable();
        let active = self.active(lock, record, locked.len());
        LockStatus {
            observed_generation: record.generation,
            locked,
            conditions: merged(&before.conditions, [active], record.generation, self.now),
        }
    }

    fn active(&self, lock: Option<&Arc<Lock>>, record: &Record, held: usize) -> Finding {
        use ConditionType::Active;

        let Some(lock) = lock else {
            let fault = record.fault.as_deref().unwrap_or("it is not known yet");
            return Active.fails(reason::INVALID, fault);
        };
        if !lock.is_active(self.now) {
            let end = lock
                .expires_at
                .map(|end| end.to_string())
                .unwrap_or_default();
            return Active.fails(reason::EXPIRED, format!("it expired at {end}: delete it"));
        }
        if held > 0 {
            let fault = record
                .fault
                .as_deref()
                .map(|fault| format!("; but {fault}"));
            let message = format!("it holds {held} policies{}", fault.unwrap_or_default());
            return Active.holds(reason::HOLDS, message);
        }
        if lock.effect == Effect::Bypass && self.fits_guardrails_only(lock) {
            return Active.fails(
                reason::GUARDRAIL,
                "all policies that fit are guardrails, which cannot be bypassed",
            );
        }
        Active.fails(
            reason::NO_TARGET,
            "no policy fits: check the address or the labels",
        )
    }

    /// Whether it would hold policies if they were no guardrails. Which namespaces a selector
    /// means is not known here, so for those of namespaces it is a guess.
    fn fits_guardrails_only(&self, lock: &Lock) -> bool {
        let refusing = Lock {
            effect: Effect::Refuse,
            ..lock.clone()
        };
        self.view
            .snapshot
            .entries()
            .any(|entry| refusing.covers(&entry.policy, None))
    }
}

/// An object of the cluster puts the namespace in front of a Policy's address.
pub(super) fn address(entry: &Entry, by: &ObjectKey) -> String {
    let path = entry.address().path();
    match (entry.address().namespace(), &by.namespace) {
        (Some(namespace), None) => format!("{namespace}/{path}"),
        _ => path,
    }
}
