//! Questions to the executor.

use std::sync::Once;

use portcullis_policies::rego::ast::Version;
use portcullis_policies::rego::builtins::Surroundings;
use portcullis_policies::rego::compile::{self, compile};
use portcullis_policies::rego::execute::{Limits, Question};
use portcullis_policies::rego::parse::{Options, parse_module, parse_query};
use portcullis_policies::rego::plan::ir::Plan;
use portcullis_policies::rego::resolve;
use portcullis_policies::rego::source::Sources;
use portcullis_policies::rego::value::{Value, json};

use crate::faults::check_faults;

/// The panic of a builtin function is an error of the evaluation, and not of the process.
pub fn let_builtins_panic() {
    static ONCE: Once = Once::new();
    // The hook of libfuzzer-sys ends the process; other panics end it when they have unwound.
    ONCE.call_once(|| drop(std::panic::take_hook()));
}

/// What a small evaluation may use up.
pub const SMALL: Limits = Limits {
    steps: 20_000,
    depth: 200,
    memory: 4 << 20,
    time: None,
};

/// A small evaluation.
pub fn question(input: Value, data: Value) -> Question<'static> {
    Question {
        input,
        data,
        surroundings: Surroundings::new(1_700_000_000_000_000_000, None, 1),
        limits: SMALL,
        strict: false,
    }
}

/// A query about some modules, as an input of the fuzzer has it.
///
/// ```text
/// flags data NUL input NUL query NUL module NUL module…
/// ```
#[derive(Debug)]
pub struct Case {
    /// What is compiled.
    pub plan: Plan,
    /// Base data, an object.
    pub data: Value,
    /// The input, which may be undefined.
    pub input: Value,
}

impl Case {
    /// Reads and compiles: the flags and a case, or none where it is refused with a fault.
    ///
    /// Of the flags, the lowest bit says that the modules are of version 0, the next that they are
    /// checked strictly.
    pub fn read(bytes: &[u8]) -> Option<(u8, Self)> {
        let (&flags, text) = bytes.split_first()?;
        let text = std::str::from_utf8(text).ok()?;
        let mut parts = text.split('\0');
        let mut document = || json::read(parts.next().unwrap_or_default());
        let data = document()
            .ok()
            .filter(|data| matches!(data, Value::Object(_)))
            .unwrap_or_else(Value::new_object);
        let input = document().unwrap_or(Value::Undefined);
        let query = parts.next().unwrap_or_default();

        let mut sources = Sources::default();
        let version = if flags & 1 == 0 {
            Version::V1
        } else {
            Version::V0
        };
        let mut modules = Vec::new();
        for source in parts {
            let file = sources.add("fuzz.rego", source);
            let options = Options {
                version,
                annotations: true,
            };
            match parse_module(file, source, options) {
                Ok(module) => modules.push(module),
                Err(faults) => {
                    check_faults(&sources, &faults);
                    return None;
                }
            }
        }
        let file = sources.add("query", query);
        let body = match parse_query(file, query, version) {
            Ok(body) => body,
            Err(faults) => {
                check_faults(&sources, &faults);
                return None;
            }
        };
        let options = compile::Options {
            strict: flags & 2 != 0,
            data: Some(&data),
            ..compile::Options::default()
        };
        let asked = resolve::Question::query(query.to_owned(), body);
        match compile(&modules, &[asked], options) {
            Ok(plan) => Some((flags, Self { plan, data, input })),
            Err(faults) => {
                check_faults(&sources, &faults);
                None
            }
        }
    }
}
