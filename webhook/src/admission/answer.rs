//! From decisions to one answer for the API server: bounded, deterministic, the most severe first.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use portcullis_policies::{Decision, Message, Severity, text::clean};
use serde::Serialize;

use super::review::{API_VERSION, KIND};
use crate::ResourceAnswer;

/// Longest message of a refusal, in bytes. It is repeated in events and logs of every controller
/// that is refused; the API server cuts an Event's message at a kilobyte and etcd a Pod's
/// conditions not at all, so a few screens are plenty.
const MAX_MESSAGE: usize = 8_000;

/// Room that is kept for what stands around the texts: how many there are, and the decision's id.
const MESSAGE_TAIL: usize = 120;

/// Longest warning, in characters; the API server cuts longer ones where there are many.
const MAX_WARNING: usize = 256;

/// Longest of all warnings together, in characters, as the API server counts them.
const MAX_WARNINGS: usize = 4_096;

/// Longest list of policies in an audit annotation, in bytes: some fifty with their digests.
const MAX_ANNOTATION: usize = 5_000;

/// An `AdmissionReview` that answers one.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Answer {
    api_version: &'static str,
    kind: &'static str,
    response: Response,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Response {
    uid: String,
    allowed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Status>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    audit_annotations: BTreeMap<&'static str, String>,
}

#[derive(Debug, Serialize)]
#[expect(clippy::struct_field_names, reason = "the API server's names")]
struct Status {
    status: &'static str,
    message: String,
    reason: &'static str,
    code: u16,
}

/// The answer where nobody is asked.
pub(crate) fn allowed(uid: &str) -> Answer {
    respond(uid, None, Vec::new(), BTreeMap::new())
}

/// The answer to a request that these decisions are about.
pub(crate) fn combine(uid: &str, id: &str, decisions: &[Decision]) -> Answer {
    let denials = decisions.iter().filter(|decision| !decision.allowed);
    let refused = denials.clone().next().is_some();
    let texts = most_severe_first(
        denials.flat_map(|denial| denial.messages.iter().map(move |message| (message, denial))),
    );
    let warnings = most_severe_first(decisions.iter().flat_map(|decision| {
        decision
            .warnings
            .iter()
            .map(move |warning| (warning, decision))
    }));
    let message = refused.then(|| refusal(&texts, id));
    let mut annotations = BTreeMap::from([
        ("decision", id.to_owned()),
        ("policies", list_policies(decisions.iter())),
    ]);
    let exempted: Vec<String> = decisions.iter().filter_map(exempted).collect();
    if !exempted.is_empty() {
        annotations.insert("exemptions", list(&exempted, "; "));
    }
    if refused {
        let refused_by = decisions.iter().filter(|decision| !decision.allowed);
        annotations.insert("refusedBy", list_policies(refused_by));
    }
    respond(uid, message, bounded_warnings(&warnings), annotations)
}

/// The answer to who applies one of our own resources.
pub(crate) fn judged(uid: &str, id: &str, answer: ResourceAnswer) -> Answer {
    let message = answer
        .refusal
        .map(|refusal_text| refusal(&[refusal_text], id));
    respond(
        uid,
        message,
        bounded_warnings(&answer.warnings),
        BTreeMap::from([("decision", id.to_owned())]),
    )
}

fn respond(
    uid: &str,
    refusal: Option<String>,
    warnings: Vec<String>,
    audit_annotations: BTreeMap<&'static str, String>,
) -> Answer {
    let allowed = refusal.is_none();
    let status = refusal.map(|message| Status {
        status: "Failure",
        message,
        reason: "Forbidden",
        code: 403,
    });
    let response = Response {
        uid: uid.to_owned(),
        allowed,
        status,
        warnings,
        audit_annotations,
    };
    Answer {
        api_version: API_VERSION,
        kind: KIND,
        response,
    }
}

/// Texts of messages without repetitions, the most severe first and else in the order in which
/// they came. What says nothing of its severity is critical.
fn most_severe_first<'a>(
    messages: impl Iterator<Item = (&'a Message, &'a Decision)>,
) -> Vec<String> {
    let mut messages: Vec<_> = messages.collect();
    messages.sort_by_key(|(message, _)| Reverse(message.severity.unwrap_or(Severity::Critical)));
    let mut seen = BTreeSet::new();
    let texts = messages
        .into_iter()
        .map(|(message, decision)| message.text(decision.speaker()));
    texts.filter(|text| seen.insert(text.clone())).collect()
}

/// What stands before each text of a list.
const ITEM: &str = "\n- ";

/// One text on one line, or several as a list: as many as there is room for, and how many more there
/// are. The decision's id is at the end.
fn refusal(texts: &[String], id: &str) -> String {
    let room = MAX_MESSAGE - MESSAGE_TAIL;
    let mut message = match texts {
        [] => return format!("decision {id}"),
        [text] if text.contains('\n') => return format!("{}\ndecision {id}", cut(text, room)),
        [text] => return format!("{}; decision {id}", cut(text, room)),
        several => format!("{} violations:", several.len()),
    };
    let mut shown = 0;
    for text in texts {
        let line = cut(text, room.saturating_sub(message.len() + ITEM.len()));
        if shown > 0 && line.len() < text.len() {
            break;
        }
        message.push_str(ITEM);
        message.push_str(line);
        shown += 1;
    }
    // Writing to a String cannot fail.
    if shown < texts.len() {
        let _ = write!(message, "\nand {} more", texts.len() - shown);
    }
    let _ = write!(message, "\ndecision {id}");
    message
}

/// Warnings of one line each, as many as the API server shows.
fn bounded_warnings(texts: &[String]) -> Vec<String> {
    // The last place is for saying that there are more.
    let room = MAX_WARNINGS - MAX_WARNING;
    let mut warnings: Vec<String> = Vec::new();
    let mut used = 0;
    for text in texts {
        let warning = one_line(text);
        if warnings.contains(&warning) {
            continue;
        }
        let length = warning.chars().count();
        if used + length > room {
            warnings.push("more warnings are not shown".to_owned());
            break;
        }
        used += length;
        warnings.push(warning);
    }
    warnings
}

/// A text for an HTTP header: the API server drops a warning that has a line break.
fn one_line(text: &str) -> String {
    let joined: Vec<&str> = text.lines().map(str::trim).collect();
    let line = clean(&joined.join(" "));
    if line.chars().count() <= MAX_WARNING {
        return line;
    }
    line.chars().take(MAX_WARNING - 1).chain(['…']).collect()
}

fn list_policies<'d>(decisions: impl Iterator<Item = &'d Decision>) -> String {
    // One that judges an object and its template is told once.
    let mut seen = BTreeSet::new();
    let named = decisions.map(|decision| format!("{}={}", decision.policy, decision.digest));
    let policies: Vec<String> = named.filter(|policy| seen.insert(policy.clone())).collect();
    list(&policies, " ")
}

/// `platform/limits@1.2=ClusterExemption legacy`, where an exemption shaped a decision.
fn exempted(decision: &Decision) -> Option<String> {
    let exemption = decision.exemption.as_ref()?;
    Some(format!("{}={}", decision.policy, exemption.name))
}

/// As many as there is room for, and how many more there are.
fn list(items: &[String], between: &str) -> String {
    let mut list = String::new();
    for (place, item) in items.iter().enumerate() {
        if list.len() + item.len() > MAX_ANNOTATION {
            let _ = write!(list, " and {} more", items.len() - place);
            break;
        }
        if place > 0 {
            list.push_str(between);
        }
        list.push_str(item);
    }
    list
}

/// The start of a text, at most so many bytes.
fn cut(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

#[cfg(test)]
mod tests;
