//! Types as OPA writes them. What is longer than a message may be ends with an ellipsis: types share
//! their parts, and written out could be of any length.

use std::fmt::{self, Write};

use super::Type;
use crate::rego::value::json;
use crate::text::MAX_CHARACTERS;

/// What is written until there is enough.
struct Bounded {
    text: String,
}

impl Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.text.len() > MAX_CHARACTERS {
            return Err(fmt::Error);
        }
        self.text.push_str(text);
        Ok(())
    }
}

impl fmt::Display for Type {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bounded = Bounded {
            text: String::new(),
        };
        if write_type(&mut bounded, self).is_err() {
            bounded.text.push('…');
        }
        formatter.write_str(&bounded.text)
    }
}

fn write_type(out: &mut Bounded, kind: &Type) -> fmt::Result {
    match kind {
        Type::Null => out.write_str("null"),
        Type::Boolean => out.write_str("boolean"),
        Type::Number => out.write_str("number"),
        Type::String => out.write_str("string"),
        Type::Unknown => out.write_str("???"),
        Type::Array(first, rest) => {
            out.write_str("array")?;
            if !first.is_empty() {
                write_between(out, ANGLES, first, write_type)?;
            }
            let Some(rest) = rest else { return Ok(()) };
            out.write_str("[")?;
            write_type(out, rest)?;
            out.write_str("]")
        }
        Type::Object(known, rest) => {
            out.write_str("object")?;
            if !known.is_empty() {
                write_between(out, ANGLES, known, |out, (key, kind)| {
                    write!(out, "{}: ", json::key_text(key))?;
                    write_type(out, kind)
                })?;
            }
            let Some(rest) = rest else { return Ok(()) };
            out.write_str("[")?;
            write_type(out, &rest.0)?;
            out.write_str(": ")?;
            write_type(out, &rest.1)?;
            out.write_str("]")
        }
        Type::Set(of) => {
            out.write_str("set[")?;
            write_type(out, of)?;
            out.write_str("]")
        }
        Type::Function(arguments, result) => {
            write_between(out, ["(", ")"], arguments, write_type)?;
            out.write_str(" => ")?;
            write_type(out, result)
        }
        Type::Any(of) if of.is_empty() => out.write_str("any"),
        Type::Any(of) => {
            out.write_str("any")?;
            write_between(out, ANGLES, of, write_type)
        }
    }
}

const ANGLES: [&str; 2] = ["<", ">"];

/// `<a, b>`
fn write_between<T>(
    out: &mut Bounded,
    [before, after]: [&str; 2],
    parts: &[T],
    write: impl Fn(&mut Bounded, &T) -> fmt::Result,
) -> fmt::Result {
    out.write_str(before)?;
    for (at, part) in parts.iter().enumerate() {
        if at > 0 {
            out.write_str(", ")?;
        }
        write(out, part)?;
    }
    out.write_str(after)
}

/// Types with commas between.
pub fn list(types: &[Type]) -> String {
    types
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(", ")
}
