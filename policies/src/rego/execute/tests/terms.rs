use rstest::rstest;

use super::builder::*;
use crate::rego::plan::ir::{Comparison, Head, Operation, Term};

const INPUT: &str = r#"{"a": {"b": [10, 20]}, "n": 3, "s": "text", "f": false, "z": null}"#;

#[rstest]
#[case(c("1"), "1")]
#[case(input("a.b"), "[10, 20]")]
#[case(get(input("a.b"), vec![c("1")]), "20")]
#[case(get(input("a.b"), vec![c("2")]), "undefined")]
#[case(get(input("a.b"), vec![c("-1")]), "undefined")]
#[case(get(input("a.b"), vec![c("0.5")]), "undefined")]
#[case(get(set("[1, 2]"), vec![c("2")]), "2")]
#[case(get(set("[1, 2]"), vec![c("3")]), "undefined")]
#[case(get(s("text"), vec![c("0")]), "undefined")]
#[case(input("missing"), "undefined")]
#[case(input("f"), "false")]
#[case(input("z"), "null")]
// An undefined part makes the whole undefined.
#[case(Term::Array([c("1"), input("missing")].into()), "undefined")]
#[case(Term::Set([c("2"), c("1"), c("2")].into()), "{1, 2}")]
#[case(Term::Object([(s("a"), c("2")), (s("a"), c("2"))].into()), "{\"a\": 2}")]
#[case(
    Term::Object([(s("a"), c("1")), (s("a"), c("2"))].into()),
    "eval_conflict_error: an object literal has two values for the key \"a\""
)]
#[case(Term::Object([(s("a"), input("missing"))].into()), "undefined")]
// Where a key comes from another reference.
#[case(get(input("a.b"), vec![get(c("[1]"), vec![c("0")])]), "20")]
#[case(get(input("a.x"), vec![builtin("count", vec![c("[]")])]), "undefined")]
fn values(#[case] term: Term, #[case] expected: &str) {
    assert_eq!(policy().input(INPUT).ask(term, vec![]), expected);
}

#[rstest]
#[case(Comparison::Equal, "1", "1.0", "true")]
#[case(Comparison::Equal, "1.00000000000000000001", "1", "false")]
#[case(Comparison::Unequal, "1", "\"1\"", "true")]
#[case(Comparison::Less, "null", "false", "true")]
#[case(Comparison::Less, "true", "0", "true")]
#[case(Comparison::Less, "10", "\"1\"", "true")]
#[case(Comparison::Less, "\"z\"", "[]", "true")]
#[case(Comparison::Less, "[9]", "{}", "true")]
#[case(Comparison::Less, "[1, 2]", "[1, 2, 0]", "true")]
#[case(
    Comparison::GreaterOrEqual,
    "{\"a\": 2}",
    "{\"a\": 1, \"b\": 0}",
    "true"
)]
#[case(Comparison::LessOrEqual, "0.1", "0.1", "true")]
#[case(
    Comparison::Greater,
    "100000000000000000001",
    "100000000000000000000",
    "true"
)]
fn comparisons(
    #[case] comparison: Comparison,
    #[case] left: &str,
    #[case] right: &str,
    #[case] expected: &str,
) {
    let term = compare(comparison, c(left), c(right));
    assert_eq!(policy().ask(term, vec![]), expected);
}

#[test]
fn objects_come_before_sets() {
    let term = compare(Comparison::Less, c("{\"a\": 1}"), set("[]"));
    assert_eq!(policy().ask(term, vec![]), "true");
    let sorted = builtin(
        "sort",
        vec![Term::Array([set("[]"), c("{}"), c("[]")].into())],
    );
    assert_eq!(policy().ask(sorted, vec![]), "[[], {}, set()]");
}

#[rstest]
#[case(Operation::Add, "1", "2", "3")]
#[case(Operation::Add, "0.1", "0.2", "0.3")]
#[case(Operation::Add, "9223372036854775807", "1", "9223372036854775808")]
#[case(Operation::Multiply, "9007199254740993", "3", "27021597764222979")]
#[case(Operation::Divide, "1", "3", "0.33333333333333333334")]
#[case(Operation::Divide, "2", "3", "0.6666666666666666667")]
#[case(Operation::Divide, "10", "4", "2.5")]
#[case(Operation::Divide, "-7", "2", "-3.5")]
#[case(Operation::Divide, "1", "0", "undefined")]
#[case(Operation::Remainder, "7", "-3", "1")]
#[case(Operation::Remainder, "5.5", "2", "undefined")]
#[case(Operation::Remainder, "5", "0", "undefined")]
#[case(Operation::Add, "\"a\"", "1", "undefined")]
#[case(Operation::Subtract, "null", "1", "undefined")]
fn arithmetic(
    #[case] operation: Operation,
    #[case] left: &str,
    #[case] right: &str,
    #[case] expected: &str,
) {
    let term = operate(operation, c(left), c(right));
    assert_eq!(policy().ask(term, vec![]), expected);
}

#[test]
fn thirds_make_a_whole() {
    let third = operate(Operation::Divide, c("1"), c("3"));
    let whole = operate(Operation::Multiply, third, c("3"));
    assert_eq!(policy().ask(equal(whole, c("1")), vec![]), "true");
}

#[rstest]
#[case(Operation::Subtract, "[2, 3]", "{1}")]
#[case(Operation::Intersect, "[2, 3]", "{2}")]
#[case(Operation::Union, "[2, 3]", "{1, 2, 3}")]
fn sets(#[case] operation: Operation, #[case] right: &str, #[case] expected: &str) {
    let term = operate(operation, set("[1, 2]"), set(right));
    assert_eq!(policy().ask(term, vec![]), expected);
}

#[rstest]
#[case(
    operate(Operation::Divide, c("1"), c("0")),
    "eval_builtin_error: div: divide by zero"
)]
#[case(
    operate(Operation::Add, c("\"a\""), c("1")),
    "eval_type_error: plus: operand 1 must be number but got string"
)]
#[case(
    builtin("count", vec![c("1")]),
    "eval_type_error: count: operand 1 must be one of {array, object, set, string} but got number"
)]
fn strict_evaluation_reports_what_is_otherwise_undefined(#[case] term: Term, #[case] error: &str) {
    assert_eq!(policy().strict().ask(term, vec![]), error);
}

#[rstest]
#[case(Term::Member(Box::new((c("2"), c("[1, 2]")))), "true")]
#[case(Term::Member(Box::new((c("3"), c("[1, 2]")))), "false")]
#[case(Term::Member(Box::new((c("2"), set("[1, 2]")))), "true")]
#[case(Term::Member(Box::new((c("2"), c("{\"a\": 2}")))), "true")]
#[case(Term::Member(Box::new((s("a"), c("{\"a\": 2}")))), "false")]
#[case(Term::Member(Box::new((s("a"), s("abc")))), "false")]
#[case(Term::Member(Box::new((c("2"), input("missing")))), "undefined")]
#[case(Term::MemberWithKey(Box::new((c("1"), s("b"), c("[\"a\", \"b\"]")))), "true")]
#[case(Term::MemberWithKey(Box::new((s("a"), c("2"), c("{\"a\": 2}")))), "true")]
#[case(Term::MemberWithKey(Box::new((s("b"), c("2"), c("{\"a\": 2}")))), "false")]
#[case(Term::MemberWithKey(Box::new((c("1"), c("1"), set("[1]")))), "true")]
fn membership(#[case] term: Term, #[case] expected: &str) {
    assert_eq!(policy().input(INPUT).ask(term, vec![]), expected);
}

#[rstest]
#[case(Head::Array(l(1)), "[1, 1, 2]")]
#[case(Head::Set(l(1)), "{1, 2}")]
#[case(Head::Object(l(0), l(1)), "{0: 1, 1: 1, 2: 2}")]
#[case(Head::Array(input("missing")), "[]")]
#[case(
    Head::Object(s("k"), l(1)),
    "eval_conflict_error: object keys must be unique"
)]
#[case(Head::Object(l(1), l(1)), "{1: 1, 2: 2}")]
fn comprehensions(#[case] head: Head, #[case] expected: &str) {
    let steps = vec![each(c("[1, 1, 2]"), to(0), to(1))];
    let term = comprehension(head, steps);
    assert_eq!(policy().input(INPUT).ask(term, vec![]), expected);
}

#[test]
fn no_input_is_undefined() {
    assert_eq!(policy().ask(Term::Input, vec![]), "undefined");
    assert_eq!(policy().ask(input("a"), vec![]), "undefined");
}
