//! Which version of a policy judges, and which has taken the place of another. Pure.
//!
//! A version takes the place of an older one once, when it judges on every ready replica, and keeps
//! it from then on: a replica that is slow, or starts later, does not bring the older one back for a
//! moment.

use portcullis_crds::{Finding, InPlaceOf, PolicyStatus, Replicas as Counted, conditions::reason};
use portcullis_policies::{Entry, Version};

use super::World;
use crate::convert;

impl World<'_> {
    /// Whose place a policy has taken, of what was found out about its compilation and about who
    /// enforces it.
    pub(super) fn in_place_of(
        &self,
        entry: Option<&Entry>,
        [compiled, enforced]: [&Finding; 2],
        before: &PolicyStatus,
    ) -> Option<InPlaceOf> {
        let policy = &entry?.policy;
        let definition = policy.definition();
        let version = definition.supersedes.as_ref()?;
        if self.view.snapshot.guardrail_before(policy).is_some() {
            return None;
        }
        let is_taken = |taken: &&InPlaceOf| {
            let taken = convert::in_place_of(taken);
            taken.is_some_and(|taken| taken.is_of(definition))
        };
        if let Some(taken) = before.in_place_of.as_ref().filter(is_taken) {
            return Some(taken.clone());
        }
        // One that is superseded itself judges nowhere, and would.
        let would_judge = enforced.holds == Some(true) || enforced.reason == reason::SUPERSEDED;
        (compiled.holds == Some(true) && would_judge).then(|| InPlaceOf {
            version: version.to_string(),
            since: self.now.to_string(),
        })
    }

    /// The version that judges in the place of a policy on every ready replica.
    pub(super) fn superseded<'e>(&self, entry: &'e Entry, counted: Counted) -> Option<&'e Version> {
        let newer = entry.superseded_by.as_ref()?;
        let is_known = counted.total > 0 && counted.enforcing == counted.total;
        let is_out = self.replicas.superseding(entry) == self.replicas.ready;
        (is_known && is_out).then(|| newer.version())
    }

    /// Whether no replica has another version judge in the place of a policy. While it is superseded,
    /// and not everywhere yet, whether it still judges does not matter: the newer one does.
    pub(super) fn judges_everywhere(&self, entry: &Entry) -> bool {
        entry.superseded_by.is_some() || self.replicas.superseding(entry) == self.replicas.ready
    }
}

/// The version that was found to judge in the place of a policy.
pub(super) fn superseded_by(entry: Option<&Entry>, enforced: &Finding) -> Option<String> {
    let newer = entry?.superseded_by.as_ref()?;
    (enforced.reason == reason::SUPERSEDED).then(|| newer.version().to_string())
}
