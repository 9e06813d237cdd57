//! The normaliser, for any document and any policy: an error, a malformed member or an unknown shape
//! is never an allow, and a deny is never outvoted.
//!
//! ```text
//! defined settings document
//! ```
//!
//! `defined` is a bit for each rule of the dialect. The document is JSON, in which `{"set": […]}` is
//! a set and `{"map": [[key, value]…]}` an object with any keys.
#![no_main]

use std::collections::{BTreeMap, BTreeSet};

use libfuzzer_sys::fuzz_target;
use portcullis_policies::decision::Judgement;
use portcullis_policies::normalise::{DIALECT, Reading, Rules, normalise};
use portcullis_policies::rego::value::{self, Value, json};
use portcullis_policies::text::{MAX_CHARACTERS, is_hostile};
use portcullis_policies::{DecisionSettings, DefaultDecision, Outcome, Point, Severity};

const SEVERITIES: [Severity; 5] = [
    Severity::Info,
    Severity::Low,
    Severity::Medium,
    Severity::High,
    Severity::Critical,
];

/// Most messages of one kind.
const MESSAGES: usize = 100;

/// What JSON has no notation for.
fn extended(value: &Value) -> Value {
    match value {
        Value::Object(object) => {
            let only = |key: &str| Some(&value[key]).filter(|_| object.len() == 1);
            if let Some(members) = only("set").and_then(value::elements) {
                return members.iter().map(extended).collect::<BTreeSet<_>>().into();
            }
            if let Some(pairs) = only("map").and_then(value::elements) {
                let pair = |pair: &Value| match value::elements(pair) {
                    Some([key, value]) => Some((extended(key), extended(value))),
                    _ => None,
                };
                return pairs
                    .iter()
                    .filter_map(pair)
                    .collect::<BTreeMap<_, _>>()
                    .into();
            }
            let member = |(key, value): (&Value, &Value)| (key.clone(), extended(value));
            object.iter().map(member).collect::<BTreeMap<_, _>>().into()
        }
        other => match value::elements(other) {
            Some(elements) => elements.iter().map(extended).collect::<Vec<_>>().into(),
            None => other.clone(),
        },
    }
}

/// Whether a rule's value says nothing.
fn is_silent(value: &Value) -> bool {
    matches!(value, Value::Undefined | Value::Bool(false))
        || value::count(value) == Some(0) && !matches!(value, Value::String(_))
}

/// Whether a member of a set of messages can be read.
fn is_message(value: &Value) -> bool {
    match value {
        Value::String(_) => true,
        Value::Object(_) => ["msg", "message", "ruleName"]
            .into_iter()
            .any(|key| matches!(value[key], Value::String(_))),
        _ => false,
    }
}

fn members(value: &Value) -> Option<Vec<Value>> {
    match value {
        Value::Set(set) => Some(set.iter().cloned().collect()),
        other => value::elements(other).map(<[Value]>::to_vec),
    }
}

/// Whether `allow` holds, read as strictly as it may be.
fn allows(value: &Value) -> bool {
    match value {
        Value::Bool(holds) => *holds,
        Value::Object(_) => value["allowed"] == Value::Bool(true),
        other => members(other)
            .is_some_and(|members| !members.is_empty() && members.iter().all(is_message)),
    }
}

/// The same document with every array in the opposite order.
fn reversed(value: &Value) -> Value {
    match value {
        Value::Object(object) => {
            let member = |(key, value): (&Value, &Value)| (key.clone(), reversed(value));
            object.iter().map(member).collect::<BTreeMap<_, _>>().into()
        }
        other => match value::elements(other) {
            Some(elements) => elements
                .iter()
                .rev()
                .map(reversed)
                .collect::<Vec<_>>()
                .into(),
            None => other.clone(),
        },
    }
}

/// The document with this as a rule's value.
fn with(document: &Value, rule: &str, value: Value) -> Value {
    let mut changed = document.clone();
    if let Ok(object) = changed.as_object_mut() {
        object.insert(Value::from(rule), value);
    }
    changed
}

fn check_texts(judgement: &Judgement) {
    for messages in [&judgement.messages, &judgement.warnings, &judgement.skipped] {
        assert!(messages.len() <= MESSAGES);
        for message in messages {
            let texts = [&message.rule, &message.remedy, &message.path];
            let texts = texts.into_iter().flatten().chain([&message.message]);
            for text in texts {
                assert!(text.chars().count() <= MAX_CHARACTERS, "{text:?} is long");
                assert!(!text.chars().any(is_hostile), "{text:?} is hostile");
            }
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    let [defined, settings, text @ ..] = bytes else {
        return;
    };
    let Ok(document) = std::str::from_utf8(text)
        .map_err(drop)
        .and_then(|text| json::read(text).map_err(drop))
    else {
        return;
    };
    let document = extended(&document);
    let named = |bit: usize| defined & (1 << bit) != 0;
    let names: BTreeSet<String> = (0..DIALECT.len())
        .filter(|bit| named(*bit))
        .map(|bit| DIALECT[bit].to_owned())
        .collect();
    let only = (defined & 0x80 != 0)
        .then(|| names.first().cloned())
        .flatten();
    let rules = Rules {
        defined: (only.is_none() && settings & 0x40 == 0).then_some(names.clone()),
        only,
    };
    let reading = Reading {
        point: if settings & 1 == 0 {
            Point::Admission
        } else {
            Point::Evaluation
        },
        rules: &rules,
        settings: DecisionSettings {
            default: if settings & 2 == 0 {
                DefaultDecision::Deny
            } else {
                DefaultDecision::Allow
            },
            fail_on: SEVERITIES[usize::from(settings >> 2 & 7) % SEVERITIES.len()],
        },
    };
    let judge = |document: &Value| normalise(document.clone(), &reading);
    let judgement = judge(&document);
    assert_eq!(
        judgement,
        judge(&document),
        "the same again is something else"
    );
    check_texts(&judgement);
    if judgement.allowed {
        assert!(matches!(
            judgement.outcome,
            Outcome::Allowed | Outcome::Skipped
        ));
        assert!(judgement.messages.is_empty());
    } else {
        assert!(!matches!(judgement.outcome, Outcome::Allowed));
        assert!(!judgement.messages.is_empty() || judgement.outcome == Outcome::Skipped);
    }

    // As a package with the one rule reads it.
    let whole = match &rules.only {
        Some(rule) => with(&Value::new_object(), rule, document.clone()),
        None => document.clone(),
    };
    if !matches!(whole, Value::Object(_)) {
        assert!(!judgement.allowed, "{whole:?} is no object, and allowed");
        return;
    }
    let is_defined = |rule: &str| {
        let compiled = match (&rules.only, &rules.defined) {
            (Some(only), _) => only == rule,
            (None, Some(defined)) => defined.contains(rule),
            (None, None) => false,
        };
        compiled || whole[rule] != Value::Undefined
    };
    if !is_silent(&whole["deny"]) {
        assert!(!judgement.allowed, "a deny is outvoted");
        let denies = members(&whole["deny"]).is_some_and(|members| members.iter().any(is_message));
        assert!(
            !denies || judgement.outcome == Outcome::Denied,
            "a deny is outvoted"
        );
    }
    for rule in ["violation", "violations"] {
        if reading.settings.fail_on == Severity::Info && !is_silent(&whole[rule]) {
            assert!(!judgement.allowed, "a violation is outvoted");
        }
    }
    for rule in ["deny", "violation", "violations", "warn", "skip"] {
        if let Some(members) = members(&whole[rule]) {
            assert!(
                !judgement.allowed || members.iter().all(is_message),
                "a member of {rule} is malformed, and it is allowed"
            );
        }
    }
    if is_defined("allow") {
        assert!(
            !judgement.allowed || allows(&whole["allow"]),
            "nothing allows it"
        );
    }
    if is_defined("allowed") {
        assert!(
            !judgement.allowed || whole["allowed"] == Value::Bool(true),
            "nothing allows it"
        );
    }
    let speaks = [
        "allow",
        "allowed",
        "deny",
        "violation",
        "violations",
        "warn",
    ];
    if !speaks.into_iter().any(is_defined) && reading.settings.default == DefaultDecision::Deny {
        assert!(!judgement.allowed, "nothing allows it by default");
    }
    if rules.only.is_none() {
        let denied = judge(&with(
            &document,
            "deny",
            Value::from(vec![Value::from("no")]),
        ));
        assert!(
            !denied.allowed && denied.outcome == Outcome::Denied,
            "a deny is outvoted"
        );
        for rule in DIALECT {
            let odd = judge(&with(&document, rule, Value::from(5_u64)));
            assert!(!odd.allowed, "{rule} is malformed, and it is allowed");
        }
    }
    let turned = judge(&reversed(&document));
    assert_eq!(
        (judgement.allowed, judgement.outcome),
        (turned.allowed, turned.outcome),
        "the order makes a difference"
    );
});
