//! From sources to a result, within a small budget; with what is read of the documents and with all
//! of them, the result is the same.
//!
//! ```text
//! flags data NUL input NUL query NUL module NUL module…
//! ```
#![no_main]

use libfuzzer_sys::fuzz_target;
use portcullis_fuzz::{check_faults, question};
use portcullis_policies::rego::value::Value;
use portcullis_policies::rego::ast::Version;
use portcullis_policies::rego::compile::{self, compile};
use portcullis_policies::rego::execute::evaluate;
use portcullis_policies::rego::parse::{Options, parse_module, parse_query};
use portcullis_policies::rego::resolve::Question;
use portcullis_policies::rego::source::Sources;
use portcullis_policies::rego::value::json;

fuzz_target!(|bytes: &[u8]| {
    portcullis_fuzz::let_builtins_panic();
    let Some((flags, text)) = bytes.split_first() else {
        return;
    };
    let Ok(text) = std::str::from_utf8(text) else {
        return;
    };
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
            Err(faults) => return check_faults(&sources, &faults),
        }
    }
    let file = sources.add("query", query);
    let body = match parse_query(file, query, version) {
        Ok(body) => body,
        Err(faults) => return check_faults(&sources, &faults),
    };
    let name = query.to_owned();
    let options = compile::Options {
        strict: flags & 2 != 0,
        data: Some(&data),
        ..compile::Options::default()
    };
    let plan = match compile(&modules, &[Question::query(name, body)], options) {
        Ok(plan) => plan,
        Err(faults) => return check_faults(&sources, &faults),
    };
    if flags & 4 != 0 {
        return;
    }
    let entry = &plan.entries[0];
    let read = question(
        plan.reads.input.prune(&input),
        plan.reads.data.prune(&data),
    );
    let read = evaluate(&plan, entry, read);
    let all = evaluate(&plan, entry, question(input, data));
    match (all, read) {
        (Ok(all), Ok(read)) => assert_eq!(all, read, "what is read makes a difference"),
        // A message may show a value, and a larger document costs more.
        (Err(all), Err(read)) if all.kind.code() == read.kind.code() => {}
        (Err(error), _) | (_, Err(error)) => assert!(
            error.kind.code() == "eval_cancel_error",
            "what is read makes a difference: {error:?}"
        ),
    }
});
