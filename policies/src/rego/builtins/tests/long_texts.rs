//! Expressions in long texts, which are searched in another way, give what they give in short ones.

use rstest::rstest;

use super::{Context, Limits, Surroundings, call, lookup};
use crate::rego::{
    builtins::Fault,
    execute::{Budget, ErrorKind},
    value::{Value, json},
};

/// More than a short text has.
const TIMES: usize = 3_000;

fn call_within(limits: Limits, name: &str, operands: &[Value]) -> Result<Value, Fault> {
    let mut context = Context {
        surroundings: &mut Surroundings::default(),
        budget: &mut Budget::new(limits),
    };
    call(lookup(name).expect("a builtin"), &mut context, operands)
}

fn found(name: &str, operands: &[Value]) -> Value {
    call_within(Limits::default(), name, operands).expect("a value")
}

/// What the library finds when it is asked as for short texts.
fn expected(expression: &str, text: &str) -> Vec<Vec<String>> {
    let regex = regex::Regex::new(expression).expect("an expression");
    let groups = regex.captures_iter(text).map(|captures| {
        let texts = captures.iter().map(|group| match group {
            Some(group) => group.as_str().to_owned(),
            None => String::new(),
        });
        texts.collect()
    });
    groups.collect()
}

#[rstest]
#[case("b+")]
#[case("(a)(b)?")]
#[case("a*?")]
#[case("")]
#[case("x*")]
#[case("(é|日)+?")]
#[case("^ab")]
#[case("a.$")]
#[case("(?s).*")]
#[case("(?m)^.*$")]
#[case("[^a]")]
#[case("b\\n|\\na")]
#[case("a|ab|abé")]
#[case("(ab|abé日)( ?)")]
#[case("z")]
fn long_texts_are_searched_alike(#[case] expression: &str) {
    let text = "abé日 ab\nabb ".repeat(TIMES);
    let expected = expected(expression, &text);
    let (pattern, value) = (Value::from(expression), Value::from(text.as_str()));
    let matches = found("regex.match", &[pattern.clone(), value.clone()]);
    assert_eq!(matches, Value::Bool(!expected.is_empty()));
    let all = [pattern.clone(), value.clone(), Value::from(-1)];
    let groups = json::write(&found("regex.find_all_string_submatch_n", &all));
    let wanted = expected
        .iter()
        .map(|groups| groups.iter().map(|group| Value::from(group.as_str())));
    let wanted: Vec<Value> = wanted
        .map(|groups| Value::from(groups.collect::<Vec<_>>()))
        .collect();
    assert_eq!(groups, json::write(&Value::from(wanted)));
    let texts: Vec<Value> = expected
        .iter()
        .map(|groups| Value::from(groups[0].as_str()))
        .collect();
    assert_eq!(found("regex.find_n", &all), Value::from(texts));
    let replaced = regex::Regex::new(expression).expect("an expression");
    let replaced = replaced.replace_all(&text, "<$0>").into_owned();
    let operands = [value, pattern, Value::from("<$0>")];
    assert_eq!(found("regex.replace", &operands), Value::from(replaced));
}

/// What stood nine hundred characters before is to be remembered: a new state for each byte.
#[test]
fn a_long_search_looks_at_the_clock() {
    let limits = Limits {
        steps: 200_000,
        ..Limits::default()
    };
    let text = Value::from("abbabaab".repeat(1 << 17));
    let operands = [Value::from("[ab]*a[ab]{900}c"), text];
    match call_within(limits, "regex.match", &operands) {
        Err(Fault::Ends(error)) => assert!(matches!(error.kind, ErrorKind::Steps(_))),
        other => panic!("{other:?}"),
    }
}
