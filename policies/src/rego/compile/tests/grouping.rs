//! Comprehensions that are asked for one key after the other give what they give for each alone.

use super::*;
use crate::rego::execute;
use crate::rego::plan::{ir::Term, visit};

fn values(plan: &Plan, input: &str) -> String {
    let result = execute::evaluate(plan, &plan.entries[0], evaluation(input));
    let values = result.map_err(|error| error.to_string());
    let values = values.expect("a value");
    let x = |bindings| value::get(bindings, &Value::from("x")).map(value::json::write);
    values.iter().filter_map(x).collect()
}

/// The comprehensions of a plan, and how many of them are grouped.
fn comprehensions(plan: &Plan) -> (usize, usize) {
    let (mut all, mut grouped) = (0, 0);
    for definition in plan.rules.iter().flat_map(|rule| &rule.definitions) {
        for step in &definition.body.steps {
            visit::step(step, &mut |part| {
                if let visit::Part::Term(Term::Comprehension(one)) = part {
                    all += 1;
                    grouped += usize::from(one.grouping.is_some());
                }
            });
        }
    }
    (all, grouped)
}

const INPUT: &str = r#"{
    "xs": [3, 1, 2, 1, 4, "a", [1], null, 1.0],
    "ys": [{"k": 1, "n": "p"}, {"k": 2, "n": "q"}, {"k": 1, "n": "r"}, {"k": "a"}, {"n": "s"},
        {"k": [1], "n": "t"}, {"k": 1, "n": "p"}, 7],
    "m": {"1": "one", "a": "letter"}
}"#;

/// The rule `p` with all its keys, which are grouped, and key by key.
#[track_caller]
fn check(comprehension: &str, expected: &str) {
    let rule = format!("p := all if all := [v | some x in input.xs; v := {comprehension}]");
    let module = format!("package a\n{rule}");
    let plan = plan(Version::V1, &[&module], "x = data.a.p", Options::default());
    let plan = plan
        .map_err(|(_, faults)| faults)
        .expect("the module compiles");
    let (_, grouped) = comprehensions(&plan);
    assert_ne!(grouped, 0, "{comprehension} is grouped");
    let together = values(&plan, INPUT);
    assert_eq!(together, expected, "{comprehension}");
    let input: serde_json::Value = serde_json::from_str(INPUT).expect("the input is JSON");
    let keys = input["xs"].as_array().expect("keys").iter().map(|key| {
        let mut input = input.clone();
        input["xs"] = serde_json::Value::Array(vec![key.clone()]);
        let alone = values(&plan, &input.to_string());
        alone[1..alone.len() - 1].to_owned()
    });
    let alone: Vec<String> = keys.collect();
    assert_eq!(
        format!("[{}]", alone.join(",")),
        expected,
        "{comprehension}"
    );
}

#[test]
fn groups() {
    check(
        "[y.n | some y in input.ys; y.k == x]",
        r#"[[],["p","r","p"],["q"],["p","r","p"],[],[],["t"],[],["p","r","p"]]"#,
    );
    check(
        "[y.n | some y in input.ys; x == y.k]",
        r#"[[],["p","r","p"],["q"],["p","r","p"],[],[],["t"],[],["p","r","p"]]"#,
    );
    check(
        "{y.n | some y in input.ys; y.k = x}",
        r#"[[],["p","r"],["q"],["p","r"],[],[],["t"],[],["p","r"]]"#,
    );
    // The key is computed, enumerated, and not the only one.
    check(
        "[i | some i, y in input.ys; x = y.k + 1; y.k > 1]",
        "[[1],[],[],[],[],[],[],[],[]]",
    );
    check(
        "[i | input.ys[i].k == x]",
        "[[],[0,2,6],[1],[0,2,6],[],[3],[5],[],[0,2,6]]",
    );
    check(
        "{i | input.ys[i].k == x}",
        "[[],[0,2,6],[1],[0,2,6],[],[3],[5],[],[0,2,6]]",
    );
    check(
        "[i | some i, y in input.ys; y.k == x; y.k = x]",
        "[[],[0,2,6],[1],[0,2,6],[],[3],[5],[],[0,2,6]]",
    );
    check(
        "[i | some i, y in input.ys; y.k == x[0]]",
        "[[],[],[],[],[],[],[0,2,6],[],[]]",
    );
    check(
        "[i | some i, y in input.ys; y.k == x[0]; y.k == x[1]]",
        "[[],[],[],[],[],[],[],[],[]]",
    );
}

/// How many of the comprehensions of a rule are grouped.
#[track_caller]
fn check_grouped(rule: &str, expected: (usize, usize)) {
    let module = format!("package a\n{rule}");
    let plan = plan(Version::V1, &[&module], "x = data.a.p", Options::default());
    let plan = plan
        .map_err(|(_, faults)| faults)
        .expect("the module compiles");
    assert_eq!(comprehensions(&plan), expected, "{rule}");
}

#[test]
fn what_is_grouped() {
    // Not what is looked up, nor what needs more of the outside, nor what has bodies of its own.
    for comprehension in [
        "[y | y := input.m[x]]",
        "[i | input.ys[i] == input.ys[x]]",
        "[y | some y in input.ys; y.k == x + 1]",
        "[y | some y in input.ys; y.k > x]",
        "[y | some y in input.ys; not y.k == x]",
        "[y | walk(input.ys, [y, x])]",
        "[y | some y in input.ys; z := x; y.k == z]",
        "[y | some y in input.ys; y == {\"k\": x}]",
        "[y | some y in input.ys; y.k == x with input.z as 1]",
        "[y | y := 1]",
        "[x | some y in input.ys; y.k == x]",
        "[y | some y in input.ys; y.k == x; x != 2]",
    ] {
        let rule = format!("p if {{ some x in input.xs; count({comprehension}) > 1 }}");
        check_grouped(&rule, (1, 0));
    }
    check_grouped(
        "p if { some x in input.xs; count([y | some y in input.ys; y.k == x; count([z | z := x]) > 0]) > 1 }",
        (2, 0),
    );
    check_grouped(
        "f(x) := ys if ys := [y | some y in input.ys; y.k == x]\np if count(f(input.a)) > 1",
        (1, 1),
    );
}

#[test]
fn groups_are_of_one_scope() {
    let module = r#"package a
f(x) := [y.n | some y in input.ys; y.k == x]
all := [v | some x in [1, 2, 3, 1]; v := f(x)]
p := [all, other, all]
other := v if v := all with input.ys as [{"k": 3, "n": "z"}]"#;
    let plan = plan(Version::V1, &[module], "x = data.a.p", Options::default());
    let plan = plan
        .map_err(|(_, faults)| faults)
        .expect("the module compiles");
    let all = r#"[["p","r","p"],["q"],[],["p","r","p"]]"#;
    let other = r#"[[],[],["z"],[]]"#;
    assert_eq!(values(&plan, INPUT), format!("[{all},{other},{all}]"));
}
