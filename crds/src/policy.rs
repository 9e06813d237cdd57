//! `Policy` and `ClusterPolicy`: Rego under an address.
//!
//! Both have the same spec and the same status. The derive macro makes one root type from one spec
//! type, so [`ClusterPolicySpec`] is a transparent wrapper; `AsRef<PolicySpec>` serves code that
//! handles either kind.

mod status;

use std::collections::BTreeMap;
use std::ops::Deref;

use kube_derive::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::admission::Admission;
use crate::data::DataFrom;
use crate::{limits, rules, schema};

pub use status::{InPlaceOf, PolicyStatus, Replicas, ShadowExample, ShadowStatus};

/// What a policy is: its address, its Rego, and how its answer is read.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "portcullis.dev",
    version = "v1alpha1",
    kind = "Policy",
    plural = "policies",
    namespaced,
    shortname = "ptpol",
    category = "portcullis",
    status = "PolicyStatus",
    derive = "PartialEq",
    doc = "A policy for one namespace. It judges objects of its own namespace only and reads nothing \
           outside it; use a ClusterPolicy for rules that hold everywhere.",
    crates(kube_core = "::kube_core")
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::policy_spec()))]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a field that people write"
)]
pub struct PolicySpec {
    /// First part of the policy's address `group/name@version`, and the first segment of its Rego
    /// package. Lower-case letters, digits and underscores, starting with a letter, at most 63
    /// characters. Cannot be changed. Example: `platform`.
    #[schemars(length(max = 63), extend("x-kubernetes-validations" = rules::package_segment("group")))]
    pub group: String,

    /// Second part of the address, and the second segment of the Rego package. The same characters
    /// as `group`. Cannot be changed. Example: `required_labels`.
    #[schemars(length(max = 63), extend("x-kubernetes-validations" = rules::package_segment("name")))]
    pub name: String,

    /// Third part of the address: numbers joined by dots, ordered number by number, so that `1.10`
    /// comes after `1.9`. Two versions of one name are two policies, and both judge, unless one
    /// supersedes the other. Cannot be changed. Quote it in YAML: `"1.0"`.
    #[schemars(length(max = 63), extend("x-kubernetes-validations" = rules::version()))]
    pub version: String,

    /// The version of the Rego language that the modules are written in. `auto` (the default) takes
    /// v1 if every module parses as v1, and v0 otherwise; `status.regoVersion` says which it was.
    #[serde(default)]
    pub rego_version: RegoVersion,

    /// The Rego source files, by file name. A name ends in `.rego`; it is what error messages
    /// show. At least one file, at most 64, and 524288 characters each. Unless `entrypoint` says
    /// otherwise, one of them has the package `<group>.<name>`.
    #[schemars(schema_with = "schema::modules")]
    pub modules: BTreeMap<String, String>,

    /// Static JSON that the policy reads as `data`. Keys at the top must not be the first segment
    /// of one of the modules' packages. Example: `{roles: {admin: [read, write]}}`.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[schemars(schema_with = "schema::free_form")]
    pub data: Map<String, Value>,

    /// Data that comes from elsewhere, and stands beside `data`: at most 16 documents. Whoever pins the
    /// policy with `sha256` pins where it comes from, and not what it is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub data_from: Vec<DataFrom>,

    /// Settings that the policy reads as `input.parameters`, so that one source serves many
    /// clusters. Example: `{labels: [team, cost-centre]}`.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[schemars(schema_with = "schema::free_form")]
    pub parameters: Map<String, Value>,

    /// A JSON Schema for `parameters`. A policy whose parameters do not fit is refused when it is
    /// applied. Without it any parameters will do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::free_form")]
    pub parameters_schema: Option<Map<String, Value>>,

    /// A JSON Schema (draft 2020-12, or draft-07 where its `$schema` says so) that results have to
    /// satisfy, for callers of `…/validation`. It refers to nothing outside of itself, and its
    /// patterns look neither ahead nor back. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::free_form")]
    pub output_schema: Option<Map<String, Value>>,

    /// Whether a result that breaks `outputSchema` takes the policy out of evaluation: at once at the
    /// replica that found it, and by a lock with the reason `OutputSchemaViolation` everywhere. It
    /// needs `outputSchema`. Default: false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lock_on_failure: bool,

    /// The rule or package that is evaluated. The default is `data.<group>.<name>`; with another
    /// one the modules may have any package. Example: `data.platform.required_labels`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253), extend("x-kubernetes-validations" = rules::entrypoint()))]
    pub entrypoint: Option<String>,

    /// How the outcome of the Rego becomes a decision. The defaults deny whenever the policy
    /// neither allows nor denies, and on every violation.
    #[serde(default)]
    pub decision: Decision,

    /// Present: the policy is asked when objects are created or changed in the cluster. Absent: it
    /// answers the evaluation API only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub admission: Option<Admission>,

    /// What an evaluation may reach outside of itself, with `http.send` and `net.lookup_ip_addr`.
    /// Absent: nothing. A policy with `admission` reaches nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<Network>,

    /// What one evaluation may cost.
    #[serde(default)]
    pub limits: Limits,

    /// The policy is in force from this moment on (RFC 3339). Before it, admission does not ask
    /// the policy and an evaluation is answered with `POLICY.NOT_IN_FORCE`. Default: always.
    /// Example: `2026-12-01T00:00:00Z`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), extend("x-kubernetes-validations" = rules::time("notBefore")))]
    pub not_before: Option<String>,

    /// The policy is in force until this moment (RFC 3339). After it, admission does not ask the
    /// policy and an evaluation is answered with `POLICY.NOT_IN_FORCE`. Default: for ever.
    /// Example: `2027-06-30T23:59:59+02:00`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), extend("x-kubernetes-validations" = rules::time("notAfter")))]
    pub not_after: Option<String>,

    /// A guardrail may not be taken out of evaluation by a lock with the effect `Bypass`; a lock
    /// with the effect `Refuse` still holds it. It accepts no exemption, and making less of it in
    /// place needs the verb `weaken` on it. Default: false.
    #[serde(default)]
    pub guardrail: bool,

    /// An older version of this policy, such as `"1.0"`. As soon as this version is enforced on every
    /// ready replica, the older one is not asked at admission by its own `admission` any more; when
    /// this one is deleted, or names it no more, it is asked again. Bindings of the older version
    /// judge on, and the evaluation API answers for it. A guardrail gives way to a guardrail only,
    /// and naming a version in one needs the verb `weaken`. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63), extend("x-kubernetes-validations" = rules::dotted_numbers()))]
    pub supersedes: Option<String>,

    /// A shadow is asked about live requests beside the newest other version of this policy that is
    /// none, and acts on nothing; `status.shadow` says where the two differ. Set it to false to have
    /// it enforced. It needs `admission`. Default: false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub shadow: bool,

    /// Whose exemptions a ClusterPolicy accepts. `Cluster` (the default): ClusterExemptions only.
    /// `Namespace`: an Exemption too, for requests in its own namespace. A Policy accepts those of
    /// its namespace, whatever it says here. A guardrail accepts none.
    #[serde(default, skip_serializing_if = "ExemptibleBy::is_cluster")]
    pub exemptible_by: ExemptibleBy,

    /// Policies whose packages the modules use, at most 16. They are compiled into this one with
    /// their `data`; nothing here can add to their packages or take their place. An import that is
    /// missing, broken or locked breaks this policy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub imports: Vec<Import>,

    /// Whether Policies of a namespace may import this ClusterPolicy, and so read its modules and
    /// its `data`. Default: false. ClusterPolicies may import each other anyway.
    #[serde(default)]
    pub importable: bool,

    /// The digest that the policy has to have, as `status.digest` shows it: `sha256:` and 64 hex
    /// digits. With another one it is refused when it is applied, and broken when what it imports
    /// changes. Default: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 71), extend("x-kubernetes-validations" = rules::digest()))]
    pub sha256: Option<String>,
}

/// Whose exemptions a policy of the cluster accepts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ExemptibleBy {
    /// Those of the cluster.
    #[default]
    Cluster,
    /// Those of a namespace too, for requests in it.
    Namespace,
}

/// A policy whose packages another one uses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Import {
    /// First part of its address.
    #[schemars(length(max = 63), extend("x-kubernetes-validations" = rules::segment("group")))]
    pub group: String,

    /// Second part of its address.
    #[schemars(length(max = 63), extend("x-kubernetes-validations" = rules::segment("name")))]
    pub name: String,

    /// Third part of its address.
    #[schemars(length(max = 63), extend("x-kubernetes-validations" = rules::dotted_numbers()))]
    pub version: String,

    /// `Cluster` (the default): a ClusterPolicy, which has to be `importable` where a Policy of a
    /// namespace imports it. `Namespace`: a Policy of the importer's own namespace.
    #[serde(default)]
    pub scope: ImportScope,

    /// The digest that the imported policy has to have, as its `status.digest` shows it. Default:
    /// any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 71), extend("x-kubernetes-validations" = rules::digest()))]
    pub sha256: Option<String>,
}

/// Who owns a policy that is imported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ImportScope {
    /// The cluster.
    #[default]
    Cluster,
    /// The importer's own namespace.
    Namespace,
}

/// The spec of a [`ClusterPolicy`]: a [`PolicySpec`], and on the wire nothing else.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "portcullis.dev",
    version = "v1alpha1",
    kind = "ClusterPolicy",
    plural = "clusterpolicies",
    shortname = "ptcpol",
    category = "portcullis",
    status = "PolicyStatus",
    derive = "PartialEq",
    doc = "A policy for the whole cluster: objects of every namespace that is not exempt, and objects \
           without a namespace.",
    crates(kube_core = "::kube_core")
)]
#[serde(transparent)]
#[schemars(description = "What a policy is: its address, its Rego, and how its answer is read.")]
pub struct ClusterPolicySpec(pub PolicySpec);

/// The version of the Rego language that a spec asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RegoVersion {
    /// v1 if every module parses as v1, else v0.
    #[default]
    Auto,
    /// OPA 1.0 and later: `if` and `contains` are required.
    V1,
    /// Before OPA 1.0.
    V0,
}

/// The version of the Rego language that is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum EffectiveRegoVersion {
    /// OPA 1.0 and later.
    V1,
    /// Before OPA 1.0.
    V0,
}

/// How the document that the entrypoint yields becomes allowed or denied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Decision {
    /// The answer when the policy defines neither `allow` nor `deny`, `violation` or `warn`:
    /// `Deny` (the default) or `Allow`.
    #[serde(default)]
    pub default: Verdict,

    /// Violations of this severity and above deny, those below it warn: `critical`, `high`,
    /// `medium`, `low` or `info`. A violation without a severity is critical, and a member of
    /// `deny` denies whatever its severity. Default: `info`, so every violation denies.
    #[serde(default)]
    pub fail_on: Severity,
}

/// The answer of a policy that says nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Verdict {
    /// Denied.
    #[default]
    Deny,
    /// Allowed.
    Allow,
}

/// How bad a violation is, least first.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to know.
    #[default]
    Info,
    /// Worth doing some day.
    Low,
    /// Worth doing soon.
    Medium,
    /// Must be put right.
    High,
    /// Must not happen; what a violation without a severity counts as.
    Critical,
}

/// What an evaluation may reach.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Network {
    /// Hosts that may be asked, each by its name, or all hosts below a domain, with a port or with
    /// all ports. The administrator has to allow them too (`--allow-hosts`). At most 32. Examples:
    /// `api.example.com`, `*.example.com`, `api.example.com:8443`.
    #[schemars(schema_with = "schema::hosts")]
    pub hosts: Vec<String>,
}

/// What one evaluation may cost before it is given up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// How long one evaluation may take, as whole milliseconds or seconds: from `1ms` to `5s`.
    /// Past it the answer is `POLICY.TIMEOUT`, which denies under `failurePolicy: Fail`. Default:
    /// `250ms`.
    #[serde(default = "limits::default_timeout")]
    #[schemars(length(max = 16), extend("x-kubernetes-validations" = rules::timeout()))]
    pub timeout: String,

    /// How much memory one evaluation may use up, as whole mebibytes: from `1Mi` to `256Mi`. All that
    /// it builds counts, whether it still holds it or not, and its input and data do not. Past it the
    /// answer is `POLICY.MEMORY_EXCEEDED`, which denies under `failurePolicy: Fail`. Default: `64Mi`.
    #[serde(default = "limits::default_memory")]
    #[schemars(length(max = 16), extend("x-kubernetes-validations" = rules::memory()))]
    pub memory: String,
}

impl PolicySpec {
    /// A policy at this address, without modules, with every setting at its default.
    pub fn new(group: &str, name: &str, version: &str) -> Self {
        Self {
            group: group.to_owned(),
            name: name.to_owned(),
            version: version.to_owned(),
            ..Self::default()
        }
    }

    /// Adds a Rego source file.
    #[must_use]
    pub fn module(mut self, file: &str, source: &str) -> Self {
        self.modules.insert(file.to_owned(), source.to_owned());
        self
    }

    /// Adds one key of the static `data`.
    #[must_use]
    pub fn data(mut self, key: &str, value: Value) -> Self {
        self.data.insert(key.to_owned(), value);
        self
    }

    /// Adds one of the `input.parameters`.
    #[must_use]
    pub fn parameter(mut self, key: &str, value: Value) -> Self {
        self.parameters.insert(key.to_owned(), value);
        self
    }

    /// Has the policy asked at admission.
    #[must_use]
    pub fn admission(mut self, admission: Admission) -> Self {
        self.admission = Some(admission);
        self
    }

    /// The address as people write it: `group/name@version`.
    pub fn address(&self) -> String {
        format!("{}/{}@{}", self.group, self.name, self.version)
    }

    /// The rule or package that is evaluated: the one named, or `data.<group>.<name>`.
    pub fn effective_entrypoint(&self) -> String {
        self.entrypoint
            .clone()
            .unwrap_or_else(|| format!("data.{}.{}", self.group, self.name))
    }
}

impl Policy {
    /// A policy object in a namespace.
    pub fn in_namespace(namespace: &str, name: &str, spec: PolicySpec) -> Self {
        let mut policy = Self::new(name, spec);
        policy.metadata.namespace = Some(namespace.to_owned());
        policy
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            timeout: limits::default_timeout(),
            memory: limits::default_memory(),
        }
    }
}

impl ExemptibleBy {
    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde calls it with a reference"
    )]
    fn is_cluster(&self) -> bool {
        *self == Self::Cluster
    }
}

impl AsRef<PolicySpec> for PolicySpec {
    fn as_ref(&self) -> &PolicySpec {
        self
    }
}

impl AsRef<PolicySpec> for ClusterPolicySpec {
    fn as_ref(&self) -> &PolicySpec {
        &self.0
    }
}

impl Deref for ClusterPolicySpec {
    type Target = PolicySpec;

    fn deref(&self) -> &PolicySpec {
        &self.0
    }
}

impl From<PolicySpec> for ClusterPolicySpec {
    fn from(spec: PolicySpec) -> Self {
        Self(spec)
    }
}
