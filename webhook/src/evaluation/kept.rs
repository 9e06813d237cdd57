//! `x-cache-ttl` and `/v1/results/{id}`: results that are kept for who fetches them later.

use std::time::{Duration, Instant};

use axum::{
    extract::{Path, State, rejection::PathRejection},
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{CONTENT_TYPE, ETAG},
    },
    response::{IntoResponse as _, Response},
};
use portcullis_policies::{Address, text::clean};
use utoipa::IntoParams;

use crate::{
    Doors,
    problem::{Problem, ProblemDocument},
    results::LONGEST,
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

/// How long a request wants its result kept, if it does.
pub(super) fn wanted(headers: &HeaderMap) -> Result<Option<Duration>, Problem> {
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
/// its room. Each replica knows the results of its own evaluations.
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
    )
)]
pub(super) async fn result(
    State(doors): State<Doors>,
    path: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let id = path.map_or_else(|_| String::new(), |Path(id)| id);
    let found = doors.results().find(&id, Instant::now()).and_then(|kept| {
        let etag = HeaderValue::from_str(&id).ok()?;
        let json = HeaderValue::from_static("application/json");
        Some(([(ETAG, etag), (CONTENT_TYPE, json)], kept.body))
    });
    found.map_or_else(|| Err(unknown(&id)), |found| Ok(found.into_response()))
}

fn unknown(id: &str) -> Problem {
    let detail = format!("no result is kept here under the id `{}`", clean(id));
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
