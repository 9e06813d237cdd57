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

    /// `replicas` in short, such as `3/3`; or what has taken the place of this policy, such as
    /// `superseded by 2.0`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enforced_on: Option<String>,

    /// The older version whose place this one has taken, and since when. It stays so until this
    /// policy is gone or names that version no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_place_of: Option<InPlaceOf>,

    /// The newer version that has taken the place of this one, on every ready replica.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub superseded_by: Option<String>,

    /// The locks that hold this policy, as `Lock/<name>` (of the same namespace) and
    /// `ClusterLock/<name>`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub locks: Vec<String>,

    /// `Ready` sums up the others, for GitOps tools: the policy compiles, holds its address, and
    /// is enforced on every replica, or is superseded. `Compiled`: the Rego and its settings are
    /// sound; otherwise the message has file, line and column. `Enforced`: every ready replica holds
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

impl Replicas {
    /// The short form for `status.enforcedOn`, such as `3/3`.
    pub fn enforced_on(self) -> String {
        format!("{}/{}", self.enforcing, self.total)
    }
}
