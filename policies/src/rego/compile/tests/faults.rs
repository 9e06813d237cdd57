//! What is refused, where, with which code and in which words.

use super::*;

#[track_caller]
fn check(module: &str, expected: &[&str]) {
    assert_eq!(
        faults(Version::V1, module, Options::default()),
        expected,
        "{module}"
    );
}

#[track_caller]
fn check_strict(module: &str, expected: &[&str]) {
    let options = Options {
        strict: true,
        ..Options::default()
    };
    assert_eq!(faults(Version::V1, module, options), expected, "{module}");
}

#[test]
fn locals() {
    check(
        "package a\np if { x := 1; x := 2 }",
        &["2:16 rego_compile_error: var x assigned above"],
    );
    check(
        "package a\np if { x == 1; x := 2 }",
        &["2:16 rego_compile_error: var x referenced above"],
    );
    check(
        "package a\np if { x := x }",
        &["2:8 rego_compile_error: var x referenced above"],
    );
    check(
        "package a\np if { some x; some x; x = 1 }",
        &["2:16 rego_compile_error: var x declared above"],
    );
    check(
        "package a\nf(x) if { x := 1 }",
        &["2:11 rego_compile_error: arg x redeclared"],
    );
    check(
        "package a\np if { 1 := 1 }",
        &["2:8 rego_compile_error: cannot assign to number"],
    );
    check(
        "package a\np if { not x := 1 }",
        &["2:8 rego_compile_error: cannot assign vars inside negated expression"],
    );
    check(
        "package a\np if { some x in [x] }",
        &["2:8 rego_compile_error: var x assigned before"],
    );
    check(
        "package a\np if { some x; true }",
        &["2:1 rego_compile_error: declared var x unused"],
    );
    check(
        "package a\np if { count := 1; x := count([1]); x == count }",
        &["2:25 rego_compile_error: called function count shadowed"],
    );
    check(
        "package a\nf(input) := 1",
        &["2:3 rego_compile_error: args must not shadow input (use a different variable name)"],
    );
    check(
        "package a\np if { input := 1; input == 1 }",
        &[
            "2:8 rego_compile_error: variables must not shadow input (use a different variable name)",
        ],
    );
}

#[test]
fn names_nobody_uses() {
    let module = "package a\nimport data.b\nf(x) := 1\np if { y := 1 }";
    check(module, &[]);
    check_strict(
        module,
        &[
            "2:1 rego_compile_error: import data.b unused",
            "3:1 rego_compile_error: unused argument x. (hint: use _ (wildcard variable) instead)",
            "4:1 rego_compile_error: assigned var y unused",
        ],
    );
    check_strict(
        "package a\nimport data.b\nf(_) := b\np := y if { y := 1 }",
        &[],
    );
}

#[test]
fn imports() {
    check(
        "package a\nimport data.b\nimport data.c as b\np := b",
        &["3:1 rego_compile_error: import must not shadow import data.b"],
    );
    check(
        "package a\ninput := 1",
        &["2:1 rego_compile_error: rules must not shadow input (use a different rule name)"],
    );
}

#[test]
fn unsafe_variables() {
    check(
        "package a\np if { x > 1 }",
        &["2:8 rego_unsafe_var_error: var x is unsafe"],
    );
    check(
        "package a\np := x",
        &["2:6 rego_unsafe_var_error: var x is unsafe"],
    );
    check(
        "package a\np contains x if { true }",
        &["2:12 rego_unsafe_var_error: var x is unsafe"],
    );
    check(
        "package a\np if { not q[x] }\nq[1] := 1",
        &["2:8 rego_unsafe_var_error: var x is unsafe"],
    );
    check(
        "package a\np if { not f(_) }\nf(x) := x",
        &["2:8 rego_unsafe_var_error: var _ is unsafe"],
    );
    check(
        "package a\np if { x = y; y = x }",
        &[
            "2:8 rego_unsafe_var_error: var x is unsafe",
            "2:8 rego_unsafe_var_error: var y is unsafe",
        ],
    );
    check(
        "package a\np := [y | y > x]",
        &[
            "2:11 rego_unsafe_var_error: var x is unsafe",
            "2:11 rego_unsafe_var_error: var y is unsafe",
        ],
    );
    check(
        "package a\np if { x := y + 1 }",
        &["2:13 rego_unsafe_var_error: var y is unsafe"],
    );
    check(
        "package a\np if { {x} = {1} }",
        &["2:8 rego_unsafe_var_error: var x is unsafe"],
    );
    check(
        "package a\np if { input.x with input as y }",
        &["2:8 rego_unsafe_var_error: var y is unsafe"],
    );
    check(
        "package a\np := $\"{x.y}\"",
        &["2:9 rego_compile_error: var x is undeclared"],
    );
    // OPA forgets what else a condition needs that has a comprehension, and accepts this one.
    check(
        "package a\np if { z := 1; q == [y | y = z] }",
        &[
            "2:16 rego_compile_error: not supported: var q is unsafe, which OPA overlooks beside a \
             comprehension",
        ],
    );
    // Another order makes these safe.
    check("package a\np if { y > 1; y = x + 1; x = input.x }", &[]);
    check("package a\np if { not x; x = input.x }", &[]);
    check("package a\np if { [x, 1] = [y, y]; x > 0 }", &[]);
}

#[test]
fn calls() {
    check(
        "package a\np if { f(1) }",
        &["2:8 rego_type_error: undefined function f"],
    );
    check(
        "package a\np if { data.b.f(1) }",
        &["2:8 rego_type_error: undefined function data.b.f"],
    );
    check(
        "package a\nf(x) := x\np := f(1, 2, 3)",
        &["3:6 rego_type_error: function f has arity 1, got 3 arguments"],
    );
    check(
        "package a\np := count()",
        &["2:6 rego_type_error: count: arity mismatch"],
    );
    check(
        "package a\np := print(1)",
        &["2:6 rego_type_error: print(…) used as value"],
    );
    check(
        "package a\nq := 1\np := q()",
        &["3:6 rego_type_error: undefined function data.a.q"],
    );
    check(
        "package a\np := any([true])",
        &["2:6 rego_type_error: deprecated built-in function calls in expression: any"],
    );
}

#[test]
fn recursion() {
    check(
        "package a\np if p",
        &["2:1 rego_recursion_error: rule data.a.p is recursive: data.a.p -> data.a.p"],
    );
    check(
        "package a\np := q\nq := f(1)\nf(x) := p",
        &[
            "2:1 rego_recursion_error: rule data.a.p is recursive: data.a.p -> data.a.q -> data.a.f -> data.a.p",
            "3:1 rego_recursion_error: rule data.a.q is recursive: data.a.q -> data.a.f -> data.a.p -> data.a.q",
            "4:1 rego_recursion_error: rule data.a.f is recursive: data.a.f -> data.a.p -> data.a.q -> data.a.f",
        ],
    );
    check(
        "package a\np := data.a",
        &["2:1 rego_recursion_error: rule data.a.p is recursive: data.a.p -> data.a.p"],
    );
    check(
        "package a\np if data[x].q\nq := p",
        &[
            "2:1 rego_recursion_error: rule data.a.p is recursive: data.a.p -> data.a.q -> data.a.p",
            "3:1 rego_recursion_error: rule data.a.q is recursive: data.a.q -> data.a.p -> data.a.q",
        ],
    );
    check("package a\np.q := p.r\np.r := 1", &[]);
    check(
        "package a\np if false else := p",
        &["2:1 rego_recursion_error: rule data.a.p is recursive: data.a.p -> data.a.p"],
    );
}

#[test]
fn conflicts() {
    check(
        "package a\np := 1\np contains 2",
        &["2:1 rego_type_error: conflicting rules data.a.p found"],
    );
    check(
        "package a\np := 1\np(x) := x",
        &["2:1 rego_type_error: conflicting rules data.a.p found"],
    );
    check(
        "package a\np := 1\np.q := 2",
        &["2:1 rego_type_error: rule data.a.p conflicts with:"],
    );
    check(
        "package a\ndefault p := 1\ndefault p := 2",
        &["3:9 rego_type_error: multiple default rules data.a.p found"],
    );
    check(
        "package a\np[x] := x if x := 1\np.q := 2\np.r contains 1",
        &[],
    );
    let data = json(r#"{"a": {"p": 1}}"#);
    let options = Options {
        data: Some(&data),
        ..Options::default()
    };
    assert_eq!(
        faults(Version::V1, "package a\np := 2\nq := 3", options),
        ["2:1 rego_compile_error: conflicting rule for data path a/p found",]
    );
}

#[test]
fn modifiers() {
    check(
        "package a\np if { true with x as 1 }",
        &[
            "2:18 rego_type_error: with keyword target must reference existing input, data, or a function",
        ],
    );
    check(
        "package a\nq := {\"r\": 1}\np if { q with data.a.q.r as 1 }",
        &["3:15 rego_compile_error: with keyword cannot partially replace virtual document(s)"],
    );
    check(
        "package a\np if { true with walk as 1 }",
        &[
            "2:18 rego_compile_error: with keyword replacing built-in function: target must not be a relation",
        ],
    );
    check(
        "package a\np if { true with input[x] as 1; x := 1 }",
        &["2:24 rego_compile_error: not supported: a `with` target whose path is not constant"],
    );
}

#[test]
fn types() {
    check(
        "package a\np := 1 + \"a\"",
        &["2:6 rego_type_error: plus: invalid argument(s)"],
    );
    check(
        "package a\np if { 1 == \"a\" }",
        &["2:8 rego_type_error: match error"],
    );
    check(
        "package a\nq := {\"x\": 1}\np := q.y",
        &["3:6 rego_type_error: undefined ref: data.a.q.y"],
    );
    check(
        "package a\nf(x) := x + 1\np := f(\"a\")",
        &["3:6 rego_type_error: data.a.f: invalid argument(s)"],
    );
    check(
        "package a\nf(x) := x\np := f",
        &["3:6 rego_type_error: function data.a.f used as reference, not called"],
    );
    check(
        "package a\np if { 1 in {\"a\"} }",
        &["2:8 rego_type_error: match error"],
    );
    check(
        "package a\np := [x | x := [1][_]; x == \"a\"]",
        &["2:24 rego_type_error: match error"],
    );
    check("package a\np := count(input.x) + data.b.c", &[]);
    check(
        "package a\nq := 1 if input.a\nq := \"x\" if input.b\np := q + 1",
        &[],
    );
}

#[test]
fn several_at_once_but_of_one_stage() {
    let module = "package a\np if { x > 1 }\nq if { y > 1 }\nr := 1 + \"a\"";
    check(
        module,
        &[
            "2:8 rego_unsafe_var_error: var x is unsafe",
            "3:8 rego_unsafe_var_error: var y is unsafe",
        ],
    );
}

#[test]
fn beyond_the_compiler() {
    check(
        "package a\np := http.send({})",
        &[
            "2:6 rego_compile_error: not supported: the function `http.send`: policies make no network calls",
        ],
    );
    check(
        "package a\np if count([]) == 1 with count as http.send",
        &[
            "2:21 rego_compile_error: not supported: the function `http.send`: policies make no network calls",
        ],
    );
    check(
        "package a\np[x] := 1 if x := input.x\ndefault p.q := 2",
        &[
            "3:9 rego_compile_error: not supported: `default` below a rule whose name has a variable",
        ],
    );
}
