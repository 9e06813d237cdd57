//! The part of a policy that puts it in front of the API server: what it is asked about, and what
//! becomes of a denial.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{rules, schema};

/// When a policy is asked at admission, and what its denial does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Admission {
    /// The requests that the policy is asked about.
    #[serde(rename = "match")]
    pub matches: Match,

    /// What a denial does. `Deny` (the default) refuses the request. `Warn` lets it through with a
    /// warning that `kubectl` shows. `Audit` lets it through, counts it and logs it.
    #[serde(default)]
    pub action: Action,

    /// What happens under `action: Deny` when the policy cannot answer, because it is broken or
    /// late, or no replica can be reached. `Fail` (the default) denies. `Ignore` lets the request
    /// through with a warning; a lock with the effect `Refuse` still denies. `Warn` and `Audit`
    /// never deny, whatever is set here.
    #[serde(default)]
    pub failure_policy: FailurePolicy,
}

/// The requests that a policy is asked about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Match {
    /// A request is matched when one of these rules matches it: at least one, at most 32. A
    /// namespaced Policy is asked about its own namespace only. Access reviews and token reviews
    /// are never matched.
    #[schemars(length(max = 32), extend(
        "x-kubernetes-validations" = rules::resource_rules(),
        "x-kubernetes-list-type" = "atomic"
    ))]
    pub resource_rules: Vec<ResourceRule>,
}

/// Requests, by the resource they are about and what they do to it. All four lists must match.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResourceRule {
    /// API groups. `""` is the core group (pods, services, …), `"*"` alone is every group.
    /// Example: `["apps"]`.
    #[schemars(schema_with = "schema::api_groups")]
    pub api_groups: Vec<String>,

    /// Versions of the API groups. `"*"` alone is every version. Example: `["v1"]`.
    #[schemars(schema_with = "schema::api_versions")]
    pub api_versions: Vec<String>,

    /// Resources by their plural, and subresources behind a slash: `pods`, `pods/exec`,
    /// `deployments/*`. `"*"` is every resource without subresources, `"*/*"` with them.
    /// Example: `["deployments", "statefulsets"]`.
    #[schemars(schema_with = "schema::resources")]
    pub resources: Vec<String>,

    /// What is done: `CREATE`, `UPDATE`, `DELETE`, `CONNECT`, or `"*"` alone for all of them.
    /// Example: `["CREATE", "UPDATE"]`.
    #[schemars(length(max = 4), extend(
        "x-kubernetes-validations" = rules::wildcard_alone("operations", "CREATE, UPDATE"),
        "x-kubernetes-list-type" = "atomic"
    ))]
    pub operations: Vec<Operation>,
}

/// What a denial does at admission.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Action {
    /// Refuses the request.
    #[default]
    Deny,
    /// Lets it through with a warning.
    Warn,
    /// Lets it through, counts it and logs it.
    Audit,
}

/// What happens when the policy cannot answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum FailurePolicy {
    /// The request is denied.
    #[default]
    Fail,
    /// The request is let through with a warning.
    Ignore,
}

/// What a request does to a resource.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "UPPERCASE")]
pub enum Operation {
    /// Creates an object.
    Create,
    /// Changes an object.
    Update,
    /// Deletes an object.
    Delete,
    /// Opens a connection, as `kubectl exec` and `kubectl port-forward` do.
    Connect,
    /// All of them.
    #[serde(rename = "*")]
    All,
}

impl Admission {
    /// Asks about what these rules match; a denial refuses, and so does a failure.
    pub fn on(rules: impl IntoIterator<Item = ResourceRule>) -> Self {
        Self {
            matches: Match {
                resource_rules: rules.into_iter().collect(),
            },
            action: Action::default(),
            failure_policy: FailurePolicy::default(),
        }
    }

    /// Sets what a denial does.
    #[must_use]
    pub fn action(mut self, action: Action) -> Self {
        self.action = action;
        self
    }

    /// Sets what a failure does.
    #[must_use]
    pub fn failure_policy(mut self, failure_policy: FailurePolicy) -> Self {
        self.failure_policy = failure_policy;
        self
    }
}

impl ResourceRule {
    /// Creating and updating these resources of one group and version.
    pub fn of<'a>(
        group: &str,
        version: &str,
        resources: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        Self {
            api_groups: vec![group.to_owned()],
            api_versions: vec![version.to_owned()],
            resources: resources.into_iter().map(str::to_owned).collect(),
            operations: vec![Operation::Create, Operation::Update],
        }
    }

    /// The same resources, other operations.
    #[must_use]
    pub fn operations(mut self, operations: impl IntoIterator<Item = Operation>) -> Self {
        self.operations = operations.into_iter().collect();
        self
    }
}

impl Operation {
    /// The operation as an `AdmissionReview` and a webhook configuration write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "CREATE",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
            Self::Connect => "CONNECT",
            Self::All => "*",
        }
    }
}
