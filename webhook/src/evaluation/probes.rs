//! Whether this service is there, as clients of the TSA policy service ask.

use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    Doors,
    problem::{Problem, ProblemDocument},
};

/// A service that is there.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Health {
    /// The service's name.
    #[schema(example = "portcullis")]
    service: &'static str,
    /// `up`
    #[schema(example = "up")]
    status: &'static str,
    /// The service's version.
    version: &'static str,
}

/// Tells that this replica is alive
#[utoipa::path(
    get,
    path = "/liveness",
    tag = "probes",
    responses((status = 200, description = "It is", body = Health))
)]
pub(super) async fn liveness() -> Json<Health> {
    Json(up())
}

/// Tells whether this replica may be asked
#[utoipa::path(
    get,
    path = "/readiness",
    tag = "probes",
    responses(
        (status = 200, description = "It may", body = Health),
        (
            status = 503,
            description = "It may not, and why",
            content_type = "application/problem+json",
            body = ProblemDocument
        ),
    )
)]
pub(super) async fn readiness(State(doors): State<Doors>) -> Result<Json<Health>, Problem> {
    refuse_unready(&doors)?;
    Ok(Json(up()))
}

fn up() -> Health {
    Health {
        service: "portcullis",
        status: "up",
        version: env!("CARGO_PKG_VERSION"),
    }
}

fn refuse_unready(doors: &Doors) -> Result<(), Problem> {
    doors.is_ready().map_err(Problem::not_ready)
}
