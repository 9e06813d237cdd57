//! `…/export` and `…/key`: a policy as a signed archive, and the key that verifies it.

use std::time::Duration;

use axum::{
    extract::State,
    http::{
        HeaderMap, StatusCode,
        header::{ACCEPT, CONTENT_DISPOSITION, CONTENT_TYPE, ETAG, IF_NONE_MATCH},
    },
    response::{IntoResponse as _, Response},
};
use portcullis_policies::{Point, Timestamp};

use super::{keeper::ArchiveFault, problem_of};
use crate::{
    Doors,
    evaluation::place::Place,
    problem::{Problem, ProblemDocument},
};

/// Time to make an archive: some megabytes are hashed and signed.
const PATIENCE: Duration = Duration::from_secs(9);

/// Exports a policy
///
/// A ZIP archive of `policy_bundle.zip`, which has the policy, its data and its metadata, and of
/// `signature.raw`, the signature of SHA-256 of that file by the key that `…/key` tells. It is the
/// archive of the Gaia-X TSA policy service. The signed part is the same bytes as long as the policy,
/// its lock and the key are; `ETag` names it, and `If-None-Match` is answered with 304.
#[utoipa::path(
    get,
    path = "/export",
    tag = "archives",
    params(
        ("if-none-match" = Option<String>, Header, description = "The `ETag` of an archive that you have"),
    ),
    responses(
        (
            status = 200,
            description = "The archive",
            content_type = "application/zip",
            body = Vec<u8>,
            headers(
                ("etag" = String, description = "Names the signed part"),
                ("content-disposition" = String, description = "The name for a file"),
            )
        ),
        (status = 304, description = "You have it already"),
        (
            status = 403,
            description = "`ARCHIVE.NO_KEY`: the administrator has configured no key to sign with",
            content_type = "application/problem+json",
            body = ProblemDocument
        ),
        (
            status = 413,
            description = "`ARCHIVE.TOO_LARGE`: the policy is larger than an archive may be",
            content_type = "application/problem+json",
            body = ProblemDocument
        ),
    )
)]
pub(super) async fn export(
    State(doors): State<Doors>,
    place: Place,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let entry = place.find(&*doors.snapshot()?)?;
    let is_locked = entry
        .active_lock(Point::Evaluation, Timestamp::now())
        .is_some();
    let archives = &doors.settings().archives;
    let answer = tokio::time::timeout(PATIENCE, archives.export(entry, is_locked)).await;
    let late = || ArchiveFault::Unavailable("the archive was not made in time".to_owned());
    let exported = answer
        .unwrap_or_else(|_| Err(late()))
        .map_err(|fault| problem_of(&fault))?;
    // Of one signed part there may be several signatures, so the validator is a weak one.
    let tag = format!("W/\"{}\"", exported.tag);
    let is_known = headers.get_all(IF_NONE_MATCH).iter().any(|known| {
        let mut known = known.to_str().unwrap_or_default().split(',');
        known.any(|known| known.trim() == tag)
    });
    if is_known {
        return Ok((StatusCode::NOT_MODIFIED, [(ETAG, tag)]).into_response());
    }
    let address = &place.0;
    let file = format!(
        "{}_{}_{}_{}.zip",
        doors.settings().repository,
        address.group(),
        address.name(),
        address.version()
    );
    let headers = [
        (CONTENT_TYPE, "application/zip".to_owned()),
        (
            CONTENT_DISPOSITION,
            format!("attachment; filename=\"{}\"", printable(&file)),
        ),
        (ETAG, tag),
    ];
    Ok((headers, exported.archive).into_response())
}

/// The repository's name is the administrator's; in a header's quotes some characters end them.
fn printable(file: &str) -> String {
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "._-".contains(character);
    let plain = |character| if is_plain(character) { character } else { '-' };
    file.chars().map(plain).collect()
}

/// Tells the key that verifies exported archives
///
/// A JSON Web Key, or with `Accept: application/x-pem-file` a public key in PEM. Its `kid` is its
/// thumbprint (RFC 7638). Whoever imports has it from the administrator and not from here: who could
/// change an archive under way could change this answer, too.
#[utoipa::path(
    get,
    path = "/key",
    tag = "archives",
    responses(
        (
            status = 200,
            description = "The key",
            content(
                (serde_json::Value = "application/json"),
                (String = "application/x-pem-file")
            )
        ),
        (
            status = 403,
            description = "`ARCHIVE.NO_KEY`: the administrator has configured no key to sign with",
            content_type = "application/problem+json",
            body = ProblemDocument
        ),
    )
)]
pub(super) async fn key(
    State(doors): State<Doors>,
    place: Place,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    place.find(&*doors.snapshot()?)?;
    let key = doors.settings().archives.key();
    let key = key.map_err(|fault| problem_of(&fault))?;
    let accept = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok());
    let wants_pem = accept.is_some_and(|accept| accept.contains("application/x-pem-file"));
    Ok(if wants_pem {
        ([(CONTENT_TYPE, "application/x-pem-file")], key.pem).into_response()
    } else {
        ([(CONTENT_TYPE, "application/json")], key.jwk.to_string()).into_response()
    })
}
