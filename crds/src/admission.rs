//! The part of a policy that puts it in front of the API server: what it is asked about, and what
//! becomes of a denial.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{rules, schema, workloads::Workloads};

/// When a policy is asked at admission, and what its denial does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
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

    /// What a denial does elsewhere than at admission, where that is to be another. Default:
    /// `action` everywhere. Example: `{check: Deny, audit: Warn}`.
    #[serde(default, skip_serializing_if = "ActionAt::is_default")]
    pub action_at: ActionAt,

    /// True: what is matched is denied unless a policy of the cluster permits it, that is, a
    /// ClusterPolicy in force that matches it defines `allow`, and it holds. So nothing is permitted
    /// there that nobody permitted. This policy's own rules count as any other's. Only for a
    /// ClusterPolicy and a ClusterPolicyBinding. Default: false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub require_allow: bool,
}

/// What a denial does at the points that judge as admission would.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ActionAt {
    /// In `portcullis check`: `Deny` fails, `Warn` is a warning, `Audit` is only listed. Default:
    /// `action`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Action")]
    pub check: Option<Action>,

    /// In an audit of what is in the cluster already: the same. Default: `action`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Action")]
    pub audit: Option<Action>,
}

/// The requests that a policy is asked about: those that a rule matches, no excluding rule does,
/// and both selectors select. They are those that a ValidatingAdmissionPolicy of the same
/// constraints is asked about, with `matchPolicy: Equivalent`: a rule matches a resource in every
/// version that the API server can convert to one that the rule names.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
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

    /// A request is not matched when one of these rules matches it, whatever `resourceRules` say:
    /// at most 32. Write `apiVersions: ["*"]` in them: a version counts only where it is the one of
    /// the request, or the one in which the policy would be asked. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), extend("x-kubernetes-list-type" = "atomic"))]
    pub exclude_resource_rules: Vec<ResourceRule>,

    /// Only requests in the namespaces with such labels are matched. Requests without a namespace
    /// are matched whatever it says, except those about Namespaces, which are matched by their own
    /// labels. A namespace that is not known yet counts as selected. Default: every namespace.
    /// Example: `{matchExpressions: [{key: environment, operator: In, values: [prod]}]}`.
    #[serde(default, skip_serializing_if = "is_empty")]
    #[schemars(schema_with = "schema::selector")]
    pub namespace_selector: LabelSelector,

    /// Only requests are matched whose object or old object has such labels. An object without
    /// metadata, such as the options of `kubectl exec`, has none to select. Whoever makes an object
    /// chooses its labels: use this for opting in, not for exceptions. Default: every object.
    /// Example: `{matchLabels: {team: web}}`.
    #[serde(default, skip_serializing_if = "is_empty")]
    #[schemars(schema_with = "schema::selector")]
    pub object_selector: LabelSelector,

    /// Only requests are matched of which all of these conditions hold: at most 64. One that is
    /// false decides, whatever the others are; one that cannot be evaluated is a failure of the
    /// policy. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend(
        "x-kubernetes-list-type" = "map",
        "x-kubernetes-list-map-keys" = ["name"]
    ))]
    pub match_conditions: Vec<MatchCondition>,

    /// Kinds whose Pod templates are judged, too, as the Pods that will be made of them, when an
    /// object of these kinds is created or its template changes: so it is refused, and not its
    /// Pods a minute later. For policies whose `resourceRules` match the creation or the update of
    /// `pods`. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kubernetes-validations" = rules::workloads()))]
    pub workloads: Option<Workloads>,
}

/// A condition on a request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MatchCondition {
    /// What messages call it. Example: `not-a-node`.
    #[schemars(length(max = 317), extend("x-kubernetes-validations" = rules::condition_name()))]
    pub name: String,

    /// An expression of CEL that is true or false, of `request`, `object`, `oldObject`,
    /// `namespaceObject` (its name and its labels) and `params` (the policy's parameters): at most
    /// 4096 bytes. Example: `!('system:nodes' in request.userInfo.groups)`.
    #[schemars(length(max = 4096), extend("x-kubernetes-validations" = rules::expression()))]
    pub expression: String,
}

/// Requests, by the resource they are about and what they do to it. All that is set must match.
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

    /// `Cluster` matches only resources of the cluster, Namespaces among them, `Namespaced` only
    /// those in a namespace. Default: `*`, both.
    #[serde(default, skip_serializing_if = "ResourceScope::is_all")]
    pub scope: ResourceScope,

    /// Names of objects, exactly; without any, every name is meant. A request without a name, such
    /// as the deletion of a collection, has none of them. Example: `["kube-root-ca.crt"]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::resource_names")]
    pub resource_names: Vec<String>,

    /// Patterns of names: `*` is any number of characters, `?` is one. An object is meant that
    /// `resourceNames` names or one of these patterns matches. Example: `["web-*"]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::resource_names")]
    pub resource_name_patterns: Vec<String>,
}

/// Where the resources of a rule live.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ResourceScope {
    /// Anywhere.
    #[default]
    #[serde(rename = "*")]
    All,
    /// In no namespace.
    Cluster,
    /// In a namespace.
    Namespaced,
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
                ..Match::default()
            },
            action: Action::default(),
            failure_policy: FailurePolicy::default(),
            action_at: ActionAt::default(),
            require_allow: false,
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

impl ActionAt {
    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde calls it with a reference"
    )]
    fn is_default(&self) -> bool {
        *self == Self::default()
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
            ..Self::default()
        }
    }

    /// The same resources, other operations.
    #[must_use]
    pub fn operations(mut self, operations: impl IntoIterator<Item = Operation>) -> Self {
        self.operations = operations.into_iter().collect();
        self
    }
}

impl ResourceScope {
    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde calls it with a reference"
    )]
    fn is_all(&self) -> bool {
        *self == Self::All
    }
}

/// Whether a selector says nothing, and so selects everything.
pub(crate) fn is_empty(selector: &LabelSelector) -> bool {
    let LabelSelector {
        match_labels,
        match_expressions,
    } = selector;
    match_labels.as_ref().is_none_or(BTreeMap::is_empty)
        && match_expressions.as_ref().is_none_or(Vec::is_empty)
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
