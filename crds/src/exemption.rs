//! `Exemption` and `ClusterExemption`: which requests policies leave alone.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, LabelSelector};
use kube_derive::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    admission::{MatchCondition, ResourceRule, is_empty},
    binding::PolicyKind,
    lock::PolicyReference,
    rules, schema,
};

/// Which policies leave which objects alone, why, by whose word, and until when.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "portcullis.dev",
    version = "v1alpha1",
    kind = "Exemption",
    plural = "exemptions",
    namespaced,
    shortname = "ptexm",
    category = "portcullis",
    status = "ExemptionStatus",
    derive = "PartialEq",
    doc = "Has policies leave some objects of its own namespace alone until it expires: Policies of \
           that namespace, and the ClusterPolicies that say exemptibleBy: Namespace. Guardrails \
           accept none.",
    crates(kube_core = "::kube_core")
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::exemption_spec()))]
pub struct ExemptionSpec {
    /// The policies that leave the objects alone, by kind and address: at least one, at most 32.
    /// Example: `[{kind: ClusterPolicy, group: platform, name: no_privileged}]`.
    #[schemars(length(max = 32), extend(
        "x-kubernetes-validations" = rules::exempted_policies(),
        "x-kubernetes-list-type" = "atomic"
    ))]
    pub policies: Vec<ExemptedPolicy>,

    /// The objects that are left alone, and who may have asked. A request is exempt when all that
    /// is said here holds of it. Give this, or `allObjects: true`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub objects: Option<ExemptedObjects>,

    /// True: every object. Give this, or `objects`. Default: false.
    #[serde(default)]
    pub all_objects: bool,

    /// Why, for those who look at it later: it is part of every decision that the exemption makes.
    /// 1 to 1024 characters. Example: `legacy build, replaced in March: TICKET-4711`.
    #[schemars(length(max = 1024), extend("x-kubernetes-validations" = rules::exemption_reason()))]
    pub reason: String,

    /// Who approved it: a name, for people and audits. 1 to 253 characters. Who may make
    /// exemptions, RBAC says. Example: `jane.doe@example.com`.
    #[schemars(length(max = 253), extend("x-kubernetes-validations" = rules::approver()))]
    pub approver: String,

    /// The exemption has no effect from this moment on (RFC 3339). At most as far away as the
    /// administrator allows, 90 days by default (`--max-exemption`). Example:
    /// `2026-12-01T00:00:00Z`.
    #[schemars(length(max = 64), extend("x-kubernetes-validations" = rules::time("expiresAt")))]
    pub expires_at: String,
}

/// Which policies leave which objects alone, why, by whose word, and until when.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "portcullis.dev",
    version = "v1alpha1",
    kind = "ClusterExemption",
    plural = "clusterexemptions",
    shortname = "ptcexm",
    category = "portcullis",
    status = "ExemptionStatus",
    derive = "PartialEq",
    doc = "Has ClusterPolicies leave some objects alone until it expires, and Policies in the \
           namespaces that it selects. Guardrails accept none.",
    crates(kube_core = "::kube_core")
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::cluster_exemption_spec()))]
pub struct ClusterExemptionSpec {
    /// What is exempt, as in an `Exemption`.
    #[serde(flatten)]
    pub exemption: ExemptionSpec,

    /// Only objects in these namespaces are exempt: names, or patterns in which `*` is any number
    /// of characters and `?` is one; at most 64. Objects without a namespace, Namespaces among
    /// them, are in none. Default: everywhere. Example: `["legacy", "team-a-*"]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::exempted_namespaces")]
    pub namespaces: Vec<String>,

    /// Only objects in the namespaces with such labels are exempt; `{}` is every namespace. A
    /// namespace that is not known yet is not exempt. Default: everywhere. Example:
    /// `{matchLabels: {team: web}}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::selector")]
    pub namespace_selector: Option<LabelSelector>,
}

/// Policies, by their kind and by their address or a part of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::policy_reference()))]
pub struct ExemptedPolicy {
    /// `ClusterPolicy`: a policy of the cluster. `Policy`: one of the namespace of the exemption,
    /// or for a ClusterExemption one of the namespaces that it selects, which it has to say then.
    pub kind: PolicyKind,

    /// The policy's address, or a part of it.
    #[serde(flatten)]
    pub reference: PolicyReference,
}

/// Objects and requests; all that is said must hold. What cannot be told is not exempt.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::exempted_objects()))]
pub struct ExemptedObjects {
    /// Only requests that one of these rules matches are exempt, as in a policy's `match`: by
    /// resource, operation and name, at most 16. Write `apiVersions: ["*"]` unless one version is
    /// meant. Default: every resource.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "atomic"))]
    pub resource_rules: Vec<ResourceRule>,

    /// Only objects with such labels are exempt: as they will be, and in a deletion as they are.
    /// Whoever makes an object chooses its labels, so anybody may exempt an object by this. Default:
    /// every object. Example: `{matchLabels: {app: legacy}}`.
    #[serde(default, skip_serializing_if = "is_empty")]
    #[schemars(schema_with = "schema::selector")]
    pub object_selector: LabelSelector,

    /// Only Pods, and workloads with a Pod template, are exempt all of whose images match one of
    /// these patterns, as the images are written: those of containers, init containers, ephemeral
    /// containers and image volumes. `*` is any number of characters but `/`, `?` is one, and `/**`
    /// at the end is everything below. At most 32. Example:
    /// `["registry.example.com/legacy/**", "docker.io/library/redis:7.*"]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::image_patterns")]
    pub images: Vec<String>,

    /// Only requests by one of these users, or by a member of one of the `groups`, are exempt:
    /// names, or patterns in which `*` is any number of characters and `?` is one. At most 32. Pods
    /// are mostly made by a controller. Default: by anybody. Example:
    /// `["system:serviceaccount:ci:deployer"]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::requesters")]
    pub users: Vec<String>,

    /// Only requests by a member of one of these groups, or by one of the `users`, are exempt:
    /// names or patterns, at most 32. Default: by anybody. Example: `["platform-admins"]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::requesters")]
    pub groups: Vec<String>,

    /// Only requests are exempt of which all of these conditions are true, as in a policy's
    /// `match`; `params` are the policy's parameters. One that cannot be evaluated exempts nothing.
    /// At most 16. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend(
        "x-kubernetes-list-type" = "map",
        "x-kubernetes-list-map-keys" = ["name"]
    ))]
    pub match_conditions: Vec<MatchCondition>,
}

/// What the operator found out about an exemption.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExemptionStatus {
    /// The `metadata.generation` that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// The addresses of the policies that honour the exemption, `group/name@version`, sorted. A
    /// ClusterExemption puts the namespace in front of a Policy's, `namespace/group/name@version`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exempts: Vec<String>,

    /// `Active`: the exemption is valid, has not expired, and at least one policy honours it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Vec<Condition>,
}

impl ExemptionSpec {
    /// Has these policies leave these objects alone.
    pub fn of(
        policies: impl IntoIterator<Item = ExemptedPolicy>,
        objects: ExemptedObjects,
        expires_at: &str,
    ) -> Self {
        Self {
            policies: policies.into_iter().collect(),
            objects: Some(objects),
            all_objects: false,
            reason: "approved".to_owned(),
            approver: "somebody".to_owned(),
            expires_at: expires_at.to_owned(),
        }
    }

    /// Has these policies leave every object alone.
    pub fn of_everything(
        policies: impl IntoIterator<Item = ExemptedPolicy>,
        expires_at: &str,
    ) -> Self {
        Self {
            objects: None,
            all_objects: true,
            ..Self::of(policies, ExemptedObjects::default(), expires_at)
        }
    }

    /// Sets why, and by whose word.
    #[must_use]
    pub fn because(mut self, reason: &str, approver: &str) -> Self {
        reason.clone_into(&mut self.reason);
        approver.clone_into(&mut self.approver);
        self
    }
}

impl ExemptedPolicy {
    /// ClusterPolicies that a reference names.
    pub fn of_cluster(reference: PolicyReference) -> Self {
        Self {
            kind: PolicyKind::ClusterPolicy,
            reference,
        }
    }

    /// Policies that a reference names.
    pub fn of_namespace(reference: PolicyReference) -> Self {
        Self {
            kind: PolicyKind::Policy,
            reference,
        }
    }
}

impl Exemption {
    /// An exemption object in a namespace.
    pub fn in_namespace(namespace: &str, name: &str, spec: ExemptionSpec) -> Self {
        let mut exemption = Self::new(name, spec);
        exemption.metadata.namespace = Some(namespace.to_owned());
        exemption
    }
}

impl From<ExemptionSpec> for ClusterExemptionSpec {
    fn from(exemption: ExemptionSpec) -> Self {
        Self {
            exemption,
            namespaces: Vec::new(),
            namespace_selector: None,
        }
    }
}
