//! All who are asked about one request, and what they decide together.
//!
//! Each policy decides by itself, but for one thing: within a perimeter (`requireAllow`) what nobody
//! permits is denied. Who permits may be asked by another call of the API server than the perimeter
//! is, so these are heard as witnesses: whether one of them permits counts, and nothing else of it.

use std::sync::Arc;

use crate::{Decision, Entry, Interest, Outcome, Point, Request, Scope};

/// All who are asked about one request.
#[derive(Clone, Debug, Default)]
pub struct Panel {
    /// Those who decide.
    pub judges: Vec<Arc<Entry>>,
    /// Those who are heard where a perimeter asks whether anybody permits.
    pub(crate) witnesses: Vec<Arc<Entry>>,
}

impl Panel {
    /// Of judges alone.
    pub fn of(judges: Vec<Arc<Entry>>) -> Self {
        Self {
            judges,
            witnesses: Vec::new(),
        }
    }

    /// What all of them look at of a document.
    pub fn interest(&self, point: Point) -> Interest<'_> {
        Interest::of(point, self.entries().map(AsRef::as_ref))
    }

    /// All of them, those who decide first.
    pub fn entries(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.judges.iter().chain(&self.witnesses)
    }

    /// One decision for each judge, in their order. `decide` asks one; `request` is what it asks with.
    pub fn decide(
        &self,
        request: &Request,
        mut decide: impl FnMut(&Entry) -> Decision,
    ) -> Vec<Decision> {
        let mut decisions: Vec<Decision> = self.judges.iter().map(|entry| decide(entry)).collect();
        for place in 0..decisions.len() {
            let judge = &self.judges[place];
            if !asks_for_grants(judge, &decisions[place]) {
                continue;
            }
            let mut judges = self.judges.iter().zip(&decisions);
            let mut witnesses = self.witnesses.iter();
            let is_granted = judges
                .any(|(entry, decision)| may_grant(entry, judge) && decision.grants)
                || witnesses.any(|entry| may_grant(entry, judge) && decide(entry).grants);
            if !is_granted {
                let duration_ns = decisions[place].duration_ns;
                decisions[place] = Decision {
                    duration_ns,
                    ..judge.not_granted(request)
                };
            }
        }
        decisions
    }
}

/// Whether a perimeter has let a request pass as far as its own rules go.
fn asks_for_grants(judge: &Entry, decision: &Decision) -> bool {
    let is_perimeter = judge.admission().is_some_and(|it| it.require_allow);
    is_perimeter && matches!(decision.outcome, Outcome::Allowed | Outcome::Skipped)
}

/// Who owns a namespace cannot let itself into the cluster's perimeter. What is permitted of an object
/// is not permitted of the Pods that will be made of it.
fn may_grant(entry: &Entry, perimeter: &Entry) -> bool {
    *entry.reach() == Scope::Cluster && entry.part == perimeter.part
}
