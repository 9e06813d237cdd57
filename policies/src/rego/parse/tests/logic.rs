//! `and`, `or` and `not` with bodies, as OPA reads them in v1 with `import future.keywords`.

use super::super::super::ast::Version;
use super::rules;

fn check(version: Version, cases: &[(&str, &str)]) {
    for (source, expected) in cases {
        let source = format!("package t\nimport future.keywords\n{source}");
        assert_eq!(
            rules(&source, version).as_deref(),
            Ok(*expected),
            "{source}"
        );
    }
}

#[test]
fn and_and_or() {
    check(
        Version::V1,
        &[
            ("p if { x and y }", "p = true {(x and y)}"),
            (
                "p if { x or y and z or w }",
                "p = true {((x or (y and z)) or w)}",
            ),
            ("p if { (x or y) and z }", "p = true {((x or y) and z)}"),
            ("p if { {x; y} and z }", "p = true {({x; y} and z)}"),
            ("p if { x or {y; z} }", "p = true {(x or {y; z})}"),
            (
                "p if { x and y with input as 1 }",
                "p = true {(x and y) with <input> as 1}",
            ),
            (
                "p if { x and (y with input as 1) }",
                "p = true {(x and y with <input> as 1)}",
            ),
            ("p if { not x and y }", "p = true {(not! x and y)}"),
            ("p if { not {x; y} or z }", "p = true {(not! {x; y} or z)}"),
            ("p if { not (x or y) }", "p = true {not! (x or y)}"),
            ("p if { not ({a: 1}) }", "p = true {not! {a: 1}}"),
            ("p if { (x == y) }", "p = true {equal(x, y)}"),
            ("p if { (x == y) and z }", "p = true {(equal(x, y) and z)}"),
            ("p if { ({x}) }", "p = true {set{x}}"),
            ("p if { ({x}) == y }", "p = true {equal(set{x}, y)}"),
            ("p if { ((x and y)) }", "p = true {(x and y)}"),
            ("p if { (not x) and y }", "p = true {(not! x and y)}"),
            ("p if { (x | y) and z }", "p = true {(or(x, y) and z)}"),
            ("p if { {(x | y)} and z }", "p = true {({or(x, y)} and z)}"),
            ("p if { or(x, y) == z }", "p = true {equal(or(x, y), z)}"),
            ("p if { and(x, y) and z }", "p = true {(and(x, y) and z)}"),
            ("p if { x.and.or }", "p = true {x.and.or}"),
            ("p if { f(x) and g(y) }", "p = true {(f(x) and g(y))}"),
            ("p if x and y", "p = true {(x and y)}"),
            ("p if { {x} and {y} }", "p = true {({x} and {y})}"),
            (
                "p if { x in xs and y in ys }",
                "p = true {(internal.member_2(x, xs) and internal.member_2(y, ys))}",
            ),
            (
                "p if { x := 1\n x and\n y }",
                "p = true {assign(x, 1); (x and y)}",
            ),
            (
                r#"p if { $"{x and y}" }"#,
                "p = true {template({(x and y)})}",
            ),
            ("p if { [x | x and y] }", "p = true {[x | (x and y)]}"),
        ],
    );
}
