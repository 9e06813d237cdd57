//! What OPA's clients speak, to the policies that Portcullis has.
//!
//! ```text
//! /v1/data/… ┐
//! /v0/data/… ├─ path ─▶ Asked: the policies ─ each is asked as by its address ─▶ Document ─▶ Go's JSON
//! POST /     ┘                                        │
//! /v1/query ─ Inquiry: what it looks at ──────────────┘
//! ```
//!
//! A policy answers here what it answers everywhere, with its own data, parameters, limits and locks. What
//! does not exist is OPA's `{}`; what is locked or broken never is, because clients read an absent
//! result as an answer.

mod about;
mod answer;
mod asked;
mod bare;
mod body;
mod compress;
mod data;
mod documented;
mod fault;
mod health;
mod modules;
mod notes;
mod options;
mod path;
mod query;
mod roots;

use axum::{
    Router,
    body::Body,
    http::{
        HeaderMap,
        header::{CONTENT_ENCODING, CONTENT_TYPE},
    },
    middleware,
    routing::{get, post},
};
use utoipa_axum::{router::OpenApiRouter, routes};

pub(crate) use modules::{module_id, refuse_write};
pub use path::DecisionPath;

use crate::{Doors, body::Held, problem::Problem, question::Question};

/// The routes with their documentation.
pub(crate) fn documented() -> OpenApiRouter<Doors> {
    OpenApiRouter::new()
        .routes(routes!(roots::get, roots::post))
        .routes(routes!(data::get, data::post))
        .routes(routes!(roots::post_bare))
        .route("/v1/data/", get(roots::get).post(roots::post))
        .route("/v0/data/", post(roots::post_bare))
        .routes(routes!(bare::post))
        .routes(routes!(bare::default_decision))
        .routes(routes!(query::get, query::post))
        .routes(routes!(modules::get))
        .routes(routes!(about::status))
        .routes(routes!(about::config))
        .routes(routes!(health::health))
        .routes(routes!(health::rule))
}

/// Reads the body of a request to one of these routes as the route does: as JSON, whatever it came as.
/// What the request says of how it came is taken out of it.
pub(crate) async fn read_body(
    doors: &Doors,
    question: &Question,
    headers: &mut HeaderMap,
    body: Body,
) -> Result<Held, Problem> {
    let held = body::read(doors, question, headers, body).await;
    let held = held.map_err(fault::Fault::into_problem)?;
    headers.remove(CONTENT_ENCODING);
    headers.remove(CONTENT_TYPE);
    Ok(held)
}

/// The same router, whose answers to OPA's clients are compressed for who accepts it.
pub(crate) fn compressing(router: Router<Doors>, doors: &Doors) -> Router<Doors> {
    router.layer(middleware::from_fn_with_state(
        doors.clone(),
        compress::compressed,
    ))
}
