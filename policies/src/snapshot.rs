//! One immutable state of the whole cache.

use std::{
    cell::LazyCell,
    collections::{BTreeMap, BTreeSet, HashMap, btree_map::Entry as Slot},
    ops,
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;

use crate::{
    Address, Binding, Bound, Diagnostic, Digest, Effect, Entry, Exemption, Exemptions, HttpSource,
    Labels, Lock, Lookup, Message, Object, ObjectKey, Objects, Owner, Panel, Part, Policy, Route,
    Scope, Selected, Selection, State, Subject,
    binding::{self, Place, Surroundings},
    index::Index,
    matching::Namespaces,
    shadow::Shadows,
    versions,
};

/// All policies in force or broken, with their locks, ready to be asked. Built by the cache, never
/// changed, shared by all threads.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    entries: BTreeMap<Address, Arc<Entry>>,
    updated: BTreeMap<Address, Timestamp>,
    sealed: BTreeMap<Address, Timestamp>,
    bindings: BTreeMap<ObjectKey, Arc<Binding>>,
    parameters: Arc<BTreeMap<Selection, Selected>>,
    /// The policies as bindings have them asked.
    bound: BTreeMap<ObjectKey, Vec<Arc<Entry>>>,
    locks: Vec<Arc<Lock>>,
    exemptions: Vec<Arc<Exemption>>,
    longest_exemption: Duration,
    conflicts: Vec<Conflict>,
    /// What the cluster owns, and judges wherever it is.
    cluster: Index,
    /// What the cluster owns, and judges in one namespace, by the parameters there.
    within: HashMap<String, Index>,
    by_namespace: HashMap<String, Index>,
    pub(crate) shadows: Shadows,
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

/// What policies are compiled with.
impl Lookup for Snapshot {
    fn policy(&self, address: &Address) -> Option<Arc<Policy>> {
        self.find(address).map(|entry| entry.policy.clone())
    }

    fn selected(&self, selection: &Selection) -> Option<Selected> {
        self.parameters.get(selection).cloned()
    }
}

/// When each policy was changed last.
fn times(held: &BTreeMap<&Address, &Object>) -> BTreeMap<Address, Timestamp> {
    let held = held.iter();
    held.map(|(&address, object)| (address.clone(), object.updated))
        .collect()
}

impl Snapshot {
    /// What is in force of a state. What `before` has of bindings that have not changed is taken over.
    /// `longest` is how far away the end of an exemption may be.
    pub(crate) fn build(state: &State, before: &Self, longest: Duration) -> Self {
        let namespaces = &state.namespaces;
        let (held, conflicts) = holders(state.policies.values());
        let labels = |policy: &Policy| {
            let namespace = policy.address().namespace();
            let labels = namespace.and_then(|namespace| namespaces.get(namespace));
            labels.map(AsRef::as_ref)
        };
        let covering = |policy: &Policy| {
            let labels = labels(policy);
            let covers = |lock: &&Arc<Lock>| lock.covers(policy, labels);
            let locks = state.locks.values().chain(state.seals.locks());
            locks.filter(covers).cloned().collect::<Vec<_>>()
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
        let exemptions: Vec<_> = state.exemptions.values().cloned().collect();
        let exempting =
            |policy: &Policy| Exemptions::of(policy, &exemptions, labels(policy), longest);
        let mut superseded = versions::superseded(&held, &state.in_place_of);
        let entries: BTreeMap<Address, Arc<Entry>> = held
            .iter()
            .map(|(&address, object)| {
                let entry = Entry {
                    object: object.key.clone(),
                    policy: object.policy.clone(),
                    locks: covering(&object.policy),
                    imported_locks: imported(&object.policy),
                    exemptions: Arc::new(exempting(&object.policy)),
                    binding: None,
                    part: Part::Object,
                    superseded_by: superseded.remove(address),
                };
                (address.clone(), Arc::new(entry))
            })
            .collect();
        let bind = |bound: Arc<Bound>| {
            let entry = match entries.get(&bound.binding.policy) {
                Some(own) if bound.is_of_policy(&own.policy) => Entry {
                    binding: Some(bound),
                    // Who binds a version means that one.
                    superseded_by: None,
                    ..Entry::clone(own)
                },
                // Another one stands in. What locks its address locks it too; which exemptions it
                // would accept is not known.
                _ => Entry {
                    object: bound.binding.key.clone(),
                    policy: bound.binding.absent().clone(),
                    locks: covering(bound.binding.absent()),
                    imported_locks: Vec::new(),
                    exemptions: Arc::default(),
                    binding: Some(bound),
                    part: Part::Object,
                    superseded_by: None,
                },
            };
            Arc::new(entry)
        };
        let bound: BTreeMap<ObjectKey, Vec<Arc<Entry>>> = state
            .bindings
            .values()
            .map(|binding| {
                let bounds = binding::resolve(
                    binding,
                    &Surroundings {
                        policy: held.get(&binding.policy).map(|object| &object.policy),
                        parameters: &state.parameters,
                        before: before.bound_by(&binding.key),
                    },
                );
                (binding.key.clone(), bounds.into_iter().map(bind).collect())
            })
            .collect();

        let mut snapshot = Self {
            shadows: Shadows::of(&entries),
            updated: times(&held),
            entries,
            sealed: state.seals.times(),
            bindings: state.bindings.clone(),
            parameters: state.parameters.clone(),
            bound,
            locks: state.locks.values().cloned().collect(),
            exemptions,
            longest_exemption: longest,
            conflicts,
            namespaces: namespaces.clone(),
            revision: state.revision,
            ..Self::default()
        };
        snapshot.index(&state.moved);
        snapshot
    }

    /// Files all who are asked at admission; those that have `moved` at both failure policies.
    fn index(&mut self, moved: &BTreeSet<ObjectKey>) {
        let judges = self.judges();
        let all: Vec<Arc<Entry>> = judges
            .filter(|entry| entry.superseded_by.is_none() && !entry.is_shadow())
            .cloned()
            .collect();
        for entry in &all {
            let index = self.index_of(entry);
            index.insert(entry, moved.contains(entry.asked_by()));
        }
    }

    /// Where a policy is found by those who ask at admission.
    fn index_of(&mut self, entry: &Entry) -> &mut Index {
        let place = entry.binding.as_ref().map(|bound| bound.place());
        match (entry.reach(), place) {
            (Scope::Namespace(name), _) => self.by_namespace.entry(name.clone()).or_default(),
            (Scope::Cluster, Some(Place::Within(name))) => {
                self.within.entry(name.clone()).or_default()
            }
            (Scope::Cluster, _) => &mut self.cluster,
        }
    }

    /// The policy at an address.
    pub fn find(&self, address: &Address) -> Option<&Arc<Entry>> {
        self.entries.get(address)
    }

    /// When the policy at an address was changed last, as far as is known.
    pub fn updated(&self, address: &Address) -> Option<Timestamp> {
        self.updated.get(address).copied()
    }

    /// Since when this cache keeps a policy out of evaluation by itself, if it does.
    pub fn sealed_since(&self, address: &Address) -> Option<Timestamp> {
        self.sealed.get(address).copied()
    }

    /// The newest version of a name that is no shadow.
    pub fn find_newest(&self, scope: &Scope, group: &str, name: &str) -> Option<&Arc<Entry>> {
        self.entries
            .values()
            .filter(|entry| {
                let address = entry.address();
                let is_it = address.group() == group && address.name() == name;
                address.scope() == scope && is_it && !entry.is_shadow()
            })
            .max_by_key(|entry| entry.address().version())
    }

    /// What a name without a version means: the newest version that is in force and no shadow. Where
    /// there is none, the newest that is no shadow, which says why it is not in force, or else the
    /// newest.
    pub fn find_in_force(
        &self,
        scope: &Scope,
        group: &str,
        name: &str,
        now: Timestamp,
    ) -> Option<&Arc<Entry>> {
        // The first of all versions.
        let first = Address::new(scope.clone(), group, name, "0").ok()?;
        let is_it = |address: &Address| {
            address.group() == group && address.name() == name && address.scope() == scope
        };
        self.entries
            .range(first..)
            .take_while(|(address, _)| is_it(address))
            .map(|(_, entry)| entry)
            .max_by_key(|entry| entry.precedence(now))
    }

    /// The same of every name of a scope, or of a group in it, in the order of their addresses.
    pub fn all_in_force(
        &self,
        scope: &Scope,
        group: Option<&str>,
        now: Timestamp,
    ) -> Vec<&Arc<Entry>> {
        let mut all: Vec<&Arc<Entry>> = Vec::new();
        for entry in self.entries.values() {
            let address = entry.address();
            if address.scope() != scope || group.is_some_and(|group| group != address.group()) {
                continue;
            }
            match all.last_mut() {
                Some(last)
                    if (last.address().group(), last.address().name())
                        == (address.group(), address.name()) =>
                {
                    if entry.precedence(now) >= last.precedence(now) {
                        *last = entry;
                    }
                }
                _ => all.push(entry),
            }
        }
        all
    }

    /// The policies that judge a request at admission: the cluster's, then those of the request's
    /// own namespace. `objects` is called at most once, and only where a selector needs it.
    pub fn select(
        &self,
        subject: &Subject,
        objects: impl FnOnce() -> Objects,
        route: Route,
    ) -> Vec<&Arc<Entry>> {
        let namespace = subject.own_namespace();
        let cluster = [
            Some(&self.cluster),
            namespace.and_then(|namespace| self.within.get(namespace)),
        ];
        let own = namespace.and_then(|namespace| self.by_namespace.get(namespace));
        let cluster = cluster.map(|index| index.filter(|_| route.includes(Owner::Cluster)));
        let own = own.filter(|_| route.includes(Owner::Namespace));
        let objects = LazyCell::new(objects);
        cluster
            .into_iter()
            .chain([own])
            .flatten()
            .flat_map(|index| index.candidates(subject, route))
            .filter(|entry| self.matches(entry, subject, &objects))
            .collect()
    }

    /// All who are asked about a request by a call of the API server: those whom [`Self::select`]
    /// finds, and where one of them is a perimeter, all of the cluster who may permit the request,
    /// whichever call asks them.
    pub fn panel(&self, subject: &Subject, objects: impl Fn() -> Objects, route: Route) -> Panel {
        let judges = self.select(subject, &objects, route);
        let judges = judges.into_iter().cloned().collect();
        self.panel_of(judges, subject, objects)
    }

    /// The same, where it is known who decides.
    pub fn panel_of(
        &self,
        judges: Vec<Arc<Entry>>,
        subject: &Subject,
        objects: impl FnOnce() -> Objects,
    ) -> Panel {
        Panel {
            witnesses: self.witnesses(&judges, subject, objects),
            judges,
        }
    }

    /// All of the cluster who may permit a request that these judge, themselves left out; nobody where
    /// none of them is a perimeter.
    fn witnesses(
        &self,
        judges: &[Arc<Entry>],
        subject: &Subject,
        objects: impl FnOnce() -> Objects,
    ) -> Vec<Arc<Entry>> {
        let is_perimeter =
            |entry: &Arc<Entry>| entry.admission().is_some_and(|it| it.require_allow);
        if !judges.iter().any(is_perimeter) {
            return Vec::new();
        }
        let route = Route {
            owner: Some(Owner::Cluster),
            failure_policy: None,
        };
        let is_other = |entry: &&Arc<Entry>| !judges.iter().any(|judge| Arc::ptr_eq(judge, entry));
        let all = self.select(subject, objects, route).into_iter();
        all.filter(is_other).cloned().collect()
    }

    /// A policy as its match has it asked about a request, as far as its rules and selectors say:
    /// about the object, about its templates, or not at all. One that does not judge at admission
    /// is asked about everything, for who asks it as if it did.
    pub fn parts(
        &self,
        entry: &Arc<Entry>,
        subject: &Subject,
        objects: impl FnOnce() -> Objects,
    ) -> Vec<Arc<Entry>> {
        if entry.admission().is_none() {
            return vec![entry.clone()];
        }
        let owner = entry.reach().namespace();
        if owner.is_some() && owner != subject.own_namespace() {
            return Vec::new();
        }
        let objects = LazyCell::new(objects);
        let parts = entry.parts();
        parts
            .filter(|part| self.matches(part, subject, &objects))
            .collect()
    }

    pub(crate) fn matches<F: FnOnce() -> Objects>(
        &self,
        entry: &Entry,
        subject: &Subject,
        objects: &LazyCell<Objects, F>,
    ) -> bool {
        let namespace = subject.namespace.as_deref();
        let is_there = entry
            .binding
            .as_ref()
            .is_none_or(|bound| bound.place().includes(namespace));
        is_there
            && entry.admission().is_some_and(|admission| {
                let matches = &admission.matches;
                match entry.part {
                    Part::Object => matches.selects(subject, objects, &self.namespaces),
                    Part::Templates => matches.selects_templates(subject, &self.namespaces),
                }
            })
    }

    /// All that is asked at admission: policies by their own settings, and as bindings have them
    /// asked. Those that judge nothing are among them, shadows, and those that are superseded, so that
    /// the API server asks about them the moment they come back.
    pub fn judges(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.entries.values().chain(self.bound.values().flatten())
    }

    /// The objects that bindings take parameters of and policies data, each once, with whom they are
    /// for: the cluster, or else a namespace.
    pub fn selections(&self) -> BTreeMap<&Selection, &Scope> {
        let bindings = self.bindings.values();
        let of_bindings =
            bindings.filter_map(|it| Some((&it.source.as_ref()?.selection, &it.reach)));
        let of_policies = self.entries.values().flat_map(|entry| {
            let sources = entry.policy.definition().data_from.iter();
            sources.map(|source| (&source.selection, entry.address().scope()))
        });
        let mut selections = BTreeMap::new();
        for (selection, owner) in of_bindings.chain(of_policies) {
            let first = selections.entry(selection).or_insert(owner);
            *first = owner.min(first);
        }
        selections
    }

    /// What is fetched for policies.
    pub fn http_sources(&self) -> impl Iterator<Item = &HttpSource> {
        let entries = self.entries.values();
        let sources = entries.flat_map(|entry| &entry.policy.definition().data_from);
        sources.filter_map(|source| source.http.as_ref())
    }

    /// Whether a binding takes parameters, or a policy data, of objects that nobody has looked for yet.
    pub fn awaits_parameters(&self) -> bool {
        let mut selections = self.selections().into_keys();
        selections.any(|selection| !self.parameters.contains_key(selection))
    }

    /// The guardrail whose place a policy may not take, though it says so.
    pub fn guardrail_before(&self, policy: &Policy) -> Option<&Arc<Entry>> {
        let definition = policy.definition();
        let version = definition
            .supersedes
            .as_ref()
            .filter(|_| !definition.shadow)?;
        let older = self.find(&policy.address().at_version(version))?;
        versions::is_barred(definition, older.policy.definition()).then_some(older)
    }

    /// All bindings.
    pub fn bindings(&self) -> impl Iterator<Item = &Arc<Binding>> {
        self.bindings.values()
    }

    /// What would be missing elsewhere if a binding was applied: its policy, or one that works.
    pub fn missing_for(&self, binding: &Binding) -> Option<Message> {
        binding::missing(binding, self.find(&binding.policy).map(|it| &it.policy))
    }

    /// Why a binding's own parameters do not satisfy its policy's schema, where nothing is added to
    /// them elsewhere.
    pub fn unfit_parameters(&self, binding: &Binding) -> Option<Diagnostic> {
        let policy = &self.find(&binding.policy)?.policy;
        binding::unfit_parameters(binding, policy)
    }

    /// The digests of what a binding asks with, sorted.
    pub fn digests_of(&self, binding: &ObjectKey) -> Vec<Digest> {
        let entries = self.bound_by(binding).iter();
        let bounds = entries.filter_map(|entry| entry.binding.as_ref());
        let mut digests: Vec<Digest> = bounds.map(|bound| bound.digest()).collect();
        digests.sort_unstable();
        digests
    }

    /// How a binding has its policy asked.
    pub fn bound_by(&self, binding: &ObjectKey) -> &[Arc<Entry>] {
        self.bound.get(binding).map_or(&[], Vec::as_slice)
    }

    /// The labels of a namespace, where they are known.
    pub fn namespace(&self, name: &str) -> Option<Arc<Labels>> {
        self.namespaces.get(name).cloned()
    }

    /// All policies, by address.
    pub fn entries(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.entries.values()
    }

    /// The policies that come after an address, in their order; all where there is none.
    pub fn entries_after(&self, after: Option<&Address>) -> impl Iterator<Item = &Arc<Entry>> {
        let start = after.map_or(ops::Bound::Unbounded, ops::Bound::Excluded);
        let range = self.entries.range((start, ops::Bound::Unbounded));
        range.map(|(_, entry)| entry)
    }

    /// All locks.
    pub fn locks(&self) -> &[Arc<Lock>] {
        &self.locks
    }

    /// All exemptions.
    pub fn exemptions(&self) -> &[Arc<Exemption>] {
        &self.exemptions
    }

    /// How far away the end of an exemption may be.
    pub fn longest_exemption(&self) -> Duration {
        self.longest_exemption
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
