//! Networks in CIDR's notation, as Go's `net` has them.
//!
//! An IPv4 address within IPv6 (`::ffff:1.2.3.4`) is the IPv4 address, wherever one is compared.

mod matches;
mod merge;
mod network;

use std::collections::BTreeSet;

use super::{Context, Fault, Function, Result, beginning, refused, string};
use crate::rego::value::Value;
use network::{Address, Network, address};

pub(super) const FUNCTIONS: &[(&str, u8, Function)] = &[
    ("net.cidr_contains", 2, contains),
    ("net.cidr_contains_matches", 2, matches::contains_matches),
    ("net.cidr_expand", 1, expand),
    ("net.cidr_intersects", 2, |_, operands| {
        let one = Network::of(string(operands, 0)?)?;
        let other = Network::of(string(operands, 1)?)?;
        let overlap = one.contains(other.first().0) || other.contains(one.first().0);
        Ok(Value::Bool(overlap))
    }),
    ("net.cidr_is_valid", 1, |_, operands| {
        let text = string(operands, 0);
        Ok(Value::Bool(
            text.is_ok_and(|text| Network::of(text).is_ok()),
        ))
    }),
    ("net.cidr_merge", 1, merge::merge),
    // The name that `net.cidr_contains` had.
    ("net.cidr_overlap", 2, contains),
];

fn contains(_: &mut Context<'_, '_>, operands: &[Value]) -> Result<Value> {
    is_within(operands).map(Value::Bool)
}

/// Whether a network contains an address or all of another network.
fn is_within(operands: &[Value]) -> Result<bool> {
    let network = Network::of(string(operands, 0)?)?;
    let other_text = string(operands, 1)?;
    if let Some(address) = address(other_text) {
        return Ok(network.contains(address));
    }
    let other = Network::parse(other_text).ok_or_else(|| {
        let text = beginning(other_text);
        Fault::Value(format!(
            "not a valid textual representation of an IP address or CIDR: {text}"
        ))
    })?;
    Ok(network.covers(other))
}

fn expand(context: &mut Context<'_, '_>, operands: &[Value]) -> Result<Value> {
    let network = Network::of(string(operands, 0)?)?;
    let mut addresses = BTreeSet::new();
    let mut bits = network.bits;
    while network.contains(Address::of_six(bits)) {
        context.charge_members(2)?;
        addresses.insert(Value::from(Address::of_six(bits).text()));
        match bits.checked_add(1) {
            Some(next) => bits = next,
            None => break,
        }
    }
    Ok(addresses.into())
}
