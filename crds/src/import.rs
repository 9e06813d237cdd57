//! `ClusterPolicyImport`: an archive that is fetched and imported periodically.

use kube_derive::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::rules;

/// Which archive is fetched, and how often.
#[derive(
    CustomResource, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema,
)]
#[kube(
    group = "portcullis.dev",
    version = "v1alpha1",
    kind = "ClusterPolicyImport",
    plural = "clusterpolicyimports",
    shortname = "ptcimp",
    category = "portcullis",
    status = "ImportStatus",
    derive = "PartialEq",
    doc = "Has an archive of a policy fetched and imported as a ClusterPolicy, again and again, for as \
           long as it exists. Who makes one has to be allowed to create ClusterPolicies.",
    crates(kube_core = "::kube_core")
)]
#[serde(rename_all = "camelCase")]
pub struct ClusterPolicyImportSpec {
    /// Where the archive is. The administrator has to allow the host, and trust who signs it. Example:
    /// `https://example.com/policy/policies/shop/discount/1.0/export`.
    #[schemars(length(max = 2048), extend("x-kubernetes-validations" = rules::url("url")))]
    pub url: String,

    /// How often, from `1m` to `720h`. Example: `1h30m`.
    #[schemars(length(max = 32), extend("x-kubernetes-validations" = rules::import_interval()))]
    pub interval: String,
}

/// What became of an import.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImportStatus {
    /// When it was tried last (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempted: Option<String>,

    /// When it was imported last, or found to be the same (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub succeeded: Option<String>,

    /// Address of the policy that came of it last, `group/name@version`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,

    /// The policy's digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,

    /// What the server calls the archive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,

    /// Why the last attempt failed, if it did. What was imported stays in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,

    /// Attempts that failed since the last one that did not.
    #[serde(default)]
    pub failures: i64,
}
