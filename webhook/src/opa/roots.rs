//! The same without a path: all that is there.

use axum::{body::Body, extract::State, http::Uri, response::Response};

use super::{
    answer::DataAnswer,
    bare,
    data::{self, AnswerParameters},
    documented::{DataBody, InputParameter, NoDocument},
    fault::Fault,
};
use crate::{Doors, evaluation::ask, whence::Asker};

/// Evaluates all policies, as OPA does with `?input=`
///
/// The object of all groups, each with the documents of its policies.
#[utoipa::path(
    get,
    path = "/v1/data",
    operation_id = "all_data",
    tag = "opa",
    params(
        InputParameter,
        AnswerParameters,
        ask::TimeoutHeader
    ),
    responses(
        (status = 200, description = "The documents", body = DataAnswer),
        NoDocument,
    )
)]
pub(super) async fn get(state: State<Doors>, uri: Uri, asker: Asker) -> Result<Response, Fault> {
    data::get(state, uri, asker).await
}

/// Evaluates all policies, as OPA does
///
/// The object of all groups, each with the documents of its policies.
#[utoipa::path(
    post,
    path = "/v1/data",
    operation_id = "all_data",
    tag = "opa",
    params(AnswerParameters, ask::TimeoutHeader),
    request_body(
        content = Option<DataBody>,
        content_type = "application/json",
        description = "At most 4 MiB"
    ),
    responses(
        (status = 200, description = "The documents", body = DataAnswer),
        NoDocument,
    )
)]
pub(super) async fn post(
    state: State<Doors>,
    uri: Uri,
    asker: Asker,
    body: Body,
) -> Result<Response, Fault> {
    data::post(state, uri, asker, body).await
}

/// Evaluates all policies on a bare input, as OPA does
///
/// The object of all groups, each with the documents of its policies.
#[utoipa::path(
    post,
    path = "/v0/data",
    operation_id = "all_bare_data",
    tag = "opa",
    params(
        ("namespace" = Option<String>, Query, description = "The namespace that owns the policies"),
        ("pretty" = Option<String>, Query, description = "Alone or `true`: over several lines"),
        ask::TimeoutHeader
    ),
    request_body(
        content = Option<serde_json::Value>,
        content_type = "application/json",
        description = "The policies' `input`, at most 4 MiB"
    ),
    responses(
        (status = 200, description = "The documents", body = serde_json::Value),
        NoDocument,
    )
)]
pub(super) async fn post_bare(
    state: State<Doors>,
    uri: Uri,
    asker: Asker,
    body: Body,
) -> Result<Response, Fault> {
    bare::post(state, uri, asker, body).await
}
