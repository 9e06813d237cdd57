//! `…/validation`: the result, if it satisfies the policy's schema.

use axum::{body::Body, extract::State, http::StatusCode, response::Response};
use portcullis_policies::{Address, Breach, Code, Timestamp};

use super::{ask, evaluate::Evaluation, kept, lock, place::Place};
use crate::{
    Doors, Unanswered,
    evaluators::Lane,
    problem::{Problem, ProblemDocument},
    whence::Asker,
};

/// The code of a policy that has no schema to validate with.
const NO_SCHEMA: &str = "POLICY.NO_OUTPUT_SCHEMA";

/// Evaluates a policy and validates its result
///
/// The same as `…/evaluation`, where the result satisfies the policy's `outputSchema`. With
/// `lockOnFailure` a result that does not takes the policy out of evaluation.
#[utoipa::path(
    method(get, post),
    path = "/validation",
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
            description = "The result document, which satisfies the schema",
            content_type = "application/json",
            body = serde_json::Value,
            headers(("ETag" = String, description = "The evaluation's id, without quotes"))
        ),
        (
            status = 400,
            description = "`POLICY.NO_OUTPUT_SCHEMA`: the policy has no `outputSchema`",
            content_type = "application/problem+json",
            body = ProblemDocument
        ),
        (
            status = 403,
            description = "`POLICY.LOCKED` or `POLICY.NOT_IN_FORCE`: the policy was not evaluated",
            content_type = "application/problem+json",
            body = ProblemDocument
        ),
        (
            status = 500,
            description = "`POLICY.OUTPUT_INVALID`: the result breaks the schema, and `breaches` \
                           says where; or the policy is broken, or failed",
            content_type = "application/problem+json",
            body = ProblemDocument
        ),
    )
)]
pub(super) async fn validate(
    State(doors): State<Doors>,
    place: Place,
    asker: Asker,
    body: Body,
) -> Result<Response, Problem> {
    let snapshot = doors.snapshot()?;
    if place.find(&snapshot)?.policy.definition().output.is_none() {
        let detail = format!("the policy {} has no `outputSchema`", place.0);
        return Err(Problem::new(StatusCode::BAD_REQUEST, NO_SCHEMA, detail)
            .with_remedy("set `outputSchema` in the policy, or ask for `…/evaluation`"));
    }
    let evaluation = Evaluation::of(&doors, &place, &asker, body).await?;
    let found = check(&doors, &evaluation).await;
    let (breaches, sealed) = found.map_err(|problem| problem.of(&evaluation.decision.id))?;
    if sealed {
        tell(&doors, place.0).await;
    }
    if breaches.is_empty() {
        return Ok(evaluation.answer(&doors));
    }
    Err(broken(breaches).of(&evaluation.decision.id))
}

/// Evaluates a policy for a DID document and validates it
///
/// The same as `…/validation`, at a path that ends as `did:web` wants it.
#[utoipa::path(
    get,
    path = "/validation/did.json",
    tag = "evaluation",
    params(ask::TimeoutHeader, kept::ResultHeaders),
    responses((
        status = 200,
        description = "The result document, which satisfies the schema",
        content_type = "application/json",
        body = serde_json::Value,
        headers(("ETag" = String, description = "The evaluation's id, without quotes"))
    ))
)]
pub(super) async fn validate_did(
    state: State<Doors>,
    place: Place,
    asker: Asker,
    body: Body,
) -> Result<Response, Problem> {
    validate(state, place, asker, body).await
}

/// Where the result breaks the schema, and whether the policy was sealed for it, all in one job: no
/// request that comes after this one's answer is evaluated.
async fn check(doors: &Doors, evaluation: &Evaluation) -> Result<(Vec<Breach>, bool), Problem> {
    let (entry, result) = (evaluation.entry.clone(), evaluation.result.clone());
    let subject = {
        let address = entry.address().clone();
        move || format!("the schema of {address}")
    };
    let cache = doors.settings().cache.clone();
    let job = move || {
        let policy = &entry.policy;
        let breaches = policy.breaches(&result);
        let locks = policy
            .definition()
            .output
            .as_ref()
            .is_some_and(|output| output.locks);
        let sealed = locks
            && !breaches.is_empty()
            && cache.update(|state| state.seal(policy, Timestamp::now()));
        (breaches, sealed)
    };
    let evaluators = &doors.settings().evaluators;
    let checked = evaluators.run_about(Lane::Evaluation, evaluation.deadline, subject, job);
    checked.await.map_err(|why| match why {
        Unanswered::Overloaded | Unanswered::Late => {
            Problem::overloaded("there was no room to validate the result in time")
        }
        Unanswered::Failed => Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            Code::EvaluationFailed.as_str(),
            "the result cannot be validated",
        ),
    })
}

/// Has the lock made. The seal holds whether it is or not.
async fn tell(doors: &Doors, address: Address) {
    tracing::warn!(policy = %address, "a result breaks `outputSchema`: the policy is out of evaluation");
    let made = lock::in_time(doors.settings().locks.lock_sealed(address.clone())).await;
    if let Err(problem) = made {
        tracing::error!(policy = %address, fault = problem.detail, "the policy is sealed here, and not locked");
    }
}

fn broken(breaches: Vec<Breach>) -> Problem {
    let first = breaches
        .first()
        .map_or_else(String::new, |breach| match &*breach.path {
            "" => breach.message.clone(),
            path => format!("{path}: {}", breach.message),
        });
    let more = match breaches.len() {
        0 | 1 => String::new(),
        count => format!(", and {} more", count - 1),
    };
    let detail = format!("the result breaks the policy's `outputSchema`: {first}{more}");
    let status = StatusCode::INTERNAL_SERVER_ERROR;
    let problem = Problem::new(status, Code::OutputInvalid.as_str(), detail);
    Problem {
        breaches,
        ..problem.with_remedy("mend the policy or its `outputSchema`; `breaches` says where")
    }
}
