//! Inputs and data: small documents whose members usually have the types that policies expect.

use crate::random::Random;

/// What `input` and `data.base` usually have below these names.
pub(crate) const MEMBERS: &[(&str, super::Kind)] = &[
    ("n", super::Kind::Number),
    ("m", super::Kind::Number),
    ("s", super::Kind::Text),
    ("t", super::Kind::Text),
    ("b", super::Kind::Flag),
    ("xs", super::Kind::Array),
    ("ss", super::Kind::Array),
    ("os", super::Kind::Array),
    ("o", super::Kind::Object),
    ("deep", super::Kind::Object),
    ("if", super::Kind::Number),
];

/// An input in JSON; now and then none.
pub(crate) fn input(random: &mut Random) -> String {
    if random.percent(6) {
        return "null".to_owned();
    }
    object(random)
}

/// Base data in JSON.
pub(crate) fn data(random: &mut Random) -> String {
    let base = object(random);
    match random.below(40) {
        0 => "{}".to_owned(),
        // Beside the rules of a package, and in the way of one.
        1..8 => format!("{{\"base\": {base}, \"t\": {{\"extra\": {base}}}}}"),
        8 => format!(
            "{{\"base\": {base}, \"t\": {{\"p\": {}}}}}",
            value(random, 1)
        ),
        _ => format!("{{\"base\": {base}}}"),
    }
}

fn object(random: &mut Random) -> String {
    let mut members = Vec::new();
    for (name, kind) in MEMBERS {
        if random.percent(12) {
            continue;
        }
        let value = if random.percent(8) {
            value(random, 2)
        } else {
            match (*name, kind) {
                ("xs", _) => list(random, |random| random.pick(NUMBERS).to_owned()),
                ("ss", _) => list(random, |random| random.pick(TEXTS).to_owned()),
                ("os", _) => list(random, |random| {
                    let number = random.pick(NUMBERS);
                    let text = random.pick(TEXTS);
                    format!("{{\"n\": {number}, \"s\": {text}}}")
                }),
                ("o", _) => {
                    let number = random.pick(NUMBERS);
                    let text = random.pick(TEXTS);
                    format!("{{\"a\": {number}, \"b\": {text}, \"c\": [{number}, {text}]}}")
                }
                (_, super::Kind::Number) => random.pick(NUMBERS).to_owned(),
                (_, super::Kind::Text) => random.pick(TEXTS).to_owned(),
                (_, super::Kind::Flag) => random.pick(&["true", "false"]).to_owned(),
                _ => value(random, 3),
            }
        };
        members.push(format!("\"{name}\": {value}"));
    }
    format!("{{{}}}", members.join(", "))
}

fn list(random: &mut Random, one: impl Fn(&mut Random) -> String) -> String {
    let count = random.below(4);
    let elements: Vec<String> = (0..count).map(|_| one(random)).collect();
    format!("[{}]", elements.join(", "))
}

/// Any value in JSON.
pub(crate) fn value(random: &mut Random, depth: usize) -> String {
    match random.below(if depth == 0 { 6 } else { 10 }) {
        0 => "null".to_owned(),
        1 => random.pick(&["true", "false"]).to_owned(),
        2 | 3 => random.pick(NUMBERS).to_owned(),
        4 | 5 => random.pick(TEXTS).to_owned(),
        6 | 7 => list(random, |random| value(random, depth - 1)),
        _ => {
            let keys = ["\"a\"", "\"b\"", "\"c\"", "\"n\"", "\"1\""];
            let start = random.below(4);
            let keys = keys.iter().skip(start).take(random.below(4));
            let member = |key: &&str| format!("{key}: {}", value(random, depth - 1));
            let members: Vec<String> = keys.map(member).collect();
            format!("{{{}}}", members.join(", "))
        }
    }
}

/// A document with one of its values replaced or a member dropped.
pub(crate) fn changed(document: &str, random: &mut Random) -> String {
    let Ok(mut json) = serde_json::from_str::<serde_json::Value>(document) else {
        return document.to_owned();
    };
    let other = serde_json::from_str(&value(random, 1)).unwrap_or_default();
    change(&mut json, other, random);
    json.to_string()
}

fn change(json: &mut serde_json::Value, other: serde_json::Value, random: &mut Random) {
    match json {
        serde_json::Value::Array(elements) if !elements.is_empty() => {
            let at = random.below(elements.len());
            match random.below(6) {
                0 => drop(elements.remove(at)),
                1 => elements.push(other),
                _ => change(&mut elements[at], other, random),
            }
        }
        serde_json::Value::Object(members) if !members.is_empty() => {
            let at = random.below(members.len());
            let key = members.keys().nth(at).cloned().unwrap_or_default();
            if random.below(5) == 0 {
                members.remove(&key);
            } else if let Some(member) = members.get_mut(&key) {
                change(member, other, random);
            }
        }
        _ => *json = other,
    }
}

pub(crate) const NUMBERS: &[&str] = &[
    "0",
    "1",
    "1",
    "2",
    "2",
    "3",
    "-1",
    "1.5",
    "10",
    "0.1",
    "7",
    "20",
    "100",
    "1.0",
    "9007199254740993",
    "12345678901234567890123",
];

pub(crate) const TEXTS: &[&str] = &[
    "\"a\"",
    "\"b\"",
    "\"a\"",
    "\"c\"",
    "\"\"",
    "\"ab\"",
    "\"a.b\"",
    "\"a/b\"",
    "\"1\"",
    "\"B\"",
    "\"é\"",
    "\"a b\"",
    "\"n\"",
    "\"x\"",
    "\"<&>\"",
    "\"a\\\"\\n\"",
];
