//! Which lines are covered. Where nothing else is said, they are those of `opa eval --coverage`.

use super::*;
use crate::rego::execute::{self, Coverage, Range, Report};

#[track_caller]
fn report(module: &str, input: &str) -> Report {
    let plan = plan(Version::V1, &[module], "data.a.q", Options::default());
    let plan = plan
        .map_err(|(_, faults)| faults)
        .expect("the module compiles");
    let mut sources = Sources::default();
    sources.add("policy.rego", module);
    let evaluation = evaluation(input);
    let mut coverage = Coverage::default();
    execute::observe(&plan, &plan.entries[0], evaluation, &mut coverage).expect("no error");
    coverage.report(&plan, &sources)
}

/// The lines on which something is covered, and those on which something is not.
#[track_caller]
fn check(module: &str, input: &str, covered: &[u32], not_covered: &[u32]) {
    let report = report(module, input);
    let lines = |ranges: &[Range]| {
        let mut lines: Vec<u32> = ranges.iter().map(|range| range.start.row).collect();
        lines.dedup();
        lines
    };
    let file = &report.files["policy.rego"];
    assert_eq!(lines(&file.covered), covered, "{module}");
    assert_eq!(lines(&file.not_covered), not_covered, "{module}");
}

#[test]
fn lines() {
    check(
        "package a\nq contains x if {\n\tsome x in input.xs\n\tx > 1\n\tnot r(x)\n}\nr(x) if {\n\tx < 3\n}\nr(x) if {\n\tx > 10\n\tinput.y\n}",
        r#"{"xs": [1, 2, 3], "y": 1}"#,
        &[2, 3, 4, 5, 7, 8, 11],
        &[10, 12],
    );
    check(
        "package a\nq if {\n\tcount([x |\n\t\tsome x in input.xs\n\t\tx > 1\n\t]) == 2\n\tevery y in input.xs {\n\t\ty > 0\n\t\ty < 9\n\t}\n}",
        r#"{"xs": [1, 2, 3]}"#,
        &[2, 3, 4, 5, 7, 8, 9],
        &[],
    );
    check(
        "package a\nq if {\n\tcount(input.a) > 1\n\tevery y in [1] {\n\t\ty > 0\n\t}\n}",
        r#"{"a": [1]}"#,
        &[3],
        &[2, 4, 5],
    );
    check(
        "package a\np[k] := v if {\n\tsome k, v in input.o\n\tv > 1\n}\np.z := 1 if {\n\tinput.n\n}\nq := p.a",
        r#"{"o": {"a": 2}, "n": 1}"#,
        &[2, 3, 4, 9],
        &[6, 7],
    );
    check(
        "package a\np if {\n\tinput.a > 1\n}\nq if {\n\tp with input.a as 2\n\tnot p\n}\nunused := 1",
        r#"{"a": 1}"#,
        &[2, 3, 5, 6, 7],
        &[9],
    );
}

#[test]
fn lines_that_are_not_those_of_opa() {
    // OPA has an index of these, and looks at nothing but the default.
    check(
        "package a\ndefault q := 0\nq := 1 if {\n\tinput.a > 0\n\tcount(input.b) > 0\n}\nelse := 2 if {\n\tinput.c > 0\n}",
        r#"{"a": 1}"#,
        &[2, 4, 5, 8],
        &[3, 7],
    );
    // OPA has an index here, ours begins at three definitions.
    let module = "package a\nq := 1 if {\n\tinput.a == 1\n}\nq := 2 if {\n\tinput.a == 2\n}";
    check(module, r#"{"a": 1}"#, &[2, 3, 6], &[5]);
    // A constant is no condition.
    let module = "package a\nq if {\n\ttrue\n\tinput.a\n}";
    check(module, r#"{"a": 1}"#, &[2, 4], &[]);
}

#[test]
fn a_report_is_in_the_form_of_opa() {
    let module = "package a\nq if {\n\tinput.a\n\tinput.b\n}";
    let report = report(module, r#"{"a": false}"#);
    let json = serde_json::to_value(&report).expect("a report is JSON");
    let expected = serde_json::json!({
        "files": {"policy.rego": {
            "covered": [{"start": {"row": 3, "col": 2}, "end": {"row": 3, "col": 9}}],
            "not_covered": [
                {"start": {"row": 2, "col": 1}, "end": {"row": 2, "col": 2}},
                {"start": {"row": 4, "col": 2}, "end": {"row": 4, "col": 9}},
            ],
            "covered_lines": 1,
            "not_covered_lines": 2,
            "coverage": 100.0 / 3.0,
        }},
        "covered_lines": 1,
        "not_covered_lines": 2,
        "coverage": 100.0 / 3.0,
    });
    assert_eq!(json, expected);
}
