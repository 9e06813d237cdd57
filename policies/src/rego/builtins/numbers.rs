//! Functions of numbers.

use num_bigint::BigInt;

use super::{Context, Fault, Function, Result, arithmetic, wrong_type};
use crate::rego::value::{
    Value,
    number::{self, MAX_DIGITS},
};

pub(super) const FUNCTIONS: &[(&str, u8, Function)] = &[
    ("abs", 1, |_, operands| Ok(arithmetic::abs(&operands[0])?)),
    ("bits.and", 2, |_, operands| {
        bits(operands, |left, right| left & right)
    }),
    ("bits.lsh", 2, |_, operands| {
        let (left, shift) = (big(operands, 0)?, shift(operands)?);
        if shift > MAX_DIGITS * 4 {
            return Err(arithmetic::Fault::TooLong.into());
        }
        result(left << shift)
    }),
    ("bits.negate", 1, |_, operands| result(!big(operands, 0)?)),
    ("bits.or", 2, |_, operands| {
        bits(operands, |left, right| left | right)
    }),
    ("bits.rsh", 2, |_, operands| {
        result(big(operands, 0)? >> shift(operands)?)
    }),
    ("bits.xor", 2, |_, operands| {
        bits(operands, |left, right| left ^ right)
    }),
    ("ceil", 1, |_, operands| Ok(arithmetic::ceil(&operands[0])?)),
    ("floor", 1, |_, operands| {
        Ok(arithmetic::floor(&operands[0])?)
    }),
    ("numbers.range", 2, |context, operands| {
        range(context, operands, &BigInt::from(1))
    }),
    ("numbers.range_step", 3, |context, operands| {
        let step = big(operands, 2)?;
        if step <= BigInt::ZERO {
            return Err(Fault::Value("step must be a positive integer".to_owned()));
        }
        range(context, operands, &step)
    }),
    ("round", 1, |_, operands| {
        Ok(arithmetic::round(&operands[0])?)
    }),
];

/// The base in which digits are written, and the digits behind its sign, as Go's `ParseInt` reads
/// them where it is given no base.
pub(super) fn radix(digits: &str) -> (u32, &str) {
    let prefix = digits.get(..2).map(str::to_ascii_lowercase);
    match prefix.as_deref() {
        Some("0x") => (16, &digits[2..]),
        Some("0o") => (8, &digits[2..]),
        Some("0b") => (2, &digits[2..]),
        _ if digits.len() > 1 && digits.starts_with('0') => (8, &digits[1..]),
        _ => (10, digits),
    }
}

fn range(context: &mut Context<'_, '_>, operands: &[Value], step: &BigInt) -> Result<Value> {
    let (from, to) = (big(operands, 0)?, big(operands, 1)?);
    let last = (&to - &from).magnitude() / step.magnitude();
    let step = if to >= from { step.clone() } else { -step };
    let last = usize::try_from(last).unwrap_or(usize::MAX);
    context.charge_members(last)?;
    // As large as the larger end, each of them.
    let length = number::length(&operands[0]).max(number::length(&operands[1]));
    context.budget.charge(length.saturating_mul(last as u64))?;
    let number = |at: usize| number::integer(&from + &step * at);
    Ok((0..=last).filter_map(number).collect::<Vec<_>>().into())
}

/// An operand that is an integer of any size.
fn big(operands: &[Value], at: usize) -> Result<BigInt> {
    match number::as_integer(&operands[at]) {
        Some(integer) => Ok(integer),
        None if number::is_number(&operands[at]) => Err(Fault::Type(format!(
            "operand {} must be integer number but got floating-point number",
            at + 1
        ))),
        None => Err(wrong_type(at + 1, "number", &operands[at])),
    }
}

fn shift(operands: &[Value]) -> Result<u64> {
    let shift = big(operands, 1)?;
    if shift.sign() == num_bigint::Sign::Minus {
        return Err(Fault::Type(
            "operand 2 must be an unsigned integer number but got a negative integer".to_owned(),
        ));
    }
    Ok(u64::try_from(shift).unwrap_or(u64::MAX))
}

fn bits(operands: &[Value], combine: fn(BigInt, BigInt) -> BigInt) -> Result<Value> {
    result(combine(big(operands, 0)?, big(operands, 1)?))
}

fn result(integer: BigInt) -> Result<Value> {
    number::integer(integer).ok_or_else(|| arithmetic::Fault::TooLong.into())
}
