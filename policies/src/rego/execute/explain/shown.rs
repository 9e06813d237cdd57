//! Values as Rego, cut.

use std::fmt::Write as _;

use super::MAX_TEXT;
use crate::{
    rego::value::{self, Kind, Value, order},
    text,
};

/// The value as Rego, on one line, cut after [`MAX_TEXT`] characters. At most as much of it is looked
/// at as is shown.
pub(crate) fn value(value: &Value) -> String {
    let mut shown = String::new();
    write(&mut shown, value);
    if shown.chars().nth(MAX_TEXT).is_some() {
        shown = shown.chars().take(MAX_TEXT - 1).collect();
        shown.push('…');
    }
    text::clean(&shown)
}

fn is_full(shown: &str) -> bool {
    // A character has four bytes at most.
    shown.len() > 4 * MAX_TEXT
}

fn write(shown: &mut String, value: &Value) {
    if is_full(shown) {
        return;
    }
    match value::kind(value) {
        _ if !value::is_defined(value) => shown.push_str("undefined"),
        Kind::Array => {
            let elements = value::elements(value).unwrap_or_default();
            list(shown, ["[", "]"], elements.iter());
        }
        Kind::Set => match value {
            Value::Set(set) if set.is_empty() => shown.push_str("set()"),
            Value::Set(set) => list(shown, ["{", "}"], order::members(set)),
            _ => {}
        },
        Kind::Object => {
            shown.push('{');
            if let Value::Object(object) = value {
                for (at, (key, member)) in order::entries(object).enumerate() {
                    if is_full(shown) {
                        break;
                    }
                    shown.push_str(if at > 0 { ", " } else { "" });
                    write(shown, key);
                    shown.push_str(": ");
                    write(shown, member);
                }
            }
            shown.push('}');
        }
        Kind::String => {
            if let Value::String(text) = value {
                let cut: String = text.chars().take(MAX_TEXT).collect();
                let _ = write!(shown, "{}", value::text::literal(&Value::from(cut)));
            }
        }
        Kind::Null | Kind::Boolean | Kind::Number => {
            shown.push_str(&value::text::literal(value));
        }
    }
}

fn list<'v>(shown: &mut String, brackets: [&str; 2], members: impl Iterator<Item = &'v Value>) {
    shown.push_str(brackets[0]);
    for (at, member) in members.enumerate() {
        if is_full(shown) {
            break;
        }
        shown.push_str(if at > 0 { ", " } else { "" });
        write(shown, member);
    }
    shown.push_str(brackets[1]);
}
