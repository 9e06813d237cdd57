//! What every router does with a route or a method that it does not know.

use axum::{
    Router,
    http::{Method, StatusCode, Uri},
};
use portcullis_policies::text::clean;

use crate::{opa, problem::Problem};

/// The code of a route that does not exist.
const UNKNOWN_ROUTE: &str = "REQUEST.UNKNOWN_ROUTE";

/// The code of a method that a route does not have.
const METHOD_NOT_ALLOWED: &str = "REQUEST.METHOD_NOT_ALLOWED";

/// The same router, which answers what it does not know with a problem.
pub(crate) fn with_problems<S: Clone + Send + Sync + 'static>(router: Router<S>) -> Router<S> {
    router
        .fallback(unknown)
        .method_not_allowed_fallback(method_not_allowed)
}

/// The problem of a route that does not exist.
pub(crate) async fn unknown(method: Method, uri: Uri) -> Problem {
    let detail = format!("there is no route {method} {}", clean(uri.path()));
    Problem::new(StatusCode::NOT_FOUND, UNKNOWN_ROUTE, detail)
        .with_remedy("`GET /openapi.json` of the evaluation API lists its routes")
}

async fn method_not_allowed(method: Method, uri: Uri) -> Problem {
    let status = StatusCode::METHOD_NOT_ALLOWED;
    if let Some((reason, remedy)) = opa::refuse_write(&method, uri.path()) {
        return Problem::new(status, METHOD_NOT_ALLOWED, reason).with_remedy(remedy);
    }
    let detail = format!("{} cannot be asked with {method}", clean(uri.path()));
    Problem::new(status, METHOD_NOT_ALLOWED, detail)
        .with_remedy("use a method that the header `Allow` names")
}
