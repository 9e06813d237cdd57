//! What the text of a scalar is: the core schema of YAML 1.2, with remnants of YAML 1.1, as go-yaml
//! has it.

use super::{Result, invalid};
use crate::rego::builtins::{numbers::radix, time};

pub(super) const BINARY: &str = "!!binary";
pub(super) const BOOLEAN: &str = "!!bool";
pub(super) const FLOAT: &str = "!!float";
pub(super) const INTEGER: &str = "!!int";
pub(super) const MAPPING: &str = "!!map";
pub(super) const MERGE: &str = "!!merge";
pub(super) const NULL: &str = "!!null";
pub(super) const SEQUENCE: &str = "!!seq";
pub(super) const TEXT: &str = "!!str";
pub(super) const TIMESTAMP: &str = "!!timestamp";

/// What `!!` stands for.
pub(super) const PREFIX: &str = "tag:yaml.org,2002:";

/// A tag in its short form.
pub(super) fn short(tag: String) -> String {
    match tag.strip_prefix(PREFIX) {
        Some(name) => format!("!!{name}"),
        None => tag,
    }
}

/// A scalar's value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Scalar {
    Null,
    Boolean(bool),
    /// Of 64 bits, with a sign or without.
    Integer(i128),
    Float(f64),
    /// A text, which stays as it is.
    Text,
    /// A day or a moment.
    Time,
}

/// The tag and the value of a text without a tag.
pub(super) fn bare(text: &str) -> (&'static str, Scalar) {
    resolve(text, true)
}

/// The value of a text with a tag.
pub(super) fn tagged(tag: &str, text: &str) -> Result<Scalar> {
    if ![BOOLEAN, FLOAT, INTEGER, NULL, TIMESTAMP].contains(&tag) {
        return Ok(Scalar::Text);
    }
    match resolve(text, tag == TIMESTAMP) {
        (found, value) if found == tag => Ok(value),
        (INTEGER, Scalar::Integer(integer)) if tag == FLOAT && i64::try_from(integer).is_ok() => {
            Ok(Scalar::Float(nearest(integer)))
        }
        (found, _) => Err(invalid(&format!(
            "cannot decode {found} `{text}` as a {tag}"
        ))),
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "the nearest float is what is wanted"
)]
fn nearest(integer: i128) -> f64 {
    integer as f64
}

fn resolve(text: &str, can_be_time: bool) -> (&'static str, Scalar) {
    let known = match text {
        "true" | "True" | "TRUE" => Some((BOOLEAN, Scalar::Boolean(true))),
        "false" | "False" | "FALSE" => Some((BOOLEAN, Scalar::Boolean(false))),
        "" | "~" | "null" | "Null" | "NULL" => Some((NULL, Scalar::Null)),
        ".nan" | ".NaN" | ".NAN" => Some((FLOAT, Scalar::Float(f64::NAN))),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => {
            Some((FLOAT, Scalar::Float(f64::INFINITY)))
        }
        "-.inf" | "-.Inf" | "-.INF" => Some((FLOAT, Scalar::Float(f64::NEG_INFINITY))),
        _ => None,
    };
    if let Some(known) = known {
        return known;
    }
    let number = match text.as_bytes().first() {
        Some(b'.') if is_grouped(text) => float(&text.replace('_', "")),
        Some(b'+' | b'-' | b'0'..=b'9') => {
            if can_be_time && is_time(text) {
                return (TIMESTAMP, Scalar::Time);
            }
            let plain = text.replace('_', "");
            integer(&plain)
                .or_else(|| float(&plain))
                .or_else(|| prefixed_integer(&plain))
        }
        _ => None,
    };
    match number {
        Some(integer @ Scalar::Integer(_)) => (INTEGER, integer),
        Some(float) => (FLOAT, float),
        None => (TEXT, Scalar::Text),
    }
}

/// Whether each underscore stands between digits.
fn is_grouped(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.iter().enumerate().all(|(at, byte)| {
        let is_digit = |at: Option<usize>| {
            at.and_then(|at| bytes.get(at))
                .is_some_and(u8::is_ascii_digit)
        };
        let is_before = || at > 0 && (is_digit(Some(at - 1)));
        *byte != b'_' || is_before() && is_digit(Some(at + 1))
    })
}

/// `1`, `-0x1f`, `0o17`, `017`, `0b11`: as Go's `ParseInt` reads them without a base.
fn integer(text: &str) -> Option<Scalar> {
    let (sign, digits) = match text.as_bytes().first()? {
        b'-' => (Some(true), &text[1..]),
        b'+' => (Some(false), &text[1..]),
        _ => (None, text),
    };
    let (radix, digits) = radix(digits);
    let magnitude = unsigned(digits, radix)?;
    let integer = if sign == Some(true) {
        -magnitude
    } else {
        magnitude
    };
    // Only without a sign is there one bit more.
    let fits = i64::try_from(integer).is_ok() || sign.is_none() && u64::try_from(integer).is_ok();
    fits.then_some(Scalar::Integer(integer))
}

fn unsigned(digits: &str, radix: u32) -> Option<i128> {
    let is_number = !digits.is_empty() && digits.chars().all(|digit| digit.is_digit(radix));
    let digits = Some(digits).filter(|_| is_number)?;
    i128::from_str_radix(digits, radix).ok()
}

/// After the sign of the base, go-yaml reads a number that can have a sign.
fn prefixed_integer(text: &str) -> Option<Scalar> {
    let (rest, radix) = match text.get(..2)? {
        "0b" => (&text[2..], 2),
        "0o" => (&text[2..], 8),
        _ => return None,
    };
    let (is_negative, digits) = match rest.as_bytes().first()? {
        b'-' => (true, &rest[1..]),
        b'+' => (false, &rest[1..]),
        _ => return None,
    };
    let magnitude = unsigned(digits, radix)?;
    let integer = if is_negative { -magnitude } else { magnitude };
    i64::try_from(integer)
        .is_ok()
        .then_some(Scalar::Integer(integer))
}

/// A decimal fraction that a float can hold.
fn float(text: &str) -> Option<Scalar> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.find(['e', 'E']) {
        Some(at) => (&unsigned[..at], Some(&unsigned[at + 1..])),
        None => (unsigned, None),
    };
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let has_digits = !whole.is_empty() || !fraction.is_empty();
    let has_exponent = exponent.is_none_or(|exponent| {
        let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        !digits.is_empty() && is_digits(digits)
    });
    if !(has_digits && is_digits(whole) && is_digits(fraction) && has_exponent) {
        return None;
    }
    let float: f64 = text.parse().ok()?;
    float.is_finite().then_some(Scalar::Float(float))
}

/// A moment or a day, as go-yaml knows them.
fn is_time(text: &str) -> bool {
    const LAYOUTS: [&str; 4] = [
        "2006-1-2T15:4:5.999999999Z07:00",
        "2006-1-2t15:4:5.999999999Z07:00",
        "2006-1-2 15:4:5.999999999",
        "2006-1-2",
    ];
    let year = text.split('-').next().unwrap_or_default();
    year.len() == 4
        && year.bytes().all(|byte| byte.is_ascii_digit())
        && LAYOUTS.iter().any(|layout| time::is_of(layout, text))
}
