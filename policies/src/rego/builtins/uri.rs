//! `uri.parse` and `uri.is_valid`, as Go's `net/url` reads references to resources.

use std::{collections::BTreeMap, fmt::Write as _, net::Ipv6Addr};

use super::{Fault, Function, Result, beginning, refused, string};
use crate::rego::value::Value;

pub(super) const FUNCTIONS: &[(&str, u8, Function)] = &[
    ("uri.is_valid", 1, |context, operands| {
        let Ok(text) = string(operands, 0) else {
            return Ok(Value::Bool(false));
        };
        context.charge_bytes(4 * text.len())?;
        Ok(Value::Bool(
            !text.is_empty() && Reference::of(text).is_some(),
        ))
    }),
    ("uri.parse", 1, |context, operands| {
        let text = string(operands, 0)?;
        context.charge_bytes(4 * text.len())?;
        let reference = Reference::of(text)
            .ok_or_else(|| Fault::Value(format!("parse {:?}: invalid URI", beginning(text))))?;
        reference.into_value()
    }),
];

/// The parts of a reference, without their escapes, which can have been any bytes.
#[derive(Debug, Default)]
pub(super) struct Reference {
    pub(super) scheme: String,
    /// With the port.
    host: Vec<u8>,
    pub(super) path: Vec<u8>,
    /// As it was written, if Go would have written it otherwise.
    raw_path: String,
    raw_query: String,
    fragment: Vec<u8>,
}

/// Where an escape stands, which says what can be escaped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Host,
    /// The zone of an IPv6 address.
    Zone,
    Elsewhere,
}

impl Reference {
    /// What a text refers to; nothing if it is no reference.
    pub(super) fn of(text: &str) -> Option<Self> {
        let (text, fragment) = text.split_once('#').unwrap_or((text, ""));
        let mut reference = Self::without_fragment(text)?;
        reference.fragment = unescape(fragment, Place::Elsewhere)?;
        Some(reference)
    }

    fn without_fragment(text: &str) -> Option<Self> {
        if text.bytes().any(|byte| byte.is_ascii_control()) {
            return None;
        }
        let (scheme, rest) = scheme(text)?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let mut reference = Self {
            scheme: scheme.to_ascii_lowercase(),
            raw_query: query.to_owned(),
            ..Self::default()
        };
        if !rest.starts_with('/') {
            if !scheme.is_empty() {
                // What follows the scheme is a name that is no path.
                return Some(reference);
            }
            let first = rest.split('/').next().unwrap_or_default();
            if first.contains(':') {
                return None;
            }
        }
        let is_relative = scheme.is_empty() && rest.starts_with("///");
        let path = match rest.strip_prefix("//") {
            Some(authority) if !is_relative => {
                let end = authority.find('/').unwrap_or(authority.len());
                reference.host = host_of(scheme, &authority[..end])?;
                &authority[end..]
            }
            _ => rest,
        };
        reference.path = unescape(path, Place::Elsewhere)?;
        if path != escape_path(&reference.path) {
            path.clone_into(&mut reference.raw_path);
        }
        Some(reference)
    }

    fn into_value(self) -> Result<Value> {
        let host = utf8(self.host)?;
        let (hostname, port) = match host.rfind(':') {
            Some(colon) if is_optional_port(&host[colon..]) => (&host[..colon], &host[colon + 1..]),
            _ => (&*host, ""),
        };
        let hostname = hostname
            .strip_prefix('[')
            .and_then(|hostname| hostname.strip_suffix(']'))
            .unwrap_or(hostname);
        let path = utf8(self.path)?;
        let raw_path = match &*self.raw_path {
            "" => &*path,
            raw_path => raw_path,
        };
        let parts = [
            ("scheme", &*self.scheme),
            ("hostname", hostname),
            ("port", port),
            ("path", &*path),
            ("raw_path", raw_path),
            ("raw_query", &*self.raw_query),
            ("fragment", &*utf8(self.fragment)?),
        ]
        .into_iter()
        .filter(|(_, part)| !part.is_empty())
        .map(|(name, part)| (Value::from(name), Value::from(part)))
        .collect::<BTreeMap<_, _>>();
        Ok(parts.into())
    }
}

fn utf8(bytes: Vec<u8>) -> Result<String> {
    String::from_utf8(bytes).map_err(|_| refused("uri.parse", "a part is not UTF-8"))
}

/// What stands before the first colon, if it is a scheme, and the rest. `None` if nothing does.
fn scheme(text: &str) -> Option<(&str, &str)> {
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' => {}
            b'0'..=b'9' | b'+' | b'-' | b'.' if at > 0 => {}
            b':' if at == 0 => return None,
            b':' => return Some((&text[..at], &text[at + 1..])),
            _ => break,
        }
    }
    Some(("", text))
}

/// The host and the port of an authority, whose user may be anything that is allowed there.
fn host_of(scheme: &str, authority: &str) -> Option<Vec<u8>> {
    let Some((user, host)) = authority.rsplit_once('@') else {
        return host_and_port(scheme, authority);
    };
    let is_allowed =
        |byte: u8| byte.is_ascii_alphanumeric() || b"-._:~!$&'()*+,;=%@".contains(&byte);
    let host = host_and_port(scheme, host)?;
    (user.bytes().all(is_allowed) && unescape(user, Place::Elsewhere).is_some()).then_some(host)
}

fn host_and_port(scheme: &str, host: &str) -> Option<Vec<u8>> {
    match host.rfind('[') {
        Some(0) => return address_and_port(&host[1..]),
        Some(_) => return None,
        None => {}
    }
    if let Some(colon) = host.find(':') {
        // Only the schemes of HTTP are strict about further colons.
        let colon = match scheme.to_ascii_lowercase().as_str() {
            "http" | "https" => colon,
            _ => host.rfind(':').unwrap_or(colon),
        };
        if !is_optional_port(&host[colon..]) {
            return None;
        }
    }
    unescape(host, Place::Host)
}

/// An IPv6 address and a port, from behind the first bracket.
fn address_and_port(host: &str) -> Option<Vec<u8>> {
    let (address, port) = host.rsplit_once(']')?;
    if !is_optional_port(port) {
        return None;
    }
    let zone = address.find("%25").unwrap_or(address.len());
    let mut unescaped = unescape(&address[..zone], Place::Host)?;
    unescaped.extend(unescape(&address[zone..], Place::Zone)?);
    let text = str::from_utf8(&unescaped).ok()?;
    let (plain, zone) = match text.split_once('%') {
        Some((plain, zone)) => (plain, Some(zone)),
        None => (text, None),
    };
    plain.parse::<Ipv6Addr>().ok()?;
    if zone == Some("") {
        return None;
    }
    Some([b"[", &*unescaped, b"]", port.as_bytes()].concat())
}

fn is_optional_port(text: &str) -> bool {
    match text.strip_prefix(':') {
        Some(port) => port.bytes().all(|byte| byte.is_ascii_digit()),
        None => text.is_empty(),
    }
}

/// Whether a byte of ASCII can stand in a host as it is.
fn is_of_host(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!$&'()*+,;=:[]<>\"-_.~".contains(&byte)
}

/// A path as Go writes it.
fn escape_path(path: &[u8]) -> String {
    let mut escaped = String::with_capacity(path.len());
    for &byte in path {
        if byte.is_ascii_alphanumeric() || b"-_.~$&+,/:;=@".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(escaped, "%{byte:02X}");
        }
    }
    escaped
}

fn unescape(text: &str, place: Place) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            if place != Place::Elsewhere && byte.is_ascii() && !is_of_host(byte) {
                return None;
            }
            bytes.push(byte);
            continue;
        }
        let mut digit = || char::from(rest.next()?).to_digit(16);
        let code = u8::try_from(digit()? * 16 + digit()?).ok()?;
        let is_allowed = match place {
            // Only what is not ASCII, and the percent sign before a zone.
            Place::Host => code >= 0x80 || code == b'%',
            Place::Zone => code == b'%' || code == b' ' || is_of_host(code),
            Place::Elsewhere => true,
        };
        if !is_allowed {
            return None;
        }
        bytes.push(code);
    }
    Some(bytes)
}
