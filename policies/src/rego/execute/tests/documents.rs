use rstest::rstest;

use super::builder::*;
use crate::rego::plan::ir::{NodeId, Pattern, RuleKind, Segment, Source, Term};

const DATA: &str = r#"{"p": {"base": {"x": 1}}, "q": {"y": [2]}}"#;

fn fixture() -> super::builder::Policy {
    policy()
        .data(DATA)
        .rule(
            "a",
            RuleKind::Complete,
            vec![definition(c("{\"k\": 1}"), vec![])],
        )
        .rule(
            "b",
            RuleKind::Complete,
            vec![definition(c("2"), vec![test(c("false"))])],
        )
        .rule(
            "f",
            RuleKind::Function { arity: 1 },
            vec![definition(l(0), vec![]).takes(vec![Pattern::Any])],
        )
}

#[rstest]
#[case(Term::Document(NodeId(1)), r#"{"a": {"k": 1}, "base": {"x": 1}}"#)]
#[case(
    Term::Document(NodeId::ROOT),
    r#"{"p": {"a": {"k": 1}, "base": {"x": 1}}, "q": {"y": [2]}}"#
)]
#[case(Term::Data, r#"{"p": {"base": {"x": 1}}, "q": {"y": [2]}}"#)]
#[case(get(Term::Data, vec![s("q"), s("y"), c("0")]), "2")]
#[case(through(0, vec![s("p"), s("a"), s("k")]), "1")]
#[case(through(0, vec![s("p"), s("base"), s("x")]), "1")]
#[case(through(0, vec![s("q"), s("y"), c("0")]), "2")]
#[case(through(1, vec![s("b")]), "undefined")]
#[case(through(1, vec![s("f")]), "undefined")]
#[case(through(0, vec![s("none")]), "undefined")]
fn documents(#[case] term: Term, #[case] expected: &str) {
    assert_eq!(fixture().ask(term, vec![]), expected);
}

#[test]
fn rules_and_base_data_are_enumerated_together() {
    let path = vec![Segment::Any(to(0)), Segment::Any(to(1))];
    let steps = vec![find(Source::Node(NodeId::ROOT), path, to(2))];
    let triple = Term::Array([l(0), l(1), l(2)].into());
    assert_eq!(
        fixture().ask(triple, steps),
        r#"["p", "base", {"x": 1}]; ["p", "a", {"k": 1}]; ["q", "y", [2]]"#
    );
}

#[test]
fn only_what_a_path_leads_to_is_evaluated() {
    let conflict = vec![definition(c("1"), vec![]), definition(c("2"), vec![])];
    let policy = fixture().rule("g", RuleKind::Complete, conflict);
    assert_eq!(policy.ask(through(1, vec![s("a"), s("k")]), vec![]), "1");
    assert_eq!(
        policy.ask(Term::Document(NodeId(1)), vec![]),
        "eval_conflict_error: rule data.p.g produced conflicting values"
    );
}
