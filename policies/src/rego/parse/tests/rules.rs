//! Rules, as OPA reads them in modules.

use super::super::super::ast::Version;
use super::rules;

fn check(version: Version, cases: &[(&str, &str)]) {
    for (source, expected) in cases {
        let source = format!("package t\n{source}");
        assert_eq!(
            rules(&source, version).as_deref(),
            Ok(*expected),
            "{source}"
        );
    }
}

#[test]
fn values_in_v1() {
    check(
        Version::V1,
        &[
            ("p := 1", "p = 1"),
            ("p = 1", "p = 1"),
            ("p := x if x := 1", "p = x {assign(x, 1)}"),
            ("p if true", "p = true {true}"),
            ("p if { true; false }", "p = true {true; false}"),
            ("p if {true}", "p = true {true}"),
            (r#"p if {"a": 1}"#, r#"p = true {{"a": 1}}"#),
            ("p if {x | y}", "p = true {set{x | y}}"),
            ("p if not x", "p = true {not x}"),
            (
                "p if x == 1 { y }",
                "p = true {equal(x, 1)} || p = true {y}",
            ),
            ("p := 1 if x\nq := 2 if y", "p = 1 {x} || q = 2 {y}"),
            ("p.q.r := 1", "p.q.r = 1"),
            ("p.q := 1", r#"p.q key "q" = 1"#),
            ("p[x] := y if x = y", "p[x] key x = y {eq(x, y)}"),
            ("p[x] if x = 1", "p[x] key x = true {eq(x, 1)}"),
            (r#"p["a"] if true"#, "p.a = true {true}"),
            (r#"p["a"] := 1"#, r#"p.a key "a" = 1"#),
            ("p[x].q[y] if { x; y }", "p[x].q[y] = true {x; y}"),
            ("p.q contains 1", "p.q key 1"),
            ("p contains x if x := 1", "p key x {assign(x, 1)}"),
            ("p contains 1", "p key 1"),
            ("p[x].q contains y if { x; y }", "p[x].q key y {x; y}"),
            ("input := 1", "input = 1"),
            ("if.x := 1", r#"if.x key "x" = 1"#),
            ("p.if := 1", r#"p.if key "if" = 1"#),
        ],
    );
}

#[test]
fn functions() {
    check(
        Version::V1,
        &[
            ("f(x) := x", "f(x) = x"),
            ("f(x) if x", "f(x) = true {x}"),
            ("f(x) = y if y = x", "f(x) = y {eq(y, x)}"),
            ("f(x)", "f(x) = true"),
            ("f(_, _) := 1", "f(_, _) = 1"),
            (r#"f([x, {"a": y}]) := x"#, r#"f([x, {"a": y}]) = x"#),
            (r#"f("ext4")"#, r#"f("ext4") = true"#),
            ("f() := 1", "f = 1"),
            ("f (x) if x", "f(x) = true {x}"),
            ("a.b(x) := x", "a.b(x) = x"),
            ("f(x) := 1 if x else := 2", "f(x) = 1 {x} else 2"),
        ],
    );
}

#[test]
fn defaults() {
    check(
        Version::V1,
        &[
            ("default p := false", "default p = false"),
            (
                r#"default p = {"a": [1, 2]}"#,
                r#"default p = {"a": [1, 2]}"#,
            ),
            ("default p := {x | x = 1}", "default p = set{x | eq(x, 1)}"),
            ("default f(x) := 1", "default f(x) = 1"),
            ("default f(_, _) := 1", "default f(_, _) = 1"),
            ("default p", "default p = true"),
            ("default p.q := 1", "default p.q = 1"),
        ],
    );
}

#[test]
fn branches() {
    check(
        Version::V1,
        &[
            ("p := 1 if x else := 2 if y", "p = 1 {x} else 2 {y}"),
            ("p if x else := 2", "p = true {x} else 2"),
            (
                "p if { x } else := 2 if { y } else := 3",
                "p = true {x} else 2 {y} else 3",
            ),
            ("p := 1 if x else if y", "p = 1 {x} else true {y}"),
            ("p := 1 if x else = 2 if y", "p = 1 {x} else 2 {y}"),
            ("p if x\nelse := 2", "p = true {x} else 2"),
        ],
    );
}

#[test]
fn v0() {
    check(
        Version::V0,
        &[
            ("p { x }", "p = true {x}"),
            ("p { x; y }", "p = true {x; y}"),
            ("p[x] { x = 1 }", "p key x {eq(x, 1)}"),
            ("p[x] = y { y = x }", "p[x] key x = y {eq(y, x)}"),
            ("p[x]", "p key x"),
            (r#"p["a"]"#, r#"p key "a""#),
            ("p[1] = 2", "p[1] key 1 = 2"),
            ("p = 1 { x }", "p = 1 {x}"),
            ("p := 1 { x }", "p = 1 {x}"),
            ("f(x) { x }", "f(x) = true {x}"),
            ("f(x) = 1", "f(x) = 1"),
            ("p { x } { y }", "p = true {x} || p = true {y}"),
            (
                "p[x] { x } { y } { z }",
                "p key x {x} || p key x {y} || p key x {z}",
            ),
            ("f(_) { x } { y }", "f(_) = true {x} || f(_) = true {y}"),
            (
                "p = 1 { x } else = 2 { y } else = 3",
                "p = 1 {x} else 2 {y} else 3",
            ),
            ("p { x } else { y }", "p = true {x} else true {y}"),
            ("p.q.r { x }", "p.q.r = true {x}"),
            ("p[x][y] { x; y }", "p[x][y] = true {x; y}"),
            ("p := 1", "p = 1"),
            ("p[x].y = z { x = z }", "p[x].y = z {eq(x, z)}"),
            ("import future.keywords\np if x", "p = true {x}"),
            ("import future.keywords.contains\np contains 1", "p key 1"),
            (
                "import future.keywords.in\np { x in y }",
                "p = true {internal.member_2(x, y)}",
            ),
            (
                "import future.keywords.every\np { every x in y { x in z } }",
                "p = true {every x in y {internal.member_2(x, z)}}",
            ),
            ("import rego.v1\np if x", "p = true {x}"),
            ("if = 1", "if = 1"),
            ("contains = 1", "contains = 1"),
            ("import data.x\nevery := 1", "every = 1"),
        ],
    );
}
