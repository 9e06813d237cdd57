//! Which definitions are tried.

use super::*;
use crate::rego::plan::ir::{Candidates, Index};

fn text(candidates: &Candidates) -> String {
    match candidates {
        Candidates::List(list) => format!("{list:?}"),
        Candidates::Index(index) => show(index),
    }
}

fn show(index: &Index) -> String {
    let case = |(value, candidates): &(Value, Candidates)| {
        format!("{}: {}", value::json::write(value), text(candidates))
    };
    let cases: Vec<String> = index.cases.iter().map(case).collect();
    format!("{{{}; {}}}", cases.join(", "), text(&index.otherwise))
}

#[track_caller]
fn check(body: &str, expected: &str) {
    let module = format!("package a\n{body}");
    let plan = plan(Version::V1, &[&module], "data.a", Options::default());
    let plan = plan
        .map_err(|(_, faults)| faults)
        .expect("the module compiles");
    let rule = plan.rules.iter().find(|rule| rule.definitions.len() > 2);
    let index = rule.and_then(|rule| rule.index.as_ref());
    assert_eq!(index.map(show).unwrap_or_default(), expected, "{body}");
}

#[test]
fn guards() {
    check(
        "p := 1 if input.k == \"a\"\np := 2 if input.k == \"b\"\np := 3 if input.k == \"a\"",
        "{\"a\": [0, 2], \"b\": [1]; []}",
    );
    check(
        "p := 1 if { input.x; \"a\" = input.k }\np := 2 if input.k in {\"a\", \"b\"}\np := 3 if input.y",
        "{\"a\": [0, 1, 2], \"b\": [1, 2]; [2]}",
    );
    check(
        "p contains 1 if { k := input.k; k == 1 }\np contains 2 if { k := input; k.k == 2 }\np contains 3",
        "{1: [0, 2], 2: [1, 2]; [2]}",
    );
    check(
        "f(1) := 1\nf(2) := 2\nf(x) := 3 if x == 4",
        "{1: [0], 2: [1], 4: [2]; []}",
    );
    check(
        "f(\"a\", 1) := 1\nf(\"a\", 2) := 2\nf(\"a\", 3) := 3\nf(\"b\", _) := 4",
        "{\"a\": {1: [0], 2: [1], 3: [2]; []}, \"b\": [3]; []}",
    );
    check(
        "p := 1 if data.k == 1\np := 1 if data.k == 2\np := 1 if data.k == 3",
        "{1: [0], 2: [1], 3: [2]; []}",
    );
}

#[test]
fn no_guards() {
    check(
        "p := 1 if input.a\np := 1 if input.b\np := 1 if input.c",
        "",
    );
    check(
        "p := 1 if input.xs[_] == 1\np := 1 if input.xs[_] == 2\np := 1 if input.xs[_] == 3",
        "",
    );
    check(
        "q := 1\np := 1 if q == 1\np := 2 if q == 2\np := 3 if q == 3",
        "",
    );
    // What has an `else` can hold without its condition.
    check(
        "p := 1 if input.k == 1\nelse := 4\np := 2 if input.k == 2\np := 3 if input.k == 3",
        "{2: [0, 1], 3: [0, 2]; [0]}",
    );
    check(
        "p := 1 if { input.k == 1 with input.k as 2 }\np := 2 if input.k == 2\np := 3 if input.k == 3",
        "{2: [0, 1], 3: [0, 2]; [0]}",
    );
}
