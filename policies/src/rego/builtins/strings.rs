//! Functions of strings.

use super::{
    Context, Fault, Function, Result, integer, member_count, members, refused, string, wrong_type,
};
use crate::rego::{
    execute::VALUE_SIZE,
    value::{self, Value, number},
};

pub(super) const FUNCTIONS: &[(&str, u8, Function)] = &[
    ("concat", 2, concat),
    ("contains", 2, |_, operands| {
        Ok(Value::Bool(
            string(operands, 0)?.contains(string(operands, 1)?),
        ))
    }),
    ("endswith", 2, |_, operands| {
        Ok(Value::Bool(
            string(operands, 0)?.ends_with(string(operands, 1)?),
        ))
    }),
    ("format_int", 2, format_int),
    ("indexof", 2, |context, operands| {
        let first = places(context, operands, 1)?.pop();
        Ok(first.unwrap_or_else(|| Value::from(-1)))
    }),
    ("indexof_n", 2, |context, operands| {
        places(context, operands, usize::MAX).map(Value::from)
    }),
    ("replace", 3, replace),
    ("split", 2, split),
    ("strings.replace_n", 2, replace_n),
    // A note for whoever traces the evaluation, which nobody does here.
    ("trace", 1, |_, operands| {
        string(operands, 0).map(|_| Value::Bool(true))
    }),
    ("startswith", 2, |_, operands| {
        Ok(Value::Bool(
            string(operands, 0)?.starts_with(string(operands, 1)?),
        ))
    }),
    ("strings.any_prefix_match", 2, |context, operands| {
        any_match(context, operands, |text, affix| text.starts_with(affix))
    }),
    ("strings.any_suffix_match", 2, |context, operands| {
        any_match(context, operands, |text, affix| text.ends_with(affix))
    }),
    ("strings.count", 2, |_, operands| {
        let (text, part) = (string(operands, 0)?, string(operands, 1)?);
        let count = match part {
            "" => text.chars().count() + 1,
            part => text.matches(part).count(),
        };
        Ok(Value::from(count))
    }),
    ("strings.reverse", 1, |context, operands| {
        let text = string(operands, 0)?;
        context.charge_bytes(text.len())?;
        Ok(Value::from(text.chars().rev().collect::<String>()))
    }),
    ("strings.split_n", 3, |context, operands| {
        let Value::Array(parts) = split(context, operands)? else {
            return Ok(Value::Undefined);
        };
        let parts = parts.as_slice();
        let count = integer(operands, 2)?;
        let wanted = usize::try_from(count.unsigned_abs())
            .unwrap_or(usize::MAX)
            .min(parts.len());
        let kept = if count < 0 {
            &parts[parts.len() - wanted..]
        } else {
            &parts[..wanted]
        };
        Ok(Value::from(kept.to_vec()))
    }),
];

/// The first places where a text has a part, in characters. One can be within another.
fn places(context: &mut Context<'_, '_>, operands: &[Value], most: usize) -> Result<Vec<Value>> {
    let (text, part) = (string(operands, 0)?, string(operands, 1)?);
    if part.is_empty() {
        return Err(Fault::Value("empty search character".to_owned()));
    }
    let (mut rest, mut before) = (text, 0);
    let mut places = Vec::new();
    context.charge_bytes(text.len())?;
    while let Some(at) = rest.find(part).filter(|_| places.len() < most) {
        // To look for a part takes as long as the part is.
        context.charge_bytes(part.len())?;
        context.charge_members(1)?;
        let (skipped, found) = rest.split_at(at);
        before += skipped.chars().count();
        places.push(Value::from(before));
        let mut characters = found.chars();
        characters.next();
        (rest, before) = (characters.as_str(), before + 1);
    }
    Ok(places)
}

/// Whether one of some texts begins or ends with one of others.
fn any_match(
    context: &mut Context<'_, '_>,
    operands: &[Value],
    matches: fn(&str, &str) -> bool,
) -> Result<Value> {
    for operand in operands {
        room_for_texts(context, operand)?;
    }
    let (searched, affixes) = (texts(operands, 0)?, texts(operands, 1)?);
    let mut found = false;
    for text in searched {
        context.budget.steps(affixes.len() as u64)?;
        for affix in &affixes {
            context.budget.text(affix)?;
            found = found || matches(text, affix);
        }
    }
    Ok(Value::Bool(found))
}

/// Lists of texts are there while they are gone through.
fn room_for_texts(context: &Context<'_, '_>, operand: &Value) -> Result<()> {
    let count = member_count(operand) as u64;
    Ok(context.budget.room(2 * VALUE_SIZE * count)?)
}

/// A text, or those of an array or a set.
fn texts(operands: &[Value], at: usize) -> Result<Vec<&str>> {
    if let Value::String(text) = &operands[at] {
        return Ok(vec![text]);
    }
    let members = members(operands, at)
        .map_err(|_| wrong_type(at + 1, "one of {string, set, array}", &operands[at]))?;
    let text = |member: &&Value| member.as_string().is_ok();
    if let Some(other) = members.iter().find(|member| !text(member)) {
        let (kind, found) = (value::kind(&operands[at]).name(), value::kind(other).name());
        return Err(Fault::Type(format!(
            "operand {} must be {kind} of strings but got {kind} containing {found}",
            at + 1
        )));
    }
    let texts = members
        .into_iter()
        .filter_map(|member| member.as_string().ok());
    Ok(texts.map(|text| &**text).collect())
}

fn concat(context: &mut Context<'_, '_>, operands: &[Value]) -> Result<Value> {
    let separator = string(operands, 0)?;
    let members = members(operands, 1)?;
    let mut length = 0;
    for member in &members {
        let Value::String(part) = member else {
            let kind = value::kind(&operands[1]).name();
            let found = value::kind(member).name();
            return Err(Fault::Type(format!(
                "operand 2 must be {kind} of strings but got {kind} containing {found}"
            )));
        };
        length += part.len() + separator.len();
    }
    context.charge_bytes(length)?;
    let mut joined = String::with_capacity(length);
    for (at, member) in members.into_iter().enumerate() {
        joined.push_str(if at > 0 { separator } else { "" });
        joined.push_str(member.as_string().map_or("", |part| part));
    }
    Ok(Value::from(joined))
}

/// Splits as Go does: by nothing into characters, without an empty one at either end.
fn split(context: &mut Context<'_, '_>, operands: &[Value]) -> Result<Value> {
    let (text, separator) = (string(operands, 0)?, string(operands, 1)?);
    let count = match separator {
        "" => text.chars().count(),
        separator => text.matches(separator).count() + 1,
    };
    // Each part is a text of its own.
    context.charge_members(2 * count)?;
    context.charge_bytes(text.len())?;
    let parts: Vec<Value> = match separator {
        "" => text
            .char_indices()
            .map(|(at, character)| Value::from(&text[at..at + character.len_utf8()]))
            .collect(),
        separator => text.split(separator).map(Value::from).collect(),
    };
    Ok(Value::from(parts))
}

fn replace(context: &mut Context<'_, '_>, operands: &[Value]) -> Result<Value> {
    let text = string(operands, 0)?;
    let (old, new) = (string(operands, 1)?, string(operands, 2)?);
    if old.is_empty() && !new.is_empty() && !text.is_ascii() {
        return Err(between_bytes("replace"));
    }
    let places = match old {
        "" => text.chars().count() + 1,
        old => text.matches(old).count(),
    };
    let length = text.len().saturating_add(places.saturating_mul(new.len()));
    context.charge_growing(length)?;
    Ok(Value::from(text.replace(old, new)))
}

/// Go replaces nothing between all bytes, and has a string that is no UTF-8.
fn between_bytes(name: &'static str) -> Fault {
    refused(name, "the bytes of a character are parted")
}

/// At every place the first pattern that matches, in the order of the patterns.
fn replace_n(context: &mut Context<'_, '_>, operands: &[Value]) -> Result<Value> {
    let Value::Object(patterns) = &operands[0] else {
        return Err(wrong_type(1, "object", &operands[0]));
    };
    room_for_texts(context, &operands[0])?;
    let mut pairs = Vec::with_capacity(patterns.len());
    for pair in value::order::entries(patterns) {
        match pair {
            (Value::String(old), Value::String(new)) => pairs.push((&**old, &**new)),
            (Value::String(_), _) => {
                return Err(Fault::Type(
                    "operand 1 non-string value found in pattern object".to_owned(),
                ));
            }
            _ => {
                return Err(Fault::Type(
                    "operand 1 non-string key found in pattern object".to_owned(),
                ));
            }
        }
    }
    let mut rest = string(operands, 1)?;
    context.charge_growing(rest.len())?;
    let mut result = String::new();
    // What matches nothing matches once at a place.
    let mut was_empty = false;
    loop {
        context.budget.steps(pairs.len() as u64)?;
        let mut found = None;
        for pair @ (old, _) in &pairs {
            context.budget.text(old)?;
            if rest.starts_with(old) && !(was_empty && old.is_empty()) {
                found = Some(pair);
                break;
            }
        }
        was_empty = found.is_some_and(|(old, _)| old.is_empty());
        if let Some((old, new)) = found {
            context.charge_growing(new.len())?;
            result.push_str(new);
            rest = &rest[old.len()..];
        } else if let Some(character) = rest.chars().next() {
            let parts = pairs.iter().find(|(old, _)| old.is_empty());
            if !character.is_ascii() && parts.is_some_and(|(_, new)| !new.is_empty()) {
                return Err(between_bytes("strings.replace_n"));
            }
            result.push(character);
            rest = &rest[character.len_utf8()..];
        } else {
            return Ok(Value::from(result));
        }
    }
}

fn format_int(_: &mut Context<'_, '_>, operands: &[Value]) -> Result<Value> {
    let decimal =
        number::Decimal::of(&operands[0]).ok_or_else(|| wrong_type(1, "number", &operands[0]))?;
    if !number::is_number(&operands[1]) {
        return Err(wrong_type(2, "number", &operands[1]));
    }
    // OPA compares how it is written: `10.0` is none.
    let base = match number::as_i64(&operands[1]) {
        Some(base @ (2 | 8 | 10 | 16)) if !number::is_written_as_fraction(&operands[1]) => {
            base.unsigned_abs()
        }
        _ => {
            return Err(Fault::Type(
                "operand 2 must be one of {2, 8, 10, 16}".to_owned(),
            ));
        }
    };
    let integer = decimal
        .to_integer()
        .unwrap_or_else(|| value::float::Float::nearest(&decimal).truncate());
    let radix = u32::try_from(base).unwrap_or(10);
    Ok(Value::from(integer.to_str_radix(radix)))
}
