//! Addresses and networks.

use std::net::IpAddr;

use super::{Fault, Result, beginning};

/// Bits of an address.
pub(super) const FOUR: u32 = 32;
pub(super) const SIX: u32 = 128;

/// Where the bits of an IPv4 address begin in IPv6.
pub(super) const MAPPED: u32 = SIX - FOUR;

/// What stands before an IPv4 address in IPv6.
pub(super) const MAPPED_PREFIX: u128 = 0xffff << FOUR;

/// An address, as it is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Address {
    Four(u32),
    Six(u128),
}

impl Address {
    pub(super) fn of_six(bits: u128) -> Self {
        match u32::try_from(bits ^ MAPPED_PREFIX) {
            Ok(_) => Self::Four(u32::try_from(bits & u128::from(u32::MAX)).unwrap_or(0)),
            Err(_) => Self::Six(bits),
        }
    }

    pub(super) fn text(self) -> String {
        match self {
            Self::Four(bits) => std::net::Ipv4Addr::from(bits).to_string(),
            Self::Six(bits) => std::net::Ipv6Addr::from(bits).to_string(),
        }
    }
}

/// An address that a text is. (Go knows no zones here, and neither does Rust.)
pub(super) fn address(text: &str) -> Option<Address> {
    Some(match text.parse().ok()? {
        IpAddr::V4(four) => Address::Four(four.to_bits()),
        IpAddr::V6(six) => Address::of_six(six.to_bits()),
    })
}

/// A network: its first address in the bits of IPv6, and how many bits are fixed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Network {
    pub(super) bits: u128,
    pub(super) prefix: u32,
    /// Whether it was written as one of IPv4.
    pub(super) is_four: bool,
}

impl Network {
    pub(super) fn of(text: &str) -> Result<Self> {
        Self::parse(text).ok_or_else(|| {
            let text = beginning(text);
            Fault::Value(format!("invalid CIDR address: {text}"))
        })
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
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
    pub(super) fn first(self) -> (Address, u32) {
        match Address::of_six(self.bits) {
            four @ Address::Four(_) if self.is_four => (four, self.prefix),
            four @ Address::Four(_) => (four, self.prefix.saturating_sub(MAPPED)),
            six @ Address::Six(_) => (six, self.prefix),
        }
    }

    pub(super) fn contains(self, address: Address) -> bool {
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
    pub(super) fn last(self) -> Address {
        let fixed = if self.is_four {
            self.prefix + MAPPED
        } else {
            self.prefix
        };
        Address::of_six(self.bits | !mask(fixed))
    }

    /// Whether all of another network is in this one.
    pub(super) fn covers(self, other: Self) -> bool {
        let (first, last) = (self.first().0, other.first().0);
        if let (Address::Six(_), Address::Six(_)) = (first, last) {
            return self.prefix <= other.prefix && self.bits == other.bits & mask(self.prefix);
        }
        self.contains(last) && self.contains(other.last())
    }
}

/// So many ones before noughts.
pub(super) fn mask(prefix: u32) -> u128 {
    u128::MAX.checked_shl(SIX - prefix).unwrap_or(0)
}
