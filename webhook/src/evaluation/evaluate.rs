//! `…/evaluation`: the bare result document.

use std::{sync::Arc, time::Instant};

use axum::{
    body::{Body, Bytes},
    extract::State,
    http::{
        HeaderMap, HeaderValue,
        header::{CONTENT_TYPE, ETAG},
    },
    response::{IntoResponse as _, Response},
};
use portcullis_policies::{Decision, Document, Entry, Point};

use super::{
    ask,
    kept::{self, Wish},
    place::Place,
};
use crate::{
    Doors,
    problem::{Problem, ProblemDocument},
    whence::Asker,
};

/// Evaluates a policy
///
/// The body is any JSON document, or nothing, whatever its content type says; the policy reads it
/// as `input`. The answer is the entrypoint's document as it is, whatever its `allow` or `deny`
/// say; it is `{}` where the entrypoint is undefined, and where it is nothing but `_ := …` that
/// value alone. Request headers are readable in the policy.
#[utoipa::path(
    method(get, post),
    path = "/evaluation",
    tag = "evaluation",
    params(ask::TimeoutHeader, kept::ResultHeaders),
    request_body(
        content = Option<serde_json::Value>,
        content_type = "application/json",
        description = "The policy's `input`, at most 4 MiB"
    ),
    responses(
        (
            status = 200,
            description = "The result document",
            content_type = "application/json",
            body = serde_json::Value,
            headers(
                ("ETag" = String, description = "The evaluation's id, without quotes"),
                ("x-cache-ttl" = u32, description = "Seconds for which the result is kept, if it is")
            )
        ),
        (
            status = 403,
            description = "`POLICY.LOCKED` or `POLICY.NOT_IN_FORCE`: the policy was not evaluated",
            content_type = "application/problem+json",
            body = ProblemDocument
        ),
        (
            status = 409,
            description = "`RESULT.EXISTS`: a result of another policy is kept under this id",
            content_type = "application/problem+json",
            body = ProblemDocument
        ),
        (
            status = 500,
            description = "`POLICY.COMPILE_FAILED`, `POLICY.EVALUATION_FAILED` or \
                           `POLICY.MEMORY_EXCEEDED`",
            content_type = "application/problem+json",
            body = ProblemDocument
        ),
        (
            status = 503,
            description = "`POLICY.OVERLOADED` or `SERVICE.NOT_READY`: try again after \
                           `Retry-After` seconds",
            content_type = "application/problem+json",
            body = ProblemDocument
        ),
        (
            status = 504,
            description = "`POLICY.TIMEOUT`: the evaluation took longer than the policy's limit",
            content_type = "application/problem+json",
            body = ProblemDocument
        ),
    )
)]
pub(super) async fn evaluate(
    State(doors): State<Doors>,
    place: Place,
    asker: Asker,
    body: Body,
) -> Result<Response, Problem> {
    let evaluation = Evaluation::of(&doors, &place, &asker, body).await?;
    Ok(evaluation.answer(&doors))
}

/// Evaluates a policy for a DID document
///
/// The same as `…/evaluation`, at a path that ends as `did:web` wants it.
#[utoipa::path(
    get,
    path = "/evaluation/did.json",
    tag = "evaluation",
    params(ask::TimeoutHeader, kept::ResultHeaders),
    responses((
        status = 200,
        description = "The result document",
        content_type = "application/json",
        body = serde_json::Value,
        headers(("ETag" = String, description = "The evaluation's id, without quotes"))
    ))
)]
pub(super) async fn evaluate_did(
    state: State<Doors>,
    place: Place,
    asker: Asker,
    body: Body,
) -> Result<Response, Problem> {
    evaluate(state, place, asker, body).await
}

/// An evaluation that has a result.
pub(super) struct Evaluation {
    pub(super) entry: Arc<Entry>,
    pub(super) decision: Decision,
    pub(super) result: Document,
    pub(super) deadline: Instant,
    /// How the result is to be kept, if it is.
    wish: Option<Wish>,
}

impl Evaluation {
    /// Evaluates a policy about a body.
    pub(super) async fn of(
        doors: &Doors,
        place: &Place,
        asker: &Asker,
        body: Body,
    ) -> Result<Self, Problem> {
        let question = ask::question(Point::Evaluation, asker)?;
        let wish = kept::wish(asker)?;
        let snapshot = doors.snapshot()?;
        let entry = place.find(&snapshot)?;
        if wish.is_some() {
            kept::refuse_taken(doors, &question.id, entry.address())?;
        }
        let asked = entry.clone();
        let decision = ask::about_body(doors, &question, &snapshot, asked, body).await?;
        let result = entry.policy.bare(result_of(&decision)?.unwrap_or_default());
        Ok(Self {
            entry,
            decision,
            result,
            deadline: question.deadline,
            wish,
        })
    }

    /// The answer, which is the result, kept if it is to be.
    pub(super) fn answer(self, doors: &Doors) -> Response {
        let body = serde_json::to_vec(&self.result).expect("a document must serialise");
        let body = Bytes::from(body);
        let json = HeaderValue::from_static("application/json");
        let mut headers = HeaderMap::from_iter([(CONTENT_TYPE, json)]);
        if let Some(wish) = self.wish {
            let (now, policy) = (Instant::now(), self.entry.address().clone());
            let result = wish.of(policy, body.clone(), now);
            if doors.results().keep(&self.decision.id, result, now) {
                headers.insert(kept::TTL, wish.time.as_secs().into());
            }
        }
        let (etag, body) = with_etag(&self.decision, body);
        (etag, headers, body).into_response()
    }
}

/// The document of a policy that was evaluated, `None` where it is undefined. A document that is
/// no decision is one all the same for who asked for the document.
pub(crate) fn result_of(decision: &Decision) -> Result<Option<Document>, Problem> {
    if decision.was_evaluated() {
        Ok(decision.result.clone())
    } else {
        Err(Problem::of_decision(decision))
    }
}

/// A response that names its decision, bare, as clients of the TSA policy service read it.
pub(super) fn with_etag<T>(decision: &Decision, body: T) -> (HeaderMap, T) {
    let id = HeaderValue::from_str(&decision.id).expect("a decision's id is plain text");
    (HeaderMap::from_iter([(ETAG, id)]), body)
}
