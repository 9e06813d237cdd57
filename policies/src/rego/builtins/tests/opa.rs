//! Cases whose results are OPA's: it was run on each, and its answer is written beside it.
//!
//! The longer of their texts are in a list of their own: `@0` is the first of them.

use super::{Context, Surroundings, call, lookup};
use crate::rego::{
    builtins::{Fault, Result},
    execute::{Budget, Limits},
    value::{Value, elements, json, text::literal},
};

fn member<'v>(object: &'v Value, name: &str) -> Option<&'v Value> {
    match object {
        Value::Object(object) => object.get(&Value::from(name)),
        _ => None,
    }
}

fn text<'v>(object: &'v Value, name: &str) -> Option<&'v str> {
    match member(object, name)? {
        Value::String(text) => Some(text),
        _ => None,
    }
}

fn list<'v>(object: &'v Value, name: &str) -> &'v [Value] {
    member(object, name)
        .and_then(elements)
        .expect("there is a list")
}

/// Calls each function and compares what it gives, as `shown` shows it, with OPA's value, or with
/// its code, and with what it says where we say the same.
pub(in crate::rego::builtins) fn check(cases: &str, shown: fn(&str, Value) -> Value) {
    let file = json::read(cases).expect("the cases are JSON");
    let (texts, cases) = (list(&file, "texts"), list(&file, "cases"));
    let mut wrong = Vec::new();
    for case in cases {
        let operand = |operand: &Value| match operand {
            Value::String(text) => match text.strip_prefix('@').map(str::parse::<usize>) {
                Some(Ok(at)) => texts[at].clone(),
                _ => operand.clone(),
            },
            operand => operand.clone(),
        };
        let operands: Vec<Value> = list(case, "operands").iter().map(operand).collect();
        let function = text(case, "function").expect("a function");
        let found = called(function, &operands, 0);
        let found = found.map(|value| shown(function, value));
        let code = text(case, "error");
        let says = |message: &str| {
            let expected = text(case, "message");
            expected.is_none_or(|expected| expected == format!("{function}: {message}"))
        };
        let is_same = match &found {
            Ok(value) => code.is_none() && member(case, "value") == Some(value),
            Err(Fault::Type(message)) => code == Some("eval_type_error") && says(message),
            Err(Fault::Value(message)) => code == Some("eval_builtin_error") && says(message),
            Err(Fault::Ends(_)) => false,
        };
        if !is_same {
            let about = text(case, "about").unwrap_or_default();
            wrong.push(format!("{about}: {:?}", found.map(|value| literal(&value))));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(cases.len() > 100, "there are {} cases", cases.len());
}

/// A call at a time.
pub(in crate::rego::builtins) fn called(
    function: &str,
    operands: &[Value],
    now: i128,
) -> Result<Value> {
    let mut context = Context {
        surroundings: &mut Surroundings::new(now, None, 1),
        budget: &mut Budget::new(Limits::default()),
    };
    call(lookup(function).expect("a builtin"), &mut context, operands)
}

/// Of a chain of certificates, whether it is one, and how long.
pub(in crate::rego::builtins) fn length(function: &str, value: Value) -> Value {
    match elements(&value) {
        Some([valid, chain]) if function.contains("_and_verify_") => {
            let length = elements(chain).map_or(0, <[Value]>::len);
            vec![valid.clone(), Value::from(length)].into()
        }
        _ => value,
    }
}
