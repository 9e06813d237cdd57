//! From the news of a watch to the cache: read, compile away from the reactor, publish once.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
    time::{Duration, Instant},
};

use futures::{StreamExt as _, stream};
use kube::core::DynamicObject;
use portcullis_policies::{
    Allowance, Binding, Cache, Diagnostic, Effect, Exemption, InPlaceOf, Labels, Lock, Object,
    ObjectKey, Point, State,
};
use portcullis_webhook::{Evaluators, Unanswered};
use serde_json::Value as Json;
use tokio::sync::mpsc;

use super::{
    COMPILERS, Mirror, News, Record, WAITING_NEWS,
    kind::{Content, Kind},
};
use crate::convert::{BindingDraft, Draft, in_place_of_object};

/// Time to compile one policy. A large one takes some milliseconds; one that takes this long counts
/// as broken.
const COMPILE: Duration = Duration::from_mins(1);

/// Wait before a compilation for which there was no room is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// Feeds the objects of one kind to the mirror.
pub(super) struct Feed {
    kind: Kind,
    mirror: Arc<Mirror>,
    compilers: Evaluators,
    /// What is in force of each object, by which an object that has not changed is known.
    seen: HashMap<ObjectKey, Seen>,
}

#[derive(Debug, PartialEq, Eq)]
struct Seen {
    content: SeenContent,
    /// What the status of a policy says, which is in force as well.
    in_place_of: Option<InPlaceOf>,
}

/// What has to be read, and compiled, again when it changes.
#[derive(Debug, PartialEq, Eq)]
struct SeenContent {
    uid: String,
    generation: Option<i64>,
    labels: Labels,
}

/// What is left of a batch when each object counts once.
#[derive(Default)]
struct Batch {
    /// Whether all objects that are not in `objects` are gone.
    complete: bool,
    /// The objects that there are, and `None` for those that are gone.
    objects: BTreeMap<ObjectKey, Option<DynamicObject>>,
}

/// What there is to change in the cache.
enum Change {
    Policy(Object),
    InPlaceOf(ObjectKey, Option<InPlaceOf>),
    Lock(Box<Lock>),
    Binding(Arc<Binding>),
    Exemption(Arc<Exemption>),
    Namespace(String, Labels),
    Gone(ObjectKey),
}

impl Feed {
    pub(super) fn new(kind: Kind, mirror: Arc<Mirror>, compilers: Evaluators) -> Self {
        Self {
            kind,
            mirror,
            compilers,
            seen: HashMap::new(),
        }
    }

    /// Feeds until the watch ends. `object` makes the feed's objects of the watch's.
    pub(super) async fn run<K>(
        mut self,
        mut news: mpsc::Receiver<News<K>>,
        object: impl Fn(K) -> DynamicObject,
    ) {
        let mut received = Vec::with_capacity(WAITING_NEWS);
        while news.recv_many(&mut received, WAITING_NEWS).await > 0 {
            let batch = self.reduce(received.drain(..), &object);
            self.absorb(batch).await;
        }
    }

    fn reduce<K>(
        &self,
        news: impl Iterator<Item = News<K>>,
        object: impl Fn(K) -> DynamicObject,
    ) -> Batch {
        let mut batch = Batch::default();
        for item in news {
            match item {
                News::Listed(objects) => {
                    let keyed = objects.into_iter().map(&object);
                    let keyed = keyed.map(|object| (self.kind.key(&object.metadata), Some(object)));
                    batch = Batch {
                        complete: true,
                        objects: keyed.collect(),
                    };
                }
                News::Applied(applied) => {
                    let applied = object(applied);
                    batch
                        .objects
                        .insert(self.kind.key(&applied.metadata), Some(applied));
                }
                News::Away(_) => {}
                News::Deleted(deleted) => {
                    batch
                        .objects
                        .insert(self.kind.key(&object(deleted).metadata), None);
                }
            }
        }
        batch
    }

    async fn absorb(&mut self, batch: Batch) {
        let present: HashSet<ObjectKey> = batch
            .objects
            .iter()
            .filter(|(_, object)| object.is_some())
            .map(|(key, _)| key.clone())
            .collect();
        let mut changes = Vec::new();
        let mut drafts = Vec::new();
        let mut bindings = Vec::new();
        let mut records: BTreeMap<ObjectKey, Option<Record>> = BTreeMap::new();
        for (key, object) in batch.objects {
            let Some(object) = object else {
                self.seen.remove(&key);
                records.insert(key.clone(), None);
                changes.push(Change::Gone(key));
                continue;
            };
            let seen = Seen::of(&object);
            let before = self.seen.get(&key);
            let unchanged = before.is_some_and(|before| before.content == seen.content);
            let in_place_of = seen.in_place_of.clone();
            if before.and_then(|before| before.in_place_of.as_ref()) != in_place_of.as_ref() {
                changes.push(Change::InPlaceOf(key.clone(), in_place_of));
            }
            self.seen.insert(key.clone(), seen);
            let mut record = Record::of(&object);
            if unchanged {
                if let Some(known) = self.mirror.record(&key) {
                    record.fault.clone_from(&known.fault);
                    record.policy.clone_from(&known.policy);
                }
            } else {
                match self.kind.read(object) {
                    Content::Policy(draft) => drafts.push(*draft),
                    Content::Binding(draft) => bindings.push(*draft),
                    Content::Lock(draft) => {
                        record.fault = draft.faults.as_ref().map(ToString::to_string);
                        match draft.lock {
                            Some(lock) => changes.push(Change::Lock(Box::new(lock))),
                            None => changes.extend(self.unless_refusing(&key)),
                        }
                    }
                    Content::Exemption(draft) => {
                        record.fault = draft.faults.as_ref().map(ToString::to_string);
                        changes.push(match draft.exemption {
                            Some(exemption) => Change::Exemption(exemption),
                            None => Change::Gone(key.clone()),
                        });
                    }
                    Content::Namespace(labels) => {
                        changes.push(Change::Namespace(key.name.clone(), labels));
                    }
                    Content::Unreadable(faults) => {
                        // What was in force of it stays in force, unless it permits.
                        changes.extend(self.unless_refusing(&key));
                        let faults = faults.to_string();
                        tracing::error!(object = %key, faults, "an object cannot be read");
                        record.fault = Some(faults);
                    }
                }
            }
            records.insert(key, Some(record));
        }
        for object in self.compile(drafts).await {
            if let Some(Some(record)) = records.get_mut(&object.key) {
                record.policy = Some(object.policy.clone());
            }
            changes.push(Change::Policy(object));
        }
        for draft in bindings {
            let binding = compile_binding(&self.compilers, draft).await;
            if let Some(Some(record)) = records.get_mut(&binding.key) {
                record.fault = binding.faults().map(ToString::to_string);
            }
            changes.push(Change::Binding(Arc::new(binding)));
        }
        if batch.complete {
            self.seen.retain(|key, _| present.contains(key));
        }
        self.publish(changes, records, batch.complete.then_some(&present));
        if batch.complete {
            self.mirror.linked().await;
            self.mirror.note_synced(self.kind.source());
        }
    }

    /// Of an object that cannot be read any more: the lock that it was goes where it bypasses, and
    /// stays where it refuses, and the exemption that it was goes, for all of that denies. Each kind
    /// has one feed, so nobody else changes it.
    fn unless_refusing(&self, key: &ObjectKey) -> Option<Change> {
        let snapshot = self.mirror.cache().snapshot();
        let bypasses = |lock: &Arc<Lock>| lock.key == *key && lock.effect == Effect::Bypass;
        let exempts = |exemption: &Arc<Exemption>| exemption.key() == key;
        let gone =
            snapshot.locks().iter().any(bypasses) || snapshot.exemptions().iter().any(exempts);
        gone.then(|| Change::Gone(key.clone()))
    }

    /// Compiles a few at a time, until all are compiled or known to be broken.
    async fn compile(&self, drafts: Vec<Draft>) -> Vec<Object> {
        let jobs = drafts
            .into_iter()
            .map(|draft| compile(self.compilers.clone(), self.mirror.cache(), draft));
        stream::iter(jobs)
            .buffer_unordered(COMPILERS)
            .collect()
            .await
    }

    fn publish(
        &self,
        changes: Vec<Change>,
        records: BTreeMap<ObjectKey, Option<Record>>,
        complete: Option<&HashSet<ObjectKey>>,
    ) {
        let kind = self.kind;
        let worth = !changes.is_empty() || complete.is_some();
        let change = worth.then_some(|state: &mut State| {
            if let Some(present) = complete {
                kind.retain(state, |key| present.contains(key));
            }
            for change in changes {
                change.apply(kind, state);
            }
        });
        self.mirror.change(change, |kept| {
            if kind == Kind::Namespace {
                return;
            }
            if let Some(present) = complete {
                kept.retain(|key, _| key.kind != kind.name() || present.contains(key));
            }
            for (key, record) in records {
                match record {
                    Some(record) => drop(kept.insert(key, Arc::new(record))),
                    None => drop(kept.remove(&key)),
                }
            }
        });
    }
}

/// Compiles on one of the compilers' threads, with the imports that are in force.
pub(super) async fn compile(compilers: Evaluators, cache: &Cache, draft: Draft) -> Object {
    let allowance = cache.allowance();
    loop {
        let (job, deadline) = (draft.clone(), Instant::now() + COMPILE);
        let (imports, within) = (cache.snapshot(), allowance.clone());
        let job = move || job.compile(&*imports, within);
        // As of admission: these threads do nothing else, and none is to be kept free for it.
        let compiled = compilers.run_at(Point::Admission, deadline, job);
        match compiled.await {
            Ok(object) => return object,
            Err(fault @ (Unanswered::Failed | Unanswered::Late)) => {
                return given_up(draft, fault, allowance);
            }
            Err(Unanswered::Overloaded) => tokio::time::sleep(AGAIN).await,
        }
    }
}

/// Compiles the conditions of a binding on one of the compilers' threads.
async fn compile_binding(compilers: &Evaluators, draft: BindingDraft) -> Binding {
    loop {
        let (job, deadline) = (draft.clone(), Instant::now() + COMPILE);
        let compiled = compilers.run_at(Point::Admission, deadline, move || job.compile());
        match compiled.await {
            Ok(binding) => return binding,
            Err(fault @ (Unanswered::Failed | Unanswered::Late)) => {
                let object = &draft.definition.key;
                tracing::error!(%object, %fault, "the compiler failed at a binding");
                let fault = Diagnostic::new(
                    "condition_invalid",
                    "the compiler failed at the conditions of this binding",
                );
                let fault = fault.with_remedy("simplify the conditions, and report them");
                return Binding::broken_by(draft.definition, &fault.into());
            }
            Err(Unanswered::Overloaded) => tokio::time::sleep(AGAIN).await,
        }
    }
}

/// A policy at which the compiler itself failed is as broken as one that it refused.
fn given_up(mut draft: Draft, fault: Unanswered, allowance: Allowance) -> Object {
    tracing::error!(object = %draft.key, %fault, "the compiler failed at a policy");
    let fault = Diagnostic::new("rego_compile_error", "the compiler failed at this policy");
    draft.faults = Some(
        fault
            .with_remedy("simplify the policy, and report it")
            .into(),
    );
    draft.compile(&(), allowance)
}

impl Change {
    fn apply(self, kind: Kind, state: &mut State) {
        match self {
            Self::Policy(object) => state.apply_policy(object),
            Self::InPlaceOf(key, in_place_of) => state.set_in_place_of(&key, in_place_of),
            Self::Lock(lock) => state.apply_lock(*lock),
            Self::Binding(binding) => state.apply_binding(binding),
            Self::Exemption(exemption) => state.apply_exemption(exemption),
            Self::Namespace(name, labels) => state.apply_namespace(&name, labels),
            Self::Gone(key) => kind.delete(state, &key),
        }
    }
}

impl Seen {
    fn of(object: &DynamicObject) -> Self {
        let status = object.data.get("status");
        Self {
            content: SeenContent {
                uid: object.metadata.uid.clone().unwrap_or_default(),
                generation: object.metadata.generation,
                labels: object.metadata.labels.clone().unwrap_or_default(),
            },
            in_place_of: status.and_then(in_place_of_object),
        }
    }
}

impl Record {
    fn of(object: &DynamicObject) -> Self {
        Self {
            uid: object.metadata.uid.clone().unwrap_or_default(),
            generation: object.metadata.generation,
            status: object.data.get("status").cloned().unwrap_or(Json::Null),
            policy: None,
            fault: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use portcullis_policies::{Definition, Policy, Timestamp};

    use super::*;

    #[test]
    fn a_policy_that_takes_too_long_to_compile_is_broken() {
        let address = "a/b@1".parse().unwrap();
        let definition = Definition::new(address, "package a.b\nallow := true");
        let object = Object {
            key: ObjectKey::new("ClusterPolicy", None, "b"),
            created: Timestamp::UNIX_EPOCH,
            updated: Timestamp::UNIX_EPOCH,
            policy: Arc::new(Policy::compile(definition)),
        };
        assert!(object.policy.faults().is_none());
        let given_up = given_up(Draft::of(&object), Unanswered::Late, Allowance::default());
        assert_eq!(given_up.key, object.key);
        assert_eq!(given_up.policy.address(), object.policy.address());
        let faults = given_up.policy.faults().expect("it is broken").to_string();
        assert!(
            faults.contains("the compiler failed at this policy"),
            "{faults}"
        );
    }
}
