use rstest::rstest;

use super::builder::*;
use crate::rego::plan::ir::{Block, Every, Pattern, Segment, Slot, Source, StepKind, Term, Walk};

#[rstest]
#[case(vec![test(c("1"))], "true")]
#[case(vec![test(c("null"))], "true")]
#[case(vec![test(c("false"))], "undefined")]
#[case(vec![test(input("missing"))], "undefined")]
#[case(vec![bind(0, c("false"))], "true")]
#[case(vec![bind(0, input("missing"))], "undefined")]
#[case(vec![not(vec![test(c("false"))])], "true")]
#[case(vec![not(vec![test(input("missing"))])], "true")]
#[case(vec![not(vec![test(c("1"))])], "undefined")]
// The operand of a negation is evaluated outside of it.
#[case(vec![bind(0, input("missing")), not(vec![test(l(0))])], "undefined")]
#[case(vec![StepKind::Exists(Box::new(block(vec![each(c("[1, 2]"), Pattern::Any, to(0))])))], "true")]
#[case(vec![StepKind::Either([block(vec![test(c("false"))]), block(vec![])].into())], "true")]
#[case(vec![StepKind::Either([block(vec![test(c("false"))]), block(vec![test(input("x"))])].into())], "undefined")]
fn conditions(#[case] steps: Vec<StepKind>, #[case] expected: &str) {
    assert_eq!(policy().input("{}").ask(c("true"), steps), expected);
}

#[rstest]
#[case(Pattern::Any, "true")]
#[case(to(0), "true")]
#[case(Pattern::Equal(c("[1, {\"a\": 2}]")), "true")]
#[case(Pattern::Equal(c("1")), "undefined")]
#[case(Pattern::Equal(input("missing")), "undefined")]
#[case(Pattern::Array([to(0), to(1)].into()), "true")]
#[case(Pattern::Array([to(0)].into()), "undefined")]
#[case(Pattern::Array([Pattern::Equal(c("2")), to(1)].into()), "undefined")]
#[case(Pattern::Array([to(0), Pattern::Object([(s("a"), to(1))].into())].into()), "true")]
#[case(Pattern::Array([to(0), Pattern::Object([(s("b"), to(1))].into())].into()), "undefined")]
#[case(Pattern::Array([to(0), Pattern::Object([].into())].into()), "undefined")]
fn patterns(#[case] pattern: Pattern, #[case] expected: &str) {
    let steps = vec![StepKind::Match(pattern, c("[1, {\"a\": 2}]"))];
    assert_eq!(policy().input("{}").ask(c("true"), steps), expected);
}

#[rstest]
#[case(c("[\"a\", \"b\"]"), "[0, \"a\"]; [1, \"b\"]")]
#[case(c("{\"y\": 1, \"x\": 2}"), "[\"x\", 2]; [\"y\", 1]")]
#[case(set("[3, \"a\", null]"), "[null, null]; [3, 3]; [\"a\", \"a\"]")]
#[case(s("text"), "undefined")]
#[case(c("[]"), "undefined")]
#[case(input("missing"), "undefined")]
// Members come in OPA's order, which is not regorus's.
#[case(
    Term::Set([set("[1]"), c("{}"), c("[2]")].into()),
    "[[2], [2]]; [{}, {}]; [{1}, {1}]"
)]
fn members(#[case] collection: Term, #[case] expected: &str) {
    let pair = Term::Array([l(0), l(1)].into());
    let steps = vec![each(collection, to(0), to(1))];
    assert_eq!(policy().input("{}").ask(pair, steps), expected);
}

#[test]
fn enumeration_continues_with_the_later_steps() {
    let steps = vec![
        each(c("[1, 2, 3]"), Pattern::Any, to(0)),
        each(c("[2, 3, 4]"), Pattern::Any, to(1)),
        test(equal(l(0), l(1))),
    ];
    assert_eq!(policy().ask(l(0), steps), "2; 3");
}

#[test]
fn paths_mix_known_and_unknown_keys() {
    let path = vec![
        Segment::Key(s("xs")),
        Segment::Any(to(0)),
        Segment::Key(s("ys")),
        Segment::Any(Pattern::Any),
    ];
    let policy = policy().input(r#"{"xs": [{"ys": [1, 2]}, {"zs": [0]}, {"ys": {"a": 3}}]}"#);
    let pair = Term::Array([l(0), l(1)].into());
    let steps = vec![find(Source::Term(Term::Input), path, to(1))];
    assert_eq!(policy.ask(pair, steps), "[0, 1]; [0, 2]; [2, 3]");
}

#[test]
fn known_members_of_sets_are_looked_up() {
    let steps = |wanted| vec![each(set("[1, 2]"), to(0), Pattern::Equal(c(wanted)))];
    assert_eq!(policy().ask(l(0), steps("2")), "2");
    assert_eq!(policy().ask(l(0), steps("3")), "undefined");
}

#[rstest]
#[case("[]", "true")]
#[case("[1, 2]", "true")]
#[case("[1, 3]", "undefined")]
#[case("{\"a\": 1}", "true")]
#[case("1", "undefined")]
fn every(#[case] domain: &str, #[case] expected: &str) {
    let step = StepKind::Every(Box::new(Every {
        domain: c(domain),
        key: Pattern::Any,
        value: to(0),
        body: block(vec![each(c("[1, 2]"), Pattern::Any, Pattern::Equal(l(0)))]),
    }));
    assert_eq!(policy().ask(c("true"), vec![step]), expected);
}

#[test]
fn every_of_what_is_undefined_does_not_hold() {
    let step = StepKind::Every(Box::new(Every {
        domain: input("missing"),
        key: Pattern::Any,
        value: Pattern::Any,
        body: Block::default(),
    }));
    assert_eq!(policy().ask(c("true"), vec![step]), "undefined");
}

#[test]
fn walk_gives_every_path() {
    let root = r#"{"a": [1, {"b": 2}]}"#;
    let walk = |output| {
        StepKind::Walk(Box::new(Walk {
            root: c(root),
            output,
        }))
    };
    assert_eq!(
        policy().ask(l(0), vec![walk(to(0))]),
        concat!(
            r#"[[], {"a": [1, {"b": 2}]}]; [["a"], [1, {"b": 2}]]; [["a", 0], 1]; "#,
            r#"[["a", 1], {"b": 2}]; [["a", 1, "b"], 2]"#
        )
    );
    let values = Pattern::Array([Pattern::Any, to(0)].into());
    let numbers = vec![walk(values), test(builtin("is_number", vec![l(0)]))];
    assert_eq!(policy().ask(l(0), numbers), "1; 2");
    let ends = Pattern::Array([to(0), Pattern::Equal(c("2"))].into());
    assert_eq!(policy().ask(l(0), vec![walk(ends)]), r#"["a", 1, "b"]"#);
}

#[test]
fn slots_are_written_again_for_the_next_solution() {
    let steps = vec![
        each(c("[1, 2]"), Pattern::Any, to(0)),
        StepKind::Bind(Slot(1), Term::Array([l(0), l(0)].into())),
    ];
    assert_eq!(policy().ask(l(1), steps), "[1, 1]; [2, 2]");
}
