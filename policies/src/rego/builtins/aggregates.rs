//! Functions of whole collections, in OPA's order and with its arithmetic.

use std::cmp::Ordering;

use super::{Context, Fault, Function, Result, arithmetic, members, wrong_type};
use crate::rego::{
    execute::is_heavy,
    plan::ir::Operation,
    value::{
        self, Value,
        float::Float,
        number::{self, Decimal},
        order,
    },
};

pub(super) const FUNCTIONS: &[(&str, u8, Function)] = &[
    ("all", 1, |context, operands| {
        let members = counted(context, operands)?;
        Ok(Value::Bool(members.into_iter().all(is_true)))
    }),
    ("any", 1, |context, operands| {
        let members = counted(context, operands)?;
        Ok(Value::Bool(members.into_iter().any(is_true)))
    }),
    ("count", 1, |_, operands| match value::count(&operands[0]) {
        Some(count) => Ok(Value::from(count)),
        None => Err(wrong_type(
            1,
            "one of {array, object, set, string}",
            &operands[0],
        )),
    }),
    ("max", 1, |context, operands| {
        outermost(context, operands, Ordering::Greater)
    }),
    ("min", 1, |context, operands| {
        outermost(context, operands, Ordering::Less)
    }),
    ("product", 1, |context, operands| {
        fold(context, operands, Operation::Multiply, Value::from(1))
    }),
    ("sort", 1, |context, operands| {
        let mut sorted = counted(context, operands)?;
        context.charge_members(sorted.len())?;
        if sorted.iter().any(|member| is_heavy(member)) {
            sorted = merged(context, sorted)?;
        } else {
            order::sort(&mut sorted);
        }
        Ok(sorted.into_iter().cloned().collect::<Vec<_>>().into())
    }),
    ("sum", 1, |context, operands| {
        fold(context, operands, Operation::Add, Value::from(0))
    }),
];

fn counted<'v>(context: &mut Context<'_, '_>, operands: &'v [Value]) -> Result<Vec<&'v Value>> {
    let members = members(operands, 0)?;
    context.budget.steps(members.len() as u64)?;
    Ok(members)
}

/// The order of two members, of which each can be a text of megabytes.
fn compare(context: &mut Context<'_, '_>, left: &Value, right: &Value) -> Result<Ordering> {
    context.budget.weigh_pair(left, right)?;
    Ok(value::compare(left, right))
}

/// The member that comes last or first, and of several the last or the first one.
fn outermost(context: &mut Context<'_, '_>, operands: &[Value], wanted: Ordering) -> Result<Value> {
    let mut members = counted(context, operands)?.into_iter();
    let Some(mut found) = members.next() else {
        return Ok(Value::Undefined);
    };
    for member in members {
        let order = compare(context, member, found)?;
        if order == wanted || wanted.is_gt() && order.is_eq() {
            found = member;
        }
    }
    Ok(found.clone())
}

/// The members in order. A sort that can end between two comparisons, as the library's cannot.
fn merged<'v>(context: &mut Context<'_, '_>, members: Vec<&'v Value>) -> Result<Vec<&'v Value>> {
    if members.len() < 2 {
        return Ok(members);
    }
    let mut left = members;
    let right = left.split_off(left.len() / 2);
    let mut left = merged(context, left)?.into_iter().peekable();
    let mut right = merged(context, right)?.into_iter().peekable();
    let mut sorted = Vec::with_capacity(left.len() + right.len());
    while let (Some(first), Some(second)) = (left.peek(), right.peek()) {
        let is_first = compare(context, first, second)?.is_le();
        sorted.extend(if is_first { left.next() } else { right.next() });
    }
    sorted.extend(left.chain(right));
    Ok(sorted)
}

fn is_true(value: &Value) -> bool {
    matches!(value, Value::Bool(true))
}

/// Bits of the one with which OPA begins a product.
const BITS: u32 = 53;

/// Exact if all members are integers, and otherwise in floats from the beginning: sums in those of
/// 64 bits, and products in [`BITS`].
fn fold(
    context: &mut Context<'_, '_>,
    operands: &[Value],
    operation: Operation,
    start: Value,
) -> Result<Value> {
    let members = counted(context, operands)?;
    if let Some(other) = members.iter().find(|member| !number::is_number(member)) {
        let kind = value::kind(other).name();
        return Err(Fault::Type(format!(
            "operand 1 must be {} of numbers but got {} containing {kind}",
            value::kind(&operands[0]).name(),
            value::kind(&operands[0]).name(),
        )));
    }
    if members
        .iter()
        .all(|member| number::as_integer(member).is_some())
    {
        let mut result = start;
        for member in members {
            context.budget.step()?;
            result = arithmetic::operate(operation, &result, member)?;
        }
        return Ok(result);
    }
    let is_product = operation == Operation::Multiply;
    let start = if is_product {
        Decimal::new(1.into(), 0)
    } else {
        Decimal::zero()
    };
    let mut total = Float::nearest(&start);
    for decimal in members.into_iter().filter_map(Decimal::of) {
        context.budget.step()?;
        let float = Float::nearest(&decimal);
        total = if is_product {
            total.multiply_within(float, BITS)
        } else {
            total.plus(float)
        };
    }
    let result = if is_product {
        total.shortest_within(BITS)
    } else {
        total.shortest()
    };
    let too_long = || Fault::from(arithmetic::Fault::TooLong);
    result.into_value().ok_or_else(too_long)
}
