//! What there is to say of an exemption. Pure.

use std::sync::Arc;

use portcullis_crds::{
    ConditionType, ExemptionStatus, Finding,
    conditions::{merged, reason},
};
use portcullis_policies::{Exemption, ObjectKey, exemption::MOST_ACCEPTED};

use super::{World, lock::address};
use crate::cluster::Record;

impl World<'_> {
    /// The status of an exemption.
    pub(crate) fn exemption(
        &self,
        key: &ObjectKey,
        record: &Record,
        before: &ExemptionStatus,
    ) -> ExemptionStatus {
        let mut all = self.view.snapshot.exemptions().iter();
        let exemption = all.find(|exemption| exemption.key() == key);
        let held =
            exemption.filter(|own| own.holds(self.now, self.view.snapshot.longest_exemption()));
        let mut exempts: Vec<String> = held
            .into_iter()
            .flat_map(|_| self.view.snapshot.entries())
            .filter(|entry| entry.exemptions.iter().any(|own| own.key() == key))
            .map(|entry| address(entry, key))
            .collect();
        exempts.sort_unstable();
        let active = self.is_honoured(exemption, record, exempts.len());
        ExemptionStatus {
            observed_generation: record.generation,
            exempts,
            conditions: merged(&before.conditions, [active], record.generation, self.now),
        }
    }

    fn is_honoured(
        &self,
        exemption: Option<&Arc<Exemption>>,
        record: &Record,
        honoured: usize,
    ) -> Finding {
        use ConditionType::Active;

        let Some(exemption) = exemption else {
            let fault = record.fault.as_deref().unwrap_or("it is not known yet");
            return Active.fails(reason::INVALID, fault);
        };
        if exemption.is_over(self.now) {
            let end = exemption.definition().expires_at;
            return Active.fails(reason::EXPIRED, format!("it expired at {end}: delete it"));
        }
        if let Some(fault) = exemption.excess(self.now, self.view.snapshot.longest_exemption()) {
            let remedy = fault.remedy.as_deref().unwrap_or_default();
            return Active.fails(reason::TOO_LONG, format!("{}: {remedy}", fault.message));
        }
        if honoured > 0 {
            return Active.holds(
                reason::HOLDS,
                format!("policies that honour it: {honoured}"),
            );
        }
        let reception = self.view.snapshot.reception(exemption);
        if !reception.accepted.is_empty() {
            let text = format!(
                "a policy honours {MOST_ACCEPTED} exemptions of the cluster and of each namespace, \
                 those that end last: delete some of the others"
            );
            return Active.fails(reason::TOO_MANY, text);
        }
        if !reception.not_permitted.is_empty() {
            return Active.fails(
                reason::NOT_PERMITTED,
                "the policies that fit accept ClusterExemptions only: have one made, or have \
                 `exemptibleBy: Namespace` set at them",
            );
        }
        if !reception.guardrails.is_empty() {
            return Active.fails(
                reason::GUARDRAIL,
                "all policies that fit are guardrails, which accept no exemption",
            );
        }
        Active.fails(reason::NO_TARGET, "no policy fits: check kind and address")
    }
}
