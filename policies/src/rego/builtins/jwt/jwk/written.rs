//! Values in keys, as they are written.

use super::super::{Result, beyond, wrong};
use crate::rego::{
    builtins::bytes::{self, STANDARD, STANDARD_UNPADDED, URL, URL_UNPADDED},
    plan::access::Access,
    value::{
        Value, elements,
        json::{self, Parts},
        number,
    },
};

/// The parts of a text, and whether nothing follows them.
pub(super) fn parts(text: &[u8]) -> Result<(Parts<'_>, bool)> {
    json::parts(text).map_err(|fault| match fault {
        json::Fault::Unexpected { .. } | json::Fault::End => wrong(fault.to_string()),
        _ => beyond("a key has larger numbers, or is deeper, than is read"),
    })
}

/// The parts of a value.
pub(super) fn parts_of(written: &[u8]) -> Result<Parts<'_>> {
    Ok(parts(written)?.0)
}

/// A value that nobody looks at. Go reads its numbers as floats all the same.
pub(super) fn any_value(written: &[u8]) -> Result<()> {
    let mut open = vec![value(written)?];
    while let Some(value) = open.pop() {
        if number::as_f64(&value).is_some_and(f64::is_infinite) {
            return Err(wrong("a number is out of range"));
        }
        match &value {
            Value::Object(object) => open.extend(object.values().cloned()),
            other => open.extend(elements(other).into_iter().flatten().cloned()),
        }
    }
    Ok(())
}

/// A value.
pub(super) fn value(written: &[u8]) -> Result<Value> {
    let value = json::read_parts(written, &Access::All);
    value.map_err(|_| beyond("a key has larger numbers, or is deeper, than is read"))
}

/// A string. `null` is the empty one.
pub(super) fn text(name: &str, written: &[u8]) -> Result<String> {
    match value(written)? {
        Value::String(text) => Ok(text.to_string()),
        Value::Null => Ok(String::new()),
        _ => Err(wrong(format!(
            "failed to decode value for key {name}: expected a string"
        ))),
    }
}

/// Bytes in any kind of base64.
pub(super) fn octets(name: &str, written: &[u8]) -> Result<Vec<u8>> {
    let text = text(name, written)?;
    let alphabet = match (text.ends_with('='), text.contains(['+', '/'])) {
        (false, false) => URL_UNPADDED,
        (true, false) => URL,
        (false, true) => STANDARD_UNPADDED,
        (true, true) => STANDARD,
    };
    // The message has no part of the key.
    bytes::decode(text.as_bytes(), alphabet).map_err(|_| {
        wrong(format!(
            "failed to decode value for key {name}: expected base64 encoded bytes"
        ))
    })
}
