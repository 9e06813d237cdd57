//! Members of `deny`, `violation`, `warn` and `skip`: a string, or an object with a message.

use crate::{
    Code, Document, Message, Severity,
    rego::value::{self, Value},
    text::clean,
};

use super::kind_of;

/// Longest code of a policy's own, in bytes. Ours have at most 24.
const MAX_CODE: usize = 64;

/// One member of a rule's value.
pub(super) enum Member<'a> {
    /// It says something.
    Said(Said<'a>),
    /// It cannot be read; the text says why.
    Malformed(String),
}

/// What a member says.
pub(super) struct Said<'a> {
    text: String,
    fields: Option<&'a Value>,
}

/// The members of a rule's value: of a set, an array or a map. `true` is one member that has
/// nothing to say, `false` and undefined are none.
pub(super) fn members(value: &Value) -> Vec<Member<'_>> {
    match value {
        Value::Undefined | Value::Bool(false) => Vec::new(),
        Value::Bool(true) => vec![Member::Said(Said {
            text: String::new(),
            fields: None,
        })],
        Value::Set(set) => set.iter().map(read).collect(),
        // A complete rule whose value is one message.
        Value::Object(_) if text_of(value).is_some() => vec![read(value)],
        Value::Object(map) => map
            .iter()
            .map(|(key, value)| read_entry(key, value))
            .collect(),
        other => match value::elements(other) {
            Some(elements) => elements.iter().map(read).collect(),
            None => vec![Member::Malformed(format!(
                "{} is neither a set nor an array, a map or a boolean",
                kind_of(other)
            ))],
        },
    }
}

impl Said<'_> {
    /// The message that `rule` gives. What is not said, or not readable, is left out: a message
    /// without a readable severity is taken as the worst that its rule can say.
    pub(super) fn message(self, rule: &str, code: Code) -> Message {
        let field = |name: &str| {
            self.fields
                .map_or(&Value::Undefined, |fields| &fields[name])
        };
        let document = |name: &str| {
            Some(field(name))
                .filter(|value| value::is_defined(value))
                .map(|value| Document::new(value.clone()))
        };
        let string = |name: &str| field(name).as_string().ok().map(|text| clean(text));
        let own_code = string("code")
            .filter(|code| is_name(code))
            .map(Code::Custom);
        let text = if self.text.is_empty() {
            format!("rule `{rule}` holds")
        } else {
            self.text
        };
        Message {
            remedy: string("remedy"),
            severity: string("severity").and_then(|severity| Severity::parse(&severity)),
            rule: Some(string("ruleName").unwrap_or_else(|| rule.to_owned())),
            path: string("path"),
            found: document("found"),
            wanted: document("wanted"),
            details: document("details"),
            ..Message::new(own_code.unwrap_or(code), &text)
        }
    }
}

/// Whether a code is a name that programs can compare. Codes stand in logs, where a text that a
/// policy made of its request has no place.
fn is_name(code: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._:/-".contains(&byte);
    !code.is_empty() && code.len() <= MAX_CODE && code.bytes().all(allowed)
}

fn read(value: &Value) -> Member<'_> {
    match value {
        Value::String(text) => Member::Said(Said {
            text: text.to_string(),
            fields: None,
        }),
        Value::Object(_) => match text_of(value) {
            Some(text) => Member::Said(Said {
                text,
                fields: Some(value),
            }),
            None => Member::Malformed("a member has neither `msg` nor `message`".to_owned()),
        },
        other => Member::Malformed(format!("a member is {}", kind_of(other))),
    }
}

/// An entry of a map, as `deny["no limit"]`, `deny[{"msg": …}]`, `deny["web"] := "no limit"` or
/// `deny["web"] := {"msg": …}` make them.
fn read_entry<'a>(key: &'a Value, value: &'a Value) -> Member<'a> {
    match (key, value) {
        (Value::String(key), Value::Bool(true)) => Member::Said(Said {
            text: key.to_string(),
            fields: None,
        }),
        // What a set of version 0 becomes in version 1: `violation[{"msg": …}] if { … }`.
        (Value::Object(_), Value::Bool(true)) => read(key),
        (_, Value::String(_) | Value::Object(_)) => read(value),
        (_, other) => Member::Malformed(format!("an entry's value is {}", kind_of(other))),
    }
}

/// The text of an object: `msg`, `message`, or the reasons of a named rule.
fn text_of(object: &Value) -> Option<String> {
    if let Ok(text) = object["msg"]
        .as_string()
        .or_else(|_| object["message"].as_string())
    {
        return Some(text.to_string());
    }
    let name = object["ruleName"].as_string().ok()?;
    let reasons: Vec<&str> = match &object["reasons"] {
        Value::Set(reasons) => value::order::members(reasons).filter_map(string).collect(),
        reasons => value::elements(reasons)
            .unwrap_or_default()
            .iter()
            .filter_map(string)
            .collect(),
    };
    Some(if reasons.is_empty() {
        format!("{name} is violated")
    } else {
        reasons.join("; ")
    })
}

fn string(value: &Value) -> Option<&str> {
    value.as_string().ok().map(|text| &**text)
}
