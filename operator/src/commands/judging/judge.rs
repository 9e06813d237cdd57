//! All manifests are judged, on as many threads as there are processors.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use anyhow::{Context as _, anyhow};
use portcullis_policies::{Decision, Location, Snapshot};
use portcullis_webhook::{STACK_BYTES, judge};
use serde_json::Value as Json;

use super::{
    resource::Resource,
    review::{Review, Reviewer},
};
use crate::commands::check::Manifest;

/// An object that is to be judged.
#[derive(Debug)]
pub(in crate::commands) struct Asked<'o, 'm> {
    pub(in crate::commands) object: &'o Json,
    pub(in crate::commands) resource: Resource,
    /// Where it stands, if in a file.
    pub(in crate::commands) manifest: Option<&'m Manifest>,
}

/// An object, and what becomes of it.
#[derive(Debug)]
pub(in crate::commands) struct Judged<'m> {
    /// Where it stands, if in a file.
    manifest: Option<&'m Manifest>,
    /// What it is to the API server.
    pub(super) resource: Resource,
    /// Where it would be, if in a namespace.
    pub(super) namespace: Option<String>,
    /// Its name.
    pub(super) name: String,
    /// Nobody is asked, because of its namespace.
    pub(super) exempt: bool,
    /// What each policy that is asked says.
    pub(super) decisions: Vec<Decision>,
}

impl Judged<'_> {
    /// Where a part of it stands, or the last part of the path that is there, if it is of a file.
    pub(super) fn locate(&self, path: Option<&str>) -> Option<Location> {
        self.manifest.map(|manifest| manifest.locate(path))
    }

    /// Whether it would be let in.
    pub(super) fn allowed(&self) -> bool {
        self.decisions.iter().all(|decision| decision.allowed)
    }

    /// `Deployment shop/web`
    pub(super) fn title(&self) -> String {
        let kind = &self.resource.kind;
        match &self.namespace {
            Some(namespace) => format!("{kind} {namespace}/{}", self.name),
            None => format!("{kind} {}", self.name),
        }
    }
}

/// Judges all, in their order.
pub(in crate::commands) fn all<'m>(
    snapshot: &Snapshot,
    asked: &[Asked<'_, 'm>],
    reviewer: &Reviewer,
) -> anyhow::Result<Vec<Judged<'m>>> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut judged = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(asked) = asked.get(at) else {
                return judged;
            };
            judged.push((at, one(snapshot, asked, reviewer)));
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let mut judged = thread::scope(|scope| {
        let spawn = |_| {
            // Policies recurse as deep here as behind a door.
            let builder = thread::Builder::new().stack_size(STACK_BYTES);
            builder
                .spawn_scoped(scope, work)
                .context("no thread can be started")
        };
        let workers = (0..threads.min(asked.len().max(1)))
            .map(spawn)
            .collect::<anyhow::Result<Vec<_>>>()?;
        let join = |worker: thread::ScopedJoinHandle<'_, _>| {
            worker
                .join()
                .map_err(|_| anyhow!("a judging thread ended unexpectedly"))
        };
        let judged = workers.into_iter().map(join);
        let judged = judged.collect::<anyhow::Result<Vec<Vec<_>>>>()?;
        anyhow::Ok(judged.into_iter().flatten().collect::<Vec<_>>())
    })?;
    judged.sort_by_key(|(at, _)| *at);
    judged.into_iter().map(|(_, judged)| judged).collect()
}

fn one<'m>(
    snapshot: &Snapshot,
    asked: &Asked<'_, 'm>,
    reviewer: &Reviewer,
) -> anyhow::Result<Judged<'m>> {
    let Review {
        namespace,
        name,
        exempt,
        body,
    } = reviewer.review(asked.object, &asked.resource);
    let decisions = if exempt {
        Vec::new()
    } else {
        judge(snapshot, serde_json::to_vec(&body)?).map_err(|why| {
            let place = asked
                .manifest
                .map(|manifest| manifest.locate(None).to_string());
            let place = place.unwrap_or_else(|| name.clone());
            anyhow!("{place}: the object cannot be judged: {why}")
        })?
    };
    Ok(Judged {
        manifest: asked.manifest,
        resource: asked.resource.clone(),
        namespace,
        name,
        exempt,
        decisions,
    })
}
