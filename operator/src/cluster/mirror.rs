//! A copy of the cluster's policies, locks and exemptions in this process.
//!
//! The cache is what doors ask. The records are what the operator needs beside it: which object,
//! at which generation, with which status. Both change together, so that whoever takes a [`View`]
//! never sees a generation with the digest of another.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::{self, Write as _},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use portcullis_policies::{Cache, Object, ObjectKey, Policy, Snapshot, State};
use portcullis_webhook::Readiness;
use serde_json::Value as Json;
use tokio::sync::watch;

use super::{SOURCES, watch::WatchFault};

/// What is known of an object beside what is in force of it.
#[derive(Clone, Debug)]
pub struct Record {
    /// The object's identity: another object of the same name has another one.
    pub uid: String,
    /// The object's generation, which each change of its spec raises.
    pub generation: Option<i64>,
    /// The object's status as it is in the cluster; null where there is none.
    pub status: Json,
    /// The policy that the object holds, in force or waiting for its address to become free.
    pub policy: Option<Arc<Policy>>,
    /// What is wrong with an object that cannot be read in full.
    pub fault: Option<String>,
}

/// The records of all objects of our kinds.
pub type Records = BTreeMap<ObjectKey, Arc<Record>>;

/// One state of the cluster: what is in force, and the objects that it came from.
#[derive(Clone, Debug)]
pub struct View {
    /// What is in force.
    pub snapshot: Arc<Snapshot>,
    /// The objects.
    pub records: Records,
}

/// How a watch is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// Interruptions since the process began.
    pub interruptions: u64,
    /// Why the source is away, if it is.
    pub away: Option<String>,
    /// Since when it is away.
    pub since: Option<Instant>,
}

/// The copy.
pub struct Mirror {
    cache: Arc<Cache>,
    readiness: Readiness,
    records: Mutex<Records>,
    health: Mutex<BTreeMap<&'static str, Health>>,
    synced: Mutex<BTreeSet<&'static str>>,
    revision: watch::Sender<u64>,
}

impl Mirror {
    /// An empty copy that publishes to `cache` and reports its age to `readiness`.
    pub fn new(cache: Arc<Cache>, readiness: Readiness) -> Arc<Self> {
        Arc::new(Self {
            cache,
            readiness,
            records: Mutex::default(),
            health: Mutex::default(),
            synced: Mutex::default(),
            revision: watch::Sender::new(0),
        })
    }

    /// What is in force and the objects that it came from, of one moment.
    pub fn view(&self) -> View {
        let records = self.records();
        View {
            snapshot: self.cache.snapshot(),
            records: records.clone(),
        }
    }

    /// What is known of one object.
    pub fn record(&self, key: &ObjectKey) -> Option<Arc<Record>> {
        self.records().get(key).cloned()
    }

    /// What doors ask.
    pub fn cache(&self) -> &Arc<Cache> {
        &self.cache
    }

    /// Changes with each change of the copy.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.revision.subscribe()
    }

    /// Resolves when every source was listed once and is in force.
    pub async fn synced(&self) {
        let mut changes = self.changes();
        let is_synced = |_: &u64| {
            let synced = self.synced.lock().unwrap_or_else(PoisonError::into_inner);
            SOURCES.iter().all(|source| synced.contains(source))
        };
        // The sender lives as long as `self`.
        let _ = changes.wait_for(is_synced).await;
    }

    /// Resolves when no policy is to be compiled again because of what it imports, and what bindings
    /// take parameters of has been looked for.
    pub(super) async fn linked(&self) {
        let mut changes = self.changes();
        let is_linked = |_: &u64| {
            self.cache.outdated().is_empty() && !self.cache.snapshot().awaits_parameters()
        };
        // The sender lives as long as `self`.
        let _ = changes.wait_for(is_linked).await;
    }

    /// How the watches are, of those that were ever interrupted.
    pub fn health(&self) -> BTreeMap<&'static str, Health> {
        self.health
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Appends how the watches are, in the text format of `OpenMetrics`.
    pub fn write_metrics(&self, text: &mut String) {
        let health = self.health();
        let source = |source| health.get(source).cloned().unwrap_or_default();
        text.push_str(
            "# HELP portcullis_watch_interruptions Interruptions of a watch of the API server.\n\
             # TYPE portcullis_watch_interruptions counter\n",
        );
        for name in SOURCES {
            let count = source(name).interruptions;
            // Writing to a string does not fail.
            let _ = writeln!(
                text,
                "portcullis_watch_interruptions_total{{source=\"{name}\"}} {count}"
            );
        }
        text.push_str(
            "# HELP portcullis_watch_up 0 while a source is away and what was in force stays so.\n\
             # TYPE portcullis_watch_up gauge\n",
        );
        for name in SOURCES {
            let up = u8::from(source(name).away.is_none());
            let _ = writeln!(text, "portcullis_watch_up{{source=\"{name}\"}} {up}");
        }
    }

    /// Changes the records, and the cache where there is something to change in it.
    pub(super) fn change<C: FnOnce(&mut State)>(
        &self,
        change: Option<C>,
        note: impl FnOnce(&mut Records),
    ) {
        let mut records = self.records();
        if let Some(change) = change {
            self.cache.update(change);
        }
        note(&mut records);
        drop(records);
        self.wake();
    }

    /// Puts a policy that was compiled again in the place of `before`, unless that one is no longer
    /// what its object holds.
    pub(super) fn replace(&self, before: &Arc<Policy>, object: Object) {
        let is_before = |policy: &Arc<Policy>| Arc::ptr_eq(policy, before);
        let (key, policy) = (object.key.clone(), object.policy.clone());
        let change = |state: &mut State| {
            if state
                .policy(&object.key)
                .is_some_and(|held| is_before(&held.policy))
            {
                state.apply_policy(object);
            }
        };
        self.change(Some(change), |records| {
            if let Some(record) = records.get_mut(&key)
                && record.policy.as_ref().is_some_and(is_before)
            {
                Arc::make_mut(record).policy = Some(policy);
            }
        });
    }

    /// A source was listed, and all of it is in force.
    pub(super) fn note_synced(&self, source: &'static str) {
        self.readiness.set_synced(source);
        self.synced
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(source);
        self.wake();
    }

    /// A source gave a sign of life.
    pub(super) fn note_alive(&self, source: &'static str) {
        self.readiness.note_alive(source);
        self.note_back(source);
    }

    /// A source is away. Said once, and again when the reason changes.
    pub(super) fn note_away(&self, source: &'static str, fault: &WatchFault) {
        let reason = chain(fault);
        let mut all = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        let health = all.entry(source).or_default();
        health.interruptions += 1;
        if health.away.as_deref() != Some(&reason) {
            tracing::warn!(
                source,
                reason,
                remedy = fault.remedy(),
                "the watch is interrupted"
            );
        }
        health.since.get_or_insert_with(Instant::now);
        let is_new = health.away.replace(reason).is_none();
        drop(all);
        if is_new {
            self.wake();
        }
    }

    /// Whoever waits for a change looks again.
    fn wake(&self) {
        self.revision.send_modify(|revision| *revision += 1);
    }

    fn note_back(&self, source: &'static str) {
        let mut health = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(health) = health.get_mut(source)
            && health.away.take().is_some()
        {
            let seconds = health
                .since
                .take()
                .map_or(0, |since| since.elapsed().as_secs());
            tracing::info!(source, seconds, "the watch is back");
        }
    }

    fn records(&self) -> MutexGuard<'_, Records> {
        // Each change inserts or removes whole records, so a panic leaves valid ones.
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Mirror {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Mirror")
            .field("revision", &*self.revision.borrow())
            .field("health", &self.health())
            .finish_non_exhaustive()
    }
}

/// An error with its sources, in one line. kube repeats a source in its own text; said once.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let cause = error.to_string();
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
        source = error.source();
    }
    portcullis_policies::text::clean(&text)
}
