//! `…/decision`: the full decision, as at admission or as at evaluation.

use axum::{
    Json,
    body::Body,
    extract::State,
    response::{IntoResponse as _, Response},
};
use portcullis_policies::{Code, Point};

use super::{ask, evaluate::with_etag, place::Place};
use crate::{
    Doors,
    openapi::DecisionDocument,
    parameters::Parameters,
    problem::{Problem, ProblemDocument},
    whence::Asker,
};

/// Decides
///
/// What the policy makes of a document: whether it allows it, why, with which warnings, and the
/// result. With `point=admission` the body is an `AdmissionReview`, and the decision is the one
/// that the API server gets: the policy's action and failure policy apply. A policy that is
/// locked, broken or out of time decides as well; only when there is no room to evaluate, there
/// is no decision.
#[utoipa::path(
    method(get, post),
    path = "/decision",
    tag = "evaluation",
    params(
        (
            "point" = Option<String>,
            Query,
            pattern = "^(evaluation|admission)$",
            description = "`evaluation`, which is the default, or `admission`"
        ),
        ask::TimeoutHeader
    ),
    request_body(
        content = Option<serde_json::Value>,
        content_type = "application/json",
        description = "The policy's `input`, at most 4 MiB; at admission a review, at most 8 MiB"
    ),
    responses(
        (
            status = 200,
            description = "The decision, whatever it is",
            content_type = "application/json",
            body = DecisionDocument,
            headers(("ETag" = String, description = "The decision's id, without quotes"))
        ),
        (
            status = 503,
            description = "`POLICY.OVERLOADED` or `SERVICE.NOT_READY`: try again after \
                           `Retry-After` seconds",
            content_type = "application/problem+json",
            body = ProblemDocument
        ),
    )
)]
pub(super) async fn decide(
    State(doors): State<Doors>,
    place: Place,
    parameters: Parameters,
    asker: Asker,
    body: Body,
) -> Result<Response, Problem> {
    let point = match parameters.get("point") {
        None | Some("evaluation") => Point::Evaluation,
        Some("admission") => Point::Admission,
        Some(_) => {
            let detail = "the parameter `point` is neither `evaluation` nor `admission`";
            return Err(Problem::input_invalid(detail));
        }
    };
    let question = ask::question(point, &asker)?;
    let snapshot = doors.snapshot()?;
    let entry = place.find(&snapshot)?;
    let decision = ask::about_body(&doors, &question, &snapshot, entry, body).await?;
    let said = decision.messages.iter().chain(&decision.warnings);
    if said
        .into_iter()
        .any(|message| message.code == Code::Overloaded)
    {
        let problem = Problem::overloaded("there was no room to evaluate in time");
        return Err(problem.of(&question.id));
    }
    Ok(with_etag(&decision, Json(decision.clone())).into_response())
}
