//! What OPA's type checker accepts and what it does not, where it is not what one would expect.

use super::*;

/// The faults of modules, as `line:column code: message`.
fn found(modules: &[&str]) -> Vec<String> {
    faults_of(Version::V1, modules, Options::default())
}

#[track_caller]
fn accepted(body: &str) {
    let module = format!("package t\n{body}");
    assert_eq!(found(&[&module]), [""; 0], "{body}");
}

#[track_caller]
fn refused(body: &str, expected: &str) {
    let module = format!("package t\n{body}");
    assert_eq!(found(&[&module]), [expected], "{body}");
}

/// With a second package, `u`.
#[track_caller]
fn beside(body: &str, other: &str, expected: &[&str]) {
    let modules = [format!("package t\n{body}"), format!("package u\n{other}")];
    let modules = modules.each_ref().map(String::as_str);
    assert_eq!(found(&modules), expected, "{body} beside {other}");
}

#[test]
fn a_collection_is_looked_up_as_a_member_of_its_type() {
    accepted("r := {{1}}[set()]");
    accepted("r contains {2, \"a\"}\np if r[{1}]");
    accepted("p if graph.reachable_paths({}, [])[[]]");
    accepted("p if { some [], x in graph.reachable_paths({}, input); x }");
    accepted("r contains [1, 2]\np if { r[[1, x]]; x + 1 }");
    refused(
        "r contains [1, 2]\np if r[[1]]",
        "3:6 rego_type_error: undefined ref: data.t.r[[1]]",
    );
    refused(
        "r contains [1, \"a\"]\np if { r[[_, x]]; x + 1 }",
        "3:19 rego_type_error: plus: invalid argument(s)",
    );
}

#[test]
fn a_key_of_an_object_is_json() {
    accepted("p if {{1}: 2}[[1]]");
    refused(
        "p if { x := {{1}: 2}; some y; x[y]; y | {2} }",
        "2:37 rego_type_error: or: invalid argument(s)",
    );
    refused(
        "p if { x := {[input.a]: \"x\", input.b: 1}; x.foo }",
        "2:43 rego_type_error: undefined ref: x.foo",
    );
}

#[test]
fn what_a_condition_looks_up_has_a_variable() {
    // A reference of which nothing is known can be anything.
    accepted("s := x if x := set()\nr := hex.decode(s)");
    accepted("d := set()\np if d in {1}");
    accepted("p := set()\nq if [][p]");
    accepted("p if { {}[x]; {[], 1}[y][_] <= x }");
    accepted("f(x) := [set(), {1 | y}] if y := 1\np if { some x in f(1); x + 1 }");
    // A variable in a set can get a further type.
    accepted("q if 1\np := product({q, 1})");
    refused(
        "p := product({true, 1})",
        "2:6 rego_type_error: product: invalid argument(s)",
    );
    // It is bound in the body of `every`, which is looked at for references alone.
    accepted("q if 1\np if every y in [1] { data.u[q]; y }");
}

#[test]
fn comprehensions_are_checked_wherever_they_are() {
    refused(
        "import future.keywords\np if [n | n := 1 | 0] or (1)",
        "3:16 rego_type_error: or: invalid argument(s)",
    );
    refused(
        "p if { every x in [1] { y := [z | z := x + \"a\"]; y } }",
        "2:40 rego_type_error: plus: invalid argument(s)",
    );
    refused(
        "p if not {x | x := 1 + \"a\"}",
        "2:20 rego_type_error: plus: invalid argument(s)",
    );
    // One within another is checked once more, without what the other knows of its variables.
    refused(
        "p := [1 | y := input.a; z := input.b; w := [2 | {y} = {z}]; w]",
        "2:49 rego_type_error: match error",
    );
}

#[test]
fn comprehensions_within_each_other_cost_bounded_work() {
    let nested = (0..60).fold("1".to_owned(), |inner, depth| {
        format!("[x{depth} | x{depth} := {inner}; x{depth}]")
    });
    let module = format!("package t\np := {nested}");
    assert_eq!(
        found(&[&module]),
        ["2:1 rego_compile_error: not supported: types of this size"]
    );
}

#[test]
fn a_set_of_unknown_members_is_no_rule_for_types() {
    let module = "package t\nu contains z if set()[_][z]";
    let question = "data[1]";
    assert!(plan(Version::V1, &[module], question, Options::default()).is_ok());
    let module = "package t\nu contains 1";
    assert!(plan(Version::V1, &[module], question, Options::default()).is_err());
}

#[test]
fn functions_are_a_part_of_their_package() {
    let function = "function x.f used as reference, not called";
    beside(
        "p if { x := data.u; x.f }",
        "f(x) := x",
        &[&format!("2:21 rego_type_error: {function}")],
    );
    beside(
        "p if data.u[x] == 1",
        "f(x) := x",
        &["2:6 rego_type_error: match error"],
    );
    beside("p if data.u[x] == 1", "a := 1\nf(x) := x", &[]);
    refused(
        "f(a) := z if set()[_][z]\np if f(1) == 2",
        "3:6 rego_type_error: data.t.f: too many arguments",
    );
}

#[test]
fn a_variable_can_be_a_builtin_function() {
    let undefined = "rego_type_error: undefined ref: input[count]";
    refused(
        "p if { x := [y | count = 1; y := 1]; x }",
        "2:18 rego_type_error: match error",
    );
    refused("p := input[count]", &format!("2:6 {undefined}"));
    refused(
        "p if { x := [y | input[count]; y := 1]; x }",
        &format!("2:18 {undefined}"),
    );
    accepted("p if { count = 1; x := [count | count = 1]; x }");
    accepted("p if { x := [count | some count in [1]]; x }");
    accepted("p contains count if input[count]");
    accepted("p if { every x in [1] { count = x } }");
    accepted("f(count) := count\np if f(1)");
}
