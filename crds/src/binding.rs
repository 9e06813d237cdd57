//! `PolicyBinding` and `ClusterPolicyBinding`: one policy at several places, with other parameters
//! or another action at each.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, LabelSelector};
use kube_derive::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Admission, rules, schema};

/// Which policy judges which requests, with which parameters, and what its denial does.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "portcullis.dev",
    version = "v1alpha1",
    kind = "PolicyBinding",
    plural = "policybindings",
    namespaced,
    shortname = "ptbind",
    category = "portcullis",
    status = "BindingStatus",
    derive = "PartialEq",
    doc = "Has a policy judge in this namespace, with parameters and an action of its own. It judges \
           objects of its own namespace only.",
    crates(kube_core = "::kube_core")
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::namespaced_binding()))]
pub struct PolicyBindingSpec {
    /// The policy to bind: a Policy of the same namespace, or a ClusterPolicy that says
    /// `importable: true`.
    pub policy: BoundPolicy,

    /// What is judged, with which parameters, and what a denial does.
    #[serde(flatten)]
    pub binding: Binding,
}

/// Which policy judges which requests, with which parameters, and what its denial does.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "portcullis.dev",
    version = "v1alpha1",
    kind = "ClusterPolicyBinding",
    plural = "clusterpolicybindings",
    shortname = "ptcbind",
    category = "portcullis",
    status = "BindingStatus",
    derive = "PartialEq",
    doc = "Has a ClusterPolicy judge with parameters and an action of its own, everywhere or where its \
           match says.",
    crates(kube_core = "::kube_core")
)]
#[serde(rename_all = "camelCase")]
pub struct ClusterPolicyBindingSpec {
    /// The ClusterPolicy to bind.
    pub policy: BoundClusterPolicy,

    /// What is judged, with which parameters, and what a denial does.
    #[serde(flatten)]
    pub binding: Binding,
}

/// What both kinds of bindings say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Binding {
    /// What is judged, and what a denial does: the fields of a policy's `admission`. A policy's own
    /// `admission` is its first binding, and stays one beside this.
    #[serde(flatten)]
    pub admission: Admission,

    /// Parameters that take the place of the policy's, key by key. They have to satisfy the policy's
    /// `parametersSchema` together with those that stay. Example: `{labels: [cost-centre]}`.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[schemars(schema_with = "schema::free_form")]
    pub parameters: Map<String, Value>,

    /// Objects to take further parameters of, which take the place of the policy's and of
    /// `parameters`, key by key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters_from: Option<ParametersFrom>,
}

/// A policy of a namespace, or one of the cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BoundPolicy {
    /// `Policy` (the default): one of the binding's namespace. `ClusterPolicy`: one of the cluster.
    #[serde(default)]
    pub kind: PolicyKind,

    /// The policy's address.
    #[serde(flatten)]
    pub address: BoundClusterPolicy,
}

/// The address of a policy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BoundClusterPolicy {
    /// The policy's group.
    #[schemars(length(max = 63), extend("x-kubernetes-validations" = rules::segment("group")))]
    pub group: String,

    /// The policy's name.
    #[schemars(length(max = 63), extend("x-kubernetes-validations" = rules::segment("name")))]
    pub name: String,

    /// The policy's version. Quote it in YAML: `"1.0"`.
    #[schemars(length(max = 63), extend("x-kubernetes-validations" = rules::dotted_numbers()))]
    pub version: String,
}

/// The kind of a policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum PolicyKind {
    /// A policy of one namespace.
    #[default]
    Policy,
    /// A policy of the cluster.
    ClusterPolicy,
}

/// Objects that parameters are taken of: those of one kind, by name or by label.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::parameters_from()))]
pub struct ParametersFrom {
    /// The API version of the objects. Default: `v1`. Example: `example.com/v1`.
    #[serde(default = "core_version")]
    #[schemars(length(max = 317), extend("x-kubernetes-validations" = rules::api_version()))]
    pub api_version: String,

    /// The kind of the objects. Of a ConfigMap `data` are the parameters, texts all of them; of any
    /// other kind `spec`, or the whole object where it has none. Portcullis has to be allowed to read
    /// the kind: the chart's value `parameterKinds` allows it. Default: `ConfigMap`.
    #[serde(default = "config_map")]
    #[schemars(length(max = 63), extend("x-kubernetes-validations" = rules::kind()))]
    pub kind: String,

    /// The namespace of the objects; for a ClusterPolicyBinding only. Default: the namespace of each
    /// request, so that every namespace has parameters of its own. A PolicyBinding takes them of its
    /// own namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub namespace: Option<String>,

    /// The object's name. Give this, or `selector`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub name: Option<String>,

    /// The objects with such labels, each of which is judged with by itself: at most 64. Give this,
    /// or `name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::selector")]
    pub selector: Option<LabelSelector>,

    /// Of a ConfigMap, the key whose text is an object of YAML or JSON with the parameters. Without
    /// it each key of `data` is a parameter. Example: `parameters.yaml`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub key: Option<String>,

    /// What happens where there is no such object. `Deny` (the default): the policy cannot answer,
    /// and `failurePolicy` decides. `Allow`: the policy is not asked.
    #[serde(default)]
    pub not_found: NotFound,
}

/// What happens where there is no object to take parameters of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum NotFound {
    /// The policy cannot answer.
    #[default]
    Deny,
    /// The policy is not asked.
    Allow,
}

/// What the operator found out about a binding.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BindingStatus {
    /// The `metadata.generation` that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// The address of the policy that it binds, `group/name@version`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,

    /// The objects that it takes parameters of, as `<namespace>/<name>`, or `<name>` where their
    /// kind has no namespaces; sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<String>,

    /// `Ready` sums up the others, for GitOps tools. `Bound`: the policy and the parameters are there
    /// and fit each other. `Enforced`: every ready replica of the webhook judges by this binding.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Vec<Condition>,
}

impl Binding {
    /// Judges what `admission` says.
    pub fn on(admission: Admission) -> Self {
        Self {
            admission,
            parameters: Map::new(),
            parameters_from: None,
        }
    }

    /// Sets one of the parameters.
    #[must_use]
    pub fn parameter(mut self, key: &str, value: Value) -> Self {
        self.parameters.insert(key.to_owned(), value);
        self
    }

    /// Takes further parameters of these objects.
    #[must_use]
    pub fn parameters_from(mut self, objects: ParametersFrom) -> Self {
        self.parameters_from = Some(objects);
        self
    }
}

impl ParametersFrom {
    /// The ConfigMap of this name.
    pub fn config_map(name: &str) -> Self {
        Self {
            api_version: core_version(),
            kind: config_map(),
            namespace: None,
            name: Some(name.to_owned()),
            selector: None,
            key: None,
            not_found: NotFound::default(),
        }
    }
}

impl BoundClusterPolicy {
    /// A policy at this address.
    pub fn new(group: &str, name: &str, version: &str) -> Self {
        Self {
            group: group.to_owned(),
            name: name.to_owned(),
            version: version.to_owned(),
        }
    }
}

fn core_version() -> String {
    "v1".to_owned()
}

fn config_map() -> String {
    "ConfigMap".to_owned()
}
