//! How often shadows differed from the versions in force, and in what: counts, and the newest examples.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

use portcullis_policies::{
    Address, Comparison, Decision, Digest, Snapshot, Timestamp,
    shadow::{Difference, Pair},
};

/// Examples that are kept of each shadow: as many as a person looks at, and a status holds.
const EXAMPLES: usize = 20;

/// Longest text of an example, in characters; with two of them and the names, twenty examples take
/// some 20 KiB of a status.
const MAX_TEXT: usize = 256;

/// What a shadow said since it was compiled, compared with one state of the version in force.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Requests on which both were asked.
    pub(crate) compared: u64,
    /// Requests on which the shadow was not asked, because there was no room or no time.
    pub(crate) missed: u64,
    differing: BTreeMap<Difference, u64>,
    /// The newest is the last.
    pub(crate) examples: VecDeque<Example>,
}

/// A request on which they differ. Nothing of the object is in it but what the policies say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Example {
    pub(crate) time: Timestamp,
    /// `CREATE pods shop/web`
    pub(crate) request: String,
    pub(crate) user: String,
    pub(crate) difference: Difference,
    /// What the version in force said: its outcome, and its first message.
    pub(crate) in_force: String,
    /// What the shadow said.
    pub(crate) shadow: String,
}

/// One request, compared.
#[derive(Debug)]
pub(super) struct Compared {
    pub(super) difference: Option<Difference>,
    pub(super) example: Option<Example>,
}

/// The tallies of all shadows, each with the digests of what was compared.
#[derive(Debug, Default)]
pub(super) struct Tallies(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    tallies: BTreeMap<Address, ([Digest; 2], Tally)>,
    revision: u64,
}

impl Tally {
    /// How many requests came to what, each once.
    pub(crate) fn results(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let differing: u64 = self.differing.values().sum();
        let same = ("same", self.compared.saturating_sub(differing));
        let kinds = Difference::ALL.map(|kind| (kind.as_str(), self.differing(kind)));
        [same, ("missed", self.missed)].into_iter().chain(kinds)
    }

    /// How often they differed in this.
    pub(crate) fn differing(&self, difference: Difference) -> u64 {
        self.differing.get(&difference).copied().unwrap_or(0)
    }
}

impl Tallies {
    /// Has tallies for these, which begin anew when one of the two is another. With a change of the
    /// cache, shadows that are gone are forgotten.
    pub(super) fn begin(&self, snapshot: &Snapshot, comparisons: &[Comparison]) {
        let mut state = self.lock();
        if snapshot.revision() < state.revision {
            return;
        }
        if snapshot.revision() > state.revision {
            state.revision = snapshot.revision();
            state
                .tallies
                .retain(|shadow, _| snapshot.pair(shadow).is_some());
        }
        for Comparison { pair, .. } in comparisons {
            let digests = digests_of(pair);
            let slot = state.tallies.entry(pair.shadow.address().clone());
            let (known, tally) = slot.or_insert_with(|| (digests, Tally::default()));
            if *known != digests {
                (*known, *tally) = (digests, Tally::default());
            }
        }
    }

    pub(super) fn note(&self, pair: &Pair, compared: Compared) {
        let mut state = self.lock();
        // What was compared before a change says nothing of what is there now.
        let Some(tally) = state.of(pair) else { return };
        tally.compared += 1;
        if let Some(difference) = compared.difference {
            *tally.differing.entry(difference).or_default() += 1;
        }
        if let Some(example) = compared.example {
            if tally.examples.len() == EXAMPLES {
                tally.examples.pop_front();
            }
            tally.examples.push_back(example);
        }
    }

    pub(super) fn missed(&self, comparisons: &[Comparison]) {
        let mut state = self.lock();
        for comparison in comparisons {
            if let Some(tally) = state.of(&comparison.pair) {
                tally.missed += 1;
            }
        }
    }

    pub(super) fn of(&self, pair: &Pair) -> Tally {
        let mut state = self.lock();
        state
            .of(pair)
            .map(|tally| tally.clone())
            .unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Each change leaves a valid tally, so a panic elsewhere does, too.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The tally of a pair, if it is of these two.
    fn of(&mut self, pair: &Pair) -> Option<&mut Tally> {
        let found = self.tallies.get_mut(pair.shadow.address());
        let found = found.filter(|(digests, _)| *digests == digests_of(pair));
        found.map(|(_, tally)| tally)
    }
}

fn digests_of(pair: &Pair) -> [Digest; 2] {
    [&pair.shadow, &pair.in_force].map(|entry| entry.policy.digest())
}

/// The outcome of a decision and its first message; without the message where it may repeat what is
/// secret.
pub(super) fn said(decision: &Decision, is_secret: bool) -> String {
    let outcome = decision.outcome.as_str();
    let mut messages = decision.messages.iter().chain(&decision.warnings);
    match messages.next().filter(|_| !is_secret) {
        None => outcome.to_owned(),
        Some(first) => cut(&format!(
            "{outcome}: {}: {}",
            first.code.as_str(),
            first.message
        )),
    }
}

/// The beginning of a text.
pub(super) fn cut(text: &str) -> String {
    if text.chars().count() <= MAX_TEXT {
        return text.to_owned();
    }
    text.chars().take(MAX_TEXT - 1).chain(['…']).collect()
}
