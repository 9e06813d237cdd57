//! Whether a certificate is for a host.

use std::net::IpAddr;

use super::certificate::Certificate;

/// As Go's `VerifyHostname` sees it. Every certificate is for the empty host.
pub(super) fn matches(certificate: &Certificate<'_>, host: &str) -> bool {
    let names = &certificate.extensions.names;
    if host.is_empty() {
        return true;
    }
    let bracketed = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .filter(|host| !host.is_empty());
    if let Ok(address) = bracketed.unwrap_or(host).parse::<IpAddr>() {
        return names
            .addresses
            .iter()
            .filter_map(|own| of_bytes(own))
            .any(|own| own.to_canonical() == address.to_canonical());
    }
    let host = host.to_ascii_lowercase();
    let without_dot = host.strip_suffix('.').unwrap_or(&host);
    let is_host = is_valid(without_dot, false);
    names.hosts.iter().any(|pattern| {
        if is_host && is_valid(pattern, true) {
            fits(&pattern.to_ascii_lowercase(), without_dot)
        } else {
            let is_name = |name: &str| !name.is_empty() && name != ".";
            is_name(pattern) && is_name(&host) && pattern.eq_ignore_ascii_case(&host)
        }
    })
}

/// An address of 4 or 16 bytes.
pub(super) fn of_bytes(bytes: &[u8]) -> Option<IpAddr> {
    let four = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    let sixteen = || <[u8; 16]>::try_from(bytes).map(IpAddr::from);
    four.or_else(|_| sixteen()).ok()
}

/// Whether a text is a host, or a pattern of hosts.
fn is_valid(host: &str, is_pattern: bool) -> bool {
    let is_letter = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
    let is_part = |(at, part): (usize, &str)| {
        is_pattern && at == 0 && part == "*"
            || !part.is_empty() && !part.starts_with('-') && part.chars().all(is_letter)
    };
    host != "*" && host.split('.').enumerate().all(is_part)
}

fn fits(pattern: &str, host: &str) -> bool {
    let (mut own, mut other) = (pattern.split('.'), host.split('.'));
    let first_fits = match (own.next(), other.next()) {
        (Some("*"), Some(_)) => true,
        (own, other) => own == other,
    };
    first_fits && own.eq(other)
}
