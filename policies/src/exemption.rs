//! Exemptions: requests that policies leave alone, why, by whose word, and until when.
//!
//! ```text
//! Exemption ── stance, when the snapshot is built ──▶ Exemptions of a policy
//!                                                          │ find: the request's clock, then what
//!              AdmissionRequest ───────────────────────────┘ it is about, then conditions
//! ```
//!
//! An exemption permits, and so all of it has to be known: labels that cannot be read, a namespace
//! that no watch has told of, a condition that fails or has no time left exempt nothing.

mod images;
mod objects;
mod of_policy;
mod reception;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::{
    Address, Diagnostic, Diagnostics, LabelSelector, Labels, ObjectKey, Owner, Policy, Request,
    Scope, Subject, Version, gate::Gate, matching::glob, rego::plan::access::Access, text::clean,
};

pub use objects::ExemptedObjects;
pub(crate) use of_policy::Found;
pub use of_policy::{Exemptions, MOST_ACCEPTED};
pub use reception::Reception;

/// How far away the end of an exemption may be where the administrator does not say: a quarter of a
/// year is long enough for somebody to mend what is exempt, and short enough to be remembered.
pub const DEFAULT_LONGEST: Duration = Duration::from_hours(90 * 24);

/// An exemption as its author wrote it, with its conditions ready to be asked.
#[derive(Debug)]
pub struct Exemption {
    definition: ExemptionDefinition,
    gate: Gate,
    access: Access,
}

/// What an exemption is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExemptionDefinition {
    /// The object, by which people find it.
    pub key: ObjectKey,
    /// Where requests can be exempt.
    pub reach: ExemptionReach,
    /// Which policies leave them alone.
    pub policies: Vec<ExemptedPolicies>,
    /// Which requests, of those within reach.
    pub objects: ExemptedObjects,
    /// Why it was made.
    pub reason: String,
    /// Who approved it.
    pub approver: String,
    /// The exemption has no effect from this moment on.
    pub expires_at: Timestamp,
}

/// Where requests can be exempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExemptionReach {
    /// An `Exemption`: in its own namespace.
    Namespace(String),
    /// A `ClusterExemption`: everywhere, or in the namespaces that all of this selects.
    Cluster {
        /// Names and patterns of namespaces; without any, all.
        namespaces: Vec<String>,
        /// Labels of namespaces.
        selector: Option<LabelSelector>,
    },
}

/// Policies, by their owner and by their address or a part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExemptedPolicies {
    /// Whether those of the cluster are meant, or those of namespaces.
    pub owner: Owner,
    /// The first part of the address.
    pub group: String,
    /// The second part; every name where it is not said.
    pub name: Option<String>,
    /// The third part; every version where it is not said.
    pub version: Option<Version>,
}

/// What a policy makes of an exemption.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stance {
    /// It is not meant.
    Elsewhere,
    /// It is meant, and a guardrail, which accepts none.
    Guardrail,
    /// It is meant, and of the cluster, and does not accept those of namespaces.
    NotPermitted,
    /// It is meant, and accepts it.
    Accepted,
}

/// What a decision says of the exemption that shaped it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExemptionNote {
    /// The exemption's object: `ClusterExemption legacy-build`.
    pub name: String,
    /// Why it was made.
    pub reason: String,
    /// Who approved it.
    pub approver: String,
    /// When it ends.
    pub expires_at: Timestamp,
}

impl Exemption {
    /// Compiles the conditions of an exemption. One with a condition that cannot be compiled is
    /// none. Takes time in proportion to the conditions; call it away from threads that answer
    /// requests.
    pub fn compile(definition: ExemptionDefinition) -> Result<Self, Diagnostics> {
        let gate =
            Gate::compile(&definition.objects.conditions).map_err(|faults| at_home(&faults))?;
        let mut access = definition.objects.access();
        access.merge(gate.access());
        Ok(Self {
            definition,
            gate,
            access,
        })
    }

    /// What it was compiled of.
    pub fn definition(&self) -> &ExemptionDefinition {
        &self.definition
    }

    /// The object.
    pub fn key(&self) -> &ObjectKey {
        &self.definition.key
    }

    /// Whether its end has come.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.definition.expires_at <= now
    }

    /// Whether its end is further away than the administrator allows.
    pub fn is_too_long(&self, now: Timestamp, longest: Duration) -> bool {
        let left = self.definition.expires_at.duration_since(now);
        // What does not fit is longer than any exemption.
        left > SignedDuration::try_from(longest).unwrap_or(SignedDuration::MAX)
    }

    /// What is wrong with it while it is too long: it has no effect.
    pub fn excess(&self, now: Timestamp, longest: Duration) -> Option<Diagnostic> {
        self.is_too_long(now, longest).then(|| {
            let (end, most) = (self.definition.expires_at, in_words(longest));
            let text = format!(
                "`expiresAt` is {end}, more than {most} away, which is the most that the \
                 administrator allows"
            );
            Diagnostic::new("exemption_too_long", text)
                .with_remedy("set `expiresAt` to an earlier time, or have `--max-exemption` raised")
        })
    }

    /// Whether it has an effect at `now`.
    pub fn holds(&self, now: Timestamp, longest: Duration) -> bool {
        !self.is_over(now) && !self.is_too_long(now, longest)
    }

    /// What a policy makes of it, were it to hold. `namespace_labels` are those of the policy's
    /// namespace; where they are not known, a selector selects nothing.
    pub fn stance(&self, policy: &Policy, namespace_labels: Option<&Labels>) -> Stance {
        let address = policy.address();
        let is_meant = |policies: &ExemptedPolicies| policies.include(address);
        if !self.definition.policies.iter().any(is_meant) {
            return Stance::Elsewhere;
        }
        let is_permitted = match (&self.definition.reach, address.scope()) {
            (ExemptionReach::Namespace(own), Scope::Namespace(namespace)) if own != namespace => {
                return Stance::Elsewhere;
            }
            (ExemptionReach::Cluster { .. }, Scope::Namespace(namespace))
                if !self.reaches(Some(namespace), namespace_labels) =>
            {
                return Stance::Elsewhere;
            }
            (ExemptionReach::Namespace(_), Scope::Cluster) => {
                policy.definition().exemptible_by == Owner::Namespace
            }
            _ => true,
        };
        if policy.definition().guardrail {
            Stance::Guardrail
        } else if is_permitted {
            Stance::Accepted
        } else {
            Stance::NotPermitted
        }
    }

    /// What a decision says of this exemption.
    pub fn note(&self) -> ExemptionNote {
        let definition = &self.definition;
        ExemptionNote {
            name: definition.key.to_string(),
            reason: clean(&definition.reason),
            approver: clean(&definition.approver),
            expires_at: definition.expires_at,
        }
    }

    /// Whether a request in a namespace, or in none, can be exempt.
    fn reaches(&self, namespace: Option<&str>, labels: Option<&Labels>) -> bool {
        match &self.definition.reach {
            ExemptionReach::Namespace(own) => namespace == Some(own),
            ExemptionReach::Cluster {
                namespaces,
                selector,
            } => {
                if namespaces.is_empty() && selector.is_none() {
                    return true;
                }
                let Some(namespace) = namespace else {
                    return false;
                };
                let is_named = |pattern: &String| glob::matches(pattern, namespace);
                (namespaces.is_empty() || namespaces.iter().any(is_named))
                    && selector.as_ref().is_none_or(|selector| {
                        labels.is_some_and(|labels| selector.matches(labels))
                    })
            }
        }
    }

    /// Whether a request in its reach may be exempt, as far as its namespace tells.
    fn reaches_request(&self, subject: &Subject, request: &Request) -> bool {
        self.reaches(subject.own_namespace(), request.namespace.as_deref())
    }

    /// What it looks at of an `AdmissionRequest`.
    fn access(&self) -> &Access {
        &self.access
    }
}

/// Two are the same that were written alike.
impl PartialEq for Exemption {
    fn eq(&self, other: &Self) -> bool {
        self.definition == other.definition
    }
}

/// The faults of conditions, where they stand in an exemption.
fn at_home(faults: &Diagnostics) -> Diagnostics {
    let own = |fault: &Diagnostic| {
        let message = fault.message.replace("`admission.match.", "`objects.");
        Diagnostic {
            message,
            ..fault.clone()
        }
    };
    Diagnostics::collect(faults.iter().map(own).collect()).unwrap_or_else(|| faults.clone())
}

/// `90 days`, `12 hours`
fn in_words(duration: Duration) -> String {
    let hours = duration.as_secs() / 3_600;
    if hours.is_multiple_of(24) {
        format!("{} days", hours / 24)
    } else {
        format!("{hours} hours")
    }
}

impl ExemptedPolicies {
    fn include(&self, address: &Address) -> bool {
        let owner = match address.scope() {
            Scope::Cluster => Owner::Cluster,
            Scope::Namespace(_) => Owner::Namespace,
        };
        self.owner == owner
            && self.group == address.group()
            && self
                .name
                .as_deref()
                .is_none_or(|name| name == address.name())
            && self
                .version
                .as_ref()
                .is_none_or(|version| version == address.version())
    }
}
