//! Exact numbers: reading, comparing, printing.

use std::cmp::Ordering;

use num_bigint::{BigInt, Sign};

use super::Value;

/// Digits of an integer that a value may have. OPA knows no limit, but squaring needs only a few
/// steps to fill the memory; nothing that people count has more.
pub const MAX_DIGITS: u64 = 4096;

/// An exact decimal fraction: `coefficient × 10^exponent`, without trailing zeros.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decimal {
    /// All digits, with the sign.
    pub coefficient: BigInt,
    /// The power of ten.
    pub exponent: i64,
}

impl Decimal {
    /// Reads a JSON or Rego number. `None` if it is none, or has more than [`MAX_DIGITS`].
    pub fn parse(text: &str) -> Option<Self> {
        let (mantissa, exponent) = match text.find(['e', 'E']) {
            Some(at) => (&text[..at], text[at + 1..].parse::<i64>().ok()?),
            None => (text, 0),
        };
        let (negative, mantissa) = match mantissa.as_bytes().first()? {
            b'-' => (true, &mantissa[1..]),
            b'+' => (false, &mantissa[1..]),
            _ => (false, mantissa),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = [whole, fraction].concat();
        if digits.is_empty()
            || digits.len() as u64 > MAX_DIGITS
            || !digits.bytes().all(|byte| byte.is_ascii_digit())
        {
            return None;
        }
        let exponent = exponent.checked_sub(i64::try_from(fraction.len()).ok()?)?;
        let significant = digits.trim_start_matches('0');
        let trimmed = significant.trim_end_matches('0');
        if trimmed.is_empty() {
            return Some(Self::zero());
        }
        let exponent =
            exponent.checked_add(i64::try_from(significant.len() - trimmed.len()).ok()?)?;
        if exponent.unsigned_abs().saturating_add(trimmed.len() as u64) > MAX_DIGITS {
            return None;
        }
        let sign = if negative { Sign::Minus } else { Sign::Plus };
        let magnitude = num_bigint::BigUint::parse_bytes(trimmed.as_bytes(), 10)?;
        Some(Self {
            coefficient: BigInt::from_biguint(sign, magnitude),
            exponent,
        })
    }

    /// Without its trailing zeros.
    pub fn new(coefficient: BigInt, exponent: i64) -> Self {
        let digits = coefficient.to_string();
        let zeros = digits.len() - digits.trim_end_matches('0').len();
        match u32::try_from(zeros) {
            _ if coefficient == BigInt::ZERO => Self::zero(),
            Ok(zeros @ 1..) => Self {
                coefficient: coefficient / BigInt::from(10).pow(zeros),
                exponent: exponent.saturating_add(i64::from(zeros)),
            },
            _ => Self {
                coefficient,
                exponent,
            },
        }
    }

    /// Nought.
    pub fn zero() -> Self {
        Self {
            coefficient: BigInt::ZERO,
            exponent: 0,
        }
    }

    /// The exact value of a number.
    pub fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Number(number) => match number.as_big().filter(|_| number.is_integer()) {
                Some(integer) => Some(Self {
                    coefficient: (*integer).clone(),
                    exponent: 0,
                }),
                None => Self::parse(&number.format_decimal()),
            },
            Value::Array(parts) => match parts.as_slice() {
                [
                    Value::Undefined,
                    Value::Number(digits),
                    Value::Number(exponent),
                ] => Some(Self {
                    coefficient: (*digits.as_big()?).clone(),
                    exponent: exponent.as_i64()?,
                }),
                _ => None,
            },
            _ => None,
        }
    }

    /// The value that holds it. `None` if it has more than [`MAX_DIGITS`].
    pub fn into_value(self) -> Option<Value> {
        if self.exponent >= 0 {
            return integer(self.to_integer()?);
        }
        let text = self.text();
        let float: f64 = text.parse().ok()?;
        if Self::parse(&format!("{float:e}")).as_ref() == Some(&self) {
            return Some(Value::from(float));
        }
        Some(Value::from(vec![
            Value::Undefined,
            Value::Number(self.coefficient.into()),
            Value::from(self.exponent),
        ]))
    }

    /// As an integer, if it is one of at most [`MAX_DIGITS`].
    pub fn to_integer(&self) -> Option<BigInt> {
        let power = u32::try_from(self.exponent).ok()?;
        (u64::from(power) <= MAX_DIGITS).then(|| &self.coefficient * BigInt::from(10).pow(power))
    }

    /// As people write it, and with an exponent where there would be many noughts.
    pub fn text(&self) -> String {
        let digits = self.coefficient.magnitude().to_string();
        let sign = match self.coefficient.sign() {
            Sign::Minus => "-",
            _ => "",
        };
        let length = i64::try_from(digits.len()).unwrap_or(i64::MAX);
        let point = length.saturating_add(self.exponent);
        if self.exponent >= 0 {
            let noughts = usize::try_from(self.exponent).unwrap_or(0);
            return format!("{sign}{digits}{}", "0".repeat(noughts));
        }
        if let Ok(point @ 1..) = usize::try_from(point) {
            return format!("{sign}{}.{}", &digits[..point], &digits[point..]);
        }
        if point > -6 {
            let noughts = usize::try_from(-point).unwrap_or(0);
            return format!("{sign}0.{}{digits}", "0".repeat(noughts));
        }
        let (first, rest) = digits.split_at(1);
        let dot = if rest.is_empty() { "" } else { "." };
        format!("{sign}{first}{dot}{rest}e-{:02}", 1 - point)
    }

    /// By value.
    pub fn compare(&self, other: &Self) -> Ordering {
        if self.coefficient.sign() != other.coefficient.sign() {
            return self.coefficient.sign().cmp(&other.coefficient.sign());
        }
        let low = self.exponent.min(other.exponent);
        let scale = |decimal: &Self| {
            let power = u32::try_from(decimal.exponent - low).unwrap_or(u32::MAX);
            &decimal.coefficient * BigInt::from(10).pow(power)
        };
        scale(self).cmp(&scale(other))
    }
}

/// Reads a JSON or Rego number.
pub fn parse(text: &str) -> Option<Value> {
    let small = text.len() < 19 && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse::<i64>() {
        Ok(number) if small => return Some(Value::from(number)),
        _ => {}
    }
    if let Some(fraction) = short_fraction(text) {
        return Some(fraction);
    }
    let decimal = Decimal::parse(text)?;
    match decimal
        .to_integer()
        .and_then(|integer| i32::try_from(integer).ok())
    {
        Some(integer) if text.contains(['.', 'e', 'E']) => Some(Value::from(f64::from(integer))),
        _ => decimal.into_value(),
    }
}

/// A fraction of so few digits that no shorter decimal names its float, as most are.
fn short_fraction(text: &str) -> Option<Value> {
    let is_plain = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'-');
    // Fifteen digits and a point.
    if text.len() > 16 || !text.contains('.') || !text.bytes().all(is_plain) {
        return None;
    }
    let float: f64 = text.parse().ok()?;
    // Nought has no sign. Integers that are not small are no floats.
    let is_float = float != 0.0 && (float.fract() != 0.0 || float.abs() <= f64::from(i32::MAX));
    is_float.then(|| Value::from(float))
}

/// Whether a number is an integer that was written with a point or an exponent. Such a one equals
/// the integer, but is printed as it was written.
pub fn is_written_as_fraction(value: &Value) -> bool {
    match value {
        // Only of a float regorus shows a digit after the point.
        Value::Number(number) => {
            number.is_integer() && number.format_decimal_with_width(1).contains('.')
        }
        _ => false,
    }
}

/// The value of an integer. `None` if it has more than [`MAX_DIGITS`].
pub fn integer(integer: BigInt) -> Option<Value> {
    // A digit is more than three bits.
    (integer.bits() <= MAX_DIGITS * 10 / 3 + 1).then(|| Value::Number(integer.into()))
}

/// By value.
pub fn compare(left: &Value, right: &Value) -> Ordering {
    if let (Value::Number(_), Value::Number(_)) = (left, right) {
        // Two floats are ordered as their shortest decimals are, and a float that is no integer
        // lies on the same side of every integer as its shortest decimal.
        return left.cmp(right);
    }
    match (Decimal::of(left), Decimal::of(right)) {
        (Some(left), Some(right)) => left.compare(&right),
        _ => Ordering::Equal,
    }
}

/// As an integer of 64 bits, if it is one.
#[inline]
pub fn as_i64(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64(),
        _ => None,
    }
}

/// As an integer of any size, if it is one.
pub fn as_integer(value: &Value) -> Option<BigInt> {
    match value {
        Value::Number(number) if number.is_integer() => Some((*number.as_big()?).clone()),
        _ => None,
    }
}

/// The nearest float.
pub fn as_f64(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => match number.as_f64() {
            Some(float) => Some(float),
            None => number.format_decimal().parse().ok(),
        },
        _ => Decimal::of(value)?.text().parse().ok(),
    }
}

/// As the index of an array.
#[inline]
pub fn as_index(value: &Value) -> Option<usize> {
    as_i64(value).and_then(|index| usize::try_from(index).ok())
}

/// Characters that a number has when it is written, or a few more; nought for one that has no more
/// than a usual value.
#[inline]
pub fn length(value: &Value) -> u64 {
    match value {
        // A bit is less than a third of a digit.
        Value::Number(number) if number.as_i64().is_none() && number.is_integer() => {
            number.as_big().map_or(0, |integer| integer.bits() / 3)
        }
        Value::Array(parts) => match parts.as_slice() {
            [Value::Undefined, digits, _] => length(digits),
            _ => 0,
        },
        _ => 0,
    }
}

/// Whether it is a number.
#[inline]
pub fn is_number(value: &Value) -> bool {
    super::kind(value) == super::Kind::Number
}

/// As OPA prints it.
pub fn text(value: &Value) -> Option<String> {
    match as_i64(value) {
        Some(integer) if is_written_as_fraction(value) => Some(format!("{integer}.0")),
        Some(integer) => Some(integer.to_string()),
        None => Decimal::of(value).map(|decimal| decimal.text()),
    }
}
