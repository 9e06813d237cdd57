//! `+ - * / %`, rounding, and the operations on sets.
//!
//! As OPA does it, in the narrowest representation that holds the operands: integers are exact,
//! fractions are computed with 64 bits ([`Float`]).

use std::sync::Arc;

use num_bigint::BigInt;

use super::{
    Kind, Value,
    float::Float,
    kind,
    number::{self, Decimal},
};
use crate::rego::plan::ir::Operation;

/// Why there is no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// An operand of the wrong type.
    #[error("operand {operand} must be {expected} but got {}", found.name())]
    Type {
        /// From 1.
        operand: usize,
        /// The types that it may have.
        expected: &'static str,
        /// Its type.
        found: Kind,
    },
    /// Division by nought.
    #[error("divide by zero")]
    DivideByZero,
    /// Remainder by nought.
    #[error("modulo by zero")]
    RemainderByZero,
    /// Remainder of a fraction.
    #[error("modulo on floating-point number")]
    RemainderOfFraction,
    /// More digits than a number may have.
    #[error("a number of more than {} digits", number::MAX_DIGITS)]
    TooLong,
}

/// What the operators do.
pub fn operate(operation: Operation, left: &Value, right: &Value) -> Result<Value, Fault> {
    let small = match (number::as_i64(left), number::as_i64(right)) {
        (Some(left), Some(right)) => operate_small(operation, left, right),
        _ => None,
    };
    if let Some(small) = small {
        return Ok(Value::from(small));
    }
    match operation {
        Operation::Intersect | Operation::Union => operate_sets(operation, left, right, "set"),
        Operation::Subtract if matches!(left, Value::Set(_)) => {
            operate_sets(operation, left, right, "set")
        }
        Operation::Subtract => {
            expect_number(left, 1, "one of {number, set}")?;
            operate_numbers(operation, left, right)
        }
        _ => operate_numbers(operation, left, right),
    }
}

/// Integers of 64 bits, where the result is one.
#[inline]
fn operate_small(operation: Operation, left: i64, right: i64) -> Option<i64> {
    match operation {
        Operation::Add => left.checked_add(right),
        Operation::Subtract => left.checked_sub(right),
        Operation::Multiply => left.checked_mul(right),
        Operation::Divide if left.checked_rem(right) == Some(0) => left.checked_div(right),
        Operation::Remainder => left.checked_rem(right),
        _ => None,
    }
}

fn operate_numbers(operation: Operation, left: &Value, right: &Value) -> Result<Value, Fault> {
    let first = expect_number(left, 1, "number")?;
    let second = expect_number(right, 2, "number")?;
    let integers = first.to_integer().zip(second.to_integer());
    if let Some((left, right)) = &integers {
        let exact = match operation {
            Operation::Add => Some(left + right),
            Operation::Subtract => Some(left - right),
            Operation::Multiply => Some(left * right),
            Operation::Remainder if *right == BigInt::ZERO => return Err(Fault::RemainderByZero),
            Operation::Remainder => Some(left % right),
            _ => None,
        };
        if let Some(exact) = exact {
            return number::integer(exact).ok_or(Fault::TooLong);
        }
    }
    let (left, right) = (Float::nearest(&first), Float::nearest(&second));
    let result = match operation {
        Operation::Add => left.plus(right),
        Operation::Subtract => left.plus(right.negate()),
        Operation::Multiply => left.multiply(right),
        Operation::Divide => left.divide(right).ok_or(Fault::DivideByZero)?,
        _ => return Err(Fault::RemainderOfFraction),
    };
    result.shortest().into_value().ok_or(Fault::TooLong)
}

fn operate_sets(
    operation: Operation,
    left: &Value,
    right: &Value,
    expected: &'static str,
) -> Result<Value, Fault> {
    let fault = |operand, found| Fault::Type {
        operand,
        expected,
        found: kind(found),
    };
    match (left, right) {
        (Value::Set(first), Value::Set(second)) => Ok(match operation {
            // What one of them is already need not be built.
            Operation::Union if second.is_empty() => left.clone(),
            Operation::Union if first.is_empty() => right.clone(),
            Operation::Union => Value::Set(Arc::new(first.union(second))),
            Operation::Intersect => Value::Set(Arc::new(first.intersection(second))),
            _ => Value::Set(Arc::new(first.difference(second))),
        }),
        (Value::Set(_), _) => Err(fault(2, right)),
        _ => Err(fault(1, left)),
    }
}

/// The integer nearest to a number, ties away from nought.
pub fn round(value: &Value) -> Result<Value, Fault> {
    let half = Decimal {
        coefficient: BigInt::from(5),
        exponent: -1,
    };
    to_integer(value, |float, _| {
        let half = Float::nearest(&half);
        let signed = if float.is_negative() {
            half.negate()
        } else {
            half
        };
        float.plus(signed).truncate()
    })
}

/// The least integer that is not below a number; of one between -1 and 0 it is 1, as in OPA.
pub fn ceil(value: &Value) -> Result<Value, Fault> {
    to_integer(value, |float, whole| {
        if whole < BigInt::ZERO || is_whole(float, &whole) {
            whole
        } else {
            whole + 1
        }
    })
}

/// The greatest integer that is not above a number; of one between -1 and 0 it is 0, as in OPA.
pub fn floor(value: &Value) -> Result<Value, Fault> {
    to_integer(value, |float, whole| {
        if whole >= BigInt::ZERO || is_whole(float, &whole) {
            whole
        } else {
            whole - 1
        }
    })
}

/// The number without its sign.
pub fn abs(value: &Value) -> Result<Value, Fault> {
    if let Some(absolute) = number::as_i64(value).and_then(i64::checked_abs) {
        return Ok(Value::from(absolute));
    }
    let float = Float::nearest(&expect_number(value, 1, "number")?);
    let absolute = if float.is_negative() {
        float.negate()
    } else {
        float
    };
    absolute.shortest().into_value().ok_or(Fault::TooLong)
}

/// What a number is rounded to, given what it is without its fraction. As in OPA, an integer of
/// more than 64 bits is a float.
fn to_integer(
    value: &Value,
    rounded: impl FnOnce(Float, BigInt) -> BigInt,
) -> Result<Value, Fault> {
    if let Some(integer) = number::as_i64(value) {
        return Ok(Value::from(integer));
    }
    let float = Float::nearest(&expect_number(value, 1, "number")?);
    number::integer(rounded(float, float.truncate())).ok_or(Fault::TooLong)
}

fn is_whole(float: Float, whole: &BigInt) -> bool {
    Float::nearest(&Decimal::new(whole.clone(), 0)) == float
}

fn expect_number(value: &Value, operand: usize, expected: &'static str) -> Result<Decimal, Fault> {
    Decimal::of(value).ok_or(Fault::Type {
        operand,
        expected,
        found: kind(value),
    })
}
