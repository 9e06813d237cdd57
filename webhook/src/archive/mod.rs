//! Policies that go from one installation to another: `…/export`, `…/key`, `/v1/policy/import` and
//! `/v1/policy/import/config`.
//!
//! ```text
//! export ─▶ Entry of the snapshot ─▶ ArchiveKeeper ─▶ signed archive
//! import ─▶ body, bounded ─ multipart ─▶ ArchiveKeeper ─ verified ─ written with the caller's rights
//! ```
//!
//! What an archive is, who signs it and whose signature counts is the business of the keeper, which
//! the operator crate implements.

mod export;
mod import;
mod keeper;
mod multipart;
mod schedule;

use axum::http::StatusCode;
use portcullis_policies::text::clean;
use utoipa_axum::{router::OpenApiRouter, routes};

pub use keeper::{
    ArchiveFault, ArchiveKeeper, Exported, ImportAction, ImportRequest, Imported, NoArchives,
    VerifyingKey,
};

pub use schedule::{ImportScheduler, NoSchedules, ScheduledImport};

use crate::{Doors, problem::Problem};

/// The routes below a policy's address.
pub(crate) fn by_address() -> OpenApiRouter<Doors> {
    OpenApiRouter::new()
        .routes(routes!(export::export))
        .routes(routes!(export::key))
}

/// The routes beside them.
pub(crate) fn routes() -> OpenApiRouter<Doors> {
    OpenApiRouter::new()
        .routes(routes!(import::import))
        .routes(routes!(schedule::set, schedule::list, schedule::remove))
}

/// A fault as callers are told it.
fn problem_of(fault: &ArchiveFault) -> Problem {
    let detail = clean(&fault.to_string());
    let (status, code) = match fault {
        ArchiveFault::Unauthenticated => (StatusCode::UNAUTHORIZED, "REQUEST.UNAUTHENTICATED"),
        ArchiveFault::Forbidden(_) => (StatusCode::FORBIDDEN, "REQUEST.FORBIDDEN"),
        ArchiveFault::NoKey(_) => (StatusCode::FORBIDDEN, "ARCHIVE.NO_KEY"),
        ArchiveFault::Closed(_) => (StatusCode::FORBIDDEN, "ARCHIVE.CLOSED"),
        ArchiveFault::Invalid(_) => (StatusCode::BAD_REQUEST, "ARCHIVE.INVALID"),
        ArchiveFault::TooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, "ARCHIVE.TOO_LARGE"),
        ArchiveFault::Untrusted(_) => (StatusCode::FORBIDDEN, "ARCHIVE.UNTRUSTED"),
        ArchiveFault::Broken(_) => (StatusCode::BAD_REQUEST, "POLICY.COMPILE_FAILED"),
        ArchiveFault::Conflict { .. } => (StatusCode::CONFLICT, "ARCHIVE.CONFLICT"),
        ArchiveFault::Unavailable(_) => (StatusCode::SERVICE_UNAVAILABLE, "ARCHIVE.UNAVAILABLE"),
    };
    let problem = Problem::new(status, code, detail);
    match fault.remedy() {
        Some(remedy) => problem.with_remedy(clean(&remedy)),
        None => problem,
    }
}
