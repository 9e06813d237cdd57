//! Quantities with units.

use num_bigint::BigInt;

use super::{Context, Fault, Function, Result, string};
use crate::rego::value::{
    Value,
    float::Float,
    number::{self, Decimal},
};

pub(super) const FUNCTIONS: &[(&str, u8, Function)] =
    &[("units.parse", 1, units), ("units.parse_bytes", 1, bytes)];

/// Digits that an exponent may have.
const MAX_EXPONENT_DIGITS: usize = 6;

/// Digits after the point that a quantity is rounded to.
const PLACES: i64 = 10;

fn units(context: &mut Context<'_, '_>, operands: &[Value]) -> Result<Value> {
    let text = text(context, operands)?;
    let (amount, unit) = split(&text)?;
    // Only the first letter tells milli from mega.
    let mut letters = unit.chars();
    let unit: String = letters
        .next()
        .into_iter()
        .chain(letters.flat_map(char::to_lowercase))
        .collect();
    let (factor, exponent) = match unit.as_str() {
        "m" => (BigInt::from(1), -3),
        "M" => (scale(1000, 2), 0),
        "mi" | "Mi" => (scale(1024, 2), 0),
        unit => match multiple(&unit.to_lowercase()) {
            Some(factor) => (factor, 0),
            None => return Err(fault(&format!("unit {unit} not recognized"))),
        },
    };
    let product = Decimal::new(&amount.coefficient * factor, amount.exponent + exponent);
    let rounded = rounded(product);
    if rounded.coefficient == BigInt::ZERO && amount.coefficient != BigInt::ZERO {
        return Ok(Value::from(0.0));
    }
    rounded
        .into_value()
        .ok_or_else(|| fault("exponent too large"))
}

/// What is read, without quotes. It is copied a few times, and told where it is nothing.
fn text(context: &mut Context<'_, '_>, operands: &[Value]) -> Result<String> {
    let text = string(operands, 0)?;
    context.charge_bytes(4 * text.len())?;
    Ok(text.replace('"', ""))
}

fn bytes(context: &mut Context<'_, '_>, operands: &[Value]) -> Result<Value> {
    let text = text(context, operands)?.to_lowercase();
    let (amount, unit) = split(&text)?;
    let unit = match unit.strip_suffix('b') {
        // Bytes have no unit.
        Some("") | None => unit,
        Some(unit) => unit,
    };
    let factor = match unit {
        "m" => Some(scale(1000, 2)),
        "mi" => Some(scale(1024, 2)),
        unit => multiple(unit),
    };
    let factor = factor.ok_or_else(|| fault(&format!("byte unit {unit} not recognized")))?;
    let total = Float::nearest(&amount).multiply(Float::nearest(&Decimal::new(factor, 0)));
    number::integer(total.truncate()).ok_or_else(|| fault("exponent too large"))
}

fn fault(message: &str) -> Fault {
    Fault::Value(message.to_owned())
}

fn scale(base: u32, power: u32) -> BigInt {
    BigInt::from(base).pow(power)
}

/// What a unit other than mega stands for.
fn multiple(unit: &str) -> Option<BigInt> {
    let (letter, base) = match unit.strip_suffix('i') {
        Some(letter) => (letter, 1024),
        None => (unit, 1000),
    };
    let power = match letter {
        "" if base == 1000 => 0,
        "k" => 1,
        "g" => 3,
        "t" => 4,
        "p" => 5,
        "e" => 6,
        _ => return None,
    };
    Some(scale(base, power))
}

/// An amount and its unit.
fn split(text: &str) -> Result<(Decimal, &str)> {
    if text.contains(' ') {
        return Err(fault("spaces not allowed in resource strings"));
    }
    let bytes = text.as_bytes();
    let is_digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let mut end = 0;
    while end < bytes.len() {
        match bytes[end] {
            b'0'..=b'9' | b'.' | b'+' | b'-' => end += 1,
            b'e' | b'E' => {
                let signed = matches!(bytes.get(end + 1), Some(b'+' | b'-'));
                let start = end + 1 + usize::from(signed);
                if !signed && !is_digit(start) {
                    break;
                }
                let digits = (start..bytes.len()).take_while(|at| is_digit(*at)).count();
                if digits > MAX_EXPONENT_DIGITS {
                    return Err(fault("exponent too large"));
                }
                end = start;
            }
            _ => break,
        }
    }
    let (amount, unit) = text.split_at(end);
    if amount.is_empty() {
        return Err(fault("no amount provided"));
    }
    let amount =
        Decimal::parse(amount).ok_or_else(|| fault("could not parse amount to a number"))?;
    Ok((amount, unit))
}

/// At most [`PLACES`] digits after the point, ties away from nought.
fn rounded(decimal: Decimal) -> Decimal {
    let excess = -PLACES - decimal.exponent;
    let Ok(excess @ 1..) = u32::try_from(excess) else {
        return decimal;
    };
    let unit = BigInt::from(10).pow(excess);
    let half = &unit / 2 * BigInt::from(i8::from(decimal.coefficient >= BigInt::ZERO) * 2 - 1);
    Decimal::new((decimal.coefficient + half) / unit, -PLACES)
}
