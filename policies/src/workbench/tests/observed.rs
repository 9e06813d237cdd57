//! What is covered, what it costs, and why.

use std::fmt::Write as _;

use super::{material, query, setting};
use crate::workbench::{Kept, Look, Order, Seen};

const MODULE: &str = "package a
allow if {
\tsome x in input.xs
\tx > 2
}
deny if input.nope
";

fn seen(look: Look, text: &str) -> Seen {
    seen_of(look, MODULE, text)
}

fn seen_of(look: Look, module: &str, text: &str) -> Seen {
    let material = material(&[("a.rego", module)], "{}").unwrap();
    let mut setting = setting(r#"{"xs": [1, 2, 3]}"#);
    setting.look = look;
    material.ask(&query(text), &setting).unwrap().seen
}

/// The lines are those of `opa eval --coverage`.
#[test]
fn coverage() {
    let look = Look {
        coverage: true,
        ..Look::default()
    };
    let report = seen(look, "data.a.allow").coverage.unwrap();
    let file = &report.files["a.rego"];
    let lines = |ranges: &[crate::workbench::Range]| -> Vec<u32> {
        ranges.iter().map(|range| range.start.row).collect()
    };
    assert_eq!(lines(&file.covered), [2, 3, 4]);
    assert_eq!(lines(&file.not_covered), [6, 6]);
    assert_eq!((report.covered_lines, report.not_covered_lines), (3, 1));
}

#[test]
fn costs() {
    let look = Look {
        profile: true,
        ..Look::default()
    };
    let profile = seen(look, "data.a.allow").profile.unwrap();
    let line = |line: u32| {
        let is = |cost: &&crate::workbench::Cost| {
            cost.location.file == "a.rego" && cost.location.line == line
        };
        let cost = profile.costs.iter().find(is).unwrap();
        (cost.evaluations, cost.further)
    };
    // It is looked at once, and has three solutions; the comparison is made for each of them.
    assert_eq!(line(3), (1, 2));
    assert_eq!(line(4), (3, 0));
    assert!(
        profile
            .costs
            .is_sorted_by_key(|cost| std::cmp::Reverse(cost.time))
    );
}

fn explained(kept: Kept, module: &str) -> String {
    let look = Look {
        explanation: Some(kept),
        ..Look::default()
    };
    seen_of(look, module, "x := data.a")
        .explanation
        .unwrap()
        .to_string()
}

#[test]
fn explanations() {
    insta::assert_snapshot!(explained(Kept::All, MODULE), @r"
    a.rego:2:1: data.a.allow holds
        value = true
        x = 3
    a.rego:6:1: data.a.deny does not hold
          |
        6 | deny if input.nope
          |         ^^^^^^^^^^
        input.nope = undefined
    ");
    insta::assert_snapshot!(explained(Kept::Failures, MODULE), @r"
    a.rego:6:1: data.a.deny does not hold
          |
        6 | deny if input.nope
          |         ^^^^^^^^^^
        input.nope = undefined
    ");
}

const NOTING: &str = r#"package a
allow if {
	trace("begin")
	some x in input.xs
	trace(sprintf("x is %d", [x]))
	big(x)
}
big(x) if {
	quiet
	trace("big?")
	x > 2
}
default quiet := true
quiet := false if input.nope
"#;

/// Rules that note something, and those that lead to them.
#[test]
fn notes() {
    insta::assert_snapshot!(explained(Kept::Notes, NOTING), @r"
    a.rego:2:1: data.a.allow holds
        value = true
        x = 3
        a.rego:3:2: note: begin
        a.rego:5:2: note: x is 1
        a.rego:5:2: note: x is 2
        a.rego:5:2: note: x is 3
      a.rego:8:1: data.a.big does not hold
             |
          11 | x > 2
             | ^^^^^
          x = 1
          a.rego:10:2: note: big?
      a.rego:8:1: data.a.big does not hold
             |
          11 | x > 2
             | ^^^^^
          x = 2
          a.rego:10:2: note: big?
      a.rego:8:1: data.a.big holds
          value = true
          x = 3
          a.rego:10:2: note: big?
    ");
}

const MANY: &str = "package a
allow if {
	every number in numbers.range(1, 300) {
		quiet(number)
	}
	noting(1)
}
quiet(number) if number > 0
noting(_) if trace(`the last`)
";

/// However many rules are tried that note nothing, those that do are shown.
#[test]
fn notes_of_many_rules() {
    assert!(!explained(Kept::All, MANY).contains("data.a.noting"));
    insta::assert_snapshot!(explained(Kept::Notes, MANY), @r"
    a.rego:2:1: data.a.allow holds
        value = true
      a.rego:9:1: data.a.noting holds
          value = true
          a.rego:9:14: note: the last
    ");
}

/// More than are shown are counted, and none is lost that was made in a rule which is too deep.
#[test]
fn notes_without_end() {
    let look = Look {
        explanation: Some(Kept::Notes),
        ..Look::default()
    };
    let text = "every x in numbers.range(1, 1500) { trace(sprintf(`%d`, [x])) }";
    let notes = seen(look, text).explanation.unwrap().notes;
    assert_eq!((notes.notes.len(), notes.omitted), (1000, 500));
    assert_eq!(notes.notes[999].text, "1000");
    let mut module = "package a\nr0 if trace(`deep`)\n".to_owned();
    for at in 1..30 {
        let _ = writeln!(module, "r{at} if r{}", at - 1);
    }
    assert!(explained(Kept::Notes, &module).contains("note: deep"));
}

/// Errors that are taken for undefined, with the place of the condition that they are in.
#[test]
fn swallowed_errors() {
    let look = Look {
        swallowed: true,
        ..Look::default()
    };
    let module = "package a
parsed := [n | some x in input.xs; n := to_number(sprintf(`x%d`, [x]))]
half(x) := 1 / x
none if half(count([y | y := to_number(`y`)])) > 1
";
    let seen = seen_of(look, module, "x := data.a");
    let told: Vec<String> = seen
        .swallowed
        .iter()
        .map(|fault| {
            let place = fault
                .location
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default();
            format!("{place} {}: {}", fault.code, fault.message)
        })
        .collect();
    insta::assert_snapshot!(told.join("\n"), @r#"
    a.rego:4:30 eval_builtin_error: to_number: invalid number: "y"
    a.rego:3:1 eval_builtin_error: div: divide by zero
    a.rego:2:41 eval_builtin_error: to_number: invalid number: "x1"
    a.rego:2:41 eval_builtin_error: to_number: invalid number: "x2"
    a.rego:2:41 eval_builtin_error: to_number: invalid number: "x3"
    "#);
}

/// More than are told are counted.
#[test]
fn swallowed_errors_without_end() {
    let look = Look {
        swallowed: true,
        ..Look::default()
    };
    let text = "some x in numbers.range(1, 500); y := to_number(sprintf(`x%d`, [x]))";
    let told = seen(look, text).swallowed;
    assert_eq!(told.len(), 201);
    assert_eq!(told[200].message, "300 more errors of builtin functions");
}

#[test]
fn costs_in_another_order() {
    let look = Look {
        profile: true,
        ..Look::default()
    };
    let mut profile = seen(look, "data.a.allow").profile.unwrap();
    let mut by = |orders: &[Order]| {
        profile.sort(orders);
        let costs = profile
            .costs
            .iter()
            .filter(|cost| cost.location.file == "a.rego");
        costs.map(|cost| cost.location.line).collect::<Vec<_>>()
    };
    assert_eq!(by(&[Order::Evaluations]), [4, 3]);
    assert_eq!(by(&[Order::Further]), [3, 4]);
    assert_eq!(by(&[Order::File, Order::Line]), [4, 3]);
    assert_eq!(by(&[Order::Further, Order::Line]), [3, 4]);
}
