use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use rstest::rstest;
use serde_json::json;

use super::Program;
use crate::{Definition, Headers, RegoVersion, Request, Value};

fn definition(source: &str) -> Definition {
    Definition::new("a/b@1".parse().unwrap(), source)
}

fn request() -> Request {
    Request {
        id: Arc::from("1"),
        now: Timestamp::from_second(1_000_000_000).unwrap(),
        headers: Arc::new(Headers::new([("X-Location", "here")])),
        budget: Duration::from_secs(10),
    }
}

fn evaluate(definition: &Definition, input: Value) -> Result<Value, String> {
    let program = Program::compile(definition).map_err(|faults| faults.to_string())?;
    let limit = Duration::from_secs(10);
    program
        .evaluate(input, &request(), limit)
        .map_err(|failure| failure.message().code.to_string())
}

fn json(text: &str) -> Value {
    Value::from_json_str(text).unwrap()
}

#[rstest]
#[case("package a.b\nx := 1", r#"{"x": 1}"#)]
#[case("package a.b\ny := input.n + 1", r#"{"y": 6}"#)]
#[case("package a.b\nallow if input.n == 5", r#"{"allow": true}"#)]
#[case("package a.b\nallow if input.n == 4", "{}")]
#[case(
    "package a.b\ndeny contains msg if { some i in [1, 2]; msg := sprintf(\"%d\", [i]) }",
    r#"{"deny": ["1", "2"]}"#
)]
#[case("package a.b\nallow { input.n == 5 }", r#"{"allow": true}"#)]
#[case("package a.b\ndeny[msg] { msg := \"old\" }", r#"{"deny": ["old"]}"#)]
#[case(
    "package a.b\nlocation := get_header(\"x-location\")",
    r#"{"location": "here"}"#
)]
#[case(
    "package a.b\nlocation := external.http.header(\"Absent\")",
    r#"{"location": ""}"#
)]
#[case("package a.b\nnow := time.now_ns()", r#"{"now": 1000000000000000000}"#)]
#[case("package a.b\nf(x) := x * 2\ny := f(input.n)", r#"{"y": 10}"#)]
#[case(
    "package a.b\nz := 1 if count([x | some x in [1]; x > 0]) == 1",
    r#"{"z": 1}"#
)]
fn evaluates_the_package(#[case] source: &str, #[case] expected: &str) {
    let document = evaluate(&definition(source), json(r#"{"n": 5}"#)).unwrap();
    assert_eq!(json(&document.to_json_str().unwrap()), json(expected));
}

#[rstest]
#[case("data.a.b.x", "1")]
#[case("data.a.b", r#"{"x": 1, "allow": true}"#)]
fn evaluates_an_entrypoint(#[case] entrypoint: &str, #[case] expected: &str) {
    let mut definition = definition("package a.b\nx := 1\nallow := true");
    definition.entrypoint = Some(entrypoint.to_owned());
    assert_eq!(
        evaluate(&definition, Value::Undefined).unwrap(),
        json(expected)
    );
}

#[test]
fn modules_of_other_packages_need_an_entrypoint() {
    let mut definition = definition("package a.b\nimport data.lib.core\nallow if core.holds");
    definition.modules.insert(
        "lib.rego".to_owned(),
        "package lib.core\nholds := true".to_owned(),
    );
    assert!(
        evaluate(&definition, Value::Undefined)
            .unwrap_err()
            .contains("lib.rego:1:1: package_mismatch")
    );
    definition.entrypoint = Some("data.a.b".to_owned());
    assert_eq!(
        evaluate(&definition, Value::Undefined).unwrap(),
        json(r#"{"allow": true}"#)
    );
}

#[test]
fn reads_data() {
    let mut definition = definition("package a.b\nroles := data.roles");
    definition.data.insert("roles".to_owned(), json!(["admin"]));
    assert_eq!(
        evaluate(&definition, Value::Undefined).unwrap(),
        json(r#"{"roles": ["admin"]}"#)
    );
}

#[rstest]
#[case(RegoVersion::Auto, "package a.b\nallow if true", Ok(RegoVersion::V1))]
#[case(RegoVersion::Auto, "package a.b\nallow { true }", Ok(RegoVersion::V0))]
#[case(RegoVersion::V1, "package a.b\nallow { true }", Err(()))]
#[case(RegoVersion::V0, "package a.b\nallow { true }", Ok(RegoVersion::V0))]
fn reads_the_version_that_was_asked_for(
    #[case] asked: RegoVersion,
    #[case] source: &str,
    #[case] expected: Result<RegoVersion, ()>,
) {
    let mut definition = definition(source);
    definition.rego_version = asked;
    let version = Program::compile(&definition).map(|program| program.version());
    assert_eq!(version.map_err(|_| ()), expected);
}

#[rstest]
#[case("package a.b\nallow if {", "policy.rego:2:", "rego_parse_error")]
#[case(
    "package a.b\nx := undefined_function(1)",
    "policy.rego:2:6",
    "undefined function `undefined_function`"
)]
#[case(
    "package a.b\nx := lib.f(1)",
    "policy.rego:2:6",
    "undefined function `lib.f`"
)]
#[case(
    "package a.b\nx := count(1, 2, 3)",
    "policy.rego:2:6",
    "`count` takes 1 arguments, not 3"
)]
#[case(
    "package a.b\nx := http.send({})",
    "policy.rego:2:",
    "`http.send` is refused"
)]
#[case(
    "package a.b\nx := opa.runtime()",
    "policy.rego:2:",
    "`opa.runtime` is refused"
)]
#[case(
    "package a.c\nx := 1",
    "policy.rego:1:",
    "package `a.c` is not the policy's address, `a.b`"
)]
#[case(
    "package a.b.deny\nx := 1",
    "policy.rego:1:",
    "would be read as a rule"
)]
#[case("package a.b\np if q\nq if p", "policy.rego:", "rego_recursion_error")]
#[case(
    "package a.b\nf(x) := f(x - 1)",
    "policy.rego:2:",
    "rule `data.a.b.f` is recursive"
)]
#[case("package a.b\nx := data.a.b", "policy.rego:2:", "rego_recursion_error")]
#[case(
    "package a.b\nx := data.a[input.k]",
    "policy.rego:2:",
    "rego_recursion_error"
)]
#[case(
    "package a.b\nx := [y | y := data[\"a\"].b.x]",
    "policy.rego:2:",
    "rego_recursion_error"
)]
#[case(
    "package a.b\nimport data.a.b as me\nx := me.x",
    "policy.rego:3:",
    "rego_recursion_error"
)]
#[case(
    "package a.b\nx := y if not z\nz if input.a with input as x\ny := 1",
    "policy.rego:",
    "rego_recursion_error"
)]
#[case("package a.b\nallow if x == 1", "policy.rego:2:", "rego_compile_error")]
#[case(
    "package a.b\nx := [[[[[[[[[[[1]]]]]]]]]]]",
    "policy.rego:2:16",
    "nested deeper"
)]
fn refuses(#[case] source: &str, #[case] place: &str, #[case] what: &str) {
    let text = evaluate(&definition(source), Value::Undefined).unwrap_err();
    assert!(
        text.contains(place) && text.contains(what),
        "{source}\n\n{text}"
    );
}

#[rstest]
#[case("package a.b\np.x := 1\np.y := 2\nq := p.x")]
#[case("package a.b\nf(x) := g(x)\ng(x) := x\ny := f(1)")]
#[case("package a.b\nimport data.things\nx := things[_]\nthing := input.x")]
#[case("package a.b\nx if { some y in [1]; y == 1 }")]
#[case("package a.b\ndefault allow := false\nallow if input.x")]
#[case("package a.b\nprinted if print(\"x\", 1, 2)")]
#[case("package a.b\nw := [p | walk(input, [p, _])]")]
#[case("package a.b\nf(x) := x\nx := f(1)")]
#[case("package a.b\nf([x, {\"k\": y}]) := x + y\nx := f([1, {\"k\": 2}])\ny := x")]
fn accepts(#[case] source: &str) {
    if let Err(faults) = Program::compile(&definition(source)) {
        panic!("{source}\n\n{faults}");
    }
}

#[rstest]
#[case("x", json!({"a": {"b": {"x": 2}}}))]
#[case("x", json!({"a": {"b": {}}}))]
#[case("x", json!({"a": 5}))]
fn refuses_data_where_the_package_is(#[case] rule: &str, #[case] data: serde_json::Value) {
    let mut definition = definition(&format!("package a.b\n{rule} := 1"));
    definition.data = data.as_object().unwrap().clone();
    let text = evaluate(&definition, Value::Undefined).unwrap_err();
    assert!(text.contains("where the package is"), "{text}");
}

#[rstest]
#[case("data.a.c", "no module defines")]
#[case("data.a.b.y", "no module defines")]
#[case("data.a.b.f", "no module defines")]
#[case("a.b", "is not an entrypoint")]
#[case("data", "is not an entrypoint")]
#[case("data.a[0]", "is not an entrypoint")]
#[case("data.a.b; true", "is not an entrypoint")]
fn refuses_an_entrypoint(#[case] entrypoint: &str, #[case] expected: &str) {
    let mut definition = definition("package a.b\nx := 1\nf(y) := y");
    definition.entrypoint = Some(entrypoint.to_owned());
    let text = evaluate(&definition, Value::Undefined).unwrap_err();
    assert!(text.contains(expected), "{text}");
}

#[test]
fn a_chain_of_rules_has_an_end() {
    let chain = |length: usize| {
        let rules: Vec<String> = (0..length).map(|n| format!("r{n} := r{}", n + 1)).collect();
        let rules = rules.join(
            "
",
        );
        definition(&format!("package a.b\n{rules}\nr{length} := 1"))
    };
    let document = evaluate_on_large_stack(&chain(399)).unwrap();
    assert_eq!(document["r0"], Value::from(1_i64));
    let text = evaluate_on_large_stack(&chain(400)).unwrap_err();
    assert!(text.contains("chain longer than 400"), "{text}");
}

/// As doors do: evaluator threads have 64 MiB.
fn evaluate_on_large_stack(definition: &Definition) -> Result<Value, String> {
    std::thread::scope(|scope| {
        std::thread::Builder::new()
            .stack_size(64 * 1024 * 1024)
            .spawn_scoped(scope, || evaluate(definition, Value::Undefined))
            .unwrap()
            .join()
            .unwrap()
    })
}

#[test]
fn an_evaluation_ends_at_its_limit() {
    let joins = "package a.b\nx := count([1 | numbers.range(1, 300)[_] != 0; numbers.range(1, 300)[_] != 0; numbers.range(1, 300)[_] != 0])";
    let program = Program::compile(&definition(joins)).unwrap();
    let failure = program
        .evaluate(Value::Undefined, &request(), Duration::from_millis(20))
        .unwrap_err();
    assert_eq!(failure.message().code.as_str(), "POLICY.TIMEOUT");
}

#[rstest]
#[case(
    "package a.b\nx := 1 if true\nx := 2 if true",
    "POLICY.EVALUATION_FAILED"
)]
#[case(
    "package a.b\nx := strings.count(\"abc\", \"\")",
    "POLICY.EVALUATION_FAILED"
)]
fn an_evaluation_that_fails_says_so(#[case] source: &str, #[case] code: &str) {
    assert_eq!(
        evaluate(&definition(source), Value::Undefined).unwrap_err(),
        code
    );
}
