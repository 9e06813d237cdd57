//! `Lock` and `ClusterLock`: what takes policies out of evaluation.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, LabelSelector};
use kube_derive::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{rules, schema};

/// Which policies are out of evaluation, where, how, why, and until when.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "portcullis.dev",
    version = "v1alpha1",
    kind = "Lock",
    plural = "locks",
    namespaced,
    shortname = "ptlock",
    category = "portcullis",
    status = "LockStatus",
    derive = "PartialEq",
    doc = "Takes Policies of its own namespace out of evaluation for as long as it exists. Deleting it \
           puts them back.",
    crates(kube_core = "::kube_core")
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::lock_spec()))]
pub struct LockSpec {
    /// The policies to lock, by address. Give this, or `selector`, or `all: true`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyReference>,

    /// The policies to lock, by the labels of the policy objects; never empty. Give this, or
    /// `policy`, or `all: true`. Example: `{matchLabels: {team: web}}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::lock_selector")]
    pub selector: Option<LabelSelector>,

    /// True: every policy in the lock's scope. Give this, or `policy`, or `selector`. Default:
    /// false.
    #[serde(default)]
    pub all: bool,

    /// Where the policies are locked: at `admission`, for the `evaluation` API, or at both, which
    /// is the default.
    #[serde(default = "Point::all")]
    #[schemars(length(max = 2), extend(
        "x-kubernetes-validations" = rules::points(),
        "x-kubernetes-list-type" = "set"
    ))]
    pub points: Vec<Point>,

    /// `Refuse` (the default): a locked policy is not evaluated, and what it would have judged is
    /// denied. `Bypass` is break-glass: a locked policy is not evaluated and not enforced. Making
    /// or changing a `Bypass` lock needs the verb `bypass` on the policies, and policies that are
    /// guardrails stay in force.
    #[serde(default)]
    pub effect: Effect,

    /// Why, for those who are stopped by it: it is part of every denial that the lock causes.
    /// 1 to 1024 characters. Example: `incident 4711, ask #platform`.
    #[schemars(length(max = 1024), extend("x-kubernetes-validations" = rules::reason()))]
    pub reason: String,

    /// The lock has no effect from this moment on (RFC 3339). Default: it lasts until it is
    /// deleted. Example: `2026-12-01T00:00:00Z`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), extend("x-kubernetes-validations" = rules::time("expiresAt")))]
    pub expires_at: Option<String>,
}

/// Which policies are out of evaluation, where, how, why, and until when.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "portcullis.dev",
    version = "v1alpha1",
    kind = "ClusterLock",
    plural = "clusterlocks",
    shortname = "ptclock",
    category = "portcullis",
    status = "LockStatus",
    derive = "PartialEq",
    doc = "Takes ClusterPolicies out of evaluation for as long as it exists, and with a \
           namespaceSelector Policies too. Deleting it puts them back.",
    crates(kube_core = "::kube_core")
)]
#[serde(rename_all = "camelCase")]
pub struct ClusterLockSpec {
    /// What is locked, as in a `Lock`.
    #[serde(flatten)]
    pub lock: LockSpec,

    /// With it the lock also covers the Policies in the namespaces whose labels match; `{}` is
    /// every namespace. Without it the lock covers ClusterPolicies only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::selector")]
    pub namespace_selector: Option<LabelSelector>,
}

/// A policy's address, or a part of it that names several policies.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::policy_reference()))]
pub struct PolicyReference {
    /// The policy's group. Without a name, every policy of the group is meant.
    #[schemars(length(max = 63), extend("x-kubernetes-validations" = rules::segment("group")))]
    pub group: String,

    /// The policy's name. Without a version, every version of it is meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63), extend("x-kubernetes-validations" = rules::segment("name")))]
    pub name: Option<String>,

    /// The policy's version; needs a name. Quote it in YAML: `"1.0"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63), extend("x-kubernetes-validations" = rules::dotted_numbers()))]
    pub version: Option<String>,
}

/// Where a lock takes policies out of evaluation.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Point {
    /// The admission webhook.
    Admission,
    /// The evaluation API, the sidecar's too.
    Evaluation,
}

/// What a lock does to a policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Effect {
    /// Not evaluated; what the policy would have judged is denied.
    #[default]
    Refuse,
    /// Not evaluated, not enforced.
    Bypass,
}

/// What the operator found out about a lock.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LockStatus {
    /// The `metadata.generation` that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// The addresses of the policies that the lock holds, `group/name@version`, sorted. A
    /// ClusterLock puts the namespace in front of a Policy's: `namespace/group/name@version`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub locked: Vec<String>,

    /// `Active`: the lock is valid, has not expired, and holds at least one policy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Vec<Condition>,
}

impl LockSpec {
    /// Locks what this reference names: `LockSpec::policy(PolicyReference::group("gaiax"), "why")`.
    pub fn policy(policy: PolicyReference, reason: &str) -> Self {
        Self {
            policy: Some(policy),
            ..Self::because(reason)
        }
    }

    /// Locks the policies whose objects have these labels.
    pub fn labelled<'a>(
        labels: impl IntoIterator<Item = (&'a str, &'a str)>,
        reason: &str,
    ) -> Self {
        let labels = labels
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value.to_owned()));
        let selector = LabelSelector {
            match_labels: Some(labels.collect()),
            ..LabelSelector::default()
        };
        Self {
            selector: Some(selector),
            ..Self::because(reason)
        }
    }

    /// Locks every policy in the lock's scope.
    pub fn everything(reason: &str) -> Self {
        Self {
            all: true,
            ..Self::because(reason)
        }
    }

    /// Sets what the lock does.
    #[must_use]
    pub fn effect(mut self, effect: Effect) -> Self {
        self.effect = effect;
        self
    }

    /// Sets where the lock holds.
    #[must_use]
    pub fn points(mut self, points: impl IntoIterator<Item = Point>) -> Self {
        self.points = points.into_iter().collect();
        self
    }

    /// Sets when the lock ends by itself.
    #[must_use]
    pub fn until(mut self, expires_at: &str) -> Self {
        self.expires_at = Some(expires_at.to_owned());
        self
    }

    fn because(reason: &str) -> Self {
        Self {
            policy: None,
            selector: None,
            all: false,
            points: Point::all(),
            effect: Effect::default(),
            reason: reason.to_owned(),
            expires_at: None,
        }
    }
}

impl ClusterLockSpec {
    /// Covers the Policies of these namespaces too.
    #[must_use]
    pub fn in_namespaces(mut self, selector: LabelSelector) -> Self {
        self.namespace_selector = Some(selector);
        self
    }
}

impl PolicyReference {
    /// Every policy of a group.
    pub fn group(group: &str) -> Self {
        Self {
            group: group.to_owned(),
            ..Self::default()
        }
    }

    /// Every version of one name.
    #[must_use]
    pub fn name(mut self, name: &str) -> Self {
        self.name = Some(name.to_owned());
        self
    }

    /// One version.
    #[must_use]
    pub fn version(mut self, version: &str) -> Self {
        self.version = Some(version.to_owned());
        self
    }
}

impl Point {
    /// Every point, which is where a lock holds unless it says otherwise.
    pub fn all() -> Vec<Self> {
        vec![Self::Admission, Self::Evaluation]
    }
}

impl Lock {
    /// A lock object in a namespace.
    pub fn in_namespace(namespace: &str, name: &str, spec: LockSpec) -> Self {
        let mut lock = Self::new(name, spec);
        lock.metadata.namespace = Some(namespace.to_owned());
        lock
    }

    /// What a policy's `status.locks` calls this lock.
    pub fn reference(&self) -> String {
        format!("Lock/{}", self.metadata.name.as_deref().unwrap_or_default())
    }
}

impl ClusterLock {
    /// What a policy's `status.locks` calls this lock.
    pub fn reference(&self) -> String {
        format!(
            "ClusterLock/{}",
            self.metadata.name.as_deref().unwrap_or_default()
        )
    }
}

impl AsRef<LockSpec> for LockSpec {
    fn as_ref(&self) -> &LockSpec {
        self
    }
}

impl AsRef<LockSpec> for ClusterLockSpec {
    fn as_ref(&self) -> &LockSpec {
        &self.lock
    }
}

impl From<LockSpec> for ClusterLockSpec {
    fn from(lock: LockSpec) -> Self {
        Self {
            lock,
            namespace_selector: None,
        }
    }
}
