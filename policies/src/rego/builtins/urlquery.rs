//! Queries of URLs, escaped as Go does it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{Context, Fault, Function, Result, beginning, string, wrong_type};
use crate::rego::{
    execute::ErrorKind,
    value::{self, Value, order},
};

pub(super) const FUNCTIONS: &[(&str, u8, Function)] = &[
    ("urlquery.decode", 1, |context, operands| {
        let text = string(operands, 0)?;
        context.charge_bytes(text.len())?;
        unescape(text).map(Value::from)
    }),
    ("urlquery.decode_object", 1, decode_object),
    ("urlquery.encode", 1, |context, operands| {
        let text = string(operands, 0)?;
        context.charge_bytes(3 * text.len())?;
        Ok(Value::from(escape(text.as_bytes())))
    }),
    ("urlquery.encode_object", 1, encode_object),
];

/// Bytes as a part of a query.
pub(super) fn escape(text: &[u8]) -> String {
    let mut escaped = String::with_capacity(text.len());
    for &byte in text {
        match byte {
            b' ' => escaped.push('+'),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                escaped.push(char::from(byte));
            }
            // Writing to a string does not fail.
            other => drop(write!(escaped, "%{other:02X}")),
        }
    }
    escaped
}

/// A part of a query without its escapes.
fn unescape(text: &str) -> Result<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
                let code = digit(rest.next()).zip(digit(rest.next()));
                let code = code.and_then(|(high, low)| u8::try_from(high * 16 + low).ok());
                code.ok_or_else(|| {
                    let text = beginning(text);
                    Fault::Value(format!("invalid URL escape in {text:?}"))
                })?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).map_err(|_| {
        let (name, reason) = ("urlquery.decode", "the text is not UTF-8");
        Fault::Ends(ErrorKind::Refused { name, reason }.into())
    })
}

fn decode_object(context: &mut Context<'_, '_>, operands: &[Value]) -> Result<Value> {
    let text = string(operands, 0)?;
    context.charge_bytes(text.len())?;
    let mut object: BTreeMap<Value, Vec<Value>> = BTreeMap::new();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        if pair.contains(';') {
            let message = "invalid semicolon separator in query";
            return Err(Fault::Value(message.to_owned()));
        }
        context.charge_members(3)?;
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (key, value) = (unescape(key)?, unescape(value)?);
        object
            .entry(Value::from(key))
            .or_default()
            .push(Value::from(value));
    }
    let members = object.into_iter();
    let members = members.map(|(key, values)| (key, Value::from(values)));
    Ok(members.collect::<BTreeMap<_, _>>().into())
}

fn encode_object(context: &mut Context<'_, '_>, operands: &[Value]) -> Result<Value> {
    let Value::Object(object) = &operands[0] else {
        return Err(wrong_type(1, "object", &operands[0]));
    };
    let mut query = String::new();
    // Go orders by the bytes of the keys, as the order of strings does.
    for (key, value) in order::entries(object) {
        let values: Vec<&Value> = match value {
            Value::Set(set) => order::members(set).collect(),
            Value::String(_) => vec![value],
            other => value::elements(other).ok_or_else(no_text)?.iter().collect(),
        };
        let key = key.as_string().map_err(|_| no_text())?;
        for value in values {
            let value = value.as_string().map_err(|_| no_text())?;
            context.charge_bytes(3 * (key.len() + value.len()))?;
            if !query.is_empty() {
                query.push('&');
            }
            let _ = write!(
                query,
                "{}={}",
                escape(key.as_bytes()),
                escape(value.as_bytes())
            );
        }
    }
    Ok(Value::from(query))
}

fn no_text() -> Fault {
    Fault::Type("operand 1 values must be string, array[string], or set[string]".to_owned())
}
