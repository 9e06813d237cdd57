//! Regular expressions. What is compiled once stays so: a copy would learn anew what it matches.

use std::{cell::RefCell, collections::HashMap};

use regex::{Captures, Regex, RegexBuilder};

use super::{Context, Fault, Function, Result, integer, pattern, refused, string};
use crate::rego::value::Value;

pub(super) const FUNCTIONS: &[(&str, u8, Function)] = &[
    // The name that `regex.match` had.
    ("re_match", 2, is_match),
    (
        "regex.find_all_string_submatch_n",
        3,
        find_all_string_submatch_n,
    ),
    ("regex.find_n", 3, find_n),
    ("regex.is_valid", 1, |_, operands| {
        let Ok(expression) = string(operands, 0) else {
            return Ok(Value::Bool(false));
        };
        match with(expression, |_| Ok(())) {
            Ok(()) => Ok(Value::Bool(true)),
            Err(Fault::Value(_)) => Ok(Value::Bool(false)),
            Err(fault) => Err(fault),
        }
    }),
    ("regex.match", 2, is_match),
    ("regex.replace", 3, replace),
    ("regex.split", 2, split),
    ("regex.template_match", 4, template_match),
];

fn is_match(_: &mut Context<'_, '_>, operands: &[Value]) -> Result<Value> {
    let (expression, text) = (string(operands, 0)?, string(operands, 1)?);
    with(expression, |regex| Ok(Value::Bool(regex.is_match(text))))
}

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
                // OPA has no such limit, and an answer.
                refused("regex", "the expression is too large")
            }
            // Categories and scripts that Rust does not have.
            _ if expression.contains("\\p") || expression.contains("\\P") => {
                refused("regex", "a class of Unicode's is not known")
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

/// The texts of so many matches; of less than nothing, of all.
fn find_n(context: &mut Context<'_, '_>, operands: &[Value]) -> Result<Value> {
    let (expression, text) = (string(operands, 0)?, string(operands, 1)?);
    let count = usize::try_from(integer(operands, 2)?).unwrap_or(usize::MAX);
    with(expression, |regex| {
        let mut matches = Vec::new();
        for found in regex.find_iter(text).take(count) {
            context.charge_members(1)?;
            context.charge_bytes(found.len())?;
            matches.push(Value::from(found.as_str()));
        }
        Ok(Value::from(matches))
    })
}

/// Splits as Go does, which has no piece before an empty match at the beginning, or behind one at
/// the end.
fn split(context: &mut Context<'_, '_>, operands: &[Value]) -> Result<Value> {
    let (expression, text) = (string(operands, 0)?, string(operands, 1)?);
    with(expression, |regex| {
        if text.is_empty() && !expression.is_empty() {
            return Ok(Value::from(vec![Value::from("")]));
        }
        let mut pieces = Vec::new();
        let (mut begin, mut end) = (0, 0);
        for found in regex.find_iter(text) {
            end = found.start();
            if found.end() != 0 {
                context.charge_members(1)?;
                pieces.push(Value::from(&text[begin..end]));
            }
            begin = found.end();
        }
        context.charge_bytes(text.len())?;
        if end != text.len() {
            pieces.push(Value::from(&text[begin..]));
        }
        Ok(Value::from(pieces))
    })
}

/// Matches a template, whose expressions stand between delimiters, as Go's mux does.
fn template_match(_: &mut Context<'_, '_>, operands: &[Value]) -> Result<Value> {
    let (template, text) = (string(operands, 0)?, string(operands, 1)?);
    let delimiters = [string(operands, 2)?, string(operands, 3)?];
    let (expression, parts) = pattern::template(template, delimiters)?;
    for part in parts {
        with(&format!("^{part}$"), |_| Ok(()))?;
    }
    with(&expression, |regex| Ok(Value::Bool(regex.is_match(text))))
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
