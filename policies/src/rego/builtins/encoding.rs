//! JSON.

use super::{Context, Fault, Function, Result, string, wrong_type};
use crate::rego::value::{Value, json};

pub(super) const FUNCTIONS: &[(&str, u8, Function)] = &[
    ("json.is_valid", 1, |context, operands| {
        let Ok(text) = string(operands, 0) else {
            return Ok(Value::Bool(false));
        };
        context.charge_bytes(text.len())?;
        context.charge_members(text.len() / 2)?;
        Ok(Value::Bool(json::read(text).is_ok()))
    }),
    ("json.marshal", 1, |context, operands| {
        context.charge_text(&operands[0])?;
        Ok(Value::from(json::write(&operands[0])))
    }),
    ("json.marshal_with_options", 2, marshal_with_options),
    ("json.unmarshal", 1, |context, operands| {
        let text = string(operands, 0)?;
        context.charge_bytes(text.len())?;
        context.charge_members(text.len() / 2)?;
        json::read(text).map_err(Fault::Value)
    }),
];

fn marshal_with_options(context: &mut Context<'_, '_>, operands: &[Value]) -> Result<Value> {
    let Value::Object(options) = &operands[1] else {
        return Err(wrong_type(2, "object", &operands[1]));
    };
    let (mut prefix, mut indent, mut implied, mut pretty) = ("", "\t", false, None);
    for (key, value) in options.iter() {
        match (key.as_string().map_or("", |key| key), value) {
            ("prefix", Value::String(text)) => (prefix, implied) = (text, true),
            ("indent", Value::String(text)) => (indent, implied) = (text, true),
            ("pretty", Value::Bool(truth)) => pretty = Some(*truth),
            ("prefix" | "indent" | "pretty", _) => {
                let message = format!("key {} has a value of the wrong type", json::key_text(key));
                return Err(Fault::Type(message));
            }
            _ => {
                let message = format!("object contained unknown key {}", json::key_text(key));
                return Err(Fault::Type(message));
            }
        }
    }
    context.charge_text(&operands[0])?;
    let text = json::write(&operands[0]);
    if !pretty.unwrap_or(implied) {
        return Ok(Value::from(text));
    }
    indented(context, &text, prefix, indent).map(Value::from)
}

/// JSON without white space, with each member on a line of its own, as Go writes it.
fn indented(
    context: &mut Context<'_, '_>,
    text: &str,
    prefix: &str,
    indent: &str,
) -> Result<String> {
    context.charge_growing(text.len())?;
    let mut pretty = prefix.to_owned();
    let mut depth = 0_usize;
    let (mut quoted, mut escaped) = (false, false);
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        if quoted {
            quoted = escaped || character != '"';
            escaped = !escaped && character == '\\';
            pretty.push(character);
            continue;
        }
        match character {
            '{' | '[' if matches!(characters.peek(), Some('}' | ']')) => {
                pretty.push(character);
                pretty.extend(characters.next());
                continue;
            }
            '{' | '[' => {
                pretty.push(character);
                depth += 1;
            }
            ',' => pretty.push(character),
            '}' | ']' => depth = depth.saturating_sub(1),
            ':' => {
                pretty.push_str(": ");
                continue;
            }
            other => {
                quoted = other == '"';
                pretty.push(other);
                continue;
            }
        }
        context.charge_growing(2 + prefix.len() + depth * indent.len())?;
        pretty.push('\n');
        pretty.push_str(prefix);
        (0..depth).for_each(|_| pretty.push_str(indent));
        if matches!(character, '}' | ']') {
            pretty.push(character);
        }
    }
    Ok(pretty)
}
