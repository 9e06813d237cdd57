//! The operators by their names, for policies that replace them.

use std::cmp::Ordering;

use super::{Context, Function, Result, arithmetic};
use crate::rego::{
    plan::ir::Operation,
    value::{self, Value},
};

pub(super) const FUNCTIONS: &[(&str, u8, Function)] = &[
    ("eq", 2, |_, sides| compare(sides, Ordering::is_eq)),
    ("equal", 2, |_, sides| compare(sides, Ordering::is_eq)),
    ("neq", 2, |_, sides| compare(sides, Ordering::is_ne)),
    ("lt", 2, |_, sides| compare(sides, Ordering::is_lt)),
    ("lte", 2, |_, sides| compare(sides, Ordering::is_le)),
    ("gt", 2, |_, sides| compare(sides, Ordering::is_gt)),
    ("gte", 2, |_, sides| compare(sides, Ordering::is_ge)),
    ("plus", 2, |context, sides| {
        operate(context, Operation::Add, sides)
    }),
    ("minus", 2, |context, sides| {
        operate(context, Operation::Subtract, sides)
    }),
    ("mul", 2, |context, sides| {
        operate(context, Operation::Multiply, sides)
    }),
    ("div", 2, |context, sides| {
        operate(context, Operation::Divide, sides)
    }),
    ("rem", 2, |context, sides| {
        operate(context, Operation::Remainder, sides)
    }),
    ("and", 2, |context, sides| {
        operate(context, Operation::Intersect, sides)
    }),
    ("or", 2, |context, sides| {
        operate(context, Operation::Union, sides)
    }),
    ("internal.member_2", 2, |context, operands| {
        context
            .budget
            .steps(value::count(&operands[1]).unwrap_or(0) as u64)?;
        Ok(Value::Bool(value::contains(&operands[1], &operands[0])))
    }),
    ("internal.member_3", 3, |_, operands| {
        let found = value::contains_entry(&operands[2], &operands[0], &operands[1]);
        Ok(Value::Bool(found))
    }),
];

#[expect(
    clippy::unnecessary_wraps,
    reason = "functions of the table return results"
)]
fn compare(sides: &[Value], holds: fn(Ordering) -> bool) -> Result<Value> {
    Ok(Value::Bool(holds(value::compare(&sides[0], &sides[1]))))
}

fn operate(context: &mut Context<'_, '_>, operation: Operation, sides: &[Value]) -> Result<Value> {
    if let (Value::Set(left), Value::Set(right)) = (&sides[0], &sides[1]) {
        context.charge_members(left.len() + right.len())?;
    }
    Ok(arithmetic::operate(operation, &sides[0], &sides[1])?)
}
