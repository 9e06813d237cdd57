//! What a schema says about types and numbers.

use super::{
    Result,
    draft::Draft,
    parse::{Schema, invalid_type, keyword, must_be, text, wrong},
};
use crate::rego::value::{Value, elements, number};

const TYPES: [&str; 7] = [
    "array", "boolean", "integer", "number", "null", "object", "string",
];

pub(super) fn types(document: &Value, schema: &mut Schema) -> Result<()> {
    let Some(types) = keyword(document, "type") else {
        return Ok(());
    };
    let listed = match elements(types) {
        Some(listed) => listed,
        None => std::slice::from_ref(types),
    };
    for name in listed {
        let fault = || invalid_type("type", "string/Array Of Strings");
        let name = text(name).ok_or_else(fault)?;
        if !TYPES.contains(&name) {
            let valid = TYPES.join(" ");
            return Err(wrong(format!(
                "has a primitive type that is NOT VALID -- given: /{name}/ Expected valid values \
                 are:[{valid}]"
            )));
        }
        if schema.types.iter().any(|other| other == name) {
            return Err(wrong(format!("{name} type is duplicated")));
        }
        schema.types.push(name.to_owned());
    }
    Ok(())
}

pub(super) fn numbers(draft: Draft, document: &Value, schema: &mut Schema) -> Result<()> {
    if let Some(multiple) = keyword(document, "multipleOf") {
        if !number::is_number(multiple) {
            return Err(invalid_type("Number", "multipleOf"));
        }
        if number::compare(multiple, &Value::from(0)).is_le() {
            return Err(wrong("multipleOf must be strictly greater than 0"));
        }
        schema.multiple_of = Some(multiple.clone());
    }
    limit(
        draft,
        document,
        ["minimum", "exclusiveMinimum"],
        &mut schema.minimum,
        &mut schema.exclusive_minimum,
    )?;
    limit(
        draft,
        document,
        ["maximum", "exclusiveMaximum"],
        &mut schema.maximum,
        &mut schema.exclusive_maximum,
    )
}

/// A limit, and one that does not belong to what is allowed: a number, or whether the other one is.
fn limit(
    draft: Draft,
    document: &Value,
    [word, exclusive_word]: [&str; 2],
    limit: &mut Option<Value>,
    exclusive: &mut Option<Value>,
) -> Result<()> {
    if let Some(value) = keyword(document, word) {
        if !number::is_number(value) {
            return Err(must_be(word, "a Number"));
        }
        *limit = Some(value.clone());
    }
    match keyword(document, exclusive_word) {
        Some(Value::Bool(_)) if draft != Draft::Any => {
            return Err(invalid_type("number", exclusive_word));
        }
        Some(Value::Bool(_)) if limit.is_none() => {
            let message = format!("{exclusive_word} cannot be used without {word}");
            return Err(wrong(message));
        }
        Some(Value::Bool(true)) => *exclusive = limit.take(),
        None | Some(Value::Bool(false)) => {}
        Some(value) if number::is_number(value) => *exclusive = Some(value.clone()),
        Some(_) if draft == Draft::Any => {
            return Err(invalid_type("boolean/number", exclusive_word));
        }
        Some(_) => return Err(invalid_type("number", exclusive_word)),
    }
    Ok(())
}
