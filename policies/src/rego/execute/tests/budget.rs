use std::time::Duration;

use super::builder::*;
use crate::rego::{
    execute::Limits,
    plan::ir::{Head, Operation, Pattern, RuleKind, StepKind, Term},
};

fn ask(limits: Limits, term: Term, steps: Vec<StepKind>) -> String {
    let mut policy = policy();
    policy.question.limits = limits;
    policy.ask(term, steps)
}

/// A thousand solutions for each of these.
fn thousands(count: usize) -> Vec<StepKind> {
    let range = || builtin("numbers.range", vec![c("1"), c("1000")]);
    (0..count)
        .map(|_| each(range(), Pattern::Any, Pattern::Any))
        .collect()
}

#[test]
fn steps_are_counted() {
    let limits = Limits {
        steps: 10_000,
        ..Limits::default()
    };
    let count = || comprehension(Head::Set(c("1")), thousands(1));
    assert_eq!(ask(limits, count(), vec![]), "{1}");
    let many = comprehension(Head::Set(c("1")), thousands(3));
    assert_eq!(
        ask(limits, many, vec![]),
        "eval_cancel_error: the evaluation took more than 10000 steps"
    );
}

#[test]
fn memory_is_counted() {
    let limits = Limits {
        memory: 100_000,
        ..Limits::default()
    };
    let huge = builtin("numbers.range", vec![c("1"), c("1000000000000")]);
    assert!(
        ask(
            Limits {
                steps: u64::MAX,
                ..limits
            },
            huge,
            vec![]
        )
        .contains("more than 100000 bytes")
    );
    let many = comprehension(Head::Array(c("1")), thousands(2));
    assert!(ask(limits, many, vec![]).contains("more than 100000 bytes"));
}

#[test]
fn time_is_looked_at() {
    let limits = Limits {
        time: Some(Duration::ZERO),
        ..Limits::default()
    };
    let error = ask(
        limits,
        comprehension(Head::Set(c("1")), thousands(2)),
        vec![],
    );
    assert!(
        error.starts_with("eval_cancel_error: the evaluation took longer"),
        "{error}"
    );
}

#[test]
fn endless_recursion_ends() {
    // Lowering never makes such a plan.
    let again = definition(
        function(0, vec![operate(Operation::Add, l(0), c("1"))]),
        vec![],
    );
    let policy = policy().rule(
        "f",
        RuleKind::Function { arity: 1 },
        vec![again.takes(vec![Pattern::Any])],
    );
    let ask = move || policy.ask(function(0, vec![c("0")]), vec![]);
    let thread = std::thread::Builder::new().stack_size(64 << 20).spawn(ask);
    let error = thread.expect("a thread").join().expect("no overflow");
    assert!(error.contains("nests deeper than 2000"), "{error}");
}
