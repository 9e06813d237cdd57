//! Which replicas of the webhook are ready, and what each of them enforces.
//!
//! The operator asks; the replicas, which may only read the cluster, answer. What is asked is in
//! `GET /v1/enforcement` of the evaluation API.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use futures::{StreamExt as _, stream};
use hyper::{StatusCode, header::HeaderValue};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::{Api, api::ListParams};
use portcullis_crds::ShadowStatus;
use portcullis_policies::{Address, Digest, Entry, Lock, ObjectKey, Snapshot, shadow::Pair};
use serde::{Deserialize, de::DeserializeOwned};
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};

use super::{
    PAUSE, Settings,
    metrics::Metrics,
    retry::Retry,
    shadows::{self, Examples, ShadowCounts},
};
use crate::{
    cluster::{Mirror, chain},
    https,
};

/// Time between two rounds when every replica enforces everything.
const PERIOD: Duration = Duration::from_secs(5);

/// Time between two rounds while some do not yet.
const PERIOD_PENDING: Duration = Duration::from_secs(1);

/// Replicas that are asked at once.
const AT_ONCE: usize = 8;

/// Most replicas that are asked; a larger fleet would need another way than asking each.
const MOST: usize = 256;

/// Largest answer: some hundred bytes a policy, and far more policies than a cluster has.
const ANSWER: usize = 16 << 20;

/// Time for listing the endpoints.
const READ: Duration = Duration::from_secs(10);

/// The port of the evaluation API in a pod.
const PORT: u16 = 8181;

/// What the ready replicas enforce.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Replicas {
    /// How many are ready.
    pub(crate) ready: usize,
    /// What each that answered holds.
    held: Vec<Holdings>,
}

/// What a replica holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Holdings {
    /// By namespace and address.
    policies: BTreeMap<(Option<String>, String), Held>,
    /// The digests of what bindings ask with, by the bindings' objects.
    bindings: BTreeMap<String, Vec<String>>,
    /// On which requests shadows differ.
    examples: Examples,
}

/// A policy at a replica.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Held {
    digest: String,
    /// The locks that cover it; a replica of an earlier version does not tell them.
    #[serde(default)]
    locks: BTreeSet<String>,
    /// What its evaluations use up again and again; a replica of an earlier version does not tell.
    #[serde(default)]
    exhausts: Option<String>,
    /// The version that judges in its place; a replica of an earlier version knows of none.
    #[serde(default)]
    superseded_by: Option<String>,
    /// Of a shadow: how often it differs there.
    #[serde(default)]
    shadow: Option<ShadowCounts>,
}

/// Asks the replicas.
pub(crate) struct Census {
    /// What it shows to replicas where not everybody may ask.
    pub(crate) pass: watch::Receiver<Option<Arc<str>>>,
    pub(crate) slices: Api<EndpointSlice>,
    pub(crate) settings: Arc<Settings>,
    pub(crate) metrics: Metrics,
    pub(crate) mirror: Arc<Mirror>,
    pub(crate) trusted: watch::Receiver<Option<Arc<str>>>,
    pub(crate) replicas: watch::Sender<Option<Arc<Replicas>>>,
}

/// The answer of a replica.
#[derive(Debug, Deserialize)]
struct Report {
    policies: Vec<Reported>,
    /// A replica of an earlier version knows none.
    #[serde(default)]
    bindings: Vec<ReportedBinding>,
}

#[derive(Debug, Deserialize)]
struct ReportedBinding {
    name: String,
    digests: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Reported {
    address: String,
    namespace: Option<String>,
    #[serde(flatten)]
    held: Held,
}

impl Report {
    fn held(self) -> Holdings {
        let policies = self.policies.into_iter();
        let bindings = self.bindings.into_iter();
        Holdings {
            policies: policies
                .map(|policy| ((policy.namespace, policy.address), policy.held))
                .collect(),
            bindings: bindings
                .map(|binding| (binding.name, binding.digests))
                .collect(),
            examples: Examples::default(),
        }
    }
}

/// Why the replicas could not be counted, or one of them gave no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CensusFault {
    #[error("failed to list the endpoints of the webhook's Service")]
    List(#[source] kube::Error),
    #[error("the API server did not list the webhook's endpoints within {} s", READ.as_secs())]
    Late,
    #[error("failed to ask {0}")]
    Ask(SocketAddr, #[source] https::HttpsFault),
    #[error("{0} answered with {1}")]
    Status(SocketAddr, StatusCode),
    #[error("failed to read the answer of {0}")]
    Read(SocketAddr, #[source] serde_json::Error),
}

impl Replicas {
    /// Replicas that are ready, with what those that answered hold.
    #[cfg(test)]
    pub(crate) fn of(ready: usize, held: &[&[(&Address, Digest)]]) -> Self {
        let policy = |(address, digest): &(&Address, Digest)| {
            let held = Held {
                digest: digest.to_string(),
                locks: BTreeSet::new(),
                exhausts: None,
                superseded_by: None,
                shadow: None,
            };
            (key(address), held)
        };
        let held = held.iter().map(|held| Holdings {
            policies: held.iter().map(policy).collect(),
            ..Holdings::default()
        });
        Self {
            ready,
            held: held.collect(),
        }
    }

    /// The first `count` of them judge by the bindings of a snapshot.
    #[cfg(test)]
    pub(crate) fn binding_as(mut self, count: usize, snapshot: &Snapshot) -> Self {
        for held in self.held.iter_mut().take(count) {
            let bindings = snapshot.bindings().map(|binding| {
                let digests = digests(snapshot, &binding.key);
                (binding.key.to_string(), digests)
            });
            held.bindings = bindings.collect();
        }
        self
    }

    /// The first `count` of them know which locks cover what they hold.
    #[cfg(test)]
    pub(crate) fn knowing_locks(mut self, count: usize, snapshot: &Snapshot) -> Self {
        for held in self.held.iter_mut().take(count) {
            for entry in snapshot.entries() {
                if let Some(held) = held.policies.get_mut(&key(entry.address())) {
                    held.locks = entry
                        .locks
                        .iter()
                        .map(|lock| lock.key.to_string())
                        .collect();
                }
            }
        }
        self
    }

    /// On the first `count` of them evaluations of a policy use up its time again and again.
    #[cfg(test)]
    pub(crate) fn exhausted_on(mut self, count: usize, address: &Address) -> Self {
        for held in self.held.iter_mut().take(count) {
            if let Some(held) = held.policies.get_mut(&key(address)) {
                held.exhausts = Some("POLICY.TIMEOUT".to_owned());
            }
        }
        self
    }

    /// The first `count` of them know which versions have taken the place of what they hold.
    #[cfg(test)]
    pub(crate) fn knowing_versions(mut self, count: usize, snapshot: &Snapshot) -> Self {
        for held in self.held.iter_mut().take(count) {
            for entry in snapshot.entries() {
                if let Some(held) = held.policies.get_mut(&key(entry.address())) {
                    held.superseded_by = newer(entry);
                }
            }
        }
        self
    }

    /// Each of them tells these counts of the shadows that it holds.
    #[cfg(test)]
    pub(crate) fn comparing(mut self, snapshot: &Snapshot, counts: &serde_json::Value) -> Self {
        for pair in snapshot.pairs() {
            for held in &mut self.held {
                if let Some(held) = held.policies.get_mut(&key(pair.shadow.address())) {
                    held.shadow = ShadowCounts::deserialize(counts).ok();
                }
            }
        }
        self
    }

    /// How many hold a policy at this digest.
    pub(crate) fn enforcing(&self, address: &Address, digest: Digest) -> usize {
        let digest = digest.to_string();
        self.count(address, |held| held.digest == digest)
    }

    /// How many have a version of a policy superseded as a snapshot has it: by the same newer one,
    /// or by none.
    pub(crate) fn superseding(&self, entry: &Entry) -> usize {
        let newer = newer(entry);
        self.count(entry.address(), |held| held.superseded_by == newer)
    }

    /// On how many evaluations use up a policy's limits again and again, and which limit that is.
    pub(crate) fn exhausting(&self, address: &Address) -> Option<(usize, &str)> {
        let key = key(address);
        let held = self.held.iter();
        let held = held.filter_map(|held| held.policies.get(&key));
        let mut codes = held.filter_map(|held| held.exhausts.as_deref());
        let first = codes.next()?;
        Some((codes.count() + 1, first))
    }

    /// How many know that a lock covers a policy.
    pub(crate) fn locking(&self, address: &Address, lock: &ObjectKey) -> usize {
        let lock = lock.to_string();
        self.count(address, |held| held.locks.contains(&lock))
    }

    /// How many judge by a binding as a snapshot has it.
    pub(crate) fn binding(&self, snapshot: &Snapshot, binding: &ObjectKey) -> usize {
        let (name, own) = (binding.to_string(), digests(snapshot, binding));
        let knows = |held: &&Holdings| held.bindings.get(&name) == Some(&own);
        self.held.iter().filter(knows).count()
    }

    /// How often a shadow differs from a version, on all of them.
    pub(crate) fn shadow(&self, pair: &Pair) -> ShadowStatus {
        let key = key(pair.shadow.address());
        let digest = pair.shadow.policy.digest().to_string();
        let version = pair.in_force.address().version().to_string();
        let held = self.held.iter();
        let held = held.filter_map(|all| Some((all, all.policies.get(&key)?)));
        let held = held.filter(|(_, held)| held.digest == digest);
        let told = held.filter_map(|(all, held)| {
            let counts = held.shadow.as_ref()?;
            let examples = all.examples.of(&key, &version);
            (counts.compares == version).then_some((counts, examples))
        });
        shadows::joined(&version, told)
    }

    fn count(&self, address: &Address, fits: impl Fn(&Held) -> bool) -> usize {
        let key = key(address);
        let held = self.held.iter();
        let held = held.filter_map(|held| held.policies.get(&key));
        held.filter(|held| fits(held)).count()
    }

    /// Whether all of them hold everything that is in force, and know all locks.
    fn agree(&self, snapshot: &Snapshot) -> bool {
        let mut bindings = snapshot.bindings();
        bindings.all(|binding| self.binding(snapshot, &binding.key) == self.ready)
            && snapshot.entries().all(|entry| {
                let address = entry.address();
                let knows = |lock: &Arc<Lock>| self.locking(address, &lock.key) == self.ready;
                self.enforcing(address, entry.policy.digest()) == self.ready
                    && self.superseding(entry) == self.ready
                    && entry.locks.iter().all(knows)
            })
    }
}

fn digests(snapshot: &Snapshot, binding: &ObjectKey) -> Vec<String> {
    let digests = snapshot.digests_of(binding).into_iter();
    digests.map(|digest| digest.to_string()).collect()
}

fn newer(entry: &Entry) -> Option<String> {
    let newer = entry.superseded_by.as_ref()?;
    Some(newer.version().to_string())
}

fn key(address: &Address) -> (Option<String>, String) {
    (address.namespace().map(str::to_owned), address.path())
}

impl Census {
    /// Asks for ever.
    pub(crate) async fn run(mut self) {
        let mut retry = Retry::new("count the replicas", self.metrics.clone());
        let mut changes = self.mirror.changes();
        let mut was_silent = false;
        loop {
            let wait = match self.count().await {
                Ok(replicas) => {
                    retry.succeeded();
                    self.metrics.replicas(replicas.ready);
                    let agree = replicas.agree(&self.mirror.cache().snapshot());
                    // One that ends does not answer any more, and is gone from the list a moment
                    // later: only a silence that lasts is told, or each rollout would change every
                    // status twice.
                    let is_silent = replicas.held.len() < replicas.ready;
                    if !is_silent || was_silent {
                        self.publish(replicas);
                    }
                    was_silent = is_silent;
                    if agree { PERIOD } else { PERIOD_PENDING }
                }
                Err(fault) => retry.note(&fault),
            };
            tokio::select! {
                _ = changes.changed() => {}
                _ = self.trusted.changed() => {}
                () = sleep(wait) => {}
            }
            sleep(PAUSE).await;
        }
    }

    fn publish(&self, replicas: Replicas) {
        self.replicas.send_if_modified(|known| {
            let is_new = known.as_deref() != Some(&replicas);
            if is_new {
                *known = Some(Arc::new(replicas));
            }
            is_new
        });
    }

    async fn count(&mut self) -> Result<Replicas, CensusFault> {
        let service = self.settings.webhook_service();
        let params = ListParams::default().labels(&format!("kubernetes.io/service-name={service}"));
        let slices = timeout(READ, self.slices.list(&params))
            .await
            .map_err(|_| CensusFault::Late)?
            .map_err(CensusFault::List)?;
        let addresses = addresses(&slices.items);
        let trusted = self.trusted.borrow_and_update().clone();
        let own = Asked {
            url: format!("https://{service}.{}.svc:{PORT}", self.settings.namespace),
            trusted,
            pass: self.pass.borrow().clone(),
        };
        let own = &own;
        let answers = stream::iter(addresses.iter().take(MOST))
            .map(|address| own.ask(SocketAddr::new(*address, PORT)))
            .buffer_unordered(AT_ONCE)
            .filter_map(|answer| async {
                // One that does not answer is ready and enforces nothing, as far as is known.
                answer
                    .map_err(|fault| tracing::debug!(fault = chain(&fault), "no answer"))
                    .ok()
            });
        let mut held: Vec<_> = answers.collect().await;
        held.sort_unstable();
        Ok(Replicas {
            ready: addresses.len(),
            held,
        })
    }
}

/// What each replica is asked, and how.
struct Asked {
    url: String,
    trusted: Option<Arc<str>>,
    pass: Option<Arc<str>>,
}

impl Asked {
    async fn ask(&self, address: SocketAddr) -> Result<Holdings, CensusFault> {
        let report: Report = self.get("/v1/enforcement", address, None).await?;
        let mut holdings = report.held();
        let mut policies = holdings.policies.values();
        if policies.any(|held| held.shadow.as_ref().is_some_and(ShadowCounts::differs)) {
            // Without examples the counts tell less, and are right.
            holdings.examples = self.examples(address).await.unwrap_or_else(|fault| {
                tracing::warn!(
                    fault = chain(&fault),
                    "no examples of what shadows differ in"
                );
                Examples::default()
            });
        }
        Ok(holdings)
    }

    /// Who made which requests is not told to everybody.
    async fn examples(&self, address: SocketAddr) -> Result<Examples, CensusFault> {
        let pass = self.pass.as_deref().unwrap_or_default();
        let mut header = HeaderValue::from_str(&format!("Bearer {pass}"))
            .expect("a pass is made of hexadecimal digits");
        header.set_sensitive(true);
        self.get("/v1/shadows", address, Some(&header)).await
    }

    async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        address: SocketAddr,
        authorization: Option<&HeaderValue>,
    ) -> Result<T, CensusFault> {
        let url = format!("{}{path}", self.url);
        let question = https::Question {
            url: &url,
            authority: self.trusted.as_ref().map(|pem| pem.as_bytes()),
            authorization,
            patience: https::PATIENCE,
            limit: ANSWER,
        };
        let (status, body) = question
            .ask_at(address)
            .await
            .map_err(|fault| CensusFault::Ask(address, fault))?;
        if status != StatusCode::OK {
            return Err(CensusFault::Status(address, status));
        }
        serde_json::from_slice(&body).map_err(|error| CensusFault::Read(address, error))
    }
}

/// The addresses of the ready endpoints, each once.
fn addresses(slices: &[EndpointSlice]) -> BTreeSet<IpAddr> {
    let endpoints = slices.iter().flat_map(|slice| &slice.endpoints);
    let ready = endpoints.filter(|endpoint| {
        let conditions = endpoint.conditions.as_ref();
        // An unknown condition is to be read as true.
        let is_ready = conditions
            .and_then(|conditions| conditions.ready)
            .unwrap_or(true);
        let is_ending = conditions
            .and_then(|conditions| conditions.terminating)
            .unwrap_or(false);
        is_ready && !is_ending
    });
    ready
        .filter_map(|endpoint| endpoint.addresses.first()?.parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::{Value as Json, json};

    #[rstest]
    #[case(json!([]), &[])]
    #[case(json!([{"addresses": ["10.0.0.1"], "conditions": {"ready": true}}]), &["10.0.0.1"])]
    #[case(json!([{"addresses": ["10.0.0.1"]}]), &["10.0.0.1"])]
    #[case(json!([{"addresses": ["10.0.0.1"], "conditions": {"ready": false}}]), &[])]
    #[case(json!([{"addresses": ["10.0.0.1"], "conditions": {"ready": true, "terminating": true}}]), &[])]
    #[case(json!([{"addresses": ["fd00::1", "fd00::2"]}, {"addresses": ["10.0.0.2"]}, {"addresses": ["10.0.0.2"]}]),
        &["10.0.0.2", "fd00::1"])]
    fn counts_ready_endpoints_once(#[case] endpoints: Json, #[case] expected: &[&str]) {
        let slice = json!({"addressType": "IPv4", "metadata": {}, "endpoints": endpoints});
        let slices: Vec<EndpointSlice> = vec![serde_json::from_value(slice).unwrap()];
        let expected: BTreeSet<IpAddr> = expected.iter().map(|ip| ip.parse().unwrap()).collect();
        assert_eq!(addresses(&slices), expected);
    }

    #[rstest]
    #[case(json!({"address": "a/b@1", "namespace": null, "digest": "sha256:0", "broken": false}), 0)]
    #[case(json!({"address": "a/b@1", "namespace": null, "digest": "sha256:0", "broken": false,
        "locks": ["ClusterLock incident", "ClusterLock other"]}), 1)]
    #[case(json!({"address": "a/b@1", "namespace": "team", "digest": "sha256:0",
        "locks": ["ClusterLock incident"]}), 0)]
    fn a_lock_counts_where_a_replica_tells_it(#[case] policy: Json, #[case] expected: usize) {
        let report: Report =
            serde_json::from_value(json!({"ready": true, "policies": [policy]})).unwrap();
        let replicas = Replicas {
            ready: 1,
            held: vec![report.held()],
        };
        let lock = ObjectKey::new("ClusterLock", None, "incident");
        assert_eq!(replicas.locking(&"a/b@1".parse().unwrap(), &lock), expected);
    }

    #[test]
    fn a_digest_counts_for_its_own_address_only() {
        use portcullis_policies::{Definition, Policy, Scope};

        let address: Address = "a/b@1".parse().unwrap();
        let own = Address::new(Scope::Namespace("team".to_owned()), "a", "b", "1").unwrap();
        let digest = |source| Policy::compile(Definition::new(address.clone(), source)).digest();
        let (old, new) = (digest("package a.b"), digest("package a.b\n"));
        let replicas = Replicas::of(3, &[&[(&address, new)], &[(&address, old)], &[(&own, new)]]);
        assert_eq!(replicas.enforcing(&address, new), 1);
        assert_eq!(replicas.enforcing(&address, old), 1);
        assert_eq!(replicas.enforcing(&own, new), 1);
        assert_eq!(replicas.enforcing(&own, old), 0);
    }
}
