//! Workloads: kinds whose objects hold the template of Pods, which a policy on Pods judges as well.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::rules;

/// Kinds whose Pod templates a policy judges as the Pods that will be made of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Workloads {
    /// Kinds of Kubernetes; `"*"` alone is all of them. Example: `["Deployment", "CronJob"]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 7), extend(
        "x-kubernetes-validations" = rules::wildcard_alone("kinds", "Deployment, StatefulSet"),
        "x-kubernetes-list-type" = "set"
    ))]
    pub kinds: Vec<WorkloadKind>,

    /// Custom kinds, with the path of their Pod template: at most 16. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend(
        "x-kubernetes-list-type" = "map",
        "x-kubernetes-list-map-keys" = ["apiVersion", "kind", "path"]
    ))]
    pub custom: Vec<CustomWorkload>,
}

/// A kind of Kubernetes whose objects hold a Pod template.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub enum WorkloadKind {
    /// All of these.
    #[serde(rename = "*")]
    All,
    /// Of `batch/v1`.
    CronJob,
    /// Of `apps/v1`.
    DaemonSet,
    /// Of `apps/v1`.
    Deployment,
    /// Of `batch/v1`.
    Job,
    /// Of `apps/v1`.
    ReplicaSet,
    /// Of `v1`.
    ReplicationController,
    /// Of `apps/v1`.
    StatefulSet,
}

/// A custom kind whose objects hold a Pod template.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CustomWorkload {
    /// Group and version of the kind, as manifests write them. An object is judged in whatever
    /// version it is applied, converted to this one. Example: `argoproj.io/v1alpha1`.
    #[schemars(length(max = 317), extend("x-kubernetes-validations" = rules::api_version()))]
    pub api_version: String,

    /// The kind. Example: `Rollout`.
    #[schemars(length(max = 63), extend("x-kubernetes-validations" = rules::kind()))]
    pub kind: String,

    /// The resource, in the plural. Example: `rollouts`.
    #[schemars(length(max = 63), extend("x-kubernetes-validations" = rules::plural()))]
    pub resource: String,

    /// Where the template is: field names joined by dots, at most 16. `[*]` behind a field stands
    /// for every element of its list, or every member of its map. Examples: `spec.template`,
    /// `spec.tasks[*].template`.
    #[schemars(length(max = 253), extend("x-kubernetes-validations" = rules::template_path()))]
    pub path: String,

    /// Whether an object may have no template there, and is then not judged. Without it, such an
    /// object is one that the policy cannot answer for (`POLICY.INPUT_INVALID`). Default: `false`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
}

impl Workloads {
    /// All kinds of Kubernetes.
    pub fn all() -> Self {
        Self {
            kinds: vec![WorkloadKind::All],
            custom: Vec::new(),
        }
    }
}

impl WorkloadKind {
    /// The kind as manifests write it, and `*` for all of them.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::All => "*",
            Self::CronJob => "CronJob",
            Self::DaemonSet => "DaemonSet",
            Self::Deployment => "Deployment",
            Self::Job => "Job",
            Self::ReplicaSet => "ReplicaSet",
            Self::ReplicationController => "ReplicationController",
            Self::StatefulSet => "StatefulSet",
        }
    }
}
