//! JSON as OPA reads it, with exact numbers, and writes it: keys in order, sets as arrays, what HTML
//! would read escaped.

mod parts;
mod read;
mod scan;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, fmt::Write as _};

pub use parts::{Parts, parts};
pub use read::{read, read_first, read_parts};
pub use scan::Fault;

use super::{Value, elements, number, order};

/// The value that would be read of a document's text.
pub fn from_serde(document: &serde_json::Value) -> Value {
    match document {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(holds) => Value::Bool(*holds),
        // At most 64 bits, which is within the limits of our numbers.
        serde_json::Value::Number(number) => {
            number::parse(&number.to_string()).unwrap_or(Value::Null)
        }
        serde_json::Value::String(text) => Value::from(text.as_str()),
        serde_json::Value::Array(elements) => {
            Value::from(elements.iter().map(from_serde).collect::<Vec<_>>())
        }
        serde_json::Value::Object(members) => members
            .iter()
            .map(|(key, value)| (Value::from(key.as_str()), from_serde(value)))
            .collect::<BTreeMap<_, _>>()
            .into(),
    }
}

/// Writes a value without any white space.
pub fn write(value: &Value) -> String {
    let mut text = String::new();
    write_to(&mut text, value);
    text
}

fn write_to(text: &mut String, value: &Value) {
    match value {
        Value::Null | Value::Undefined => text.push_str("null"),
        Value::Bool(true) => text.push_str("true"),
        Value::Bool(false) => text.push_str("false"),
        Value::String(string) => write_string(text, string),
        Value::Object(object) => {
            text.push('{');
            // Keys become strings, and Go orders what is written by them.
            let mut entries: Vec<(String, &Value)> = object
                .iter()
                .map(|(key, value)| (key_text(key), value))
                .collect();
            entries.sort_by(|(left, _), (right, _)| left.cmp(right));
            for (at, (key, value)) in entries.iter().enumerate() {
                if at > 0 {
                    text.push(',');
                }
                write_string(text, key);
                text.push(':');
                write_to(text, value);
            }
            text.push('}');
        }
        Value::Set(set) => write_sequence(text, order::members(set)),
        Value::Array(_) | Value::Number(_) => match elements(value) {
            Some(elements) => write_sequence(text, elements.iter()),
            None => text.push_str(&number::text(value).unwrap_or_default()),
        },
    }
}

fn write_sequence<'a>(text: &mut String, members: impl Iterator<Item = &'a Value>) {
    text.push('[');
    for (at, member) in members.enumerate() {
        if at > 0 {
            text.push(',');
        }
        write_to(text, member);
    }
    text.push(']');
}

/// A key of an object as JSON has it: a string, or the JSON of what is none.
pub fn key_text(key: &Value) -> String {
    match key {
        Value::String(string) => string.to_string(),
        key => write(key),
    }
}

fn write_string(text: &mut String, string: &str) {
    text.push('"');
    for character in string.chars() {
        match character {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            '\u{8}' => text.push_str("\\b"),
            '\u{c}' => text.push_str("\\f"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..'\u{20}' => {
                // Writing to a string does not fail.
                let _ = write!(text, "\\u{:04x}", u32::from(character));
            }
            character => text.push(character),
        }
    }
    text.push('"');
}
