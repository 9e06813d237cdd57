//! What is wrong or odd about an exemption that somebody applies.

use portcullis_policies::{
    Address, Diagnostics, Exemption, ObjectKey, Snapshot, Timestamp, exemption::Reception,
};
use serde_json::Value as Json;

use super::{Reviewer, changed, past};
use crate::convert::ExemptionDraft;

/// Most policies that one warning names: kubectl shows it on one line.
const MAX_NAMED: usize = 5;

impl Reviewer {
    pub(super) fn exemption(
        &self,
        draft: ExemptionDraft,
        old: Option<&Json>,
        now: Timestamp,
        snapshot: &Snapshot,
    ) -> Result<Vec<String>, Diagnostics> {
        let exemption = match (draft.exemption, draft.faults) {
            (_, Some(faults)) => return Err(faults),
            (None, None) => return Ok(Vec::new()),
            (Some(exemption), None) => exemption,
        };
        self.check_end(&exemption, old, now)?;
        Ok(warnings(&draft.key, &snapshot.reception(&exemption)))
    }

    /// An end that has not been changed passes, so that what has expired can still be mended.
    fn check_end(
        &self,
        exemption: &Exemption,
        old: Option<&Json>,
        now: Timestamp,
    ) -> Result<(), Diagnostics> {
        let end = exemption.definition().expires_at;
        if !changed(old, "expiresAt", Some(end)) {
            return Ok(());
        }
        if exemption.is_over(now) {
            let fault = past("expiresAt", "the exemption would have no effect");
            return Err(fault.with_remedy("set `expiresAt` to a later time").into());
        }
        let longest = self.cache.allowance().longest_exemption;
        exemption
            .excess(now, longest)
            .map_or(Ok(()), |fault| Err(fault.into()))
    }
}

/// What is odd about an exemption, as far as the policies are known.
fn warnings(key: &ObjectKey, reception: &Reception<'_>) -> Vec<String> {
    let Reception {
        accepted,
        guardrails,
        not_permitted,
    } = reception;
    if accepted.is_empty() && guardrails.is_empty() && not_permitted.is_empty() {
        return vec![format!(
            "{key} is of no policy now: it holds as soon as one is there"
        )];
    }
    let refused = [
        (
            guardrails,
            "these are guardrails, which accept no exemption",
        ),
        (
            not_permitted,
            "these accept ClusterExemptions only, unless they say `exemptibleBy: Namespace`",
        ),
    ];
    let told = refused
        .into_iter()
        .filter(|(addresses, _)| !addresses.is_empty());
    told.map(|(addresses, why)| format!("{why}: {}", named(addresses)))
        .collect()
}

fn named(addresses: &[&Address]) -> String {
    let shown = addresses.iter().take(MAX_NAMED);
    let shown: Vec<String> = shown.map(ToString::to_string).collect();
    match addresses.len().saturating_sub(MAX_NAMED) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
