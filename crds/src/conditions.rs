//! Conditions: what holds of an object, since when, and why.
//!
//! ```text
//! findings (pure) ─┐
//!                  ├─▶ merged ─▶ status.conditions
//! conditions so far┘   a condition that keeps its status keeps its time
//! ```

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::jiff::Timestamp;

/// The longest message that `metav1.Condition` allows, in characters.
pub const MESSAGE_LIMIT: usize = 32_768;

/// The aspects of which Portcullis reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConditionType {
    /// Of a policy or a binding: it does what its spec says, on every replica. Sums up the others.
    Ready,
    /// Of a policy: its Rego and its settings are sound.
    Compiled,
    /// Of a policy: every ready replica holds it at this digest. Of a binding: every ready replica
    /// judges by it.
    Enforced,
    /// Of a policy: its evaluations end within their limits.
    Healthy,
    /// Of a policy: a lock takes it out of evaluation.
    Locked,
    /// Of a policy that takes data by `dataFrom.http`: the last attempt to fetch each document
    /// succeeded. Where it did not, the last good one stays.
    DataRefreshed,
    /// Of a binding: its policy and its parameters are there and fit each other.
    Bound,
    /// Of a lock: it is valid, has not expired, and holds at least one policy. Of an exemption: the
    /// same, and at least one policy honours it.
    Active,
}

/// The reasons that go with the conditions, one word for programs each.
pub mod reason {
    /// `Ready` is true: the policy does what its spec says.
    pub const IN_FORCE: &str = "InForce";
    /// `Compiled` is true.
    pub const COMPILED: &str = "Compiled";
    /// `Compiled` is false: the Rego does not parse or compile. The message has file, line, column.
    pub const COMPILE_FAILED: &str = "CompileFailed";
    /// What the policy imports is missing, broken, or not to be had.
    pub const IMPORT_FAILED: &str = "ImportFailed";
    /// `Compiled` is false: a setting is wrong, such as parameters that break their schema.
    /// `Active` is false: the lock or the exemption cannot work as it is written.
    pub const INVALID: &str = "Invalid";
    /// `Enforced` is true: on every ready replica.
    pub const ON_EVERY_REPLICA: &str = "OnEveryReplica";
    /// `Enforced` is false: some ready replicas do not hold this digest yet.
    pub const PENDING: &str = "Pending";
    /// `Enforced` is false: no replica is ready.
    pub const NO_REPLICA: &str = "NoReplica";
    /// `Enforced` is false: the API server does not ask about the policy, because the webhook
    /// configuration is missing, empty, or not up to date yet.
    pub const NOT_REGISTERED: &str = "NotRegistered";
    /// `Enforced` is false: admission never asks in the policy's namespace, which is exempt.
    pub const EXEMPT_NAMESPACE: &str = "ExemptNamespace";
    /// `Enforced` is false: an older policy holds the address. This one takes over when it goes.
    pub const ADDRESS_TAKEN: &str = "AddressTaken";
    /// `Enforced` is false: the clock is before `notBefore` or after `notAfter`.
    pub const NOT_IN_FORCE: &str = "NotInForce";
    /// `Enforced` is false: a newer version has taken its place, on every ready replica.
    pub const SUPERSEDED: &str = "Superseded";
    /// `Enforced` is false: every ready replica holds it, and it is a shadow, which acts on nothing.
    pub const SHADOW: &str = "Shadow";
    /// `Healthy` is true.
    pub const WITHIN_LIMITS: &str = "WithinLimits";
    /// `Healthy` is false: evaluations used up the policy's limits several times in a row, and it is
    /// answered for without being run until a rest is over.
    pub const LIMITS_EXHAUSTED: &str = "LimitsExhausted";
    /// `Locked` is true: a lock refuses what the policy would have judged.
    pub const REFUSED: &str = "Refused";
    /// `Locked` is true: a lock bypasses the policy.
    pub const BYPASSED: &str = "Bypassed";
    /// `Locked` is as it was: a lock holds the policy, and some ready replicas do not know it yet.
    pub const REPLICAS_PENDING: &str = "ReplicasPending";
    /// `DataRefreshed` is true.
    pub const REFRESHED: &str = "Refreshed";
    /// `DataRefreshed` is false: the last attempt failed.
    pub const REFRESH_FAILED: &str = "RefreshFailed";
    /// `Bound` is true.
    pub const BOUND: &str = "Bound";
    /// `Bound` is false: there is no such policy, or it is not for this namespace to bind.
    pub const POLICY_MISSING: &str = "PolicyMissing";
    /// `Bound` is false: there is no object to take parameters of.
    pub const PARAMETERS_MISSING: &str = "ParametersMissing";
    /// `Bound` is false: the parameters do not fit the policy.
    pub const PARAMETERS_INVALID: &str = "ParametersInvalid";
    /// `Locked` is false.
    pub const NOT_LOCKED: &str = "NotLocked";
    /// `Active` is true: the lock holds at least one policy, the exemption is honoured by one.
    pub const HOLDS: &str = "Holds";
    /// `Active` is false: `expiresAt` has passed.
    pub const EXPIRED: &str = "Expired";
    /// `Active` is false: no policy fits.
    pub const NO_TARGET: &str = "NoTarget";
    /// `Active` is false: all that fits are guardrails, which cannot be bypassed and accept no
    /// exemption.
    pub const GUARDRAIL: &str = "Guardrail";
    /// `Active` is false: the policies that fit accept no exemption of a namespace.
    pub const NOT_PERMITTED: &str = "NotPermitted";
    /// `Active` is false: the exemption ends later than the administrator allows.
    pub const TOO_LONG: &str = "TooLong";
    /// `Active` is false: the policies that fit honour so many others already.
    pub const TOO_MANY: &str = "TooMany";
}

/// What was found out about one aspect, now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The aspect.
    pub condition: ConditionType,
    /// Whether it holds; none when that cannot be known.
    pub holds: Option<bool>,
    /// Why, in one word: one of [`reason`].
    pub reason: &'static str,
    /// Why, in a sentence, with what to do about it.
    pub message: String,
}

impl ConditionType {
    /// The condition's `type`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "Ready",
            Self::Compiled => "Compiled",
            Self::Enforced => "Enforced",
            Self::Healthy => "Healthy",
            Self::Locked => "Locked",
            Self::DataRefreshed => "DataRefreshed",
            Self::Bound => "Bound",
            Self::Active => "Active",
        }
    }

    /// This aspect holds.
    pub fn holds(self, reason: &'static str, message: impl Into<String>) -> Finding {
        Finding {
            condition: self,
            holds: Some(true),
            reason,
            message: message.into(),
        }
    }

    /// This aspect does not hold.
    pub fn fails(self, reason: &'static str, message: impl Into<String>) -> Finding {
        Finding {
            condition: self,
            holds: Some(false),
            reason,
            message: message.into(),
        }
    }

    /// Whether this aspect holds is not known.
    pub fn unknown(self, reason: &'static str, message: impl Into<String>) -> Finding {
        Finding {
            condition: self,
            holds: None,
            reason,
            message: message.into(),
        }
    }
}

impl Finding {
    fn status(&self) -> &'static str {
        match self.holds {
            Some(true) => "True",
            Some(false) => "False",
            None => "Unknown",
        }
    }
}

/// The conditions that these findings make, in the order of the findings. One whose status is what
/// it was keeps the time of its last transition; one that is new or changed has `now`. Conditions
/// so far of which there is no finding are dropped. The message is cut at [`MESSAGE_LIMIT`].
pub fn merged(
    so_far: &[Condition],
    findings: impl IntoIterator<Item = Finding>,
    generation: Option<i64>,
    now: Timestamp,
) -> Vec<Condition> {
    let condition = |finding: Finding| {
        let type_ = finding.condition.as_str();
        let status = finding.status();
        let since = so_far
            .iter()
            .find(|condition| condition.type_ == type_ && condition.status == status)
            .map_or(Time(now), |condition| {
                condition.last_transition_time.clone()
            });
        Condition {
            type_: type_.to_owned(),
            status: status.to_owned(),
            reason: finding.reason.to_owned(),
            message: finding.message.chars().take(MESSAGE_LIMIT).collect(),
            observed_generation: generation,
            last_transition_time: since,
        }
    };
    findings.into_iter().map(condition).collect()
}

/// Whether a condition holds; none when it is absent or unknown.
pub fn holds(conditions: &[Condition], condition: ConditionType) -> Option<bool> {
    let found = conditions
        .iter()
        .find(|candidate| candidate.type_ == condition.as_str())?;
    match found.status.as_str() {
        "True" => Some(true),
        "False" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a small number of seconds is a time")
    }

    fn seconds(conditions: &[Condition]) -> Vec<(&str, &str, i64)> {
        conditions
            .iter()
            .map(|condition| {
                let since = condition.last_transition_time.0.as_second();
                (condition.type_.as_str(), condition.status.as_str(), since)
            })
            .collect()
    }

    #[test]
    fn only_a_change_of_status_changes_the_time() {
        use ConditionType::{Compiled, Enforced, Locked, Ready};

        let first = merged(
            &[],
            [
                Ready.fails(reason::PENDING, "1 of 3"),
                Compiled.holds(reason::COMPILED, ""),
                Enforced.unknown(reason::NO_REPLICA, ""),
                Locked.fails(reason::NOT_LOCKED, ""),
            ],
            Some(1),
            second(10),
        );
        let then = merged(
            &first,
            [
                Ready.fails(reason::NO_REPLICA, "0 of 0"),
                Compiled.fails(reason::COMPILE_FAILED, "policy.rego:1:1"),
                Enforced.holds(reason::ON_EVERY_REPLICA, ""),
            ],
            Some(2),
            second(20),
        );

        assert_eq!(
            seconds(&then),
            [
                ("Ready", "False", 10),
                ("Compiled", "False", 20),
                ("Enforced", "True", 20)
            ]
        );
        assert_eq!(then[0].reason, "NoReplica");
        assert_eq!(then[0].observed_generation, Some(2));
        assert_eq!(holds(&then, Enforced), Some(true));
        assert_eq!(holds(&then, Ready), Some(false));
        assert_eq!(holds(&first, Enforced), None);
        assert_eq!(holds(&then, Locked), None);
    }

    #[test]
    fn a_message_is_cut_between_characters() {
        let long = "é".repeat(MESSAGE_LIMIT + 1);
        let finding = ConditionType::Ready.holds(reason::IN_FORCE, long);
        let conditions = merged(&[], [finding], None, second(0));
        assert_eq!(conditions[0].message.chars().count(), MESSAGE_LIMIT);
    }
}
