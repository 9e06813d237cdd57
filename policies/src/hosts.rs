//! Hosts that may be reached: `api.example.com`, `*.example.com`, `api.example.com:8443`.

use std::{fmt, str::FromStr};

/// Longest name of a host, of RFC 1035.
const MAX_NAME: usize = 253;

/// One host, or all hosts below a domain.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostPattern {
    /// In lower case, without the `*.`; an IPv6 address in brackets.
    name: String,
    /// All hosts below the name, and not the name itself.
    below: bool,
    /// Any port where there is none.
    port: Option<u16>,
}

/// A list of hosts. An empty one allows none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hosts(Vec<HostPattern>);

/// A text that names no host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no host: write it like api.example.com, *.example.com or api.example.com:8443")]
pub struct HostError(String);

impl HostPattern {
    /// Whether a host is meant. Its name is compared without regard to case, and with the dot of
    /// the root or without.
    pub fn matches(&self, name: &str, port: Option<u16>) -> bool {
        let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        let is_meant = if self.below {
            is_below(&name, &self.name) && is_name(&name)
        } else {
            name == self.name
        };
        is_meant && (self.port.is_none() || port.is_none() || self.port == port)
    }

    /// Whether all hosts that the other pattern means are meant.
    fn covers(&self, other: &Self) -> bool {
        let names = match (self.below, other.below) {
            (true, true) => other.name == self.name || is_below(&other.name, &self.name),
            (true, false) => is_below(&other.name, &self.name),
            (false, true) => false,
            (false, false) => other.name == self.name,
        };
        names && (self.port.is_none() || self.port == other.port)
    }
}

fn is_below(name: &str, domain: &str) -> bool {
    name.strip_suffix(domain)
        .is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
}

impl FromStr for HostPattern {
    type Err = HostError;

    fn from_str(text: &str) -> Result<Self, HostError> {
        let wrong = || HostError(text.to_owned());
        let (name, port) = match text.rsplit_once(':') {
            // The last colon of an address is within its brackets.
            Some((name, port)) if !port.ends_with(']') => {
                let is_number = port.bytes().all(|byte| byte.is_ascii_digit());
                let port = port.parse().ok().filter(|port| *port > 0 && is_number);
                (name, Some(port.ok_or_else(wrong)?))
            }
            _ => (text, None),
        };
        let (name, below) = name
            .strip_prefix("*.")
            .map_or((name, false), |domain| (domain, true));
        let name = name.to_ascii_lowercase();
        let is_address = || {
            let bare = name
                .strip_prefix('[')
                .and_then(|rest| rest.strip_suffix(']'));
            bare.is_some_and(|bare| bare.parse::<std::net::Ipv6Addr>().is_ok()) && !below
        };
        if is_name(&name) || is_address() {
            Ok(Self { name, below, port })
        } else {
            Err(wrong())
        }
    }
}

/// Labels of letters, digits, hyphens and underscores, joined by dots.
fn is_name(name: &str) -> bool {
    let is_inside = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let is_label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(is_inside)
    };
    name.len() <= MAX_NAME && name.split('.').all(is_label)
}

impl fmt::Display for HostPattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stars = if self.below { "*." } else { "" };
        write!(formatter, "{stars}{}", self.name)?;
        self.port
            .map_or(Ok(()), |port| write!(formatter, ":{port}"))
    }
}

impl Hosts {
    /// Whether it names no host at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The patterns.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &HostPattern> {
        self.0.iter()
    }

    /// Whether a host is on the list; without a port, on any of its ports.
    pub fn allow(&self, name: &str, port: Option<u16>) -> bool {
        self.0.iter().any(|pattern| pattern.matches(name, port))
    }

    /// Whether a host is on the list by its own name, and not by a domain that it is below.
    pub fn name(&self, name: &str, port: Option<u16>) -> bool {
        let exact = |pattern: &&HostPattern| !pattern.below;
        let mut patterns = self.0.iter().filter(exact);
        patterns.any(|pattern| pattern.matches(name, port))
    }

    /// Whether all hosts of a pattern are on the list.
    pub fn cover(&self, pattern: &HostPattern) -> bool {
        self.0.iter().any(|own| own.covers(pattern))
    }
}

impl FromIterator<HostPattern> for Hosts {
    fn from_iter<I: IntoIterator<Item = HostPattern>>(patterns: I) -> Self {
        Self(patterns.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn hosts(text: &str) -> Hosts {
        text.split_whitespace()
            .map(|pattern| pattern.parse().unwrap())
            .collect()
    }

    #[rstest]
    #[case("api.example.com", "api.example.com")]
    #[case("API.Example.com:443", "api.example.com:443")]
    #[case("*.example.com", "*.example.com")]
    #[case("*.example.com:8443", "*.example.com:8443")]
    #[case("localhost", "localhost")]
    #[case("10.0.0.1:80", "10.0.0.1:80")]
    #[case("[::1]", "[::1]")]
    #[case("[::1]:80", "[::1]:80")]
    #[case("a_b.svc.cluster.local", "a_b.svc.cluster.local")]
    fn patterns(#[case] text: &str, #[case] shown: &str) {
        assert_eq!(text.parse::<HostPattern>().unwrap().to_string(), shown);
    }

    #[rstest]
    #[case("")]
    #[case("*")]
    #[case("*.")]
    #[case("*.*.example.com")]
    #[case("a.*.example.com")]
    #[case("*example.com")]
    #[case("example.com.")]
    #[case(".example.com")]
    #[case("example..com")]
    #[case("-a.example.com")]
    #[case("https://example.com")]
    #[case("example.com/path")]
    #[case("user@example.com")]
    #[case("example.com:")]
    #[case("example.com:0")]
    #[case("example.com:65536")]
    #[case("example.com:+80")]
    #[case("example.com:http")]
    #[case("::1")]
    #[case("[::1")]
    #[case("*.[::1]")]
    #[case("exämple.com")]
    #[case(" example.com")]
    fn texts_that_name_no_host(#[case] text: &str) {
        assert!(text.parse::<HostPattern>().is_err());
    }

    #[rstest]
    #[case("api.example.com", "api.example.com", 443, true)]
    #[case("api.example.com", "API.example.com.", 443, true)]
    #[case("api.example.com", "example.com", 443, false)]
    #[case("api.example.com", "x.api.example.com", 443, false)]
    #[case("api.example.com", "api.example.com.evil.io", 443, false)]
    #[case("api.example.com:8443", "api.example.com", 8443, true)]
    #[case("api.example.com:8443", "api.example.com", 443, false)]
    #[case("*.example.com", "api.example.com", 80, true)]
    #[case("*.example.com", "a.b.example.com", 80, true)]
    #[case("*.example.com", "example.com", 80, false)]
    #[case("*.example.com", ".example.com", 80, false)]
    #[case("*.example.com", "evilexample.com", 80, false)]
    #[case("*.example.com:80", "api.example.com", 81, false)]
    #[case("a.io b.io", "b.io", 80, true)]
    #[case("", "a.io", 80, false)]
    #[case("[::1]:80", "[::1]", 80, true)]
    fn hosts_that_are_allowed(
        #[case] list: &str,
        #[case] name: &str,
        #[case] port: u16,
        #[case] expected: bool,
    ) {
        assert_eq!(hosts(list).allow(name, Some(port)), expected);
    }

    #[test]
    fn a_host_is_named_by_its_own_name() {
        let list = hosts("*.example.com api.example.com:443");
        assert!(list.name("api.example.com", Some(443)));
        assert!(!list.name("api.example.com", Some(80)));
        assert!(!list.name("other.example.com", Some(443)));
        assert!(list.allow("other.example.com", None));
    }

    #[rstest]
    #[case("*.example.com", "api.example.com", true)]
    #[case("*.example.com", "api.example.com:443", true)]
    #[case("*.example.com", "*.example.com", true)]
    #[case("*.example.com", "*.api.example.com", true)]
    #[case("*.example.com", "example.com", false)]
    #[case("*.api.example.com", "*.example.com", false)]
    #[case("api.example.com", "*.example.com", false)]
    #[case("api.example.com:443", "api.example.com:443", true)]
    #[case("api.example.com:443", "api.example.com", false)]
    #[case("", "api.example.com", false)]
    fn patterns_that_are_covered(
        #[case] list: &str,
        #[case] pattern: &str,
        #[case] expected: bool,
    ) {
        assert_eq!(hosts(list).cover(&pattern.parse().unwrap()), expected);
    }
}
