//! What the operator found out about a policy.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::EffectiveRegoVersion;
use crate::schema;

/// What the operator found out about a policy.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyStatus {
    /// The `metadata.generation` that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// The address under which the policy is asked, `group/name@version`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,

    /// SHA-256 over the policy's canonical source, data and settings, as `sha256:` and 64 hex
    /// digits. Two policies with the same digest decide alike.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,

    /// The version of the Rego language that is in use: `v1` or `v0`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rego_version: Option<EffectiveRegoVersion>,

    /// The webhook's replicas that hold this policy at this digest, of those that are ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<Replicas>,

    /// `replicas` in short, such as `3/3`; or why it is not enforced though it could be:
    /// `superseded by 2.0`, or `shadow of 1.0`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enforced_on: Option<String>,

    /// The older version whose place this one has taken, and since when. It stays so until this
    /// policy is gone or names that version no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_place_of: Option<InPlaceOf>,

    /// The newer version that has taken the place of this one, on every ready replica.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub superseded_by: Option<String>,

    /// Of a shadow: how often it differs from the version in force, and in what.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shadow: Option<ShadowStatus>,

    /// The locks that hold this policy, as `Lock/<name>` (of the same namespace) and
    /// `ClusterLock/<name>`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub locks: Vec<String>,

    /// `Ready` sums up the others, for GitOps tools: the policy compiles, holds its address, and
    /// is enforced on every replica, or is superseded, or a shadow. `Compiled`: the Rego and its
    /// settings are sound; otherwise the message has file, line and column. `Enforced`: every ready replica holds
    /// this digest, and judges by it. `Healthy`: evaluations end within the policy's limits.
    /// `Locked`: a lock takes the policy out of evaluation.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Vec<Condition>,
}

/// How many of the webhook's replicas hold a policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Replicas {
    /// Ready replicas that hold this policy at this digest.
    pub enforcing: i32,
    /// All ready replicas.
    pub total: i32,
}

/// That a policy has taken the place of an older version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InPlaceOf {
    /// The older version.
    pub version: String,
    /// Since when, as an RFC 3339 time.
    pub since: String,
}

/// How a shadow compares, on all ready replicas together, since it and the version in force were
/// compiled as they are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ShadowStatus {
    /// The version that it is compared with.
    pub compares: String,
    /// Requests on which both were asked.
    pub compared: i64,
    /// Requests on which the two differ.
    pub differing: i64,
    /// Requests that the shadow would refuse, and that are let through.
    pub stricter: i64,
    /// Requests that the shadow would let through, and that are refused.
    pub looser: i64,
    /// Requests about which the shadow cannot answer.
    pub failed: i64,
    /// Requests about which both decide alike, and say something else.
    pub messages: i64,
    /// Requests on which the shadow was not asked, because there was no room or no time.
    pub missed: i64,
    /// When this was counted, as an RFC 3339 time.
    pub updated: String,
    /// The newest requests on which they differ, at most 20, the newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    pub examples: Vec<ShadowExample>,
}

/// A request on which a shadow differs. Nothing of the object is in it but what the policies say,
/// and of what is secret not even that.
#[derive(
    Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub struct ShadowExample {
    /// When it came, as an RFC 3339 time.
    pub time: String,
    /// What it was about, such as `CREATE pods shop/web`.
    pub request: String,
    /// Who made it.
    pub user: String,
    /// `stricter`, `looser`, `failed` or `messages`.
    pub difference: String,
    /// What the version in force said: its outcome, and its first message.
    pub in_force: String,
    /// What the shadow said.
    pub shadow: String,
}

impl Replicas {
    /// The short form for `status.enforcedOn`, such as `3/3`.
    pub fn enforced_on(self) -> String {
        format!("{}/{}", self.enforcing, self.total)
    }
}
