//! What policies evaluate to: the places where the lowering has to be careful.

use super::*;
use crate::rego::execute;

/// The solutions of a query, as JSON, one a line.
#[track_caller]
fn check_with(version: Version, module: &str, query: &str, input: &str, expected: &[&str]) {
    let plan = plan(version, &[module], query, Options::default());
    let plan = plan
        .map_err(|(_, faults)| faults)
        .expect("the module compiles");
    let evaluation = Evaluation {
        data: json(r#"{"base": {"xs": [1, 2], "o": {"k": 1}}, "a": {"base": 7}}"#),
        ..evaluation(input)
    };
    let solutions = execute::evaluate(&plan, &plan.entries[0], evaluation);
    let text = |value: &Value| value::json::write(value);
    let solutions: Vec<String> = solutions
        .expect("nothing conflicts")
        .iter()
        .map(text)
        .collect();
    assert_eq!(solutions, expected, "{module} {query}");
}

#[track_caller]
fn check(body: &str, expected: &[&str]) {
    let module = format!("package a\n{body}");
    let expected: Vec<String> = expected.iter().map(|x| format!("{{\"x\":{x}}}")).collect();
    let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    check_with(Version::V1, &module, "data.a.p = x", INPUT, &expected);
}

const INPUT: &str =
    r#"{"a": 1, "f": false, "xs": [3, 4, 5], "o": {"k": "v"}, "n": {"m": [[1, 2], [3, 4]]}}"#;

#[test]
fn operands_of_negation_are_outside() {
    let f = "f(x) if x == 2\nf(x) if x == [1]\n";
    check(&format!("{f}p if not f(input.a)"), &["true"]);
    check(&format!("{f}p if not f(input.missing)"), &[]);
    check(&format!("{f}p if not f([input.missing])"), &[]);
    check("p if not input.missing", &["true"]);
    check("p if not input.missing == 1", &["true"]);
    check("p if not input.missing != 1", &[]);
    check("p if not 1 in input.missing", &[]);
    check("p if not input.o[input.missing]", &[]);
    check("p if not count([x | x := input.missing]) == 1", &["true"]);
    check("p if not input.f", &["true"]);
}

#[test]
fn unification() {
    check("p := [x, y] if [x, y] = [1, 2]", &["[1,2]"]);
    check("p := [x, y] if { [x, 1] = [y, y] }", &["[1,1]"]);
    check("p := x if { {\"a\": x} = {\"a\": input.a} }", &["1"]);
    check("p := x if { {\"a\": [x, _]} = {\"a\": [1, 2]} }", &["1"]);
    check(
        "p contains [i, x] if [i, x] = input.n.m[_]",
        &["[[1,2],[3,4]]"],
    );
    check("p contains i if input.xs[i] == 4", &["[1]"]);
    check("p contains i if input.xs[i] == input.xs[i]", &["[0,1,2]"]);
    check("p contains x if { some x; x != input.xs[x] }", &["[0,1,2]"]);
    check("p contains [i, j] if input.n.m[i][j] == 4", &["[[1,1]]"]);
    check("p if [_, _] = input.xs", &[]);
    check("p := x if { x = y; y = 3 }", &["3"]);
    check(
        "f([x, {\"k\": y}]) := x + y\np := f([1, {\"k\": 2}])",
        &["3"],
    );
    check("f(x, x) := 1\np := [f(1, 1), 2]", &["[1,2]"]);
    check("f(x, x) := 1\np := f(1, 2)", &[]);
}

#[test]
fn scopes() {
    check("p := [x | some x in input.xs; x > 3]", &["[4,5]"]);
    check(
        "p := [[x, ys] | some x in [1, 2]; ys := [y | y := x * 2]]",
        &["[[1,[2]],[2,[4]]]"],
    );
    check("p := x if { x := 1; [2 | x := 2] == [2] }", &["1"]);
    check(
        "p := xs if { xs := [x | x = 1]; ys := [x | x = 2]; ys == [2] }",
        &["[1]"],
    );
    check("p := [1 | input.xs[_]]", &["[1,1,1]"]);
    check("p := {k: v | some k, v in input.o}", &["{\"k\":\"v\"}"]);
    check("p if every x in input.xs { x > 2 }", &["true"]);
    check("p if every i, x in input.xs { x == i + 3 }", &["true"]);
    check("p if every x in input.missing { x }", &[]);
    check(
        "p contains x + y if { some x in [1, 2]; some y in [10] }",
        &["[11,12]"],
    );
}

#[test]
fn names() {
    check("import input.o as o\np := o.k", &["\"v\""]);
    check("import data.base.xs\np := xs[1]", &["2"]);
    check("import data.base\np contains base.xs[_]", &["[1,2]"]);
    check("q := 1\np := q", &["1"]);
    check("q := 1\np := r if { q := 2; r := q }", &["2"]);
    check("q(x) := x\np := [q | q := 1]", &["[1]"]);
    check("count := 3\np := count", &["3"]);
    check("p := data.a.base", &["7"]);
    check("q.r := 1\nq.s := 2\np := data.a.q", &["{\"r\":1,\"s\":2}"]);
    check(
        "q[k] := v if some k, v in input.o\nq.z := 1\np := q",
        &["{\"k\":\"v\",\"z\":1}"],
    );
    check(
        "q.r.s contains 1\nq.r.t := 2\np := data.a.q[\"r\"][x] if x := \"t\"",
        &["2"],
    );
}

#[test]
fn modifiers() {
    check(
        "q := input.a\np := y if { y := q with input.a as 2 }",
        &["2"],
    );
    check(
        "q := input\np := y if { y := q with input as {\"z\": input.a} }",
        &["{\"z\":1}"],
    );
    check(
        "q := data.base.o\np := y if { y := q.k with data.base.o.k as 5 }",
        &["5"],
    );
    check("f(x) := x\np := y if { y := f(1) with f as 3 }", &["3"]);
    check(
        "f(x) := x\ng(x) := x * 2\np := y if { y := f(4) with f as g }",
        &["8"],
    );
    check(
        "q := count([1])\np := y if { y := q with count as 9 }",
        &["9"],
    );
    check(
        "p := y if { y := [y | y := input.a] with input.a as 6 }",
        &["[6]"],
    );
    check(
        "p := x if { x := input.a with input as {\"a\": 8}; input.a == 1 }",
        &["8"],
    );
    check("p if not input.b with input.b as false", &["true"]);
}

#[test]
fn texts_and_metadata() {
    check(
        "p := $\"a {input.a} {input.missing} {[1]}\"",
        &["\"a 1 \\u003cundefined\\u003e [1]\""],
    );
    check(
        "# METADATA\n# title: T\np := rego.metadata.rule().title",
        &["\"T\""],
    );
}

#[test]
fn otherwise_and_defaults() {
    check(
        "p := 1 if input.missing\nelse := 2 if input.f\nelse := 3",
        &["3"],
    );
    check("default p := 9\np := 1 if input.f", &["9"]);
    check(
        "default p := [x | x := input.xs[_]]\np := 1 if input.f",
        &["[3,4,5]"],
    );
    check(
        "default f(_) := 5\nf(1) := 1\np := [f(1), f(2)]",
        &["[1,5]"],
    );
}

#[test]
fn first_version() {
    let check = |module: &str, query: &str, expected: &[&str]| {
        check_with(Version::V0, module, query, INPUT, expected);
    };
    check(
        "package a\np[x] { x := input.xs[_] }",
        "data.a.p = x",
        &["{\"x\":[3,4,5]}"],
    );
    check(
        "package a\np[x] = y { y := input.xs[x] }",
        "data.a.p[1] = x",
        &["{\"x\":4}"],
    );
    check(
        "package a\np { input.a == 1 } { input.f }",
        "data.a.p",
        &["{}"],
    );
    check(
        "package a\ninput_ = input",
        "x = data.a.input_.a",
        &["{\"x\":1}"],
    );
}

/// What is refused can be stood in for; called without, it ends the evaluation.
#[test]
fn a_function_that_is_refused_may_be_replaced() {
    let rule = "p := x if x := http.send({}).a with http.send as {\"a\": 1}";
    check(rule, &["1"]);
    let module = format!("package a\n{rule}\nq if not http.send({{}}).a");
    let plan = plan(Version::V1, &[&module], "data.a.q = x", Options::default());
    let plan = plan
        .map_err(|(_, faults)| faults)
        .expect("the module compiles");
    let evaluation = Evaluation {
        input: Value::Undefined,
        ..evaluation("{}")
    };
    let error = execute::evaluate(&plan, &plan.entries[0], evaluation);
    let error = error.expect_err("nobody stands in for it").to_string();
    assert!(error.contains("http.send is not available"), "{error}");
}

/// Each element waits for the one after it; the last is known.
#[test]
fn unification_in_a_chain() {
    let names = |from: usize| {
        let names: Vec<String> = (from..from + 300).map(|i| format!("x{i}")).collect();
        names.join(", ")
    };
    let (left, right) = (names(0), names(1));
    check(&format!("p := x0 if [{left}, x300] = [{right}, 7]"), &["7"]);
    check(&format!("p := x0 if [x300, {right}] = [7, {left}]"), &["7"]);
    check(
        "p := [x, y, z] if [[x, y], z] = [z, [1, 2]]",
        &["[1,2,[1,2]]"],
    );
    check(
        "p := x if [{\"a\": x, \"b\": y}, y] = [{\"b\": 1, \"a\": y}, 1]",
        &["1"],
    );
}

/// OPA has the number. Without one, `not` would turn what is missing into a permission.
#[test]
fn a_number_that_cannot_be_held_is_an_error() {
    let squares = (0..10).map(|i| format!("n{} := n{i} * n{i}", i + 1));
    let squares = squares.collect::<Vec<_>>().join("\n");
    let module = format!("package a\nn0 := 12345678901234567890\n{squares}\np if not n10 > 0\n");
    let plan = plan(Version::V1, &[&module], "data.a.p", Options::default());
    let plan = plan
        .map_err(|(_, faults)| faults)
        .expect("the module compiles");
    let error = execute::evaluate(&plan, &plan.entries[0], evaluation(INPUT));
    assert_eq!(
        error.expect_err("there are too many digits").kind,
        execute::ErrorKind::Digits
    );
}
