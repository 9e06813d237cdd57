//! Regular expressions. regorus has these functions too, but copies an expression for every call,
//! and a copy learns anew what it matches.

use std::{cell::RefCell, collections::HashMap};

use regex::{Captures, Regex, RegexBuilder};

use super::{Context, Fault, Function, Result, integer, pattern, string};
use crate::rego::{execute::ErrorKind, value::Value};

pub(super) const FUNCTIONS: &[(&str, u8, Function)] = &[
    (
        "regex.find_all_string_submatch_n",
        3,
        find_all_string_submatch_n,
    ),
    ("regex.match", 2, |_, operands| {
        let (expression, text) = (string(operands, 0)?, string(operands, 1)?);
        with(expression, |regex| Ok(Value::Bool(regex.is_match(text))))
    }),
    ("regex.replace", 3, replace),
];

/// How many expressions a thread keeps. Policies have them as constants, mostly.
const MOST_KEPT: usize = 128;

/// Bytes of a compiled expression: enough for every pattern that people write, and compiled within
/// a millisecond.
const LARGEST: usize = 100 << 10;

/// Bytes that an expression may use to remember what it has matched, on each thread.
const LARGEST_MEMORY: usize = 256 << 10;

thread_local! {
    /// Compiled expressions, by their text in RE2's syntax.
    static KEPT: RefCell<HashMap<Box<str>, Regex>> = RefCell::default();
}

/// Calls a function with a compiled expression.
fn with<T>(expression: &str, call: impl FnOnce(&Regex) -> Result<T>) -> Result<T> {
    KEPT.with_borrow_mut(|kept| {
        if let Some(regex) = kept.get(expression) {
            return call(regex);
        }
        let regex = compile(expression)?;
        if kept.len() >= MOST_KEPT {
            kept.clear();
        }
        call(kept.entry(expression.into()).or_insert(regex))
    })
}

fn compile(expression: &str) -> Result<Regex> {
    RegexBuilder::new(&pattern::translate(expression)?)
        .size_limit(LARGEST)
        .dfa_size_limit(LARGEST_MEMORY)
        .build()
        .map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => {
                let (name, reason) = ("regex", "the expression is too large");
                Fault::Ends(ErrorKind::Refused { name, reason }.into())
            }
            _ => Fault::Value("error parsing regexp".to_owned()),
        })
}

fn replace(context: &mut Context<'_, '_>, operands: &[Value]) -> Result<Value> {
    let (text, expression) = (string(operands, 0)?, string(operands, 1)?);
    let replacement = string(operands, 2)?;
    with(expression, |regex| {
        let mut result = String::with_capacity(text.len());
        let mut end = 0;
        for captures in regex.captures_iter(text) {
            let before = result.len();
            let matched = captures.get_match();
            result.push_str(&text[end..matched.start()]);
            captures.expand(replacement, &mut result);
            end = matched.end();
            context.charge_bytes(result.len() - before)?;
        }
        if end == 0 && result.is_empty() {
            return Ok(operands[0].clone());
        }
        result.push_str(&text[end..]);
        Ok(Value::from(result))
    })
}

/// Every match with its groups; of less than nothing, all matches.
fn find_all_string_submatch_n(context: &mut Context<'_, '_>, operands: &[Value]) -> Result<Value> {
    let (expression, text) = (string(operands, 0)?, string(operands, 1)?);
    let count = usize::try_from(integer(operands, 2)?).unwrap_or(usize::MAX);
    with(expression, |regex| {
        let mut matches = Vec::new();
        for captures in regex.captures_iter(text).take(count) {
            context.charge_members(captures.len() + 1)?;
            matches.push(groups(&captures));
        }
        Ok(Value::from(matches))
    })
}

/// A group that is not there is empty.
fn groups(captures: &Captures<'_>) -> Value {
    let texts = captures
        .iter()
        .map(|group| Value::from(group.map_or("", |group| group.as_str())));
    let groups: Vec<Value> = texts.collect();
    Value::from(groups)
}
