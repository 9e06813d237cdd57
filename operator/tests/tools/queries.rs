//! `portcullis eval` prints what `opa eval` prints.

use std::collections::BTreeSet;

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

/// What fails, and what is noted on the way.
const FAILING: &str = "package a

allow if {
	trace(\"begin\")
	some x in input.xs
	trace(sprintf(\"x is %d\", [x]))
	big(x)
}

big(x) if {
	trace(\"big?\")
	x > 2
	to_number(\"x\")
}

quiet if input.xs

none if 1 / input.zero

count_of if count(input.zero) > 1

also := y if y := trim(input.xs, \"x\")
";

fn failing() -> TempDir {
    let root = TempDir::new().unwrap();
    let input = r#"{"xs": [1, 2, 3], "zero": 0}"#;
    write(root.path(), &[("a.rego", FAILING), ("input.json", input)]);
    root
}

/// The options that these tests begin with.
const ASKED: [&str; 5] = ["eval", "-d", "a.rego", "-i", "input.json"];

/// The errors with their places, and the result beside them.
#[rstest]
#[case(&["data.a"])]
#[case(&["data.a.none"])]
#[case(&["data.a.none", "--fail"])]
#[case(&["data.a.quiet", "--fail"])]
#[case(&["data.a.quiet; data.a.none", "-f", "discard"])]
#[case(&["to_number(\"y\")"])]
#[case(&["data.a.none; 1 = 2", "--fail-defined"])]
fn errors_that_are_undefined_are_those_of_opa(#[case] arguments: &[&str]) {
    let root = failing();
    let arguments = [&ASKED[..], &["--show-builtin-errors"], arguments].concat();
    let (theirs, ours) = (
        opa(root.path(), &arguments),
        portcullis(root.path(), &arguments),
    );
    assert_eq!(ours.code, theirs.code, "{ours:?} {theirs:?}");
    assert_ne!(ours.code, 2, "{ours:?}");
    let told = |json: serde_json::Value| {
        let errors = json["errors"].as_array().cloned().unwrap_or_default();
        let place = |fault: serde_json::Value| {
            let place = &fault["location"];
            format!("{} {} {}", fault["code"], place["row"], place["col"])
        };
        let mut errors: Vec<String> = errors.into_iter().map(place).collect();
        errors.sort();
        (errors, json["result"].clone())
    };
    assert_eq!(told(ours.json()), told(theirs.json()));
}

/// Errors go to standard error, and the result stays what it is without them.
#[rstest]
fn errors_that_are_undefined_are_told_beside_the_result(
    #[values("pretty", "values", "bindings", "raw")] format: &str,
) {
    let root = failing();
    let plain = [&ASKED[..], &["-f", format, "data.a"]].concat();
    let telling = [&plain[..], &["--show-builtin-errors"]].concat();
    let (plain, telling) = (
        portcullis(root.path(), &plain),
        portcullis(root.path(), &telling),
    );
    assert_eq!((telling.code, plain.code), (0, 0));
    assert_eq!(telling.out, plain.out);
    assert!(plain.err.is_empty());
    assert!(telling.err.contains("div: divide by zero"), "{telling:?}");
}

/// An error that ends the evaluation is told with those before it, and there is no result.
#[test]
fn an_error_that_ends_the_evaluation_comes_first() {
    let root = failing();
    let conflict = "package b\nconflict := 1\nconflict := 2 if data.a.quiet";
    write(root.path(), &[("b.rego", conflict)]);
    let query = "not data.a.none; data.b.conflict";
    let arguments = [
        &ASKED[..],
        &["-d", "b.rego", "--show-builtin-errors", query],
    ]
    .concat();
    let ours = portcullis(root.path(), &arguments);
    assert_eq!(ours.code, 2);
    let json = ours.json();
    assert_eq!(json["errors"][0]["code"], "eval_conflict_error");
    assert_eq!(json["errors"][1]["code"], "eval_builtin_error");
    assert!(json["result"].is_null());
}

/// What `trace` noted, with its line.
#[test]
fn notes_are_those_of_opa() {
    let root = failing();
    let query = "trace(\"query\"); data.a";
    let arguments = [&ASKED[..], &["--explain", "notes", query]].concat();
    let theirs = opa(root.path(), &arguments).json();
    let mut expected = BTreeSet::new();
    for event in theirs["explanation"].as_array().expect("OPA has events") {
        if event["Op"] == "Note" {
            expected.insert(format!("{} {}", event["Location"]["row"], event["Message"]));
        }
    }
    let ours = portcullis(root.path(), &arguments).json();
    let mut noted = BTreeSet::new();
    collect_notes(&ours["explanation"], &mut noted);
    assert_eq!(noted, expected);
    assert_eq!(expected.len(), 6);
    let rules = ours["explanation"]["rules"]
        .as_array()
        .expect("it has rules");
    assert!(rules.iter().all(|tried| tried["rule"] == "data.a.allow"));
}

fn collect_notes(shown: &serde_json::Value, noted: &mut BTreeSet<String>) {
    for note in shown["notes"]["notes"].as_array().into_iter().flatten() {
        noted.insert(format!("{} {}", note["location"]["line"], note["text"]));
    }
    for name in ["rules", "asked"] {
        for tried in shown[name].as_array().into_iter().flatten() {
            collect_notes(tried, noted);
        }
    }
}

/// The lines in their order.
#[rstest]
#[case(&["line"])]
#[case(&["file,line"])]
#[case(&["file", "--profile-sort", "line"])]
fn costs_are_sorted_like_opa(#[case] criteria: &[&str]) {
    let root = failing();
    let asked = ["data.a", "--profile-limit", "1000", "--profile-sort"];
    let arguments = [&ASKED[..], &asked, criteria].concat();
    let lines = |json: serde_json::Value| {
        let costs = json["profile"]
            .as_array()
            .expect("there is a profile")
            .clone();
        let place = |cost: serde_json::Value| cost["location"].clone();
        let places = costs.into_iter().map(place);
        let mut lines: Vec<_> = places
            .filter(|place| place["file"] == "a.rego")
            .map(|place| place["row"].clone())
            .collect();
        // OPA has one for each line.
        lines.dedup();
        lines
    };
    let theirs = lines(opa(root.path(), &arguments).json());
    let ours = lines(portcullis(root.path(), &arguments).json());
    assert!(theirs.len() > 3);
    assert_eq!(ours, theirs);
}

/// What cannot be asked for.
#[rstest]
#[case(&["--explain", "debug"], "[possible values: off, full, fails, notes]")]
#[case(&["--profile-sort", "cost"], "total_time_ns")]
#[case(&["--show-builtin-errors", "--strict-builtin-errors"], "cannot be used with")]
fn refused_options(#[case] arguments: &[&str], #[case] why: &str) {
    let root = failing();
    let arguments = [&ASKED[..], &["data.a"], arguments].concat();
    let ours = portcullis(root.path(), &arguments);
    assert_eq!(ours.code, 2);
    assert!(ours.err.contains(why), "{ours:?}");
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
