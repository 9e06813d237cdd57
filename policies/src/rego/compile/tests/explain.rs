//! What explanations say.

use super::*;
use crate::rego::execute::{self, Explainer, Explanation};

const LIMITS: &str = r#"package platform.limits

default allow := false

allow if count(deny) == 0

deny contains msg if {
	some c in input.containers
	not exempt(c)
	not c.limits.memory
	msg := sprintf("%s: no memory limit", [c.name])
}

deny contains "no owner" if {
	input.kind == "Pod"
	owner := input.labels.owner
	owner == ""
}

exempt(c) if startswith(c.image, "trusted/")

exempt(c) if {
	c.name in exceptions
	input.namespace == "kube-system"
}

exceptions := {"proxy", "dns"}
"#;

/// Explains a query.
#[track_caller]
fn explain(module: &str, query: &str, input: &str) -> Explanation {
    let plan = plan(Version::V1, &[module], query, Options::default());
    let plan = plan
        .map_err(|(_, faults)| faults)
        .expect("the module compiles");
    let mut sources = Sources::default();
    sources.add("policy.rego", module);
    let evaluation = Evaluation {
        limits: Limits {
            steps: 100_000,
            ..Limits::default()
        },
        ..evaluation(input)
    };
    let mut explainer = Explainer::default();
    let _ = execute::observe(&plan, &plan.entries[0], evaluation, &mut explainer);
    explainer.explain(&sources)
}

#[test]
fn a_denial() {
    let input = r#"{"kind": "Pod", "namespace": "web", "labels": {"owner": "ada"}, "containers": [
        {"name": "web", "image": "nginx", "limits": {}},
        {"name": "log", "image": "trusted/log", "limits": {}}
    ]}"#;
    let explanation = explain(LIMITS, "data.platform.limits.allow", input);
    insta::assert_snapshot!(explanation, @r#"
policy.rego:5:1: data.platform.limits.allow does not hold
      |
    5 | allow if count(deny) == 0
      |          ^^^^^^^^^^^^^^^^
  policy.rego:7:1: data.platform.limits.deny holds
      value = "web: no memory limit"
      c = {"image": "nginx", "limits": {}, "name": "web"}
      msg = "web: no memory limit"
    policy.rego:20:1: data.platform.limits.exempt does not hold
           |
        20 | exempt(c) if startswith(c.image, "trusted/")
           |              ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        c.image = "nginx"
    policy.rego:22:1: data.platform.limits.exempt does not hold
           |
        23 | c.name in exceptions
           | ^^^^^^^^^^^^^^^^^^^^
        c.name = "web"
      policy.rego:27:1: data.platform.limits.exceptions holds
          value = {"dns", "proxy"}
    policy.rego:20:1: data.platform.limits.exempt holds
        value = true
        c = {"image": "trusted/log", "limits": {}, "name": "log"}
  policy.rego:14:1: data.platform.limits.deny does not hold
         |
      17 | owner == ""
         | ^^^^^^^^^^^
      owner = "ada"
policy.rego:3:9: data.platform.limits.allow is false by default
"#);
}

#[test]
fn for_programs() {
    let module =
        "package a\nallow if input.user == \"root\"\nallow if { some x in input.xs; x > 2 }";
    let explanation = explain(module, "data.a.allow", r#"{"user": "ada", "xs": [1, 3]}"#);
    let json = serde_json::to_string_pretty(&explanation).expect("an explanation is JSON");
    insta::assert_snapshot!(json, @r#"
{
  "rules": [
    {
      "rule": "data.a.allow",
      "location": {
        "file": "policy.rego",
        "line": 2,
        "column": 1
      },
      "outcome": {
        "fails": {
          "reason": "condition",
          "location": {
            "file": "policy.rego",
            "line": 2,
            "column": 10
          },
          "line": "allow if input.user == \"root\"",
          "caret": "         ^^^^^^^^^^^^^^^^^^^^",
          "values": [
            {
              "name": "input.user",
              "value": "\"ada\""
            }
          ]
        }
      }
    },
    {
      "rule": "data.a.allow",
      "location": {
        "file": "policy.rego",
        "line": 3,
        "column": 1
      },
      "outcome": {
        "holds": {
          "solutions": [
            {
              "value": "true",
              "values": [
                {
                  "name": "x",
                  "value": "3"
                }
              ]
            }
          ],
          "omitted": 0
        }
      }
    }
  ],
  "omitted": 0
}
"#);
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn reasons() {
    let cases = [
        // The furthest condition, with the values of when it was reached first.
        (
            "q if { some x in input.xs; x > 1; x < 0; x == 9 }",
            r#"{"xs": [1, 2, 3]}"#,
        ),
        // A condition whose operand is undefined.
        ("q if input.a.b == 1", r#"{"a": {"c": 1}}"#),
        ("q if { x := input.a; y := x.b }", r#"{"a": {"c": 1}}"#),
        // A head that is for other arguments.
        ("f(1) := 2\nq := f(input.a)", r#"{"a": 3}"#),
        // A value that is undefined.
        ("q := input.b if input.a", r#"{"a": 3}"#),
        // Left out by an index.
        (
            "q := 1 if input.a == 1\nq := 2 if input.a == 2\nq := 3 if { input.a in {3, 4} }",
            r#"{"a": 2}"#,
        ),
        // `else`.
        (
            "q := 1 if input.a == 1\nelse := 2 if input.a == 2",
            r#"{"a": 2}"#,
        ),
        // Partial rules that are asked for a key.
        (
            "p[k] := v if some k, v in input.o\nq := p.a",
            r#"{"o": {"a": 1, "b": 2}}"#,
        ),
        // The input is another one below `with`.
        ("r if input.a == 2\nq if r with input.a as 3", r#"{"a": 2}"#),
        // An error.
        ("r := 1\nr := x if x := input.a\nq := r", r#"{"a": 2}"#),
        // What every member has to be.
        ("q if every x in input.xs { x > 1 }", r#"{"xs": [2, 1]}"#),
        // A rule is evaluated once.
        ("r := 1\nq := [r, r]", "{}"),
    ];
    let shown = cases.map(|(body, input)| {
        let explanation = explain(&format!("package a\n{body}"), "data.a.q", input);
        format!("{body}\n{input}\n\n{explanation}")
    });
    insta::assert_snapshot!(shown.join("\n"), @r#"
q if { some x in input.xs; x > 1; x < 0; x == 9 }
{"xs": [1, 2, 3]}

policy.rego:2:1: data.a.q does not hold
      |
    2 | q if { some x in input.xs; x > 1; x < 0; x == 9 }
      |                                   ^^^^^
    x = 2

q if input.a.b == 1
{"a": {"c": 1}}

policy.rego:2:1: data.a.q does not hold
      |
    2 | q if input.a.b == 1
      |      ^^^^^^^^^^^^^^
    input.a.b = undefined

q if { x := input.a; y := x.b }
{"a": {"c": 1}}

policy.rego:2:1: data.a.q does not hold
      |
    2 | q if { x := input.a; y := x.b }
      |                      ^^^^^^^^
    x.b = undefined

f(1) := 2
q := f(input.a)
{"a": 3}

policy.rego:3:1: data.a.q does not hold: its value is undefined
      |
    3 | q := f(input.a)
      | ^^^^^^^^^^^^^^^
  policy.rego:2:1: data.a.f does not hold: its head is for something else
        |
      2 | f(1) := 2
        | ^^^^^^^^^

q := input.b if input.a
{"a": 3}

policy.rego:2:1: data.a.q does not hold: its value is undefined
      |
    2 | q := input.b if input.a
      | ^^^^^^^^^^^^

q := 1 if input.a == 1
q := 2 if input.a == 2
q := 3 if { input.a in {3, 4} }
{"a": 2}

policy.rego:2:1: data.a.q does not hold, and was not tried
      |
    2 | q := 1 if input.a == 1
      |           ^^^^^^^^^^^^
    input.a = 2
policy.rego:4:1: data.a.q does not hold, and was not tried
      |
    4 | q := 3 if { input.a in {3, 4} }
      |             ^^^^^^^^^^^^^^^^^
    input.a = 2
policy.rego:3:1: data.a.q holds
    value = 2

q := 1 if input.a == 1
else := 2 if input.a == 2
{"a": 2}

policy.rego:2:1: data.a.q does not hold
      |
    2 | q := 1 if input.a == 1
      |           ^^^^^^^^^^^^
    input.a = 2
policy.rego:3:1: data.a.q holds
    value = 2

p[k] := v if some k, v in input.o
q := p.a
{"o": {"a": 1, "b": 2}}

policy.rego:3:1: data.a.q holds
    value = 1
  policy.rego:2:1: data.a.p holds
      value = 1
      k = "a"
      v = 1

r if input.a == 2
q if r with input.a as 3
{"a": 2}

policy.rego:3:1: data.a.q does not hold
      |
    3 | q if r with input.a as 3
      |      ^^^^^^^^^^^^^^^^^^^
  policy.rego:2:1: data.a.r does not hold
        |
      2 | r if input.a == 2
        |      ^^^^^^^^^^^^
      input.a = 3

r := 1
r := x if x := input.a
q := r
{"a": 2}

policy.rego:4:1: data.a.q was not finished
      |
    4 | q := r
      | ^^^^^^
  policy.rego:2:1: data.a.r holds
      value = 1
  policy.rego:3:1: data.a.r holds
      value = 2
      x = 2

q if every x in input.xs { x > 1 }
{"xs": [2, 1]}

policy.rego:2:1: data.a.q does not hold
      |
    2 | q if every x in input.xs { x > 1 }
      |                            ^^^^^
    x = 1

r := 1
q := [r, r]
{}

policy.rego:3:1: data.a.q holds
    value = [1, 1]
  policy.rego:2:1: data.a.r holds
      value = 1
"#);
}

#[test]
fn bounds() {
    let long = format!(r#"{{"xs": ["{}"]}}"#, "é".repeat(10_000));
    let explanation = explain(
        "package a\nq contains x if some x in input.xs",
        "data.a.q",
        &long,
    );
    assert!(explanation.to_string().len() < 2_000, "{explanation}");

    let many: Vec<String> = (0..1_000).map(|x| x.to_string()).collect();
    let many = format!(r#"{{"xs": [{}]}}"#, many.join(","));
    let module = "package a\nf(x) := y if y := x + 1\nq contains f(x) if some x in input.xs";
    let explanation = explain(module, "data.a.q", &many);
    assert_eq!(explanation.omitted, 801);
    assert!(explanation.to_string().len() < 100_000);

    let chain: Vec<String> = (1..100).map(|at| format!("r{at} := r{}", at - 1)).collect();
    let module = format!("package a\nr0 := 1\n{}\nq := r99", chain.join("\n"));
    let explanation = explain(&module, "data.a.q", "{}");
    assert_eq!(explanation.omitted, 101 - 16);
}
