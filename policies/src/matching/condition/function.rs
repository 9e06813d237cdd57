//! Functions, with CEL's meaning. Positions in a text are those of its characters.

use super::{
    evaluate::{Evaluation, Fault, Found, Result, failed},
    operator,
    term::Function,
};
use crate::rego::value::{self, Value, number};

/// Calls a function with the number of arguments that [`Function::find`] asked for.
pub(super) fn call(
    function: Function,
    arguments: &[Found],
    evaluation: &mut Evaluation<'_>,
) -> Result<Found> {
    if let Some(found) = optional(function, arguments) {
        return found;
    }
    let mut values = Vec::with_capacity(arguments.len());
    for argument in arguments {
        match argument {
            Found::Plain(value) => values.push(value),
            Found::Optional(_) => return failed("an optional is the argument of a function"),
        }
    }
    let budget = &mut *evaluation.budget;
    for value in &values {
        if let Value::String(text) = value {
            // It may be copied character by character.
            budget.bytes(text.len() as u64)?;
            budget.charge(4 * text.len() as u64)?;
        }
    }
    let found = match function {
        Function::Size => size(values[0])?,
        Function::ToString => operator::to_text(values[0])?,
        Function::ToInt => operator::to_integer(values[0])?,
        Function::ToDouble => operator::to_double(values[0])?,
        Function::SetsContains => Value::Bool(contains_all(values[0], values[1], evaluation)?),
        Function::SetsIntersects => Value::Bool(intersects(values[0], values[1], evaluation)?),
        Function::SetsEquivalent => Value::Bool(
            contains_all(values[0], values[1], evaluation)?
                && contains_all(values[1], values[0], evaluation)?,
        ),
        Function::Join => join(&values, evaluation)?,
        Function::Matches => {
            let (text, pattern) = (text(values[0])?, text(values[1])?);
            let operands = [Value::from(pattern), Value::from(text)];
            let now = evaluation.request.now.as_nanosecond();
            operator::call("regex.match", &operands, now, evaluation.budget)?
        }
        _ => of_text(function, &values, evaluation)?,
    };
    Ok(Found::Plain(found))
}

/// The functions of optionals; `None` for another function.
fn optional(function: Function, arguments: &[Found]) -> Option<Result<Found>> {
    let (Function::OrValue | Function::Or | Function::HasValue | Function::Value) = function else {
        return None;
    };
    let [Found::Optional(own), rest @ ..] = arguments else {
        return Some(failed("a value is asked like an optional"));
    };
    Some(match (function, own, rest) {
        (Function::HasValue, own, _) => Ok(Found::Plain(Value::Bool(own.is_some()))),
        (Function::OrValue | Function::Value, Some(own), _) => Ok(Found::Plain(own.clone())),
        (Function::OrValue, None, [other @ Found::Plain(_)])
        | (Function::Or, None, [other @ Found::Optional(_)]) => Ok(other.clone()),
        (Function::Or, Some(_), [Found::Optional(_)]) => Ok(Found::Optional(own.clone())),
        (Function::Value, None, _) => failed("an optional has no value"),
        _ => failed("`or` and `orValue` are given something else"),
    })
}

fn text(value: &Value) -> Result<&str> {
    match value {
        Value::String(text) => Ok(text),
        other => failed(format!(
            "{} stands where a string is needed",
            operator::kind(other)
        )),
    }
}

fn integer(value: &Value) -> Result<i64> {
    match number::as_i64(value) {
        Some(integer) if !number::is_written_as_fraction(value) => Ok(integer),
        _ => failed(format!(
            "{} stands where an integer is needed",
            operator::kind(value)
        )),
    }
}

fn list(value: &Value) -> Result<&[Value]> {
    value::elements(value).map_or_else(
        || {
            failed(format!(
                "{} stands where a list is needed",
                operator::kind(value)
            ))
        },
        Ok,
    )
}

fn count(count: usize) -> Value {
    Value::from(i64::try_from(count).unwrap_or(i64::MAX))
}

fn size(value: &Value) -> Result<Value> {
    Ok(count(match value {
        Value::String(text) => text.chars().count(),
        Value::Object(members) => members.len(),
        other => list(other)?.len(),
    }))
}

fn contains_all(whole: &Value, part: &Value, evaluation: &mut Evaluation<'_>) -> Result<bool> {
    list(whole)?;
    for one in list(part)? {
        if !operator::is_in(one, whole, evaluation.budget)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn intersects(left: &Value, right: &Value, evaluation: &mut Evaluation<'_>) -> Result<bool> {
    list(right)?;
    for one in list(left)? {
        if operator::is_in(one, right, evaluation.budget)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn join(values: &[&Value], evaluation: &mut Evaluation<'_>) -> Result<Value> {
    let parts = list(values[0])?.iter().map(text);
    let parts = parts.collect::<Result<Vec<_>>>()?;
    let between = values.get(1).map_or(Ok(""), |between| text(between))?;
    let size: usize = parts.iter().map(|part| part.len() + between.len()).sum();
    evaluation.budget.bytes(size as u64)?;
    evaluation.budget.charge(size as u64)?;
    Ok(Value::from(parts.join(between).as_str()))
}

/// The functions whose first argument is a text.
fn of_text(
    function: Function,
    values: &[&Value],
    evaluation: &mut Evaluation<'_>,
) -> Result<Value> {
    let own = text(values[0])?;
    let other = || text(values[1]);
    Ok(match function {
        Function::Contains => Value::Bool(own.contains(other()?)),
        Function::StartsWith => Value::Bool(own.starts_with(other()?)),
        Function::EndsWith => Value::Bool(own.ends_with(other()?)),
        Function::LowerAscii => Value::from(own.to_ascii_lowercase().as_str()),
        Function::UpperAscii => Value::from(own.to_ascii_uppercase().as_str()),
        Function::Trim => Value::from(own.trim()),
        Function::IndexOf => found_at(own, own.find(other()?)),
        Function::LastIndexOf => found_at(own, own.rfind(other()?)),
        Function::CharAt => {
            let at = integer(values[1])?;
            part(own, at, Some(at.saturating_add(1)))?
        }
        Function::Substring => {
            let end = values.get(2).map(|end| integer(end)).transpose()?;
            let start = integer(values[1])?;
            if start > end.unwrap_or(i64::MAX) {
                return failed("a part of a text ends before it begins");
            }
            let length = i64::try_from(own.chars().count()).unwrap_or(i64::MAX);
            if end.unwrap_or(length) > length {
                return failed("a part of a text ends behind it");
            }
            part(own, start, end)?
        }
        Function::Replace => replace(own, values, evaluation)?,
        Function::Split => split(own, values, evaluation)?,
        _ => return Err(Fault::Failed("it is no function of a text".to_owned())),
    })
}

/// Where something begins, by characters, or -1.
fn found_at(own: &str, byte: Option<usize>) -> Value {
    byte.map_or_else(
        || Value::from(-1_i64),
        |byte| count(own[..byte].chars().count()),
    )
}

/// The characters from one on and before another; an end behind the last is the last.
fn part(own: &str, start: i64, end: Option<i64>) -> Result<Value> {
    let length = own.chars().count();
    let place = |at: i64| usize::try_from(at).ok();
    match place(start) {
        Some(start) if start <= length => {
            let end = end.and_then(place).unwrap_or(length).min(length);
            let part: String = own
                .chars()
                .skip(start)
                .take(end.saturating_sub(start))
                .collect();
            Ok(Value::from(part.as_str()))
        }
        _ => failed("a text has no character at this place"),
    }
}

/// How often at most, where the argument at `at` says so; below nought is without end.
fn limit(values: &[&Value], at: usize) -> Result<Option<usize>> {
    let Some(limit) = values.get(at) else {
        return Ok(None);
    };
    Ok(usize::try_from(integer(limit)?).ok())
}

fn replace(own: &str, values: &[&Value], evaluation: &mut Evaluation<'_>) -> Result<Value> {
    let (old, new) = (text(values[1])?, text(values[2])?);
    let limit = limit(values, 3)?.unwrap_or(usize::MAX);
    let times = own.matches(old).take(limit).count();
    let size = (own.len() + times.saturating_mul(new.len())) as u64;
    evaluation.budget.bytes(size)?;
    evaluation.budget.charge(size)?;
    Ok(Value::from(own.replacen(old, new, limit).as_str()))
}

fn split(own: &str, values: &[&Value], evaluation: &mut Evaluation<'_>) -> Result<Value> {
    let between = text(values[1])?;
    let limit = limit(values, 2)?;
    let parts: Vec<&str> = match (limit, between.is_empty()) {
        (Some(0), _) => Vec::new(),
        (limit, true) => characters(own, limit),
        (None, false) => own.split(between).collect(),
        (Some(limit), false) => own.splitn(limit, between).collect(),
    };
    evaluation.budget.charge(48 * parts.len() as u64)?;
    let parts: Vec<Value> = parts.into_iter().map(Value::from).collect();
    Ok(Value::from(parts))
}

/// Each character by itself; the last of `limit` parts is what is left.
fn characters(own: &str, limit: Option<usize>) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = own;
    while let Some(first) = rest.chars().next() {
        if limit.is_some_and(|limit| parts.len() + 1 >= limit) {
            parts.push(rest);
            return parts;
        }
        let (part, behind) = rest.split_at(first.len_utf8());
        parts.push(part);
        rest = behind;
    }
    parts
}
