//! Nothing that a policy can be ends the process: the limits of depth are reached before the stack
//! of a thread that compiles or evaluates is. These run in debug builds too, whose frames are the
//! largest.

use std::fmt::Write as _;

use rstest::rstest;

use super::*;
use crate::rego::execute::{self, MAX_DEPTH, MAX_VALUE_DEPTH};

/// The stack of the threads that compile and evaluate.
const STACK: usize = 64 << 20;

/// Compiles a module and evaluates `data.a.q` within the default limits.
fn evaluate(module: String) -> String {
    let work = move || {
        let plan = match plan(Version::V1, &[&module], "x = data.a.q", Options::default()) {
            Ok(plan) => plan,
            Err((_, faults)) => return faults[0].message.clone(),
        };
        let evaluation = evaluation("{}");
        match execute::evaluate(&plan, &plan.entries[0], evaluation) {
            Ok(values) => format!("{} solutions", values.len()),
            Err(error) => error.to_string(),
        }
    };
    let thread = std::thread::Builder::new().stack_size(STACK).spawn(work);
    thread.expect("a thread").join().expect("nothing panics")
}

/// Rules of which each needs the one before, where `@` stands for that one.
fn chain(first: &str, link: &str, length: usize) -> String {
    let mut module = format!("package a\nr0{first}\n");
    for at in 1..=length {
        let link = link.replace('@', &format!("r{}", at - 1));
        let _ = writeln!(module, "r{at}{link}");
    }
    module + &format!("q := r{length}\n")
}

/// Calls of which each does what the one before does, twice.
fn doubled(times: usize) -> String {
    let mut module = "f0(x) := [x]\n".to_owned();
    for at in 1..=times {
        let _ = writeln!(module, "f{at}(x) := f{}(f{}(x))", at - 1, at - 1);
    }
    module
}

fn within(open: &str, inner: &str, close: &str, depth: usize) -> String {
    format!("{}{inner}{}", open.repeat(depth), close.repeat(depth))
}

#[rstest]
#[case(" := 1", " := @")]
#[case(" := 1", " := 1 if @")]
#[case(" := 1", " := 1 if not @ == 2")]
#[case(" := 1", " := 1 if every x in [1] { x == @ }")]
#[case(" := 1", " := 1 if { count([1 | @]) == 1 }")]
#[case(" := 1", " := 1 if @ with input as 1")]
#[case(" := 1", " := 1 if { some i, x in [1]; [i, x] == [0, @] }")]
#[case(" := 1", " := 2 if 1 == 2 else := @")]
#[case(" := 1", " := 1 if { walk([1], [_, x]); x == @ }")]
#[case(" := 1", " := input[{1: @}]")]
#[case(".k := 1", "[k] := v if some k, v in @")]
#[case(" contains 1", " contains k if some k in @")]
fn chains_of_rules(#[case] first: &str, #[case] link: &str) {
    let result = evaluate(chain(first, link, MAX_DEPTH as usize + 100));
    assert_eq!(
        result,
        format!("the evaluation nests deeper than {MAX_DEPTH}")
    );
}

#[test]
fn chains_of_rules_that_are_asked_for_a_key() {
    let mut module = chain(".k := 1", "[k] := v if v := @[k]", MAX_DEPTH as usize + 100);
    module = module.replace("\nq := ", "\nq := 1 if x.k\nx := ");
    module = module.replace("q := 1 if x.k\nx := r", "q := r");
    let last = format!("q := r{}\n", MAX_DEPTH + 100);
    let result = evaluate(module.replace(&last, &last.replace('\n', ".k\n")));
    assert_eq!(
        result,
        format!("the evaluation nests deeper than {MAX_DEPTH}")
    );
}

#[test]
fn chains_of_functions() {
    let mut module = "package a\nf0(x) := x\nf1(x) := f0(x)\n".to_owned();
    for at in 2..=MAX_DEPTH + 100 {
        let _ = writeln!(module, "f{at}([x]) := y if {{ [y] = [f{}([x])] }}", at - 1);
    }
    let _ = writeln!(module, "q := f{}([1])", MAX_DEPTH + 100);
    let result = evaluate(module);
    assert_eq!(
        result,
        format!("the evaluation nests deeper than {MAX_DEPTH}")
    );
}

// Terms within each other take stack too.
#[rstest]
#[case("[", "]")]
#[case("{1:", "}")]
#[case("abs(", ")")]
#[case("1+(", ")")]
fn chains_of_rules_with_deep_terms(#[case] open: &str, #[case] close: &str) {
    let link = format!(
        " := 1 if {{ count([{}]) == 1 }}",
        within(open, "@", close, 45)
    );
    let result = evaluate(chain(" := 1", &link, 1_000));
    assert_eq!(
        result,
        format!("the evaluation nests deeper than {MAX_DEPTH}")
    );
}

#[test]
fn chains_of_rules_with_deep_patterns() {
    let sides = [within("[", "x", "]", 45), within("[", "@", "]", 45)];
    let link = format!(" := x if {} = {}", sides[0], sides[1]);
    let result = evaluate(chain(" := 1", &link, 1_000));
    assert_eq!(
        result,
        format!("the evaluation nests deeper than {MAX_DEPTH}")
    );
}

#[test]
fn values_of_any_depth() {
    let error = format!("the evaluation nests deeper than {MAX_VALUE_DEPTH}");
    let lines: Vec<String> = (1..10_000)
        .map(|at| format!("\tx{at} := [x{}]", at - 1))
        .collect();
    let body = format!("package a\nq if {{\n\tx0 := 1\n{}\n}}", lines.join("\n"));
    assert_eq!(evaluate(body), error);
    let module = format!("package a\n{}q := count(f20(1))", doubled(20));
    assert_eq!(evaluate(module), error);
}

#[test]
fn values_with_shared_parts() {
    // 2^5000 members, where each is looked at.
    let lines: Vec<String> = (1..5_000)
        .map(|at| format!("\tx{at} := twice(x{})", at - 1))
        .collect();
    let body = format!(
        "package a\ntwice(x) := [x, x]\nq if {{\n\tx0 := 1\n{}\n}}",
        lines.join("\n")
    );
    assert!(evaluate(body).starts_with("the evaluation "));
}

#[test]
fn deep_values_are_compared_and_printed_at_the_deepest_place() {
    let first = " := 1 if { sprintf(\"%v\", [f11(1)]) == json.marshal(f11(1)); count({f11(1), f11(2)}) == 2 }";
    let link = " := 1 if { some i, x in [1]; [i, x] == [0, @] }";
    let result = evaluate(chain(first, link, 980) + &doubled(11));
    assert_eq!(result, "1 solutions");
}

#[rstest]
#[case("[", "1", "]")]
#[case("(", "1", ")")]
#[case("{1: ", "1", "}")]
#[case("{", "1", "}")]
#[case("abs(", "1", ")")]
#[case("[x | x := ", "1", "]")]
#[case("1 + ", "1", "")]
#[case("input[", "1", "]")]
fn sources_as_deep_as_they_are_read(#[case] open: &str, #[case] inner: &str, #[case] close: &str) {
    let deepest = (1..200)
        .rev()
        .step_by(7)
        .map(|depth| {
            format!(
                "package a\nq := 1 if count([{}]) > 0",
                within(open, inner, close, depth)
            )
        })
        .map(evaluate)
        .find(|result| !result.contains("expressions are nested deeper than"));
    assert!(deepest.is_some_and(|result| !result.is_empty()));
}

#[rstest]
#[case(format!("package a{}\nq := 1", ".b".repeat(20_000)), "a reference has at most 200 parts")]
#[case(format!("package a\nq := data.x{}", ".b".repeat(20_000)), "a reference has at most 200 parts")]
#[case(format!("package a\nq := 1 if {{ true with input{} as 1 }}", ".b".repeat(20_000)), "a reference has at most 200 parts")]
#[case(format!("package a\nq := 1 if 1 == 2\n{}", "else := 2 if 1 == 2\n".repeat(10_000)), "0 solutions")]
fn long_sources(#[case] module: String, #[case] expected: &str) {
    assert_eq!(evaluate(module), expected);
}
