//! Conversions between types.

use std::collections::BTreeSet;

use super::{Fault, Function, Result, beginning, members, wrong_type};
use crate::rego::execute::ErrorKind;
use crate::rego::value::{self, Kind, Value, number};

pub(super) const FUNCTIONS: &[(&str, u8, Function)] = &[
    ("cast_array", 1, |context, operands| {
        let members = members(operands, 0)?;
        context.charge_members(members.len())?;
        Ok(members.into_iter().cloned().collect::<Vec<_>>().into())
    }),
    ("cast_boolean", 1, |_, operands| {
        same(operands, Kind::Boolean)
    }),
    ("cast_null", 1, |_, operands| same(operands, Kind::Null)),
    ("cast_object", 1, |_, operands| same(operands, Kind::Object)),
    ("cast_set", 1, |context, operands| {
        let members = members(operands, 0)?;
        context.charge_members(members.len())?;
        Ok(members.into_iter().cloned().collect::<BTreeSet<_>>().into())
    }),
    ("cast_string", 1, |_, operands| same(operands, Kind::String)),
    ("is_array", 1, |_, operands| is(operands, Kind::Array)),
    ("is_boolean", 1, |_, operands| is(operands, Kind::Boolean)),
    ("is_null", 1, |_, operands| is(operands, Kind::Null)),
    ("is_number", 1, |_, operands| is(operands, Kind::Number)),
    ("is_object", 1, |_, operands| is(operands, Kind::Object)),
    ("is_set", 1, |_, operands| is(operands, Kind::Set)),
    ("is_string", 1, |_, operands| is(operands, Kind::String)),
    ("to_number", 1, |context, operands| {
        context.charge_text(&operands[0])?;
        to_number(&operands[0])
    }),
    ("type_name", 1, |_, operands| {
        Ok(Value::from(value::kind(&operands[0]).name()))
    }),
];

#[expect(
    clippy::unnecessary_wraps,
    reason = "functions of the table return results"
)]
fn is(operands: &[Value], kind: Kind) -> Result<Value> {
    Ok(Value::Bool(value::kind(&operands[0]) == kind))
}

fn same(operands: &[Value], kind: Kind) -> Result<Value> {
    if value::kind(&operands[0]) == kind {
        return Ok(operands[0].clone());
    }
    Err(wrong_type(1, kind.name(), &operands[0]))
}

/// A text in a message, between quotes.
fn shown(text: &str) -> String {
    value::json::write(&Value::from(beginning(text)))
}

fn to_number(operand: &Value) -> Result<Value> {
    match operand {
        Value::Null => Ok(Value::from(0)),
        Value::Bool(truth) => Ok(Value::from(i64::from(*truth))),
        Value::String(text) if is_no_finite_number(text) => {
            Err(wrong_type(1, "valid number string", operand))
        }
        Value::String(text) if text.contains('_') => {
            let (name, reason) = ("to_number", "digits in groups are no number of JSON");
            Err(Fault::Ends(ErrorKind::Refused { name, reason }.into()))
        }
        Value::String(text) if text.parse().is_ok_and(f64::is_infinite) => Err(Fault::Value(
            format!("number out of range: {}", shown(text)),
        )),
        Value::String(text) => {
            let fault = || Fault::Value(format!("invalid number: {}", shown(text)));
            // Go reads more than JSON has, such as `.5` and `+1`, but OPA takes no more than that.
            number::parse(text).ok_or_else(fault)
        }
        _ if number::is_number(operand) => Ok(operand.clone()),
        _ => Err(wrong_type(
            1,
            "one of {null, boolean, number, string}",
            operand,
        )),
    }
}

/// `-Inf`, `NaN`: what Go reads, and is no number.
fn is_no_finite_number(text: &str) -> bool {
    let word = text.trim_start_matches(['+', '-']).to_lowercase();
    matches!(word.as_str(), "inf" | "infinity" | "nan")
}
