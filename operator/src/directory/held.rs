//! What is in force of one object of a directory.

use std::sync::Arc;

use portcullis_policies::{Allowance, Binding, Diagnostics, Digest, Effect, Labels, Lock, Object};

use super::{reading::Item, report::Meanwhile};
use crate::convert::{BindingDraft, Draft, ExemptionDraft, LockDraft};

/// An object, and what of it is in force.
#[derive(Debug)]
pub(super) enum Held {
    Policy(HeldPolicy),
    Binding(HeldBinding),
    Lock {
        newest: Box<LockDraft>,
        lock: Option<Lock>,
    },
    Exemption(Box<ExemptionDraft>),
    Namespace(Labels),
}

/// A binding of a directory.
#[derive(Debug)]
pub(super) struct HeldBinding {
    draft: Box<BindingDraft>,
    /// What the draft was compiled to.
    newest: Arc<Binding>,
    /// Where that is broken, the last that was not.
    last_good: Option<Arc<Binding>>,
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

/// What tells two states of an object apart.
#[derive(Debug, PartialEq)]
pub(super) enum Summary {
    Policy(Digest, Labels, Option<Diagnostics>),
    Binding(Box<BindingDraft>),
    Lock(Option<Lock>, Option<Diagnostics>),
    Exemption(Box<ExemptionDraft>),
    Namespace(Labels),
}

impl Held {
    pub(super) fn summary(&self) -> Summary {
        match self {
            Self::Policy(held) => {
                let policy = &held.in_force().policy;
                let labels = policy.definition().labels.clone();
                let faults = held.newest.policy.faults().cloned();
                Summary::Policy(policy.digest(), labels, faults)
            }
            Self::Binding(held) => Summary::Binding(held.draft.clone()),
            Self::Lock { newest, lock } => Summary::Lock(lock.clone(), newest.faults.clone()),
            Self::Exemption(draft) => Summary::Exemption(draft.clone()),
            Self::Namespace(labels) => Summary::Namespace(labels.clone()),
        }
    }

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
                    newest: draft.as_ref().clone().compile(&(), allowance.clone()),
                    draft,
                    last_good: before.filter(|object| object.policy.faults().is_none()),
                })
            }
            (Item::Binding(draft), Some(Self::Binding(held))) if draft == held.draft => {
                Self::Binding(held)
            }
            (Item::Binding(draft), before) => {
                let before = match before {
                    Some(Self::Binding(held)) => Some(held.in_force().clone()),
                    _ => None,
                };
                Self::Binding(HeldBinding {
                    newest: Arc::new(draft.as_ref().clone().compile()),
                    draft,
                    last_good: before.filter(|binding| binding.faults().is_none()),
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
            // The last good one would exempt what nobody may know of any more.
            (Item::Exemption(draft), _) => Self::Exemption(draft),
            (Item::Namespace(_, labels), _) => Self::Namespace(labels),
        }
    }

    /// Whether it lets pass what a policy would deny.
    pub(super) fn permits(&self) -> bool {
        match self {
            Self::Lock { lock, .. } => lock
                .as_ref()
                .is_some_and(|lock| lock.effect == Effect::Bypass),
            Self::Exemption(_) => true,
            Self::Policy(_) | Self::Binding(_) | Self::Namespace(_) => false,
        }
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
            Self::Binding(held) => {
                let meanwhile = if held.in_force().faults().is_none() {
                    Meanwhile::LastGood
                } else {
                    Meanwhile::Denies
                };
                (held.newest.faults(), meanwhile)
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
            Self::Exemption(draft) => (draft.faults.as_ref(), Meanwhile::NotExempt),
            Self::Namespace(_) => (None, Meanwhile::Denies),
        }
    }
}

impl HeldBinding {
    /// What judges.
    pub(super) fn in_force(&self) -> &Arc<Binding> {
        match &self.last_good {
            Some(last_good) if self.newest.faults().is_some() => last_good,
            _ => &self.newest,
        }
    }

    /// What the file says.
    pub(super) fn newest(&self) -> &Arc<Binding> {
        &self.newest
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
