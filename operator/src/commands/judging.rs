//! What `portcullis check` and `portcullis audit` share: objects are judged as the API server's door
//! would, and the results are printed for people and programs.
//!
//! ```text
//! object ─── review ──┐
//! policies ───────────┴── judge ──▶ Judged ── findings ──▶ table, json, yaml, junit, sarif
//! ```

pub(super) mod arguments;
mod documents;
mod findings;
pub(super) mod judge;
mod junit;
pub(super) mod policies;
mod resource;
pub(super) mod review;
mod sarif;
mod table;

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use crate::{directory::printable, presentation};
use arguments::{FailOn, Format};
use findings::Level;
use judge::Judged;

pub(super) use resource::{Resource, Resources};

/// How judging ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    /// Nothing is refused.
    Passed = 0,
    /// Something is.
    Refused = 1,
    /// It cannot be told.
    Broken = 2,
}

/// The exit status of what was done, whose fault is told.
pub(super) fn end(done: anyhow::Result<Status>) -> anyhow::Result<ExitCode> {
    let status = done.or_else(|error| {
        // Standard output is for results.
        write!(io::stderr(), "{}", printable(&format!("error: {error:#}")))?;
        Ok::<Status, anyhow::Error>(Status::Broken)
    })?;
    Ok(ExitCode::from(status as u8))
}

/// Prints all results.
pub(super) fn print(judged: &[Judged<'_>], format: Format, quiet: bool) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    match format {
        Format::Table => write!(out, "{}", table::report(judged, quiet))?,
        Format::Json => write!(
            out,
            "{}",
            presentation::pretty(&documents::report(judged)?)?
        )?,
        Format::Yaml => write!(out, "{}", documents::yaml(&documents::report(judged)?)?)?,
        Format::Junit => write!(out, "{}", junit::report(judged))?,
        Format::Sarif => write!(out, "{}", presentation::pretty(&sarif::report(judged))?)?,
    }
    Ok(out.flush()?)
}

/// Whether something is refused, or bad enough to count as such.
pub(super) fn status(judged: &[Judged<'_>], fail_on: FailOn) -> Status {
    let least = match fail_on {
        FailOn::Deny => Level::Deny,
        FailOn::Warn => Level::Warn,
    };
    let fails = |judged: &Judged<'_>| findings::of(judged).any(|finding| finding.level >= least);
    if judged.iter().any(fails) {
        Status::Refused
    } else {
        Status::Passed
    }
}
