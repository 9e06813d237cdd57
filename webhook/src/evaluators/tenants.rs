//! Jobs of the policies of namespaces. Each namespace has a line of its own, and they take turns: who
//! makes slow policies waits for them alone.

use std::{
    collections::BTreeMap,
    ops::Bound,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{Job, Line, WAITING_PER_THREAD};

/// The lines of all namespaces that wait for something.
#[derive(Default)]
pub(super) struct Tenants {
    lines: BTreeMap<Arc<str>, Line>,
    /// Whose turn it was last.
    last: Option<Arc<str>>,
}

impl Tenants {
    /// Jobs that wait.
    pub(super) fn waiting(&self) -> usize {
        self.lines.values().map(|line| line.jobs.len()).sum()
    }

    /// Whether a job of a namespace that has so much time can join; one thread is what a namespace
    /// can count on.
    pub(super) fn has_room(&self, tenant: &str, time: Duration, threads: usize) -> bool {
        let line = self.lines.get(tenant);
        self.waiting() < WAITING_PER_THREAD * threads
            && line.is_none_or(|line| line.has_room(time, 1))
    }

    pub(super) fn push(&mut self, tenant: &Arc<str>, job: Job) {
        let line = self.lines.entry(tenant.clone()).or_default();
        line.jobs.push_back(job);
    }

    /// The first job that somebody waits for, of the next namespace that `may_run` another one.
    pub(super) fn take(
        &mut self,
        now: Instant,
        may_run: impl Fn(&str) -> bool,
    ) -> Option<(Arc<str>, Job)> {
        let after = self.last.clone();
        let later = after.as_ref().map(|last| {
            let range = (Bound::Excluded(last.clone()), Bound::Unbounded);
            self.lines.range(range).map(|(name, _)| name.clone())
        });
        let turn: Vec<Arc<str>> = later
            .into_iter()
            .flatten()
            .chain(self.lines.keys().cloned())
            .collect();
        for tenant in turn {
            if !may_run(&tenant) {
                continue;
            }
            let job = self.lines.get_mut(&tenant).and_then(|line| line.take(now));
            // What nobody waits in any more is forgotten, however many namespaces there are.
            self.lines
                .retain(|name, line| *name != tenant || !line.jobs.is_empty());
            if let Some(job) = job {
                self.last = Some(tenant.clone());
                return Some((tenant, job));
            }
        }
        None
    }

    pub(super) fn clear(&mut self) {
        self.lines.clear();
    }
}
