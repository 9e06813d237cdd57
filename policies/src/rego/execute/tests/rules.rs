use rstest::rstest;

use super::builder::*;
use crate::rego::plan::ir::{Candidates, Definition, Index, Pattern, RuleKind, StepKind};

const CONFLICT: &str = "eval_conflict_error: rule data.p.r produced conflicting values";

fn any_of(text: &str) -> StepKind {
    each(c(text), Pattern::Any, to(0))
}

#[rstest]
#[case(vec![definition(c("1"), vec![])], "1")]
#[case(vec![definition(c("1"), vec![test(c("false"))])], "undefined")]
#[case(vec![definition(c("1"), vec![]), definition(c("1"), vec![])], "1")]
#[case(vec![definition(c("1"), vec![]), definition(c("2"), vec![])], CONFLICT)]
#[case(vec![definition(c("1"), vec![]), definition(c("2"), vec![test(c("false"))])], "1")]
#[case(vec![definition(l(0), vec![any_of("[1, 2]")])], CONFLICT)]
#[case(vec![definition(l(0), vec![any_of("[1, 1]")])], "1")]
#[case(vec![definition(input("missing"), vec![])], "undefined")]
// `false` is a value.
#[case(vec![definition(c("false"), vec![])], "false")]
fn complete(#[case] definitions: Vec<Definition>, #[case] expected: &str) {
    let policy = policy()
        .input("{}")
        .rule("r", RuleKind::Complete, definitions);
    assert_eq!(policy.ask(rule(0), vec![]), expected);
}

/// A condition that is an error when it is looked at.
fn error() -> StepKind {
    let object = comprehension(
        crate::rego::plan::ir::Head::Object(s("k"), l(7)),
        vec![each(c("[1, 2]"), Pattern::Any, to(7))],
    );
    bind(6, object)
}

#[rstest]
// What comes after the answer is not looked at where all have the same constant…
#[case(vec![definition(c("1"), vec![]), definition(c("1"), vec![error()])], "1")]
#[case(vec![definition(c("1"), vec![any_of("[1, 2]"), StepKind::Either([
    block(vec![test(equal(l(0), c("1")))]), block(vec![error()])].into())])], "1")]
// …and is where they have not.
#[case(
    vec![definition(c("1"), vec![]), definition(c("2"), vec![error()])],
    "eval_conflict_error: object keys must be unique"
)]
#[case(
    vec![definition(c("1"), vec![]).or_else(definition(c("2"), vec![])), definition(c("1"), vec![error()])],
    "eval_conflict_error: object keys must be unique"
)]
fn early_exit(#[case] definitions: Vec<Definition>, #[case] expected: &str) {
    let policy = policy().rule("r", RuleKind::Complete, definitions);
    assert_eq!(policy.ask(rule(0), vec![]), expected);
}

#[rstest]
#[case("{\"a\": true}", "1")]
#[case("{\"b\": true}", "2")]
#[case("{\"a\": true, \"b\": true}", "1")]
#[case("{\"a\": false}", "3")]
fn otherwise(#[case] given: &str, #[case] expected: &str) {
    let chain = definition(c("1"), vec![test(input("a"))])
        .or_else(definition(c("2"), vec![test(input("b"))]).or_else(definition(c("3"), vec![])));
    let policy = policy()
        .input(given)
        .rule("r", RuleKind::Complete, vec![chain]);
    assert_eq!(policy.ask(rule(0), vec![]), expected);
}

#[rstest]
#[case("{\"a\": 5}", "5")]
#[case("{}", "[7]")]
fn default(#[case] given: &str, #[case] expected: &str) {
    let value = comprehension(
        crate::rego::plan::ir::Head::Array(l(0)),
        vec![any_of("[7]")],
    );
    let definitions = vec![definition(input("a"), vec![])];
    let policy = policy()
        .input(given)
        .add("r", RuleKind::Complete, definitions, Some(value), None);
    assert_eq!(policy.ask(rule(0), vec![]), expected);
}

#[test]
fn partial_sets() {
    let definitions = vec![
        definition(l(0), vec![any_of("[3, 1, 1]")]),
        definition(c("\"a\""), vec![]),
        definition(input("missing"), vec![]),
    ];
    let policy = policy().input("{}").rule("r", RuleKind::Set, definitions);
    assert_eq!(policy.ask(rule(0), vec![]), "{1, 3, \"a\"}");
    assert_eq!(policy.ask(get(rule(0), vec![c("3")]), vec![]), "3");
}

#[rstest]
#[case(vec![], "{}")]
#[case(vec![entry(vec![l(0)], c("1"), vec![any_of("[\"a\", \"b\"]")])], "{\"a\": 1, \"b\": 1}")]
#[case(
    vec![entry(vec![s("a")], c("1"), vec![]), entry(vec![s("a")], c("1"), vec![])],
    "{\"a\": 1}"
)]
#[case(
    vec![entry(vec![s("a")], c("1"), vec![]), entry(vec![s("a")], c("2"), vec![])],
    "eval_conflict_error: object keys must be unique"
)]
#[case(
    vec![entry(vec![s("a"), s("b")], c("1"), vec![]), entry(vec![s("a"), s("c")], c("2"), vec![])],
    "{\"a\": {\"b\": 1, \"c\": 2}}"
)]
#[case(
    vec![entry(vec![s("a")], c("{}"), vec![]), entry(vec![s("a"), s("c")], c("2"), vec![])],
    "eval_conflict_error: object keys must be unique"
)]
#[case(
    vec![entry(vec![s("a"), s("c")], c("2"), vec![]), entry(vec![s("a")], c("{\"c\": 2}"), vec![])],
    "{\"a\": {\"c\": 2}}"
)]
#[case(
    vec![
        entry(vec![s("a")], c("1"), vec![]).member(),
        entry(vec![s("a")], c("2"), vec![]).member(),
        entry(vec![s("b")], c("2"), vec![]).member(),
    ],
    "{\"a\": {1, 2}, \"b\": {2}}"
)]
#[case(
    vec![entry(vec![s("a")], c("1"), vec![]).member(), entry(vec![s("a")], c("1"), vec![])],
    "eval_conflict_error: object keys must be unique"
)]
fn partial_objects(#[case] definitions: Vec<Definition>, #[case] expected: &str) {
    let policy = policy().rule("r", RuleKind::Object, definitions);
    assert_eq!(policy.ask(rule(0), vec![]), expected);
}

#[rstest]
#[case("{\"kind\": \"Pod\"}", "{1, 3}")]
#[case("{\"kind\": \"Service\"}", "{2, 3}")]
#[case("{\"kind\": 1}", "{3}")]
#[case("{}", "{3}")]
fn an_index_chooses_definitions(#[case] given: &str, #[case] expected: &str) {
    let list = |list: &[u32]| Candidates::List(list.into());
    let index = Index {
        guard: input("kind"),
        cases: [
            (json("\"Pod\""), list(&[0, 2])),
            (json("\"Service\""), list(&[1, 2])),
        ]
        .into(),
        otherwise: list(&[2]),
    };
    // The guards are left out, to see what the index does.
    let definitions = ["1", "2", "3"].map(|value| definition(c(value), vec![]));
    let policy =
        policy()
            .input(given)
            .add("r", RuleKind::Set, definitions.into(), None, Some(index));
    assert_eq!(policy.ask(rule(0), vec![]), expected);
}

#[test]
fn a_rule_is_evaluated_once() {
    let random = || builtin("rand.intn", vec![s("r"), c("1000000000")]);
    let other = builtin("uuid.rfc4122", vec![s("u")]);
    let policy = policy().rule("r", RuleKind::Complete, vec![definition(random(), vec![])]);
    assert_eq!(policy.ask(equal(rule(0), rule(0)), vec![]), "true");
    assert_eq!(policy.ask(equal(random(), random()), vec![]), "true");
    assert_eq!(policy.ask(equal(other, s("u")), vec![]), "false");
}
