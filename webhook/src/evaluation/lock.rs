//! `…/lock`: takes a policy out of evaluation, and back.

use axum::{
    Json,
    body::Body,
    extract::State,
    http::{HeaderMap, StatusCode, Uri},
};
use futures::future::BoxFuture;
use portcullis_policies::{Address, Timestamp, text::clean};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{ask, place::Place, site};
use crate::{
    Caller, Doors, LockFault, LockRequest,
    body::{Held, read_object},
    deadline::DEFAULT_TIMEOUT,
    problem::{Problem, ProblemDocument},
    whence::Asker,
};

/// Longest body: a reason of a thousand characters, escaped, and a time.
const MAX_LOCK: usize = 16 << 10;

/// What a lock is to say.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = LockBody)]
pub(super) struct LockBody {
    /// Why the policy is locked.
    #[schema(example = "incident 4711")]
    reason: Option<String>,
    /// When the lock ends, in RFC 3339; not in the past.
    #[schema(value_type = Option<String>, format = DateTime, example = "2030-12-01T00:00:00Z")]
    expires_at: Option<Timestamp>,
}

/// Whether a policy is locked now.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LockState {
    /// The policy's address.
    #[schema(value_type = String, example = "platform/required_labels@1.0")]
    policy: Address,
    /// Whether it is locked.
    locked: bool,
}

/// Locks a policy
///
/// A locked policy is not evaluated: evaluations are answered with 403 and `POLICY.LOCKED` until
/// it is unlocked or the lock ends. In a cluster the lock is made with the caller's bearer token,
/// so that the API server decides who may.
#[utoipa::path(
    post,
    path = "/lock",
    tag = "locks",
    security((), ("bearer" = [])),
    request_body(
        content = Option<LockBody>,
        content_type = "application/json",
        description = "Why, and until when"
    ),
    responses(
        (status = 200, description = "The policy is locked", body = LockState),
        (
            status = 401,
            description = "A bearer token is required",
            content_type = "application/problem+json",
            body = ProblemDocument
        ),
        (
            status = 403,
            description = "`policy is already locked`, or the caller may not lock it",
            content_type = "application/problem+json",
            body = ProblemDocument
        ),
        (
            status = 503,
            description = "The locks cannot be reached",
            content_type = "application/problem+json",
            body = ProblemDocument
        ),
    )
)]
pub(super) async fn lock(
    State(doors): State<Doors>,
    place: Place,
    uri: Uri,
    asker: Asker,
    body: Body,
) -> Result<Json<LockState>, Problem> {
    site::refuse_others(&uri, &asker, doors.settings().locks.is_open())?;
    place.find(&*doors.snapshot()?)?;
    let question = ask::question(portcullis_policies::Point::Evaluation, &asker)?;
    let held = doors
        .input_room()
        .read(body, MAX_LOCK, question.deadline)
        .await?;
    let LockBody { reason, expires_at } = read(&held)?;
    if expires_at.is_some_and(|end| end <= question.now()) {
        return Err(Problem::input_invalid("`expiresAt` is in the past")
            .with_remedy("set `expiresAt` to a later time, or leave it out"));
    }
    let request = LockRequest {
        address: place.0.clone(),
        reason: reason
            .as_deref()
            .map(clean)
            .filter(|reason| !reason.is_empty()),
        expires_at,
    };
    let locks = &doors.settings().locks;
    in_time(locks.lock(Caller::of(&asker), request)).await?;
    Ok(Json(LockState {
        policy: place.0,
        locked: true,
    }))
}

/// Unlocks a policy
///
/// Removes the lock that was made here. Locks that were made otherwise stay, and are named.
#[utoipa::path(
    delete,
    path = "/lock",
    tag = "locks",
    security((), ("bearer" = [])),
    responses(
        (status = 200, description = "The policy is not locked any more", body = LockState),
        (
            status = 401,
            description = "A bearer token is required",
            content_type = "application/problem+json",
            body = ProblemDocument
        ),
        (
            status = 403,
            description = "`policy is unlocked`, or the caller may not unlock it",
            content_type = "application/problem+json",
            body = ProblemDocument
        ),
        (
            status = 409,
            description = "Locks that were not made over HTTP hold the policy",
            content_type = "application/problem+json",
            body = ProblemDocument
        ),
        (
            status = 503,
            description = "The locks cannot be reached",
            content_type = "application/problem+json",
            body = ProblemDocument
        ),
    )
)]
pub(super) async fn unlock(
    State(doors): State<Doors>,
    place: Place,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Json<LockState>, Problem> {
    site::refuse_others(&uri, &headers, doors.settings().locks.is_open())?;
    place.find(&*doors.snapshot()?)?;
    let locks = &doors.settings().locks;
    in_time(locks.unlock(Caller::of(&headers), place.0.clone())).await?;
    Ok(Json(LockState {
        policy: place.0,
        locked: false,
    }))
}

/// Waits for the locks as long as anybody waits for an answer here.
pub(super) async fn in_time(answer: BoxFuture<'_, Result<(), LockFault>>) -> Result<(), Problem> {
    let answered = tokio::time::timeout(DEFAULT_TIMEOUT, answer).await;
    let late = || LockFault::Unavailable("the locks did not answer in time".to_owned());
    answered
        .unwrap_or_else(|_| Err(late()))
        .map_err(|fault| problem_of(&fault))
}

fn read(held: &Held) -> Result<LockBody, Problem> {
    if held.bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(LockBody::default());
    }
    read_object(&held.bytes).map_err(|error| {
        Problem::input_invalid(clean(&format!("the body cannot be read: {error}")))
            .with_remedy("send `reason` and `expiresAt`, or nothing")
    })
}

fn problem_of(fault: &LockFault) -> Problem {
    let detail = clean(&fault.to_string());
    let (status, remedy) = match fault {
        LockFault::Unauthenticated => (
            StatusCode::UNAUTHORIZED,
            Some("send `Authorization: Bearer` with a token of the cluster"),
        ),
        LockFault::Forbidden(_) | LockFault::AlreadyLocked | LockFault::NotLocked => {
            (StatusCode::FORBIDDEN, None)
        }
        LockFault::HeldByOthers(_) => (
            StatusCode::CONFLICT,
            Some("have these locks removed where they were made"),
        ),
        LockFault::Unavailable(_) => (StatusCode::SERVICE_UNAVAILABLE, Some("try again")),
    };
    let problem = Problem::new(status, fault.code(), detail);
    match remedy {
        Some(remedy) => problem.with_remedy(remedy),
        None => problem,
    }
}
