//! Values as Rego writes them: what `sprintf` and `print` show of a collection.

use std::fmt::Write as _;

use super::{Value, elements, number, order, printable::is_printable};

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

/// Bytes that a text has at most when it is written between quotes, as Rego or as JSON.
pub fn longest(text: &str) -> usize {
    let more = |byte: u8| match byte {
        // `\u003c`, and a quote that is one byte more.
        b'<' | b'>' | b'&' | b'"' | b'\\' | 0..b' ' | 0x7f => 5,
        b' '..0x7f => 0,
        // Two bytes are `\u0080` at most, and four are `\U000e0001`.
        0x80.. => 2,
    };
    let more: usize = text.bytes().map(more).sum();
    text.len() + more + 2
}

/// A string between quotes, as Go's `strconv.Quote` has it.
pub fn quote(text: &mut String, string: &str) {
    quote_with(text, string, '"', false);
}

/// A string between quotes of a kind; `ascii` if everything else is to be escaped.
pub fn quote_with(text: &mut String, string: &str, delimiter: char, ascii: bool) {
    text.push(delimiter);
    for character in string.chars() {
        escape(text, character, delimiter, ascii);
    }
    text.push(delimiter);
}

fn escape(text: &mut String, character: char, delimiter: char, ascii: bool) {
    if character == delimiter || character == '\\' {
        return text.extend(['\\', character]);
    }
    if is_printable(character) && (character.is_ascii() || !ascii) {
        return text.push(character);
    }
    // Writing to a string does not fail.
    let _ = match (character, u32::from(character)) {
        ('\u{7}', _) => text.write_str("\\a"),
        ('\u{8}', _) => text.write_str("\\b"),
        ('\u{b}', _) => text.write_str("\\v"),
        ('\u{c}', _) => text.write_str("\\f"),
        ('\n', _) => text.write_str("\\n"),
        ('\r', _) => text.write_str("\\r"),
        ('\t', _) => text.write_str("\\t"),
        (_, code @ (0..0x20 | 0x7f)) => write!(text, "\\x{code:02x}"),
        (_, code @ ..0x1_0000) => write!(text, "\\u{code:04x}"),
        (_, code) => write!(text, "\\U{code:08x}"),
    };
}
