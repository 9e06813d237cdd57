//! From a policy's document to a judgement, for every dialect.
//!
//! The order is the same for all: a deny denies; then violations at or above `failOn`; then what
//! is malformed is an error; then, if the policy defines `allow` or `allowed`, whether it holds;
//! then, if it defines `deny`, `violation(s)` or `warn`, it is allowed; else `decision.default`.
//!
//! What a policy *defines* is known from its compiled form and not from one evaluation's result: a
//! rule that is undefined today is missing from the document and still means what it means. A
//! fault never lessens: a member that denies but carries an unreadable severity still denies.

mod member;

use std::collections::BTreeSet;

use crate::{
    Code, DecisionSettings, DefaultDecision, Document, Message, Outcome, Point, Severity,
    decision::Judgement,
    rego::value::{self, Kind, Value},
};
use member::{Member, members};

/// Messages of one kind that a decision keeps. More than a person reads, and few enough for an
/// answer to stay under the API server's limits.
const MAX_MESSAGES: usize = 100;

/// Names of rules that are read in an entrypoint's document.
pub const DIALECT: [&str; 7] = [
    "allow",
    "allowed",
    "deny",
    "skip",
    "violation",
    "violations",
    "warn",
];

/// What an entrypoint defines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// The rule that the entrypoint names, where its value is read as that rule's.
    pub only: Option<String>,
    /// The rules of [`DIALECT`] that the entrypoint's package defines. `None` where the document
    /// is one rule's value, whose keys say what it defines.
    pub defined: Option<BTreeSet<String>>,
}

/// How a document is read.
#[derive(Clone, Copy, Debug)]
pub struct Reading<'a> {
    /// The door, which says what code a denial has.
    pub point: Point,
    /// What the entrypoint defines.
    pub rules: &'a Rules,
    /// What the policy's author set.
    pub settings: DecisionSettings,
}

/// What was found in a document.
#[derive(Default)]
struct Findings {
    denials: Vec<Message>,
    warnings: Vec<Message>,
    skipped: Vec<Message>,
    faults: Vec<String>,
    refusal: Option<Message>,
    /// A rule says what is allowed, and it holds.
    grants: bool,
}

/// Reads a document as a judgement.
pub fn normalise(document: Value, reading: &Reading<'_>) -> Judgement {
    let mut findings = Findings::default();
    let wrapped = wrap(&document, reading.rules);
    let permits = match &wrapped {
        Value::Undefined => reading.read(&Value::new_object(), &mut findings),
        Value::Object(_) => reading.read(&wrapped, &mut findings),
        other => {
            let kind = kind_of(other);
            findings
                .faults
                .push(format!("the document is {kind}, not an object"));
            false
        }
    };
    let judgement = conclude(findings, permits);
    Judgement {
        result: value::is_defined(&document).then(|| Document::new(document)),
        ..judgement
    }
}

/// The value of a single rule, under its name.
fn wrap(document: &Value, rules: &Rules) -> Value {
    match &rules.only {
        None => document.clone(),
        Some(_) if *document == Value::Undefined => Value::new_object(),
        Some(rule) => Value::from(std::collections::BTreeMap::from([(
            Value::from(rule.as_str()),
            document.clone(),
        )])),
    }
}

fn conclude(findings: Findings, permits: bool) -> Judgement {
    let outcome = if !findings.denials.is_empty() {
        Outcome::Denied
    } else if !findings.faults.is_empty() {
        Outcome::Error
    } else if findings.refusal.is_some() {
        Outcome::Denied
    } else if !findings.skipped.is_empty() {
        Outcome::Skipped
    } else if permits {
        Outcome::Allowed
    } else {
        Outcome::Denied
    };
    let allowed = permits && matches!(outcome, Outcome::Allowed | Outcome::Skipped);
    let messages = match outcome {
        Outcome::Denied if !findings.denials.is_empty() => findings.denials,
        Outcome::Error => findings
            .faults
            .iter()
            .map(|fault| output_invalid(fault))
            .collect(),
        _ => findings.refusal.into_iter().collect(),
    };
    Judgement {
        grants: findings.grants && outcome == Outcome::Allowed,
        messages: bounded(messages),
        warnings: bounded(findings.warnings),
        skipped: bounded(findings.skipped),
        ..Judgement::new(outcome, allowed)
    }
}

impl Reading<'_> {
    /// Reads an object's rules; answers whether what allows holds, where nothing denies.
    fn read(&self, document: &Value, findings: &mut Findings) -> bool {
        let denied = self.denied_code();
        for message in collect(document, "deny", &denied, findings) {
            findings.denials.push(message);
        }
        for rule in ["violation", "violations"] {
            for mut message in collect(document, rule, &denied, findings) {
                let severity = *message.severity.get_or_insert(Severity::Critical);
                if severity >= self.settings.fail_on {
                    findings.denials.push(message);
                } else {
                    if message.code == denied {
                        message.code = Code::Warning;
                    }
                    findings.warnings.push(message);
                }
            }
        }
        let warnings = collect(document, "warn", &Code::Warning, findings);
        findings.warnings.extend(warnings);
        let skipped = collect(document, "skip", &Code::Skipped, findings);
        findings.skipped.extend(skipped);
        self.permits(document, findings)
    }

    fn permits(&self, document: &Value, findings: &mut Findings) -> bool {
        let mut judged = false;
        let mut holds = true;
        for (rule, read) in [
            ("allow", read_allow as fn(&Value) -> Result<bool, String>),
            ("allowed", read_allowed),
        ] {
            if !self.defines(document, rule) {
                continue;
            }
            judged = true;
            match read(&document[rule]) {
                Ok(held) => {
                    holds &= held;
                    if !held {
                        findings.refusal = Some(self.refusal(document, rule));
                    }
                }
                Err(fault) => {
                    holds = false;
                    findings.faults.push(fault);
                }
            }
        }
        let restricts = ["deny", "violation", "violations", "warn"];
        findings.grants = judged && holds;
        if judged {
            holds
        } else if restricts
            .into_iter()
            .any(|rule| self.defines(document, rule))
        {
            true
        } else {
            let permits = self.settings.default == DefaultDecision::Allow;
            if !permits {
                let text = "the policy defines neither what it allows nor what it denies";
                findings.refusal = Some(Message::new(self.denied_code(), text).with_remedy(
                    "define `allow`, `deny` or `violation`, or set `decision.default`",
                ));
            }
            permits
        }
    }

    /// Whether the policy defines a rule. What is in the document is defined in any case.
    fn defines(&self, document: &Value, rule: &str) -> bool {
        let compiled = match (&self.rules.only, &self.rules.defined) {
            (Some(only), _) => only == rule,
            (None, Some(defined)) => defined.contains(rule),
            (None, None) => false,
        };
        compiled || document[rule] != Value::Undefined
    }

    fn refusal(&self, document: &Value, rule: &str) -> Message {
        let reason = document["reason"]
            .as_string()
            .or_else(|_| document["message"].as_string());
        let text = match reason {
            Ok(reason) if rule == "allowed" => reason.to_string(),
            _ => format!("nothing allows it: rule `{rule}` does not hold"),
        };
        Message {
            rule: Some(rule.to_owned()),
            ..Message::new(self.denied_code(), &text)
        }
    }

    /// The code of a denial that has none of its own.
    fn denied_code(&self) -> Code {
        match self.point {
            Point::Admission => Code::DeniedAdmission,
            Point::Evaluation => Code::DeniedEvaluation,
        }
    }
}

/// The messages of a rule; what cannot be read is noted as a fault.
fn collect(document: &Value, rule: &str, code: &Code, findings: &mut Findings) -> Vec<Message> {
    let mut messages = Vec::new();
    for member in members(&document[rule]) {
        match member {
            Member::Said(said) => messages.push(said.message(rule, code.clone())),
            Member::Malformed(what) => findings.faults.push(format!("rule `{rule}`: {what}")),
        }
    }
    messages
}

/// `allow` holds as `true`, as a set or array of reasons that is not empty, or as an object whose
/// `allowed` is `true`.
fn read_allow(value: &Value) -> Result<bool, String> {
    match value {
        Value::Undefined => Ok(false),
        Value::Bool(holds) => Ok(*holds),
        _ if matches!(value::kind(value), Kind::Set | Kind::Array) => {
            let mut holds = false;
            let mut faults = Vec::new();
            for member in members(value) {
                match member {
                    Member::Said(_) => holds = true,
                    Member::Malformed(what) => faults.push(what),
                }
            }
            // Of several the first in their own order, so that a set's order says nothing.
            match faults.into_iter().min() {
                None => Ok(holds),
                Some(what) => Err(format!("rule `allow`: {what}")),
            }
        }
        Value::Object(object) if object.is_empty() => Ok(false),
        Value::Object(_) => read_allowed(&value["allowed"])
            .map_err(|_| "rule `allow`: an object needs `allowed`, true or false".to_owned()),
        other => Err(format!("rule `allow` is {}", kind_of(other))),
    }
}

/// `allowed` is `true` or `false`.
fn read_allowed(value: &Value) -> Result<bool, String> {
    match value {
        Value::Bool(allowed) => Ok(*allowed),
        other => Err(format!(
            "`allowed` is {}, not true or false",
            kind_of(other)
        )),
    }
}

fn output_invalid(fault: &str) -> Message {
    Message::new(
        Code::OutputInvalid,
        &format!("the policy's result cannot be read: {fault}"),
    )
    .with_remedy("return strings, or objects with `msg`; `allow` and `allowed` are true or false")
}

/// The messages in the order in which they are shown, each once, and at most [`MAX_MESSAGES`].
pub(crate) fn bounded(mut messages: Vec<Message>) -> Vec<Message> {
    messages.sort_by(|left, right| left.rank().cmp(&right.rank()));
    messages.dedup();
    let surplus = messages.len().saturating_sub(MAX_MESSAGES);
    if surplus > 0 {
        messages.truncate(MAX_MESSAGES - 1);
        if let Some(last) = messages.last().cloned() {
            let text = format!("and {} more", surplus + 1);
            messages.push(Message {
                severity: None,
                rule: None,
                ..Message::new(last.code, &text)
            });
        }
    }
    messages
}

/// A value's type, with an article.
fn kind_of(value: &Value) -> &'static str {
    match value::kind(value) {
        _ if !value::is_defined(value) => "undefined",
        Kind::Null => "null",
        Kind::Boolean => "a boolean",
        Kind::Number => "a number",
        Kind::String => "a string",
        Kind::Array => "an array",
        Kind::Set => "a set",
        Kind::Object => "an object",
    }
}

#[cfg(test)]
mod tests;
