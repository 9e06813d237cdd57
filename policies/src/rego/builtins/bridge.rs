//! regorus's builtins, as functions.

use std::panic::{AssertUnwindSafe, catch_unwind};

use regorus::{
    Source, Value as RegorusValue,
    unstable::{BUILTINS, Expr, Ref, Span},
};

use super::{Context, Fault, Result};
use crate::rego::{
    execute::ErrorKind,
    value::{self, Value, number},
};

/// Functions of OPA that are not here.
pub(super) const REFUSED: &[(&str, u8, &str)] = &[
    ("http.send", 1, "policies make no network calls"),
    ("net.lookup_ip_addr", 1, "policies make no network calls"),
    ("opa.runtime", 0, "there is no OPA runtime"),
];

/// Names and arities of what regorus has.
pub(super) fn functions() -> impl Iterator<Item = (&'static str, u8)> {
    BUILTINS
        .iter()
        .filter(|(name, _)| !name.starts_with("__"))
        .map(|(name, (_, arity))| (*name, *arity))
}

/// Calls regorus.
pub(super) fn call(
    name: &'static str,
    context: &mut Context<'_, '_>,
    operands: &[Value],
) -> Result<Value> {
    let Some((function, _)) = BUILTINS.get(name) else {
        return Ok(Value::Undefined);
    };
    invoke(name, *function, context, operands)
}

type Function = fn(&Span, &[Ref<Expr>], &[RegorusValue], bool) -> anyhow::Result<RegorusValue>;

fn invoke(
    name: &'static str,
    function: Function,
    context: &mut Context<'_, '_>,
    operands: &[Value],
) -> Result<Value> {
    for operand in operands {
        context.charge_text(operand)?;
    }
    let prepared: Vec<Value>;
    let operands = match prepare(name, context, operands)? {
        Some(changed) => {
            prepared = changed;
            &prepared
        }
        None => operands,
    };
    let plain: Vec<RegorusValue>;
    let operands = if operands.iter().any(has_decimal) {
        plain = operands.iter().map(without_decimals).collect();
        &plain
    } else {
        operands
    };
    // Functions name their operands in errors by where they stand, and want them all for it.
    let result = NOWHERE.with(|(span, expressions)| {
        catch_unwind(AssertUnwindSafe(|| {
            function(span, &expressions[..operands.len()], operands, true)
        }))
    });
    match result {
        // What cannot be patched is an error, and only that has no result.
        Ok(Ok(Value::Undefined)) if name == "json.patch" => {
            Err(Fault::Value("the document cannot be patched so".to_owned()))
        }
        Ok(Ok(value)) => Ok(canonical(value)),
        Ok(Err(error)) => Err(fault(&format!("{error:#}"))),
        Err(_) => Err(Fault::Ends(ErrorKind::Panicked(name).into())),
    }
}

/// Operands as regorus wants them, where that differs.
fn prepare(
    name: &'static str,
    context: &mut Context<'_, '_>,
    operands: &[Value],
) -> Result<Option<Vec<Value>>> {
    match (name, operands) {
        ("glob.match", [_, delimiters, _])
            if value::elements(delimiters).is_some_and(|list| !list.iter().all(is_character)) =>
        {
            let message = "operand 2 must be an array of single characters";
            Err(Fault::Type(message.to_owned()))
        }
        ("indexof" | "indexof_n", [_, part]) if *part == Value::from("") => {
            Err(Fault::Value("empty search character".to_owned()))
        }
        // Places are integers, however they were written.
        ("json.patch", [document, patches]) => {
            context.charge_document(patches)?;
            Ok(Some(vec![document.clone(), with_places(patches)]))
        }
        _ => Ok(None),
    }
}

fn is_character(value: &Value) -> bool {
    matches!(value, Value::String(text) if text.chars().count() == 1)
}

/// Patches with integers in place of `1.0` in their paths.
fn with_places(patches: &Value) -> Value {
    let place = |part: &Value| match number::as_integer(part) {
        Some(integer) => number::integer(integer).unwrap_or(Value::Null),
        None => part.clone(),
    };
    let path = |path: &Value| match value::elements(path) {
        Some(parts) => Value::from(parts.iter().map(place).collect::<Vec<_>>()),
        None => path.clone(),
    };
    let patch = |patch: &Value| match patch {
        Value::Object(members) => {
            let members = members.iter().map(|(key, value)| {
                let is_path = ["path", "from"]
                    .iter()
                    .any(|name| *key == Value::from(*name));
                let value = if is_path { path(value) } else { value.clone() };
                (key.clone(), value)
            });
            members.collect::<std::collections::BTreeMap<_, _>>().into()
        }
        other => other.clone(),
    };
    match value::elements(patches) {
        Some(patches) => Value::from(patches.iter().map(patch).collect::<Vec<_>>()),
        None => patches.clone(),
    }
}

thread_local! {
    /// A place in an empty source, and as many empty expressions as any function takes.
    static NOWHERE: (Span, Vec<Ref<Expr>>) = nowhere();
}

/// The most operands that a function takes.
const MOST_OPERANDS: usize = 8;

fn nowhere() -> (Span, Vec<Ref<Expr>>) {
    let source = Source::from_contents(String::new(), String::new())
        .expect("an empty source is short enough");
    let span = Span {
        source,
        line: 1,
        col: 1,
        start: 0,
        end: 0,
    };
    let expression = Ref::new(Expr::Null {
        span: span.clone(),
        value: RegorusValue::Null,
        eidx: 0,
    });
    (span, vec![expression; MOST_OPERANDS])
}

/// regorus's message ends with what is wrong, after the place.
fn fault(message: &str) -> Fault {
    let text = message.lines().last().unwrap_or_default();
    let text = text.trim_start_matches("error: ").trim();
    // Most of its faults are of operands whose type is wrong in some depth.
    let of_types = ["expects", "requires", "must be", "is not an object"];
    if of_types.iter().any(|words| text.contains(words)) {
        Fault::Type(text.to_owned())
    } else {
        Fault::Value(text.to_owned())
    }
}

fn has_decimal(value: &Value) -> bool {
    match value {
        Value::Array(elements) => {
            value::elements(value).is_none() || elements.iter().any(has_decimal)
        }
        Value::Set(members) => members.iter().any(has_decimal),
        Value::Object(object) => object
            .iter()
            .any(|(key, value)| has_decimal(key) || has_decimal(value)),
        _ => false,
    }
}

/// With the nearest floats in place of decimals, which regorus does not know.
fn without_decimals(value: &Value) -> Value {
    match value {
        Value::Array(elements) => match value::elements(value) {
            Some(_) => elements
                .iter()
                .map(without_decimals)
                .collect::<Vec<_>>()
                .into(),
            None => number::as_f64(value).map_or(Value::Undefined, Value::from),
        },
        Value::Set(members) => {
            let members = members.iter().map(without_decimals);
            members.collect::<std::collections::BTreeSet<_>>().into()
        }
        Value::Object(object) => object
            .iter()
            .map(|(key, value)| (without_decimals(key), without_decimals(value)))
            .collect::<std::collections::BTreeMap<_, _>>()
            .into(),
        other => other.clone(),
    }
}

/// A number that regorus computed, as we write it.
fn canonical(value: Value) -> Value {
    match &value {
        Value::Number(number) if number.is_integer() => {
            number.as_big().map_or(Value::Undefined, |integer| {
                number::integer((*integer).clone()).unwrap_or(Value::Undefined)
            })
        }
        _ => value,
    }
}
