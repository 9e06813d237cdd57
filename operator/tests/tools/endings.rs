//! What only we print: what did not hold, and JUnit's XML.

use tempfile::TempDir;

use crate::process::{portcullis, write};

const TESTS: &str = "package a

test_good if true

test_bad if {
	x := \"<&>\"
	print(\"x is\", x)
	x == \"y\"
}

test_cases[n] if {
	some n in [1, 2]
	n == 1
}

test_error if 1 == one

one := 1

one := 2 if count([1]) == 1

todo_test_later if false
";

fn tests() -> TempDir {
    let root = TempDir::new().unwrap();
    write(root.path(), &[("a_test.rego", TESTS)]);
    root
}

/// The text with all times as `0`.
fn timeless(text: &str, before: &str, after: &str) -> String {
    let mut parts = text.split(before);
    let mut timeless = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.split_once(after).map_or("", |(_, rest)| rest);
        timeless = format!("{timeless}{before}0{after}{rest}");
    }
    timeless
}

#[test]
fn failing_tests_show_what_did_not_hold() {
    let ran = portcullis(tests().path(), &["test", "."]);
    insta::assert_snapshot!(timeless(&ran.out, " (", ")"));
}

#[test]
fn verbose_tests_show_all_that_was_tried() {
    let ran = portcullis(tests().path(), &["test", ".", "-v", "--run", "good|bad"]);
    insta::assert_snapshot!(timeless(&ran.out, " (", ")"));
}

#[test]
fn junit() {
    let ran = portcullis(tests().path(), &["test", ".", "-f", "junit"]);
    insta::assert_snapshot!(timeless(&ran.out, " time=\"", "\""));
}

#[test]
fn json_says_what_did_not_hold() {
    let ran = portcullis(tests().path(), &["test", ".", "-f", "json", "--run", "bad"]);
    insta::assert_json_snapshot!(ran.json()[0]["failure"]);
}

#[test]
fn results_are_sorted_by_their_time() {
    let ran = portcullis(
        tests().path(),
        &["test", ".", "-f", "json", "--sort", "duration"],
    );
    let results = ran.json();
    let times = results.as_array().unwrap().iter();
    let times: Vec<u64> = times
        .map(|result| result["duration"].as_u64().unwrap())
        .collect();
    assert!(times.is_sorted_by(|left, right| left >= right), "{times:?}");
}

#[test]
fn gobench_needs_a_benchmark() {
    let ran = portcullis(tests().path(), &["test", ".", "-f", "gobench"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("--bench"), "{}", ran.err);
}

#[test]
fn explanations_and_costs() {
    let root = TempDir::new().unwrap();
    write(
        root.path(),
        &[("a.rego", "package a\nallow if input.x == 1\n")],
    );
    let base = ["eval", "-f", "pretty", "-d", "a.rego", "data.a.allow"];
    let ran = portcullis(root.path(), &[&base[..], &["--explain", "full"]].concat());
    insta::assert_snapshot!(ran.out);
    let ran = portcullis(root.path(), &[&base[..], &["--profile"]].concat());
    assert!(ran.out.contains("Num Gen Expr"), "{}", ran.out);
    assert!(ran.out.contains("a.rego:2"), "{}", ran.out);
}
