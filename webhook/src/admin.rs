//! The administrator's port: what the kubelet and Prometheus ask.

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::IntoResponse,
    routing::get,
};

use crate::{Doors, metrics, routes};

/// What `encode` of prometheus-client writes.
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The administrator's port: `/livez`, `/readyz` and `/metrics`.
pub fn admin_router(doors: Doors) -> Router {
    let router = Router::new()
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .route("/metrics", get(scrape));
    routes::with_problems(router).with_state(doors)
}

/// Whoever reads this answer knows that the reactor runs; 503 says that only a restart helps.
async fn livez(State(doors): State<Doors>) -> impl IntoResponse {
    match doors.is_alive() {
        Ok(()) => (StatusCode::OK, "ok\n".to_owned()),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")),
    }
}

/// `ok`, or in words why not; behind it what is wrong all the same.
async fn readyz(State(doors): State<Doors>) -> impl IntoResponse {
    let (status, mut text) = match doors.is_ready() {
        Ok(()) => (StatusCode::OK, "ok\n".to_owned()),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")),
    };
    for remark in doors.remarks() {
        text.push_str(&remark);
        text.push('\n');
    }
    (status, text)
}

async fn scrape(State(doors): State<Doors>) -> impl IntoResponse {
    ([(CONTENT_TYPE, OPENMETRICS)], metrics::render(&doors))
}
