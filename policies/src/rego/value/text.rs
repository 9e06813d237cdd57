//! Values as Rego writes them: what `sprintf` and `print` show of a collection.

use std::fmt::Write as _;

use super::{Value, elements, number, order};

/// A value as a literal: `{"a": [1, 2]}`, `set()`.
pub fn literal(value: &Value) -> String {
    let mut text = String::new();
    write_literal(&mut text, value);
    text
}

fn write_literal(text: &mut String, value: &Value) {
    match value {
        Value::Null => text.push_str("null"),
        Value::Undefined => text.push_str("<undefined>"),
        Value::Bool(truth) => text.push_str(if *truth { "true" } else { "false" }),
        Value::String(string) => quote(text, string),
        Value::Set(set) if set.is_empty() => text.push_str("set()"),
        Value::Set(set) => write_members(text, ['{', '}'], order::members(set)),
        Value::Object(object) => {
            text.push('{');
            for (at, (key, member)) in order::entries(object).enumerate() {
                if at > 0 {
                    text.push_str(", ");
                }
                write_literal(text, key);
                text.push_str(": ");
                write_literal(text, member);
            }
            text.push('}');
        }
        Value::Array(_) | Value::Number(_) => match elements(value) {
            Some(elements) => write_members(text, ['[', ']'], elements.iter()),
            None => text.push_str(&number::text(value).unwrap_or_default()),
        },
    }
}

fn write_members<'v>(
    text: &mut String,
    [open, close]: [char; 2],
    members: impl Iterator<Item = &'v Value>,
) {
    text.push(open);
    for (at, member) in members.enumerate() {
        if at > 0 {
            text.push_str(", ");
        }
        write_literal(text, member);
    }
    text.push(close);
}

/// A string between quotes, as Go's `strconv.Quote` has it.
pub fn quote(text: &mut String, string: &str) {
    text.push('"');
    for character in string.chars() {
        match character {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\u{7}' => text.push_str("\\a"),
            '\u{8}' => text.push_str("\\b"),
            '\u{c}' => text.push_str("\\f"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            '\u{b}' => text.push_str("\\v"),
            character if (character as u32) < 0x20 || character == '\u{7f}' => {
                // Writing to a string does not fail.
                let _ = write!(text, "\\x{:02x}", u32::from(character));
            }
            character if character.is_control() => {
                let _ = write!(text, "\\u{:04x}", u32::from(character));
            }
            character => text.push(character),
        }
    }
    text.push('"');
}
