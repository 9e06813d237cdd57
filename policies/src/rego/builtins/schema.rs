//! `json.match_schema` and `json.verify_schema`, with the errors of OPA's schema library.
//!
//! ```text
//! schema ─ parse ─▶ Schema ─ validate(document) ─▶ errors, each of a field
//! ```
//!
//! OPA goes through properties in no order; here they are in that of their names. What refers to
//! other schemas (`$ref`, `$id`, `id`), draft 4 and addresses of mail are refused when they are met.

mod draft;
mod format;
mod limits;
mod numbers;
mod outcome;
mod parse;
mod validate;

use super::{Context, Fault, Function, Result};
use crate::rego::{
    execute::ErrorKind,
    value::{Value, elements, json, number},
};

pub(super) const FUNCTIONS: &[(&str, u8, Function)] = &[
    ("json.match_schema", 2, |context, operands| {
        let document = read("json.match_schema", context, &operands[0])?;
        let schema = read("json.match_schema", context, &operands[1])?;
        let schema = parse::schema("json.match_schema", context, &schema)?;
        let errors = validate::validate(context, &schema, &document)?;
        let valid = Value::Bool(errors.is_empty());
        let errors: Vec<Value> = errors.into_iter().map(Value::from).collect();
        Ok(vec![valid, errors.into()].into())
    }),
    ("json.verify_schema", 1, |context, operands| {
        let parsed = read("json.verify_schema", context, &operands[0])
            .and_then(|schema| parse::schema("json.verify_schema", context, &schema));
        match parsed {
            Ok(_) => Ok(vec![Value::Bool(true), Value::Null].into()),
            Err(Fault::Type(fault) | Fault::Value(fault)) => {
                let message = Value::from(format!("jsonschema: {fault}"));
                Ok(vec![Value::Bool(false), message].into())
            }
            Err(ends) => Err(ends),
        }
    }),
];

/// A document or a schema: a string is JSON, anything else becomes it.
fn read(name: &'static str, context: &mut Context<'_, '_>, operand: &Value) -> Result<Value> {
    let is_composite = matches!(operand, Value::Object(_)) || elements(operand).is_some();
    match operand {
        Value::String(text) => {
            context.charge_bytes(text.len())?;
            context.charge_members(text.len() / 2)?;
            json::read(text).map_err(|_| Fault::Value("invalid JSON string".to_owned()))
        }
        _ if is_composite => {
            context.charge_text(operand)?;
            let text = json::write(operand);
            context.charge_members(text.len() / 2)?;
            json::read(&text).map_err(|_| refused(name, "the operand is nested too deeply"))
        }
        _ => Err(Fault::Value(
            "wrong type, expected string or object".to_owned(),
        )),
    }
}

fn refused(name: &'static str, reason: &'static str) -> Fault {
    Fault::Ends(ErrorKind::Refused { name, reason }.into())
}

/// The largest number that is surely written without an exponent by everybody.
const PLAIN_NUMBERS: f64 = 1e15;

/// A value as text that is the same for equal values: its JSON with numbers as floats.
fn canonical(name: &'static str, value: &Value) -> Result<String> {
    Ok(json::write(&as_floats(name, value)?))
}

fn as_floats(name: &'static str, value: &Value) -> Result<Value> {
    if let Value::Object(object) = value {
        let members = object
            .iter()
            .map(|(key, member)| Ok((key.clone(), as_floats(name, member)?)));
        let members: Result<std::collections::BTreeMap<_, _>> = members.collect();
        return Ok(members?.into());
    }
    if let Some(elements) = elements(value) {
        let elements = elements.iter().map(|element| as_floats(name, element));
        return Ok(elements.collect::<Result<Vec<_>>>()?.into());
    }
    if !number::is_number(value) {
        return Ok(value.clone());
    }
    let float = number::as_f64(value).unwrap_or_default();
    if float != 0.0 && !(1e-6..PLAIN_NUMBERS).contains(&float.abs()) {
        let reason = "a number that is compared is very large or very small";
        return Err(refused(name, reason));
    }
    let text = if float == 0.0 {
        "0".to_owned()
    } else {
        format!("{float}")
    };
    Ok(number::parse(&text).unwrap_or(Value::Null))
}

#[cfg(test)]
mod tests;
