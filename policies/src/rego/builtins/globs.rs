//! `regex.globs_match`: whether two simple expressions match a text in common.
//!
//! As OPA's library does it, step by step, because its answers are not always those of the
//! expressions' sets: it does not go back within a run of repeated elements.

use super::{Context, Fault, Function, Result, string};
use crate::rego::value::Value;

pub(super) const FUNCTIONS: &[(&str, u8, Function)] =
    &[("regex.globs_match", 2, |context, operands| {
        let (one, other) = (string(operands, 0)?, string(operands, 1)?);
        context.charge_members(2 * (one.len() + other.len()))?;
        let (one, other) = (glob(one)?, glob(other)?);
        let Some((one, other)) = trim(&one, &other) else {
            return Ok(Value::Bool(false));
        };
        intersect(context, one, other).map(Value::Bool)
    })];

/// An element of an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Token {
    kind: Kind,
    times: Times,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Character(char),
    Any,
    /// Characters in ranges, in order, that neither overlap nor touch.
    Set(Vec<(u32, u32)>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Times {
    Once,
    /// `+`
    Some,
    /// `*`
    Many,
}

impl Kind {
    /// Whether there is a character that both match. (Any character and an empty set do, here.)
    fn meets(&self, other: &Self) -> bool {
        let has = |set: &[(u32, u32)], character: char| {
            let character = u32::from(character);
            set.iter()
                .any(|(first, last)| (*first..=*last).contains(&character))
        };
        match (self, other) {
            (Self::Any, _) | (_, Self::Any) => true,
            (Self::Character(one), Self::Character(other)) => one == other,
            (Self::Character(one), Self::Set(set)) | (Self::Set(set), Self::Character(one)) => {
                has(set, *one)
            }
            (Self::Set(one), Self::Set(other)) => {
                let (mut one, mut other) = (one.iter().peekable(), other.iter().peekable());
                while let (Some((first, last)), Some((from, to))) = (one.peek(), other.peek()) {
                    if first <= to && from <= last {
                        return true;
                    }
                    // The range that ends first meets nothing that comes later.
                    if last < to {
                        one.next();
                    } else {
                        other.next();
                    }
                }
                false
            }
        }
    }
}

/// The elements of an expression. Of several like ones in a row that are repeated, one is left.
fn glob(text: &str) -> Result<Vec<Token>> {
    let mut tokens: Vec<Token> = Vec::new();
    let mut rest = text.chars();
    while let Some((character, escaped)) = next(&mut rest)? {
        let kind = match character {
            '.' if !escaped => Kind::Any,
            '[' if !escaped => set(&mut rest)?,
            ']' | '+' | '*' if !escaped => return Err(invalid(text)),
            character => Kind::Character(character),
        };
        let mut after = rest.clone();
        let times = match after.next() {
            Some('+') => Times::Some,
            Some('*') => Times::Many,
            _ => Times::Once,
        };
        if times != Times::Once {
            rest = after;
        }
        match tokens.last_mut() {
            Some(last)
                if last.times != Times::Once && times != Times::Once && last.kind == kind =>
            {
                if times == Times::Some {
                    last.times = times;
                }
            }
            _ => tokens.push(Token { kind, times }),
        }
    }
    Ok(tokens)
}

/// The next character, and whether a backslash stands before it.
fn next(rest: &mut std::str::Chars<'_>) -> Result<Option<(char, bool)>> {
    match rest.next() {
        Some('\\') => match rest.next() {
            Some(character) => Ok(Some((character, true))),
            None => Err(invalid("\\")),
        },
        character => Ok(character.map(|character| (character, false))),
    }
}

/// What follows `[`, up to its `]`.
fn set(rest: &mut std::str::Chars<'_>) -> Result<Kind> {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    let mut previous = None;
    loop {
        match next(rest)?.ok_or_else(|| invalid("["))? {
            (']', false) => break,
            ('-', false) => {
                let first = previous.take().ok_or_else(|| invalid("-"))?;
                // The last character of all cannot end a range: the set would have no end.
                if rest.as_str().chars().nth(1).is_none() {
                    return Err(invalid("-"));
                }
                match next(rest)?.ok_or_else(|| invalid("-"))? {
                    (']' | '-', false) => return Err(invalid("-")),
                    (last, _) if last < first => return Err(invalid("-")),
                    (last, _) => ranges.push((u32::from(first), u32::from(last))),
                }
            }
            (character, _) => {
                ranges.push((u32::from(character), u32::from(character)));
                previous = Some(character);
            }
        }
    }
    ranges.sort_unstable();
    let mut merged: Vec<(u32, u32)> = Vec::new();
    for (first, last) in ranges {
        match merged.last_mut() {
            Some((_, end)) if first <= end.saturating_add(1) => *end = last.max(*end),
            _ => merged.push((first, last)),
        }
    }
    Ok(Kind::Set(merged))
}

fn invalid(part: &str) -> Fault {
    Fault::Value(format!("the input provided is invalid: {part}"))
}

/// Both without what stands once at their beginnings and ends, but for one element. `None` if these
/// do not meet.
fn trim<'g>(one: &'g [Token], other: &'g [Token]) -> Option<(&'g [Token], &'g [Token])> {
    let is_plain = |token: &Token| token.times == Times::Once;
    let mut start = 0;
    while let (Some(left), Some(right)) = (one.get(start), other.get(start)) {
        if !is_plain(left) || !is_plain(right) {
            break;
        }
        if !left.kind.meets(&right.kind) {
            return None;
        }
        start += 1;
    }
    let (one, other) = (
        &one[start.saturating_sub(1)..],
        &other[start.saturating_sub(1)..],
    );
    let mut end = 0;
    for (left, right) in one.iter().rev().zip(other.iter().rev()) {
        if !is_plain(left) || !is_plain(right) {
            break;
        }
        if !left.kind.meets(&right.kind) {
            return None;
        }
        end += 1;
    }
    let end = usize::saturating_sub(end, 1);
    Some((&one[..one.len() - end], &other[..other.len() - end]))
}

fn intersect(context: &mut Context<'_, '_>, one: &[Token], other: &[Token]) -> Result<bool> {
    for (at, (left, right)) in one.iter().zip(other).enumerate() {
        context.budget.steps(1)?;
        if left.times == Times::Once && right.times == Times::Once {
            if !left.kind.meets(&right.kind) {
                return Ok(false);
            }
            continue;
        }
        let (one, other) = (&one[at..], &other[at..]);
        let (repeated, other) = match left.times {
            Times::Once => (other, one),
            _ => (one, other),
        };
        context.budget.descend()?;
        let found = match repeated[0].times {
            Times::Some => intersect_some(context, repeated, other),
            _ => intersect_many(context, repeated, other),
        };
        context.budget.ascend();
        return found;
    }
    Ok(one.len() == other.len())
}

/// The first element of the first takes at least one of the others, and may be taken itself.
fn intersect_some(
    context: &mut Context<'_, '_>,
    repeated: &[Token],
    other: &[Token],
) -> Result<bool> {
    if !repeated[0].kind.meets(&other[0].kind) {
        return Ok(false);
    }
    if intersect_many(context, repeated, &other[1..])? {
        return Ok(true);
    }
    Ok(other[0].times != Times::Once && intersect(context, &repeated[1..], other)?)
}

/// The first element of the first takes from the others until what follows it meets the rest.
fn intersect_many(
    context: &mut Context<'_, '_>,
    repeated: &[Token],
    other: &[Token],
) -> Result<bool> {
    for (at, token) in other.iter().enumerate() {
        context.budget.steps(1)?;
        if let Some(following) = repeated.get(1)
            && token.kind.meets(&following.kind)
            && intersect(context, &repeated[1..], &other[at..])?
        {
            return Ok(true);
        }
        if !token.kind.meets(&repeated[0].kind) {
            return Ok(false);
        }
    }
    Ok(repeated.len() == 1)
}
