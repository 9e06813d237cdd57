//! `portcullis check`: judges manifests as admission would, before they are in a cluster.
//!
//! The API server's door and this command judge by the same code. What an API server does before it
//! asks is not done here: defaults are not set, and nothing else changes the objects.

mod arguments;
mod manifests;

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

pub use arguments::Arguments;
pub(super) use manifests::Manifest;

use portcullis_policies::Tool;

use super::judging::{
    self, Resources, Status,
    judge::{self, Asked},
    policies,
    review::Reviewer,
};
use crate::{directory::printable, presentation};

/// Judges, and prints what became of it.
pub fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    judging::end(check(arguments))
}

fn check(arguments: Arguments) -> anyhow::Result<Status> {
    let Arguments {
        files,
        namespace,
        judging,
    } = arguments;
    let found = manifests::read(&files);
    if !found.faults.is_empty() {
        write!(io::stderr(), "{}", presentation::faults(&found.faults))?;
        return Ok(Status::Broken);
    }
    let cache = policies::read(&judging.policies, judging.allowance)?;
    // Of a namespace that is applied with the others, its own labels count.
    cache.update(|state| {
        for (name, labels) in found.namespaces() {
            state.apply_namespace(name, labels);
        }
    });
    let objects = found.manifests.iter().map(|manifest| &manifest.object);
    let resources = Resources::of(objects);
    let reviewer = Reviewer::new(namespace, judging.caller, judging.exempt_namespaces);
    let asked: Vec<Asked<'_, '_>> = found
        .manifests
        .iter()
        .map(|manifest| Asked {
            object: &manifest.object,
            resource: resources.find(&manifest.object),
            manifest: Some(manifest),
        })
        .collect();
    let judged = judge::all(&cache.snapshot(), Tool::Check, &asked, &reviewer)?;
    judging::print(&judged, judging.output, judging.quiet)?;
    for note in found.notes {
        write!(io::stderr(), "{}", printable(&note))?;
    }
    Ok(judging::status(&judged, judging.fail_on))
}
