//! The kinds that are followed, and how an object of each is read.

use k8s_openapi::api::core::v1::Namespace;
use kube::core::{DynamicObject, ObjectMeta, PartialObjectMeta};
use portcullis_crds as crds;
use portcullis_policies::{Diagnostic, Diagnostics, Labels, ObjectKey, State};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value as Json};

use crate::convert::{Draft, LockDraft, kind};

/// A kind that is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Policy,
    ClusterPolicy,
    Lock,
    ClusterLock,
    Namespace,
}

/// What an object says.
#[derive(Debug)]
pub(super) enum Content {
    /// A policy that is still to be compiled.
    Policy(Box<Draft>),
    /// A lock, or what is wrong with one.
    Lock(Box<LockDraft>),
    /// The labels of a namespace.
    Namespace(Labels),
    /// An object without a usable address.
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
            Self::Namespace => "namespaces",
        }
    }

    /// Whether objects of this kind live in namespaces.
    pub(super) fn is_namespaced(self) -> bool {
        matches!(self, Self::Policy | Self::Lock)
    }

    /// The key of an object of this kind.
    pub(super) fn key(self, metadata: &ObjectMeta) -> ObjectKey {
        let name = metadata.name.as_deref().unwrap_or_default();
        ObjectKey::new(self.name(), metadata.namespace.as_deref(), name)
    }

    /// Reads an object.
    pub(super) fn read(self, object: DynamicObject) -> Content {
        match self {
            Self::Policy => policy::<crds::Policy>(object),
            Self::ClusterPolicy => policy::<crds::ClusterPolicy>(object),
            Self::Lock => lock::<crds::Lock>(object),
            Self::ClusterLock => lock::<crds::ClusterLock>(object),
            Self::Namespace => Content::Namespace(object.metadata.labels.unwrap_or_default()),
        }
    }

    /// Takes an object of this kind out of the cache.
    pub(super) fn delete(self, state: &mut State, key: &ObjectKey) {
        match self {
            Self::Policy | Self::ClusterPolicy => state.delete_policy(key),
            Self::Lock | Self::ClusterLock => state.delete_lock(key),
            Self::Namespace => state.delete_namespace(&key.name),
        }
    }

    /// Takes the objects of this kind out of the cache for which `keep` does not hold.
    pub(super) fn retain(self, state: &mut State, keep: impl Fn(&ObjectKey) -> bool) {
        let other = |key: &ObjectKey| key.kind != self.name() || keep(key);
        match self {
            Self::Policy | Self::ClusterPolicy => state.retain_policies(other),
            Self::Lock | Self::ClusterLock => state.retain_locks(other),
            Self::Namespace => {
                state.retain_namespaces(|name| keep(&ObjectKey::new(self.name(), None, name)));
            }
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Policy => kind::POLICY,
            Self::ClusterPolicy => kind::CLUSTER_POLICY,
            Self::Lock => kind::LOCK,
            Self::ClusterLock => kind::CLUSTER_LOCK,
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

fn policy<T: DeserializeOwned>(object: DynamicObject) -> Content
where
    for<'a> Draft: TryFrom<&'a T, Error = Diagnostics>,
{
    let spec = object.data.get("spec").cloned();
    let draft = match typed::<T>(object.metadata.clone(), object.data) {
        Ok(typed) => Draft::try_from(&typed),
        // An object that was stored under another schema. Its address and its match are enough to
        // answer as a broken policy; whoever needs less is more likely to be readable.
        Err(error) => [
            &["group", "name", "version", "admission"][..],
            &["group", "name", "version"],
        ]
        .into_iter()
        .find_map(|fields| salvaged::<T>(&object.metadata, spec.as_ref()?, fields))
        .map_or_else(
            || Err(unreadable(&error)),
            |typed| {
                let mut draft = Draft::try_from(&typed)?;
                draft.faults = Some(unreadable(&error));
                Ok(draft)
            },
        ),
    };
    draft.map_or_else(Content::Unreadable, |draft| {
        Content::Policy(Box::new(draft))
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

fn salvaged<T: DeserializeOwned>(metadata: &ObjectMeta, spec: &Json, fields: &[&str]) -> Option<T> {
    let kept = fields
        .iter()
        .filter_map(|field| Some(((*field).to_owned(), spec.get(*field)?.clone())));
    let mut kept: Map<String, Json> = kept.collect();
    kept.insert("modules".to_owned(), Json::Object(Map::new()));
    typed(
        metadata.clone(),
        Json::Object(Map::from_iter([("spec".to_owned(), kept.into())])),
    )
    .ok()
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
            "metadata": {"name": "labels"},
            "spec": spec,
            "status": {"replicas": "an older shape"},
        }))
        .unwrap()
    }

    fn rules() -> Json {
        json!({"match": {"resourceRules": [{
            "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "operations": ["CREATE"],
        }]}})
    }

    /// Whether it is a policy, whether it has faults, and how many rules it matches by.
    #[rstest]
    #[case(json!({"group": "a", "name": "b", "version": "1", "modules": {}, "admission": rules()}), Some((false, 1)))]
    #[case(json!({"group": "a", "name": "b", "version": "1", "modules": 7, "admission": rules()}), Some((true, 1)))]
    #[case(json!({"group": "a", "name": "b", "version": "1", "modules": {}, "admission": 7}), Some((true, 0)))]
    #[case(json!({"group": "A", "name": "b", "version": "1", "modules": {}}), None)]
    #[case(json!({"name": "b", "version": "1", "modules": {}}), None)]
    fn what_has_an_address_answers(#[case] spec: Json, #[case] expected: Option<(bool, usize)>) {
        let found = match Kind::ClusterPolicy.read(object(&spec)) {
            Content::Policy(draft) => {
                let rules = draft
                    .definition
                    .admission
                    .map_or(0, |admission| admission.rules.len());
                Some((draft.faults.is_some(), rules))
            }
            _ => None,
        };
        assert_eq!(found, expected);
    }
}
