//! Which state of each object of a directory is in force.
//!
//! | what is found | what is in force then |
//! |---|---|
//! | an object that is sound | it |
//! | a policy that is broken | the last good one; at first, the broken one, which denies |
//! | a policy whose import is gone or broken | it, broken; what is imported is what is in force |
//! | a Namespace | its labels; without one, its labels are not known |
//! | a lock that is broken | the last good one that refused; at first, one that refuses without an end |
//! | an exemption that is broken | nothing |
//! | a file that cannot be read | what it held but for locks that bypass and exemptions; at the start, that is an error |
//! | a file that is gone | nothing of it |
//! | a directory without policies | what it held; at the start, that is an error |

mod elsewhere;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use portcullis_policies::{
    Address, Allowance, Among, Cache, Diagnostic, Diagnostics, Object, ObjectKey, Policy, State,
    Timestamp, outdated, snapshot,
};

use super::{
    fetched::FetchedDocuments,
    held::Held,
    layout::{self, Unit},
    locks::LockStore,
    parameters,
    reading::{Foreign, Reading},
    report::{Meanwhile, Problem},
    source::SourceFault,
    tree::{Listing, Tree, TreeFault},
};
use crate::convert::Draft;

/// Reads a directory again and again, and knows what is in force.
#[derive(Debug)]
pub struct Loader {
    tree: Tree,
    allowance: Allowance,
    loaded: BTreeMap<String, Loaded>,
    /// The unit that holds an object.
    owners: BTreeMap<ObjectKey, String>,
    /// What the last look saw: only what has not changed since is read.
    seen: BTreeMap<String, Unit>,
    /// Read everything again, because it was read while it may have changed.
    again: bool,
    notes: Vec<String>,
    /// What is wrong with the directory as a whole.
    fault: Option<Diagnostic>,
    /// What is fetched for its policies; nothing where nobody fetches.
    fetched: Arc<FetchedDocuments>,
}

/// What is known of a directory, for people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// All that is wrong now.
    pub problems: Vec<Problem>,
    /// Objects of which an older state is in force than the files hold.
    pub stale: BTreeSet<ObjectKey>,
    /// What was passed over, and why.
    pub notes: Vec<String>,
}

/// A unit that was read.
#[derive(Debug)]
struct Loaded {
    unit: Unit,
    held: BTreeMap<ObjectKey, Held>,
    lost: Vec<Diagnostic>,
    notes: Vec<String>,
    foreign: Vec<Foreign>,
    /// One of its objects is in another file too. When that one is gone, this one is read again.
    collided: bool,
}

impl Loader {
    /// Reads everything for the first time, for policies that are allowed this. `progress` hears of
    /// each unit that was read, and of how many there are.
    pub fn start(
        tree: Tree,
        allowance: Allowance,
        progress: &dyn Fn(usize, usize),
    ) -> Result<Self, SourceFault> {
        let mut listing = tree.list()?;
        let seen = layout::units(&mut listing);
        let notes = listing.notes;
        let mut loader = Self {
            tree,
            allowance,
            loaded: BTreeMap::new(),
            owners: BTreeMap::new(),
            seen: seen.clone(),
            again: true,
            notes,
            fault: None,
            fetched: Arc::default(),
        };
        let total = seen.len();
        for (count, (name, unit)) in seen.into_iter().enumerate() {
            loader.load(&name, unit);
            progress(count + 1, total);
        }
        loader.link();
        let lost: Vec<Problem> = loader.lost().collect();
        if !lost.is_empty() {
            return Err(SourceFault::Lost(lost));
        }
        if loader.holds_no_policy() {
            return Err(SourceFault::Empty(loader.notes()));
        }
        Ok(loader)
    }

    /// Takes what is fetched for policies from here.
    pub fn fetch_with(&mut self, fetched: Arc<FetchedDocuments>) {
        self.fetched = fetched;
    }

    /// Looks once, and reads what has changed and is still since the last look. Tells whether
    /// anything did.
    pub fn look(&mut self) -> Result<bool, TreeFault> {
        let mut listing = match self.tree.list() {
            Ok(listing) => listing,
            Err(error) => {
                self.fault = Some(
                    Diagnostic::new("directory_unreadable", chain(&error))
                        .with_remedy("make the directory readable again"),
                );
                return Err(error);
            }
        };
        let mut now = layout::units(&mut listing);
        let names: BTreeSet<String> = now.keys().chain(self.loaded.keys()).cloned().collect();
        let mut changed = self.fault.take().is_some();
        let mut gone = Vec::new();
        for name in names {
            let unit = now.get(&name);
            let loaded = self.loaded.get(&name);
            let same = unit == loaded.map(|loaded| &loaded.unit);
            let collided = loaded.is_some_and(|loaded| loaded.collided);
            let still = unit == self.seen.get(&name);
            if !still || (same && !collided && !self.again) {
                continue;
            }
            match unit {
                Some(unit) => changed |= self.load(&name, unit.clone()),
                None => gone.push(name),
            }
        }
        changed |= self.remove(gone);
        changed |= self.link();
        self.again = false;
        self.seen = std::mem::take(&mut now);
        let Listing { notes, .. } = listing;
        self.notes = notes;
        Ok(changed)
    }

    /// Puts what is held in force.
    pub fn publish(&self, cache: &Cache, locks: &LockStore) {
        self.want();
        let mut policies = BTreeMap::new();
        let mut bindings = BTreeMap::new();
        let mut own_locks = BTreeMap::new();
        let mut exemptions = BTreeMap::new();
        let mut namespaces = BTreeMap::new();
        for (key, held) in self.loaded.values().flat_map(|loaded| &loaded.held) {
            match held {
                Held::Policy(policy) => {
                    policies.insert(key, policy.in_force());
                }
                Held::Binding(binding) => {
                    bindings.insert(key, binding.in_force());
                }
                Held::Lock {
                    lock: Some(lock), ..
                } => {
                    own_locks.insert(key.clone(), lock.clone());
                }
                Held::Lock { lock: None, .. } => {}
                Held::Exemption(draft) => {
                    exemptions.extend(draft.exemption.as_ref().map(|own| (key, own)));
                }
                Held::Namespace(labels) => {
                    namespaces.insert(key.name.as_str(), labels);
                }
            }
        }
        locks.publish_with(cache, own_locks, |state| {
            state.retain_policies(|key| policies.contains_key(key));
            for object in policies.values() {
                state.apply_policy((*object).clone());
            }
            state.supersede(Timestamp::now());
            state.retain_bindings(|key| bindings.contains_key(key));
            for binding in bindings.values() {
                state.apply_binding(Arc::clone(binding));
            }
            state.retain_parameters(|_| false);
            for (selection, selected) in self.parameters() {
                state.set_parameters(selection, selected);
            }
            state.retain_exemptions(|key| exemptions.contains_key(key));
            for exemption in exemptions.into_values() {
                state.apply_exemption(exemption.clone());
            }
            state.retain_namespaces(|name| namespaces.contains_key(name));
            for (name, labels) in namespaces {
                state.apply_namespace(name, labels.clone());
            }
        });
    }

    /// Adds what is held to a state, beside what is there already. What bindings take parameters of is
    /// for the caller to set: it may be elsewhere.
    pub fn add_to(&self, state: &mut State) {
        for (key, held) in self.loaded.values().flat_map(|loaded| &loaded.held) {
            match held {
                Held::Policy(policy) => state.apply_policy(policy.in_force().clone()),
                Held::Binding(binding) => state.apply_binding(binding.in_force().clone()),
                Held::Lock {
                    lock: Some(lock), ..
                } => state.apply_lock(lock.clone()),
                Held::Lock { lock: None, .. } => {}
                Held::Exemption(draft) => {
                    if let Some(exemption) = &draft.exemption {
                        state.apply_exemption(exemption.clone());
                    }
                }
                Held::Namespace(labels) => state.apply_namespace(&key.name, labels.clone()),
            }
        }
    }

    /// What is wrong, and what was passed over.
    pub fn status(&self) -> Status {
        let mut status = Status {
            notes: self.notes(),
            ..Status::default()
        };
        status
            .problems
            .extend(self.fault.iter().map(|fault| Problem {
                origin: "directory".to_owned(),
                diagnostic: fault.clone(),
                meanwhile: Meanwhile::LastGood,
            }));
        for (name, loaded) in &self.loaded {
            for (key, held) in &loaded.held {
                let (faults, meanwhile) = held.faults();
                if meanwhile == Meanwhile::LastGood && faults.is_some() {
                    status.stale.insert(key.clone());
                }
                let faults = faults.into_iter().flat_map(Diagnostics::iter);
                status
                    .problems
                    .extend(faults.map(|fault| problem(name, key, fault, meanwhile)));
            }
        }
        status.problems.extend(self.lost());
        status.problems.extend(self.fetched.problems());
        status
    }

    /// Reads a unit and merges it with what it held; tells whether anything changed.
    fn load(&mut self, name: &str, unit: Unit) -> bool {
        let reading = layout::read(&self.tree, name, &unit);
        let old = self.loaded.remove(name);
        let before = old.as_ref().map(Loaded::summary);
        for key in old.iter().flat_map(|old| old.held.keys()) {
            self.owners.remove(key);
        }
        let loaded = merge(old, unit, reading, &self.owners, &self.allowance);
        let changed = before.as_ref() != Some(&loaded.summary());
        self.owners
            .extend(loaded.held.keys().map(|key| (key.clone(), name.to_owned())));
        self.loaded.insert(name.to_owned(), loaded);
        changed
    }

    /// Compiles again what imports a policy that has changed, until nothing does. Tells whether
    /// anything was.
    fn link(&mut self) -> bool {
        let mut changed = false;
        loop {
            let objects_elsewhere = self.parameters();
            let holders = self.holders();
            let find = Among {
                policies: |address: &Address| holders.get(address).cloned(),
                objects: &objects_elsewhere,
            };
            let held = self
                .loaded
                .values_mut()
                .flat_map(|unit| unit.held.values_mut());
            let objects = held.filter_map(|held| match held {
                Held::Policy(policy) => Some(policy.objects_mut()),
                Held::Binding(_) | Held::Lock { .. } | Held::Exemption(_) | Held::Namespace(_) => {
                    None
                }
            });
            let mut objects: Vec<&mut Object> = objects.flatten().collect();
            let policies: Vec<_> = objects.iter().map(|object| object.policy.clone()).collect();
            let outdated = outdated(policies.iter().enumerate(), &find);
            if outdated.is_empty() {
                break;
            }
            changed = true;
            for (at, _) in outdated {
                let draft = Draft::of(objects[at]);
                *objects[at] = draft.compile(&find, self.allowance.clone());
            }
        }
        for held in self
            .loaded
            .values_mut()
            .flat_map(|unit| unit.held.values_mut())
        {
            if let Held::Policy(policy) = held
                && policy.newest.policy.faults().is_none()
            {
                policy.last_good = None;
            }
        }
        changed
    }

    /// The policy in force at each address.
    fn holders(&self) -> BTreeMap<Address, Arc<Policy>> {
        let held = self.loaded.values().flat_map(|unit| unit.held.values());
        let objects = held.filter_map(|held| match held {
            Held::Policy(policy) => Some(policy.in_force()),
            Held::Binding(_) | Held::Lock { .. } | Held::Exemption(_) | Held::Namespace(_) => None,
        });
        let (holders, _) = snapshot::holders(objects);
        let policies = holders.into_iter();
        policies
            .map(|(address, object)| (address.clone(), object.policy.clone()))
            .collect()
    }

    /// Forgets units, unless no policy would be left.
    fn remove(&mut self, names: Vec<String>) -> bool {
        let removed: Vec<(String, Loaded)> = names
            .into_iter()
            .filter_map(|name| self.loaded.remove_entry(&name))
            .collect();
        if removed.is_empty() {
            return false;
        }
        if self.holds_no_policy() {
            self.loaded.extend(removed);
            self.fault = Some(
                Diagnostic::new("directory_empty", "the directory holds no policy any more")
                    .with_remedy("put the policies back, or end portcullis to serve none"),
            );
        } else {
            self.owners
                .retain(|_, owner| self.loaded.contains_key(owner));
        }
        true
    }

    fn holds_no_policy(&self) -> bool {
        let is_policy = |held: &Held| matches!(held, Held::Policy(_));
        !self
            .loaded
            .values()
            .any(|loaded| loaded.held.values().any(is_policy))
    }

    fn lost(&self) -> impl Iterator<Item = Problem> {
        self.loaded.iter().flat_map(|(name, loaded)| {
            let kept = !loaded.held.is_empty();
            loaded.lost.iter().map(move |fault| Problem {
                origin: name.clone(),
                diagnostic: fault.clone(),
                meanwhile: if kept {
                    Meanwhile::LastGood
                } else {
                    Meanwhile::Nothing
                },
            })
        })
    }

    fn notes(&self) -> Vec<String> {
        let secrets = self.secrets();
        let taken = self.selections().chain(&secrets);
        self.notes
            .iter()
            .chain(self.loaded.values().flat_map(|loaded| &loaded.notes))
            .chain(parameters::passed_over(taken, self.foreign()))
            .cloned()
            .collect()
    }
}

/// What a unit holds now, of what it held and what was read.
fn merge(
    old: Option<Loaded>,
    unit: Unit,
    reading: Reading,
    elsewhere: &BTreeMap<ObjectKey, String>,
    allowance: &Allowance,
) -> Loaded {
    let mut before = old.map(|loaded| loaded.held).unwrap_or_default();
    let Reading {
        items,
        lost,
        notes,
        foreign,
    } = reading;
    let mut loaded = Loaded {
        unit,
        held: BTreeMap::new(),
        lost,
        notes,
        foreign,
        collided: false,
    };
    for item in items {
        let key = item.key().clone();
        let twice = loaded.held.contains_key(&key).then_some("this file");
        if let Some(other) = elsewhere.get(&key).map(String::as_str).or(twice) {
            loaded.collided |= twice.is_none();
            let message = format!("{key} is in {other} too");
            loaded.lost.push(
                Diagnostic::new("object_duplicate", message).with_remedy("keep one of the two"),
            );
            continue;
        }
        let held = Held::of(item, before.remove(&key), allowance);
        loaded.held.insert(key, held);
    }
    if !loaded.lost.is_empty() {
        // What cannot be read may be what was held, and what permits has to be known.
        before.retain(|key, held| !elsewhere.contains_key(key) && !held.permits());
        loaded.held.append(&mut before);
    }
    loaded
}

impl Loaded {
    /// What tells two states of a unit apart.
    fn summary(&self) -> impl PartialEq + use<> {
        let held = self.held.iter();
        (
            held.map(|(key, held)| (key.clone(), held.summary()))
                .collect::<Vec<_>>(),
            self.lost.clone(),
            self.foreign.clone(),
        )
    }
}

fn problem(unit: &str, key: &ObjectKey, fault: &Diagnostic, meanwhile: Meanwhile) -> Problem {
    let mut diagnostic = fault.clone();
    // A fault of Rego names its module; in the layout that is a file, in a manifest a key of it.
    let own = key.kind == "directory";
    let origin = if own {
        unit.to_owned()
    } else {
        format!("{unit}: {key}")
    };
    if let Some(place) = diagnostic.location.as_mut().filter(|_| own)
        && !place.file.starts_with(unit)
    {
        place.file = format!("{unit}/{}", place.file);
    }
    Problem {
        origin,
        diagnostic,
        meanwhile,
    }
}

/// An error with its causes in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
