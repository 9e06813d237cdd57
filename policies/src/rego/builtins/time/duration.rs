//! Durations, as Go reads them, and with days, weeks and years, as OPA does.

use std::fmt::Write as _;

use super::{
    super::{Fault, Result},
    parse::quoted,
};

/// The largest duration, and one more, which only a negative one may be.
const LIMIT: u64 = 1 << 63;

/// Nanoseconds.
pub(super) fn parse(text: &str) -> Result<i64> {
    let complaint = |message: &str| Fault::Value(format!("time: {message} {}", quoted(text)));
    let parsed = if text.contains(['d', 'w', 'y']) {
        in_hours(text)
            .ok_or_else(|| "invalid duration".to_owned())
            .and_then(|text| plain(&text))
    } else {
        plain(text)
    };
    parsed.map_err(|message| complaint(&message))
}

/// Nanoseconds of a duration without days, as Go's own reader has it.
pub(in crate::rego::builtins) fn go(text: &str) -> Option<i64> {
    plain(text).ok()
}

/// A duration with hours in place of days, weeks and years.
fn in_hours(text: &str) -> Option<String> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let mut result = text[..text.len() - unsigned.len()].to_owned();
    let mut rest = unsigned;
    while !rest.is_empty() || result.len() <= 1 {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (digits, after) = rest.split_at(end);
        let unit = ["ms", "us", "µs", "ns"]
            .into_iter()
            .find(|unit| after.starts_with(unit))
            .or_else(|| {
                after
                    .get(..1)
                    .filter(|unit| unit.as_bytes()[0].is_ascii_lowercase())
            })?;
        if digits.is_empty() {
            return None;
        }
        rest = &after[unit.len()..];
        let hours = match unit {
            "d" => 24.0,
            "w" => 7.0 * 24.0,
            "y" => 365.0 * 24.0,
            unit => {
                result.push_str(digits);
                result.push_str(unit);
                continue;
            }
        };
        let number: f64 = digits
            .parse()
            .ok()
            .filter(|number: &f64| number.is_finite())?;
        // Writing to a string does not fail.
        let _ = write!(result, "{}h", number * hours);
    }
    Some(result)
}

/// Nanoseconds of a unit that Go knows.
fn unit(name: &str) -> Option<u64> {
    Some(match name {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    })
}

/// A duration as Go has it, whose fractions are computed in floats.
fn plain(text: &str) -> std::result::Result<i64, String> {
    let invalid = || "invalid duration".to_owned();
    let (negative, mut rest) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let (whole, after) = digits(rest);
        let (part, after) = match after.strip_prefix('.') {
            Some(after) => digits(after),
            None => ("", after),
        };
        if whole.is_empty() && part.is_empty() {
            return Err(invalid());
        }
        let end = after
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(after.len());
        let (name, after) = after.split_at(end);
        let whole = match whole {
            "" => 0,
            whole => whole
                .parse()
                .ok()
                .filter(|whole| *whole <= LIMIT)
                .ok_or_else(invalid)?,
        };
        if name.is_empty() {
            return Err("missing unit in duration".to_owned());
        }
        let unit =
            unit(name).ok_or_else(|| format!("unknown unit {} in duration", quoted(name)))?;
        let amount = whole
            .checked_mul(unit)
            .and_then(|amount| amount.checked_add(fraction(part, unit)))
            .and_then(|amount| total.checked_add(amount));
        total = amount.filter(|total| *total <= LIMIT).ok_or_else(invalid)?;
        rest = after;
    }
    if negative {
        return Ok(total.wrapping_neg().cast_signed());
    }
    i64::try_from(total).map_err(|_| invalid())
}

fn digits(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit());
    text.split_at(end.unwrap_or(text.len()))
}

/// What digits after a point come to, of which those count that 63 bits hold.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "Go computes these in floats"
)]
fn fraction(digits: &str, unit: u64) -> u64 {
    let (mut number, mut scale) = (0_u64, 1.0_f64);
    for digit in digits.bytes() {
        let more = number * 10 + u64::from(digit - b'0');
        if number > (LIMIT - 1) / 10 || more > LIMIT {
            break;
        }
        number = more;
        scale *= 10.0;
    }
    (number as f64 * (unit as f64 / scale)) as u64
}
