//! What would fill the memory, or take time without end, and what goes on too deep.

use std::fmt::Write as _;

use rstest::rstest;

use crate::rego::{
    builtins::tests::applied,
    value::{Value, json},
};

fn operand(text: &str) -> String {
    format!("[{}]", json::write(&Value::from(text)))
}

fn parentheses(depth: usize) -> String {
    let (open, close) = ("(".repeat(depth), ")".repeat(depth));
    format!("[\"{{{{{open}1{close}}}}}\", {{}}]")
}

/// Each anchor names ten of the one before: go-yaml gives up too.
#[test]
fn aliases_of_yaml_are_bounded() {
    let mut text = "a0: &a0 x\n".to_owned();
    for level in 1..9 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        writeln!(text, "a{level}: &a{level} [{aliases}]").unwrap();
    }
    assert_eq!(applied("yaml.unmarshal", &operand(&text)), "Value");
}

#[rstest]
#[case("yaml.unmarshal", &operand(&"[".repeat(5_000)))]
#[case("yaml.unmarshal", &operand(&"- ".repeat(5_000)))]
#[case("strings.render_template", &format!("[{:?}, {{}}]", "{{if 1}}".repeat(5_000)))]
#[case("strings.render_template", &parentheses(5_000))]
#[case(
    "strings.render_template",
    r#"["{{define \"a\"}}{{template \"a\"}}{{end}}{{template \"a\"}}", {}]"#
)]
#[case(
    "strings.render_template",
    r#"["{{range 1000000000000}}{{range 1000000000000}}x{{end}}{{end}}", {}]"#
)]
#[case("strings.render_template", r#"["{{printf \"%1000000d\" 1 | print . | print . | len}}{{range 1000}}{{printf \"%1000000d\" 1}}{{end}}", {}]"#)]
#[case("json.filter", &format!("[{{}}, [[{}0]]]", "\"a\",".repeat(5_000)))]
#[case("json.remove", &format!("[{{}}, [{:?}]]", "a/".repeat(5_000)))]
#[case("regex.globs_match", &format!("[{:?}, {:?}]", "a+b+".repeat(1_500), "a+b+".repeat(1_500)))]
fn what_has_no_bound_ends_the_evaluation(#[case] function: &str, #[case] operands: &str) {
    // Evaluations have stacks of this size.
    let (function, operands) = (function.to_owned(), operands.to_owned());
    let worker = std::thread::Builder::new().stack_size(64 << 20);
    let run = worker.spawn(move || applied(&function, &operands));
    let found = run.expect("a thread").join().expect("no panic");
    assert_eq!(found, "Ends");
}
