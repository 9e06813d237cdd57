//! `…/evaluation`: the bare result document.

use axum::{
    Json,
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderValue, header::ETAG},
    response::{IntoResponse as _, Response},
};
use portcullis_policies::{Decision, Document, Outcome, Point};

use super::{ask, place::Place};
use crate::{
    Doors,
    problem::{Problem, ProblemDocument},
};

/// Evaluates a policy
///
/// The body is any JSON document, or nothing, whatever its content type says; the policy reads it
/// as `input`. The answer is the entrypoint's document as it is, whatever its `allow` or `deny`
/// say; it is `{}` where the entrypoint is undefined. Request headers are readable in the policy.
#[utoipa::path(
    method(get, post),
    path = "/evaluation",
    tag = "evaluation",
    params(ask::TimeoutHeader),
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
            headers(("ETag" = String, description = "The decision's id, without quotes"))
        ),
        (
            status = 403,
            description = "`POLICY.LOCKED` or `POLICY.NOT_IN_FORCE`: the policy was not evaluated",
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
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let question = ask::question(Point::Evaluation, &headers)?;
    let snapshot = doors.snapshot()?;
    let entry = place.find(&snapshot)?;
    let decision = ask::about_body(&doors, &question, &snapshot, entry, body).await?;
    let result = result_of(&decision)?.unwrap_or_default();
    Ok(with_etag(&decision, Json(result)).into_response())
}

/// The document of a policy that was evaluated, `None` where it is undefined. A document that is
/// no decision is one all the same for who asked for the document.
pub(super) fn result_of(decision: &Decision) -> Result<Option<Document>, Problem> {
    let was_evaluated = match decision.outcome {
        Outcome::Allowed | Outcome::Denied | Outcome::Skipped => true,
        Outcome::Error => decision.result.is_some(),
        Outcome::Locked
        | Outcome::Bypassed
        | Outcome::Exempted
        | Outcome::NotInForce
        | Outcome::Unmatched => false,
    };
    if was_evaluated {
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
