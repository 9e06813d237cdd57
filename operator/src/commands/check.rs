//! `portcullis check`: judges manifests as admission would, before they are in a cluster.
//!
//! ```text
//! files ────── manifests ── review ──┐
//! directory, cluster ── policies ────┴── judge ──▶ Judged ──▶ table, json, yaml, junit, sarif
//! ```
//!
//! The API server's door and this command judge by the same code. What an API server does before it
//! asks is not done here: defaults are not set, and nothing else changes the objects.

mod arguments;
mod documents;
mod findings;
mod judge;
mod junit;
mod manifests;
mod policies;
mod resource;
mod review;
mod sarif;
mod table;

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

pub use arguments::{Arguments, Format};

use crate::{directory::printable, presentation};
use arguments::FailOn;
use findings::Level;
use judge::Judged;

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    /// Nothing is refused.
    Passed = 0,
    /// Something is.
    Refused = 1,
    /// It could not be judged.
    Broken = 2,
}

/// Judges, and prints what became of it.
pub fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let status = check(arguments).or_else(|error| {
        // Standard output is for results.
        write!(io::stderr(), "{}", printable(&format!("error: {error:#}")))?;
        Ok::<Status, anyhow::Error>(Status::Broken)
    })?;
    Ok(ExitCode::from(status as u8))
}

fn check(arguments: Arguments) -> anyhow::Result<Status> {
    let Arguments {
        files,
        policies,
        namespace,
        caller,
        exempt_namespaces,
        output,
        fail_on,
        quiet,
        allowance,
    } = arguments;
    let found = manifests::read(&files);
    if !found.faults.is_empty() {
        write!(io::stderr(), "{}", presentation::faults(&found.faults))?;
        return Ok(Status::Broken);
    }
    let cache = if policies.is_empty() {
        policies::of_the_cluster(allowance)?
    } else {
        policies::of_files(&policies, allowance)?
    };
    // Of a namespace that is applied with the others, its own labels count.
    cache.update(|state| {
        for (name, labels) in found.namespaces() {
            state.apply_namespace(name, labels);
        }
    });
    let snapshot = cache.snapshot();
    let reviewer = review::Reviewer::new(&found.manifests, namespace, caller, exempt_namespaces);
    let judged = judge::all(&snapshot, &found.manifests, &reviewer)?;
    let mut out = io::stdout().lock();
    match output {
        Format::Table => write!(out, "{}", table::report(&judged, quiet))?,
        Format::Json => write!(
            out,
            "{}",
            presentation::pretty(&documents::report(&judged)?)?
        )?,
        Format::Yaml => write!(out, "{}", documents::yaml(&documents::report(&judged)?)?)?,
        Format::Junit => write!(out, "{}", junit::report(&judged))?,
        Format::Sarif => write!(out, "{}", presentation::pretty(&sarif::report(&judged))?)?,
    }
    out.flush()?;
    for note in found.notes {
        write!(io::stderr(), "{}", printable(&note))?;
    }
    Ok(status(&judged, fail_on))
}

fn status(judged: &[Judged<'_>], fail_on: FailOn) -> Status {
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
