//! What there is to say of shadows. Pure.

use std::time::Duration;

use jiff::Timestamp;
use portcullis_crds::{
    ConditionType, Finding, PolicyStatus, Replicas as Counted, ShadowStatus, conditions::reason,
    time::moment,
};
use portcullis_policies::Entry;

use super::World;

/// Time between two statuses of a shadow of which only the counts have changed: often enough for who
/// looks on, and no load for an API server.
const PERIOD: Duration = Duration::from_secs(30);

impl World<'_> {
    /// Whether a policy is enforced, if it is a shadow that every ready replica holds.
    pub(super) fn shadowing(&self, entry: &Entry, counted: Counted) -> Option<Finding> {
        let is_held = counted.total > 0 && counted.enforcing == counted.total;
        if !entry.is_shadow() || !is_held || !self.is_registered(entry) {
            return None;
        }
        let compared = match self.view.snapshot.pair(entry.address()) {
            Some(pair) => format!(
                "compared with version {}; `shadow: false` has it enforced",
                pair.in_force.address().version()
            ),
            None => "there is no other version to compare it with".to_owned(),
        };
        let message = format!("it is a shadow, and acts on nothing: {compared}");
        Some(ConditionType::Enforced.fails(reason::SHADOW, message))
    }

    /// In short, why a policy is not enforced though it could be.
    pub(super) fn stands_back(
        &self,
        entry: Option<&Entry>,
        superseded_by: Option<&str>,
    ) -> Option<String> {
        let entry = entry?;
        if !entry.is_shadow() {
            return superseded_by.map(|newer| format!("superseded by {newer}"));
        }
        let pair = self.view.snapshot.pair(entry.address());
        Some(pair.map_or_else(
            || "shadow".to_owned(),
            |pair| format!("shadow of {}", pair.in_force.address().version()),
        ))
    }

    /// How a shadow compares. What was said a moment ago is said on, unless it is compared with
    /// another version now.
    pub(super) fn shadow(
        &self,
        entry: Option<&Entry>,
        before: &PolicyStatus,
    ) -> Option<ShadowStatus> {
        let address = entry.filter(|entry| entry.is_shadow())?.address();
        let pair = self.view.snapshot.pair(address)?;
        let told = self.replicas.shadow(pair);
        let before = before.shadow.as_ref();
        let before = before.filter(|before| before.compares == told.compares);
        let Some(before) = before else {
            let updated = self.now.to_string();
            return Some(ShadowStatus { updated, ..told });
        };
        let mut now = ShadowStatus {
            updated: before.updated.clone(),
            ..told
        };
        // Replicas that do not tell them for a moment have not forgotten them.
        if now.examples.is_empty() && now.differing > 0 {
            now.examples.clone_from(&before.examples);
        }
        let is_due = next(before).is_none_or(|due| due <= self.now);
        if now == *before || !is_due {
            return Some(before.clone());
        }
        now.updated = self.now.to_string();
        Some(now)
    }

    /// When the next status of a shadow is due.
    pub(super) fn shadows_due(&self) -> impl Iterator<Item = Timestamp> {
        let statuses = self.view.snapshot.pairs().filter_map(|pair| {
            let record = self.view.records.get(&pair.shadow.object)?;
            super::typed::<PolicyStatus>(&record.status).shadow
        });
        statuses.filter_map(|shadow| next(&shadow))
    }
}

fn next(status: &ShadowStatus) -> Option<Timestamp> {
    Some(moment(&status.updated).ok()? + PERIOD)
}
