//! `x-cache-ttl` and `/v1/results/{id}`: results that are kept for who fetches them later.
//!
//! Each replica keeps those of its own evaluations. Who fetches one asks whichever replica a Service
//! leads to, so it asks the others on behalf of who asked it:
//!
//! ```text
//! caller ─▶ replica ── its own? ── of an id that was made here ──▶ 200
//!              │ none, or of an id that callers may have given to others as well
//!              ▼
//!        other replicas, with the installation's pass ── the newest of all ──▶ 200
//!              │ none                    │ one did not answer
//!              ▼                         ▼
//!             404                       503
//! ```

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    body::Bytes,
    extract::{Path, State, rejection::PathRejection},
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{CONTENT_TYPE, ETAG},
    },
    response::{IntoResponse as _, Response},
};
use portcullis_policies::{Address, Timestamp, text::clean};
use utoipa::IntoParams;

use super::identifier;
use crate::{
    Doors, Elsewhere, KEPT_AT, ReplicasFault,
    access::shows_pass,
    problem::{Problem, ProblemDocument},
    results::{Kept, LONGEST},
};

/// The header that says how long a result is to be kept, and in an answer how long it is.
pub(super) const TTL: &str = "x-cache-ttl";

/// What a caller says of its evaluation and its result, as the routes document it.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "it describes what the handlers read")]
pub(super) struct ResultHeaders {
    /// The evaluation's id, up to 256 visible ASCII characters; a random one where it is not said.
    #[param(
        rename = "x-evaluation-id",
        example = "did:web:example.com",
        pattern = "^[!-~]*$",
        max_length = 256
    )]
    evaluation_id: Option<String>,
    /// Seconds for which the result is kept for `GET /v1/results/{id}`, a day at most. It is not kept
    /// where it is not said, or 0.
    #[param(rename = "x-cache-ttl", example = 60, minimum = 0)]
    ttl: Option<i64>,
}

/// How a result is to be kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wish {
    /// How long.
    pub(super) time: Duration,
    is_named: bool,
}

impl Wish {
    /// What is kept of a result that is there now.
    pub(super) fn of(self, policy: Address, body: Bytes, now: Instant) -> Kept {
        Kept {
            policy,
            body,
            is_named: self.is_named,
            at: Timestamp::now(),
            end: now + self.time,
        }
    }
}

/// Whether a request wants its result kept, and how.
pub(super) fn wish(headers: &HeaderMap) -> Result<Option<Wish>, Problem> {
    let Some(time) = wanted(headers)? else {
        return Ok(None);
    };
    let is_named = identifier::of(headers)?.is_some();
    Ok(Some(Wish { time, is_named }))
}

fn wanted(headers: &HeaderMap) -> Result<Option<Duration>, Problem> {
    let Some(value) = headers.get(TTL) else {
        return Ok(None);
    };
    let seconds = value
        .to_str()
        .ok()
        .and_then(|text| text.parse::<i64>().ok());
    let seconds = seconds.and_then(|seconds| u64::try_from(seconds).ok());
    let seconds = seconds.ok_or_else(|| {
        let detail = format!("the header `{TTL}` is not a number of seconds");
        Problem::input_invalid(detail).with_remedy("send whole seconds, or leave it out")
    })?;
    let time = Duration::from_secs(seconds).min(LONGEST);
    Ok((!time.is_zero()).then_some(time))
}

/// Refuses an id under which a result of another policy is kept: who fetches it means that one.
pub(super) fn refuse_taken(doors: &Doors, id: &str, policy: &Address) -> Result<(), Problem> {
    match doors.results().find(id, Instant::now()) {
        Some(other) if other.policy != *policy => {
            let detail = format!(
                "a result of another policy is kept under the id `{}`",
                clean(id)
            );
            Err(Problem::new(StatusCode::CONFLICT, "RESULT.EXISTS", detail)
                .with_remedy("send another `x-evaluation-id`, or none"))
        }
        _ => Ok(()),
    }
}

/// A kept result
///
/// The result of an evaluation with the header `x-cache-ttl`, until that time is over or others took
/// its room: of all replicas, the one that was kept last.
#[utoipa::path(
    get,
    path = "/v1/results/{id}",
    tag = "evaluation",
    responses(
        (
            status = 200,
            description = "The result document",
            content_type = "application/json",
            body = serde_json::Value,
            headers(("ETag" = String, description = "The evaluation's id, without quotes"))
        ),
        (
            status = 404,
            description = "`RESULT.NOT_FOUND`: nothing is kept under this id, or not any more",
            content_type = "application/problem+json",
            body = ProblemDocument
        ),
        (
            status = 503,
            description = "`RESULT.UNAVAILABLE`: nothing is kept here under this id, and not all other replicas could be asked",
            content_type = "application/problem+json",
            body = ProblemDocument
        ),
    )
)]
pub(super) async fn result(
    State(doors): State<Doors>,
    asked_with: HeaderMap,
    path: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let id: Arc<str> = path.map_or_else(|_| String::new(), |Path(id)| id).into();
    let etag = HeaderValue::from_str(&id).ok();
    let Some(etag) = etag.filter(|_| identifier::is_one(&id)) else {
        return Err(unknown(&id));
    };
    let own = doors.results().find(&id, Instant::now());
    let mut headers = HeaderMap::from_iter([
        (ETAG, etag),
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
    ]);
    let found = if shows_pass(&doors, &asked_with) {
        // Another replica asks each of us.
        if let Some(kept) = &own {
            let at = HeaderValue::from_str(&kept.at.to_string());
            headers.insert(KEPT_AT, at.expect("a time is plain text"));
        }
        own.map(|kept| kept.body)
    } else {
        newest(&doors, &id, own).await?
    };
    found.map_or_else(
        || Err(unknown(&id)),
        |body| Ok((headers, body).into_response()),
    )
}

/// What was kept last, here or on another replica.
async fn newest(doors: &Doors, id: &Arc<str>, own: Option<Kept>) -> Result<Option<Bytes>, Problem> {
    let others = doors.settings().others.as_ref();
    match (others, own) {
        (Some(others), own) if own.as_ref().is_none_or(|own| own.is_named) => {
            choose(id, own, others.newest_result(id.clone()).await)
        }
        (_, own) => Ok(own.map(|own| own.body)),
    }
}

/// The newer one. That there is none is only said where all others have said so.
fn choose(
    id: &str,
    own: Option<Kept>,
    others: Result<Elsewhere, ReplicasFault>,
) -> Result<Option<Bytes>, Problem> {
    let (elsewhere, why) = match others {
        Ok(Elsewhere { newest, silent }) => {
            let why = format!("{silent} of the other replicas did not answer");
            (newest, (silent > 0).then_some(why))
        }
        Err(fault) => (None, Some(fault.to_string())),
    };
    let own = own.map(|own| (own.at, own.body));
    match (
        own.into_iter().chain(elsewhere).max_by_key(|(at, _)| *at),
        why,
    ) {
        (Some((_, body)), _) => Ok(Some(body)),
        (None, None) => Ok(None),
        (None, Some(why)) => {
            let id = clean(id);
            let detail = format!(
                "no result is kept here under the id `{id}`, and {}",
                clean(&why)
            );
            let problem = Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "RESULT.UNAVAILABLE",
                detail,
            );
            Err(problem.with_remedy("ask again in a moment"))
        }
    }
}

fn unknown(id: &str) -> Problem {
    let detail = format!("no result is kept under the id `{}`", clean(id));
    Problem::new(StatusCode::NOT_FOUND, "RESULT.NOT_FOUND", detail)
        .with_remedy("evaluate the policy again, with the header `x-cache-ttl`")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(None, Ok(None))]
    #[case(Some("0"), Ok(None))]
    #[case(Some("60"), Ok(Some(60)))]
    #[case(Some("4294967295"), Ok(Some(86_400)))]
    #[case(Some("-1"), Err(()))]
    #[case(Some("1.5"), Err(()))]
    #[case(Some("soon"), Err(()))]
    fn is_whole_seconds_up_to_a_day(
        #[case] value: Option<&'static str>,
        #[case] expected: Result<Option<u64>, ()>,
    ) {
        let headers = value.map(|value| (TTL.parse().unwrap(), HeaderValue::from_static(value)));
        let found = wanted(&headers.into_iter().collect());
        let found = found.map(|time| time.map(|time| time.as_secs()));
        assert_eq!(found.map_err(|_| ()), expected);
    }
}
