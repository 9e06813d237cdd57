//! Several faults at once, and how they are shown.

use rstest::rstest;

use super::super::super::ast::Version;
use super::super::super::source::Sources;
use super::super::{Options, parse_module};
use super::module;

#[rstest]
// Reading goes on at the next line that begins with a name.
#[case("p := }\n\nq := 1\n\nr := ]\n", &["2:6 unexpected } token", "6:6 unexpected ] token"])]
#[case("p if {\n  x y\n  z\n}\nq if )\n", &["3:5 unexpected identifier token: expected \\n or ; or }", "6:6 unexpected ) token"])]
#[case("import foo\nimport bar\n", &[
    "2:8 unexpected import path, must begin with one of: {data, future, input, rego}, got: foo",
    "3:8 unexpected import path, must begin with one of: {data, future, input, rego}, got: bar",
])]
// What an illegal token is, is said once.
#[case("p := @\nq := \"a\nr := 1\n", &["2:6 illegal token", "3:6 non-terminated string"])]
// What v1 asks of rules is asked once all can be read.
#[case("p { x }\nq[x]\nr\n", &[
    "2:1 `if` keyword is required before rule body",
    "3:1 `contains` keyword is required for partial set rules",
    "4:1 var cannot be used for rule name",
])]
fn all_faults_are_reported(#[case] rules: &str, #[case] expected: &[&str]) {
    let faults = module(&format!("package t\n{rules}"), Version::V1).expect_err("it is wrong");
    assert_eq!(faults, expected);
}

#[rstest]
#[case("", "1:1 empty module")]
#[case("# nothing\n", "1:1 empty module")]
#[case("p := 1", "1:1 package expected")]
#[case("package", "1:8 unexpected eof token")]
#[case("package a\npackage b", "2:1 unexpected package")]
#[case("package a[1]", "1:11 unexpected number token: expecting string")]
fn a_module_begins_with_its_package(#[case] source: &str, #[case] expected: &str) {
    assert_eq!(
        module(source, Version::V1).expect_err("it is no module"),
        [expected]
    );
}

#[test]
fn a_fault_shows_its_line() {
    let source = "package t\n\nallow if {\n\tinput.größe and x\n}\n";
    let mut sources = Sources::default();
    let file = sources.add("policy.rego", source);
    let options = Options {
        version: Version::V1,
        annotations: true,
    };
    let faults = parse_module(file, source, options).expect_err("it is wrong");
    let shown: Vec<String> = faults
        .iter()
        .map(|fault| sources.diagnostic(fault).to_string())
        .collect();
    assert_eq!(
        shown,
        [
            "policy.rego:4:10: rego_parse_error: illegal token\n  | input.größe and x\n  |         ^^"
        ]
    );
}

#[test]
fn a_remedy_names_the_missing_import() {
    let source = "package t\np { x in xs }\n";
    let mut sources = Sources::default();
    let file = sources.add("policy.rego", source);
    let options = Options {
        version: Version::V0,
        annotations: true,
    };
    let faults = parse_module(file, source, options).expect_err("it is wrong");
    assert_eq!(
        faults[0].remedy.as_deref(),
        Some("`import future.keywords.in` for `x in xs` expressions")
    );
}
