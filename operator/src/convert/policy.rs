//! `Policy` and `ClusterPolicy` become a definition, and what is wrong with them.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use portcullis_crds::{self as crds, PolicySpec};
use portcullis_policies::{
    Address, Allowance, Definition, Diagnostic, Diagnostics, Find, Labels, Object, ObjectKey,
    Owner, Policy, Scope, Timestamp, text::clean,
};
use serde_json::Value as Json;

use super::settings;

/// The kinds, as object keys and manifests write them.
pub mod kind {
    /// A policy of one namespace.
    pub const POLICY: &str = "Policy";
    /// A policy of the cluster.
    pub const CLUSTER_POLICY: &str = "ClusterPolicy";
    /// A lock of one namespace.
    pub const LOCK: &str = "Lock";
    /// A lock of the cluster.
    pub const CLUSTER_LOCK: &str = "ClusterLock";
    /// A binding of one namespace.
    pub const POLICY_BINDING: &str = "PolicyBinding";
    /// A binding of the cluster.
    pub const CLUSTER_POLICY_BINDING: &str = "ClusterPolicyBinding";
    /// An exemption of one namespace.
    pub const EXEMPTION: &str = "Exemption";
    /// An exemption of the cluster.
    pub const CLUSTER_EXEMPTION: &str = "ClusterExemption";
}

/// A policy that was read and not compiled yet. Reading is cheap and compiling is not: whoever sees
/// an object again compares the drafts and keeps the policy where only the object's status changed.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    /// The object.
    pub key: ObjectKey,
    /// When it was created; the epoch where the object does not say.
    pub created: Timestamp,
    /// When its spec was changed last; the epoch where that is not known.
    pub updated: Timestamp,
    /// What could be read. A setting that could not has its default, and `faults` says so.
    pub definition: Definition,
    /// What could not be read. Such a policy is broken whatever its Rego says.
    pub faults: Option<Diagnostics>,
}

impl Draft {
    /// Compiles the policy with what it imports and with what an administrator allows: broken, where
    /// it or its object is. CPU work; call it away from threads that answer requests.
    pub fn compile(self, find: Find<'_>, allowance: Allowance) -> Object {
        let policy = match self.faults {
            None => compile(self.definition, find, allowance),
            Some(faults) => Policy::broken_by(self.definition, faults),
        };
        Object {
            key: self.key,
            created: self.created,
            updated: self.updated,
            policy: Arc::new(policy),
        }
    }

    /// The draft that a policy was compiled of. One that could not be read in full imports nothing,
    /// and so nobody compiles it again.
    pub fn of(object: &Object) -> Self {
        Self {
            key: object.key.clone(),
            created: object.created,
            updated: object.updated,
            definition: object.policy.definition().clone(),
            faults: None,
        }
    }

    /// Reads a spec that an object of any kind holds. An error is a policy without an address:
    /// nobody can ask it, and so nothing can answer in its place.
    pub fn read(
        key: ObjectKey,
        scope: &Scope,
        metadata: &ObjectMeta,
        spec: &PolicySpec,
    ) -> Result<Self, Diagnostics> {
        let address = Address::new(scope.clone(), &spec.group, &spec.name, &spec.version)
            .map_err(|error| Diagnostic::new("address_invalid", error.to_string()))?;
        let mut faults = Vec::new();
        let definition = Definition {
            address,
            labels: labels(metadata),
            modules: spec.modules.clone(),
            rego_version: settings::rego_version(spec.rego_version),
            data: spec.data.clone(),
            data_from: settings::data_from(spec, scope, &mut faults),
            parameters: spec.parameters.clone(),
            parameters_schema: spec.parameters_schema.clone().map(Json::Object),
            output: settings::output(spec, &mut faults),
            entrypoint: spec.entrypoint.clone(),
            decision: settings::decision(spec.decision),
            admission: spec
                .admission
                .as_ref()
                .map(|admission| settings::admission(admission, &mut faults)),
            hosts: settings::hosts(spec.network.as_ref(), &mut faults),
            limits: settings::limits(&spec.limits, &mut faults),
            imports: settings::imports(spec, scope, &mut faults),
            pin: settings::digest(spec.sha256.as_deref(), &mut faults),
            supersedes: settings::supersedes(spec.supersedes.as_deref(), &mut faults),
            // After all that can be wrong, for what is broken has no window.
            window: settings::window(spec, &mut faults),
            guardrail: spec.guardrail,
            shadow: spec.shadow,
            exemptible_by: match spec.exemptible_by {
                crds::ExemptibleBy::Cluster => Owner::Cluster,
                crds::ExemptibleBy::Namespace => Owner::Namespace,
            },
            importable: spec.importable,
        };
        Ok(Self {
            key,
            created: created(metadata),
            updated: updated(metadata),
            definition,
            faults: Diagnostics::collect(faults),
        })
    }
}

impl Draft {
    /// What answers in the place of an object that breaks its schema: a policy that is broken at
    /// its own match. Each field is read by itself; one that cannot be read has its default. `None`
    /// where the address, the object's name or what the policy was to judge is not to be had.
    pub fn stand_in(document: &Json, faults: Diagnostics) -> Option<Self> {
        let at = |pointer: &str| document.pointer(pointer);
        let text = |pointer: &str| at(pointer).and_then(Json::as_str).unwrap_or_default();
        let labels = at("/metadata/labels").cloned();
        let created = at("/metadata/creationTimestamp").cloned();
        let metadata = ObjectMeta {
            name: at("/metadata/name")
                .and_then(Json::as_str)
                .map(str::to_owned),
            namespace: at("/metadata/namespace")
                .and_then(Json::as_str)
                .map(str::to_owned),
            labels: labels.and_then(|labels| serde_json::from_value(labels).ok()),
            creation_timestamp: created.and_then(|time| serde_json::from_value(time).ok()),
            ..ObjectMeta::default()
        };
        let (scope, key) = match document.get("kind")?.as_str()? {
            kind::POLICY => {
                let namespace = namespace(&metadata).ok()?;
                let key = ObjectKey::new(kind::POLICY, Some(namespace), name(&metadata).ok()?);
                (Scope::Namespace(namespace.to_owned()), key)
            }
            kind::CLUSTER_POLICY => {
                let key = ObjectKey::new(kind::CLUSTER_POLICY, None, name(&metadata).ok()?);
                (Scope::Cluster, key)
            }
            _ => return None,
        };
        let mut spec = PolicySpec::new(
            text("/spec/group"),
            text("/spec/name"),
            text("/spec/version"),
        );
        // Who writes nonsense here meant to write something: a lock may not bypass it.
        spec.guardrail = at("/spec/guardrail").is_some_and(|value| *value != Json::Bool(false));
        spec.shadow = at("/spec/shadow") == Some(&Json::Bool(true));
        let mut draft = Self::read(key, &scope, &metadata, &spec).ok()?;
        if let Some(admission) = at("/spec/admission") {
            draft.definition.admission = Some(settings::salvaged_admission(admission)?);
        }
        Some(Self {
            faults: Some(faults),
            ..draft
        })
    }
}

impl TryFrom<&crds::Policy> for Draft {
    type Error = Diagnostics;

    fn try_from(object: &crds::Policy) -> Result<Self, Diagnostics> {
        let namespace = namespace(&object.metadata)?;
        let key = ObjectKey::new(kind::POLICY, Some(namespace), name(&object.metadata)?);
        let scope = Scope::Namespace(namespace.to_owned());
        Self::read(key, &scope, &object.metadata, &object.spec)
    }
}

impl TryFrom<&crds::ClusterPolicy> for Draft {
    type Error = Diagnostics;

    fn try_from(object: &crds::ClusterPolicy) -> Result<Self, Diagnostics> {
        let key = ObjectKey::new(kind::CLUSTER_POLICY, None, name(&object.metadata)?);
        Self::read(key, &Scope::Cluster, &object.metadata, object.spec.as_ref())
    }
}

/// Compiles a definition. One on which the compiler panics is a broken policy, and not the end of
/// whoever watches.
fn compile(definition: Definition, find: Find<'_>, allowance: Allowance) -> Policy {
    let kept = definition.clone();
    // The compiler owns all that it changes, so nothing half-done is seen after a panic.
    let compile = || Policy::compile_within(definition, find, allowance);
    catch_unwind(AssertUnwindSafe(compile)).unwrap_or_else(|_| {
        let fault = Diagnostic::new("compiler_failed", "the compiler ended unexpectedly")
            .with_remedy("simplify the policy's modules, and report them to portcullis");
        Policy::broken_by(kept, fault.into())
    })
}

/// Longest name of an object.
const MAX_NAME: usize = 253;

/// The object's name.
pub(super) fn name(metadata: &ObjectMeta) -> Result<&str, Diagnostics> {
    named("name", metadata.name.as_deref()).map_err(|fault| {
        fault
            .with_remedy("set `metadata.name` as `kubectl` takes it")
            .into()
    })
}

/// The object's namespace; a kind with namespaces has to say it.
pub(super) fn namespace(metadata: &ObjectMeta) -> Result<&str, Diagnostics> {
    named("namespace", metadata.namespace.as_deref()).map_err(|fault| {
        fault
            .with_remedy("set `metadata.namespace`, or use the kind of the cluster")
            .into()
    })
}

/// A name as the API server takes it, which a file may not have: letters, digits, hyphens and
/// dots.
fn named<'a>(field: &str, name: Option<&'a str>) -> Result<&'a str, Box<Diagnostic>> {
    let Some(name) = name.filter(|name| !name.is_empty()) else {
        let message = format!("the object has no {field}");
        return Err(Diagnostic::new(&format!("{field}_missing"), message).into());
    };
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let inside = |byte: u8| letter(byte) || byte == b'-' || byte == b'.';
    let ends = [name.bytes().next(), name.bytes().next_back()];
    if name.len() <= MAX_NAME && name.bytes().all(inside) && ends.into_iter().flatten().all(letter)
    {
        return Ok(name);
    }
    let message = format!("`{}` is no {field} of an object", clean(name));
    Err(Diagnostic::new(&format!("{field}_invalid"), message).into())
}

fn labels(metadata: &ObjectMeta) -> Labels {
    metadata.labels.clone().unwrap_or_default()
}

/// An object without a time of creation comes from a file, and all files are equally old: the
/// order of their names decides which of two holds an address.
fn created(metadata: &ObjectMeta) -> Timestamp {
    metadata
        .creation_timestamp
        .as_ref()
        .map_or(Timestamp::UNIX_EPOCH, |time| time.0)
}

/// When somebody last changed more than the object's status, as the API server keeps it.
fn updated(metadata: &ObjectMeta) -> Timestamp {
    let managed = metadata.managed_fields.iter().flatten();
    let changes =
        managed.filter(|entry| entry.subresource.as_deref().unwrap_or_default().is_empty());
    let times = changes.filter_map(|entry| Some(entry.time.as_ref()?.0));
    times.max().unwrap_or_else(|| created(metadata))
}

#[cfg(test)]
mod tests;
