//! `/v1/policy/import`: takes an archive in.

use std::time::{Duration, Instant};

use axum::{
    Json,
    body::Body,
    extract::State,
    http::{HeaderMap, Uri, header::CONTENT_TYPE},
};
use portcullis_policies::{Address, Digest, Timestamp, text::clean};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    keeper::{ArchiveFault, ImportRequest, Imported},
    multipart, problem_of,
};
use crate::{
    Caller, Doors,
    evaluation::site,
    parameters::Parameters,
    problem::{Problem, ProblemDocument},
};

/// Longest body: an archive of 8 MiB, and the form around it.
const MAX_BODY: usize = (8 << 20) + (64 << 10);

/// Time for the body, and then for what is done with it: compiling, and writing to the API server.
const PATIENCE: Duration = Duration::from_secs(20);

/// What was imported. The first six are those of the TSA policy service.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ImportedPolicy {
    /// The repository's name here.
    #[schema(example = "policies")]
    repository: String,
    /// The first part of the address.
    #[schema(example = "platform")]
    group: String,
    /// The second part of the address.
    #[schema(example = "required_labels")]
    name: String,
    /// The third part of the address.
    #[schema(example = "1.0")]
    version: String,
    /// Always false: a policy that is locked where it comes from is not imported.
    locked: bool,
    /// When it was changed last where it comes from, in RFC 3339, as its signer says.
    #[schema(value_type = String, format = DateTime, example = "2026-11-30T12:00:00Z")]
    last_update: Timestamp,
    /// The policy's address.
    #[schema(value_type = String, example = "platform/required_labels@1.0")]
    policy: Address,
    /// The namespace that owns it, if one does.
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<String>,
    /// Its digest here.
    #[schema(value_type = String, example = "sha256:…")]
    digest: Digest,
    /// `created`, `replaced` or `unchanged`.
    #[schema(example = "created")]
    action: &'static str,
    /// The key that signed the archive, by its thumbprint.
    signer: String,
    /// Files of the archive that mean nothing here.
    ignored: Vec<String>,
    /// Whether this replica has it in force already; if not, it will within seconds.
    in_force: bool,
}

/// Imports a policy
///
/// The body is an archive as `…/export` gives it, or a form (`multipart/form-data`) with it as its
/// only file. It has to be signed by a key that the administrator configured; what the archive says
/// about keys does not count. In a cluster the policy is applied with the caller's bearer token, so
/// that the API server decides who may. The same policy again is `unchanged`. Another content under an
/// address takes the place of one that was imported of the same signer and is older; anything else is
/// 409, unless `replaces` names the digest that is in force.
#[utoipa::path(
    post,
    path = "/v1/policy/import",
    tag = "archives",
    security((), ("bearer" = [])),
    params(
        ("namespace" = Option<String>, Query, description = "The namespace that is to own the policy; without it, the cluster"),
        (
            "replaces" = Option<String>,
            Query,
            pattern = "^sha256:[0-9a-f]{64}$",
            description = "The digest of the policy in force that is to be replaced, whatever it is"
        ),
    ),
    request_body(
        content((Vec<u8> = "application/zip"), (Vec<u8> = "multipart/form-data")),
        description = "The archive"
    ),
    responses(
        (status = 200, description = "The policy is there", body = ImportedPolicy),
        (
            status = 400,
            description = "`ARCHIVE.INVALID`: it is no archive of a policy; `POLICY.COMPILE_FAILED`: the policy would be broken here",
            content_type = "application/problem+json",
            body = ProblemDocument
        ),
        (
            status = 401,
            description = "A bearer token is required",
            content_type = "application/problem+json",
            body = ProblemDocument
        ),
        (
            status = 403,
            description = "`ARCHIVE.UNTRUSTED`: no key of the administrator's signed it for this address; `ARCHIVE.NO_KEY`, `ARCHIVE.CLOSED`: nothing is imported here; or the caller may not",
            content_type = "application/problem+json",
            body = ProblemDocument
        ),
        (
            status = 409,
            description = "`ARCHIVE.CONFLICT`: another content holds the address, and the archive does not take its place",
            content_type = "application/problem+json",
            body = ProblemDocument
        ),
        (
            status = 413,
            description = "`ARCHIVE.TOO_LARGE`: the archive, or what is in it, is larger than is taken",
            content_type = "application/problem+json",
            body = ProblemDocument
        ),
        (
            status = 503,
            description = "`ARCHIVE.UNAVAILABLE`: the API server or the disk cannot be reached",
            content_type = "application/problem+json",
            body = ProblemDocument
        ),
    )
)]
pub(super) async fn import(
    State(doors): State<Doors>,
    parameters: Parameters,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<ImportedPolicy>, Problem> {
    let archives = &doors.settings().archives;
    site::refuse_others(&uri, &headers, archives.is_open())?;
    // Whether an address is free is not known before all policies are.
    doors.snapshot()?;
    let replaces = match parameters.get("replaces") {
        None => None,
        Some(text) => Some(text.parse().map_err(
            |error: portcullis_policies::digest::DigestError| {
                Problem::input_invalid(format!(
                    "the parameter `replaces`: {}",
                    clean(&error.to_string())
                ))
            },
        )?),
    };
    let deadline = Instant::now() + PATIENCE;
    let held = doors.input_room().read(body, MAX_BODY, deadline).await?;
    let content_type = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let archive = multipart::archive(content_type, &held.bytes)
        .map_err(|why| problem_of(&ArchiveFault::Invalid(why.to_owned())))?;
    let request = ImportRequest {
        archive,
        namespace: parameters.get("namespace").map(str::to_owned),
        replaces,
    };
    let answer = archives.import(Caller::of(&headers), request);
    let answered = tokio::time::timeout(PATIENCE, answer).await;
    let late = || ArchiveFault::Unavailable("the import was not done in time".to_owned());
    let imported = answered
        .unwrap_or_else(|_| Err(late()))
        .map_err(|fault| problem_of(&fault))?;
    Ok(Json(told(imported, &doors.settings().repository)))
}

fn told(imported: Imported, repository: &str) -> ImportedPolicy {
    let address = imported.address;
    ImportedPolicy {
        repository: repository.to_owned(),
        group: address.group().to_owned(),
        name: address.name().to_owned(),
        version: address.version().to_string(),
        locked: false,
        last_update: imported.last_update,
        namespace: address.namespace().map(str::to_owned),
        policy: address,
        digest: imported.digest,
        action: imported.action.as_str(),
        signer: imported.signer,
        ignored: imported.ignored.iter().map(|name| clean(name)).collect(),
        in_force: imported.in_force,
    }
}
