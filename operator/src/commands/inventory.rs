//! The policies and the locks of a cluster, read once, for a person.
//!
//! Nothing is compiled: which locks cover a policy is told from what its object says.

#[cfg(test)]
pub(super) mod fixture;

use std::collections::BTreeMap;

use anyhow::anyhow;
use k8s_openapi::{api::core::v1::Namespace, apimachinery::pkg::apis::meta::v1::Condition};
use kube::{
    Api, Client, Resource as _,
    api::ListParams,
    core::{DynamicObject, PartialObjectMeta},
};
use portcullis_crds as crds;
use portcullis_policies::{Address, Definition, Effect, Labels, Lock, Reach, Timestamp};
use portcullis_webhook::LockFault;
use serde_json::Value as Json;

use super::{audit::Pages, judging::Resource};
use crate::{
    client::Failure,
    cluster::{Content, Kind, chain},
};

/// Whose policies are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    /// Everybody's.
    All,
    /// The cluster's own.
    Cluster,
    /// Those of one namespace.
    Namespace(String),
}

impl Whose {
    /// Those beside which a policy is found.
    pub(super) fn of(address: &Address) -> Self {
        let namespace = address.namespace().map(str::to_owned);
        namespace.map_or(Self::Cluster, Self::Namespace)
    }

    fn namespace(&self) -> Option<&str> {
        match self {
            Self::Namespace(namespace) => Some(namespace),
            Self::All | Self::Cluster => None,
        }
    }
}

/// What is there.
#[derive(Debug, Default)]
pub(super) struct Inventory {
    /// In the order of their addresses, those of namespaces last.
    pub(super) policies: Vec<Kept>,
    locks: Vec<Lock>,
    /// Labels of namespaces, where a lock looks at them.
    namespaces: BTreeMap<String, Labels>,
    /// What could not be read, and why.
    pub(super) faults: Vec<String>,
    /// Kinds of locks that may not be read, and what the API server says.
    unread: Vec<(Kind, String)>,
}

/// A policy's object.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) definition: Definition,
    /// When its spec was changed last; the epoch where that is not known.
    pub(super) updated: Timestamp,
    pub(super) conditions: Vec<Condition>,
    /// Its status, as far as it is no condition.
    pub(super) status: Json,
}

impl Inventory {
    /// Reads policies, and the locks that may cover them. Policies that may not be read are a failure;
    /// locks that may not be are a note, because a tenant may not read those of the cluster.
    pub(super) async fn read(client: &Client, whose: &Whose) -> Result<Self, Failure> {
        let mut inventory = Self::default();
        let mut pages = Pages::new(client.clone());
        let namespace = whose.namespace();
        if *whose != Whose::Cluster {
            inventory.add(&mut pages, Kind::Policy, namespace).await?;
        }
        if namespace.is_none() {
            inventory.add(&mut pages, Kind::ClusterPolicy, None).await?;
        }
        if *whose != Whose::Cluster {
            inventory.add_locks(&mut pages, Kind::Lock, namespace).await;
        }
        inventory
            .add_locks(&mut pages, Kind::ClusterLock, None)
            .await;
        inventory.add_namespaces(client, whose).await;
        let by = |kept: &Kept| kept.definition.address.clone();
        inventory.policies.sort_by_key(by);
        Ok(inventory)
    }

    /// Whether there is such a policy.
    pub(super) fn has(&self, address: &Address) -> bool {
        let mut policies = self.policies.iter();
        policies.any(|kept| kept.definition.address == *address)
    }

    /// The locks that cover a policy and have not expired: those that refuse first.
    pub(super) fn locks_of(&self, definition: &Definition, now: Timestamp) -> Vec<&Lock> {
        let namespace = definition.address.namespace();
        let labels = namespace.and_then(|name| self.namespaces.get(name));
        let covers =
            |lock: &&Lock| lock.is_active(now) && lock.covers_what_defines(definition, labels);
        let mut locks: Vec<&Lock> = self.locks.iter().filter(covers).collect();
        locks.sort_by_key(|lock| (lock.effect == Effect::Bypass, lock.key.to_string()));
        locks
    }

    /// The locks that cover the policy of an address.
    pub(super) fn locks_at(&self, address: &Address, now: Timestamp) -> Vec<&Lock> {
        let mut policies = self.policies.iter();
        let found = policies.find(|kept| kept.definition.address == *address);
        found.map_or_else(Vec::new, |kept| self.locks_of(&kept.definition, now))
    }

    /// The lock of an object, whether it has expired or not.
    pub(super) fn lock(&self, key: &portcullis_policies::ObjectKey) -> Option<&Lock> {
        self.locks.iter().find(|lock| lock.key == *key)
    }

    /// The names of locks that hold a policy and may not be read, as its status has them.
    pub(super) fn unread_locks_of(&self, kept: &Kept) -> Vec<String> {
        let named = kept.status["locks"].as_array().into_iter().flatten();
        let named = named.filter_map(Json::as_str);
        let named = named.filter_map(|reference| reference.split_once('/'));
        let is_unread = |kind: &str| self.unread.iter().any(|(unread, _)| unread.name() == kind);
        let unread = named.filter(|(kind, _)| is_unread(kind));
        unread
            .map(|(kind, name)| format!("{kind} {name}"))
            .collect()
    }

    /// What is not known because it may not be read.
    pub(super) fn notes(&self) -> impl Iterator<Item = String> {
        self.unread.iter().map(|(kind, why)| {
            let source = kind.source();
            format!(
                "note: you may not read the {source}, so which of them hold is not known: {why}"
            )
        })
    }

    async fn add_locks(&mut self, pages: &mut Pages, kind: Kind, namespace: Option<&str>) {
        match self.add(pages, kind, namespace).await {
            Ok(()) => {}
            Err(Failure::Refused(fault)) => self.unread.push((kind, fault.message)),
            Err(failure) => self.faults.push(failure.text()),
        }
    }

    async fn add(
        &mut self,
        pages: &mut Pages,
        kind: Kind,
        namespace: Option<&str>,
    ) -> Result<(), Failure> {
        pages.begin(&resource(kind), namespace);
        loop {
            let objects = match pages.next().await {
                Ok(None) => return Ok(()),
                Ok(Some(objects)) => objects,
                Err(error) => return Err(unreadable(kind, &error)),
            };
            for object in objects {
                self.put(kind, object);
            }
        }
    }

    fn put(&mut self, kind: Kind, mut object: Json) {
        let status = object["status"].take();
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        let called = format!("{} {name}", kind.source());
        let content = match serde_json::from_value::<DynamicObject>(object) {
            Ok(object) => kind.read(object),
            Err(error) => {
                self.faults
                    .push(format!("{called} cannot be read: {error}"));
                return;
            }
        };
        match content {
            Content::Policy(draft) => self.policies.push(Kept {
                definition: draft.definition,
                updated: draft.updated,
                conditions: serde_json::from_value(status["conditions"].clone())
                    .unwrap_or_default(),
                status,
            }),
            Content::Lock(draft) => self.locks.extend(draft.lock),
            Content::Unreadable(faults) => {
                let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
                let fault = format!("{called} cannot be read: {}", faults.join("; "));
                self.faults.push(fault);
            }
            _ => {}
        }
    }

    /// Reads the labels of namespaces where a lock looks at them. Of one whose labels are not known, a
    /// lock that refuses covers the policies.
    async fn add_namespaces(&mut self, client: &Client, whose: &Whose) {
        let selects = |lock: &Lock| matches!(&lock.reach, Reach::Cluster { namespaces } if namespaces.is_some());
        if *whose == Whose::Cluster || !self.locks.iter().any(selects) {
            return;
        }
        let api: Api<PartialObjectMeta<Namespace>> = Api::all(client.clone());
        let found = if let Some(name) = whose.namespace() {
            api.get_metadata(name).await.map(|found| vec![found])
        } else {
            let list = api.list_metadata(&ListParams::default()).await;
            list.map(|list| list.items)
        };
        match found {
            Ok(found) => self.namespaces.extend(found.into_iter().filter_map(|it| {
                let name = it.metadata.name?;
                Some((name, it.metadata.labels.unwrap_or_default()))
            })),
            Err(error) => self.faults.push(format!(
                "the labels of namespaces cannot be read, so a lock that selects by them is taken to \
                 hold: {error}"
            )),
        }
    }
}

fn resource(kind: Kind) -> Resource {
    let (plural, namespaced) = match kind {
        Kind::Policy => (crds::Policy::plural(&()), true),
        Kind::Lock => (crds::Lock::plural(&()), true),
        Kind::ClusterLock => (crds::ClusterLock::plural(&()), false),
        _ => (crds::ClusterPolicy::plural(&()), false),
    };
    Resource {
        group: crds::Policy::group(&()).into_owned(),
        version: crds::Policy::version(&()).into_owned(),
        kind: kind.name().to_owned(),
        plural: plural.into_owned(),
        namespaced,
    }
}

/// Why objects cannot be read, as the evaluation API would say it.
fn unreadable(kind: Kind, error: &anyhow::Error) -> Failure {
    let source = kind.source();
    match error.downcast_ref::<kube::Error>() {
        Some(kube::Error::Api(status)) if status.code == 403 => {
            LockFault::Forbidden(status.message.clone()).into()
        }
        Some(kube::Error::Api(status)) if status.code == 401 => LockFault::Unauthenticated.into(),
        Some(kube::Error::Api(status)) if status.code == 404 => Failure::Unknown(anyhow!(
            "the cluster has no `{source}` of `portcullis.dev`: Portcullis is not installed there"
        )),
        _ => Failure::Unknown(anyhow!(
            "the {source} of the cluster cannot be read: {}",
            chain(error.as_ref())
        )),
    }
}
