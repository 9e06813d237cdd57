//! Operators on values, with CEL's meaning.
//!
//! A number is an integer of 64 bits or a double, as it was written: `2` and `2.0` are equal, and
//! cannot be added.

use std::cmp::Ordering;

use super::{
    evaluate::{Fault, Result, failed},
    term::Operator,
};
use crate::rego::{
    builtins::{self, Context, Surroundings},
    execute::Budget,
    value::{self, Value, number},
};

/// A number, as CEL tells them apart.
enum Number {
    Integer(i64),
    Double(f64),
}

/// What a value is, for messages.
pub(super) fn kind(value: &Value) -> &'static str {
    match value::kind(value) {
        value::Kind::Null => "null",
        value::Kind::Boolean => "a boolean",
        value::Kind::Number => "a number",
        value::Kind::String => "a string",
        value::Kind::Array | value::Kind::Set => "a list",
        value::Kind::Object => "a map",
    }
}

fn key_text(key: &Value) -> &str {
    match key {
        Value::String(text) => text,
        _ => "?",
    }
}

/// `value.key`
pub(super) fn member(value: &Value, key: &Value) -> Result<Value> {
    let Value::Object(members) = value else {
        return failed(format!("`{}` is asked of {}", key_text(key), kind(value)));
    };
    match members.get(key) {
        Some(member) => Ok(member.clone()),
        None => failed(format!("there is no `{}`", key_text(key))),
    }
}

/// `has(value.key)`. What has no members has none; a list has indices.
pub(super) fn has(value: &Value, key: &Value) -> Result<bool> {
    match value {
        Value::Object(members) => Ok(members.get(key).is_some()),
        list if value::elements(list).is_some() => {
            failed(format!("`{}` is asked of a list", key_text(key)))
        }
        _ => Ok(false),
    }
}

/// `value[index]`
pub(super) fn index(value: &Value, index: &Value) -> Result<Value> {
    if let (Value::Object(_), Value::String(_)) = (value, index) {
        return member(value, index);
    }
    match place(value, index)? {
        Some(element) => Ok(element.clone()),
        None => failed("a list has no element at this index"),
    }
}

/// Whether there is a `value[index]`.
pub(super) fn is_indexed(value: &Value, index: &Value) -> Result<bool> {
    match value::elements(value) {
        Some(_) => place(value, index).map(|found| found.is_some()),
        None => has(value, index),
    }
}

fn place<'v>(value: &'v Value, index: &Value) -> Result<Option<&'v Value>> {
    match (value::elements(value), number_of(index)) {
        (Some(elements), Some(Number::Integer(index))) => {
            Ok(usize::try_from(index).ok().and_then(|at| elements.get(at)))
        }
        _ => failed(format!("{} is the index of {}", kind(index), kind(value))),
    }
}

fn number_of(value: &Value) -> Option<Number> {
    if !number::is_number(value) {
        return None;
    }
    match number::as_i64(value) {
        Some(integer) if !number::is_written_as_fraction(value) => Some(Number::Integer(integer)),
        _ => number::as_f64(value).map(Number::Double),
    }
}

/// An operator with two operands.
pub(super) fn apply(
    operator: Operator,
    left: Value,
    right: &Value,
    budget: &mut Budget,
) -> Result<Value> {
    Ok(match operator {
        Operator::Equal => Value::Bool(budget.same(&left, right)?),
        Operator::NotEqual => Value::Bool(!budget.same(&left, right)?),
        Operator::Less => Value::Bool(compare(&left, right, budget)?.is_lt()),
        Operator::LessOrEqual => Value::Bool(compare(&left, right, budget)?.is_le()),
        Operator::Greater => Value::Bool(compare(&left, right, budget)?.is_gt()),
        Operator::GreaterOrEqual => Value::Bool(compare(&left, right, budget)?.is_ge()),
        Operator::In => Value::Bool(is_in(&left, right, budget)?),
        Operator::Add => return add(left, right, budget),
        Operator::Subtract | Operator::Multiply | Operator::Divide | Operator::Modulo => {
            return arithmetic(operator, &left, right);
        }
    })
}

fn compare(left: &Value, right: &Value, budget: &mut Budget) -> Result<Ordering> {
    match (left, right) {
        (Value::String(left), Value::String(right)) => {
            budget.text(left)?;
            Ok(left.cmp(right))
        }
        (Value::Bool(left), Value::Bool(right)) => Ok(left.cmp(right)),
        _ if number::is_number(left) && number::is_number(right) => {
            Ok(number::compare(left, right))
        }
        _ => failed(format!("{} is compared with {}", kind(left), kind(right))),
    }
}

/// Whether a list has an element, or a map a key.
pub(super) fn is_in(element: &Value, whole: &Value, budget: &mut Budget) -> Result<bool> {
    match (whole, value::elements(whole)) {
        (Value::Object(members), _) => Ok(members.get(element).is_some()),
        (_, Some(elements)) => {
            for one in elements {
                budget.step()?;
                if budget.same(one, element)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        _ => failed(format!("something is in {}", kind(whole))),
    }
}

/// A sum: of numbers, strings or lists.
pub(super) fn add(left: Value, right: &Value, budget: &mut Budget) -> Result<Value> {
    if value::elements(&left).is_some()
        && let (Value::Array(mut elements), Some(more)) = (left.clone(), value::elements(right))
    {
        // Where nobody else has it, the list is extended and not copied.
        drop(left);
        let is_shared = std::sync::Arc::get_mut(&mut elements).is_none();
        let copied = if is_shared { elements.len() } else { 0 };
        let count = (copied + more.len()) as u64;
        budget.steps(count)?;
        budget.charge(32 * count)?;
        std::sync::Arc::make_mut(&mut elements).extend(more.iter().cloned());
        return Ok(Value::Array(elements));
    }
    match (&left, right) {
        (Value::String(left), Value::String(right)) => {
            let size = (left.len() + right.len()) as u64;
            budget.bytes(size)?;
            budget.charge(size)?;
            Ok(Value::from(format!("{left}{right}").as_str()))
        }
        _ => arithmetic(Operator::Add, &left, right),
    }
}

fn arithmetic(operator: Operator, left: &Value, right: &Value) -> Result<Value> {
    match (number_of(left), number_of(right)) {
        (Some(Number::Integer(left)), Some(Number::Integer(right))) => {
            let result = match operator {
                Operator::Add => left.checked_add(right),
                Operator::Subtract => left.checked_sub(right),
                Operator::Multiply => left.checked_mul(right),
                Operator::Divide => left.checked_div(right),
                Operator::Modulo => left.checked_rem(right),
                _ => None,
            };
            result.map_or_else(
                || failed("an integer is divided by nought, or grows too large"),
                |integer| Ok(Value::from(integer)),
            )
        }
        (Some(Number::Double(left)), Some(Number::Double(right))) => double(match operator {
            Operator::Add => left + right,
            Operator::Subtract => left - right,
            Operator::Multiply => left * right,
            Operator::Divide => left / right,
            _ => f64::NAN,
        }),
        _ => failed(format!(
            "{} and {} cannot be computed with, or are numbers of two kinds",
            kind(left),
            kind(right)
        )),
    }
}

/// A double, as long as it is a number.
pub(super) fn double(double: f64) -> Result<Value> {
    if double.is_finite() {
        Ok(Value::from(double))
    } else {
        failed("a double is no number, or without end")
    }
}

/// `-value`
pub(super) fn negate(value: &Value) -> Result<Value> {
    match number_of(value) {
        Some(Number::Integer(integer)) => match integer.checked_neg() {
            Some(integer) => Ok(Value::from(integer)),
            None => failed("an integer grows too large"),
        },
        Some(Number::Double(own)) => double(-own),
        None => failed(format!("`-` before {}", kind(value))),
    }
}

/// `int(value)`
pub(super) fn to_integer(value: &Value) -> Result<Value> {
    let integer = match (number_of(value), value) {
        (Some(Number::Integer(integer)), _) => Some(integer),
        (Some(Number::Double(double)), _) => truncated(double),
        (None, Value::String(text)) => text.parse().ok(),
        _ => None,
    };
    integer.map_or_else(
        || failed(format!("{} is no integer", kind(value))),
        |integer| Ok(Value::from(integer)),
    )
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "what is behind the point is dropped, and the range is checked"
)]
fn truncated(double: f64) -> Option<i64> {
    // Both are exact: the smallest integer of 64 bits, and the one behind the largest.
    let limit = 9_223_372_036_854_775_808.0;
    (double > -limit && double < limit).then_some(double as i64)
}

/// `double(value)`
pub(super) fn to_double(value: &Value) -> Result<Value> {
    let found = match value {
        Value::String(text) => text.parse().ok(),
        other => number::as_f64(other).filter(|_| number::is_number(other)),
    };
    found.map_or_else(|| failed(format!("{} is no double", kind(value))), double)
}

/// `string(value)`. Doubles have no text here: Go's is another than ours.
pub(super) fn to_text(value: &Value) -> Result<Value> {
    match (number_of(value), value) {
        (Some(Number::Integer(integer)), _) => Ok(Value::from(integer.to_string().as_str())),
        (_, Value::String(_)) => Ok(value.clone()),
        (_, Value::Bool(holds)) => Ok(Value::from(if *holds { "true" } else { "false" })),
        _ => failed(format!("{} is made a string", kind(value))),
    }
}

/// Whether a pattern is a regular expression.
pub(super) fn is_pattern(pattern: &str) -> bool {
    let mut budget = Budget::new(crate::rego::execute::Limits::default());
    let pattern = Value::from(pattern);
    call("regex.is_valid", &[pattern], 0, &mut budget) == Ok(Value::Bool(true))
}

/// Calls a function of Rego that means the same.
pub(super) fn call(
    name: &'static str,
    operands: &[Value],
    now: i128,
    budget: &mut Budget,
) -> Result<Value> {
    let builtin = builtins::lookup(name).expect("the function is there");
    let mut surroundings = Surroundings::new(now, None, 0);
    let mut context = Context {
        surroundings: &mut surroundings,
        budget,
    };
    builtins::call(builtin, &mut context, operands).map_err(|fault| match fault {
        builtins::Fault::Ends(error) => Fault::from(error),
        other => Fault::Failed(builtins::error(name, &other).to_string()),
    })
}
