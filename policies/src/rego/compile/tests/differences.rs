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
fn modifiers_of_conditions_with_bodies() {
    for condition in [
        "not { some x in input }",
        "every x in [2] { x == 2 }",
        "every y in [2] { x := y; x == 2 }",
    ] {
        let body =
            format!("import future.keywords\nv := 1\np if {{ x := 1; {condition} with v as x }}");
        check(&body, "[]", "rego_unsafe_var_error");
    }
    let every = "every z in y { some y in z; y > 0 }";
    check("p if every y in input { some input in y }", "1", "{}");
    let modified = "not { some input in [1]; input == 2 } with v as input";
    let body = format!("import future.keywords\nv := 1\np if {modified}");
    check(&body, "1", r#"{"p": true, "v": 1}"#);
    check(
        &format!("p if {{ y := [[1]]; {every} }}"),
        "1",
        r#"{"p": true}"#,
    );
    check(
        &format!("p if {{ [_, y] = input; {every} }}"),
        "1",
        "rego_unsafe_var_error",
    );
    let body = "import future.keywords\nv := 1\np if { x := 1; not { x == 7 } with v as x }";
    check(body, "[]", r#"{"p": true, "v": 1}"#);
}

#[test]
fn a_lone_true_is_refused_where_opa_drops_it() {
    // OPA allows this.
    check("p := input.x if not true", r#"{"x": 1}"#, "refused");
    check("p := input.x if true with input as {}", "{}", "refused");
    check("p := 1 if not true", "{}", "{}");
    check("p := input.x if { true; not true }", r#"{"x": 1}"#, "{}");
    check(
        "p := input if { true with data.z as input.s; print() }",
        "1",
        "refused",
    );
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
fn conditions_are_evaluated_in_turn() {
    // The left side enumerates outside, the right one inside.
    let input = r#"{"xs": [1, 2], "ys": [2, 1]}"#;
    for sides in ["input.xs[i] = input.ys[j]", "input.xs[i] == input.ys[j]"] {
        let module = format!("p := [[i, j] | {sides}]");
        check(&module, input, r#"{"p": [[0, 1], [1, 0]]}"#);
    }
    check(
        r#"p := [o | o := {"b": input.xs[_], "a": input.ys[_]}]"#,
        input,
        r#"{"p": [{"a": 2, "b": 1}, {"a": 2, "b": 2}, {"a": 1, "b": 1}, {"a": 1, "b": 2}]}"#,
    );
}

/// `v` has two values, which is an error as soon as it is evaluated.
#[track_caller]
fn check_meets(body: &str, input: &str, meets: bool) {
    let module = format!("package a\nv := x if some x in [1, 2]\nf(_) := v\n{body}");
    let found = answer(Version::V1, &module, "x = data.a.p", input);
    let conflict = found == "eval_conflict_error";
    assert_eq!(conflict, meets, "{body}: {found}");
}

#[test]
fn what_is_evaluated_before_a_condition() {
    // What lies in a collection or stands as an argument, from the left, calls first.
    check_meets("p if [{1: x}, v] = input", "1", true);
    check_meets("p if [[x, v]] = input", "1", true);
    check_meets("g(i) if i.missing = [v]\np if g(input)", "{}", true);
    check_meets("g(i) if i.missing = {v}\np if g(input)", "{}", true);
    check_meets("p if walk(v, input[_].o)", "1", true);
    check_meets("p if walk(input.missing, [_, v])", "{}", false);
    check_meets("h(_, _)\np if h(v, input[_])", "1", true);
    check_meets("h(_, _)\np if h(input.missing, v)", "{}", false);
    check_meets(
        "h(_, _)\ng(i) if h(i.missing, f(1))\np if g(input)",
        "{}",
        true,
    );
    check_meets("h(_, _)\np if h(v, abs(input.missing))", "{}", false);
    check_meets(r#"p if {"b": v, "a": input.missing}"#, "{}", false);
    check_meets("g(i) if count({v, i.missing})\np if g(input)", "{}", false);
    check_meets("p if split(input, \",\")[v]", "1", false);
    // Keys come before what they lead through, those of both sides.
    check_meets(
        "w[x] := {\"k\": v} if some x in [1]\np if w[_][input.missing]",
        "{}",
        false,
    );
    check_meets(
        "o := {\"k\": v}\np if o[input.x] = input.y[input.missing]",
        r#"{"x": 1}"#,
        false,
    );
    // The left side comes before the right one.
    check_meets("p if input.xs[_] = v", r#"{"xs": []}"#, false);
    check_meets("p if v = input.xs[_]", r#"{"xs": []}"#, true);
    check_meets(
        "p if input with input.x as input.missing with input.y as v",
        "{}",
        false,
    );
    check_meets(
        "p if input with input.x as v with input.y as input.z[_]",
        "{}",
        true,
    );
}

/// OPA takes `i` for what the condition binds itself.
#[test]
fn conditions_that_share_what_they_look_up_with_a_comprehension() {
    let policy = |condition: &str| format!("p if {{ some i in [0]; {condition} }}");
    for condition in [
        "input.a[i] in {x | x := input.b[i]}",
        "input.c[i]; input.a[i] in {x | x := input.b[i]}",
        "input.a[i] == {x | x := input.b[i]}",
        "input[i] > {1 | i}",
        "{input.a[i]: {x | x := input.b[i]}}",
    ] {
        check(&policy(condition), "{}", "rego_unsafe_var_error");
    }
    check(
        &policy("some j in [1]; input.a[j][i] in {x | x := input.b[j][i]}"),
        "{}",
        "rego_unsafe_var_error rego_unsafe_var_error",
    );
    let input = r#"{"a": [1, [2]], "b": [1, [1, 2]]}"#;
    for condition in [
        "some j in [0]; input.a[i] in {x | x := input.b[i + j]}",
        "not input.a[i] in {x | x := input.b[i + 1]}",
        "{input.a[i]} = {x | x := input.b[i]}",
    ] {
        check(&policy(condition), input, r#"{"p": true}"#);
    }
}

#[test]
fn metadata_in_operands_without_braces() {
    for body in [
        "not input.z == rego.metadata.chain()",
        "not count(rego.metadata.chain()) == 1",
        "input.x or count(rego.metadata.chain()) == 7",
    ] {
        let policy = format!("import future.keywords\ng if {{ {body} }}");
        check(&policy, "{}", "rego_unsafe_var_error");
    }
    for body in [
        "not { count(rego.metadata.chain()) == 7 }",
        "not [1 | rego.metadata.rule()] == []",
    ] {
        let policy = format!("import future.keywords\ng if {{ {body} }}");
        check(&policy, "{}", r#"{"g": true}"#);
    }
}

#[test]
fn comprehensions_that_are_looked_into() {
    let input = "[1, 2]";
    for value in [
        "{[x | some x in input][0]}",
        r#"{"a": {x | some x in input}[1]}"#,
        "{{1 | [x | some x in input][0]}}",
        r#"{{"a": [x | some x in input][0] | true}}"#,
        "{{1 | 1 < [x | some x in input][0]}}",
        "{{1 | true with input.z as [x | some x in input][0]}}",
    ] {
        check(&format!("p := {value}"), input, "refused");
    }
    check("p := [[x | some x in input][0]]", input, r#"{"p": [1]}"#);
    check(
        "p := {1 | [x | some x in input][0]}",
        input,
        r#"{"p": {1}}"#,
    );
    check(
        "p := {count([x | some x in input])}",
        input,
        r#"{"p": {2}}"#,
    );
    check(
        "p if {[x | some x in input][0]} == {1}",
        input,
        r#"{"p": true}"#,
    );
}

#[test]
fn variables_of_template_strings() {
    let undeclared = "rego_compile_error";
    for body in [
        r#"p := $"{x[input.y]}" if some x in {input[_]}"#,
        r#"p := $"{x[1]}" if [input.s[_]][_] = x"#,
        r#"p if { x := 1 with lower as upper; $"{x + 1}" }"#,
        r#"p if print($"{input.xs[_].y}")"#,
        r#"p := $"{x + 1}" if { x = y + 1; y = 1 }"#,
        r#"p if { some x in array.reverse(input[_]); $"{x + 1}" }"#,
        r#"p if { x := input with input as input[_]; $"{x + 1}" }"#,
        "import future.keywords.not\np if not { y := 1; $\"{y + 1}\" == \"3\" }",
    ] {
        check(body, "{}", undeclared);
    }
    check(
        r#"p := $"{x + 1}" if { y = 1; x = y + 1 }"#,
        "{}",
        r#"{"p": "3"}"#,
    );
    check(
        r#"p := [$"{x + 1}" | some x in [1]]"#,
        "{}",
        r#"{"p": ["2"]}"#,
    );
    check(
        r#"p if every x in [1] { $"{x + 1}" == "2" }"#,
        "{}",
        r#"{"p": true}"#,
    );
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
    // Nothing is in it; OPA says so here, and finds `x` unsafe in `{y | some y in 1}[x]`.
    check("p if some x in 1", "{}", "refused");
    check(r#"p if some $"{y + 1}", y in input"#, "[]", "{}");
    check(
        "p if some {1 | some y in input}, x in input",
        "[]",
        "refused",
    );
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

#[test]
fn deprecated_functions_that_are_called_within_negations_alone() {
    let check = |body: &str, expected: &str| {
        let module = format!("package a\nimport future.keywords.not\n{body}");
        let found = answer(Version::V1, &module, "x = data.a", "{}");
        assert_eq!(found, expected, "{body}");
    };
    check("p if not any([false])", r#"{"p": true}"#);
    check("p if { not { any([false]) } }", r#"{"p": true}"#);
    check("p if any([true])", "rego_type_error");
    check(
        "p if not any([false])\nq if all([])",
        "rego_type_error rego_type_error",
    );
}
