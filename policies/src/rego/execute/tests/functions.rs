use rstest::rstest;

use super::builder::*;
use crate::rego::plan::ir::{Candidates, Index, Operation, Pattern, RuleKind};

const ONE: RuleKind = RuleKind::Function { arity: 1 };

#[rstest]
#[case(c("2"), "3")]
#[case(c("\"a\""), "undefined")]
#[case(input("missing"), "undefined")]
fn arguments_are_the_first_slots(
    #[case] argument: crate::rego::plan::ir::Term,
    #[case] expected: &str,
) {
    let definitions =
        vec![definition(operate(Operation::Add, l(0), c("1")), vec![]).takes(vec![Pattern::Any])];
    let policy = policy().input("{}").rule("f", ONE, definitions);
    assert_eq!(policy.ask(function(0, vec![argument]), vec![]), expected);
}

#[rstest]
#[case("1", "\"one\"")]
#[case("[5, 6]", "[6, 5]")]
#[case("[5]", "undefined")]
#[case("{\"k\": 7}", "7")]
fn parameters_are_patterns(#[case] argument: &str, #[case] expected: &str) {
    let swapped = crate::rego::plan::ir::Term::Array([l(2), l(1)].into());
    let definitions = vec![
        definition(s("one"), vec![]).takes(vec![Pattern::Equal(c("1"))]),
        definition(swapped, vec![]).takes(vec![Pattern::Array([to(1), to(2)].into())]),
        definition(l(3), vec![]).takes(vec![Pattern::Object([(s("k"), to(3))].into())]),
    ];
    let policy = policy().rule("f", ONE, definitions);
    assert_eq!(policy.ask(function(0, vec![c(argument)]), vec![]), expected);
}

#[test]
fn two_values_for_the_same_arguments_are_an_error() {
    let definitions = vec![
        definition(c("1"), vec![]).takes(vec![Pattern::Any]),
        definition(c("2"), vec![test(equal(l(0), c("2")))]).takes(vec![Pattern::Any]),
    ];
    let policy = policy().rule("f", ONE, definitions);
    assert_eq!(policy.ask(function(0, vec![c("1")]), vec![]), "1");
    assert_eq!(
        policy.ask(function(0, vec![c("2")]), vec![]),
        "eval_conflict_error: function data.p.f produced conflicting values for the same inputs"
    );
}

#[test]
fn a_default_function_has_a_value_for_all_arguments() {
    let definitions =
        vec![definition(c("1"), vec![test(equal(l(0), c("1")))]).takes(vec![Pattern::Any])];
    let policy = policy()
        .input("{}")
        .add("f", ONE, definitions, Some(c("0")), None);
    assert_eq!(policy.ask(function(0, vec![c("1")]), vec![]), "1");
    assert_eq!(policy.ask(function(0, vec![c("9")]), vec![]), "0");
    assert_eq!(
        policy.ask(function(0, vec![input("missing")]), vec![]),
        "undefined"
    );
}

#[test]
fn else_has_the_same_arguments() {
    let chain = definition(s("big"), vec![test(equal(l(0), c("9")))])
        .takes(vec![Pattern::Any])
        .or_else(definition(l(0), vec![]).takes(vec![Pattern::Any]));
    let policy = policy().rule("f", ONE, vec![chain]);
    assert_eq!(policy.ask(function(0, vec![c("9")]), vec![]), "\"big\"");
    assert_eq!(policy.ask(function(0, vec![c("3")]), vec![]), "3");
}

#[rstest]
#[case("\"a\"", "1")]
#[case("\"b\"", "2")]
#[case("\"c\"", "undefined")]
fn overloads_are_chosen_by_their_constants(#[case] argument: &str, #[case] expected: &str) {
    let list = |list: &[u32]| Candidates::List(list.into());
    let index = Index {
        guard: l(0),
        cases: [(json("\"a\""), list(&[0])), (json("\"b\""), list(&[1]))].into(),
        otherwise: list(&[]),
    };
    let definitions = vec![
        definition(c("1"), vec![]).takes(vec![Pattern::Equal(s("a"))]),
        definition(c("2"), vec![]).takes(vec![Pattern::Equal(s("b"))]),
    ];
    let policy = policy().add("f", ONE, definitions, None, Some(index));
    assert_eq!(policy.ask(function(0, vec![c(argument)]), vec![]), expected);
}

#[test]
fn calls_within_calls_keep_their_slots() {
    let double = definition(operate(Operation::Add, l(0), l(0)), vec![]).takes(vec![Pattern::Any]);
    let twice = definition(
        operate(
            Operation::Add,
            function(0, vec![function(0, vec![l(0)])]),
            l(0),
        ),
        vec![],
    )
    .takes(vec![Pattern::Any]);
    let policy = policy()
        .rule("f", ONE, vec![double])
        .rule("g", ONE, vec![twice]);
    let steps = vec![each(c("[1, 2, 1]"), Pattern::Any, to(0))];
    assert_eq!(policy.ask(function(1, vec![l(0)]), steps), "5; 10; 5");
}
