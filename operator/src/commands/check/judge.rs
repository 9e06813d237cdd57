//! All manifests are judged, on as many threads as there are processors.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use anyhow::{Context as _, anyhow};
use portcullis_policies::{Decision, Snapshot};
use portcullis_webhook::{STACK_BYTES, judge};

use super::{
    manifests::Manifest,
    resource::Resource,
    review::{Review, Reviewer},
};

/// A manifest, and what becomes of it.
#[derive(Debug)]
pub(super) struct Judged<'m> {
    /// Where it stands.
    pub(super) manifest: &'m Manifest,
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
pub(super) fn all<'m>(
    snapshot: &Arc<Snapshot>,
    manifests: &'m [Manifest],
    reviewer: &Reviewer,
) -> anyhow::Result<Vec<Judged<'m>>> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut judged = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(manifest) = manifests.get(at) else {
                return judged;
            };
            judged.push((at, one(snapshot, manifest, reviewer)));
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
        let workers = (0..threads.min(manifests.len().max(1)))
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
    manifest: &'m Manifest,
    reviewer: &Reviewer,
) -> anyhow::Result<Judged<'m>> {
    let Review {
        resource,
        namespace,
        name,
        exempt,
        body,
    } = reviewer.review(&manifest.object);
    let decisions = if exempt {
        Vec::new()
    } else {
        let place = manifest.locate(None);
        judge(snapshot, serde_json::to_vec(&body)?)
            .map_err(|why| anyhow!("{place}: the object cannot be judged: {why}"))?
    };
    Ok(Judged {
        manifest,
        resource,
        namespace,
        name,
        exempt,
        decisions,
    })
}
