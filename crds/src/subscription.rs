//! `PolicySubscription` and `ClusterPolicySubscription`: who is told when a policy changes.
//!
//! Both have the same spec and the same status, as policies have; see [`crate::policy`].

use kube_derive::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::rules;

/// Which policy, and who is told where when it changes.
#[derive(
    CustomResource, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema,
)]
#[kube(
    group = "portcullis.dev",
    version = "v1alpha1",
    kind = "PolicySubscription",
    plural = "policysubscriptions",
    namespaced,
    shortname = "ptsub",
    category = "portcullis",
    status = "SubscriptionStatus",
    derive = "PartialEq",
    doc = "Has somebody told when a Policy of its own namespace changes, for as long as it exists.",
    crates(kube_core = "::kube_core")
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::subscription_spec()))]
pub struct PolicySubscriptionSpec {
    /// First part of the policy's address.
    #[schemars(length(max = 63), extend("x-kubernetes-validations" = rules::segment("group")))]
    pub group: String,

    /// Second part of its address.
    #[schemars(length(max = 63), extend("x-kubernetes-validations" = rules::segment("name")))]
    pub name: String,

    /// Third part of its address. Quote it in YAML: `"1.0"`.
    #[schemars(length(max = 63), extend("x-kubernetes-validations" = rules::dotted_numbers()))]
    pub version: String,

    /// The subscriber's name, 3 to 100 characters.
    #[schemars(length(max = 100), extend("x-kubernetes-validations" = rules::subscriber()))]
    pub subscriber: String,

    /// Where events are sent, by POST. The administrator has to allow the host. Example:
    /// `https://example.com/policy-changed`.
    #[schemars(length(max = 2048), extend("x-kubernetes-validations" = rules::url("url")))]
    pub url: String,
}

/// The spec of a [`ClusterPolicySubscription`]: that of a [`PolicySubscription`].
#[derive(
    CustomResource, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema,
)]
#[kube(
    group = "portcullis.dev",
    version = "v1alpha1",
    kind = "ClusterPolicySubscription",
    plural = "clusterpolicysubscriptions",
    shortname = "ptcsub",
    category = "portcullis",
    status = "SubscriptionStatus",
    derive = "PartialEq",
    doc = "Has somebody told when a ClusterPolicy changes, for as long as it exists.",
    crates(kube_core = "::kube_core")
)]
#[serde(transparent)]
#[schemars(description = "Which policy, and who is told where when it changes.")]
pub struct ClusterPolicySubscriptionSpec(pub PolicySubscriptionSpec);

/// How far a subscription has come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SubscriptionStatus {
    /// What the subscriber was told last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<ToldState>,

    /// Events that were told or given up.
    #[serde(default)]
    pub sequence: i64,

    /// When an event was delivered last (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivered: Option<String>,

    /// Why the last event was not delivered, if it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

/// A state of a policy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ToldState {
    /// The policy's digest; absent where there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,

    /// Whether it was locked for evaluation.
    #[serde(default)]
    pub locked: bool,
}

impl From<PolicySubscriptionSpec> for ClusterPolicySubscriptionSpec {
    fn from(spec: PolicySubscriptionSpec) -> Self {
        Self(spec)
    }
}
