//! `net.cidr_merge`: the fewest networks that have the same addresses.
//!
//! Networks that overlap or touch become one range of addresses, and a range that was put together
//! is parted again into networks as large as possible. One that nothing touches stays as it is, even
//! if it is an address alone: that stands for the network of its class, by its own name.

use std::collections::BTreeSet;

use super::{
    Address, Context, Fault, Network, Result, address,
    network::{FOUR, MAPPED, MAPPED_PREFIX, SIX, mask},
    refused,
};
use crate::rego::{builtins::members, value::Value};

const NAME: &str = "net.cidr_merge";

/// A range of addresses in the bits of IPv6.
#[derive(Debug)]
struct Range {
    first: u128,
    last: u128,
    /// Its name, as long as nothing was put to it.
    name: Option<String>,
}

pub(super) fn merge(context: &mut Context<'_, '_>, operands: &[Value]) -> Result<Value> {
    let members =
        members(operands, 0).map_err(|_| Fault::Value("operand must be an array".to_owned()))?;
    context.charge_members(4 * members.len())?;
    let ranges = members.into_iter().map(range);
    let mut ranges = ranges.collect::<Result<Vec<Range>>>()?;
    ranges.sort_by_key(|range| (range.last, range.first));
    let mut names = BTreeSet::new();
    while let Some(mut range) = ranges.pop() {
        while let Some(below) = ranges.pop_if(|below| previous(range.first) <= below.last) {
            range.first = range.first.min(below.first);
            range.name = None;
        }
        match range.name {
            Some(name) => drop(names.insert(Value::from(name))),
            None => part(context, &range, &mut names)?,
        }
    }
    Ok(names.into())
}

fn range(element: &Value) -> Result<Range> {
    let Value::String(text) = element else {
        return Err(Fault::Value("element must be string".to_owned()));
    };
    let network = match address(text) {
        None => Network::of(text)?,
        Some(Address::Four(bits)) => return Ok(of_class(bits)),
        Some(Address::Six(_)) => {
            let message = "IPv6 invalid: needs prefix length";
            return Err(Fault::Value(message.to_owned()));
        }
    };
    let (first, prefix) = network.first();
    if !network.is_four && matches!(first, Address::Four(_)) {
        let reason = "a network of IPv4 addresses is written as one of IPv6";
        return Err(refused(NAME, reason));
    }
    let fixed = if network.is_four {
        prefix + MAPPED
    } else {
        prefix
    };
    Ok(Range {
        first: network.bits,
        last: network.bits | !mask(fixed),
        name: Some(format!("{}/{prefix}", first.text())),
    })
}

/// The network of the class that an address belonged to, before there were prefixes.
fn of_class(bits: u32) -> Range {
    let prefix = match bits >> 24 {
        0..0x80 => 8,
        0x80..0xc0 => 16,
        _ => 24,
    };
    let fixed = mask(MAPPED + prefix);
    let address = MAPPED_PREFIX | u128::from(bits);
    Range {
        first: address & fixed,
        last: address | !fixed,
        name: Some(format!("{}/{prefix}", Address::Four(bits).text())),
    }
}

/// The address before one; none is before the first of its kind.
fn previous(address: u128) -> u128 {
    match address {
        0 | MAPPED_PREFIX => address,
        other => other - 1,
    }
}

fn is_four(address: u128) -> bool {
    matches!(Address::of_six(address), Address::Four(_))
}

/// The largest networks of which a range consists.
fn part(context: &mut Context<'_, '_>, range: &Range, names: &mut BTreeSet<Value>) -> Result<()> {
    check(range)?;
    let width = if is_four(range.first) { FOUR } else { SIX };
    let mut first = range.first;
    loop {
        let aligned = first.trailing_zeros().min(width);
        // One less than the number of addresses, which may be too many for a number.
        let left = range.last - first;
        let filled = left.checked_add(1).map_or(SIX, u128::ilog2);
        let free = aligned.min(filled);
        context.charge_members(2)?;
        let name = format!("{}/{}", Address::of_six(first).text(), width - free);
        names.insert(Value::from(name));
        let last = first | !mask(SIX - free);
        if last >= range.last {
            return Ok(());
        }
        first = last + 1;
    }
}

/// Ranges for which OPA fails: those that go from IPv4 to IPv6 or touch it, and those of IPv6 whose
/// common prefix begins with noughts.
fn check(range: &Range) -> Result<()> {
    let Range { first, last, .. } = *range;
    let touches = !is_four(first) && is_four(first.saturating_sub(1))
        || !is_four(last) && is_four(last.saturating_add(1));
    if touches || is_four(first) != is_four(last) {
        return Err(refused(NAME, "networks of IPv4 and IPv6 touch each other"));
    }
    let common = (first ^ last).leading_zeros();
    let spanning = first & mask(common);
    if !is_four(first) && spanning != 0 && spanning.leading_zeros() >= 8 {
        return Err(refused(NAME, "the networks begin with noughts"));
    }
    Ok(())
}
