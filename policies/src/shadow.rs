//! Shadows: versions of a policy that are asked beside the one in force, and act on nothing.
//!
//! ```text
//! request ─▶ the policies that are asked ─▶ their decisions ─▶ the answer
//!                 │ of which some have shadows      │
//!                 └─▶ Comparison ◀──────────────────┘ ─▶ the shadow's decision ─▶ Difference
//! ```
//!
//! A shadow is compared with the newest other version of it that is none. What that one decided is
//! what the caller was told, so it is not asked again.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use crate::{
    Address, Code, Decision, Entry, FailurePolicy, Input, Message, Objects, Outcome, Owner,
    Request, Route, Scope, Snapshot, Subject, Version, index::Index,
};

/// Most shadows that one request is compared with. Each is an evaluation, and who tries more versions
/// at once does not look at what differs.
const MOST: usize = 8;

/// A shadow, and the version that it is compared with.
#[derive(Clone, Debug)]
pub struct Pair {
    /// The shadow.
    pub shadow: Arc<Entry>,
    /// The version in force.
    pub in_force: Arc<Entry>,
}

/// All shadows of a state that have something to be compared with.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shadows {
    pairs: BTreeMap<Address, Arc<Pair>>,
    /// The shadows of each version in force.
    of: BTreeMap<Address, Vec<Address>>,
    cluster: Index,
    by_namespace: HashMap<String, Index>,
}

/// A shadow that is to be asked about a request.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// The shadow, and what it is compared with.
    pub pair: Arc<Pair>,
    /// The shadow as its match has it asked: about the object, about its templates, or not at all.
    parts: Vec<Arc<Entry>>,
    /// The version in force as it is asked.
    asked: Vec<Arc<Entry>>,
}

/// In what a shadow differs from the version in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Difference {
    /// It refuses what is let through.
    Stricter,
    /// It lets through what is refused.
    Looser,
    /// It cannot answer.
    Failed,
    /// It decides alike, and says something else.
    Messages,
}

impl Difference {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Stricter, Self::Looser, Self::Failed, Self::Messages];

    /// The name in statuses and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stricter => "stricter",
            Self::Looser => "looser",
            Self::Failed => "failed",
            Self::Messages => "messages",
        }
    }
}

impl Shadows {
    /// The shadows among the policies of a state.
    pub(crate) fn of(entries: &BTreeMap<Address, Arc<Entry>>) -> Self {
        let mut shadows = Self::default();
        for shadow in entries.values().filter(|entry| entry.is_shadow()) {
            let address = shadow.address();
            let Some(in_force) = newest_in_force(entries, address) else {
                continue;
            };
            let index = match address.scope() {
                Scope::Cluster => &mut shadows.cluster,
                Scope::Namespace(name) => shadows.by_namespace.entry(name.clone()).or_default(),
            };
            index.insert(shadow, false);
            let of = shadows.of.entry(in_force.address().clone()).or_default();
            of.push(address.clone());
            let pair = Pair {
                shadow: shadow.clone(),
                in_force: in_force.clone(),
            };
            shadows.pairs.insert(address.clone(), Arc::new(pair));
        }
        shadows
    }

    /// What a shadow is compared with.
    pub(crate) fn pair(&self, shadow: &Address) -> Option<&Arc<Pair>> {
        self.pairs.get(shadow)
    }
}

/// The newest other version of a policy that is no shadow.
fn newest_in_force<'e>(
    entries: &'e BTreeMap<Address, Arc<Entry>>,
    address: &Address,
) -> Option<&'e Arc<Entry>> {
    let versions = entries.range(address.at_version(&Version::least())..);
    let versions = versions.take_while(|(other, _)| other.is_version_of(address));
    let in_force = versions.filter(|(_, entry)| !entry.is_shadow());
    in_force.map(|(_, entry)| entry).last()
}

impl Snapshot {
    /// What a shadow is compared with.
    pub fn pair(&self, shadow: &Address) -> Option<&Arc<Pair>> {
        self.shadows.pair(shadow)
    }

    /// All shadows that are compared.
    pub fn pairs(&self) -> impl Iterator<Item = &Arc<Pair>> {
        self.shadows.pairs.values()
    }

    /// The shadows that are to be asked about a request beside those that are asked, `asked`. A
    /// request that the version in force judges comes by one route at least once, and is compared
    /// where that one is asked; one that only the shadow judges comes by the route of shadows, those
    /// whose failures are ignored.
    pub fn comparisons(
        &self,
        subject: &Subject,
        objects: impl FnOnce() -> Objects,
        route: Route,
        asked: &[Arc<Entry>],
    ) -> Vec<Comparison> {
        if self.shadows.pairs.is_empty() {
            return Vec::new();
        }
        let objects = std::cell::LazyCell::new(objects);
        let mut found: BTreeMap<&Address, &Arc<Pair>> = BTreeMap::new();
        let by_themselves = asked.iter().filter(|entry| entry.binding.is_none());
        for entry in by_themselves {
            let shadows = self.shadows.of.get(entry.address()).into_iter().flatten();
            found.extend(shadows.filter_map(|shadow| self.shadows.pairs.get_key_value(shadow)));
        }
        if route.failure_policy != Some(FailurePolicy::Fail) {
            for shadow in self.shadow_candidates(subject, route) {
                let pair = self.shadows.pairs.get_key_value(shadow.address());
                let elsewhere = |pair: &Arc<Pair>| {
                    let mut parts = pair.in_force.parts();
                    pair.in_force.superseded_by.is_none()
                        && parts.any(|part| self.matches(&part, subject, &objects))
                };
                found.extend(pair.filter(|(_, pair)| !elsewhere(pair)));
            }
        }
        let comparisons = found.into_values().map(|pair| {
            let parts = pair.shadow.parts();
            let parts = parts.filter(|part| self.matches(part, subject, &objects));
            let is_in_force = |entry: &&Arc<Entry>| {
                entry.binding.is_none() && entry.address() == pair.in_force.address()
            };
            Comparison {
                pair: pair.clone(),
                parts: parts.collect(),
                asked: asked.iter().filter(is_in_force).cloned().collect(),
            }
        });
        comparisons.take(MOST).collect()
    }

    /// The shadows that have a rule for a request.
    fn shadow_candidates<'a>(
        &'a self,
        subject: &Subject,
        route: Route,
    ) -> impl Iterator<Item = &'a Arc<Entry>> + use<'a> {
        let own = subject
            .own_namespace()
            .and_then(|name| self.shadows.by_namespace.get(name));
        let any = Route {
            failure_policy: None,
            ..route
        };
        let indexes = [
            Some(&self.shadows.cluster).filter(|_| route.includes(Owner::Cluster)),
            own.filter(|_| route.includes(Owner::Namespace)),
        ];
        let candidates = indexes.into_iter().flatten();
        candidates
            .flat_map(|index| index.candidates(subject, any))
            .collect::<Vec<_>>()
            .into_iter()
    }
}

impl Comparison {
    /// All that look at the request, so that it is read for all of them.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.parts.iter().chain(&self.asked).map(AsRef::as_ref)
    }

    /// What the shadow decides.
    pub fn decide(&self, input: &Input, request: &Request) -> Decision {
        let decisions = self.parts.iter().map(|part| part.decide(input, request));
        let unmatched = || self.pair.shadow.unmatched(request.id.clone());
        decisions.reduce(Decision::join).unwrap_or_else(unmatched)
    }

    /// What the version in force decided, of the decisions about a request.
    pub fn in_force<'d>(
        &self,
        id: &Arc<str>,
        decisions: impl IntoIterator<Item = &'d Decision>,
    ) -> Decision {
        let address = self.pair.in_force.address();
        let own = decisions
            .into_iter()
            .filter(|decision| decision.binding.is_none() && decision.policy == *address);
        let joined = own.cloned().reduce(Decision::join);
        joined.unwrap_or_else(|| self.pair.in_force.unmatched(id.clone()))
    }

    /// Whether two decisions say how the versions judge: not, where neither is concerned, where a
    /// lock, the clock or an overload kept one of them from being asked, and where a perimeter lets
    /// pass what others have to permit.
    pub fn is_comparable(&self, in_force: &Decision, shadow: &Decision) -> bool {
        let mut said = in_force.messages.iter().chain(&in_force.warnings);
        let is_kept = |decision: &Decision| {
            let kept = [Outcome::Locked, Outcome::Bypassed, Outcome::NotInForce];
            kept.contains(&decision.outcome)
        };
        let admission = self.pair.shadow.admission();
        let hangs_on_others = admission.is_some_and(|it| it.require_allow)
            && matches!(shadow.outcome, Outcome::Allowed | Outcome::Skipped);
        let both = [in_force, shadow];
        both.iter().any(|decision| decision.is_concerned())
            && !both.into_iter().any(is_kept)
            && !said.any(|message| message.code == Code::Overloaded)
            && !hangs_on_others
    }
}

/// In what a shadow's decision differs, if it does.
pub fn difference(in_force: &Decision, shadow: &Decision) -> Option<Difference> {
    if shadow.outcome == Outcome::Error {
        return Some(Difference::Failed);
    }
    match (in_force.allowed, shadow.allowed) {
        (true, false) => Some(Difference::Stricter),
        (false, true) => Some(Difference::Looser),
        _ => {
            let [own, other] = [in_force, shadow].map(said);
            (own != other).then_some(Difference::Messages)
        }
    }
}

/// What people are told, whatever rule says it.
fn said(decision: &Decision) -> Vec<impl PartialEq> {
    let messages = decision.messages.iter().chain(&decision.warnings);
    messages
        .map(|message| {
            let Message {
                code,
                message,
                remedy,
                severity,
                path,
                ..
            } = message;
            (code, message, remedy, severity, path)
        })
        .collect()
}
