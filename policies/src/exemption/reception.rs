//! What the policies that there are make of an exemption.

use super::{Exemption, Stance};
use crate::{Address, Snapshot};

/// What the policies that there are make of an exemption, by their addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reception<'s> {
    /// They accept it.
    pub accepted: Vec<&'s Address>,
    /// They are meant, and guardrails.
    pub guardrails: Vec<&'s Address>,
    /// They are meant, and do not accept those of namespaces.
    pub not_permitted: Vec<&'s Address>,
}

impl Snapshot {
    /// What policies make of an exemption, whether it is one of the snapshot's or is to come.
    pub fn reception(&self, exemption: &Exemption) -> Reception<'_> {
        let mut reception = Reception::default();
        for entry in self.entries() {
            let address = entry.address();
            let labels = address.namespace().and_then(|name| self.namespace(name));
            match exemption.stance(&entry.policy, labels.as_deref()) {
                Stance::Elsewhere => {}
                Stance::Accepted => reception.accepted.push(address),
                Stance::Guardrail => reception.guardrails.push(address),
                Stance::NotPermitted => reception.not_permitted.push(address),
            }
        }
        reception
    }
}
