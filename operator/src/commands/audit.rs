//! `portcullis audit`: judges what is in a cluster already, as if it were applied now.
//!
//! ```text
//! discovery ── resources that a policy judges ── pages ── judge ──▶ results
//!                                                 └─ at most 50 requests a second
//! ```

mod arguments;
mod pages;
mod progress;
mod served;

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use anyhow::Context as _;
use portcullis_policies::{Snapshot, Tool};

pub use arguments::Arguments;

use super::judging::{
    self, Status,
    judge::{self, Asked, Judged},
    policies,
    review::Reviewer,
};
use crate::{cluster, directory::printable};
pub(super) use pages::Pages;
use progress::Progress;
use served::Served;

/// What was found, and of what it cannot be told.
struct Found {
    judged: Vec<Judged<'static>>,
    /// Resources that could not be read to the end, and why.
    faults: Vec<String>,
}

/// Judges, and prints what became of it.
pub fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    judging::end(audit(arguments))
}

fn audit(arguments: Arguments) -> anyhow::Result<Status> {
    let Arguments {
        namespace,
        resources,
        judging,
    } = arguments;
    let cache = policies::read(&judging.policies, judging.allowance)?;
    let reviewer = Reviewer::new(String::new(), judging.caller, judging.exempt_namespaces);
    let runtime = tokio::runtime::Runtime::new()?;
    let found = runtime.block_on(read(
        &cache.snapshot(),
        &reviewer,
        namespace.as_deref(),
        &resources,
        Progress::new(judging.quiet),
    ))?;
    judging::print(&found.judged, judging.output, judging.quiet)?;
    for fault in &found.faults {
        write!(io::stderr(), "{}", printable(&format!("error: {fault}")))?;
    }
    if found.faults.is_empty() {
        Ok(judging::status(&found.judged, judging.fail_on))
    } else {
        Ok(Status::Broken)
    }
}

/// Reads and judges page by page, so that no more than a page of objects is held.
async fn read(
    snapshot: &Snapshot,
    reviewer: &Reviewer,
    namespace: Option<&str>,
    wanted: &[String],
    mut progress: Progress,
) -> anyhow::Result<Found> {
    let (_, client) = cluster::connect()
        .await
        .context("there is no cluster to audit")?;
    let served = Served::read(&client)
        .await
        .context("the cluster does not say what it serves")?;
    let mut found = Found {
        judged: Vec::new(),
        faults: served.faults,
    };
    let mut pages = Pages::new(client);
    for resource in served.resources {
        let is_wanted = wanted.is_empty() || wanted.iter().any(|name| resource.is_called(name));
        let is_elsewhere = namespace.is_some() && !resource.is.namespaced;
        if !is_wanted || is_elsewhere || !resource.is_judged_by(snapshot) {
            continue;
        }
        pages.begin(&resource.is, namespace);
        loop {
            let objects = match pages.next().await {
                Ok(Some(page)) => page,
                Ok(None) => break,
                Err(error) => {
                    let name = resource.name();
                    found
                        .faults
                        .push(format!("{name} cannot be read: {error:#}"));
                    break;
                }
            };
            let asked: Vec<Asked<'_, 'static>> = objects
                .iter()
                .map(|object| Asked {
                    object,
                    resource: resource.is.clone(),
                    manifest: None,
                })
                .collect();
            // The threads that judge are others; this one has nothing else to do.
            let judged = tokio::task::block_in_place(|| {
                judge::all(snapshot, Tool::Audit, &asked, reviewer)
            })?;
            progress.judged(&resource.name(), judged.len());
            found.judged.extend(judged);
        }
    }
    progress.end();
    Ok(found)
}
