//! The JSON reader takes what another one takes, and what it has read comes back from JSON and from
//! Rego as it was.
#![no_main]

use libfuzzer_sys::fuzz_target;
use portcullis_fuzz::rego::question;
use portcullis_policies::rego::ast::Version;
use portcullis_policies::rego::compile::{Options, compile};
use portcullis_policies::rego::execute::evaluate;
use portcullis_policies::rego::parse::parse_query;
use portcullis_policies::rego::resolve::Question;
use portcullis_policies::rego::source::Sources;
use portcullis_policies::rego::value::Value;
use portcullis_policies::rego::value::{self, json, text};
use serde::de::IgnoredAny;

fuzz_target!(|source: &str| {
    let other = serde_json::from_str::<IgnoredAny>(source);
    let value = match json::read(source) {
        Ok(value) => value,
        Err(reason) => {
            assert!(
                other.is_err() || reason.contains("digits"),
                "{reason}, but it is JSON"
            );
            return;
        }
    };
    assert!(other.is_ok(), "it is no JSON: {other:?}");
    let written = json::write(&value);
    let again = json::read(&written).expect("what is written is JSON");
    assert!(
        value::compare(&value, &again).is_eq(),
        "{written} is another value"
    );

    let mut sources = Sources::default();
    let query = format!("x := {}", text::literal(&value));
    let file = sources.add("query", &query);
    // A literal that is nested too deep is refused.
    let Ok(body) = parse_query(file, &query, Version::V1) else {
        return;
    };
    let name = String::new();
    let plan = compile(&[], &[Question::query(name, body)], Options::default())
        .expect("a literal is a query");
    let none = question(Value::Undefined, Value::new_object());
    let Ok(solutions) = evaluate(&plan, &plan.entries[0], none) else {
        return;
    };
    let name = Value::from("x");
    let found = value::get(&solutions[0], &name).expect("x is asked for");
    assert!(
        value::compare(found, &value).is_eq(),
        "{query} is another value"
    );
});
