//! `portcullis eval` prints what `opa eval` prints.

use rstest::rstest;
use tempfile::TempDir;

use crate::process::{PORTCULLIS, both, opa, portcullis, tell, write};

const QUERIES: &[&str] = &[
    "x > 1; x = 2",
    "some x in [1, 2]",
    "some x in [1, 2]; x > 1",
    "x := 1; y := 2; x < y",
    "some x; x = 1",
    "false",
    "true; false",
    "true; 1",
    "[false, 2][i]",
    "[true, false][x]",
    "not input.nope",
    "every x in [1] { x > 0 }",
    "print(\"a\", [1, 2], input.nope); x = 1",
    "[x | some x in [1, 2]; print(x)]",
    "count({1, 2}); \"x y\"",
    "walk([1, [2]], [p, v])",
    "plus(1, 2, x)",
    "a := {\"<b>\": {1, \"x\"}}; b := \"é\u{2028}&\"",
    "x := \"日本語\"; y := \"\"",
    "{\"a\": {1, {2}}, 1: 2, [1]: 3}",
    "123456789012345678901234567890 + 1",
    "1 / 3",
    "set()",
    "null",
    "data",
    "data.p",
    "data.p.nope",
    "data.foo[k]",
    "data.p.r[x] > 1; y := x * 2",
    "x := input.list[i]; x > 1\n\ti < 2",
    "input.list[_]",
    "a = b; b = [c]; c = 1",
    "data.p.q with data.foo.y as 9",
    "x := 1 with input as 3",
    "\"a\", \"b\" in {\"a\": \"b\"}",
    "x := false; x",
    "1 / 0",
    "[1.5, true, \"\\u0001\\b\\f\\\"\\\\/\"]",
];

#[rstest]
fn are_answered_like_opa(
    #[values("json", "pretty", "values", "bindings", "raw", "discard")] format: &str,
) {
    let root = TempDir::new().unwrap();
    write(
        root.path(),
        &[
            ("d/foo/data.json", r#"{"y": 2}"#),
            (
                "d/p.rego",
                "package p\nq := data.foo.y\nr contains x if some x in input.list",
            ),
            ("input.json", r#"{"x": 7, "list": [1, 2, 3]}"#),
        ],
    );
    for query in QUERIES {
        let arguments = ["eval", "-f", format, "-d", "d", "-i", "input.json", query];
        let (theirs, ours) = (
            opa(root.path(), &arguments),
            portcullis(root.path(), &arguments),
        );
        assert_eq!(ours, theirs, "{query}");
    }
}

/// The code of the fault and where it is, and the exit status.
#[rstest]
#[case(&["1 + \"a\""])]
#[case(&["x"])]
#[case(&["1 == )"])]
#[case(&["data.bad.x", "-d", "bad.rego"])]
#[case(&["data.conflict.x", "-d", "conflict.rego"])]
#[case(&["to_number(\"x\")", "--strict-builtin-errors"])]
#[case(&["x := 0; 1 / x", "--strict-builtin-errors"])]
#[case(&["print(x)"])]
fn faults_are_those_of_opa(#[case] arguments: &[&str]) {
    let root = TempDir::new().unwrap();
    write(
        root.path(),
        &[
            ("bad.rego", "package bad\nx := 1 + y"),
            ("conflict.rego", "package conflict\nx := 1\nx := 2 if data"),
        ],
    );
    let arguments = [&["eval"], arguments].concat();
    let (theirs, ours) = (
        opa(root.path(), &arguments),
        portcullis(root.path(), &arguments),
    );
    assert_eq!((ours.code, theirs.code), (2, 2), "{ours:?} {theirs:?}");
    let first = |json: serde_json::Value| {
        let fault = &json["errors"][0];
        (fault["code"].clone(), fault["location"].clone())
    };
    assert_eq!(first(ours.json()), first(theirs.json()));
}

/// Options of the query, and the exit status that `--fail` and `--fail-defined` ask for.
#[rstest]
#[case(&["q; f(1)", "--package", "p"], 0)]
#[case(&["p.q", "--import", "data.p"], 0)]
#[case(&["y.q", "--import", "data.p as y"], 0)]
#[case(&["x", "--import", "input.x"], 0)]
#[case(&["data.p.nope", "--fail"], 1)]
#[case(&["data.p.q", "--fail"], 0)]
#[case(&["data.p.q", "--fail-defined"], 1)]
#[case(&["data.p.nope", "--fail-defined"], 0)]
#[case(&["false", "--fail"], 0)]
#[case(&["data.old.q", "--v0-compatible", "-d", "old/v0.rego"], 0)]
#[case(&["data", "-d", "old/v0.rego"], 2)]
#[case(&["data.unused.x", "-d", "old/unused.rego"], 0)]
#[case(&["data.unused.x", "-d", "old/unused.rego", "-S"], 2)]
fn options(#[case] arguments: &[&str], #[case] code: i32) {
    let root = TempDir::new().unwrap();
    write(
        root.path(),
        &[
            ("p.rego", "package p\nq := 2\nf(x) := x + 1"),
            ("old/v0.rego", "package old\nq[x] { x := 1 }"),
            ("old/unused.rego", "package unused\nimport data.p\nx := 1"),
            ("input.json", r#"{"x": 7}"#),
        ],
    );
    let base = ["eval", "-d", "p.rego", "-i", "input.json"];
    let arguments = [&base, arguments].concat();
    let (theirs, ours) = both(root.path(), &arguments, code);
    if code != 2 {
        assert_eq!(ours.out, theirs.out);
    }
}

/// The lines that OPA says are covered.
#[test]
fn coverage_is_that_of_opa() {
    let root = TempDir::new().unwrap();
    let module = "package a\nallow if {\n\tsome x in input.xs\n\tx > 2\n}\ndeny if input.nope\n";
    write(
        root.path(),
        &[("a.rego", module), ("input.json", r#"{"xs": [1, 2, 3]}"#)],
    );
    let arguments = [
        "eval",
        "--coverage",
        "-d",
        "a.rego",
        "-i",
        "input.json",
        "data.a.allow",
    ];
    let lines = |json: serde_json::Value| {
        let file = &json["coverage"]["files"]["a.rego"];
        (
            file["covered_lines"].clone(),
            file["not_covered_lines"].clone(),
            file["coverage"].clone(),
        )
    };
    let theirs = opa(root.path(), &arguments);
    let ours = portcullis(root.path(), &arguments);
    assert_eq!(lines(ours.json()), lines(theirs.json()));
}

/// The query or the input comes from standard input.
#[rstest]
#[case(&["--stdin", "-i", "input.json"], "x := input.x\ny := 1")]
#[case(&["-I", "input.x"], r#"{"x": 8}"#)]
#[case(&["-I", "input.x"], "x: 8\n")]
fn standard_input(#[case] arguments: &[&str], #[case] text: &str) {
    let root = TempDir::new().unwrap();
    write(root.path(), &[("input.json", r#"{"x": 7}"#)]);
    let arguments = [&["eval"], arguments].concat();
    let theirs = tell("opa", root.path(), &arguments, text);
    let ours = tell(PORTCULLIS, root.path(), &arguments, text);
    assert_eq!(ours, theirs);
}
