//! Template strings and `print`, whose parts are the sets of an expression's values.

use super::{Context, Fault, Function, Result, wrong_type};
use crate::rego::{
    execute::ErrorKind,
    value::{self, Value, order, text},
};

pub(super) const FUNCTIONS: &[(&str, u8, Function)] = &[
    ("internal.print", 1, |context, operands| {
        context.charge_text(&operands[0])?;
        let line = print_line(&operands[0]);
        context.surroundings.printed.push(line);
        Ok(Value::Bool(true))
    }),
    ("internal.template_string", 1, template),
];

/// Puts parts together. A part is a string, or the set of an expression's values: none if it is
/// undefined.
fn template(context: &mut Context<'_, '_>, operands: &[Value]) -> Result<Value> {
    let parts =
        value::elements(&operands[0]).ok_or_else(|| wrong_type(1, "array", &operands[0]))?;
    context.charge_text(&operands[0])?;
    let mut result = String::new();
    for part in parts {
        let shown = match part {
            Value::Set(set) if set.len() > 1 => {
                return Err(Fault::Ends(ErrorKind::TemplateConflict.into()));
            }
            Value::Set(set) => set.first().map_or("<undefined>".to_owned(), shown),
            part => shown(part),
        };
        result.push_str(&shown);
    }
    Ok(Value::from(result))
}

/// A string without quotes, anything else as a literal.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.to_string(),
        value => text::literal(value),
    }
}

/// The first of every set of values. (Where operands have several values, OPA prints a line for
/// each combination; only the first is kept.)
fn print_line(operands: &Value) -> String {
    let parts: Vec<String> = value::elements(operands)
        .unwrap_or_default()
        .iter()
        .map(|operand| match operand {
            Value::Set(set) => order::members(set)
                .next()
                .map_or("<undefined>".to_owned(), shown),
            operand => shown(operand),
        })
        .collect();
    parts.join(" ")
}
