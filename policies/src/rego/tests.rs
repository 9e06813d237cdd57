mod memory;

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use rstest::rstest;
use serde_json::json;

use super::{Powers, Program};
use crate::{Definition, Extent, Headers, Limits, RegoVersion, Request, rego::value::Value};

fn definition(source: &str) -> Definition {
    Definition::new("a/b@1".parse().unwrap(), source)
}

fn request() -> Request {
    Request {
        id: Arc::from("1"),
        now: Timestamp::from_second(1_000_000_000).unwrap(),
        headers: Arc::new(Headers::new([("X-Location", "here")])),
        budget: Duration::from_secs(10),
        namespace: None,
        tool: None,
        strict: false,
    }
}

fn limits(milliseconds: u64) -> Limits {
    Limits {
        timeout: Duration::from_millis(milliseconds),
        ..Limits::MAX
    }
}

fn evaluate(definition: &Definition, input: Value) -> Result<Value, String> {
    let program =
        Program::compile(definition, &[], Extent::MAX).map_err(|faults| faults.to_string())?;
    program
        .evaluate(input, &request(), limits(10_000), Powers::default())
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
            .contains("lib.rego:1:9: package_mismatch")
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
    let version = Program::compile(&definition, &[], Extent::MAX).map(|program| program.version());
    assert_eq!(version.map_err(|_| ()), expected);
}

#[rstest]
#[case("package a.b\nallow if {", "policy.rego:2:", "rego_parse_error")]
#[case(
    "package a.b\nx := undefined_function(1)",
    "policy.rego:2:6",
    "undefined function undefined_function"
)]
#[case(
    "package a.b\nx := lib.f(1)",
    "policy.rego:2:6",
    "undefined function lib.f"
)]
#[case(
    "package a.b\nx := count(1, 2, 3)",
    "policy.rego:2:6",
    "count: arity mismatch"
)]
#[case(
    "package a.b\nx := http.send({})",
    "policy.rego:2:",
    "the policy's `network.hosts` names no host"
)]
#[case(
    "package a.b\nx := opa.runtime()",
    "policy.rego:2:",
    "the policy's `network.hosts` names no host"
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
    "rule data.a.b.f is recursive"
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
// An argument hides neither a function, nor `data`, nor what a pattern refers to.
#[case(
    "package a.b\nf(f) := f(f)",
    "policy.rego:2:",
    "called function f shadowed"
)]
#[case(
    "package a.b\nf(g) := g(g)\ng(x) := f(x)",
    "policy.rego:",
    "called function g shadowed"
)]
#[case(
    "package a.b\nf(data) := data.a.b.f(1)",
    "policy.rego:2:",
    "args must not shadow data"
)]
#[case(
    "package a.b\nf(data) := data.a.b.x\nx := f(1)",
    "policy.rego:",
    "args must not shadow data"
)]
#[case(
    "package a.b\nimport data.a.b as me\nf([x, me.k]) := me.r\nk := 1\nr := f([1, 1])",
    "policy.rego:3:3",
    "rego_unsafe_var_error"
)]
// Version 0 has no keyword `if`: regorus would read two rules, of which the first always holds.
#[case(
    "package a.b\nallow if { input.x == 1 }\ndeny[msg] { msg := \"x\" }",
    "policy.rego:3:",
    "`if` keyword is required"
)]
#[case(
    "package a.b\nallow := true if { input.x == 1 }\nx { true }",
    "policy.rego:3:",
    "`if` keyword is required"
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
#[case(
    "package a.b\nallow if x == 1",
    "policy.rego:2:10",
    "rego_unsafe_var_error"
)]
fn refuses(#[case] source: &str, #[case] place: &str, #[case] what: &str) {
    let text = evaluate(&definition(source), Value::Undefined).unwrap_err();
    assert!(
        text.contains(place) && text.contains(what),
        "{source}\n\n{text}"
    );
}

#[test]
fn a_fault_looks_as_the_documentation_shows_it() {
    let source = "package a.b\n\nlimit := \"5\"\n\nallow if count(input.items) < limit + 1\n";
    let faults = Program::compile(&definition(source), &[], Extent::MAX).unwrap_err();
    let documentation = include_str!("../../../docs/rego.md");
    assert!(documentation.contains(&faults.to_string()), "{faults}");
}

#[rstest]
#[case("package a.b\np.x := 1\np.y := 2\nq := p.x")]
#[case("package a.b\nf(x) := g(x)\ng(x) := x\ny := f(1)")]
#[case("package a.b\nimport data.things\nx := things[_]\nthing := input.x")]
#[case("package a.b\nx if { some y in [1]; y == 1 }")]
#[case("package a.b\nx := [[[[[[[[[[[1]]]]]]]]]]]")]
#[case("package a.b\ndefault allow := false\nallow if input.x")]
#[case("package a.b\nprinted if print(\"x\", 1, 2)")]
#[case("package a.b\nw := [p | walk(input, [p, _])]")]
#[case("package a.b\nf(x) := x\nx := f(1)")]
#[case("package a.b\nf([x, {\"k\": y}]) := x + y\nx := f([1, {\"k\": 2}])\ny := x")]
fn accepts(#[case] source: &str) {
    if let Err(faults) = Program::compile(&definition(source), &[], Extent::MAX) {
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
#[case("data.a.b.f", "a function as a value")]
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
        let rules = rules.join("\n");
        definition(&format!("package a.b\n{rules}\nr{length} := 1"))
    };
    let document = evaluate_on_large_stack(&chain(400)).unwrap();
    assert_eq!(document["r0"], Value::from(1_i64));
    assert_eq!(
        evaluate_on_large_stack(&chain(5_000)),
        Err("POLICY.MEMORY_EXCEEDED".to_owned())
    );
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

#[rstest]
#[case("allow if { input.x == 1 }", "var cannot be used for rule name")]
#[case(
    "allow := true if { input.x == 1 }",
    "`if` is read as the name of a rule"
)]
#[case(
    "allow { input.x } else := false if { true }",
    "`if` is read as the name of a rule"
)]
#[case(
    "deny contains msg if { msg := \"x\" }",
    "var cannot be used for rule name"
)]
#[case("every { true }", "`every` is read as the name of a rule")]
fn version_0_has_no_rules_with_the_names_of_keywords(#[case] rule: &str, #[case] fault: &str) {
    let mut old = definition(&format!("package a.b\n{rule}"));
    old.rego_version = RegoVersion::V0;
    let text = evaluate(&old, Value::Undefined).unwrap_err();
    assert!(text.contains(fault), "{text}");
}

/// Each would take minutes or more memory than there is.
#[rstest]
#[case("numbers.range(1, 1000000000)")]
#[case("numbers.range(1, 100000000000000000000000000000)")]
#[case("numbers.range_step(1, 1000000000, 2)")]
#[case("bits.lsh(1, 4000000000)")]
#[case("sprintf(\"%v\", [shared])")]
#[case("json.marshal(shared)")]
#[case("concat(\"\", [long | numbers.range(1, 1000)[_]])")]
#[case("replace(long, \"a\", long)")]
#[case("regex.replace(long, \"a\", long)")]
#[case("strings.replace_n({\"a\": long}, long)")]
#[case("net.cidr_expand(\"10.0.0.0/8\")")]
#[case("net.cidr_expand(\"::/0\")")]
#[case("graph.reachable_paths({n: all | some n in all}, [1])")]
#[case("[value | walk(shared, [_, value])]")]
#[case("shared")]
fn an_evaluation_that_would_build_too_much_fails(#[case] expression: &str) {
    let doubled: Vec<String> = (1..40)
        .map(|n| format!("d{n} := twice(d{})", n - 1))
        .collect();
    let source = format!(
        "package c\nx := {expression}\nlong := concat(\"\", [\"a\" | numbers.range(1, 90000)[_]])\n\
         all := numbers.range(1, 14)\ntwice(x) := [x, x]\nd0 := [1]\n{}\nshared := d39",
        doubled.join("\n")
    );
    let mut definition = definition(&source);
    definition.entrypoint = Some("data.c.x".to_owned());
    let code = evaluate(&definition, Value::Undefined).unwrap_err();
    assert!(
        ["POLICY.TIMEOUT", "POLICY.MEMORY_EXCEEDED"].contains(&code.as_str()),
        "{code}"
    );
}

/// The document of a rule beside two equal values of forty arrays in memory, which have a million
/// million parts.
fn with_doubled(rules: &str) -> Result<Value, String> {
    let doubled = |name: &str| -> Vec<String> {
        let rule = |n| format!("{name}{n} := {name}({name}{})", n - 1);
        (1..40).map(rule).collect()
    };
    let source = format!(
        "package c\n{rules}\nd(x) := [x, x]\ne(x) := [x, x]\ntwin := [d39, e39]\n\
         d0 := [1]\ne0 := [input.one]\n{}\n{}\n",
        doubled("d").join("\n"),
        doubled("e").join("\n")
    );
    let mut definition = definition(&source);
    definition.entrypoint = Some("data.c.x".to_owned());
    let program =
        Program::compile(&definition, &[], Extent::MAX).map_err(|faults| faults.to_string())?;
    let input = json(r#"{"one": 1}"#);
    let found = program.evaluate(input, &request(), limits(200), Powers::default());
    found.map_err(|failure| failure.message().code.to_string())
}

#[rstest]
#[case("x if d39 == e39")]
#[case("x if d39 != e39")]
#[case("x if d39 <= e39")]
#[case("x if { [d39, 1] = [e39, y]; y == 1 }")]
#[case("x := {d39, e39}")]
#[case("x := {d39: 1, e39: 2}")]
#[case("x := {\"a\": d39, lower(\"A\"): e39}")]
#[case("x := count({y | some y in twin})")]
#[case("x := count({y: 1 | some y in twin})")]
#[case("x := count({\"a\": y | some y in twin})")]
#[case("x contains y if some y in twin")]
#[case("x[y] := 1 if some y in twin")]
#[case("x[1] := y if some y in twin")]
#[case("x[1] contains y if some y in twin")]
#[case("x := y if some y in twin")]
#[case("x if d39 in [e39]")]
#[case("x if d39 in {\"a\": e39}")]
#[case("x if 0, d39 in [e39]")]
#[case("x if {1 | d39 = y; y = e39} == {1}")]
#[case("x := s[d39]\ns contains e39")]
#[case("x := [y | some i; y := [1 | twin[_] = twin[i]]]")]
#[case("x := sort(twin)")]
#[case("x := max(twin)")]
#[case("x := union({{d39}, {e39}})")]
#[case("x := intersection({{d39}, {e39}})")]
#[case("x := {d39} | {e39}")]
#[case("x := {d39} - {e39}")]
#[case("x := object.union({\"a\": d39}, {\"a\": e39})")]
#[case("x := object.keys({d39: 1, e39: 2})")]
#[case("x := object.get({\"a\": 1}, [d39], 1)")]
#[case("x := object.subset(d39, e39)")]
#[case("x := array.flatten([d39])")]
#[case("x := json.patch([d39], [{\"op\": \"test\", \"path\": \"/0\", \"value\": e39}])")]
#[case("x := graph.reachable({d39: [e39]}, {e39})")]
#[case("x := json.match_schema({\"a\": d39}, {\"const\": 1})")]
#[case("x := yaml.marshal(d39)")]
#[case("x := strings.render_template(`{{eq .a .b}}`, {\"a\": d39, \"b\": e39})")]
fn what_shares_its_parts_is_compared_within_the_limit(#[case] rules: &str) {
    let code = with_doubled(rules).unwrap_err();
    assert!(
        ["POLICY.TIMEOUT", "POLICY.MEMORY_EXCEEDED"].contains(&code.as_str()),
        "{code}"
    );
}

/// A hundred thousand times through a text of nearly a mebibyte: without a look at the clock, these
/// take minutes.
#[rstest]
#[case("count(long) < i")]
#[case("upper(long) == other")]
#[case("regex.match(`a[^a]b$`, long)")]
#[case("contains(long, \"ab\")")]
#[case("indexof(long, \"b\") == i")]
#[case("endswith(long, other)")]
#[case("long == other")]
#[case("long < other")]
#[case("long in {other, \"a\"}")]
#[case("{long: 1}[other] == i")]
#[case("base64.is_valid(long)")]
#[case("crypto.sha256(long) == other")]
#[case("time.parse_duration_ns(long) == i")]
#[case("glob.match(\"*b\", [], long)")]
#[case("sort([t | some _ in numbers.range(1, 5000); some t in [long, other]])[0] == \"a\"")]
#[case("max([t | some _ in numbers.range(1, 5000); some t in [long, other]]) == \"a\"")]
fn long_texts_are_looked_at_within_the_limit(#[case] condition: &str) {
    let source = format!(
        "package c\nx := [1 | some i in numbers.range(1, 100000); {condition}]\n\
         ten(t) := concat(\"\", [t | numbers.range(1, 10)[_]])\n\
         long := ten(ten(ten(ten(ten(\"aaaaaaaa\")))))\n\
         other := concat(\"\", [substring(long, 0, 799999), \"a\"])"
    );
    let mut definition = definition(&source);
    definition.entrypoint = Some("data.c.x".to_owned());
    let program = Program::compile(&definition, &[], Extent::MAX).unwrap();
    let found = program.evaluate(Value::Undefined, &request(), limits(300), Powers::default());
    let code = found.unwrap_err().message().code.to_string();
    assert!(
        ["POLICY.TIMEOUT", "POLICY.MEMORY_EXCEEDED"].contains(&code.as_str()),
        "{code}"
    );
}

/// Nothing looks into them.
#[rstest]
#[case("x := count(d39)")]
#[case("x := count([y | some y in twin])")]
#[case("x if is_array(d39)")]
#[case("x if d39 == d39")]
#[case("x if d39 != {}")]
#[case("x if d39 != [1]")]
#[case("x := count(array.concat(d39, e39))")]
#[case("x := [f(d39), f(d39), f(e39)]\nf(y) := count(y)")]
fn what_shares_its_parts_can_be_used(#[case] rules: &str) {
    assert_ne!(with_doubled(rules), Ok(Value::Undefined));
    assert!(with_doubled(rules).is_ok());
}

#[rstest]
#[case("numbers.range(3, 1)", "[3, 2, 1]")]
#[case("numbers.range(1.5, 2)", "null")]
#[case("numbers.range_step(1, 5, 2)", "[1, 3, 5]")]
#[case("numbers.range_step(1, 2, input.zero)", "null")]
#[case("bits.lsh(1, 4)", "16")]
#[case(
    "sprintf(\"%5d|%s|%%|%v\", [7, \"a\", {\"b\": 1}])",
    r#""    7|a|%|{\"b\": 1}""#
)]
#[case("concat(\", \", [\"a\", \"b\"])", r#""a, b""#)]
#[case("concat(\", \", input.numbers)", "null")]
#[case("replace(\"aa\", \"a\", \"b\")", r#""bb""#)]
#[case("count(net.cidr_expand(\"10.0.0.0/16\"))", "65536")]
#[case("units.parse_bytes(\"128Mi\")", "134217728")]
#[case("units.parse(\"100m\")", "0.1")]
#[case("units.parse(\"1e3\")", "1000")]
#[case("units.parse(\"1e1000000000\")", "null")]
#[case("sprintf(\"%1000000000d\", [1])", r#""%!(NOVERB)%!(EXTRA int64=1)""#)]
#[case("units.parse(\"nothing\")", "null")]
#[case("graph.reachable_paths({1: [2], 2: [1, 3]}, [1])", "[[1, 2]]")]
#[case("json.marshal({\"a\": [1]})", r#""{\"a\":[1]}""#)]
fn bounded_builtins_are_those_of_opa(#[case] expression: &str, #[case] expected: &str) {
    let mut definition = definition(&format!("package c\nx := {expression}"));
    definition.entrypoint = Some("data.c.x".to_owned());
    let found = evaluate(&definition, json(r#"{"zero": 0, "numbers": [1]}"#)).unwrap();
    let found = match found {
        Value::Undefined => Value::Null,
        found => found,
    };
    assert_eq!(json(&found.to_json_str().unwrap()), json(expected));
}

#[test]
fn a_result_is_no_deeper_than_what_can_be_read() {
    let deep = |depth: usize| {
        let rules: Vec<String> = (1..=depth)
            .map(|n| format!("d{n} := [d{}]", n - 1))
            .collect();
        let mut definition = definition(&format!("package c\nd0 := 1\n{}", rules.join("\n")));
        definition.entrypoint = Some(format!("data.c.d{depth}"));
        evaluate_on_large_stack(&definition).map(drop)
    };
    assert_eq!(deep(128), Ok(()));
    assert_eq!(deep(129), Err("POLICY.MEMORY_EXCEEDED".to_owned()));
}

#[test]
fn a_package_below_the_entrypoint_has_no_name_of_a_rule() {
    let mut definition = definition("package c\nx := 1");
    definition
        .modules
        .insert("deny.rego".to_owned(), "package c.deny\ny := 1".to_owned());
    definition.entrypoint = Some("data.c".to_owned());
    let faults = Program::compile(&definition, &[], Extent::MAX)
        .unwrap_err()
        .to_string();
    assert!(
        faults.contains("would be read as a rule of `data.c`"),
        "{faults}"
    );
}

#[test]
fn an_evaluation_ends_at_its_limit() {
    let joins = "package a.b\nx := count([1 | numbers.range(1, 300)[_] != 0; numbers.range(1, 300)[_] != 0; numbers.range(1, 300)[_] != 0])";
    let program = Program::compile(&definition(joins), &[], Extent::MAX).unwrap();
    let failure = program
        .evaluate(Value::Undefined, &request(), limits(20), Powers::default())
        .unwrap_err();
    assert_eq!(failure.message().code.as_str(), "POLICY.TIMEOUT");
}

#[rstest]
#[case(
    "package a.b\nx := 1 if true\nx := 2 if true",
    "POLICY.EVALUATION_FAILED"
)]
#[case(
    "package a.b\nx := {\"k\": i | some i in [1, 2]}",
    "POLICY.EVALUATION_FAILED"
)]
fn an_evaluation_that_fails_says_so(#[case] source: &str, #[case] code: &str) {
    assert_eq!(
        evaluate(&definition(source), Value::Undefined).unwrap_err(),
        code
    );
}
