//! What is in force of one object of a directory.

use portcullis_policies::{Allowance, Diagnostics, Effect, Labels, Lock, Object};

use super::{reading::Item, report::Meanwhile};
use crate::convert::{Draft, LockDraft};

/// An object, and what of it is in force.
#[derive(Debug)]
pub(super) enum Held {
    Policy(HeldPolicy),
    Lock {
        newest: Box<LockDraft>,
        lock: Option<Lock>,
    },
    Namespace(Labels),
}

/// A policy of a directory.
#[derive(Debug)]
pub(super) struct HeldPolicy {
    pub(super) draft: Box<Draft>,
    /// What the draft was compiled to.
    pub(super) newest: Object,
    /// Where that is broken, the last that was not, and what has become of it.
    pub(super) last_good: Option<Object>,
}

impl Held {
    pub(super) fn of(item: Item, before: Option<Self>, allowance: &Allowance) -> Self {
        match (item, before) {
            (Item::Policy(draft), Some(Self::Policy(policy))) if draft == policy.draft => {
                Self::Policy(policy)
            }
            (Item::Policy(draft), before) => {
                let before = match before {
                    Some(Self::Policy(policy)) => Some(policy.in_force().clone()),
                    _ => None,
                };
                Self::Policy(HeldPolicy {
                    // What it imports may not have been read yet.
                    newest: draft.as_ref().clone().compile(&|_| None, allowance.clone()),
                    draft,
                    last_good: before.filter(|object| object.policy.faults().is_none()),
                })
            }
            (Item::Lock(draft), before) => {
                let lock = match before {
                    Some(Self::Lock {
                        lock: Some(lock), ..
                    }) if draft.faults.is_some() && lock.effect == Effect::Refuse => Some(lock),
                    _ => draft.lock.clone(),
                };
                Self::Lock {
                    newest: draft,
                    lock,
                }
            }
            (Item::Namespace(_, labels), _) => Self::Namespace(labels),
        }
    }

    /// Whether it is a lock that lets pass what a policy would deny.
    pub(super) fn bypasses(&self) -> bool {
        matches!(self, Self::Lock { lock: Some(lock), .. } if lock.effect == Effect::Bypass)
    }

    pub(super) fn faults(&self) -> (Option<&Diagnostics>, Meanwhile) {
        match self {
            Self::Policy(policy) => {
                let sound = policy.in_force().policy.faults().is_none();
                let meanwhile = if sound {
                    Meanwhile::LastGood
                } else {
                    Meanwhile::Denies
                };
                (policy.newest.policy.faults(), meanwhile)
            }
            Self::Lock { newest, lock } => {
                let own = *lock == newest.lock;
                let meanwhile = if own {
                    Meanwhile::Denies
                } else {
                    Meanwhile::LastGood
                };
                (newest.faults.as_ref(), meanwhile)
            }
            Self::Namespace(_) => (None, Meanwhile::Denies),
        }
    }
}

impl HeldPolicy {
    /// What answers for it.
    pub(super) fn in_force(&self) -> &Object {
        let sound = |object: &&Object| object.policy.faults().is_none();
        let last_good = self.last_good.as_ref().filter(sound);
        if self.newest.policy.faults().is_none() {
            &self.newest
        } else {
            last_good.unwrap_or(&self.newest)
        }
    }

    pub(super) fn objects_mut(&mut self) -> impl Iterator<Item = &mut Object> {
        std::iter::once(&mut self.newest).chain(&mut self.last_good)
    }
}
