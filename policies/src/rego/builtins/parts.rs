//! Functions that give a part of what they get, or put parts together. Policies call these all the
//! time, so they copy no more than they have to, and what is inside stays as it is.

use std::collections::BTreeSet;

use super::{Context, Fault, Function, Result, integer, string, wrong_type};
use crate::rego::value::{self, Value};

pub(super) const FUNCTIONS: &[(&str, u8, Function)] = &[
    ("array.concat", 2, concat),
    ("array.slice", 3, slice),
    ("lower", 1, |context, operands| {
        cased(context, operands, lowered)
    }),
    ("substring", 3, substring),
    ("trim", 2, |context, operands| {
        trimmed(context, operands, |text, is_cut| text.trim_matches(is_cut))
    }),
    ("trim_left", 2, |context, operands| {
        trimmed(context, operands, |text, is_cut| {
            text.trim_start_matches(is_cut)
        })
    }),
    ("trim_prefix", 2, |context, operands| {
        let (text, prefix) = (string(operands, 0)?, string(operands, 1)?);
        context.charge_bytes(text.len())?;
        Ok(part(operands, text.strip_prefix(prefix)))
    }),
    ("trim_right", 2, |context, operands| {
        trimmed(context, operands, |text, is_cut| {
            text.trim_end_matches(is_cut)
        })
    }),
    ("trim_space", 1, |context, operands| {
        // What Go takes for white space is what Unicode does.
        let text = string(operands, 0)?;
        context.charge_bytes(text.len())?;
        Ok(shortened(operands, text, text.trim()))
    }),
    ("trim_suffix", 2, |context, operands| {
        let (text, suffix) = (string(operands, 0)?, string(operands, 1)?);
        context.charge_bytes(text.len())?;
        Ok(part(operands, text.strip_suffix(suffix)))
    }),
    ("union", 1, union),
    ("upper", 1, |context, operands| {
        cased(context, operands, raised)
    }),
];

fn array(operands: &[Value], at: usize) -> Result<&[Value]> {
    let operand = &operands[at];
    value::elements(operand).ok_or_else(|| wrong_type(at + 1, "array", operand))
}

fn concat(context: &mut Context<'_, '_>, operands: &[Value]) -> Result<Value> {
    let (first, second) = (array(operands, 0)?, array(operands, 1)?);
    if first.is_empty() {
        return Ok(operands[1].clone());
    }
    if second.is_empty() {
        return Ok(operands[0].clone());
    }
    context.charge_members(first.len() + second.len())?;
    Ok(Value::from([first, second].concat()))
}

fn slice(context: &mut Context<'_, '_>, operands: &[Value]) -> Result<Value> {
    let elements = array(operands, 0)?;
    let (start, stop) = (integer(operands, 1)?, integer(operands, 2)?);
    let within = |index: i64, length: usize| usize::try_from(index).unwrap_or(0).min(length);
    let stop = within(stop, elements.len());
    let start = within(start, stop);
    context.charge_members(stop - start)?;
    Ok(Value::from(elements[start..stop].to_vec()))
}

fn union(context: &mut Context<'_, '_>, operands: &[Value]) -> Result<Value> {
    let Value::Set(sets) = &operands[0] else {
        return Err(wrong_type(1, "set", &operands[0]));
    };
    let mut members = BTreeSet::new();
    for set in sets.iter() {
        let Value::Set(set) = set else {
            return Err(wrong_type(1, "set", set));
        };
        context.charge_members(set.len())?;
        members.extend(set.iter().cloned());
    }
    Ok(members.into())
}

/// Counts characters, as OPA does.
fn substring(context: &mut Context<'_, '_>, operands: &[Value]) -> Result<Value> {
    let text = string(operands, 0)?;
    let (start, length) = (integer(operands, 1)?, integer(operands, 2)?);
    let Ok(start) = usize::try_from(start) else {
        return Err(Fault::Value("negative offset".to_owned()));
    };
    let place = |text: &str, count: usize| {
        let found = text.char_indices().nth(count);
        found.map_or(text.len(), |(at, _)| at)
    };
    let rest = &text[place(text, start)..];
    let kept = match usize::try_from(length) {
        Ok(length) => &rest[..place(rest, length)],
        // Less than nothing is everything.
        Err(_) => rest,
    };
    context.charge_bytes(kept.len())?;
    Ok(Value::from(kept))
}

/// Cuts characters off a text.
type Trim = for<'t> fn(&'t str, &dyn Fn(char) -> bool) -> &'t str;

/// The first operand without characters of the second at its ends.
fn trimmed(context: &mut Context<'_, '_>, operands: &[Value], trim: Trim) -> Result<Value> {
    let (text, characters) = (string(operands, 0)?, string(operands, 1)?);
    context.charge_bytes(text.len() + 2 * size_of::<char>() * characters.len())?;
    let mut characters: Vec<char> = characters.chars().collect();
    // Each character of the text may be looked for among all of these.
    characters.sort_unstable();
    characters.dedup();
    let is_cut = |character: char| characters.binary_search(&character).is_ok();
    Ok(shortened(operands, text, trim(text, &is_cut)))
}

/// The first operand, which is this text, or what is left of it.
fn shortened(operands: &[Value], text: &str, rest: &str) -> Value {
    part(operands, (rest.len() < text.len()).then_some(rest))
}

/// A part of the first operand; without one, all of it.
fn part(operands: &[Value], part: Option<&str>) -> Value {
    part.map_or_else(|| operands[0].clone(), Value::from)
}

fn cased(
    context: &mut Context<'_, '_>,
    operands: &[Value],
    change: fn(char) -> char,
) -> Result<Value> {
    let text = string(operands, 0)?;
    context.charge_growing(text.len())?;
    if text.chars().all(|character| change(character) == character) {
        return Ok(operands[0].clone());
    }
    Ok(Value::from(text.chars().map(change).collect::<String>()))
}

/// Go changes one character at a time, into one.
fn lowered(character: char) -> char {
    // Of the one letter that has two in lower case, an I with a dot, the second is the dot.
    character.to_lowercase().next().unwrap_or(character)
}

fn raised(character: char) -> char {
    let mut upper = character.to_uppercase();
    match (character, upper.next(), upper.next()) {
        (_, Some(upper), None) => upper,
        // Greek letters with an iota below, for which there is one letter, and two in long.
        ('\u{1f80}'..='\u{1f87}' | '\u{1f90}'..='\u{1f97}' | '\u{1fa0}'..='\u{1fa7}', ..) => {
            char::from_u32(u32::from(character) + 8).unwrap_or(character)
        }
        ('\u{1fb3}' | '\u{1fc3}' | '\u{1ff3}', ..) => {
            char::from_u32(u32::from(character) + 9).unwrap_or(character)
        }
        _ => character,
    }
}
