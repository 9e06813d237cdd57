//! The smallest policies that the differential fuzzer found to differ from OPA.

use super::*;
use crate::rego::execute;

/// The values of `x`, as Rego; the code of an error; the codes of faults.
fn answer(version: Version, module: &str, query: &str, input: &str) -> String {
    let options = Options::default();
    let plan = match plan(version, &[module], query, options) {
        Ok(plan) => plan,
        Err((_, faults)) => {
            let beyond = |fault: &Fault| fault.message.starts_with("not supported:");
            let code = |fault: &Fault| {
                if beyond(fault) {
                    "refused"
                } else {
                    fault.code.name()
                }
            };
            return faults.iter().map(code).collect::<Vec<_>>().join(" ");
        }
    };
    let evaluation = evaluation(input);
    match execute::evaluate(&plan, &plan.entries[0], evaluation) {
        Ok(solutions) => {
            let x = |bindings| value::get(bindings, &Value::from("x")).map(value::text::literal);
            solutions.iter().filter_map(x).collect()
        }
        Err(error) => error.kind.code().to_owned(),
    }
}

#[track_caller]
fn check(body: &str, input: &str, expected: &str) {
    let module = format!("package a\n{body}");
    let found = answer(Version::V1, &module, "x = data.a", input);
    assert_eq!(found, expected, "{body}");
}

#[test]
fn modifiers_do_not_see_what_the_condition_assigns() {
    check("p if y := 1 with input as y", "{}", "rego_compile_error");
    check(
        "p if { x := 2; y := input with input as x; y == 2 }",
        "{}",
        r#"{"p": true}"#,
    );
}

#[test]
fn a_lone_true_is_refused_where_opa_drops_it() {
    // OPA allows this.
    check("p := input.x if not true", r#"{"x": 1}"#, "refused");
    check("p := input.x if true with input as {}", "{}", "refused");
    check("p := 1 if not true", "{}", "{}");
    check("p := input.x if { true; not true }", r#"{"x": 1}"#, "{}");
}

#[test]
fn a_member_of_a_set_can_be_its_own_key() {
    check(
        "p contains x if some x, x in {1, 2}",
        "{}",
        r#"{"p": {1, 2}}"#,
    );
    check("p contains x if x = {1, 2}[x]", "{}", r#"{"p": {1, 2}}"#);
    check("p contains x if some x, x in [0, 5]", "{}", r#"{"p": {0}}"#);
}

#[test]
fn keys_of_object_literals() {
    // What is overwritten is not evaluated.
    check(r#"p := {"k": input.x, "k": 2}"#, "{}", r#"{"p": {"k": 2}}"#);
    check(
        "p := {input.x: 1, input.y: 1}",
        r#"{"x": "a", "y": "a"}"#,
        r#"{"p": {"a": 1}}"#,
    );
    // Which value OPA takes depends on where the literal stands.
    check(
        "p := {input.x: 1, input.y: 2}",
        r#"{"x": "a", "y": "a"}"#,
        "eval_conflict_error",
    );
}

#[test]
fn an_undefined_operand_ends_a_comparison() {
    // Where the second one is an error, the query has none, for it is not needed.
    let two = "package a\nv := x if some x in [1, 2]\n";
    for body in [
        "p if input.missing <= v",
        "p := input.missing + v",
        "p if input.missing in v",
    ] {
        let module = format!("{two}{body}");
        let found = answer(Version::V1, &module, "x = data.a.p", "{}");
        assert_eq!(found, "", "{body}");
    }
}

#[test]
fn the_left_side_is_first() {
    let two = "package a\nv := x if some x in [1, 2]\n";
    for body in [
        "p if v == input.missing",
        "p if v = input.missing",
        "p if v + input.missing",
        "p := input.missing.y[v]",
        "p if input.missing in g(v)\ng(x) := [x]",
    ] {
        let module = format!("{two}{body}");
        let found = answer(Version::V1, &module, "x = data.a.p", "{}");
        assert_eq!(found, "eval_conflict_error", "{body}");
    }
    let module = format!("{two}p[input.missing] := v");
    assert_eq!(answer(Version::V1, &module, "x = data.a.p", "{}"), "{}");
    for body in [
        "p := {input.missing: v}",
        "p if w[input.missing]\nw := x if some x in [[], {}]",
    ] {
        let module = format!("{two}{body}");
        let found = answer(Version::V1, &module, "x = data.a.p", "{}");
        assert_eq!(found, "", "{body}");
    }
}

#[test]
fn expressions_of_template_strings_bind_nothing() {
    check(r#"p if $"{input.xs[_]}""#, "{}", "rego_compile_error");
    check(
        r#"p contains $"{x}" if some x in [1]"#,
        "{}",
        r#"{"p": {"1"}}"#,
    );
}

#[test]
fn what_some_declares() {
    // A name that the collection mentions is another one, even in a comprehension of its own.
    check("f(x) := y if some y, x in [x]", "{}", "rego_compile_error");
    check("f(x) if some x in [1 | x]", "{}", "{}");
    check("p if some x in 1", "{}", "{}");
}

#[test]
fn calls_of_rules() {
    check("p := 1\nq := p()", "{}", "rego_type_error");
    check("p := input\nq := p()", "{}", "refused");
    check("p if print(f())", "{}", r#"{"p": true}"#);
}

#[test]
fn stand_ins_for_functions() {
    let f = "f(x, y) := 1\n";
    check(
        &format!("{f}p if f(1, 2) with data.a.f as count"),
        "{}",
        "rego_type_error",
    );
    check(
        "g(1) := 2\np if count([]) with count as g",
        "{}",
        "rego_type_error",
    );
    check(
        "g(x) := 2\np if count([]) == 2 with count as g",
        "{}",
        r#"{"p": true}"#,
    );
}

#[test]
fn types_of_empty_collections() {
    check("p if [][set()]", "{}", "{}");
    check("p if [][0]", "{}", "rego_type_error");
    check("p if set()[{}] == 1", "{}", "{}");
    check("p if { r := {1}; [][r] }", "{}", "rego_type_error");
    check(
        r#"p if { {"a": x} := {"a": set()}; count(x) == 0 }"#,
        "{}",
        r#"{"p": true}"#,
    );
    check("p if set() == set()", "{}", "rego_type_error");
    check("f(set())\np if f({1})", "{}", "rego_type_error");
    check("f(x) if [x | x][y].b", "{}", "{}");
}

#[test]
fn rules_below_data_that_is_no_object() {
    let data = json(r#"{"a": 1}"#);
    let options = Options {
        data: Some(&data),
        ..Options::default()
    };
    assert_eq!(
        faults(Version::V1, "package a\np := 1", options),
        ["2:1 rego_compile_error: conflicting rule for data path a/p found"],
    );
}

#[test]
fn a_constant_index_is_an_integer() {
    check("p if [1, 1][1.0]", "{}", "rego_type_error");
    check("p if [1, 1][input.i]", r#"{"i": 1.0}"#, r#"{"p": true}"#);
}
