//! Versions of one policy: which of them is out of judgement because a newer one took its place.
//!
//! ```text
//! `supersedes` of a policy ─┐
//! who took a place, and when ┴─▶ superseded ─▶ whose own `admission` is not asked
//! ```
//!
//! Whoever knows that a policy judges everywhere says so once ([`InPlaceOf`]), and from then on it is
//! so at every replica that hears of it: one that starts later, and one that cannot be reached for a
//! moment, do not bring the older version back.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::{Address, Definition, Object, ObjectKey, Version};

/// That a policy has taken the place of an older version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InPlaceOf {
    /// The older version.
    pub version: Version,
    /// Since when: at that time it was in force, and sound.
    pub since: Timestamp,
}

impl InPlaceOf {
    /// Whether it says what the policy says now: that it supersedes this version, is no shadow, and
    /// has been in force since it took its place. One that is to be in force later judges nothing until then.
    pub fn is_of(&self, definition: &Definition) -> bool {
        let start = definition.window.not_before;
        definition.supersedes.as_ref() == Some(&self.version)
            && !definition.shadow
            && start.is_none_or(|start| start <= self.since)
    }
}

/// Whether one version may not take the place of the other: a guardrail gives way to a guardrail
/// only.
pub(crate) fn is_barred(newer: &Definition, older: &Definition) -> bool {
    older.guardrail && !newer.guardrail
}

/// The addresses whose own admission is not asked, each with the newest version that took its place.
/// Only an older version can be superseded, so there are no circles.
pub(crate) fn superseded(
    held: &BTreeMap<&Address, &Object>,
    in_place_of: &BTreeMap<ObjectKey, InPlaceOf>,
) -> BTreeMap<Address, Address> {
    let mut superseded = BTreeMap::new();
    // In the order of the addresses, so that the newest is the last.
    for (&newer, object) in held {
        let definition = object.policy.definition();
        let taken = in_place_of.get(&object.key);
        let Some(taken) = taken.filter(|taken| taken.is_of(definition)) else {
            continue;
        };
        let older = newer.at_version(&taken.version);
        let Some(other) = held.get(&older) else {
            continue;
        };
        if older < *newer && !is_barred(definition, other.policy.definition()) {
            superseded.insert(older, newer.clone());
        }
    }
    superseded
}
