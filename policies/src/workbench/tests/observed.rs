//! What is covered, what it costs, and why.

use super::{material, query, setting};
use crate::workbench::{Look, Seen};

const MODULE: &str = "package a
allow if {
\tsome x in input.xs
\tx > 2
}
deny if input.nope
";

fn seen(look: Look, text: &str) -> Seen {
    let material = material(&[("a.rego", MODULE)], "{}").unwrap();
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

#[test]
fn explanations() {
    let look = Look {
        explanation: true,
        ..Look::default()
    };
    let mut explanation = seen(look, "x := data.a").explanation.unwrap();
    insta::assert_snapshot!(explanation.to_string(), @r"
    a.rego:2:1: data.a.allow holds
        value = true
        x = 3
    a.rego:6:1: data.a.deny does not hold
          |
        6 | deny if input.nope
          |         ^^^^^^^^^^
        input.nope = undefined
    ");
    explanation.keep_failures();
    assert_eq!(explanation.rules.len(), 1);
}
