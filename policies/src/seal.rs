//! Seals: a policy that a replica has taken out of evaluation by itself, because a result broke the
//! policy's schema, until a lock that everybody sees takes the seal's place.
//!
//! A seal is a lock that only this cache knows. It goes with the policy's digest, so that mending the
//! policy opens it again, and a replica that has just seen the lock forgets its seal: who removes the
//! lock then has removed all of it.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;

use crate::{
    Address, Digest, Effect, Lock, ObjectKey, Points, Policy, Reach, Scope, State, Target,
};

/// The kind under which a seal is shown in the place of an object's.
pub(crate) const KIND: &str = "seal";

/// Why a policy is sealed, and the reason of the lock that takes the seal's place.
pub const OUTPUT_SCHEMA_VIOLATION: &str = "OutputSchemaViolation";

/// The policies that are sealed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seals(BTreeMap<Address, Seal>);

#[derive(Clone, Debug)]
struct Seal {
    since: Timestamp,
    digest: Digest,
    lock: Arc<Lock>,
}

impl Seals {
    /// Seals a policy at evaluation.
    pub(crate) fn add(&mut self, policy: &Policy, now: Timestamp) {
        let seal = Seal {
            since: now,
            digest: policy.digest(),
            lock: Arc::new(lock(policy.address())),
        };
        self.0.insert(policy.address().clone(), seal);
    }

    /// Since when each is sealed.
    pub(crate) fn times(&self) -> BTreeMap<Address, Timestamp> {
        let seals = self.0.iter();
        seals
            .map(|(address, seal)| (address.clone(), seal.since))
            .collect()
    }

    /// The seals as locks.
    pub(crate) fn locks(&self) -> impl Iterator<Item = &Arc<Lock>> + Clone {
        self.0.values().map(|seal| &seal.lock)
    }

    /// Forgets the seals of policies that are others now, and of those that a lock holds by their
    /// address.
    pub(crate) fn settle(&mut self, state: &State) {
        self.0.retain(|address, seal| {
            let mut objects = state.policies.values();
            let is_the_same = objects.any(|object| {
                object.policy.address() == address && object.policy.digest() == seal.digest
            });
            let mut locks = state.locks.values();
            is_the_same && !locks.any(|lock| takes_the_place(lock, &seal.lock))
        });
    }

    /// Whether a policy is sealed, as it is.
    pub(crate) fn hold(&self, policy: &Policy) -> bool {
        let seal = self.0.get(policy.address());
        seal.is_some_and(|seal| seal.digest == policy.digest())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Whether a lock holds what a seal holds, and for ever: one of a group, or one with an end, may have
/// been made for another reason.
fn takes_the_place(lock: &Lock, seal: &Lock) -> bool {
    let reaches = match (&lock.reach, &seal.reach) {
        (Reach::Cluster { .. }, Reach::Cluster { .. }) => true,
        (one, other) => one == other,
    };
    reaches
        && lock.target == seal.target
        && lock.points.evaluation
        && lock.effect == Effect::Refuse
        && lock.expires_at.is_none()
}

fn lock(address: &Address) -> Lock {
    let reach = match address.scope() {
        Scope::Cluster => Reach::Cluster { namespaces: None },
        Scope::Namespace(namespace) => Reach::Namespace(namespace.clone()),
    };
    Lock {
        key: ObjectKey::new(KIND, address.namespace(), &address.path()),
        reach,
        target: Target::Policy {
            group: address.group().to_owned(),
            name: Some(address.name().to_owned()),
            version: Some(address.version().clone()),
        },
        points: Points {
            admission: false,
            evaluation: true,
        },
        effect: Effect::Refuse,
        reason: OUTPUT_SCHEMA_VIOLATION.to_owned(),
        expires_at: None,
    }
}
