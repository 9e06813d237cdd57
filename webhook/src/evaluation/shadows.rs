//! `/v1/shadows`: on which requests shadows differ, for the operator that reports it. Who made which
//! requests is not for everybody who can reach a replica.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode, Uri},
};
use portcullis_policies::Address;
use serde::Serialize;
use utoipa::ToSchema;

use super::site;
use crate::{
    Doors,
    access::shows_pass,
    problem::{Problem, ProblemDocument},
    shadows::Example,
};

/// The shadows of this replica, with examples of what differs.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ShadowReport {
    /// Those that differ from the versions in force.
    shadows: Vec<DifferingShadow>,
}

/// A shadow that differs.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct DifferingShadow {
    /// The shadow's address.
    #[schema(value_type = String, example = "platform/required_labels@2.0")]
    address: Address,
    /// The namespace that owns it, or null.
    namespace: Option<String>,
    /// The version that it is compared with.
    #[schema(example = "1.0")]
    compares: String,
    /// The newest requests on which they differ, at most 20, the newest first.
    examples: Vec<ShadowExample>,
}

/// A request on which a shadow differs.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ShadowExample)]
struct ShadowExample {
    /// When it came, in RFC 3339.
    #[schema(example = "2026-11-30T12:00:00Z")]
    time: String,
    /// What it was about.
    #[schema(example = "CREATE pods shop/web")]
    request: String,
    /// Who made it.
    user: String,
    /// `stricter`, `looser`, `failed` or `messages`.
    #[schema(value_type = String, example = "stricter")]
    difference: &'static str,
    /// What the version in force said: its outcome, and its first message.
    #[schema(example = "allowed")]
    in_force: String,
    /// What the shadow said.
    #[schema(example = "denied: LIMITS.NONE: container \"web\" has no memory limit")]
    shadow: String,
}

impl From<Example> for ShadowExample {
    fn from(example: Example) -> Self {
        Self {
            time: example.time.to_string(),
            request: example.request,
            user: example.user,
            difference: example.difference.as_str(),
            in_force: example.in_force,
            shadow: example.shadow,
        }
    }
}

/// Tells on which requests shadows differ
///
/// The newest requests on which each shadow of this replica differs from the version in force, with what
/// both said and nothing of the objects. In a cluster only the operator is told, which writes it into
/// the status of the policy.
#[utoipa::path(
    get,
    path = "/v1/shadows",
    tag = "decisions",
    security((), ("bearer" = [])),
    responses(
        (status = 200, description = "The shadows that differ", body = ShadowReport),
        (
            status = 403,
            description = "The caller is not the operator",
            content_type = "application/problem+json",
            body = ProblemDocument
        ),
    )
)]
pub(super) async fn shadows(
    State(doors): State<Doors>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Json<ShadowReport>, Problem> {
    let readers = &doors.settings().readers;
    site::refuse_others(&uri, &headers, readers.is_open())?;
    if !readers.is_open() && !shows_pass(&doors, &headers) {
        let detail = "only the operator of this installation is told";
        let problem = Problem::new(StatusCode::FORBIDDEN, "SHADOW.FORBIDDEN", detail);
        return Err(problem.with_remedy("see `status.shadow` of the policy"));
    }
    let snapshot = doors.snapshot_so_far();
    let differing = snapshot.pairs().filter_map(|pair| {
        let address = pair.shadow.address();
        let tally = doors.shadows().tally(&snapshot, address)?;
        let examples: Vec<_> = tally.examples.into_iter().rev().map(Into::into).collect();
        (!examples.is_empty()).then(|| DifferingShadow {
            address: address.clone(),
            namespace: address.namespace().map(str::to_owned),
            compares: pair.in_force.address().version().to_string(),
            examples,
        })
    });
    let shadows = differing.collect();
    Ok(Json(ShadowReport { shadows }))
}
