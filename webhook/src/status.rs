//! The administrator's port of a process without doors, such as the operator.

use std::{fmt::Write as _, sync::Arc, time::Instant};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::IntoResponse,
    routing::get,
};

use crate::{Readiness, routes};

/// What prometheus-client writes.
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Appends metrics in the text format of `OpenMetrics`, without its end.
pub type MetricsWriter = Arc<dyn Fn(&mut String) + Send + Sync>;

#[derive(Clone)]
struct Process {
    readiness: Readiness,
    metrics: MetricsWriter,
}

/// `/livez`, `/readyz` and `/metrics`, without anything else.
pub fn status_router(readiness: Readiness, metrics: MetricsWriter) -> Router {
    let router = Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(scrape));
    routes::with_problems(router).with_state(Process { readiness, metrics })
}

async fn readyz(State(process): State<Process>) -> impl IntoResponse {
    match process.readiness.is_ready(Instant::now()) {
        Ok(()) => (StatusCode::OK, "ok\n".to_owned()),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")),
    }
}

async fn scrape(State(process): State<Process>) -> impl IntoResponse {
    let mut text = String::new();
    (process.metrics)(&mut text);
    if let Some(age) = process.readiness.age(Instant::now()) {
        text.push_str("# HELP portcullis_view_age_seconds Age of the view of the cluster.\n");
        text.push_str("# TYPE portcullis_view_age_seconds gauge\n");
        // Writing to a string does not fail.
        let _ = writeln!(text, "portcullis_view_age_seconds {}", age.as_secs_f64());
    }
    text.push_str("# EOF\n");
    ([(CONTENT_TYPE, OPENMETRICS)], text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::{body::Body, http::Request};
    use http_body_util::BodyExt as _;
    use tower::ServiceExt as _;

    async fn get(router: &Router, path: &str) -> (StatusCode, String) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn tells_whether_it_is_ready_and_what_it_measures() {
        let readiness = Readiness::new(["policies"]);
        let router = status_router(readiness.clone(), Arc::new(|text| text.push_str("up 1\n")));
        assert_eq!(get(&router, "/livez").await.0, StatusCode::OK);
        let (status, why) = get(&router, "/readyz").await;
        assert_eq!(
            (status, why.as_str()),
            (StatusCode::SERVICE_UNAVAILABLE, "not read yet: policies\n")
        );
        assert_eq!(get(&router, "/metrics").await.1, "up 1\n# EOF\n");
        readiness.set_synced("policies");
        assert_eq!(get(&router, "/readyz").await.0, StatusCode::OK);
        assert!(
            get(&router, "/metrics")
                .await
                .1
                .contains("\nportcullis_view_age_seconds 0")
        );
        assert_eq!(get(&router, "/else").await.0, StatusCode::NOT_FOUND);
    }
}
