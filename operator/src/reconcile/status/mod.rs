//! Writes the status of policies, bindings, locks and exemptions: one writer, whole statuses, and
//! only what changed.

mod binding;
mod data;
mod exemption;
mod lock;
mod policy;
mod shadow;
mod versions;

use std::{collections::HashMap, sync::Arc, time::Duration};

use futures::{StreamExt as _, stream};
use jiff::Timestamp;
use kube::{
    Api, Client,
    api::{Patch, PatchParams},
    core::{ApiResource, DynamicObject},
};
use portcullis_crds::{
    self as crds, BindingStatus, ConditionType, ExemptionStatus, LockStatus, PolicyStatus,
    conditions,
};
use portcullis_policies::{Entry, ObjectKey};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value as Json, json};
use tokio::{sync::watch, time::sleep};

use super::{
    FIELD_MANAGER, PAUSE, Settings,
    events::{self, Announcement, Announcer},
    metrics::Metrics,
    registration::{Registered, Registration, Target, is_registered},
    replicas::Replicas,
    retry::Retry,
};
use crate::{
    cluster::{Mirror, Record, View},
    convert::kind,
    leader::{Leadership, WriteFault},
    refresh::Progress,
};

/// Statuses that are written at once. The API server's default limits let a client make some
/// dozens of requests a second.
const AT_ONCE: usize = 8;

/// Longest time between two looks. Nothing depends on it; it bounds how long a forgotten wake-up
/// could hide a change.
const LONGEST: Duration = Duration::from_mins(5);

/// All that a status is made of, of one moment.
pub(crate) struct World<'a> {
    view: &'a View,
    replicas: &'a Replicas,
    registration: &'a Registration,
    /// How far the documents are that are fetched for policies.
    documents: &'a Progress,
    target: &'a Target,
    now: Timestamp,
    /// The entries by the objects that hold their addresses.
    holders: HashMap<&'a ObjectKey, &'a Arc<Entry>>,
}

/// Writes statuses.
pub(crate) struct Reporter {
    pub(crate) client: Client,
    pub(crate) settings: Arc<Settings>,
    pub(crate) leadership: Leadership,
    pub(crate) metrics: Metrics,
    pub(crate) announcer: Announcer,
    pub(crate) mirror: Arc<Mirror>,
    pub(crate) replicas: watch::Receiver<Option<Arc<Replicas>>>,
    pub(crate) registration: watch::Receiver<Registration>,
    pub(crate) documents: watch::Receiver<Option<Arc<Progress>>>,
    /// What was written and has not come back through the watch: the status that was seen then,
    /// and the one that was written.
    pub(crate) written: HashMap<ObjectKey, (Json, Json)>,
}

/// A status to write.
#[derive(Clone, Debug, PartialEq)]
struct Write {
    key: ObjectKey,
    uid: String,
    seen: Json,
    status: Json,
    news: Vec<Announcement>,
}

impl Reporter {
    /// Reports for ever.
    pub(crate) async fn run(mut self) {
        let mut retry = Retry::new("write a status", self.metrics.clone());
        let mut changes = self.mirror.changes();
        loop {
            let replicas = self.replicas.borrow_and_update().clone();
            let registration = self.registration.borrow_and_update().clone();
            let documents = self.documents.borrow_and_update().clone();
            let wait = match (replicas, documents) {
                (Some(replicas), Some(documents))
                    if registration.registered != Registered::Unknown =>
                {
                    let view = self.mirror.view();
                    self.report_view(&view, &replicas, &registration, &documents, &mut retry)
                        .await
                }
                // Not all is known; a status of half of it would be written twice.
                _ => LONGEST,
            };
            tokio::select! {
                _ = changes.changed() => {}
                _ = self.replicas.changed() => {}
                _ = self.registration.changed() => {}
                Ok(()) = self.documents.changed() => {}
                () = sleep(wait) => {}
            }
            sleep(PAUSE).await;
        }
    }

    /// Writes all statuses that differ, and says when to look again.
    async fn report_view(
        &mut self,
        view: &View,
        replicas: &Replicas,
        registration: &Registration,
        documents: &Progress,
        retry: &mut Retry,
    ) -> Duration {
        let target = self.settings.target();
        let now = whole_seconds(Timestamp::now());
        let world = World::new(view, replicas, registration, documents, &target, now);
        self.count(view);
        self.written.retain(|key, (seen, _)| {
            view.records
                .get(key)
                .is_some_and(|record| record.status == *seen)
        });
        let writes = world.writes(&self.written);
        let writer = &*self;
        let results: Vec<_> = stream::iter(writes)
            .map(|write| async move { (writer.write(&write).await, write) })
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        let mut wait = world
            .next_change()
            .map_or(LONGEST, |moment| until(moment).min(LONGEST));
        let mut failed = false;
        for (result, write) in results {
            match result {
                Ok(()) => {
                    self.metrics.status_written();
                    for news in &write.news {
                        self.announcer.about(&write.key, &write.uid, news).await;
                    }
                    self.written.insert(write.key, (write.seen, write.status));
                }
                // The object is gone or another one now; the watch tells.
                Err(fault) if fault.is_stale() => {}
                Err(fault) => {
                    wait = wait.min(retry.note(&fault));
                    failed = true;
                }
            }
        }
        if !failed {
            retry.succeeded();
        }
        wait
    }

    async fn write(&self, write: &Write) -> Result<(), WriteFault> {
        let (resource, is_namespaced) = resource(write.key.kind);
        let api: Api<DynamicObject> = match &write.key.namespace {
            Some(namespace) if is_namespaced => {
                Api::namespaced_with(self.client.clone(), namespace, &resource)
            }
            _ => Api::all_with(self.client.clone(), &resource),
        };
        // With its identity, so that a status never lands on another object of the same name.
        let patch = Patch::Apply(json!({
            "apiVersion": resource.api_version,
            "kind": resource.kind,
            "metadata": {"name": write.key.name, "uid": write.uid},
            "status": write.status,
        }));
        let params = PatchParams::apply(FIELD_MANAGER).force();
        let request = api.patch_status(&write.key.name, &params, &patch);
        self.leadership
            .write("write a status", request)
            .await
            .map(drop)
    }

    fn count(&self, view: &View) {
        let mut counts = [
            ("ready", 0),
            ("not_ready", 0),
            ("broken", 0),
            ("address_taken", 0),
        ];
        let taken: Vec<_> = view
            .snapshot
            .conflicts()
            .iter()
            .map(|conflict| &conflict.other)
            .collect();
        for (key, record) in &view.records {
            let Some(policy) = &record.policy else {
                continue;
            };
            let status: PolicyStatus = typed(&record.status);
            let is_ready = conditions::holds(&status.conditions, ConditionType::Ready);
            let index = match (taken.contains(&key), policy.faults().is_some(), is_ready) {
                (true, ..) => 3,
                (_, true, _) => 2,
                (_, _, Some(true)) => 0,
                _ => 1,
            };
            counts[index].1 += 1;
        }
        for (state, count) in counts {
            self.metrics.policies(state, count);
        }
    }
}

impl<'a> World<'a> {
    pub(crate) fn new(
        view: &'a View,
        replicas: &'a Replicas,
        registration: &'a Registration,
        documents: &'a Progress,
        target: &'a Target,
        now: Timestamp,
    ) -> Self {
        let holders = view
            .snapshot
            .entries()
            .map(|entry| (&entry.object, entry))
            .collect();
        Self {
            view,
            replicas,
            registration,
            documents,
            target,
            now,
            holders,
        }
    }

    /// The statuses that differ from those that are there, or were just written.
    fn writes(&self, written: &HashMap<ObjectKey, (Json, Json)>) -> Vec<Write> {
        let differ = |(key, record): (&ObjectKey, &Arc<Record>)| {
            let before = written
                .get(key)
                .map_or(&record.status, |(_, written)| written);
            let (status, news) = match key.kind {
                kind::POLICY | kind::CLUSTER_POLICY => {
                    let before: PolicyStatus = typed(before);
                    let after = self.policy(key, record, &before);
                    let news = events::news(&before, &after);
                    (changed(&before, &after)?, news)
                }
                kind::LOCK | kind::CLUSTER_LOCK => {
                    let before: LockStatus = typed(before);
                    (
                        changed(&before, &self.lock(key, record, &before))?,
                        Vec::new(),
                    )
                }
                kind::POLICY_BINDING | kind::CLUSTER_POLICY_BINDING => {
                    let before: BindingStatus = typed(before);
                    let after = self.binding(key, record, &before);
                    (changed(&before, &after)?, Vec::new())
                }
                kind::EXEMPTION | kind::CLUSTER_EXEMPTION => {
                    let before: ExemptionStatus = typed(before);
                    let after = self.exemption(key, record, &before);
                    let news = events::exemption_news(&before, &after);
                    (changed(&before, &after)?, news.into_iter().collect())
                }
                _ => return None,
            };
            let (uid, seen) = (record.uid.clone(), record.status.clone());
            Some(Write {
                key: key.clone(),
                uid,
                seen,
                status,
                news,
            })
        };
        self.view.records.iter().filter_map(differ).collect()
    }

    /// When the next status changes by the clock alone: a lock or an exemption expires, a window opens
    /// or closes, what shadows are compared with may be said again.
    fn next_change(&self) -> Option<Timestamp> {
        let snapshot = &self.view.snapshot;
        let locks = snapshot.locks().iter();
        let locks = locks.filter_map(|lock| lock.expires_at);
        let exemptions = snapshot.exemptions().iter().flat_map(|exemption| {
            let end = exemption.definition().expires_at;
            [
                end.checked_sub(snapshot.longest_exemption()).ok(),
                Some(end),
            ]
        });
        let windows = snapshot.entries().flat_map(|entry| {
            let window = entry.policy.definition().window;
            [window.not_before, window.not_after].into_iter().flatten()
        });
        locks
            .chain(exemptions.flatten())
            .chain(windows)
            .chain(self.shadows_due())
            .filter(|moment| *moment > self.now)
            .min()
    }

    fn is_registered(&self, entry: &Entry) -> bool {
        match &self.registration.registered {
            Registered::Filled(webhooks) => {
                is_registered(entry, webhooks, &self.registration.catalogue, self.target)
            }
            _ => entry.admission().is_none(),
        }
    }
}

fn resource(name: &str) -> (ApiResource, bool) {
    match name {
        kind::POLICY => (ApiResource::erase::<crds::Policy>(&()), true),
        kind::CLUSTER_POLICY => (ApiResource::erase::<crds::ClusterPolicy>(&()), false),
        kind::LOCK => (ApiResource::erase::<crds::Lock>(&()), true),
        kind::POLICY_BINDING => (ApiResource::erase::<crds::PolicyBinding>(&()), true),
        kind::CLUSTER_POLICY_BINDING => {
            (ApiResource::erase::<crds::ClusterPolicyBinding>(&()), false)
        }
        kind::EXEMPTION => (ApiResource::erase::<crds::Exemption>(&()), true),
        kind::CLUSTER_EXEMPTION => (ApiResource::erase::<crds::ClusterExemption>(&()), false),
        _ => (ApiResource::erase::<crds::ClusterLock>(&()), false),
    }
}

/// A status of another shape counts as none, and is written anew.
fn typed<T: DeserializeOwned + Default>(status: &Json) -> T {
    T::deserialize(status).unwrap_or_default()
}

fn changed<T: PartialEq + Serialize>(before: &T, after: &T) -> Option<Json> {
    (before != after)
        .then(|| serde_json::to_value(after).ok())
        .flatten()
}

/// Conditions hold times of whole seconds.
fn whole_seconds(now: Timestamp) -> Timestamp {
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}

/// How long until `moment`; a little longer, so that it has passed.
fn until(moment: Timestamp) -> Duration {
    let left = moment.duration_since(Timestamp::now());
    Duration::try_from(left).unwrap_or_default() + Duration::from_secs(1)
}

#[cfg(test)]
mod tests;
