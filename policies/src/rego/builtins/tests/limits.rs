//! What has to be accounted for before it is made, and what looks at the clock while it works. The
//! operands are such as would fill the memory, or take minutes.

use rstest::rstest;

use super::{Budget, Context, Limits, Surroundings, call, json, lookup};
use crate::rego::{
    builtins::Fault,
    execute::ErrorKind,
    value::{Value, number, text},
};

/// What ends a call with these limits.
fn end(limits: Limits, name: &str, operands: &[Value]) -> Option<ErrorKind> {
    let mut context = Context {
        surroundings: &mut Surroundings::default(),
        budget: &mut Budget::new(limits),
    };
    match call(lookup(name).expect("a builtin"), &mut context, operands) {
        Err(Fault::Ends(error)) => Some(error.kind),
        _ => None,
    }
}

fn memory() -> Limits {
    Limits {
        steps: u64::MAX,
        memory: 8 << 20,
        ..Limits::default()
    }
}

fn steps() -> Limits {
    Limits {
        steps: 1_000_000,
        memory: u64::MAX,
        ..Limits::default()
    }
}

fn large(part: &str, times: usize) -> Value {
    Value::from(part.repeat(times))
}

fn many(element: &Value, times: usize) -> Value {
    Value::from(vec![element.clone(); times])
}

/// Small in memory, and without end when it is written.
fn doubled() -> Value {
    (0..60).fold(Value::from(1), |inner, _| many(&inner, 2))
}

fn digits() -> Value {
    number::parse(&"7".repeat(4000)).expect("a number")
}

fn read(text: &str) -> Value {
    json::read(text).expect("JSON")
}

fn groups() -> Value {
    Value::from(format!("{}.*{}", "(".repeat(100), ")".repeat(100)))
}

#[rstest]
#[case("regex.replace", vec![large("a", 1 << 20), Value::from("^.*$"), large("$0", 1000)])]
#[case("regex.find_all_string_submatch_n", vec![groups(), large("a", 100_000), Value::from(-1)])]
#[case("split", vec![large("a", 4 << 20), Value::from("")])]
#[case("json.is_valid", vec![Value::from(format!("[{}1]", "[],".repeat(2 << 20)))])]
#[case("json.marshal", vec![many(&digits(), 100_000)])]
#[case("json.marshal", vec![large("<", 16 << 20)])]
#[case("json.marshal_with_options", vec![doubled(), read(r#"{"pretty": true}"#)])]
#[case("json.match_schema", vec![doubled(), read("{}")])]
#[case("sprintf", vec![Value::from("%v"), many(&many(&digits(), 100_000), 1)])]
#[case("numbers.range", vec![digits(), digits_and(100_000)])]
#[case("glob.match", vec![large("*a", 10_000), separators(10_000), Value::from("b")])]
fn what_is_made_is_paid_for_before(#[case] name: &str, #[case] operands: Vec<Value>) {
    let found = end(memory(), name, &operands);
    assert!(matches!(found, Some(ErrorKind::Memory(_))), "{found:?}");
}

fn digits_and(more: i64) -> Value {
    let sum = number::as_integer(&digits()).expect("an integer") + more;
    number::integer(sum).expect("no more digits")
}

/// Nothing can interrupt them, so they are not begun.
#[rstest]
#[case("regex.match", vec![large("(a|", 100_000), Value::from("a")])]
#[case("regex.is_valid", vec![large("a", 200_000)])]
#[case("regex.find_all_string_submatch_n", vec![groups(), large("a", 4 << 20), Value::from(-1)])]
fn what_would_take_too_long_is_refused(#[case] name: &str, #[case] operands: Vec<Value>) {
    let found = end(
        Limits {
            memory: u64::MAX,
            ..memory()
        },
        name,
        &operands,
    );
    assert!(
        matches!(found, Some(ErrorKind::Refused { .. })),
        "{found:?}"
    );
}

fn separators(count: u32) -> Value {
    let separators = (0x1_0000..0x1_0000 + count).filter_map(char::from_u32);
    let separators = separators.map(|character| Value::from(character.to_string()));
    Value::from(separators.collect::<Vec<_>>())
}

#[rstest]
#[case("glob.match", vec![large("*a", 1_000), Value::Null, Value::from(format!("{}b", "a".repeat(10_000)))])]
#[case("strings.any_prefix_match", vec![large("a", 1 << 20), many(&large("a", 2 << 20), 10_000)])]
#[case("strings.any_suffix_match", vec![large("a", 1 << 20), many(&large("a", 2 << 20), 10_000)])]
#[case("strings.replace_n", vec![long_patterns(1_000), large("a", 1 << 20)])]
#[case("json.match_schema", vec![numbers(5_000), read(&format!("{{\"items\": {{\"enum\": {}}}}}", written(5_000)))])]
#[case("count", vec![large("a", 100 << 20)])]
#[case("sum", vec![many(&digits(), 2_000_000)])]
#[case("sum", vec![many(&number::parse("0.123456789012345678901").expect("a number"), 2_000_000)])]
fn work_is_accounted_for(#[case] name: &str, #[case] operands: Vec<Value>) {
    let found = end(steps(), name, &operands);
    assert!(matches!(found, Some(ErrorKind::Steps(_))), "{found:?}");
}

fn written(count: i64) -> String {
    json::write(&Value::from(
        (0..count).map(Value::from).collect::<Vec<_>>(),
    ))
}

/// The same as a text of JSON.
fn numbers(count: i64) -> Value {
    Value::from(written(count))
}

/// Patterns that match but for their last characters.
fn long_patterns(count: usize) -> Value {
    let long = "a".repeat(64 << 10);
    let patterns =
        (0..count).map(|number| (Value::from(format!("{long}b{number}")), Value::from("")));
    patterns
        .collect::<std::collections::BTreeMap<_, _>>()
        .into()
}

/// Two sets of ranges that nearly touch each other, and a text without any of so many characters:
/// each with each would take hours.
#[test]
fn sets_are_compared_once() {
    let set = |first: u32| {
        let characters = (first..0x8_0000).step_by(4).filter_map(char::from_u32);
        Value::from(format!("[{}]", characters.collect::<String>()))
    };
    let globs = |one, other| applied("regex.globs_match", &[one, other]);
    assert_eq!(globs(set(0x1_0000), set(0x1_0002)), Value::Bool(false));
    assert_eq!(globs(set(0x1_0000), set(0x1_0000)), Value::Bool(true));
    let cut: String = (0x1_0000..0x8_0000).filter_map(char::from_u32).collect();
    let text = large("a", 1 << 20);
    let trimmed = applied("trim", &[text, Value::from(format!("{cut}a"))]);
    assert_eq!(trimmed, Value::from(""));
}

fn applied(name: &str, operands: &[Value]) -> Value {
    let mut context = Context {
        surroundings: &mut Surroundings::default(),
        budget: &mut Budget::new(Limits::default()),
    };
    call(lookup(name).expect("a builtin"), &mut context, operands).expect("a value")
}

#[rstest]
#[case("plain text, with blanks")]
#[case("<&>\"\\\n\r\t\u{8}\u{c}\0\u{7f}")]
#[case("é\u{80}\u{2028}日\u{feff}\u{e0001}\u{10ffff}😀")]
fn no_text_is_longer_than_it_is_paid_for(#[case] plain: &str) {
    let value = Value::from(plain);
    let longest = text::longest(plain);
    for written in [json::write(&value), text::literal(&value)] {
        assert!(written.len() <= longest, "{written}");
    }
}

#[rstest]
#[case("1", 0)]
#[case("1.5", 0)]
#[case("12345678901234567890123456789", 29)]
#[case("0.12345678901234567890123456789", 29)]
fn no_number_is_longer_than_it_is_paid_for(#[case] written: &str, #[case] length: u64) {
    let found = number::length(&number::parse(written).expect("a number"));
    assert!((length..=length + 4).contains(&found), "{found}");
}

/// A text has no members that lists of them would have to be made for.
#[rstest]
#[case("strings.any_prefix_match", vec![large("a", 1 << 20), Value::from("a")], Value::Bool(true))]
#[case("internal.print", vec![Value::from(vec![large("a", 1 << 20)])], Value::Bool(true))]
fn a_long_text_alone_needs_little(
    #[case] name: &str,
    #[case] operands: Vec<Value>,
    #[case] expected: Value,
) {
    let mut context = Context {
        surroundings: &mut Surroundings::default(),
        budget: &mut Budget::new(memory()),
    };
    let found = call(lookup(name).expect("a builtin"), &mut context, &operands);
    assert_eq!(found.ok(), Some(expected));
}
