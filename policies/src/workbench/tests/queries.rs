//! What queries give: the values of their conditions in the order of the evaluation, and variables.

use rstest::rstest;

use super::{material, query, setting, shown};
use crate::{
    RegoVersion,
    workbench::{Answer, Query},
};

const MODULE: &str = "package p
import data.foo
q := foo.y
r contains x if some x in input.list
f(x) := x + 1
";

fn ask(text: &str) -> Answer {
    let material = material(&[("p.rego", MODULE)], r#"{"foo": {"y": 2}}"#).unwrap();
    let input = r#"{"x": 7, "list": [1, 2, 3], "a": {"b": 1}}"#;
    material.ask(&query(text), &setting(input)).unwrap()
}

/// As `opa eval` answers.
#[rstest]
// Conditions are shown in the order in which they are evaluated.
#[case("x > 1; x = 2", "x = 2 → true; x > 1 → true | x=2")]
#[case(
    "a = b; b = [c]; c = 1",
    "c = 1 → true; b = [c] → true; a = b → true | a=[1] b=[1] c=1"
)]
#[case(
    "some x in [1, 2]",
    "some x in [1, 2] → true | x=1\nsome x in [1, 2] → true | x=2"
)]
#[case("some x; x = 1", "x = 1 → true | x=1")]
// One condition has any value, several have to hold.
#[case("false", "false → false |")]
#[case("true", "true → true |")]
#[case("true; false", "undefined")]
#[case("true; 1", "true → true; 1 → 1 |")]
#[case("[false, 2][i]", "[false, 2][i] → 2 | i=1")]
#[case("not false", "not false → true |")]
#[case("1 == 2", "1 == 2 → false |")]
#[case("x := false; x", "undefined")]
#[case("every x in [1] { x > 0 }", "every x in [1] { x > 0 } → true |")]
#[case("count({1, 2}); 1 / 4", "count({1, 2}) → 2; 1 / 4 → 0.25 |")]
#[case("plus(1, 2, x)", "plus(1, 2, x) → true | x=3")]
#[case("plus(1, 2)", "plus(1, 2) → 3 |")]
#[case("data.p.f(1)", "data.p.f(1) → 2 |")]
#[case("data.p.f(1, x)", "data.p.f(1, x) → true | x=2")]
#[case(
    "x = {y | some y in [2, 1]}",
    "x = {y | some y in [2, 1]} → true | x=[1,2]"
)]
#[case(
    "{1, 2}[x] == 2; y := x",
    "{1, 2}[x] == 2 → true; y := x → true | x=2 y=2"
)]
#[case("data.foo[k]", "data.foo[k] → 2 | k=\"y\"")]
#[case("data.p.r[_] > 2", "data.p.r[_] > 2 → true |")]
#[case("data.p", "data.p → {\"q\":2,\"r\":[1,2,3]} |")]
#[case("data.nope", "undefined")]
#[case("data.p.q with data.foo.y as 9", "data.p.q with data.foo.y as 9 → 9 |")]
#[case("x := 1 with input as 3", "x := 1 with input as 3 → true | x=1")]
#[case("input.x\ninput.a.b", "input.x → 7; input.a.b → 1 |")]
#[case("[_, x] = [1, 2]", "[_, x] = [1, 2] → true | x=2")]
fn answers(#[case] text: &str, #[case] expected: &str) {
    let answer = ask(text);
    assert_eq!(shown(&answer), expected, "{text}");
}

/// A number that cannot be held is no undefined one: `not` would make a permission of it.
#[test]
fn a_number_that_is_too_long_is_an_error() {
    let answer = ask("x := 1e2000; not x * x * x > 1");
    let error = answer.solutions.unwrap_err();
    assert_eq!(error.code, "eval_cancel_error");
    assert!(error.message.contains("digits"), "{error}");
}

#[test]
fn conditions_have_places() {
    let answer = ask("x := 1\n  x == 1");
    let solutions = answer.solutions.unwrap();
    let expressions = solutions[0].expressions.iter();
    let places = expressions.map(|one| (one.row, one.column));
    assert_eq!(places.collect::<Vec<_>>(), [(1, 1), (2, 3)]);
}

/// As `opa eval` prints: a line for each combination of values, `<undefined>` where there is none.
#[rstest]
#[case(r#"print("a", [1, "b"], input.nope)"#, &["a [1, \"b\"] <undefined>"])]
#[case("x := 3; print(x); x > 5", &["3"])]
#[case("some x in [1, 2]; print(x)", &["1", "2"])]
#[case("print()", &[""])]
#[case("[x | some x in [1, 2]; print(\"in\", x)]", &["in 1", "in 2"])]
fn prints(#[case] text: &str, #[case] expected: &[&str]) {
    assert_eq!(ask(text).printed, expected, "{text}");
}

/// What is printed has to be known before.
#[rstest]
#[case("print(x); x = 1", "var x is undeclared")]
#[case("print(input.list[_])", "var _ is undeclared")]
#[case("x = 1; print(x, y)", "var y is undeclared")]
fn printed_variables_are_declared(#[case] text: &str, #[case] expected: &str) {
    let material = material(&[], "{}").unwrap();
    let faults = material.ask(&query(text), &setting("{}")).unwrap_err();
    let messages: Vec<&str> = faults.iter().map(|fault| fault.message.as_str()).collect();
    assert!(messages.contains(&expected), "{messages:?}");
}

#[test]
fn names_of_a_package_and_of_imports() {
    let material = material(&[("p.rego", MODULE)], r#"{"foo": {"y": 2}}"#).unwrap();
    let ask = |query: Query| shown(&material.ask(&query, &setting("{}")).unwrap());
    let within = Query {
        package: Some("p".to_owned()),
        imports: vec!["data.foo as bar".to_owned()],
        ..query("q; f(1); bar.y")
    };
    assert_eq!(ask(within), "q → 2; f(1) → 2; bar.y → 2 |");
    let imports = vec!["data.p".to_owned()];
    let without = Query {
        imports,
        ..query("p.q")
    };
    assert_eq!(ask(without), "p.q → 2 |");
}

#[test]
fn version_0() {
    let material = material(&[], "{}").unwrap();
    let old = Query {
        version: RegoVersion::V0,
        ..query("if = 1")
    };
    assert_eq!(
        shown(&material.ask(&old, &setting("{}")).unwrap()),
        "if = 1 → true | if=1"
    );
    material.ask(&query("if = 1"), &setting("{}")).unwrap_err();
}

#[test]
fn what_is_wrong_has_a_place() {
    let wrong = |modules: &[(&str, &str)], text: &str| {
        let asked = material(modules, "{}").and_then(|one| one.ask(&query(text), &setting("{}")));
        asked.unwrap_err().to_string()
    };
    insta::assert_snapshot!(wrong(&[], "1 + \"a\""), @r#"
    <query>:1:1: rego_type_error: plus: invalid argument(s)  have: (number, string, ???)  want: (number, number, number)
      | 1 + "a"
      | ^^^^^^^
    "#);
    insta::assert_snapshot!(wrong(&[("a.rego", "package a\nx := {")], "1"), @r"
    a.rego:2:7: rego_parse_error: unexpected eof token
      | x := {
      |       ^
    ");
    insta::assert_snapshot!(wrong(&[], " "), @r"
    rego_parse_error: cannot evaluate empty query
      → ask for something, such as `data`
    ");
}

#[test]
fn errors_of_the_evaluation() {
    let conflict = "package a\nx := 1\nx := 2 if input";
    let material = material(&[("a.rego", conflict)], "{}").unwrap();
    let answer = material
        .ask(&query("print(1); data.a.x"), &setting("{}"))
        .unwrap();
    // What was printed before is there.
    assert_eq!(answer.printed, ["1"]);
    insta::assert_snapshot!(answer.solutions.unwrap_err(), @r"
    a.rego:3:1: eval_conflict_error: rule data.a.x produced conflicting values
      | x := 2 if input
      | ^^^^^^
    ");
    let mut strict = setting("{}");
    let divide = query("1 / (input.x - input.x)");
    strict.input = Some(crate::Document::read(r#"{"x": 1}"#).unwrap());
    assert_eq!(shown(&material.ask(&divide, &strict).unwrap()), "undefined");
    strict.strict_errors = true;
    let answer = material.ask(&divide, &strict).unwrap();
    insta::assert_snapshot!(answer.solutions.unwrap_err(), @r"
    <query>:1:1: eval_builtin_error: div: divide by zero
      | 1 / (input.x - input.x)
      | ^^^^^^^^^^^^^^^^^^^^^^^
    ");
    strict.timeout = Some(std::time::Duration::ZERO);
    let endless = query(
        "count([1 | some i in numbers.range(1, 1000); some j in numbers.range(1, 1000); i == j])",
    );
    let error = shown(&material.ask(&endless, &strict).unwrap());
    assert!(error.starts_with("eval_cancel_error: "), "{error}");
}
