//! What is odd about a policy among its versions. None of it is a refusal: another one may come, or
//! change.

use portcullis_policies::{Policy, Snapshot};

/// An older version that is missing, or that stays whatever the policy says, and a shadow of nothing.
pub(super) fn warnings(policy: &Policy, snapshot: &Snapshot) -> impl Iterator<Item = String> {
    let superseded = superseded(policy, snapshot);
    superseded.into_iter().chain(compared(policy, snapshot))
}

fn superseded(policy: &Policy, snapshot: &Snapshot) -> Option<String> {
    let older = policy.definition().supersedes.as_ref()?;
    let address = policy.address().at_version(older);
    if let Some(guardrail) = snapshot.guardrail_before(policy) {
        return Some(format!(
            "{} is a guardrail, which a guardrail only supersedes: both versions judge",
            guardrail.address()
        ));
    }
    snapshot
        .find(&address)
        .is_none()
        .then(|| format!("there is no {address} now: it is superseded as soon as it is there"))
}

fn compared(policy: &Policy, snapshot: &Snapshot) -> Option<String> {
    let own = policy.address();
    let is_other = |other| other != own && own.is_version_of(other);
    let mut others = snapshot.entries().filter(|entry| !entry.is_shadow());
    let is_alone = !others.any(|entry| is_other(entry.address()));
    (policy.definition().shadow && is_alone).then(|| {
        let (group, name) = (own.group(), own.name());
        format!("there is no other version of {group}/{name} now to compare this shadow with")
    })
}
