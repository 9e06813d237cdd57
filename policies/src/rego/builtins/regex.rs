//! Regular expressions. What is compiled once stays so: a copy would learn anew what it matches.

mod long;

use std::{cell::RefCell, collections::HashMap};

use regex_automata::{
    Anchored, Input,
    meta::Regex,
    util::{captures::Captures, syntax},
};

use self::long::{Automata, Matches, Place};
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
    ("regex.is_valid", 1, |context, operands| {
        let Ok(expression) = string(operands, 0) else {
            return Ok(Value::Bool(false));
        };
        match with(context, expression, |_, _| Ok(())) {
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

fn is_match(context: &mut Context<'_, '_>, operands: &[Value]) -> Result<Value> {
    let (expression, text) = (string(operands, 0)?, string(operands, 1)?);
    with(context, expression, |context, regex| {
        regex.is_match(context, text).map(Value::Bool)
    })
}

/// How many expressions a thread keeps. Policies have them as constants, mostly.
const MOST_KEPT: usize = 128;

/// Bytes of a compiled expression: enough for every pattern that people write, and compiled within
/// a millisecond.
const LARGEST: usize = 100 << 10;

/// Bytes that it takes for a moment to compile a byte of an expression: nodes of its tree, ranges of
/// characters, states.
const COMPILING_A_BYTE: u64 = 192;

/// The same of a class of Unicode's, of which some have seven hundred ranges, in small and capital
/// letters.
const COMPILING_A_CLASS: u64 = 32 << 10;

/// Bytes that an expression may use to remember what it has matched, on each thread.
const LARGEST_MEMORY: usize = 256 << 10;

/// Bytes from which on a text is long. One that is shorter takes a tenth of a second at worst.
const LONG: usize = 8 << 10;

/// States of an expression, for itself and for each of its groups, times bytes of a match whose groups
/// are looked for: half a second at worst, which nobody can interrupt.
const MOST_WORK: usize = 1 << 28;

thread_local! {
    /// Compiled expressions, by their text in RE2's syntax.
    static KEPT: RefCell<HashMap<Box<str>, Expression>> = RefCell::default();
}

/// A compiled expression.
#[derive(Debug)]
struct Expression {
    /// In Rust's syntax.
    text: String,
    regex: Regex,
    /// For long texts, once there was one.
    automata: Option<Automata>,
}

/// Calls a function with a compiled expression.
fn with<'x, 'q, T>(
    context: &mut Context<'x, 'q>,
    expression: &str,
    call: impl FnOnce(&mut Context<'x, 'q>, &mut Expression) -> Result<T>,
) -> Result<T> {
    KEPT.with_borrow_mut(|kept| {
        if let Some(known) = kept.get_mut(expression) {
            return call(context, known);
        }
        let compiled = Expression::new(context, expression)?;
        if kept.len() >= MOST_KEPT {
            kept.clear();
        }
        call(context, kept.entry(expression.into()).or_insert(compiled))
    })
}

impl Expression {
    fn new(context: &Context<'_, '_>, expression: &str) -> Result<Self> {
        if expression.len() > LARGEST {
            // It is not smaller when it is compiled, and takes seconds to find that out.
            return Err(too_large());
        }
        let text = pattern::translate(expression)?;
        let classes = text.matches("\\p").count() + text.matches("\\P").count();
        let bytes = text.len() as u64 * COMPILING_A_BYTE + classes as u64 * COMPILING_A_CLASS;
        context.budget.room(bytes)?;
        let config = Regex::config()
            .nfa_size_limit(Some(LARGEST))
            .hybrid_cache_capacity(LARGEST_MEMORY);
        let built = Regex::builder()
            .configure(config)
            .syntax(syntax::Config::new())
            .build(&text);
        let regex = built.map_err(|error| {
            if error.size_limit().is_some() {
                too_large()
            } else if expression.contains("\\p") || expression.contains("\\P") {
                // Categories and scripts that Rust does not have.
                refused("regex", "a class of Unicode's is not known")
            } else {
                Fault::Value("error parsing regexp".to_owned())
            }
        })?;
        Ok(Self {
            text,
            regex,
            automata: None,
        })
    }

    /// What searches a long text; `None` for one that is not. Accounts for a look at the text.
    fn automata(
        &mut self,
        context: &mut Context<'_, '_>,
        text: &str,
    ) -> Result<Option<&mut Automata>> {
        context.budget.steps(text.len() as u64 / 8)?;
        if text.len() <= LONG {
            return Ok(None);
        }
        if self.automata.is_none() {
            self.automata = Some(Automata::new(&self.text)?);
        }
        Ok(self.automata.as_mut())
    }

    fn is_match(&mut self, context: &mut Context<'_, '_>, text: &str) -> Result<bool> {
        match self.automata(context, text)? {
            Some(automata) => automata.is_match(context, text),
            None => Ok(self.regex.is_match(text)),
        }
    }

    /// Visits the first matches.
    fn each(
        &mut self,
        context: &mut Context<'_, '_>,
        text: &str,
        count: usize,
        mut visit: impl FnMut(&mut Context<'_, '_>, Place) -> Result<()>,
    ) -> Result<()> {
        if let Some(automata) = self.automata(context, text)? {
            let mut matches = Matches::new(automata, text);
            for _ in 0..count {
                match matches.next(context)? {
                    Some(place) => visit(context, place)?,
                    None => break,
                }
            }
            return Ok(());
        }
        let mut found = self.regex.find_iter(text).take(count);
        found.try_for_each(|found| {
            let (start, end) = (found.start(), found.end());
            visit(context, Place { start, end })
        })
    }

    /// Visits the first matches with their groups.
    fn each_with_groups(
        &mut self,
        context: &mut Context<'_, '_>,
        text: &str,
        count: usize,
        mut visit: impl FnMut(&mut Context<'_, '_>, &Captures) -> Result<()>,
    ) -> Result<()> {
        if self.automata(context, text)?.is_none() {
            let mut found = self.regex.captures_iter(text).take(count);
            return found.try_for_each(|captures| visit(context, &captures));
        }
        let mut captures = self.regex.create_captures();
        let regex = self.regex.clone();
        let states = self.automata.as_ref().map_or(0, Automata::states);
        // For each group, each state remembers where it began.
        let states = states.saturating_mul(regex.captures_len());
        self.each(context, text, count, |context, place| {
            let work = states.saturating_mul(place.end - place.start);
            if work > MOST_WORK {
                let reason = "the expression is too large for the groups of so long a match";
                return Err(refused("regex", reason));
            }
            context.budget.steps(work as u64 / 64)?;
            // The groups of the match that is here, and of no other one.
            let range = Input::new(text).range(place.start..place.end);
            regex.search_captures(&range.anchored(Anchored::Yes), &mut captures);
            visit(context, &captures)
        })
    }
}

/// OPA has no such limit, and an answer.
fn too_large() -> Fault {
    refused("regex", "the expression is too large")
}

fn replace(context: &mut Context<'_, '_>, operands: &[Value]) -> Result<Value> {
    let (text, expression) = (string(operands, 0)?, string(operands, 1)?);
    let replacement = string(operands, 2)?;
    let named = replacement.bytes().filter(|byte| *byte == b'$').count();
    with(context, expression, |context, regex| {
        let mut result = String::new();
        let mut end = 0;
        let mut is_found = false;
        regex.each_with_groups(context, text, usize::MAX, |context, captures| {
            let Some(matched) = captures.get_match() else {
                return Ok(());
            };
            is_found = true;
            let skipped = &text[end..matched.start()];
            // No group is longer than the match.
            let groups = named.saturating_mul(matched.len());
            context.charge_growing(skipped.len() + replacement.len().saturating_add(groups))?;
            result.push_str(skipped);
            captures.interpolate_string_into(text, replacement, &mut result);
            end = matched.end();
            Ok(())
        })?;
        if !is_found {
            return Ok(operands[0].clone());
        }
        context.charge_growing(text.len() - end)?;
        result.push_str(&text[end..]);
        Ok(Value::from(result))
    })
}

/// The texts of so many matches; of less than nothing, of all.
fn find_n(context: &mut Context<'_, '_>, operands: &[Value]) -> Result<Value> {
    let (expression, text) = (string(operands, 0)?, string(operands, 1)?);
    let count = usize::try_from(integer(operands, 2)?).unwrap_or(usize::MAX);
    with(context, expression, |context, regex| {
        let mut matches = Vec::new();
        regex.each(context, text, count, |context, Place { start, end }| {
            context.charge_members(2)?;
            context.charge_bytes(end - start)?;
            matches.push(Value::from(&text[start..end]));
            Ok(())
        })?;
        Ok(Value::from(matches))
    })
}

/// Splits as Go does, which has no piece before an empty match at the beginning, or behind one at
/// the end.
fn split(context: &mut Context<'_, '_>, operands: &[Value]) -> Result<Value> {
    let (expression, text) = (string(operands, 0)?, string(operands, 1)?);
    with(context, expression, |context, regex| {
        if text.is_empty() && !expression.is_empty() {
            return Ok(Value::from(vec![Value::from("")]));
        }
        let mut pieces = Vec::new();
        let (mut begin, mut last) = (0, 0);
        regex.each(
            context,
            text,
            usize::MAX,
            |context, Place { start, end }| {
                last = start;
                if end != 0 {
                    context.charge_members(2)?;
                    pieces.push(Value::from(&text[begin..last]));
                }
                begin = end;
                Ok(())
            },
        )?;
        context.charge_bytes(text.len())?;
        if last != text.len() {
            pieces.push(Value::from(&text[begin..]));
        }
        Ok(Value::from(pieces))
    })
}

/// Matches a template, whose expressions stand between delimiters, as Go's mux does.
fn template_match(context: &mut Context<'_, '_>, operands: &[Value]) -> Result<Value> {
    let (template, text) = (string(operands, 0)?, string(operands, 1)?);
    let delimiters = [string(operands, 2)?, string(operands, 3)?];
    let (expression, parts) = pattern::template(template, delimiters)?;
    for part in parts {
        // Each of them is compiled.
        context.budget.steps(1 + part.len() as u64)?;
        with(context, &format!("^{part}$"), |_, _| Ok(()))?;
    }
    with(context, &expression, |context, regex| {
        regex.is_match(context, text).map(Value::Bool)
    })
}

/// Every match with its groups; of less than nothing, all matches.
fn find_all_string_submatch_n(context: &mut Context<'_, '_>, operands: &[Value]) -> Result<Value> {
    let (expression, text) = (string(operands, 0)?, string(operands, 1)?);
    let count = usize::try_from(integer(operands, 2)?).unwrap_or(usize::MAX);
    with(context, expression, |context, regex| {
        let mut matches = Vec::new();
        regex.each_with_groups(context, text, count, |context, captures| {
            context.charge_members(2 * captures.group_len() + 2)?;
            // Groups within each other are the same text again.
            let texts = captures.iter().flatten();
            context.charge_bytes(texts.map(|span| span.len()).sum())?;
            matches.push(groups(captures, text));
            Ok(())
        })?;
        Ok(Value::from(matches))
    })
}

/// A group that is not there is empty.
fn groups(captures: &Captures, text: &str) -> Value {
    let texts = captures
        .iter()
        .map(|group| Value::from(group.map_or("", |span| &text[span.start..span.end])));
    let groups: Vec<Value> = texts.collect();
    Value::from(groups)
}
