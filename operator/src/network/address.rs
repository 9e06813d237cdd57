//! Which addresses are those of the public internet.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether an address is one that anybody can reach: none of this machine, of a private network, of a
/// link, and none that stands for many. Where it is in doubt, it is not.
pub(super) fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(four) => is_public_four(four),
        IpAddr::V6(six) => is_public_six(six),
    }
}

fn is_public_four(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let is_special = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_documentation()
        // This network; shared by carriers; protocols; benchmarks; reserved and broadcast.
        || a == 0
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && (b == 18 || b == 19))
        || a >= 240;
    !is_special
}

/// Of IPv6 only global unicast is public, and what stands for an IPv4 address if that is.
fn is_public_six(address: Ipv6Addr) -> bool {
    let parts = address.segments();
    let four = |high: u16, low: u16| Ipv4Addr::from(u32::from(high) << 16 | u32::from(low));
    match parts {
        // Translated by NAT64, and 6to4.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => {
            is_public_four(four(high, low))
        }
        // Protocols, Teredo among them; documentation.
        [0x2001, ..=0x1ff | 0xdb8, ..] | [0x3fff, ..=0xfff, ..] => false,
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    /// The special-purpose registries of IANA.
    #[rstest]
    #[case("0.0.0.0")]
    #[case("0.1.2.3")]
    #[case("10.0.0.1")]
    #[case("100.64.0.1")]
    #[case("100.127.255.255")]
    #[case("127.0.0.1")]
    #[case("127.1.2.3")]
    #[case("169.254.169.254")]
    #[case("172.16.0.1")]
    #[case("172.31.255.255")]
    #[case("192.0.0.8")]
    #[case("192.0.2.1")]
    #[case("192.168.0.1")]
    #[case("198.18.0.1")]
    #[case("198.19.255.255")]
    #[case("224.0.0.1")]
    #[case("240.0.0.1")]
    #[case("255.255.255.255")]
    #[case("::")]
    #[case("::1")]
    #[case("::ffff:127.0.0.1")]
    #[case("::ffff:169.254.169.254")]
    #[case("::7f00:1")]
    #[case("64:ff9b::a00:1")]
    #[case("64:ff9b:1::1")]
    #[case("100::1")]
    #[case("2001::1")]
    #[case("2001:db8::1")]
    #[case("2002:a00:1::1")]
    #[case("2002:7f00:1::1")]
    #[case("3fff::1")]
    #[case("fc00::1")]
    #[case("fd00:ec2::254")]
    #[case("fe80::1")]
    #[case("fec0::1")]
    #[case("ff02::1")]
    fn addresses_that_are_not_public(#[case] address: &str) {
        assert!(!is_public(address.parse().unwrap()));
    }

    #[rstest]
    #[case("1.1.1.1")]
    #[case("100.63.255.255")]
    #[case("100.128.0.0")]
    #[case("172.15.255.255")]
    #[case("172.32.0.0")]
    #[case("192.0.1.1")]
    #[case("198.17.255.255")]
    #[case("223.255.255.255")]
    #[case("::ffff:1.1.1.1")]
    #[case("64:ff9b::101:101")]
    #[case("2002:101:101::1")]
    #[case("2606:4700:4700::1111")]
    #[case("2a00:1450::1")]
    fn addresses_that_are_public(#[case] address: &str) {
        assert!(is_public(address.parse().unwrap()));
    }
}
