//! `uuid.parse`, as Google's `uuid` reads them.

use std::{collections::BTreeMap, fmt::Write as _};

use super::{Context, Function, Result, string};
use crate::rego::value::Value;

pub(super) const FUNCTIONS: &[(&str, u8, Function)] = &[("uuid.parse", 1, parse)];

/// From 1582, when the time of UUIDs begins, to 1970, in tenths of a microsecond.
const EPOCH: i64 = 122_192_928_000_000_000;

/// Tenths of a microsecond.
const SECOND: i64 = 10_000_000;

fn parse(_: &mut Context<'_, '_>, operands: &[Value]) -> Result<Value> {
    let Some(bytes) = bytes(string(operands, 0)?.as_bytes()) else {
        return Ok(Value::Undefined);
    };
    let mut parts: BTreeMap<Value, Value> = BTreeMap::new();
    let mut say = |name: &str, value: Value| drop(parts.insert(Value::from(name), value));
    let version = bytes[6] >> 4;
    say("version", Value::from(u64::from(version)));
    let variant = match bytes[8] {
        byte if byte & 0xc0 == 0x80 => "RFC4122",
        byte if byte & 0xe0 == 0xc0 => "Microsoft",
        byte if byte & 0xe0 == 0xe0 => "Future",
        _ => "Reserved",
    };
    say("variant", Value::from(variant));
    if matches!(version, 1 | 2) {
        let number = |of: &[u8]| of.iter().fold(0, |sum, byte| (sum << 8) | i64::from(*byte));
        let low = number(&bytes[..4]);
        let time = low | (number(&bytes[4..6]) << 32) | ((number(&bytes[6..8]) & 0xfff) << 48);
        let time = time - EPOCH;
        let (seconds, rest) = (time / SECOND, time % SECOND * 100);
        let nanoseconds = seconds.wrapping_mul(1_000_000_000).wrapping_add(rest);
        say("time", Value::from(nanoseconds));
        let mut node = String::new();
        for (at, byte) in bytes[10..].iter().enumerate() {
            let dash = if at > 0 { "-" } else { "" };
            // Writing to a string does not fail.
            let _ = write!(node, "{dash}{byte:02x}");
        }
        say("nodeid", Value::from(node));
        let kind = match bytes[10] & 3 {
            3 => "local:multicast",
            1 => "global:multicast",
            2 => "local:unicast",
            _ => "global:unicast",
        };
        say("macvariables", Value::from(kind));
        say("clocksequence", Value::from(number(&bytes[8..10]) & 0x3fff));
        if version == 2 {
            say("id", Value::from(low));
            let domain = match bytes[9] {
                0 => "Person".to_owned(),
                1 => "Group".to_owned(),
                2 => "Org".to_owned(),
                other => format!("Domain{other}"),
            };
            say("domain", Value::from(domain));
        }
    }
    Ok(parts.into())
}

/// The bytes of a UUID, with dashes or without, after `urn:uuid:`, or between two of whatever bytes.
fn bytes(text: &[u8]) -> Option<[u8; 16]> {
    const URN: usize = "urn:uuid:".len();
    const DASHES: [usize; 4] = [8, 13, 18, 23];
    let text = match text.len() {
        32 | 36 => text,
        38 => &text[1..37],
        45 if text[..URN].eq_ignore_ascii_case(b"urn:uuid:") => &text[URN..],
        _ => return None,
    };
    let mut digits = Vec::with_capacity(32);
    for (at, byte) in text.iter().enumerate() {
        if text.len() == 36 && DASHES.contains(&at) {
            if *byte != b'-' {
                return None;
            }
        } else {
            digits.push(char::from(*byte).to_digit(16)?);
        }
    }
    let mut bytes = [0; 16];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
        *byte = u8::try_from(pair[0] << 4 | pair[1]).ok()?;
    }
    Some(bytes)
}
