//! regorus's builtins, as functions.

use std::panic::{AssertUnwindSafe, catch_unwind};

use regorus::{
    LimitError, Source, Value as RegorusValue,
    unstable::{BUILTINS, Expr, Ref, Span},
};

use super::{Context, Fault, Result, integer, pattern, string};
use crate::rego::{
    execute::ErrorKind,
    value::{self, Value, number},
};

const YAML: &str = "OPA's YAML has rules of its own, which are not known here";

/// Functions of OPA that are not here.
pub(super) const REFUSED: &[(&str, u8, &str)] = &[
    ("http.send", 1, "policies make no network calls"),
    ("net.lookup_ip_addr", 1, "policies make no network calls"),
    ("opa.runtime", 0, "there is no OPA runtime"),
    ("yaml.is_valid", 1, YAML),
    ("yaml.marshal", 1, YAML),
    ("yaml.unmarshal", 1, YAML),
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
    match name {
        "regex.split" => return split(context, operands),
        "regex.template_match" => return template_match(context, operands),
        _ => {}
    }
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
    // What is no string is invalid for OPA, and a fault for regorus.
    let tells_validity = ["base64.is_valid", "net.cidr_is_valid", "semver.is_valid"];
    if tells_validity.contains(&name) && !matches!(operands[0], RegorusValue::String(_)) {
        return Ok(Value::Bool(false));
    }
    // Functions name their operands in errors by where they stand, and want them all for it.
    let result = NOWHERE.with(|(span, expressions)| {
        catch_unwind(AssertUnwindSafe(|| {
            function(span, &expressions[..operands.len()], operands, true)
        }))
    });
    match result {
        Ok(Ok(Value::Array(hosts))) if name == "net.cidr_expand" => {
            // A set, for OPA.
            Ok(hosts
                .iter()
                .cloned()
                .collect::<std::collections::BTreeSet<_>>()
                .into())
        }
        Ok(Ok(Value::String(text))) if decodes(name) && text.contains('\u{fffd}') => {
            // OPA has a string of these bytes.
            let reason = "the bytes are not UTF-8";
            Err(Fault::Ends(ErrorKind::Refused { name, reason }.into()))
        }
        Ok(Ok(value)) => Ok(canonical(value)),
        // OPA has no such limit, and an answer.
        Ok(Err(error)) if error.downcast_ref::<LimitError>().is_some() => {
            let reason = "the regular expression is too large";
            Err(Fault::Ends(ErrorKind::Refused { name, reason }.into()))
        }
        Ok(Err(error)) if decodes(name) && name != "hex.decode" => match &operands[0] {
            Value::String(text) if has_odd_bits(text) => {
                let reason = "Go reads bits that are left over, and regorus does not";
                Err(Fault::Ends(ErrorKind::Refused { name, reason }.into()))
            }
            _ => Err(fault(&format!("{error:#}"))),
        },
        Ok(Err(error)) => Err(fault(&format!("{error:#}"))),
        Err(_) => Err(Fault::Ends(ErrorKind::Panicked(name).into())),
    }
}

/// Calls a function of regorus for another one.
fn call_inner(
    name: &'static str,
    context: &mut Context<'_, '_>,
    operands: &[Value],
) -> Result<Value> {
    match BUILTINS.get(name) {
        Some((function, _)) => invoke(name, *function, context, operands),
        None => Ok(Value::Undefined),
    }
}

/// Splits as Go does, which has no piece beside an empty match at either end of the text.
fn split(context: &mut Context<'_, '_>, operands: &[Value]) -> Result<Value> {
    let text = string(operands, 1)?;
    let pieces = call_inner("regex.split", context, operands)?;
    let all = [operands[0].clone(), operands[1].clone(), Value::from(-1)];
    let matches = call_inner("regex.find_n", context, &all)?;
    let (Some(pieces), Some(matches)) = (value::elements(&pieces), value::elements(&matches))
    else {
        return Ok(Value::Undefined);
    };
    let length = |part: &Value| part.as_string().map_or(0, |part| part.len());
    let mut found = Vec::new();
    let (mut begin, mut end) = (0, 0);
    if text.is_empty() && operands[0] != Value::from("") {
        return Ok(Value::from(vec![Value::from("")]));
    }
    for (piece, matched) in pieces.iter().zip(matches) {
        end = begin + length(piece);
        let after = end + length(matched);
        if after != 0 {
            found.push(Value::from(&text[begin..end]));
        }
        begin = after;
    }
    if end != text.len() {
        found.push(Value::from(&text[begin..]));
    }
    Ok(Value::from(found))
}

/// Matches a template, whose expressions stand between delimiters, as Go's mux does.
fn template_match(context: &mut Context<'_, '_>, operands: &[Value]) -> Result<Value> {
    let template = string(operands, 0)?;
    let text = operands[1].clone();
    string(operands, 1)?;
    let delimiters = [string(operands, 2)?, string(operands, 3)?];
    let (expression, parts) = pattern::template(template, delimiters)?;
    for part in parts {
        let part = Value::from(format!("^{part}$"));
        if call_inner("regex.is_valid", context, &[part])? != Value::Bool(true) {
            return Err(Fault::Value("error parsing regexp".to_owned()));
        }
    }
    call_inner("regex.match", context, &[Value::from(expression), text])
}

/// Operands as regorus wants them, where that differs.
fn prepare(
    name: &'static str,
    context: &mut Context<'_, '_>,
    operands: &[Value],
) -> Result<Option<Vec<Value>>> {
    if let Some(at) = pattern::operand(name) {
        return match pattern::translated(at, operands) {
            Err(Fault::Value(_)) if name == "regex.is_valid" => Ok(Some(vec![Value::from("(")])),
            translated => translated.map(Some),
        };
    }
    for &at in integers(name) {
        integer(operands, at)?;
    }
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
        ("semver.compare" | "semver.is_valid", versions) => {
            let number = |version: &Value| match version {
                Value::String(text) => Value::from(text.strip_prefix('v').unwrap_or(text)),
                other => other.clone(),
            };
            Ok(Some(versions.iter().map(number).collect()))
        }
        // regorus builds all of them before anybody can look.
        ("net.cidr_expand", [Value::String(cidr)]) => {
            let bits = if cidr.contains(':') { 128 } else { 32 };
            let prefix = cidr
                .split_once('/')
                .and_then(|(_, prefix)| prefix.parse().ok());
            let free = prefix.map_or(0, |prefix: u32| u32::saturating_sub(bits, prefix));
            context.charge_members(1usize.checked_shl(free).unwrap_or(usize::MAX))?;
            Ok(None)
        }
        // As Go does, whatever stands around a UUID of 38 bytes.
        ("uuid.parse", [Value::String(text)]) if text.len() == 38 && text.is_ascii() => {
            Ok(Some(vec![Value::from(&text[1..37])]))
        }
        _ => Ok(None),
    }
}

fn decodes(name: &str) -> bool {
    matches!(name, "base64.decode" | "base64url.decode" | "hex.decode")
}

/// Whether a text is of base64's characters, and its last group is not full.
fn has_odd_bits(text: &str) -> bool {
    let text = text.trim_end_matches('=');
    let is_digit = |c: char| c.is_ascii_alphanumeric() || "+/-_".contains(c);
    text.len() % 4 > 1 && text.chars().all(is_digit)
}

fn is_character(value: &Value) -> bool {
    matches!(value, Value::String(text) if text.chars().count() == 1)
}

/// The operands of a function that regorus takes for integers though they have a fraction.
fn integers(name: &str) -> &'static [usize] {
    match name {
        "regex.find_all_string_submatch_n" | "regex.find_n" => &[2],
        _ => &[],
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
