//! The model: what was applied and not deleted, in the order of its keys. Every answer is searched
//! for from the beginning.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

/// The state of a cache.
#[derive(Clone, Debug, Default)]
pub(super) struct Plain {
    pub(super) policies: Vec<Held>,
    /// The version whose place each object took.
    pub(super) places: BTreeMap<ObjectKey, &'static str>,
    pub(super) locks: Vec<Lock>,
    pub(super) namespaces: Vec<(String, Labels)>,
    pub(super) revision: u64,
}

/// A policy that an object holds.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) key: ObjectKey,
    pub(super) created: i64,
    pub(super) made: Arc<Made>,
    /// It changed its failure policy.
    pub(super) moved: bool,
}

/// What a policy of the model does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Nature {
    /// It allows, and others that import it read this level.
    Allows(u8),
    /// It denies.
    Denies,
    /// It does not compile.
    Broken,
}

/// Whether a policy acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Acts,
    Shadow,
}

/// A policy as its author wrote it. One that allows and imports does so where the level of its import is
/// above one, and has that level itself.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    pub(super) address: Address,
    pub(super) nature: Nature,
    pub(super) import: Option<Address>,
    pub(super) importable: bool,
    pub(super) guardrail: bool,
    pub(super) is_gold: bool,
    pub(super) admission: Option<Admission>,
    pub(super) supersedes: Option<&'static str>,
    pub(super) standing: Standing,
}

/// A policy with what it found when it was compiled.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) draft: Draft,
    found: Option<Arc<Made>>,
    cyclic: bool,
}

impl Made {
    pub(super) fn new(draft: Draft, plain: &Plain) -> Self {
        let cyclic = plain.leads_back(&draft);
        let found = draft.import.as_ref().filter(|_| !cyclic);
        let found = found.and_then(|import| Some(plain.holder(import)?.made.clone()));
        Self {
            draft,
            found,
            cyclic,
        }
    }

    fn is_broken(&self) -> bool {
        let own = &self.draft.address;
        let import_is_broken = self.draft.import.as_ref().is_some_and(|address| {
            let foreign = own.namespace() != address.namespace();
            let Some(found) = &self.found else {
                return true;
            };
            (foreign && (address.namespace().is_some() || !found.draft.importable))
                || found.is_broken()
        });
        // Another version has a package of the same name, as has what was compiled with an older
        // state of this policy.
        let imports_itself = || {
            self.imported()
                .iter()
                .any(|made| made.draft.address.package() == own.package())
        };
        self.draft.nature == Nature::Broken || self.cyclic || import_is_broken || imports_itself()
    }

    fn level(&self) -> u8 {
        match (self.draft.nature, &self.found) {
            (Nature::Denies | Nature::Broken, _) => 0,
            (Nature::Allows(_), Some(found)) => found.level(),
            (Nature::Allows(level), None) => level,
        }
    }

    /// What it says when it is asked.
    fn judge(&self) -> Outcome {
        let allows = match self.draft.nature {
            _ if self.is_broken() => return Outcome::Error,
            Nature::Denies => false,
            _ if self.draft.import.is_some() => self.level() > 1,
            _ => true,
        };
        if allows {
            Outcome::Allowed
        } else {
            Outcome::Denied
        }
    }

    /// All that it imports.
    fn imported(&self) -> Vec<&Self> {
        let mut all = Vec::new();
        let mut next = self.found.as_deref();
        while let Some(made) = next {
            all.push(made);
            next = made.found.as_deref();
        }
        all
    }
}

impl Plain {
    /// The oldest object with an address.
    pub(super) fn holder(&self, address: &Address) -> Option<&Held> {
        let holds = |held: &&Held| held.made.draft.address == *address;
        let held = self.policies.iter().filter(holds);
        held.min_by_key(|held| (held.created, &held.key))
    }

    /// All addresses that somebody holds.
    pub(super) fn addresses(&self) -> BTreeSet<Address> {
        let addresses = self.policies.iter();
        addresses
            .map(|held| held.made.draft.address.clone())
            .collect()
    }

    /// Who waits for an address, the oldest first.
    pub(super) fn conflicts(&self) -> Vec<Conflict> {
        let mut oldest: Vec<&Held> = self.policies.iter().collect();
        oldest.sort_by_key(|held| (held.created, &held.key));
        let waiting = oldest.into_iter().filter_map(|held| {
            let address = &held.made.draft.address;
            let holder = self.holder(address).expect("it holds it, or another");
            (holder.key != held.key).then(|| Conflict {
                address: address.clone(),
                holder: holder.key.clone(),
                other: held.key.clone(),
            })
        });
        waiting.collect()
    }

    /// Whether a policy is among what it imports.
    fn leads_back(&self, draft: &Draft) -> bool {
        let mut next = draft.import.clone();
        // Of so many steps, one at least comes to an address for the second time.
        for _ in 0..=self.policies.len() {
            match next {
                None => return false,
                Some(address) if address == draft.address => return true,
                Some(address) => {
                    let held = self.holder(&address);
                    next = held.and_then(|held| held.made.draft.import.clone());
                }
            }
        }
        false
    }

    fn covers(&self, lock: &Lock, draft: &Draft) -> bool {
        if lock.effect == Effect::Bypass && draft.guardrail {
            return false;
        }
        let reaches = match (&lock.reach, draft.address.namespace()) {
            (Reach::Namespace(own), Some(namespace)) => own == namespace,
            (Reach::Namespace(_), None) | (Reach::Cluster { namespaces: None }, Some(_)) => false,
            (Reach::Cluster { .. }, None) => true,
            (Reach::Cluster { .. }, Some(namespace)) => {
                let known = self.namespaces.iter().find(|(name, _)| name == namespace);
                match known {
                    Some((_, labels)) => labels.get("env").is_some_and(|env| env == "prod"),
                    None => lock.effect == Effect::Refuse,
                }
            }
        };
        let selects = match &lock.target {
            Target::All => true,
            Target::Selector(_) => draft.is_gold,
            Target::Policy { name, .. } => name.as_deref() == Some(draft.address.name()),
        };
        reaches && selects
    }

    fn locked(&self, draft: &Draft, effect: Effect, point: Point, now: Timestamp) -> bool {
        self.locks.iter().any(|lock| {
            lock.effect == effect
                && match point {
                    Point::Admission => lock.points.admission,
                    Point::Evaluation => lock.points.evaluation,
                }
                && lock.expires_at.is_none_or(|end| now < end)
                && self.covers(lock, draft)
        })
    }

    /// What is decided about anything at an address that somebody holds.
    pub(super) fn decide(
        &self,
        address: &Address,
        point: Point,
        now: Timestamp,
    ) -> (Outcome, bool) {
        let held = self.holder(address).expect("somebody holds the address");
        let made = &held.made;
        let import_is_locked = || {
            made.imported().into_iter().any(|import| {
                let now_there = self.holder(&import.draft.address);
                let draft = now_there.map_or(&import.draft, |held| &held.made.draft);
                self.locked(draft, Effect::Refuse, point, now)
            })
        };
        let outcome = if self.locked(&made.draft, Effect::Refuse, point, now) {
            Outcome::Locked
        } else if self.locked(&made.draft, Effect::Bypass, point, now) {
            Outcome::Bypassed
        } else if import_is_locked() {
            Outcome::Error
        } else {
            made.judge()
        };
        let permits = matches!(outcome, Outcome::Allowed | Outcome::Bypassed);
        let admission = made.draft.admission.as_ref();
        let spares = admission
            .filter(|_| point == Point::Admission)
            .is_some_and(|admission| {
                let ignores = admission.failure_policy == FailurePolicy::Ignore;
                admission.action != Action::Deny || (ignores && outcome == Outcome::Error)
            });
        (outcome, permits || spares)
    }

    /// Who judges a subject that comes by a route.
    pub(super) fn select(&self, subject: &Subject, route: Route) -> Vec<Address> {
        let judges = |address: &Address| {
            let held = self.holder(address).expect("somebody holds the address");
            let Some(admission) = &held.made.draft.admission else {
                return false;
            };
            let is_namespace = subject.resource == "namespaces";
            let owned = match (route.owner, address.namespace()) {
                (Some(Owner::Cluster), None) => true,
                (Some(Owner::Namespace), Some(own)) => {
                    subject.namespace.as_deref() == Some(own) && !is_namespace
                }
                _ => false,
            };
            let asked = held.moved || route.failure_policy == asked_at(&held.made.draft);
            let covered = admission.matches.rules.iter().any(|rule| {
                let covers = |pattern: &String| match pattern.as_str() {
                    "*" => !subject.resource.contains('/'),
                    "*/*" => true,
                    exact => exact == subject.resource,
                };
                rule.operations.contains(&subject.operation) && rule.resources.iter().any(covers)
            });
            let acts = held.made.draft.standing == Standing::Acts && !self.is_superseded(address);
            owned && asked && covered && acts
        };
        self.addresses().into_iter().filter(judges).collect()
    }

    /// Whether a newer version took the place of an address, and says so still.
    fn is_superseded(&self, address: &Address) -> bool {
        let older = &self.holder(address).expect("somebody holds it").made.draft;
        let supersedes = |newer: &Address| {
            let held = self.holder(newer).expect("somebody holds it");
            let draft = &held.made.draft;
            newer.scope() == address.scope()
                && newer.package() == address.package()
                && draft.supersedes == Some(address.version().as_str())
                && self.places.get(&held.key) == draft.supersedes.as_ref()
                && (draft.guardrail || !older.guardrail)
                && draft.standing == Standing::Acts
        };
        self.addresses().iter().any(supersedes)
    }

    /// The same state where each policy has been compiled with what is there now.
    pub(super) fn relinked(&self) -> Self {
        let mut linked = self.clone();
        // Each round brings what is one import further away.
        for _ in 0..=self.policies.len() {
            let before = linked.clone();
            for held in &mut linked.policies {
                held.made = Arc::new(Made::new(held.made.draft.clone(), &before));
            }
        }
        linked
    }

    pub(super) fn apply_policy(&mut self, key: ObjectKey, created: i64, made: Arc<Made>) {
        let before = self.policies.iter().position(|held| held.key == key);
        let before = before.map(|place| self.policies.remove(place));
        let moved = before.is_some_and(|held| {
            let then = asked_at(&held.made.draft);
            let changed = then.is_some() && then != asked_at(&made.draft);
            held.moved || changed
        });
        self.policies.push(Held {
            key,
            created,
            made,
            moved,
        });
        self.policies
            .sort_by(|left, right| left.key.cmp(&right.key));
    }
}

/// The failure policy that a policy is registered with.
fn asked_at(draft: &Draft) -> Option<FailurePolicy> {
    draft
        .admission
        .as_ref()
        .map(|admission| match admission.action {
            _ if draft.standing == Standing::Shadow => FailurePolicy::Ignore,
            Action::Deny => admission.failure_policy,
            Action::Warn | Action::Audit => FailurePolicy::Ignore,
        })
}
