//! One immutable state of the whole cache.

use std::{
    cell::LazyCell,
    collections::{BTreeMap, BTreeSet, HashMap, btree_map::Entry as Slot},
    sync::Arc,
};

use crate::{
    Address, Effect, Entry, Labels, Lock, Object, ObjectKey, Objects, Owner, Policy, Route, Scope,
    Subject, index::Index, matching::Namespaces,
};

/// All policies in force or broken, with their locks, ready to be asked. Built by the cache, never
/// changed, shared by all threads.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    entries: BTreeMap<Address, Arc<Entry>>,
    locks: Vec<Arc<Lock>>,
    conflicts: Vec<Conflict>,
    cluster: Index,
    by_namespace: HashMap<String, Index>,
    namespaces: Arc<Namespaces>,
    revision: u64,
}

/// Two objects with one address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The address.
    pub address: Address,
    /// The older object, which is in force.
    pub holder: ObjectKey,
    /// The younger one, which takes over when the older is gone.
    pub other: ObjectKey,
}

/// The object that holds each address, and those that wait for one: of several, the oldest holds it.
pub fn holders<'o>(
    objects: impl IntoIterator<Item = &'o Object>,
) -> (BTreeMap<&'o Address, &'o Object>, Vec<Conflict>) {
    let mut oldest_first: Vec<&Object> = objects.into_iter().collect();
    oldest_first.sort_by_key(|object| (object.created, &object.key));
    let mut held: BTreeMap<&Address, &Object> = BTreeMap::new();
    let mut conflicts = Vec::new();
    for object in oldest_first {
        match held.entry(object.policy.address()) {
            Slot::Vacant(slot) => drop(slot.insert(object)),
            Slot::Occupied(holder) => conflicts.push(Conflict {
                address: object.policy.address().clone(),
                holder: holder.get().key.clone(),
                other: object.key.clone(),
            }),
        }
    }
    (held, conflicts)
}

impl Snapshot {
    pub(crate) fn build(
        objects: &BTreeMap<ObjectKey, Object>,
        locks: &BTreeMap<ObjectKey, Arc<Lock>>,
        namespaces: &Arc<Namespaces>,
        moved: &BTreeSet<ObjectKey>,
        revision: u64,
    ) -> Self {
        let (held, conflicts) = holders(objects.values());
        let covering = |policy: &Policy| {
            let labels = policy
                .address()
                .namespace()
                .and_then(|namespace| namespaces.get(namespace))
                .map(AsRef::as_ref);
            let covers = |lock: &&Arc<Lock>| lock.covers(policy, labels);
            locks.values().filter(covers).cloned().collect::<Vec<_>>()
        };
        let imported = |policy: &Policy| {
            let all = policy.imports().all();
            let refusing = all.iter().flat_map(|import| {
                // By the labels that it has now: an importer holds it as it was compiled.
                let now = held.get(import.address());
                let mut locks = covering(now.map_or(import, |object| &object.policy));
                locks.retain(|lock| lock.effect == Effect::Refuse);
                locks
                    .into_iter()
                    .map(|lock| (import.address().clone(), lock))
            });
            refusing.collect()
        };
        let entries: BTreeMap<Address, Arc<Entry>> = held
            .iter()
            .map(|(&address, object)| {
                let entry = Entry {
                    object: object.key.clone(),
                    policy: object.policy.clone(),
                    locks: covering(&object.policy),
                    imported_locks: imported(&object.policy),
                };
                (address.clone(), Arc::new(entry))
            })
            .collect();

        let mut cluster = Index::default();
        let mut by_namespace: HashMap<String, Index> = HashMap::new();
        for entry in entries.values() {
            match entry.address().scope() {
                Scope::Cluster => cluster.insert(entry, moved.contains(&entry.object)),
                Scope::Namespace(name) => {
                    let own = by_namespace.entry(name.clone()).or_default();
                    own.insert(entry, moved.contains(&entry.object));
                }
            }
        }
        Self {
            entries,
            locks: locks.values().cloned().collect(),
            conflicts,
            cluster,
            by_namespace,
            namespaces: namespaces.clone(),
            revision,
        }
    }

    /// The policy at an address.
    pub fn find(&self, address: &Address) -> Option<&Arc<Entry>> {
        self.entries.get(address)
    }

    /// The policy at an address, for what imports it.
    pub fn policy(&self, address: &Address) -> Option<Arc<Policy>> {
        self.find(address).map(|entry| entry.policy.clone())
    }

    /// The newest version of a name.
    pub fn find_newest(&self, scope: &Scope, group: &str, name: &str) -> Option<&Arc<Entry>> {
        self.entries
            .values()
            .filter(|entry| {
                let address = entry.address();
                address.scope() == scope && address.group() == group && address.name() == name
            })
            .max_by_key(|entry| entry.address().version())
    }

    /// The policies that judge a request at admission: the cluster's, then those of the request's
    /// own namespace. `objects` is called at most once, and only where a selector needs it.
    pub fn select(
        &self,
        subject: &Subject,
        objects: impl FnOnce() -> Objects,
        route: Route,
    ) -> Vec<&Arc<Entry>> {
        let own = subject
            .namespace
            .as_ref()
            .filter(|_| !subject.is_namespace())
            .and_then(|namespace| self.by_namespace.get(namespace));
        let cluster = Some(&self.cluster).filter(|_| route.includes(Owner::Cluster));
        let own = own.filter(|_| route.includes(Owner::Namespace));
        let objects = LazyCell::new(objects);
        let is_selected = |entry: &&Arc<Entry>| {
            let admission = entry.policy.definition().admission.as_ref();
            admission.is_some_and(|admission| {
                let matches = &admission.matches;
                matches.selects(subject, &objects, &self.namespaces)
            })
        };
        cluster
            .into_iter()
            .chain(own)
            .flat_map(|index| index.candidates(subject, route))
            .filter(is_selected)
            .collect()
    }

    /// Whether a policy's match selects a request, as far as its rules and selectors say. One that
    /// does not judge at admission selects all, for who asks it as if it did.
    pub fn is_selected(
        &self,
        entry: &Entry,
        subject: &Subject,
        objects: impl FnOnce() -> Objects,
    ) -> bool {
        let admission = entry.policy.definition().admission.as_ref();
        let owner = entry.address().namespace();
        let is_own = owner.is_none_or(|owner| {
            subject.namespace.as_deref() == Some(owner) && !subject.is_namespace()
        });
        admission.is_none_or(|admission| {
            if !is_own {
                return false;
            }
            let objects = LazyCell::new(objects);
            admission
                .matches
                .selects(subject, &objects, &self.namespaces)
        })
    }

    /// The labels of a namespace, where they are known.
    pub fn namespace(&self, name: &str) -> Option<Arc<Labels>> {
        self.namespaces.get(name).cloned()
    }

    /// All policies, by address.
    pub fn entries(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.entries.values()
    }

    /// All locks.
    pub fn locks(&self) -> &[Arc<Lock>] {
        &self.locks
    }

    /// Objects whose address another one holds.
    pub fn conflicts(&self) -> &[Conflict] {
        &self.conflicts
    }

    /// Grows with each change of the cache.
    pub fn revision(&self) -> u64 {
        self.revision
    }
}
