//! JSON.

use super::{Fault, Function, string};
use crate::rego::value::{Value, json};

pub(super) const FUNCTIONS: &[(&str, u8, Function)] = &[
    ("json.is_valid", 1, |context, operands| {
        let Ok(text) = string(operands, 0) else {
            return Ok(Value::Bool(false));
        };
        context.charge_bytes(text.len())?;
        Ok(Value::Bool(json::read(text).is_ok()))
    }),
    ("json.marshal", 1, |context, operands| {
        context.charge_text(&operands[0])?;
        Ok(Value::from(json::write(&operands[0])))
    }),
    ("json.unmarshal", 1, |context, operands| {
        let text = string(operands, 0)?;
        context.charge_bytes(text.len())?;
        context.charge_members(text.len() / 2)?;
        json::read(text).map_err(Fault::Value)
    }),
];
