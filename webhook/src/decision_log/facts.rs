//! What is said of a request beside OPA's members: under `custom.portcullis`.

use portcullis_policies::{Message, Outcome, Part, redaction::without, text::clean};
use serde::Serialize;
use serde_json::{Value as Json, json};

use super::{
    action_of,
    entry::Fault,
    material::{Decided, Material},
    point_name,
};

/// Decisions of one request that are told of; a request of more is no usual one.
const MAX_DECISIONS: usize = 64;

#[derive(Serialize)]
struct Facts<'a> {
    point: &'static str,
    /// Absent where there is no policy to decide.
    #[serde(skip_serializing_if = "Option::is_none")]
    allowed: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    caller: Option<Caller<'a>>,
    #[serde(skip_serializing_if = "str::is_empty")]
    user: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    resource: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    uid: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<&'a str>,
    decisions: Vec<Told<'a>>,
    /// Decisions that are not among them.
    #[serde(skip_serializing_if = "is_none")]
    left_out: usize,
    /// Why something is erased.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    notes: &'a [String],
}

/// Who asked, as whoever identified it names it.
#[derive(Serialize)]
struct Caller<'a> {
    name: &'a str,
    by: &'static str,
}

#[derive(Serialize)]
struct Told<'a> {
    policy: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<&'a str>,
    allowed: bool,
    outcome: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    action: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    binding: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lock: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exemption: Option<&'a str>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_none(number: &usize) -> bool {
    *number == 0
}

/// The member `custom`. Texts that are `hidden` stand in no code.
pub(super) fn custom(material: &Material, hidden: &[String], notes: &[String]) -> Json {
    let about = &material.about;
    let decisions = material.decided.iter().take(MAX_DECISIONS);
    let facts = Facts {
        point: point_name(material.point),
        allowed: (!material.decided.is_empty())
            .then(|| material.decided.iter().all(|it| it.decision.allowed)),
        caller: material.whence.identity.as_ref().and_then(|identity| {
            identity.is_known().then(|| Caller {
                name: identity.name(),
                by: identity.method().as_str(),
            })
        }),
        user: &about.user,
        resource: &about.resource,
        uid: &about.uid,
        namespace: about.namespace.as_deref(),
        decisions: decisions.map(|it| told(it, material, hidden)).collect(),
        left_out: material.decided.len().saturating_sub(MAX_DECISIONS),
        notes,
    };
    json!({ "portcullis": facts })
}

fn told<'a>(decided: &'a Decided, material: &Material, hidden: &[String]) -> Told<'a> {
    let decision = &decided.decision;
    let message = decision.messages.first().or(decision.warnings.first());
    Told {
        policy: decision.policy.path(),
        namespace: decision.policy.namespace(),
        allowed: decision.allowed,
        outcome: decision.outcome.as_str(),
        action: action_of(material.point, &decided.entry),
        code: message.map(|message| without(message.code.as_str(), hidden)),
        binding: decision.binding.as_deref(),
        lock: decision.lock.as_ref().map(|lock| lock.name.as_str()),
        exemption: decision.exemption.as_ref().map(|own| own.name.as_str()),
    }
}

/// The name of a policy as it was asked, among those of one request.
pub(super) fn name_of(decided: &Decided) -> String {
    let templates = match decided.entry.part {
        Part::Object => "",
        Part::Templates => " (templates)",
    };
    format!("{}{templates}", decided.decision.speaker())
}

/// What went wrong, if a policy could not answer, or was not asked.
pub(super) fn fault(material: &Material, hidden: &[String]) -> Option<Fault> {
    let has_no_answer = |decided: &&Decided| {
        let outcome = decided.decision.outcome;
        matches!(
            outcome,
            Outcome::Error | Outcome::Locked | Outcome::NotInForce
        )
    };
    let decision = &material.decided.iter().find(has_no_answer)?.decision;
    let message: &Message = decision.messages.first().or(decision.warnings.first())?;
    Some(Fault {
        code: without(message.code.as_str(), hidden),
        message: clean(&without(&message.message, hidden)),
    })
}
