//! What plans say that they look at.

use super::*;
use crate::rego::plan::ir::Access;

/// `a{b c[*]{d}}`: below `a` all of `b`, and of each member of `c` all of `d`.
fn text(access: &Access) -> String {
    let Access::Parts { keys, each } = access else {
        return String::new();
    };
    let mut parts: Vec<String> = keys
        .iter()
        .map(|(key, below)| format!("{key}{}", text(below)))
        .collect();
    parts.extend(each.iter().map(|below| format!("[*]{}", text(below))));
    format!("{{{}}}", parts.join(" "))
}

#[track_caller]
fn check(body: &str, input: &str, data: &str) {
    let module = format!("package a\n{body}");
    let plan = plan(Version::V1, &[&module], "data.a.p", Options::default());
    let plan = plan
        .map_err(|(_, faults)| faults)
        .expect("the module compiles");
    assert_eq!(
        (text(&plan.reads.input), text(&plan.reads.data)),
        (input.into(), data.into()),
        "{body}"
    );
}

#[test]
fn paths() {
    check("p := 1", "{}", "{}");
    check("p if input.a.b == 1", "{a{b}}", "{}");
    check("p if { input.a.b; not input.a.c }", "{a{b c}}", "{}");
    check("p if data.b.c[input.x]", "{x}", "{b{c{[*]}}}");
    check("p := input", "", "{}");
    check("p if input.xs[0].y", "{xs{[*]{y}}}", "{}");
    check("p if input.xs[_].y == 1", "{xs{[*]{y}}}", "{}");
    check("p if input.xs[_]", "{xs{[*]}}", "{}");
    check("p contains i if input.xs[i]", "{xs{[*]}}", "{}");
    check("p if input[x][y].z", "{[*]{[*]{z}}}", "{}");
}

#[test]
fn variables_are_places() {
    check(
        "p if { c := input.cs[_]; c.image == \"x\" }",
        "{cs{[*]{image}}}",
        "{}",
    );
    check(
        "p if { some c in input.cs; c.a.b; c.d }",
        "{cs{[*]{a{b} d}}}",
        "{}",
    );
    check("p if every c in input.cs { c.ok }", "{cs{[*]{ok}}}", "{}");
    check("p if { c := input.cs[_]; count(c) > 1 }", "{cs{[*]}}", "{}");
    check(
        "q := input.review.object\np if q.spec.x",
        "{review{object{spec{x}}}}",
        "{}",
    );
    check(
        "q := input.review.object\np if q == 1",
        "{review{object}}",
        "{}",
    );
    check("f(x) if x.y\np if f(input.a)", "{a}", "{}");
    check("p := object.get(input.a, \"b\", 1)", "{a{b}}", "{}");
    check(
        "p := object.get(input.a, [\"b\", \"c\"], 1)",
        "{a{b{c}}}",
        "{}",
    );
    check("p := [x | x := input.xs[_].y]", "{xs{[*]{y}}}", "{}");
}

#[test]
fn modifiers() {
    check(
        "q := input.a.b\np if { q with input.a.c as 1 }",
        "{a{b c{}}}",
        "{}",
    );
    check(
        "p if { count([object.get(input.a, \"b\", 1)]) with object.get as f }\nf(x, _, _) := x",
        "{a}",
        "{}",
    );
}
