//! Locks: what takes policies out of evaluation, with a reason and an end.

use jiff::Timestamp;
use serde::Serialize;

use crate::{Definition, LabelSelector, Labels, ObjectKey, Point, Policy, Scope, Version, seal};

/// A lock as its author wrote it.
#[derive(Clone, Debug, PartialEq)]
pub struct Lock {
    /// The object, by which people find it.
    pub key: ObjectKey,
    /// Whose policies it covers.
    pub reach: Reach,
    /// Which of them.
    pub target: Target,
    /// The doors at which it holds.
    pub points: Points,
    /// What happens to who asks a locked policy.
    pub effect: Effect,
    /// Why it was made.
    pub reason: String,
    /// The lock has no effect from this moment on.
    pub expires_at: Option<Timestamp>,
}

/// Whose policies a lock can cover.
#[derive(Clone, Debug, PartialEq)]
pub enum Reach {
    /// A `Lock`: policies of its own namespace.
    Namespace(String),
    /// A `ClusterLock`: the cluster's policies and, with a selector, those of the selected
    /// namespaces.
    Cluster {
        /// Namespaces whose policies it covers too.
        namespaces: Option<LabelSelector>,
    },
}

/// Which policies, of those within reach.
#[derive(Clone, Debug, PartialEq)]
pub enum Target {
    /// All of them.
    All,
    /// Those of an address; of every name or version where it is not said.
    Policy {
        /// The first part of the address.
        group: String,
        /// The second part.
        name: Option<String>,
        /// The third part.
        version: Option<Version>,
    },
    /// Those whose labels it selects. An empty selector selects none here.
    Selector(LabelSelector),
}

/// The doors at which a lock holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Points {
    /// At admission.
    pub admission: bool,
    /// At every other door.
    pub evaluation: bool,
}

/// What happens to who asks a locked policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub enum Effect {
    /// The policy is not evaluated; the request is refused.
    #[default]
    Refuse,
    /// The policy is not evaluated and not enforced.
    Bypass,
}

/// What a decision says of the lock that shaped it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LockNote {
    /// The lock's object: `ClusterLock incident-4711`.
    pub name: String,
    /// What it does.
    pub effect: Effect,
    /// Why it was made.
    pub reason: String,
    /// When it ends, if it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

impl Points {
    /// Both doors.
    pub const ALL: Self = Self {
        admission: true,
        evaluation: true,
    };

    /// Whether a lock with these points holds at `point`.
    pub fn contain(self, point: Point) -> bool {
        match point {
            Point::Admission => self.admission,
            Point::Evaluation => self.evaluation,
        }
    }
}

impl Effect {
    /// The name as manifests write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Refuse => "Refuse",
            Self::Bypass => "Bypass",
        }
    }
}

impl Lock {
    /// Whether the lock still has an effect at `now`.
    pub fn is_active(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|end| now < end)
    }

    /// Whether the lock takes what it covers out of evaluation at a door, at `now`.
    pub fn holds(&self, point: Point, now: Timestamp) -> bool {
        self.points.contain(point) && self.is_active(now)
    }

    /// Whether the lock covers a policy, were it active. `namespace_labels` are those of the
    /// policy's namespace; where they are not known, the answer is the one that permits less.
    pub fn covers(&self, policy: &Policy, namespace_labels: Option<&Labels>) -> bool {
        self.covers_what_defines(policy.definition(), namespace_labels)
    }

    /// Whether the lock covers the policy that a definition makes: nothing that is compiled matters.
    pub fn covers_what_defines(
        &self,
        definition: &Definition,
        namespace_labels: Option<&Labels>,
    ) -> bool {
        if self.effect == Effect::Bypass && definition.guardrail {
            return false;
        }
        let scope = definition.address.scope();
        self.reaches(scope, namespace_labels) && self.target.selects(definition)
    }

    /// Whether no object made it, but the cache by itself.
    pub fn is_seal(&self) -> bool {
        self.key.kind == seal::KIND
    }

    /// What a decision says of this lock.
    pub fn note(&self) -> LockNote {
        LockNote {
            name: self.key.to_string(),
            effect: self.effect,
            reason: crate::text::clean(&self.reason),
            expires_at: self.expires_at,
        }
    }

    fn reaches(&self, scope: &Scope, namespace_labels: Option<&Labels>) -> bool {
        match (&self.reach, scope) {
            (Reach::Namespace(own), Scope::Namespace(namespace)) => own == namespace,
            (Reach::Namespace(_), Scope::Cluster) => false,
            (Reach::Cluster { .. }, Scope::Cluster) => true,
            (Reach::Cluster { namespaces }, Scope::Namespace(_)) => namespaces
                .as_ref()
                .is_some_and(|selector| match namespace_labels {
                    Some(labels) => selector.matches(labels),
                    None => self.effect == Effect::Refuse,
                }),
        }
    }
}

impl Target {
    fn selects(&self, definition: &Definition) -> bool {
        let address = &definition.address;
        match self {
            Self::All => true,
            Self::Policy {
                group,
                name,
                version,
            } => {
                group == address.group()
                    && name.as_deref().is_none_or(|name| name == address.name())
                    && version
                        .as_ref()
                        .is_none_or(|version| version == address.version())
            }
            Self::Selector(selector) => {
                !selector.is_empty() && selector.matches(&definition.labels)
            }
        }
    }
}
