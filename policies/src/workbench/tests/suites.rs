//! Which rules are tests, and what becomes of them.

use std::{collections::BTreeMap, fmt::Write as _, time::Duration};

use jiff::Timestamp;
use rstest::rstest;

use super::material;
use crate::workbench::{Case, Failure, Filter, Outcome, Test, Trial, Verdict};

fn trial() -> Trial {
    Trial {
        timeout: Duration::from_mins(1),
        now: Timestamp::UNIX_EPOCH,
        seed: 1,
        coverage: false,
    }
}

/// What became of the tests of a module, on two threads.
#[track_caller]
fn run(modules: &[(&str, &str)], filter: Option<&str>) -> Vec<(Test, Outcome)> {
    let material = material(modules, r#"{"foo": {"y": 2}}"#).unwrap();
    let filter = filter.map(|pattern| Filter::new(pattern).unwrap());
    let suite = material.suite(filter.as_ref(), true).unwrap();
    let mut outcomes = Vec::new();
    suite.run(2, &trial(), |test, outcome| {
        outcomes.push((test.clone(), outcome));
    });
    outcomes
}

/// The verdicts by name, and those of cases.
fn verdicts(outcomes: &[(Test, Outcome)]) -> String {
    let mut text = String::new();
    for (test, outcome) in outcomes {
        let verdict = match &outcome.verdict {
            Verdict::Pass => "pass",
            Verdict::Fail => "fail",
            Verdict::Skip => "skip",
            Verdict::Error(error) => &error.code,
        };
        let mut shown = String::new();
        cases(&outcome.cases, &mut shown);
        let name = test.full_name();
        writeln!(text, "{}: {name}: {verdict}{shown}", test.location.line).unwrap();
    }
    text
}

fn cases(cases: &BTreeMap<String, Case>, text: &mut String) {
    for (name, case) in cases {
        let verdict = if case.fail { "fail" } else { "pass" };
        write!(text, " [{name}: {verdict}").unwrap();
        self::cases(&case.cases, text);
        text.push(']');
    }
}

/// As `opa test` has them.
#[rstest]
#[case("test_a if true", "2: data.a.test_a: pass")]
#[case("test_a if false", "2: data.a.test_a: fail")]
#[case("a_test if true", "")]
#[case("todo_test_a if false", "2: data.a.todo_test_a: skip")]
#[case("test_a := 1", "2: data.a.test_a: fail")]
#[case("test_a := \"x\" in [\"x\"]", "2: data.a.test_a: pass")]
#[case("test_a contains 1", "2: data.a.test_a: fail")]
#[case("test_a(x) if x", "2: data.a.test_a: rego_type_error")]
#[case("p.test_a if true", "2: data.a.p.test_a: pass")]
#[case("test_a.b if true", "2: data.a.test_a: fail")]
#[case("p[\"test_a\"] if true", "2: data.a.p.test_a: pass")]
#[case("default test_a := false", "2: data.a.test_a: fail")]
#[case(
    "test_a if true\ntest_a if false\ntest_a if 1 == 1",
    "2: data.a.test_a: pass\n3: data.a.test_a#01: fail\n4: data.a.test_a#02: pass"
)]
#[case("test_a if { input.x } else if true", "2: data.a.test_a: pass")]
#[case(
    "x := 1\nx := 2 if data.foo\ntest_a if x",
    "4: data.a.test_a: eval_conflict_error"
)]
#[case("test_a if to_number(\"x\") == 1", "2: data.a.test_a: fail")]
#[case("test_a if time.now_ns() == 0", "2: data.a.test_a: pass")]
#[case(
    "test_a if data.foo.y == 3 with data.foo.y as 3",
    "2: data.a.test_a: pass"
)]
fn tests(#[case] rules: &str, #[case] expected: &str) {
    let outcomes = run(&[("a.rego", &format!("package a\n{rules}"))], None);
    assert_eq!(verdicts(&outcomes).trim_end(), expected, "{rules}");
}

/// As `opa test` has them.
#[rstest]
#[case(
    "test_a[n] if { some n, tc in {\"x\": 1, \"y\": 2}; tc == 1 }",
    "fail [x: pass] [y: fail]"
)]
#[case(
    "test_a[tc.n] if { some tc in [{\"n\": \"x\", \"ok\": true}]; tc.ok }",
    "pass [x: pass]"
)]
#[case("test_a[n] if { some n in [1, 2]; n < 2 }", "fail [1: pass] [2: fail]")]
#[case(
    "test_a[sprintf(\"%d\", [i])] if { some i, v in [5, 6]; v == 5 }",
    "fail [0: pass] [1: fail]"
)]
#[case(
    "test_a[g][n] if { some g, ns in {\"g\": [1, 2]}; some n in ns; n == 1 }",
    "fail [g: fail [1: pass] [2: fail]]"
)]
// A name that is known late hides the cases that failed before.
#[case(
    "test_a[n] if { some tc in [{\"n\": \"x\"}, {\"n\": \"y\"}]; tc.n == \"x\"; n := tc.n }",
    "pass [x: pass]"
)]
#[case(
    "test_a[n] := ok if some n, ok in {\"p\": true, \"q\": false, \"t\": {\"u\": 1}}",
    "fail [p: pass] [q: fail] [t: fail [u: fail]]"
)]
#[case("test_a[x] if some x in []", "pass")]
#[case(
    "test_a[n] if { some n in [\"x\"]; internal.test_case([\"z\"]); n == \"y\" }",
    "fail [z: fail]"
)]
fn tests_with_cases(#[case] rule: &str, #[case] expected: &str) {
    let outcomes = run(&[("a.rego", &format!("package a\n{rule}"))], None);
    let expected = format!("2: data.a.test_a: {expected}");
    assert_eq!(verdicts(&outcomes).trim_end(), expected, "{rule}");
}

#[test]
fn files_are_in_order_and_tests_are_chosen_by_their_names() {
    let b = "package b\ntest_a if true\ntest_b if true";
    let a = "package a\ntest_b if true";
    let modules = [("b.rego", b), ("a.rego", a)];
    let all = "2: data.a.test_b: pass\n2: data.b.test_a: pass\n3: data.b.test_b: pass\n";
    assert_eq!(verdicts(&run(&modules, None)), all);
    let some = "2: data.a.test_b: pass\n3: data.b.test_b: pass\n";
    assert_eq!(verdicts(&run(&modules, Some("test_b$"))), some);
    assert_eq!(
        verdicts(&run(&modules, Some("^data.b.test_a"))),
        "2: data.b.test_a: pass\n"
    );
    assert!(Filter::new("(").is_err());
}

/// The first condition that did not hold, with the values in it.
#[rstest]
#[case(
    "test_a if {\n\tx := 3\n\tx > 1\n\tx < 2\n}",
    "a.rego:5:2: this condition does not hold | x < 2 | x = 3"
)]
#[case(
    "allow if input.x > 1\ntest_a if {\n\tx := 1\n\tallow with input.x as x\n}",
    "a.rego:5:2: this condition does not hold | allow with input.x as x | x = 1"
)]
#[case(
    "test_a if {\n\tevery x in [1, 5] {\n\t\tx > 0\n\t\tx < 4\n\t}\n}",
    "a.rego:5:3: this condition does not hold | x < 4 | x = 5"
)]
#[case(
    "test_a if {\n\tevery x in [[1], [5]] { every y in x { y < 4 } }\n}",
    "a.rego:3:41: this condition does not hold | every x in [[1], [5]] { every y in x { y < 4 } } | y = 5"
)]
#[case("test_a := 1 == 2", "a.rego:2:1 is false")]
#[case("test_a[\"x\"] if true", "a.rego:2:1 is {\"x\": true}")]
#[case(
    "test_a[n] if {\n\tsome n in [1, 2]\n\tn == 1\n}",
    "2: a.rego:4:2: this condition does not hold | n == 1 | n = 2"
)]
#[case(
    "test_a[\"x\"][n] := n > 1 if some n in [1, 2]",
    "1: a.rego:2:1 is false"
)]
fn failures(#[case] rules: &str, #[case] expected: &str) {
    let outcomes = run(&[("a.rego", &format!("package a\n{rules}"))], None);
    let outcome = &outcomes[0].1;
    assert_eq!(outcome.verdict, Verdict::Fail);
    let mut found = Vec::new();
    found.extend(outcome.failure.as_ref().map(failure));
    failed_cases(&outcome.cases, &mut found);
    assert_eq!(found, [expected], "{rules}");
}

fn failed_cases(cases: &BTreeMap<String, Case>, found: &mut Vec<String>) {
    for (name, case) in cases {
        let why = case.failure.as_ref().map(failure);
        found.extend(why.map(|why| format!("{name}: {why}")));
        failed_cases(&case.cases, found);
    }
}

fn failure(failure: &Failure) -> String {
    match failure {
        Failure::Condition(failed) => {
            let text = failed.to_string();
            let first = text.lines().next().unwrap_or_default().to_owned();
            let values = failed.values.iter();
            let values = values.map(|one| format!("{} = {}", one.name, one.value));
            let values: Vec<String> = values.collect();
            format!("{first} | {} | {}", failed.line, values.join(", "))
        }
        Failure::Value(location, value) => format!("{location} is {value}"),
    }
}

#[test]
fn each_test_prints_for_itself() {
    let module = "package a
test_a if print(\"a\", 1)
test_b if {
\tprint(\"b\")
\tfalse
}
";
    let outcomes = run(&[("a.rego", module)], None);
    assert_eq!(outcomes[0].1.printed, ["a 1"]);
    // Why a test failed is found by evaluating it once more; it does not print twice.
    assert_eq!(outcomes[1].1.printed, ["b"]);
}

#[test]
fn a_test_that_takes_too_long_is_an_error() {
    let module = "package a
test_a if count([1 | some i in numbers.range(1, 2000); some j in numbers.range(1, 2000); i == j]) > 0
";
    let material = material(&[("a.rego", module)], "{}").unwrap();
    let suite = material.suite(None, true).unwrap();
    let trial = Trial {
        timeout: Duration::ZERO,
        ..trial()
    };
    suite.run(1, &trial, |_, outcome| {
        let Verdict::Error(error) = outcome.verdict else {
            panic!("{:?}", outcome.verdict);
        };
        assert_eq!(error.code, "eval_cancel_error");
    });
}

#[test]
fn coverage_is_that_of_all_tests() {
    let policy = "package a\nf(1) := true\nf(2) := true\nf(3) := true";
    let tests = "package a\ntest_a if f(1)\ntest_b if f(2)";
    let material = material(&[("a.rego", policy), ("a_test.rego", tests)], "{}").unwrap();
    let suite = material.suite(None, true).unwrap();
    let trial = Trial {
        coverage: true,
        ..trial()
    };
    let report = suite.run(2, &trial, |_, _| {}).unwrap();
    let file = &report.files["a.rego"];
    assert_eq!((file.covered_lines, file.not_covered_lines), (2, 1));
    assert_eq!(report.files["a_test.rego"].not_covered_lines, 0);
}

#[test]
fn tests_that_pass_are_measured() {
    let module = "package a\ntest_a if print(1)\ntest_b if false";
    let material = material(&[("a.rego", module)], "{}").unwrap();
    let suite = material.suite(None, false).unwrap();
    let [good, bad] = suite.tests() else {
        panic!("there are two tests");
    };
    let (outcome, bench) = suite.bench(good, &trial(), Duration::ZERO);
    assert!(outcome.printed.is_empty());
    assert_eq!(bench.unwrap().count, 1);
    let (outcome, bench) = suite.bench(bad, &trial(), Duration::ZERO);
    assert_eq!((outcome.verdict, bench), (Verdict::Fail, None));
}
