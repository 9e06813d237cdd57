//! `/v0/data/…` and `POST /`: the body is the input, and the answer the document, both bare.

use std::sync::Arc;

use axum::{body::Body, extract::State, http::Uri, response::Response};
use portcullis_policies::Point;

use super::{
    answer::json,
    asked::Asked,
    body::{self, Source},
    data::VersionParameter,
    documented::NoDocument,
    fault::{ErrorDocument, Fault},
    options::Options,
    path::DataPath,
};
use crate::{Doors, evaluation::ask, parameters::Parameters, whence::Asker};

/// What every path begins with.
const PREFIX: &str = "/v0/data";

/// Evaluates a policy on a bare input, as OPA does
///
/// The body is the input, and the answer the bare document. The path is a group, a name, and then a
/// path in the policy's document.
#[utoipa::path(
    post,
    path = "/v0/data/{*path}",
    operation_id = "bare_data",
    tag = "opa",
    params(
        VersionParameter,
        ("namespace" = Option<String>, Query, description = "The namespace that owns the policy"),
        ("pretty" = Option<String>, Query, description = "Alone or `true`: over several lines"),
        ask::TimeoutHeader
    ),
    request_body(
        content = Option<serde_json::Value>,
        content_type = "application/json",
        description = "The policy's `input`, at most 4 MiB"
    ),
    responses(
        (status = 200, description = "The document", body = serde_json::Value),
        (status = 404, description = "`undefined_document`", body = ErrorDocument),
        NoDocument,
    )
)]
pub(super) async fn post(
    State(doors): State<Doors>,
    uri: Uri,
    asker: Asker,
    body: Body,
) -> Result<Response, Fault> {
    let path = DataPath::read(uri.path().strip_prefix(PREFIX).unwrap_or_default())?;
    answer(&doors, path, &uri, &asker, body).await
}

/// Asks for the default decision, as OPA does
///
/// The document of the path that `--default-decision` names, `/system/main` by default. The body is
/// the input, and the answer the bare document.
#[utoipa::path(
    post,
    path = "/",
    operation_id = "default_decision",
    tag = "opa",
    params(
        ("pretty" = Option<String>, Query, description = "Alone or `true`: over several lines"),
        ask::TimeoutHeader
    ),
    request_body(
        content = Option<serde_json::Value>,
        content_type = "application/json",
        description = "The policy's `input`, at most 4 MiB"
    ),
    responses(
        (status = 200, description = "The document", body = serde_json::Value),
        (status = 404, description = "`undefined_document`", body = ErrorDocument),
        NoDocument,
    )
)]
pub(super) async fn default_decision(
    State(doors): State<Doors>,
    uri: Uri,
    asker: Asker,
    body: Body,
) -> Result<Response, Fault> {
    let path = doors.settings().default_decision.path.clone();
    answer(&doors, path, &uri, &asker, body).await
}

async fn answer(
    doors: &Doors,
    path: DataPath,
    uri: &Uri,
    asker: &Asker,
    body: Body,
) -> Result<Response, Fault> {
    let parameters = Parameters::of(uri)?;
    let question = ask::question(Point::Evaluation, asker)?;
    let held = body::read(doors, &question, asker, body).await?;
    let source = Arc::new(Source::body(held));
    let snapshot = doors
        .snapshot()
        .map_err(|problem| problem.of(&question.id))?;
    let asked = Asked::find(&snapshot, path, &parameters, &question)?;
    let found = asked.ask(doors, &question, &snapshot, &source).await?;
    let Some(document) = found.document else {
        let what = if asked.is_defined() {
            "undefined"
        } else {
            "missing"
        };
        let reference = asked.path.reference();
        return Err(Fault::undefined(format!("document {what}: {reference}")));
    };
    Ok(json(&document, Options::of(&parameters)))
}
