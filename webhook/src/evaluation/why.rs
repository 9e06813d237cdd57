//! `/decisions/{id}`: what is behind a decision's id.

use std::time::{Duration, Instant};

use axum::{
    extract::{Path, State, rejection::PathRejection},
    http::{HeaderMap, StatusCode, Uri, header::CONTENT_TYPE},
    response::{IntoResponse as _, Response},
};
use portcullis_policies::{Explained, Outcome, Point, text::clean, workbench::Explanation};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::site;
use crate::{
    Caller, Doors, ReaderFault, Unanswered,
    deadline::DEFAULT_TIMEOUT,
    journal::{Decided, KeptInput, Record, Told, explain},
    openapi::DecisionDocument,
    problem::{Problem, ProblemDocument},
};

/// Time to explain all decisions of a request.
const EXPLAINING: Duration = Duration::from_secs(5);

/// Time to write what was explained: some MiB at worst.
const WRITING: Duration = Duration::from_secs(1);

/// Longest text of all explanations of a request. For programs they take about twice of it, and an answer
/// no more than 16 MiB.
const EXPLANATIONS: usize = 4 << 20;

/// A request, and the decisions about it that are remembered.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct RememberedRequest<'r> {
    /// The id, which all decisions about one request share.
    id: &'r str,
    /// Who asked: `admission` is the API server, `evaluation` anybody else.
    #[schema(value_type = String, example = "admission")]
    point: Point,
    /// The time of the request, in RFC 3339.
    #[schema(example = "2026-11-30T12:00:00Z")]
    time: String,
    /// The user whose request the API server asked about.
    #[serde(skip_serializing_if = "str::is_empty")]
    user: &'r str,
    /// What it was about.
    #[schema(example = "CREATE pods team-a/web")]
    #[serde(skip_serializing_if = "str::is_empty")]
    resource: &'r str,
    /// The API server's name of the request.
    #[serde(skip_serializing_if = "str::is_empty")]
    uid: &'r str,
    /// The namespace in which one may read it; without one, the whole cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<&'r str>,
    /// Policies that decided.
    judged: usize,
    /// What the policies looked at of the request, without what is secret.
    #[schema(value_type = Option<serde_json::Value>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    input: Option<Box<RawValue>>,
    /// What is to be known of `input`: that something was replaced in it, or why it is not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    input_note: Option<&'static str>,
    /// The decisions that denied, warned, failed or were locked.
    decisions: Vec<RememberedDecision>,
    /// How many more of these there were.
    left_out: usize,
}

/// One decision, and why it was made.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct RememberedDecision {
    /// The decision.
    #[schema(value_type = DecisionDocument)]
    decision: Box<RawValue>,
    /// The policy's action at admission: `Deny`, `Warn` or `Audit`.
    #[serde(skip_serializing_if = "str::is_empty")]
    action: &'static str,
    /// Whether something of the decision was not kept: its result, values, or messages.
    cut: bool,
    /// Which rules held, where, and with which values.
    #[serde(skip_serializing_if = "Option::is_none")]
    explanation: Option<ExplanationDocument>,
    /// What is to be known of `explanation`, or why there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    explanation_note: Option<String>,
}

/// An explanation, for people and for programs.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Explanation)]
struct ExplanationDocument {
    /// What the policy made of the input when it was evaluated again.
    #[schema(value_type = String, example = "denied")]
    outcome: Outcome,
    /// The rules that decided, line by line: those that restrict and hold, and those that permit and do
    /// not.
    decisive: String,
    /// All rules that were tried, line by line.
    text: String,
    /// The same: each definition that was tried, with its place, its outcome and its values.
    #[schema(value_type = serde_json::Value)]
    tried: Explanation,
}

/// Tells what is behind a decision
///
/// The decisions about one request, which was denied, warned of, failed or locked a moment ago,
/// with the input without what is secret, and why each policy decided as it did. Each replica
/// remembers what it was asked itself. In a cluster the caller needs a bearer token, and the verb
/// `get` on `decisions` of `portcullis.dev` in the namespace of the object; who may not is
/// told what is told of an id that is not known.
#[utoipa::path(
    get,
    path = "/decisions/{id}",
    tag = "decisions",
    security((), ("bearer" = [])),
    responses(
        (status = 200, description = "The decisions", body = RememberedRequest),
        (
            status = 401,
            description = "A bearer token is required",
            content_type = "application/problem+json",
            body = ProblemDocument
        ),
        (
            status = 404,
            description = "`DECISION.NOT_FOUND`: it is not remembered here, or you may not read it",
            content_type = "application/problem+json",
            body = ProblemDocument
        ),
        (
            status = 503,
            description = "The API server cannot be asked who may, or there is no room to explain",
            content_type = "application/problem+json",
            body = ProblemDocument
        ),
    )
)]
pub(super) async fn why(
    State(doors): State<Doors>,
    path: Result<Path<String>, PathRejection>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let readers = &doors.settings().readers;
    site::refuse_others(&uri, &headers, readers.is_open())?;
    let id = path.map_or_else(|_| String::new(), |Path(id)| id);
    let busy = |_| Problem::overloaded("there is no room to look for decisions");
    let record = doors.journal().find(&id).await.map_err(busy)?;
    // Of what is not known it is asked as well, so that no answer tells, nor the time it takes, that
    // there is something to be read.
    let namespace = record
        .as_ref()
        .and_then(|record| record.about.namespace.clone());
    let may_read = readers.may_read(Caller::of(&headers), namespace);
    let late = || ReaderFault::Unavailable("the API server did not answer in time".to_owned());
    let may_read = tokio::time::timeout(DEFAULT_TIMEOUT, may_read)
        .await
        .unwrap_or_else(|_| Err(late()))
        .map_err(|fault| problem_of(&fault))?;
    let Some(record) = record.filter(|_| may_read) else {
        return Err(unknown(&id));
    };
    let deadline = Instant::now() + EXPLAINING;
    let evaluators = &doors.settings().evaluators;
    let body = evaluators
        .run(deadline + WRITING, move || write(&record, deadline))
        .await
        .map_err(|why| match why {
            Unanswered::Overloaded | Unanswered::Late => {
                Problem::overloaded("there was no room to explain the decision in time")
            }
            Unanswered::Failed => Problem::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "DECISION.UNEXPLAINED",
                "the decision cannot be explained",
            ),
        })?;
    Ok(([(CONTENT_TYPE, "application/json")], body).into_response())
}

/// The answer; work of the processor.
fn write(record: &Record, deadline: Instant) -> Vec<u8> {
    let mut room = EXPLANATIONS;
    let told = explain(record, deadline).map(|told| bounded(told, &mut room));
    let (note, about) = (&record.note, &record.about);
    let (input, input_note) = match &note.input {
        KeptInput::Document { text, redacted } => (raw(text), redacted.then_some(REDACTED)),
        KeptInput::Undefined { redacted } => (None, redacted.then_some(REDACTED)),
        KeptInput::TooLong => (None, Some("the input was too long to be kept")),
        KeptInput::Unread => (None, Some("the input was not read")),
    };
    let is_redacted = input_note == Some(REDACTED);
    let decided = note.decided.iter().zip(told);
    let request = RememberedRequest {
        id: note.id(),
        point: note.point(),
        time: note.request.now.to_string(),
        user: &about.user,
        resource: &about.resource,
        uid: &about.uid,
        namespace: about.namespace.as_deref(),
        judged: note.judged,
        input,
        input_note,
        decisions: decided
            .filter_map(|(decided, told)| remembered(decided, told, is_redacted))
            .collect(),
        left_out: note.left_out,
    };
    serde_json::to_vec(&request).expect("a document of texts must serialise")
}

/// What is told, if there is room.
fn bounded(told: Told, room: &mut usize) -> Told {
    let Told::Explained(explained) = &told else {
        return told;
    };
    let length = explained.explanation.to_string().len();
    match room.checked_sub(length) {
        Some(left) => {
            *room = left;
            told
        }
        None => Told::Unknown("there is no room for more explanations".to_owned()),
    }
}

/// Said of an input that is not what the policies saw.
const REDACTED: &str = "what is secret was replaced by REDACTED before it was kept";

fn remembered(decided: &Decided, told: Told, is_redacted: bool) -> Option<RememberedDecision> {
    let (explanation, explanation_note) = match told {
        Told::Unknown(why) => (None, Some(why)),
        Told::Explained(Explained {
            outcome,
            explanation,
        }) => {
            let note = if outcome != decided.outcome {
                Some(format!(
                    "this is of another evaluation, which ended otherwise ({}): the policy had seen \
                     what was not kept, or what is elsewhere",
                    outcome.as_str()
                ))
            } else if is_redacted {
                Some("this is of the input as it was kept, without what is secret".to_owned())
            } else {
                None
            };
            let document = ExplanationDocument {
                outcome,
                decisive: explanation.decisive().to_string(),
                text: explanation.to_string(),
                tried: explanation,
            };
            (Some(document), note)
        }
    };
    Some(RememberedDecision {
        decision: raw(&decided.text)?,
        action: decided.action,
        cut: decided.cut,
        explanation,
        explanation_note,
    })
}

fn raw(text: &str) -> Option<Box<RawValue>> {
    RawValue::from_string(text.to_owned()).ok()
}

fn unknown(id: &str) -> Problem {
    let detail = format!(
        "decision `{}` is not remembered here, or you may not read it",
        clean(id)
    );
    Problem::new(StatusCode::NOT_FOUND, "DECISION.NOT_FOUND", detail).with_remedy(
        "ask every replica, as `portcullis why` does, soon after the decision; to read it takes the \
         verb `get` on `decisions` of `portcullis.dev` in the object's namespace",
    )
}

fn problem_of(fault: &ReaderFault) -> Problem {
    let detail = clean(&fault.to_string());
    match fault {
        ReaderFault::Unauthenticated => {
            Problem::new(StatusCode::UNAUTHORIZED, "REQUEST.UNAUTHENTICATED", detail)
                .with_remedy("send `Authorization: Bearer` with a token of the cluster")
        }
        ReaderFault::Unavailable(_) => Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "DECISIONS.UNAVAILABLE",
            detail,
        )
        .with_remedy("try again"),
    }
}
