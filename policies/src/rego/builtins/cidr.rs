//! Networks in CIDR's notation, as Go's `net` has them.
//!
//! An IPv4 address within IPv6 (`::ffff:1.2.3.4`) is the IPv4 address, wherever one is compared.

use std::{collections::BTreeSet, net::IpAddr};

use super::{Context, Fault, Function, Result, string};
use crate::rego::value::Value;

pub(super) const FUNCTIONS: &[(&str, u8, Function)] = &[
    ("net.cidr_contains", 2, |_, operands| {
        let network = Network::of(string(operands, 0)?)?;
        let other = string(operands, 1)?;
        Ok(Value::Bool(match address(other) {
            Some(address) => network.contains(address),
            None => network.covers(Network::of(other)?),
        }))
    }),
    ("net.cidr_expand", 1, expand),
    ("net.cidr_is_valid", 1, |_, operands| {
        let text = string(operands, 0);
        Ok(Value::Bool(
            text.is_ok_and(|text| Network::of(text).is_ok()),
        ))
    }),
];

/// Bits of an address.
const FOUR: u32 = 32;
const SIX: u32 = 128;

/// Where the bits of an IPv4 address begin in IPv6.
const MAPPED: u32 = SIX - FOUR;

/// What stands before an IPv4 address in IPv6.
const MAPPED_PREFIX: u128 = 0xffff << FOUR;

/// An address, as it is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Address {
    Four(u32),
    Six(u128),
}

impl Address {
    fn of_six(bits: u128) -> Self {
        match u32::try_from(bits ^ MAPPED_PREFIX) {
            Ok(_) => Self::Four(u32::try_from(bits & u128::from(u32::MAX)).unwrap_or(0)),
            Err(_) => Self::Six(bits),
        }
    }

    fn text(self) -> String {
        match self {
            Self::Four(bits) => std::net::Ipv4Addr::from(bits).to_string(),
            Self::Six(bits) => std::net::Ipv6Addr::from(bits).to_string(),
        }
    }
}

/// An address that a text is. (Go knows no zones here, and neither does Rust.)
fn address(text: &str) -> Option<Address> {
    Some(match text.parse().ok()? {
        IpAddr::V4(four) => Address::Four(four.to_bits()),
        IpAddr::V6(six) => Address::of_six(six.to_bits()),
    })
}

/// A network: its first address in the bits of IPv6, and how many bits are fixed.
#[derive(Debug, Clone, Copy)]
struct Network {
    bits: u128,
    prefix: u32,
    /// Whether it was written as one of IPv4.
    is_four: bool,
}

impl Network {
    fn of(text: &str) -> Result<Self> {
        Self::parse(text).ok_or_else(|| Fault::Value(format!("invalid CIDR address: {text}")))
    }

    fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = text.split_once('/')?;
        let (bits, width) = match address.parse().ok()? {
            IpAddr::V4(four) => (MAPPED_PREFIX | u128::from(four.to_bits()), FOUR),
            IpAddr::V6(six) => (six.to_bits(), SIX),
        };
        let is_number = !prefix.is_empty() && prefix.bytes().all(|byte| byte.is_ascii_digit());
        let prefix: u32 = Some(prefix).filter(|_| is_number)?.parse().ok()?;
        (prefix <= width).then(|| Self {
            bits: bits & mask(prefix + SIX - width),
            prefix,
            is_four: width == FOUR,
        })
    }

    /// The first address, and how many of its bits are fixed.
    fn first(self) -> (Address, u32) {
        match Address::of_six(self.bits) {
            four @ Address::Four(_) if self.is_four => (four, self.prefix),
            four @ Address::Four(_) => (four, self.prefix.saturating_sub(MAPPED)),
            six @ Address::Six(_) => (six, self.prefix),
        }
    }

    fn contains(self, address: Address) -> bool {
        match (self.first(), address) {
            ((Address::Four(first), prefix), Address::Four(other)) => {
                let free = FOUR - prefix;
                u64::from(first) >> free == u64::from(other) >> free
            }
            ((Address::Six(first), prefix), Address::Six(other)) => {
                first & mask(prefix) == other & mask(prefix)
            }
            _ => false,
        }
    }

    /// The last address.
    fn last(self) -> Address {
        let fixed = if self.is_four {
            self.prefix + MAPPED
        } else {
            self.prefix
        };
        Address::of_six(self.bits | !mask(fixed))
    }

    /// Whether all of another network is in this one.
    fn covers(self, other: Self) -> bool {
        let (first, last) = (self.first().0, other.first().0);
        if let (Address::Six(_), Address::Six(_)) = (first, last) {
            return self.prefix <= other.prefix && self.bits == other.bits & mask(self.prefix);
        }
        self.contains(last) && self.contains(other.last())
    }
}

/// So many ones before noughts.
fn mask(prefix: u32) -> u128 {
    u128::MAX.checked_shl(SIX - prefix).unwrap_or(0)
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
