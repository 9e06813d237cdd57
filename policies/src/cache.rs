//! The evaluator cache: written by whoever watches, read by every door.
//!
//! Writers change a [`State`] behind a mutex and publish a new [`Snapshot`]; readers load the
//! published one, without a lock and without waiting for a writer.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
};

use arc_swap::ArcSwap;
use jiff::Timestamp;

use crate::{
    Allowance, Binding, Exemption, InPlaceOf, Labels, Lock, Object, ObjectKey, Policy, Selected,
    Selection, Snapshot, matching::Namespaces, outdated, seal::Seals,
};

/// The cache.
#[derive(Debug, Default)]
pub struct Cache {
    state: Mutex<State>,
    published: ArcSwap<Snapshot>,
    allowance: Allowance,
}

/// All objects that the cache knows.
#[derive(Clone, Debug, Default)]
pub struct State {
    pub(crate) policies: BTreeMap<ObjectKey, Object>,
    pub(crate) locks: BTreeMap<ObjectKey, Arc<Lock>>,
    pub(crate) seals: Seals,
    pub(crate) exemptions: BTreeMap<ObjectKey, Arc<Exemption>>,
    pub(crate) bindings: BTreeMap<ObjectKey, Arc<Binding>>,
    pub(crate) parameters: Arc<BTreeMap<Selection, Selected>>,
    /// Which policies have taken the place of older versions.
    pub(crate) in_place_of: BTreeMap<ObjectKey, InPlaceOf>,
    pub(crate) namespaces: Arc<Namespaces>,
    /// Policies and bindings whose failure policy changed while they were known.
    pub(crate) moved: BTreeSet<ObjectKey>,
    pub(crate) revision: u64,
}

impl Cache {
    /// An empty cache, which knows no policy.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty cache, for policies that are allowed this.
    pub fn allowing(allowance: Allowance) -> Self {
        Self {
            allowance,
            ..Self::default()
        }
    }

    /// What policies are to be compiled with that come into this cache.
    pub fn allowance(&self) -> Allowance {
        self.allowance.clone()
    }

    /// What is in force now.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.published.load_full()
    }

    /// The objects whose policies are to be compiled again now, because what they import has
    /// changed. When they are, there may be others.
    pub fn outdated(&self) -> Vec<Object> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let snapshot = self.snapshot();
        let policies = state
            .policies
            .values()
            .map(|object| (object, &object.policy));
        outdated(policies, &*snapshot)
            .into_iter()
            .map(|(object, _)| object.clone())
            .collect()
    }

    /// Changes the state, and publishes one snapshot for all that `change` did.
    pub fn update<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        // A writer that panicked left a state of whole objects, of which each is valid.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = change(&mut state);
        state.settle_seals();
        state.revision += 1;
        let longest = self.allowance.longest_exemption;
        let snapshot = Snapshot::build(&state, &self.snapshot(), longest);
        self.published.store(Arc::new(snapshot));
        answer
    }
}

impl State {
    /// Adds or replaces the policy of an object. One whose failure policy changes is asked at both
    /// from then on: until the API server knows of the change it asks at the old one, and whoever
    /// was only asked at the new one would not be asked at all.
    pub fn apply_policy(&mut self, object: Object) {
        let asked_at = |object: &Object| object.policy.definition().failure_policy();
        let before = self.policies.get(&object.key).and_then(asked_at);
        if before.is_some() && before != asked_at(&object) {
            self.moved.insert(object.key.clone());
        }
        self.policies.insert(object.key.clone(), object);
    }

    /// Adds or replaces a binding. One whose failure policy changes is asked at both, as a policy is.
    pub fn apply_binding(&mut self, binding: Arc<Binding>) {
        let asked_at = |binding: &Binding| binding.admission.effective_failure_policy();
        let before = self.bindings.get(&binding.key);
        if before.is_some_and(|before| asked_at(before) != asked_at(&binding)) {
            self.moved.insert(binding.key.clone());
        }
        self.bindings.insert(binding.key.clone(), binding);
    }

    /// Removes a binding.
    pub fn delete_binding(&mut self, key: &ObjectKey) {
        self.moved.remove(key);
        self.bindings.remove(key);
    }

    /// Keeps only the bindings for which `keep` holds.
    pub fn retain_bindings(&mut self, mut keep: impl FnMut(&ObjectKey) -> bool) {
        self.bindings.retain(|key, _| keep(key));
        self.forget_moved();
    }

    /// Notes what is known of the objects of a selection.
    pub fn set_parameters(&mut self, selection: Selection, selected: Selected) {
        Arc::make_mut(&mut self.parameters).insert(selection, selected);
    }

    /// Keeps only the selections for which `keep` holds.
    pub fn retain_parameters(&mut self, mut keep: impl FnMut(&Selection) -> bool) {
        Arc::make_mut(&mut self.parameters).retain(|selection, _| keep(selection));
    }

    /// Notes whether the policy of an object has taken the place of an older version.
    pub fn set_in_place_of(&mut self, key: &ObjectKey, in_place_of: Option<InPlaceOf>) {
        match in_place_of {
            Some(in_place_of) => drop(self.in_place_of.insert(key.clone(), in_place_of)),
            None => drop(self.in_place_of.remove(key)),
        }
    }

    /// Has each policy that is sound and in force take the place of the version that it supersedes,
    /// for who is the only one that judges: there is nobody else to wait for.
    pub fn supersede(&mut self, now: Timestamp) {
        let policies = self.policies.values();
        let superseding = policies.filter(|object| object.policy.faults().is_none());
        let taken = superseding.filter_map(|object| {
            let in_place_of = InPlaceOf {
                version: object.policy.definition().supersedes.clone()?,
                since: now,
            };
            Some((object.key.clone(), in_place_of))
        });
        self.in_place_of = taken.collect();
    }

    /// The policy that an object holds.
    pub fn policy(&self, key: &ObjectKey) -> Option<&Object> {
        self.policies.get(key)
    }

    /// Removes the policy of an object.
    pub fn delete_policy(&mut self, key: &ObjectKey) {
        self.moved.remove(key);
        self.in_place_of.remove(key);
        self.policies.remove(key);
    }

    /// Keeps only the policies of objects for which `keep` holds.
    pub fn retain_policies(&mut self, mut keep: impl FnMut(&ObjectKey) -> bool) {
        self.policies.retain(|key, _| keep(key));
        let policies = &self.policies;
        self.in_place_of.retain(|key, _| policies.contains_key(key));
        self.forget_moved();
    }

    /// Of objects that are gone it does not matter where they were asked.
    fn forget_moved(&mut self) {
        let (policies, bindings) = (&self.policies, &self.bindings);
        self.moved
            .retain(|key| policies.contains_key(key) || bindings.contains_key(key));
    }

    /// Adds or replaces a lock.
    pub fn apply_lock(&mut self, lock: Lock) {
        self.locks.insert(lock.key.clone(), Arc::new(lock));
    }

    /// Takes a policy out of evaluation in this cache, until a lock holds it or it has changed. Whether
    /// it was not sealed before; nothing is sealed that has changed meanwhile.
    pub fn seal(&mut self, policy: &Policy, now: Timestamp) -> bool {
        if self.seals.hold(policy) {
            return false;
        }
        self.seals.add(policy, now);
        self.settle_seals();
        self.seals.hold(policy)
    }

    fn settle_seals(&mut self) {
        if !self.seals.is_empty() {
            let mut seals = std::mem::take(&mut self.seals);
            seals.settle(self);
            self.seals = seals;
        }
    }

    /// Removes a lock.
    pub fn delete_lock(&mut self, key: &ObjectKey) {
        self.locks.remove(key);
    }

    /// Keeps only the locks for which `keep` holds.
    pub fn retain_locks(&mut self, mut keep: impl FnMut(&ObjectKey) -> bool) {
        self.locks.retain(|key, _| keep(key));
    }

    /// Adds or replaces an exemption.
    pub fn apply_exemption(&mut self, exemption: Arc<Exemption>) {
        self.exemptions.insert(exemption.key().clone(), exemption);
    }

    /// Removes an exemption.
    pub fn delete_exemption(&mut self, key: &ObjectKey) {
        self.exemptions.remove(key);
    }

    /// Keeps only the exemptions for which `keep` holds.
    pub fn retain_exemptions(&mut self, mut keep: impl FnMut(&ObjectKey) -> bool) {
        self.exemptions.retain(|key, _| keep(key));
    }

    /// Notes the labels of a namespace, by which policies and a cluster's locks select.
    pub fn apply_namespace(&mut self, name: &str, labels: Labels) {
        Arc::make_mut(&mut self.namespaces).insert(name.into(), Arc::new(labels));
    }

    /// Forgets a namespace.
    pub fn delete_namespace(&mut self, name: &str) {
        Arc::make_mut(&mut self.namespaces).remove(name);
    }

    /// Keeps only the namespaces for which `keep` holds.
    pub fn retain_namespaces(&mut self, mut keep: impl FnMut(&str) -> bool) {
        Arc::make_mut(&mut self.namespaces).retain(|name, _| keep(name));
    }
}
