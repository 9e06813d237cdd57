//! Identifiers of the method `did:web` and the URLs that they stand for, as the Gaia-X TSA policy
//! service has them on Go's `net/url`.
//!
//! An identifier without a host is a fault: there its first folder would become the host.

use std::{fmt::Write as _, net::Ipv6Addr};

use super::{Context, Fault, Function, Result, string, urlquery};
use crate::rego::value::Value;

pub(super) const FUNCTIONS: &[(&str, u8, Function)] =
    &[("did_to_url", 1, did_to_url), ("url_to_did", 1, url_to_did)];

/// The folder of a host's own document.
const WELL_KNOWN: &str = ".well-known";

/// The name of a document.
const DOCUMENT: &str = "did.json";

/// What Go leaves as it is in a path and in a host, besides letters and digits.
const PATH: &[u8] = b"$&+,-./:;=@_~";
const HOST: &[u8] = b"!\"$&'()*+,-.:;<=>[]_~";

/// The most bytes that a byte of the operand becomes.
const ESCAPE: usize = 3;

fn did_to_url(context: &mut Context<'_, '_>, operands: &[Value]) -> Result<Value> {
    let did = string(operands, 0)?;
    context.charge_bytes(ESCAPE * did.len())?;
    let mut parts = did.split(':');
    let (scheme, method) = (parts.next(), parts.next());
    let host = parts.next().filter(|host| !host.is_empty());
    let host = host.ok_or_else(|| fault("invalid DID, host is not found"))?;
    if (scheme, method) != (Some("did"), Some("web")) {
        return Err(fault("invalid DID, method is unknown"));
    }
    let host = unescaped(host).ok_or_else(|| fault("failed to url decode host from DID"))?;
    let mut url = format!("https://{}", escaped(&host, HOST));
    let mut folders = parts.peekable();
    if folders.peek().is_none() {
        let _ = write!(url, "/{WELL_KNOWN}");
    }
    for folder in folders {
        let _ = write!(url, "/{}", escaped(folder.as_bytes(), PATH));
    }
    let _ = write!(url, "/{DOCUMENT}");
    Ok(Value::from(url))
}

fn url_to_did(context: &mut Context<'_, '_>, operands: &[Value]) -> Result<Value> {
    let url = string(operands, 0)?;
    context.charge_bytes(ESCAPE * url.len())?;
    let url = Url::parse(url).ok_or_else(|| fault("invalid URL for did:web method"))?;
    let path = url.path.strip_suffix(DOCUMENT.as_bytes());
    let path = path.unwrap_or(&url.path);
    let mut did = format!("did:web:{}", urlquery::escape(&url.host));
    for folder in path.split(|byte| *byte == b'/') {
        if folder == WELL_KNOWN.as_bytes() {
            break;
        }
        if !folder.is_empty() {
            let _ = write!(did, ":{}", urlquery::escape(folder));
        }
    }
    Ok(Value::from(did))
}

/// What an identifier needs of a URL, without escapes.
struct Url {
    host: Vec<u8>,
    path: Vec<u8>,
}

impl Url {
    /// Reads a URL with `https` and a host, as Go does.
    fn parse(text: &str) -> Option<Self> {
        if text.bytes().any(|byte| byte.is_ascii_control()) {
            return None;
        }
        let (text, fragment) = text.split_once('#').unwrap_or((text, ""));
        unescaped(fragment)?;
        let (scheme, rest) = text.split_once("://")?;
        if !scheme.eq_ignore_ascii_case("https") {
            return None;
        }
        let rest = rest.split_once('?').map_or(rest, |(rest, _)| rest);
        let at = rest.find('/').unwrap_or(rest.len());
        let (authority, path) = rest.split_at(at);
        let host = match authority.rsplit_once('@') {
            Some((user, host)) if is_user(user) => host,
            Some(_) => return None,
            None => authority,
        };
        Some(Self {
            host: parse_host(host)?,
            path: unescaped(path)?,
        })
    }
}

/// Whether Go takes it for a user, with or without a password.
fn is_user(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:~!$&'()*+,;=%@".contains(&byte);
    text.bytes().all(plain) && unescaped(text).is_some()
}

/// A host with its port. What is escaped in it is not ASCII, but for the sign of escapes itself.
fn parse_host(text: &str) -> Option<Vec<u8>> {
    if let Some(literal) = text.strip_prefix('[') {
        let (address, port) = literal.rsplit_once(']')?;
        address.parse::<Ipv6Addr>().ok()?;
        return is_port(port).then(|| text.into());
    }
    let port = text.rfind(':').map_or("", |at| &text[at..]);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || HOST.contains(&byte) || byte == b'%';
    let is_plain = |byte: u8| !byte.is_ascii() || plain(byte);
    if text.is_empty() || text.contains(['[', ']']) || !text.bytes().all(is_plain) || !is_port(port)
    {
        return None;
    }
    let escapes = text.match_indices('%').map(|(at, _)| text.get(at..at + 3));
    let fine = |escape: Option<&str>| {
        escape.is_some_and(|escape| {
            escape == "%25" || escape.as_bytes()[1].to_ascii_lowercase() >= b'8'
        })
    };
    let mut escapes = escapes;
    escapes.all(fine).then(|| unescaped(text))?
}

/// A port with its colon, or none.
fn is_port(text: &str) -> bool {
    match text.strip_prefix(':') {
        Some(port) => port.bytes().all(|byte| byte.is_ascii_digit()),
        None => text.is_empty(),
    }
}

fn escaped(bytes: &[u8], plain: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for byte in bytes {
        if byte.is_ascii_alphanumeric() || plain.contains(byte) {
            text.push(char::from(*byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

/// Without escapes; `None` where one is broken.
fn unescaped(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                u8::try_from(digit()? * 16 + digit()?).ok()?
            }
            other => other,
        });
    }
    Some(bytes)
}

fn fault(message: &str) -> Fault {
    Fault::Value(message.to_owned())
}
