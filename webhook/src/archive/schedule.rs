//! `/v1/policy/import/config`: archives that are fetched and imported again and again.

use std::time::{Duration, Instant};

use axum::{
    Json,
    body::Body,
    extract::State,
    http::{HeaderMap, Uri},
};
use futures::future::{BoxFuture, FutureExt as _};
use portcullis_policies::{Address, Timestamp, text::clean};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    Caller, Doors,
    body::read_object,
    deadline::parse_duration,
    evaluation::site,
    outbound::{self, OutboundFault},
    problem::{Problem, ProblemDocument},
};

/// Longest body: a URL, an interval, and room for escapes.
const MAX_BODY: usize = 16 << 10;

/// Shortest interval: who needs a policy faster imports it.
const SHORTEST: Duration = Duration::from_mins(1);

/// Longest interval.
const LONGEST: Duration = Duration::from_hours(30 * 24);

/// Time for the body.
const PATIENCE: Duration = Duration::from_secs(10);

/// Keeps which archives are fetched: as objects of the cluster with the caller's own rights, or in a
/// file.
pub trait ImportScheduler: Send + Sync {
    /// Whether whoever can reach the endpoints may use them, without a token.
    fn is_open(&self) -> bool {
        false
    }

    /// Has an archive fetched from a URL from now on, or in another interval.
    fn set(
        &self,
        caller: Caller,
        url: String,
        interval: Duration,
    ) -> BoxFuture<'_, Result<(), OutboundFault>>;

    /// What is fetched, in the order of its URLs.
    fn list(&self, caller: Caller) -> BoxFuture<'_, Result<Vec<ScheduledImport>, OutboundFault>>;

    /// Has no archive fetched from a URL any more. Gives its interval.
    fn remove(&self, caller: Caller, url: String)
    -> BoxFuture<'_, Result<Duration, OutboundFault>>;
}

/// An archive that is fetched, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduledImport {
    /// Where it is fetched.
    pub url: String,
    /// How often.
    pub interval: Duration,
    /// When it is fetched next, if that is known.
    pub next: Option<Timestamp>,
    /// The policy that came of it last.
    pub address: Option<Address>,
    /// The policy's digest.
    pub digest: Option<String>,
    /// When it was imported last, or found to be the same.
    pub succeeded: Option<Timestamp>,
    /// Why the last attempt failed, if it did.
    pub failure: Option<String>,
    /// Attempts that failed since the last one that did not.
    pub failures: u32,
}

/// Where no archives are fetched: a sidecar.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoSchedules;

fn closed<T: Send + 'static>() -> BoxFuture<'static, Result<T, OutboundFault>> {
    let why = "this server fetches no archives";
    async { Err(OutboundFault::Closed(why.to_owned())) }.boxed()
}

impl ImportScheduler for NoSchedules {
    fn set(
        &self,
        _caller: Caller,
        _url: String,
        _interval: Duration,
    ) -> BoxFuture<'_, Result<(), OutboundFault>> {
        closed()
    }

    fn list(&self, _caller: Caller) -> BoxFuture<'_, Result<Vec<ScheduledImport>, OutboundFault>> {
        closed()
    }

    fn remove(
        &self,
        _caller: Caller,
        _url: String,
    ) -> BoxFuture<'_, Result<Duration, OutboundFault>> {
        closed()
    }
}

/// What is to be fetched, and how often.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ScheduleBody {
    /// Where the archive is, with `http` or `https`.
    #[serde(rename = "policyURL")]
    #[schema(
        max_length = 2048,
        format = "uri",
        example = "https://example.com/policy/policies/shop/discount/1.0/export"
    )]
    policy_url: String,
    /// How often, as Go writes durations: from a minute to 30 days.
    #[schema(
        example = "1h30m",
        pattern = "^([1-9][0-9]{0,2}(m|h))+$",
        max_length = 32
    )]
    interval: String,
}

/// What is not to be fetched any more.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct UnscheduleBody {
    /// Where the archive is.
    #[serde(rename = "policyURL")]
    #[schema(
        max_length = 2048,
        format = "uri",
        example = "https://example.com/policy/policies/shop/discount/1.0/export"
    )]
    policy_url: String,
}

/// What is fetched, and how often.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ImportSchedule)]
pub(super) struct ScheduleAnswer {
    /// Where the archive is.
    #[serde(rename = "policyURL")]
    policy_url: String,
    /// How often.
    #[schema(example = "1h30m0s")]
    interval: String,
}

/// All that is fetched.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ImportSchedules)]
pub(super) struct ScheduleList {
    /// In the order of the URLs.
    autoimport: Vec<ScheduleDocument>,
}

/// An archive that is fetched, and what became of it. The first three are those of the TSA policy
/// service.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ImportScheduleState)]
pub(super) struct ScheduleDocument {
    /// Where the archive is.
    #[serde(rename = "PolicyURL")]
    policy_url: String,
    /// How often, in nanoseconds.
    #[serde(rename = "Interval")]
    nanoseconds: u64,
    /// When it is fetched next, in RFC 3339.
    #[serde(rename = "NextImport", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    next: Option<Timestamp>,
    /// How often.
    #[schema(example = "1h30m0s")]
    interval: String,
    /// The policy that came of it last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "platform/required_labels@1.0")]
    policy: Option<Address>,
    /// The policy's digest.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "sha256:…")]
    digest: Option<String>,
    /// When it was imported last, or found to be the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    succeeded: Option<Timestamp>,
    /// Why the last attempt failed, if it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<String>,
    /// Attempts that failed since the last one that did not.
    failures: u32,
}

/// Has an archive fetched and imported periodically
///
/// It is fetched at once, then in this interval, from hosts that the administrator allows. It is
/// verified and imported as one that is sent to `/v1/policy/import`; what fails leaves the policy as it
/// is, and is told by `GET`. The same URL again changes its interval. In a cluster the schedule is an
/// object that is made with the caller's bearer token.
#[utoipa::path(
    post,
    path = "/v1/policy/import/config",
    operation_id = "import_schedule",
    tag = "archives",
    security((), ("bearer" = [])),
    request_body(content = ScheduleBody, content_type = "application/json"),
    responses(
        (status = 200, description = "It is fetched from now on", body = ScheduleAnswer),
        (
            status = 401,
            description = "A bearer token is required",
            content_type = "application/problem+json",
            body = ProblemDocument
        ),
        (
            status = 403,
            description = "`IMPORT.HOST_FORBIDDEN`: the administrator does not allow this host; `IMPORT.CLOSED`: no archives are fetched here; or the caller may not",
            content_type = "application/problem+json",
            body = ProblemDocument
        ),
        (
            status = 409,
            description = "`IMPORT.FULL`: there are as many as are kept",
            content_type = "application/problem+json",
            body = ProblemDocument
        ),
        (
            status = 503,
            description = "`IMPORT.UNAVAILABLE`: the schedules cannot be reached",
            content_type = "application/problem+json",
            body = ProblemDocument
        ),
    )
)]
pub(super) async fn set(
    State(doors): State<Doors>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<ScheduleAnswer>, Problem> {
    let scheduler = &doors.settings().schedules;
    site::refuse_others(&uri, &headers, scheduler.is_open())?;
    let ScheduleBody {
        policy_url,
        interval,
    } = read(&doors, body, "send `policyURL` and `interval`").await?;
    outbound::check_url("policyURL", &policy_url)?;
    let interval = parse_duration(&interval)
        .filter(|interval| (SHORTEST..=LONGEST).contains(interval))
        .ok_or_else(|| {
            Problem::input_invalid("invalid interval definition: not a duration of 1m to 720h")
                .with_remedy("write it like 1h or 1h30m")
        })?;
    // Whole seconds are what is kept.
    let interval = Duration::from_secs(interval.as_secs());
    let set = scheduler.set(Caller::of(&headers), policy_url.clone(), interval);
    outbound::in_time(&outbound::IMPORT, set).await?;
    Ok(Json(ScheduleAnswer {
        policy_url,
        interval: print(interval),
    }))
}

/// Lists the archives that are fetched periodically
#[utoipa::path(
    get,
    path = "/v1/policy/import/config",
    operation_id = "import_schedules",
    tag = "archives",
    security((), ("bearer" = [])),
    responses(
        (status = 200, description = "What is fetched, and what became of it", body = ScheduleList),
        (
            status = 401,
            description = "A bearer token is required",
            content_type = "application/problem+json",
            body = ProblemDocument
        ),
        (
            status = 403,
            description = "`IMPORT.CLOSED`: no archives are fetched here; or the caller may not",
            content_type = "application/problem+json",
            body = ProblemDocument
        ),
        (
            status = 503,
            description = "`IMPORT.UNAVAILABLE`: the schedules cannot be reached",
            content_type = "application/problem+json",
            body = ProblemDocument
        ),
    )
)]
pub(super) async fn list(
    State(doors): State<Doors>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Json<ScheduleList>, Problem> {
    let scheduler = &doors.settings().schedules;
    site::refuse_others(&uri, &headers, scheduler.is_open())?;
    let found = outbound::in_time(&outbound::IMPORT, scheduler.list(Caller::of(&headers))).await?;
    Ok(Json(ScheduleList {
        autoimport: found.into_iter().map(told).collect(),
    }))
}

/// Has an archive fetched no more
///
/// The policy stays as it is.
#[utoipa::path(
    delete,
    path = "/v1/policy/import/config",
    operation_id = "import_schedule",
    tag = "archives",
    security((), ("bearer" = [])),
    request_body(content = UnscheduleBody, content_type = "application/json"),
    responses(
        (status = 200, description = "It is not fetched any more", body = ScheduleAnswer),
        (
            status = 401,
            description = "A bearer token is required",
            content_type = "application/problem+json",
            body = ProblemDocument
        ),
        (
            status = 403,
            description = "`IMPORT.CLOSED`: no archives are fetched here; or the caller may not",
            content_type = "application/problem+json",
            body = ProblemDocument
        ),
        (
            status = 404,
            description = "`IMPORT.NOT_FOUND`: nothing is fetched from there",
            content_type = "application/problem+json",
            body = ProblemDocument
        ),
        (
            status = 503,
            description = "`IMPORT.UNAVAILABLE`: the schedules cannot be reached",
            content_type = "application/problem+json",
            body = ProblemDocument
        ),
    )
)]
pub(super) async fn remove(
    State(doors): State<Doors>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<ScheduleAnswer>, Problem> {
    let scheduler = &doors.settings().schedules;
    site::refuse_others(&uri, &headers, scheduler.is_open())?;
    let UnscheduleBody { policy_url } = read(&doors, body, "send `policyURL`").await?;
    let removed = scheduler.remove(Caller::of(&headers), policy_url.clone());
    let interval = outbound::in_time(&outbound::IMPORT, removed).await?;
    Ok(Json(ScheduleAnswer {
        policy_url: clean(&policy_url),
        interval: print(interval),
    }))
}

async fn read<T: for<'de> Deserialize<'de>>(
    doors: &Doors,
    body: Body,
    remedy: &str,
) -> Result<T, Problem> {
    let deadline = Instant::now() + PATIENCE;
    let held = doors.input_room().read(body, MAX_BODY, deadline).await?;
    read_object(&held.bytes).map_err(|error| {
        Problem::input_invalid(clean(&format!("the body cannot be read: {error}")))
            .with_remedy(remedy)
    })
}

fn told(schedule: ScheduledImport) -> ScheduleDocument {
    ScheduleDocument {
        policy_url: schedule.url,
        nanoseconds: u64::try_from(schedule.interval.as_nanos()).unwrap_or(u64::MAX),
        next: schedule.next,
        interval: print(schedule.interval),
        policy: schedule.address,
        digest: schedule.digest,
        succeeded: schedule.succeeded,
        failure: schedule.failure.map(|failure| clean(&failure)),
        failures: schedule.failures,
    }
}

/// Whole seconds, as Go prints them: `1h30m0s`.
fn print(interval: Duration) -> String {
    let seconds = interval.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{seconds}s"),
        (0, _) => format!("{minutes}m{seconds}s"),
        _ => format!("{hours}h{minutes}m{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(1, "1s")]
    #[case(60, "1m0s")]
    #[case(5400, "1h30m0s")]
    #[case(2_592_000, "720h0m0s")]
    fn intervals_are_printed_as_go_does(#[case] seconds: u64, #[case] expected: &str) {
        let interval = Duration::from_secs(seconds);
        assert_eq!(print(interval), expected);
        assert_eq!(parse_duration(expected), Some(interval));
    }
}
