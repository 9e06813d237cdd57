//! Which replicas of the webhook are ready, and what each of them enforces.
//!
//! The operator asks; the replicas, which may only read the cluster, answer.

mod census;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use portcullis_crds::ShadowStatus;
use portcullis_policies::{Address, Digest, Entry, Lock, ObjectKey, Snapshot, shadow::Pair};
use serde::Deserialize;

use super::shadows::{self, Examples, ShadowCounts};
pub(crate) use census::Census;

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
    /// Since when the replica keeps it out of evaluation by itself.
    #[serde(default)]
    sealed_since: Option<String>,
    /// Of a shadow: how often it differs there.
    #[serde(default)]
    shadow: Option<ShadowCounts>,
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
                sealed_since: None,
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

    /// Whether any of them keeps a policy out of evaluation by itself.
    pub(crate) fn seal(&self, address: &Address) -> bool {
        self.count(address, |held| held.sealed_since.is_some()) > 0
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

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::{Value as Json, json};

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

    /// Of two times a replica tells different things, so that the second is news.
    #[test]
    fn a_seal_is_told_with_its_time() {
        let replicas = |since: Json| {
            let policy =
                json!({"address": "a/b@1", "namespace": null, "digest": "", "sealedSince": since});
            let report: Report = serde_json::from_value(json!({"policies": [policy]})).unwrap();
            Replicas {
                ready: 1,
                held: vec![report.held()],
            }
        };
        let address = "a/b@1".parse().unwrap();
        let (none, first) = (
            replicas(Json::Null),
            replicas(json!("2026-01-01T00:00:00Z")),
        );
        assert!(!none.seal(&address));
        assert!(first.seal(&address));
        assert!(!first.seal(&"a/b@2".parse().unwrap()));
        assert_ne!(first, replicas(json!("2026-01-01T00:00:01Z")));
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
