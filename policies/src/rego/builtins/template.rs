//! Template strings and `print`, whose parts are the sets of an expression's values; and the cases
//! of tests.

use super::{Context, Fault, Function, Result, member_count, wrong_type};
use crate::rego::{
    execute::ErrorKind,
    value::{self, Value, order, text},
};

pub(super) const FUNCTIONS: &[(&str, u8, Function)] = &[
    ("internal.print", 1, print),
    ("internal.template_string", 1, template),
    ("internal.test_case", 1, |context, operands| {
        context.charge_document(&operands[0])?;
        context.surroundings.cases.push(operands[0].clone());
        Ok(Value::Bool(true))
    }),
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

/// Prints a line for each combination of the operands' values, the last operand's first.
fn print(context: &mut Context<'_, '_>, operands: &[Value]) -> Result<Value> {
    let operands = value::elements(&operands[0]).unwrap_or_default();
    context.charge_members(3 * operands.len())?;
    let mut texts: Vec<Vec<String>> = Vec::with_capacity(operands.len());
    for operand in operands {
        context.charge_text(operand)?;
        context.charge_members(member_count(operand))?;
        texts.push(match operand {
            Value::Set(set) if set.is_empty() => vec!["<undefined>".to_owned()],
            Value::Set(_) => members(operand).map(shown).collect(),
            operand => vec![shown(operand)],
        });
    }
    let mut chosen = vec![0; texts.len()];
    loop {
        let parts = texts.iter().zip(&chosen);
        let parts: Vec<&str> = parts.map(|(texts, &at)| texts[at].as_str()).collect();
        context.charge_bytes(parts.iter().map(|part| part.len() + 1).sum())?;
        context.charge_members(1)?;
        context.surroundings.printed.push(parts.join(" "));
        let next = (0..texts.len()).rfind(|&at| chosen[at] + 1 < texts[at].len());
        let Some(at) = next else {
            return Ok(Value::Bool(true));
        };
        chosen[at] += 1;
        chosen[at + 1..].fill(0);
    }
}

/// The members of a set in OPA's order.
fn members(set: &Value) -> impl Iterator<Item = &Value> {
    let set = match set {
        Value::Set(set) => Some(set),
        _ => None,
    };
    set.into_iter().flat_map(|set| order::members(set))
}
