//! Builtins whose results can be far larger than what they are given.
//!
//! An evaluation's clock is looked at between statements and never inside a builtin: one call of
//! `numbers.range(1, 1e9)`, or `units.parse_bytes` of a text that a request brings, would keep its
//! thread for minutes or end the process for lack of memory. Each of these calls is looked at
//! before it is made, and one that would build too much fails the evaluation.

use std::sync::LazyLock;

use regorus::{
    Engine, Value,
    unstable::{BUILTINS, Expr, Ref, Source, Span},
};

/// Most members that one call may make: some ten megabytes of memory.
const MAX_MEMBERS: usize = 100_000;

/// Most members of all collections, and bytes of all texts, that one call may write out or an
/// evaluation may give back: the largest input has four million bytes.
const MAX_WEIGHT: usize = 8 << 20;

/// Deepest value that an evaluation may give back: what `serde_json` reads as well. It is written
/// recursively, on threads with small stacks.
const MAX_DEPTH: usize = 128;

/// Largest width in a format, and most bits to shift by: wider than any page, longer than any key.
const MAX_WIDTH: usize = 10_000;

/// Longest text that is read as a quantity, and its largest exponent. Kubernetes' quantities have
/// at most 19 digits.
const MAX_QUANTITY: usize = 64;
const MAX_EXPONENT: usize = 400;

/// Tells what is wrong with a call, if anything is.
type Check = fn(&[Value]) -> Result<(), &'static str>;

const CHECKS: [(&str, Check); 17] = [
    ("array.concat", weigh),
    ("bits.lsh", shift),
    ("concat", join),
    ("graph.reachable_paths", paths),
    ("json.marshal", weigh),
    ("json.marshal_with_options", weigh),
    ("net.cidr_expand", hosts),
    ("numbers.range", range),
    ("numbers.range_step", range),
    ("regex.replace", replace_matches),
    ("replace", replace),
    ("sprintf", format),
    ("strings.replace_n", replace_all),
    ("units.parse", quantity),
    ("units.parse_bytes", quantity),
    ("walk", weigh),
    ("yaml.marshal", weigh),
];

/// Puts the bounded builtins in the place of regorus's own.
pub(super) fn install(engine: &mut Engine) -> anyhow::Result<()> {
    for (name, check) in CHECKS {
        // What regorus does not have is refused as unknown.
        let Some(&(builtin, arity)) = BUILTINS.get(name) else {
            continue;
        };
        let call = move |arguments: Vec<Value>| {
            check(&arguments).map_err(|what| anyhow::anyhow!("`{name}` {what}"))?;
            let (span, places) = &*NOWHERE;
            let places = &places[..arguments.len().min(places.len())];
            // As OPA has it, a builtin that fails is undefined.
            Ok(builtin(span, places, &arguments, false).unwrap_or(Value::Undefined))
        };
        engine.add_extension(name.to_owned(), arity, Box::new(call))?;
    }
    Ok(())
}

/// Whether a document is small enough to be handed on.
pub(super) fn is_bounded(document: &Value) -> bool {
    weight(document, MAX_WEIGHT).is_some()
}

/// A place for calls that are not at one.
static NOWHERE: LazyLock<(Span, Vec<Ref<Expr>>)> = LazyLock::new(|| {
    let source = Source::from_contents("builtin".to_owned(), String::new())
        .expect("an empty source must be within all limits");
    let span = Span {
        source,
        line: 1,
        col: 1,
        start: 0,
        end: 0,
    };
    let place = || {
        Ref::new(Expr::Null {
            span: span.clone(),
            value: Value::Null,
            eidx: 0,
        })
    };
    let places = (0..4).map(|_| place()).collect();
    (span, places)
});

const TOO_LARGE: &str = "would build too much";

fn at_most(size: Option<usize>, most: usize) -> Result<(), &'static str> {
    match size {
        Some(size) if size <= most => Ok(()),
        _ => Err(TOO_LARGE),
    }
}

/// Members and bytes of a value as it would be written: one that is shared counts each time. `None`
/// where it is heavier than `most`, or deeper than what is written.
fn weight(value: &Value, most: usize) -> Option<usize> {
    let mut open = vec![(value, 0)];
    let mut weight = 0_usize;
    while let Some((value, depth)) = open.pop() {
        weight += 1;
        if weight > most || depth > MAX_DEPTH {
            return None;
        }
        match value {
            Value::String(text) => weight += text.len(),
            Value::Array(items) => {
                (weight + items.len() <= most).then_some(())?;
                open.extend(items.iter().map(|item| (item, depth + 1)));
            }
            Value::Set(members) => open.extend(members.iter().map(|member| (member, depth + 1))),
            Value::Object(entries) => open.extend(
                entries
                    .iter()
                    .flat_map(|(key, value)| [(key, depth + 1), (value, depth + 1)]),
            ),
            _ => {}
        }
    }
    (weight <= most).then_some(weight)
}

/// All arguments together.
fn weigh(arguments: &[Value]) -> Result<(), &'static str> {
    let mut room = MAX_WEIGHT;
    for argument in arguments {
        room -= weight(argument, room).ok_or(TOO_LARGE)?;
    }
    Ok(())
}

fn text(arguments: &[Value], place: usize) -> &str {
    let argument = arguments.get(place).map(Value::as_string);
    argument.and_then(Result::ok).map_or("", |text| text)
}

fn number(arguments: &[Value], place: usize) -> Option<f64> {
    match arguments.get(place)? {
        Value::Number(number) => number.as_f64(),
        _ => None,
    }
}

fn join(arguments: &[Value]) -> Result<(), &'static str> {
    let members = arguments.get(1).and_then(|list| weight(list, MAX_WEIGHT));
    let between = members.and_then(|members| members.checked_mul(text(arguments, 0).len() + 1));
    at_most(between, MAX_WEIGHT)
}

fn range(arguments: &[Value]) -> Result<(), &'static str> {
    let (Some(from), Some(to)) = (number(arguments, 0), number(arguments, 1)) else {
        // No number at all is undefined; one that is too large for a double is too large.
        let numbers = arguments.iter().all(|a| matches!(a, Value::Number(_)));
        return if numbers { Err(TOO_LARGE) } else { Ok(()) };
    };
    let step = number(arguments, 2).map_or(1.0, |step| step.abs().max(1.0));
    #[expect(clippy::cast_precision_loss, reason = "a hundred thousand is exact")]
    let most = MAX_MEMBERS as f64;
    // A step of zero or less never ends.
    let ends = number(arguments, 2).is_none_or(|step| step > 0.0);
    if ends && ((to - from) / step).abs() < most {
        Ok(())
    } else {
        Err(TOO_LARGE)
    }
}

fn shift(arguments: &[Value]) -> Result<(), &'static str> {
    #[expect(clippy::cast_precision_loss, reason = "ten thousand is exact")]
    let most = MAX_WIDTH as f64;
    match arguments.get(1) {
        Some(Value::Number(bits)) if !bits.as_f64().is_some_and(|bits| bits <= most) => {
            Err(TOO_LARGE)
        }
        _ => weigh(arguments),
    }
}

fn hosts(arguments: &[Value]) -> Result<(), &'static str> {
    let Some((address, prefix)) = text(arguments, 0).split_once('/') else {
        return Ok(());
    };
    let bits = if address.contains(':') { 128 } else { 32_u32 };
    let own: u32 = prefix.parse().unwrap_or(bits);
    let count = 1_usize.checked_shl(bits.saturating_sub(own));
    at_most(count.filter(|count| *count > 0), MAX_MEMBERS)
}

fn quantity(arguments: &[Value]) -> Result<(), &'static str> {
    let text = text(arguments, 0);
    let exponent = text.split_once(['e', 'E']).map(|(_, exponent)| exponent);
    let digits: String = exponent
        .unwrap_or_default()
        .trim_start_matches(['+', '-'])
        .chars()
        .take_while(char::is_ascii_digit)
        .collect();
    let exponent = if digits.is_empty() {
        Some(0)
    } else {
        digits.parse().ok()
    };
    if text.len() <= MAX_QUANTITY && exponent.is_some_and(|size: usize| size <= MAX_EXPONENT) {
        Ok(())
    } else {
        Err("is given a quantity that is too large")
    }
}

fn format(arguments: &[Value]) -> Result<(), &'static str> {
    weigh(arguments)?;
    let widths = text(arguments, 0)
        .split('%')
        .skip(1)
        .map(|verb| verb.trim_start_matches(['+', '-', '#', ' ', '.']))
        .map(|verb| verb.split(|c: char| !c.is_numeric()).next());
    let wide = widths
        .flatten()
        .filter(|width| !width.is_empty())
        .any(|width| !width.parse().is_ok_and(|width: usize| width <= MAX_WIDTH));
    if wide { Err(TOO_LARGE) } else { Ok(()) }
}

fn replace(arguments: &[Value]) -> Result<(), &'static str> {
    let (own, old, new) = (
        text(arguments, 0).len(),
        text(arguments, 1).len(),
        text(arguments, 2).len(),
    );
    at_most(replaced(own, old, new), MAX_WEIGHT)
}

fn replace_matches(arguments: &[Value]) -> Result<(), &'static str> {
    // A pattern may match between all characters, and its replacement repeat what matched.
    let (own, new) = (text(arguments, 0).len(), text(arguments, 2));
    let repeats = new.matches('$').count();
    let repeated = own.checked_mul(repeats);
    at_most(
        replaced(own, 0, new.len())
            .zip(repeated)
            .map(|(a, b)| a + b),
        MAX_WEIGHT,
    )
}

fn replace_all(arguments: &[Value]) -> Result<(), &'static str> {
    let mut size = Some(text(arguments, 1).len());
    if let Some(Value::Object(patterns)) = arguments.first() {
        for (old, new) in patterns.iter() {
            let length = |value: &Value| value.as_string().map_or(0, |text| text.len());
            let (old, new) = (length(old), length(new));
            if new > old {
                size = size.and_then(|size| replaced(size, old, new));
                size = size.filter(|size| *size <= MAX_WEIGHT);
            }
        }
    }
    at_most(size, MAX_WEIGHT)
}

/// The longest that a text of `own` bytes can become.
fn replaced(own: usize, old: usize, new: usize) -> Option<usize> {
    let places = own.checked_div(old).unwrap_or(own + 1);
    places.checked_mul(new)?.checked_add(own)
}

/// Counts the steps of all paths, as the builtin would go them.
fn paths(arguments: &[Value]) -> Result<(), &'static str> {
    let (Some(Value::Object(graph)), Some(starts)) = (arguments.first(), arguments.get(1)) else {
        return Ok(());
    };
    let next = |node: &Value| match graph.get(node) {
        Some(found) => members(found),
        None => Vec::new(),
    };
    let mut path: Vec<(&Value, std::vec::IntoIter<&Value>)> = Vec::new();
    let mut steps = 0_usize;
    for start in members(starts) {
        path.push((start, next(start).into_iter()));
        while let Some((_, neighbours)) = path.last_mut() {
            let Some(neighbour) = neighbours.next() else {
                path.pop();
                continue;
            };
            // What the builtin compares and copies at each step is as long as the path.
            steps += path.len();
            if steps > MAX_MEMBERS {
                return Err(TOO_LARGE);
            }
            if path.iter().all(|(node, _)| *node != neighbour) {
                path.push((neighbour, next(neighbour).into_iter()));
            }
        }
    }
    Ok(())
}

fn members(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().collect(),
        Value::Set(members) => members.iter().collect(),
        _ => Vec::new(),
    }
}
