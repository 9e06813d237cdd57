//! Which state of each object of a directory is in force.
//!
//! | what is found | what is in force then |
//! |---|---|
//! | an object that is sound | it |
//! | a policy that is broken | the last good one; at first, the broken one, which denies |
//! | a lock that is broken | the last good one that refused; at first, one that refuses without an end |
//! | a file that cannot be read | what it held but for locks that bypass; at the start, that is an error |
//! | a file that is gone | nothing of it |
//! | a directory without policies | what it held; at the start, that is an error |

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use portcullis_policies::{
    Cache, Diagnostic, Diagnostics, Effect, Lock, Object, ObjectKey, Outside,
};

use super::{
    layout::{self, Unit},
    locks::LockStore,
    reading::{Item, Reading},
    report::{Meanwhile, Problem},
    source::SourceFault,
    tree::{Listing, Tree, TreeFault},
};
use crate::convert::{Draft, LockDraft};

/// Reads a directory again and again, and knows what is in force.
#[derive(Debug)]
pub struct Loader {
    tree: Tree,
    outside: Arc<dyn Outside>,
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
    /// One of its objects is in another file too. When that one is gone, this one is read again.
    collided: bool,
}

/// An object, and what of it is in force.
#[derive(Debug)]
enum Held {
    Policy {
        newest: Box<Draft>,
        object: Object,
        faults: Option<Diagnostics>,
    },
    Lock {
        newest: Box<LockDraft>,
        lock: Option<Lock>,
    },
}

impl Loader {
    /// Reads everything for the first time, for policies that reach what is outside as far as it
    /// allows. `progress` hears of each unit that was read, and of how many there are.
    pub fn start(
        tree: Tree,
        outside: Arc<dyn Outside>,
        progress: &dyn Fn(usize, usize),
    ) -> Result<Self, SourceFault> {
        let mut listing = tree.list()?;
        let seen = layout::units(&mut listing);
        let notes = listing.notes;
        let mut loader = Self {
            tree,
            outside,
            loaded: BTreeMap::new(),
            owners: BTreeMap::new(),
            seen: seen.clone(),
            again: true,
            notes,
            fault: None,
        };
        let total = seen.len();
        for (count, (name, unit)) in seen.into_iter().enumerate() {
            loader.load(&name, unit);
            progress(count + 1, total);
        }
        let lost: Vec<Problem> = loader.lost().collect();
        if !lost.is_empty() {
            return Err(SourceFault::Lost(lost));
        }
        if loader.holds_no_policy() {
            return Err(SourceFault::Empty(loader.notes().collect()));
        }
        Ok(loader)
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
        self.again = false;
        self.seen = std::mem::take(&mut now);
        let Listing { notes, .. } = listing;
        self.notes = notes;
        Ok(changed)
    }

    /// Puts what is held in force.
    pub fn publish(&self, cache: &Cache, locks: &LockStore) {
        let mut policies = BTreeMap::new();
        let mut own_locks = BTreeMap::new();
        for (key, held) in self.loaded.values().flat_map(|loaded| &loaded.held) {
            match held {
                Held::Policy { object, .. } => {
                    policies.insert(key, object);
                }
                Held::Lock {
                    lock: Some(lock), ..
                } => {
                    own_locks.insert(key.clone(), lock.clone());
                }
                Held::Lock { lock: None, .. } => {}
            }
        }
        locks.publish_with(cache, own_locks, |state| {
            state.retain_policies(|key| policies.contains_key(key));
            for object in policies.values() {
                state.apply_policy((*object).clone());
            }
        });
    }

    /// What is wrong, and what was passed over.
    pub fn status(&self) -> Status {
        let mut status = Status {
            notes: self.notes().collect(),
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
        let loaded = merge(old, unit, reading, &self.owners, &self.outside);
        let changed = before.as_ref() != Some(&loaded.summary());
        self.owners
            .extend(loaded.held.keys().map(|key| (key.clone(), name.to_owned())));
        self.loaded.insert(name.to_owned(), loaded);
        changed
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
        let is_policy = |held: &Held| matches!(held, Held::Policy { .. });
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

    fn notes(&self) -> impl Iterator<Item = String> {
        self.notes
            .iter()
            .chain(self.loaded.values().flat_map(|loaded| &loaded.notes))
            .cloned()
    }
}

/// What a unit holds now, of what it held and what was read.
fn merge(
    old: Option<Loaded>,
    unit: Unit,
    reading: Reading,
    elsewhere: &BTreeMap<ObjectKey, String>,
    outside: &Arc<dyn Outside>,
) -> Loaded {
    let mut before = old.map(|loaded| loaded.held).unwrap_or_default();
    let Reading { items, lost, notes } = reading;
    let mut loaded = Loaded {
        unit,
        held: BTreeMap::new(),
        lost,
        notes,
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
        let held = Held::of(item, before.remove(&key), outside);
        loaded.held.insert(key, held);
    }
    if !loaded.lost.is_empty() {
        // What cannot be read may be what was held, and what bypasses has to be known.
        before.retain(|key, held| !elsewhere.contains_key(key) && !held.bypasses());
        loaded.held.append(&mut before);
    }
    loaded
}

impl Held {
    fn of(item: Item, before: Option<Self>, outside: &Arc<dyn Outside>) -> Self {
        match (item, before) {
            (
                Item::Policy(draft),
                Some(Self::Policy {
                    newest,
                    object,
                    faults,
                }),
            ) if *draft == *newest => Self::Policy {
                newest,
                object,
                faults,
            },
            (Item::Policy(draft), before) => {
                let compiled = draft.as_ref().clone().compile(outside.clone());
                let faults = compiled.policy.faults().cloned();
                let object = match before {
                    Some(Self::Policy { object, .. })
                        if faults.is_some() && object.policy.faults().is_none() =>
                    {
                        object
                    }
                    _ => compiled,
                };
                Self::Policy {
                    newest: draft,
                    object,
                    faults,
                }
            }
            (Item::Lock(draft), before) => {
                let lock = match before {
                    Some(Self::Lock {
                        lock: Some(lock), ..
                    }) if draft.faults.is_some() && lock.effect == Effect::Refuse => Some(lock),
                    _ => draft.lock.clone(),
                };
                Self::Lock {
                    newest: draft,
                    lock,
                }
            }
        }
    }

    /// Whether it is a lock that lets pass what a policy would deny.
    fn bypasses(&self) -> bool {
        matches!(self, Self::Lock { lock: Some(lock), .. } if lock.effect == Effect::Bypass)
    }

    fn faults(&self) -> (Option<&Diagnostics>, Meanwhile) {
        match self {
            Self::Policy { object, faults, .. } => {
                let sound = object.policy.faults().is_none();
                let meanwhile = if sound {
                    Meanwhile::LastGood
                } else {
                    Meanwhile::Denies
                };
                (faults.as_ref(), meanwhile)
            }
            Self::Lock { newest, lock } => {
                let own = *lock == newest.lock;
                let meanwhile = if own {
                    Meanwhile::Denies
                } else {
                    Meanwhile::LastGood
                };
                (newest.faults.as_ref(), meanwhile)
            }
        }
    }
}

impl Loaded {
    /// What tells two states of a unit apart.
    fn summary(&self) -> impl PartialEq + use<> {
        let held = |(key, held): (&ObjectKey, &Held)| match held {
            Held::Policy { object, faults, .. } => {
                let labels = object.policy.definition().labels.clone();
                (
                    key.clone(),
                    Some((object.policy.digest(), labels)),
                    None,
                    faults.clone(),
                )
            }
            Held::Lock { newest, lock } => (key.clone(), None, lock.clone(), newest.faults.clone()),
        };
        (
            self.held.iter().map(held).collect::<Vec<_>>(),
            self.lost.clone(),
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
