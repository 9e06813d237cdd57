//! `object.subset`.

use super::{Context, Fault, Function, Result};
use crate::rego::value::{self, Value};

pub(super) const FUNCTIONS: &[(&str, u8, Function)] = &[("object.subset", 2, object_subset)];

fn object_subset(context: &mut Context<'_, '_>, operands: &[Value]) -> Result<Value> {
    let (larger, smaller) = (&operands[0], &operands[1]);
    let holds = match (value::elements(larger), smaller) {
        (Some(elements), Value::Set(members)) => {
            context.budget.steps(elements.len() as u64)?;
            // OPA counts the elements that are members, so that one that comes twice counts twice,
            // and finds no end in nothing.
            let found = elements.iter().filter(|element| members.contains(element));
            if members.is_empty() {
                !elements.is_empty()
            } else {
                found.take(members.len()).count() == members.len()
            }
        }
        _ => part(context, larger, smaller)?.ok_or_else(|| {
            let message = "both arguments object.subset must be of the same type or array and set";
            Fault::Type(message.to_owned())
        })?,
    };
    Ok(Value::Bool(holds))
}

/// Whether a collection is in one of its own type. `None` if they are no such two.
fn part(context: &mut Context<'_, '_>, larger: &Value, smaller: &Value) -> Result<Option<bool>> {
    match (larger, smaller) {
        (Value::Object(larger), Value::Object(smaller)) => {
            context.budget.steps(smaller.len() as u64)?;
            context.budget.descend()?;
            for (key, value) in smaller.iter() {
                let Some(found) = larger.get(key) else {
                    context.budget.ascend();
                    return Ok(Some(false));
                };
                if found != value && part(context, found, value)? != Some(true) {
                    context.budget.ascend();
                    return Ok(Some(false));
                }
            }
            context.budget.ascend();
            Ok(Some(true))
        }
        (Value::Set(larger), Value::Set(smaller)) => {
            context.budget.steps(smaller.len() as u64)?;
            Ok(Some(smaller.is_subset(larger)))
        }
        _ => match (value::elements(larger), value::elements(smaller)) {
            (Some(larger), Some(smaller)) => sequence(context, larger, smaller).map(Some),
            _ => Ok(None),
        },
    }
}

/// Whether elements stand in a row among others.
fn sequence(context: &mut Context<'_, '_>, larger: &[Value], smaller: &[Value]) -> Result<bool> {
    if smaller.is_empty() {
        return Ok(true);
    }
    for row in larger.windows(smaller.len()) {
        let same = row
            .iter()
            .zip(smaller)
            .take_while(|(one, other)| one == other);
        let same = same.count();
        context.budget.steps(1 + same as u64)?;
        if same == smaller.len() {
            return Ok(true);
        }
    }
    Ok(false)
}
