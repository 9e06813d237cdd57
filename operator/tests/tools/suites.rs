//! `portcullis test` has the results of `opa test`.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use rstest::rstest;
use serde_json::Value as Json;
use tempfile::TempDir;

use crate::process::{Ran, both, opa, portcullis, write};

const LIBRARY: &str = "package lib

default limit := 5

big(x) if {
	print(\"in big\", x, limit)
	x > limit
}

default is_big(_) := false

is_big(x) if big(x)

now := time.now_ns()

conflict := 1

conflict := 2 if limit
";

const TESTS: &str = "package b.c_test

import data.lib

test_print if {
	some x in [3, 1]
	print(\"x is\", x, {\"a\": [1, null, \"s\"]}, input.nope)
	lib.big(x)
}

test_table[name] if {
	some name, tc in {
		\"small\": {\"in\": 1, \"want\": false},
		\"large\": {\"in\": 10, \"want\": true},
		\"wrong\": {\"in\": 10, \"want\": false},
		\"error\": {\"in\": \"x\", \"want\": true},
	}
	print(\"case\", name)
	got := lib.is_big(tc.in)
	got == tc.want
}

test_array[sprintf(\"%d: %s\", [i, tc.name])] if {
	some i, tc in [{\"name\": \"a\", \"v\": 1}, {\"name\": \"b\", \"v\": 2}]
	tc.v == 1
}

test_two[group][name] if {
	some group, cases in {\"g1\": {\"a\": true, \"b\": false}, \"g2\": {\"c\": true}}
	some name, ok in cases
	ok
}

test_values[name] := ok if {
	some name, ok in {\"p\": true, \"q\": false, \"r\": \"str\", \"t\": {\"u\": true, \"v\": false}}
}

test_late[name] if {
	some tc in [{\"n\": \"one\", \"ok\": true}, {\"n\": \"two\", \"ok\": false}]
	tc.ok
	name := tc.n
}

test_else := true if {
	input.x
} else := false if {
	true
}

test_mock if {
	lib.is_big(1) with lib.limit as 0
	lib.now == 5 with time.now_ns as 5
	count(data.fixtures.list) == 3
	data.fixtures.list == [9] with data.fixtures.list as [9]
}

tests.test_in_object if true

tests.test_in_object_fails if false

test_every if {
	every x in [1, 2, 3] {
		x < 3
	}
}

test_not if not lib.big(10)

test_null := null

test_str := \"x\"

test_undefined if data.no.such.thing

test_builtin_error if to_number(\"x\") == 1

test_conflict if lib.conflict == 1

test_fixed[\"key\"] if 1 == 1

test_empty[x] if some x in []

test_function(x) if x

default test_default := false

test_twice if true

test_twice if false

todo_test_cases[x] if some x in [1]

helper_test if false
";

fn fixtures() -> TempDir {
    let root = TempDir::new().unwrap();
    write(
        root.path(),
        &[
            ("t/lib.rego", LIBRARY),
            ("t/a_test.rego", TESTS),
            (
                "t/b_test.rego",
                "package b.c_test\ntest_other if data.lib.big(1)\n",
            ),
            ("t/fixtures/data.json", r#"{"list": [1, 2, 3]}"#),
            (
                "good/a_test.rego",
                "package a\ntest_a if true\ntest_b if 1 == 1\n",
            ),
            ("skipped/a_test.rego", "package a\ntodo_test_a if true\n"),
            ("bad/a_test.rego", "package a\ntest_a if x\n"),
            ("empty/a.rego", "package a\nx := 1\n"),
        ],
    );
    root
}

/// The results by name, without what differs from run to run.
fn results(ran: &Ran) -> BTreeMap<String, Json> {
    let results = ran.json();
    let results = results.as_array().expect("results are an array");
    let settled = |result: &Json| {
        let mut result = result.clone();
        let name = format!("{}.{}", result["package"], result["name"]);
        settle(&mut result);
        if let Some(error) = result.get("error").cloned() {
            // OPA gives one error, or a list of them.
            let error = error.get(0).unwrap_or(&error);
            result["error"] = error["code"].clone();
        }
        (name, result)
    };
    results.iter().map(settled).collect()
}

fn settle(result: &mut Json) {
    if let Json::Object(fields) = result {
        fields.remove("duration");
        // What only we have.
        fields.remove("failure");
        if let Some(Json::Object(cases)) = fields.get_mut("sub_results") {
            cases.values_mut().for_each(settle);
        }
    }
}

#[track_caller]
fn compare(folder: &Path, arguments: &[&str]) {
    let arguments = [&["test", "-f", "json"], arguments].concat();
    let (theirs, ours) = (opa(folder, &arguments), portcullis(folder, &arguments));
    assert_eq!(ours.code, theirs.code, "{ours:?} {theirs:?}");
    assert_eq!(results(&ours), results(&theirs));
}

/// Verdicts, cases, places, and what was printed.
#[rstest]
#[case(&["t"])]
#[case(&["t", "--run", "test_(two|table)"])]
#[case(&["t", "--run", "^data\\.b\\.c_test\\.tests"])]
#[case(&["t", "--ignore", "b_*"])]
#[case(&["-b", "t"])]
#[case(&["good"])]
#[case(&["good", "skipped", "-z"])]
fn are_those_of_opa(#[case] arguments: &[&str]) {
    compare(fixtures().path(), arguments);
}

/// Each shipped policy is tested alone, as it is served; OPA needs the shared modules beside it.
#[test]
fn the_library_has_the_results_of_opa() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let library = workspace.join("policies/library");
    let policies = below(&below(&below(&[library])));
    assert!(policies.len() >= 6, "the library must be there");
    for policy in policies {
        // OPA repeats an absolute path in the names of files.
        let policy = policy.strip_prefix(&workspace).unwrap();
        let policy = policy.to_str().expect("it is UTF-8");
        let parts: Vec<&str> = policy.split('/').collect();
        let tests = format!(r"^data\.{}\.{}_test\.", parts[2], parts[3]);
        let manifest = ["--ignore", "policy.yaml"];
        let beside = [&[policy, "policies/lib", "--run", &tests], &manifest[..]].concat();
        compare(&workspace, &beside);
        covers(&workspace, &beside);
        let alone = portcullis(&workspace, &["test", "-f", "json", "-b", policy]);
        let beside = [&["test", "-f", "json"], &beside[..]].concat();
        assert_eq!(results(&alone), results(&portcullis(&workspace, &beside)));
    }
}

fn below(folders: &[PathBuf]) -> Vec<PathBuf> {
    let entries = folders
        .iter()
        .flat_map(|folder| fs::read_dir(folder).unwrap());
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.is_dir());
    paths.sort();
    paths
}

/// The same lines are covered.
#[track_caller]
fn covers(folder: &Path, arguments: &[&str]) {
    let arguments = [&["test", "-c"], arguments].concat();
    let share = |ran: Ran| {
        let report = ran.json();
        let lines = |file: &Json| {
            (
                file["covered_lines"].clone(),
                file["not_covered_lines"].clone(),
            )
        };
        let files = report["files"]
            .as_object()
            .expect("files have names")
            .iter();
        // With `-b`, OPA has each file once more under a name of its own, with nothing in it.
        let files = files.filter(|(_, file)| !file["covered_lines"].is_null());
        let files = files.map(|(name, file)| (name.clone(), lines(file)));
        (
            report["coverage"].clone(),
            files.collect::<BTreeMap<_, _>>(),
        )
    };
    assert_eq!(
        share(portcullis(folder, &arguments)),
        share(opa(folder, &arguments))
    );
}

/// Exit status.
#[rstest]
#[case(&["good"], 0)]
#[case(&["t"], 2)]
#[case(&["skipped"], 2)]
#[case(&["skipped", "-z"], 0)]
#[case(&["bad"], 1)]
#[case(&["no-such"], 1)]
#[case(&["empty"], 0)]
#[case(&["empty", "--fail-on-empty"], 1)]
#[case(&["good", "--threshold", "90"], 0)]
#[case(&["good", "empty", "--threshold", "90"], 2)]
#[case(&["good", "--threshold", "101"], 1)]
#[case(&["t", "-c"], 1)]
#[case(&["good", "-r", "("], 1)]
fn the_exit_status_is_that_of_opa(#[case] arguments: &[&str], #[case] code: i32) {
    let root = fixtures();
    let arguments = [&["test"], arguments].concat();
    both(root.path(), &arguments, code);
}

/// What is printed for people, but for the times and for what did not hold.
#[test]
fn summaries_are_those_of_opa() {
    let root = fixtures();
    for arguments in [&["test", "t"][..], &["test", "good"], &["test", "empty"]] {
        let sums = |ran: Ran| {
            let is_sum = |line: &&str| {
                ["PASS: ", "FAIL: ", "SKIPPED: ", "ERROR: "]
                    .iter()
                    .any(|name| line.starts_with(name))
            };
            ran.out
                .lines()
                .filter(is_sum)
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        let theirs = sums(opa(root.path(), arguments));
        assert_eq!(
            sums(portcullis(root.path(), arguments)),
            theirs,
            "{arguments:?}"
        );
    }
}
