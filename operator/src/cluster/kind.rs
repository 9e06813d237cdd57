//! The kinds that are followed, and how an object of each is read.

use k8s_openapi::api::core::v1::Namespace;
use kube::core::{DynamicObject, ObjectMeta, PartialObjectMeta};
use portcullis_crds as crds;
use portcullis_policies::{Diagnostic, Diagnostics, Labels, ObjectKey, State};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value as Json, json};

use crate::convert::{BindingDraft, Draft, ExemptionDraft, LockDraft, kind};

/// A kind that is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Policy,
    ClusterPolicy,
    Lock,
    ClusterLock,
    PolicyBinding,
    ClusterPolicyBinding,
    Exemption,
    ClusterExemption,
    Namespace,
}

/// What an object says.
#[derive(Debug)]
pub(crate) enum Content {
    /// A policy that is still to be compiled.
    Policy(Box<Draft>),
    /// A binding whose conditions are still to be compiled.
    Binding(Box<BindingDraft>),
    /// A lock, or what is wrong with one.
    Lock(Box<LockDraft>),
    /// An exemption, or what is wrong with one.
    Exemption(Box<ExemptionDraft>),
    /// The labels of a namespace.
    Namespace(Labels),
    /// An object of which it cannot be told where it answers: what was in force of it stays so.
    Unreadable(Diagnostics),
}

impl Kind {
    /// The name in the log, the metrics and the readiness probe.
    pub(crate) const fn source(self) -> &'static str {
        match self {
            Self::Policy => "policies",
            Self::ClusterPolicy => "clusterpolicies",
            Self::Lock => "locks",
            Self::ClusterLock => "clusterlocks",
            Self::PolicyBinding => "policybindings",
            Self::ClusterPolicyBinding => "clusterpolicybindings",
            Self::Exemption => "exemptions",
            Self::ClusterExemption => "clusterexemptions",
            Self::Namespace => "namespaces",
        }
    }

    /// Whether objects of this kind live in namespaces.
    pub(super) fn is_namespaced(self) -> bool {
        matches!(
            self,
            Self::Policy | Self::Lock | Self::PolicyBinding | Self::Exemption
        )
    }

    /// Whether it makes a difference at admission only, which a sidecar does not judge.
    pub(super) fn is_for_admission(self) -> bool {
        matches!(
            self,
            Self::PolicyBinding
                | Self::ClusterPolicyBinding
                | Self::Exemption
                | Self::ClusterExemption
        )
    }

    /// The key of an object of this kind.
    pub(super) fn key(self, metadata: &ObjectMeta) -> ObjectKey {
        let name = metadata.name.as_deref().unwrap_or_default();
        ObjectKey::new(self.name(), metadata.namespace.as_deref(), name)
    }

    /// Reads an object.
    pub(crate) fn read(self, object: DynamicObject) -> Content {
        match self {
            Self::Policy => policy::<crds::Policy>(kind::POLICY, object),
            Self::ClusterPolicy => policy::<crds::ClusterPolicy>(kind::CLUSTER_POLICY, object),
            Self::Lock => lock::<crds::Lock>(object),
            Self::ClusterLock => lock::<crds::ClusterLock>(object),
            Self::PolicyBinding => binding::<crds::PolicyBinding>(kind::POLICY_BINDING, object),
            Self::ClusterPolicyBinding => {
                binding::<crds::ClusterPolicyBinding>(kind::CLUSTER_POLICY_BINDING, object)
            }
            Self::Exemption => exemption::<crds::Exemption>(object),
            Self::ClusterExemption => exemption::<crds::ClusterExemption>(object),
            Self::Namespace => Content::Namespace(object.metadata.labels.unwrap_or_default()),
        }
    }

    /// Takes an object of this kind out of the cache.
    pub(super) fn delete(self, state: &mut State, key: &ObjectKey) {
        match self {
            Self::Policy | Self::ClusterPolicy => state.delete_policy(key),
            Self::Lock | Self::ClusterLock => state.delete_lock(key),
            Self::PolicyBinding | Self::ClusterPolicyBinding => state.delete_binding(key),
            Self::Exemption | Self::ClusterExemption => state.delete_exemption(key),
            Self::Namespace => state.delete_namespace(&key.name),
        }
    }

    /// Takes the objects of this kind out of the cache for which `keep` does not hold.
    pub(super) fn retain(self, state: &mut State, keep: impl Fn(&ObjectKey) -> bool) {
        let other = |key: &ObjectKey| key.kind != self.name() || keep(key);
        match self {
            Self::Policy | Self::ClusterPolicy => state.retain_policies(other),
            Self::Lock | Self::ClusterLock => state.retain_locks(other),
            Self::PolicyBinding | Self::ClusterPolicyBinding => state.retain_bindings(other),
            Self::Exemption | Self::ClusterExemption => state.retain_exemptions(other),
            Self::Namespace => {
                state.retain_namespaces(|name| keep(&ObjectKey::new(self.name(), None, name)));
            }
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Policy => kind::POLICY,
            Self::ClusterPolicy => kind::CLUSTER_POLICY,
            Self::Lock => kind::LOCK,
            Self::ClusterLock => kind::CLUSTER_LOCK,
            Self::PolicyBinding => kind::POLICY_BINDING,
            Self::ClusterPolicyBinding => kind::CLUSTER_POLICY_BINDING,
            Self::Exemption => kind::EXEMPTION,
            Self::ClusterExemption => kind::CLUSTER_EXEMPTION,
            Self::Namespace => "Namespace",
        }
    }
}

/// A namespace, of which only the metadata was asked for, as the feed takes objects.
pub(super) fn without_content(object: PartialObjectMeta<Namespace>) -> DynamicObject {
    DynamicObject {
        types: None,
        metadata: object.metadata,
        data: Json::Null,
    }
}

fn policy<T: DeserializeOwned>(kind: &str, object: DynamicObject) -> Content
where
    for<'a> Draft: TryFrom<&'a T, Error = Diagnostics>,
{
    let spec = object.data.get("spec").cloned().unwrap_or_default();
    let draft = match typed::<T>(object.metadata.clone(), object.data) {
        Ok(typed) => Draft::try_from(&typed),
        // An object that was stored under another schema answers as a broken policy, as long as
        // what it judges can be read.
        Err(error) => {
            let faults = unreadable(&error);
            let document = json!({"kind": kind, "metadata": object.metadata, "spec": spec});
            Draft::stand_in(&document, faults.clone()).ok_or(faults)
        }
    };
    draft.map_or_else(Content::Unreadable, |draft| {
        Content::Policy(Box::new(draft))
    })
}

fn binding<T: DeserializeOwned>(kind: &str, object: DynamicObject) -> Content
where
    for<'a> BindingDraft: TryFrom<&'a T, Error = Diagnostics>,
{
    let spec = object.data.get("spec").cloned().unwrap_or_default();
    let draft = match typed::<T>(object.metadata.clone(), object.data) {
        Ok(typed) => BindingDraft::try_from(&typed),
        Err(error) => {
            let faults = unreadable(&error);
            let document = json!({"kind": kind, "metadata": object.metadata, "spec": spec});
            BindingDraft::stand_in(&document, &faults).ok_or(faults)
        }
    };
    draft.map_or_else(Content::Unreadable, |draft| {
        Content::Binding(Box::new(draft))
    })
}

fn lock<T: DeserializeOwned>(object: DynamicObject) -> Content
where
    for<'a> LockDraft: TryFrom<&'a T, Error = Diagnostics>,
{
    typed::<T>(object.metadata, object.data)
        .map_err(|error| unreadable(&error))
        .and_then(|typed| LockDraft::try_from(&typed))
        .map_or_else(Content::Unreadable, |draft| Content::Lock(Box::new(draft)))
}

fn exemption<T: DeserializeOwned>(object: DynamicObject) -> Content
where
    for<'a> ExemptionDraft: TryFrom<&'a T, Error = Diagnostics>,
{
    typed::<T>(object.metadata, object.data)
        .map_err(|error| unreadable(&error))
        .and_then(|typed| ExemptionDraft::try_from(&typed))
        .map_or_else(Content::Unreadable, |draft| {
            Content::Exemption(Box::new(draft))
        })
}

/// Reads what the kind says. The status is no part of it: a status that cannot be read must not
/// make a broken policy of a sound one.
fn typed<T: DeserializeOwned>(metadata: ObjectMeta, mut data: Json) -> serde_json::Result<T> {
    let fields = data.as_object_mut().map(std::mem::take).unwrap_or_default();
    let mut object: Map<String, Json> = fields
        .into_iter()
        .filter(|(key, _)| key != "status")
        .collect();
    object.insert("metadata".to_owned(), serde_json::to_value(metadata)?);
    serde_json::from_value(Json::Object(object))
}

fn unreadable(error: &serde_json::Error) -> Diagnostics {
    Diagnostic::new(
        "object_unreadable",
        format!("the object cannot be read: {error}"),
    )
    .with_remedy("apply it again under the schema that is installed now")
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    fn object(spec: &Json) -> DynamicObject {
        serde_json::from_value(json!({
            "apiVersion": "portcullis.dev/v1alpha1",
            "kind": "ClusterPolicy",
            "metadata": {"name": "labels", "creationTimestamp": "1970-01-01T00:00:07Z"},
            "spec": spec,
            "status": {"replicas": "an older shape"},
        }))
        .unwrap()
    }

    /// A match by one rule for this operation.
    fn rules(operation: &str) -> Json {
        json!({"match": {"resourceRules": [{
            "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "operations": [operation],
        }]}})
    }

    /// A spec with an address, and these fields.
    fn spec(fields: Json) -> Json {
        let mut spec = json!({"group": "a", "name": "b", "version": "1", "modules": {}});
        let Json::Object(fields) = fields else {
            panic!("{fields}")
        };
        spec.as_object_mut().unwrap().extend(fields);
        spec
    }

    /// Whether it is a policy, whether it has faults, by how many rules it matches, and whether it
    /// is a guardrail.
    #[rstest]
    #[case::sound(spec(json!({"admission": rules("CREATE")})), Some((false, 1, false)))]
    #[case::modules(spec(json!({"modules": 7, "admission": rules("CREATE"), "guardrail": true})), Some((true, 1, true)))]
    #[case::newer_severity(spec(json!({"decision": {"failOn": "grave"}, "admission": rules("CREATE")})), Some((true, 1, false)))]
    #[case::newer_action(spec(json!({"admission": {"action": "Ask", "match": rules("CREATE")["match"]}})), Some((true, 1, false)))]
    #[case::newer_operation(spec(json!({"admission": rules("PATCH")})), None)]
    #[case::admission(spec(json!({"admission": 7})), None)]
    #[case::address(spec(json!({"group": "A"})), None)]
    #[case::no_group(json!({"name": "b", "version": "1", "modules": {}}), None)]
    fn what_can_be_told_to_judge_answers(
        #[case] spec: Json,
        #[case] expected: Option<(bool, usize, bool)>,
    ) {
        let found = match Kind::ClusterPolicy.read(object(&spec)) {
            Content::Policy(draft) => {
                assert_eq!(draft.created.as_second(), 7);
                let rules = draft
                    .definition
                    .admission
                    .map_or(0, |admission| admission.matches.rules.len());
                Some((draft.faults.is_some(), rules, draft.definition.guardrail))
            }
            _ => None,
        };
        assert_eq!(found, expected);
    }

    /// Whoever stands in for an object that breaks its schema excludes nothing: a field that is not
    /// known here may have made an exclusion smaller.
    #[test]
    fn what_stands_in_excludes_nothing() {
        let mut admission = rules("CREATE");
        admission["action"] = json!("Ask");
        admission["match"]["excludeResourceRules"] = admission["match"]["resourceRules"].clone();
        admission["match"]["objectSelector"] = json!({"matchLabels": {"app": "web"}});
        admission["match"]["workloads"] = json!({"kinds": ["Job"]});
        let spec = spec(json!({"admission": admission}));
        let Content::Policy(draft) = Kind::ClusterPolicy.read(object(&spec)) else {
            panic!("it must be a policy");
        };
        let matches = draft.definition.admission.unwrap().matches;
        assert_eq!((matches.rules.len(), matches.excluded.len()), (1, 0));
        assert_eq!(matches.objects.match_labels["app"], "web");
        assert_eq!(matches.workloads[0].kind, "Job");
    }
}
