//! What is odd about the version that a policy supersedes.

use portcullis_policies::{Policy, Snapshot};

/// An older version that is missing, or that stays whatever the policy says. Neither is a refusal:
/// the other policy may come, or change.
pub(super) fn warning(policy: &Policy, snapshot: &Snapshot) -> Option<String> {
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
