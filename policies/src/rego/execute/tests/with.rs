use super::builder::*;
use crate::rego::{
    builtins,
    plan::ir::{Callee, NodeId, Override, Pattern, RuleId, RuleKind, Term},
    value::Value,
};

fn path(path: &str) -> Box<[Value]> {
    path.split_whitespace().map(Value::from).collect()
}

/// `r := input.x`, `f(x) := 1`, `g(x) := f(x)`, `h(x) := 2`.
fn fixture() -> super::builder::Policy {
    let one = RuleKind::Function { arity: 1 };
    let takes = |value| vec![definition(value, vec![]).takes(vec![Pattern::Any])];
    policy()
        .input("{\"x\": 0, \"y\": {\"z\": 1}}")
        .data("{\"d\": {\"a\": 1, \"b\": 2}}")
        .rule("f", one, takes(c("1")))
        .rule("g", one, takes(function(0, vec![l(0)])))
        .rule("h", one, takes(c("2")))
        .rule(
            "r",
            RuleKind::Complete,
            vec![definition(input("x"), vec![])],
        )
}

#[test]
fn input_is_replaced_within_and_not_after() {
    let replaced = Override::Input(path(""), c("{\"x\": 5}"));
    let steps = vec![
        bind(0, rule(3)),
        with(vec![replaced], vec![bind(1, rule(3))]),
        bind(2, rule(3)),
    ];
    let values = Term::Array([l(0), l(1), l(2)].into());
    assert_eq!(fixture().ask(values, steps), "[0, 5, 0]");
}

#[test]
fn parts_of_input_are_replaced() {
    let replaced = Override::Input(path("y w"), c("9"));
    let steps = vec![with(vec![replaced], vec![bind(0, Term::Input)])];
    assert_eq!(
        fixture().ask(l(0), steps),
        "{\"x\": 0, \"y\": {\"w\": 9, \"z\": 1}}"
    );
    let replaced = Override::Input(path("x w"), c("9"));
    let steps = vec![with(vec![replaced], vec![bind(0, input("x"))])];
    assert_eq!(fixture().ask(l(0), steps), "{\"w\": 9}");
}

#[test]
fn later_steps_see_what_is_bound_but_not_what_is_replaced() {
    let replaced = || Override::Input(path("x"), l(0));
    let steps = vec![
        each(c("[1, 2]"), Pattern::Any, to(0)),
        with(
            vec![replaced()],
            vec![each(
                Term::Array([input("x"), c("7")].into()),
                Pattern::Any,
                to(1),
            )],
        ),
        bind(2, rule(3)),
    ];
    let values = Term::Array([l(0), l(1), l(2)].into());
    assert_eq!(
        fixture().ask(values, steps),
        "[1, 1, 0]; [1, 7, 0]; [2, 2, 0]; [2, 7, 0]"
    );
}

#[test]
fn an_undefined_replacement_is_no_solution() {
    let replaced = Override::Input(path("x"), input("missing"));
    let steps = vec![with(vec![replaced], vec![])];
    assert_eq!(fixture().ask(c("1"), steps), "undefined");
}

#[test]
fn data_is_replaced_with_the_rules_at_its_path() {
    let replaced = |at: &str, value| Override::Data(path(at), value);
    let at = |place: &str| get(Term::Data, place.split(' ').map(s).collect());
    let ask = |overrides, term| fixture().ask(l(0), vec![with(overrides, vec![bind(0, term)])]);
    assert_eq!(ask(vec![replaced("d", c("5"))], at("d")), "5");
    assert_eq!(
        ask(vec![replaced("d a", c("5"))], at("d")),
        "{\"a\": 5, \"b\": 2}"
    );
    assert_eq!(ask(vec![replaced("p r", c("6"))], rule(3)), "6");
    assert_eq!(ask(vec![replaced("p", c("{\"r\": 7}"))], rule(3)), "7");
    assert_eq!(ask(vec![replaced("p", c("{}"))], rule(3)), "undefined");
    assert_eq!(
        ask(vec![replaced("p r", c("6"))], Term::Document(NodeId(1))),
        "{\"r\": 6}"
    );
    assert_eq!(
        ask(
            vec![replaced("d", c("{}"))],
            through(0, vec![s("d"), s("a")])
        ),
        "undefined"
    );
}

#[test]
fn functions_are_replaced() {
    let f = Callee::Function(RuleId(0));
    let h = Callee::Function(RuleId(2));
    let count = builtins::lookup("count").expect("a builtin");
    let ask =
        |replacement, term| fixture().ask(l(0), vec![with(vec![replacement], vec![bind(0, term)])]);
    let call = |rule| function(rule, vec![c("0")]);
    assert_eq!(ask(Override::Value(f, c("9")), call(0)), "9");
    assert_eq!(ask(Override::Value(f, c("9")), call(1)), "9");
    assert_eq!(ask(Override::Callee(f, h), call(1)), "2");
    // While it stands in for another, nothing is replaced.
    assert_eq!(ask(Override::Callee(h, f), call(2)), "1");
    assert_eq!(
        ask(Override::Callee(f, Callee::Function(RuleId(1))), call(0)),
        "1"
    );
    assert_eq!(
        ask(
            Override::Callee(f, Callee::Builtin(count)),
            function(1, vec![c("[1]")])
        ),
        "1"
    );
    let counted = builtin("count", vec![c("[1, 2]")]);
    assert_eq!(
        ask(Override::Value(Callee::Builtin(count), c("9")), counted),
        "9"
    );
}
