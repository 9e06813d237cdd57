//! What is said of policies and locks, and what is written of it.

mod data;
mod exemptions;
mod shadows;
mod versions;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use portcullis_policies::{
    Binding, BindingDefinition, Cache, Effect, Exemption, ExemptionDefinition, InPlaceOf, Lock,
    Scope, State,
};
use portcullis_webhook::Readiness;
use rstest::rstest;

use super::*;
use crate::{
    cluster::api_server::ApiServer,
    reconcile::{
        registration::desired_webhooks,
        samples::{Sample, lock, second},
    },
};

/// A cluster with these policies and locks, in which everything is as it should be.
struct Cluster {
    samples: Vec<Sample>,
    locks: Vec<Lock>,
    bindings: Vec<Arc<Binding>>,
    /// On how many of the replicas they are known.
    binding: usize,
    exemptions: Vec<ExemptionDefinition>,
    /// The objects that have taken the place of an older version, and on how many of the replicas
    /// that is known.
    places: Vec<(ObjectKey, InPlaceOf)>,
    superseding: usize,
    /// What each replica tells of shadows.
    comparing: Json,
    /// Ready replicas, and how many of them hold everything.
    replicas: (usize, usize),
    /// How many of these know the locks.
    knowing: usize,
    /// On how many of these its limits are used up again and again.
    exhausted: usize,
    registered: Registered,
    documents: Progress,
    now: i64,
}

impl Cluster {
    fn of(samples: impl IntoIterator<Item = Sample>) -> Self {
        Self {
            samples: samples.into_iter().collect(),
            locks: Vec::new(),
            bindings: Vec::new(),
            binding: usize::MAX,
            exemptions: Vec::new(),
            places: Vec::new(),
            superseding: usize::MAX,
            comparing: Json::Null,
            replicas: (3, 3),
            knowing: usize::MAX,
            exhausted: 0,
            registered: Registered::Filled(Arc::new([])),
            documents: Progress::new(),
            now: 100,
        }
    }

    fn locked(mut self, lock: Lock) -> Self {
        self.locks.push(lock);
        self
    }

    /// With a ClusterPolicyBinding of a policy, or one of a namespace.
    fn bound(mut self, policy: &str, namespace: Option<&str>) -> Self {
        let (kind, reach) = match namespace {
            Some(namespace) => (kind::POLICY_BINDING, Scope::Namespace(namespace.to_owned())),
            None => (kind::CLUSTER_POLICY_BINDING, Scope::Cluster),
        };
        let definition = BindingDefinition {
            key: ObjectKey::new(kind, namespace, "prod"),
            reach,
            policy: format!("test/{policy}@1").parse().unwrap(),
            admission: Sample::new("any")
                .on("", "pods")
                .definition
                .admission
                .unwrap(),
            parameters: serde_json::Map::new(),
            source: None,
        };
        let binding = Binding::compile(definition, Vec::new());
        self.bindings.push(Arc::new(binding));
        self
    }

    fn bound_on(mut self, replicas: usize) -> Self {
        self.binding = replicas;
        self
    }

    fn exempting(mut self, exemption: ExemptionDefinition) -> Self {
        self.exemptions.push(exemption);
        self
    }

    fn held_by(mut self, holding: usize, ready: usize) -> Self {
        self.replicas = (ready, holding);
        self
    }

    fn known_by(mut self, knowing: usize) -> Self {
        self.knowing = knowing;
        self
    }

    fn exhausted_on(mut self, replicas: usize) -> Self {
        self.exhausted = replicas;
        self
    }

    fn registered(mut self, registered: Registered) -> Self {
        self.registered = registered;
        self
    }

    /// The API server asks about all that its policies judge.
    fn all_registered(self) -> Self {
        let view = self.view();
        let target = Settings::new("portcullis", "portcullis-system", "operator-0", []).target();
        let catalogue = &Registration::default().catalogue;
        let webhooks = desired_webhooks(&view.snapshot, catalogue, &target, "");
        self.registered(Registered::Filled(webhooks.into()))
    }

    fn apply(&self, state: &mut State) {
        self.samples
            .iter()
            .for_each(|sample| state.apply_policy(sample.compiled()));
        self.locks
            .iter()
            .for_each(|lock| state.apply_lock(lock.clone()));
        self.bindings
            .iter()
            .for_each(|binding| state.apply_binding(binding.clone()));
        for (key, in_place_of) in &self.places {
            state.set_in_place_of(key, Some(in_place_of.clone()));
        }
        for exemption in &self.exemptions {
            let compiled = Exemption::compile(exemption.clone()).unwrap();
            state.apply_exemption(Arc::new(compiled));
        }
    }

    fn view(&self) -> View {
        let cache = Cache::new();
        cache.update(|state| self.apply(state));
        let mut records = std::collections::BTreeMap::new();
        let record = |policy| Record {
            uid: "uid".to_owned(),
            generation: Some(2),
            status: Json::Null,
            policy,
            fault: None,
        };
        for sample in &self.samples {
            let object = sample.compiled();
            records.insert(object.key, Arc::new(record(Some(object.policy))));
        }
        for lock in &self.locks {
            records.insert(lock.key.clone(), Arc::new(record(None)));
        }
        for binding in &self.bindings {
            records.insert(binding.key.clone(), Arc::new(record(None)));
        }
        View {
            snapshot: cache.snapshot(),
            records,
        }
    }

    fn with_world<T>(&self, view: &View, look: impl FnOnce(&World<'_>) -> T) -> T {
        let held: Vec<_> = view
            .snapshot
            .entries()
            .map(|entry| (entry.address(), entry.policy.digest()))
            .collect();
        let (ready, holding) = self.replicas;
        let replicas = Replicas::of(ready, &vec![held.as_slice(); holding])
            .knowing_locks(self.knowing, &view.snapshot)
            .binding_as(self.binding, &view.snapshot)
            .knowing_versions(self.superseding, &view.snapshot)
            .comparing(&view.snapshot, &self.comparing);
        let replicas = held.iter().fold(replicas, |replicas, (address, _)| {
            replicas.exhausted_on(self.exhausted, address)
        });
        let registration = Registration {
            registered: self.registered.clone(),
            ..Registration::default()
        };
        let target = Settings::new("portcullis", "portcullis-system", "operator-0", []).target();
        let now = second(self.now);
        let documents = &self.documents;
        look(&World::new(
            view,
            &replicas,
            &registration,
            documents,
            &target,
            now,
        ))
    }

    /// The conditions of the first binding, as `type=status reason: message`.
    fn binding(&self) -> Vec<String> {
        let view = self.view();
        let key = &self.bindings[0].key;
        let record = view.records[key].clone();
        let before = BindingStatus::default();
        let status = self.with_world(&view, |world| world.binding(key, &record, &before));
        let conditions = status.conditions.iter();
        let text = |condition: &Condition| {
            let Condition {
                type_,
                status,
                reason,
                message,
                ..
            } = condition;
            format!("{type_}={status} {reason}: {message}")
        };
        conditions.map(text).collect()
    }

    /// The status of the first policy.
    fn policy(&self) -> PolicyStatus {
        self.policy_after(&PolicyStatus::default())
    }

    fn policy_after(&self, before: &PolicyStatus) -> PolicyStatus {
        let view = self.view();
        let key = self.samples[0].key();
        let record = view.records[&key].clone();
        self.with_world(&view, |world| world.policy(&key, &record, before))
    }

    /// The status of the first exemption.
    fn exemption(&self) -> ExemptionStatus {
        let view = self.view();
        let key = &self.exemptions[0].key;
        let record = Record {
            uid: "uid".to_owned(),
            generation: Some(2),
            status: Json::Null,
            policy: None,
            fault: None,
        };
        self.with_world(&view, |world| {
            world.exemption(key, &record, &ExemptionStatus::default())
        })
    }

    /// The status of the first lock.
    fn lock(&self) -> LockStatus {
        let view = self.view();
        let key = self.locks[0].key.clone();
        let record = view.records[&key].clone();
        self.with_world(&view, |world| {
            world.lock(&key, &record, &LockStatus::default())
        })
    }
}

/// `Ready=True InForce`, each in its order.
fn conditions_of(conditions: &[Condition]) -> Vec<String> {
    conditions
        .iter()
        .map(|found| format!("{}={} {}", found.type_, found.status, found.reason))
        .collect()
}

fn refuse() -> Lock {
    lock("incident", "a", Effect::Refuse, None)
}

fn bypass() -> Lock {
    lock("emergency", "a", Effect::Bypass, None)
}

#[rstest]
#[case::sound(Cluster::of([Sample::new("a")]),
    ["Ready=True InForce", "Compiled=True Compiled", "Enforced=True OnEveryReplica", "Healthy=True WithinLimits", "Locked=False NotLocked"])]
#[case::broken(Cluster::of([Sample::new("a").broken()]),
    ["Ready=False CompileFailed", "Compiled=False CompileFailed", "Enforced=True OnEveryReplica", "Healthy=True WithinLimits", "Locked=False NotLocked"])]
#[case::invalid(Cluster::of([Sample::new("a").invalid()]),
    ["Ready=False Invalid", "Compiled=False Invalid", "Enforced=False NotInForce", "Healthy=True WithinLimits", "Locked=False NotLocked"])]
#[case::pending(Cluster::of([Sample::new("a")]).held_by(2, 3),
    ["Ready=False Pending", "Compiled=True Compiled", "Enforced=False Pending", "Healthy=True WithinLimits", "Locked=False NotLocked"])]
#[case::no_replica(Cluster::of([Sample::new("a")]).held_by(0, 0),
    ["Ready=False NoReplica", "Compiled=True Compiled", "Enforced=False NoReplica", "Healthy=True WithinLimits", "Locked=False NotLocked"])]
#[case::not_registered(Cluster::of([Sample::new("a").on("", "pods")]),
    ["Ready=False NotRegistered", "Compiled=True Compiled", "Enforced=False NotRegistered", "Healthy=True WithinLimits", "Locked=False NotLocked"])]
#[case::configuration_gone(Cluster::of([Sample::new("a").on("", "pods")]).registered(Registered::Gone),
    ["Ready=False NotRegistered", "Compiled=True Compiled", "Enforced=False NotRegistered", "Healthy=True WithinLimits", "Locked=False NotLocked"])]
#[case::evaluation_needs_no_configuration(Cluster::of([Sample::new("a")]).registered(Registered::Gone),
    ["Ready=True InForce", "Compiled=True Compiled", "Enforced=True OnEveryReplica", "Healthy=True WithinLimits", "Locked=False NotLocked"])]
#[case::exempt_namespace(Cluster::of([Sample::new("a").within("kube-system").on("", "pods")]),
    ["Ready=False ExemptNamespace", "Compiled=True Compiled", "Enforced=False ExemptNamespace", "Healthy=True WithinLimits", "Locked=False NotLocked"])]
#[case::evaluation_is_asked_in_every_namespace(Cluster::of([Sample::new("a").within("kube-system")]),
    ["Ready=True InForce", "Compiled=True Compiled", "Enforced=True OnEveryReplica", "Healthy=True WithinLimits", "Locked=False NotLocked"])]
#[case::not_in_force_yet(Cluster::of([Sample::new("a").from(200)]),
    ["Ready=True NotInForce", "Compiled=True Compiled", "Enforced=False NotInForce", "Healthy=True WithinLimits", "Locked=False NotLocked"])]
#[case::address_taken(Cluster::of([Sample::new("a").in_object("younger", 5), Sample::new("a")]),
    ["Ready=False AddressTaken", "Compiled=True Compiled", "Enforced=False AddressTaken", "Healthy=True WithinLimits", "Locked=False NotLocked"])]
#[case::holder_of_an_address(Cluster::of([Sample::new("a"), Sample::new("a").in_object("younger", 5)]),
    ["Ready=True InForce", "Compiled=True Compiled", "Enforced=True OnEveryReplica", "Healthy=True WithinLimits", "Locked=False NotLocked"])]
#[case::locked(Cluster::of([Sample::new("a")]).locked(refuse()),
    ["Ready=True InForce", "Compiled=True Compiled", "Enforced=True OnEveryReplica", "Healthy=True WithinLimits", "Locked=True Refused"])]
#[case::bypassed(Cluster::of([Sample::new("a")]).locked(bypass()),
    ["Ready=True InForce", "Compiled=True Compiled", "Enforced=True OnEveryReplica", "Healthy=True WithinLimits", "Locked=True Bypassed"])]
#[case::refusal_wins(Cluster::of([Sample::new("a")]).locked(bypass()).locked(refuse()),
    ["Ready=True InForce", "Compiled=True Compiled", "Enforced=True OnEveryReplica", "Healthy=True WithinLimits", "Locked=True Refused"])]
#[case::expired(Cluster::of([Sample::new("a")]).locked(lock("old", "a", Effect::Refuse, Some(99))),
    ["Ready=True InForce", "Compiled=True Compiled", "Enforced=True OnEveryReplica", "Healthy=True WithinLimits", "Locked=False NotLocked"])]
#[case::anothers_lock(Cluster::of([Sample::new("a")]).locked(lock("other", "b", Effect::Refuse, None)),
    ["Ready=True InForce", "Compiled=True Compiled", "Enforced=True OnEveryReplica", "Healthy=True WithinLimits", "Locked=False NotLocked"])]
#[case::exhausted(Cluster::of([Sample::new("a")]).exhausted_on(1),
    ["Ready=False LimitsExhausted", "Compiled=True Compiled", "Enforced=True OnEveryReplica", "Healthy=False LimitsExhausted", "Locked=False NotLocked"])]
fn says_of_a_policy(#[case] cluster: Cluster, #[case] expected: [&str; 5]) {
    assert_eq!(conditions_of(&cluster.policy().conditions), expected);
}

#[test]
fn says_which_limit_is_used_up_and_where() {
    let status = Cluster::of([Sample::new("a")]).exhausted_on(2).policy();
    assert_eq!(
        status.conditions[3].message,
        "on 2 of 3 ready replicas, evaluations used up `limits.timeout` several times in a row, and \
         the failure policy answers for a while (POLICY.TIMEOUT): make the policy cheaper, or raise \
         `limits.timeout`"
    );
}

/// `kubectl wait --for=condition=Locked` returns when no replica judges as before.
#[test]
fn a_policy_is_locked_when_every_replica_knows_the_lock() {
    let cluster = |knowing| {
        Cluster::of([Sample::new("a")])
            .locked(refuse())
            .known_by(knowing)
    };
    let mut status = PolicyStatus::default();
    for (knowing, expected) in [
        (2, "Locked=False ReplicasPending"),
        (3, "Locked=True Refused"),
        (2, "Locked=True ReplicasPending"),
    ] {
        status = cluster(knowing).policy_after(&status);
        assert_eq!(conditions_of(&status.conditions)[4], expected);
    }
    let away = cluster(3).held_by(0, 0).policy();
    assert_eq!(
        conditions_of(&away.conditions)[4],
        "Locked=False ReplicasPending"
    );
}

#[test]
fn a_policys_status_names_what_it_speaks_of() {
    let cluster = Cluster::of([Sample::new("a")])
        .held_by(2, 3)
        .locked(refuse());
    let status = cluster.policy();
    let digest = cluster
        .view()
        .snapshot
        .entries()
        .next()
        .unwrap()
        .policy
        .digest()
        .to_string();
    assert_eq!(status.observed_generation, Some(2));
    assert_eq!(status.address.as_deref(), Some("test/a@1"));
    assert_eq!(status.digest, Some(digest));
    assert_eq!(status.enforced_on.as_deref(), Some("2/3"));
    assert_eq!(status.locks, ["ClusterLock/incident"]);
    let locked = status.conditions.last().unwrap();
    assert_eq!(
        locked.message,
        "on 2 of 3 ready replicas, ClusterLock incident refuses what it would judge at admission \
         and evaluation: a test"
    );
}

#[rstest]
#[case::holds(Cluster::of([Sample::new("a")]).locked(refuse()), "Active=True Holds", &["test/a@1"])]
#[case::no_target(Cluster::of([Sample::new("b")]).locked(refuse()), "Active=False NoTarget", &[])]
#[case::expired(Cluster::of([Sample::new("a")]).locked(lock("old", "a", Effect::Refuse, Some(100))),
    "Active=False Expired", &[])]
#[case::guardrail(Cluster::of([Sample::new("a").guardrail()]).locked(bypass()),
    "Active=False Guardrail", &[])]
#[case::guardrails_can_be_refused(Cluster::of([Sample::new("a").guardrail()]).locked(refuse()),
    "Active=True Holds", &["test/a@1"])]
fn says_of_a_lock(#[case] cluster: Cluster, #[case] expected: &str, #[case] locked: &[&str]) {
    let status = cluster.lock();
    assert_eq!(conditions_of(&status.conditions), [expected]);
    assert_eq!(status.locked, locked);
}

#[test]
fn looks_again_when_the_clock_changes_something() {
    let until = |seconds| lock("l", "a", Effect::Refuse, seconds);
    for (cluster, expected) in [
        (Cluster::of([Sample::new("a")]), None),
        (Cluster::of([Sample::new("a")]).locked(until(None)), None),
        (
            Cluster::of([Sample::new("a")]).locked(until(Some(99))),
            None,
        ),
        (
            Cluster::of([Sample::new("a")]).locked(until(Some(150))),
            Some(150),
        ),
        (
            Cluster::of([Sample::new("a").from(120)]).locked(until(Some(150))),
            Some(120),
        ),
    ] {
        let view = cluster.view();
        let next = cluster.with_world(&view, |world: &World<'_>| world.next_change());
        assert_eq!(next, expected.map(second));
    }
}

const STATUS: &str = "PATCH /apis/portcullis.dev/v1alpha1/clusterpolicies/a/status";

/// A reporter in front of a server that holds the policy `a`.
fn reporter(leadership: Leadership) -> (ApiServer, Reporter) {
    let server = ApiServer::default();
    server.put(
        "/apis/portcullis.dev/v1alpha1/clusterpolicies/a",
        json!({"metadata": {"name": "a"}}),
    );
    let (settings, metrics) = (
        Arc::new(Settings::new(
            "portcullis",
            "portcullis-system",
            "operator-0",
            [],
        )),
        Metrics::new(),
    );
    let client = server.client();
    let reporter = Reporter {
        announcer: Announcer::new(
            client.clone(),
            leadership.clone(),
            settings.clone(),
            metrics.clone(),
        ),
        client,
        settings,
        leadership,
        metrics,
        mirror: Mirror::new(Arc::new(Cache::new()), Readiness::new([])),
        replicas: watch::channel(None).1,
        registration: watch::channel(Registration::default()).1,
        documents: watch::channel(None).1,
        written: HashMap::new(),
    };
    (server, reporter)
}

/// One look at a cluster with the policy `a`, whose object has `status`.
async fn look(reporter: &mut Reporter, cluster: &Cluster, status: Json) {
    let mut view = cluster.view();
    for record in view.records.values_mut() {
        Arc::get_mut(record).unwrap().status = status.clone();
    }
    let held: Vec<_> = view
        .snapshot
        .entries()
        .map(|entry| (entry.address(), entry.policy.digest()))
        .collect();
    let replicas = Replicas::of(1, &[held.as_slice()]);
    let registration = Registration {
        registered: cluster.registered.clone(),
        ..Registration::default()
    };
    let mut retry = Retry::new("write a status", reporter.metrics.clone());
    reporter
        .report_view(
            &view,
            &replicas,
            &registration,
            &Progress::new(),
            &mut retry,
        )
        .await;
}

#[tokio::test]
async fn a_status_is_written_once_and_announced() {
    let (server, mut reporter) = reporter(Leadership::for_a_test());
    let cluster = Cluster::of([Sample::new("a")]);
    look(&mut reporter, &cluster, Json::Null).await;
    let events = "POST /apis/events.k8s.io/v1/namespaces/default/events";
    assert_eq!(server.written(), [STATUS, events, events]);
    let written = server.writes().remove(0).body;
    assert_eq!(written["metadata"]["uid"], "uid");
    assert_eq!(written["status"]["enforcedOn"], "1/1");

    // Before the watch has brought it back, and after.
    look(&mut reporter, &cluster, Json::Null).await;
    look(&mut reporter, &cluster, written["status"].clone()).await;
    assert_eq!(server.written().len(), 3);
}

#[tokio::test]
async fn radio_silence_when_another_leads() {
    let (server, mut reporter) = reporter(Leadership::lost());
    look(&mut reporter, &Cluster::of([Sample::new("a")]), Json::Null).await;
    assert_eq!(server.written(), [""; 0]);
}

#[tokio::test]
async fn what_somebody_wrote_into_a_status_is_put_back() {
    let (server, mut reporter) = reporter(Leadership::for_a_test());
    let cluster = Cluster::of([Sample::new("a")]);
    look(&mut reporter, &cluster, Json::Null).await;
    let mut forged = server.writes().remove(0).body["status"].clone();
    forged["digest"] = json!("sha256:forged");
    look(&mut reporter, &cluster, forged).await;
    assert_eq!(
        server
            .written()
            .iter()
            .filter(|request| *request == STATUS)
            .count(),
        2
    );
}

#[rstest]
#[case::as_it_should_be(Cluster::of([Sample::new("a")]).bound("a", None), [
    "Ready=True InForce: on 3 of 3 ready replicas",
    "Bound=True Bound: it binds test/a@1",
    "Enforced=True OnEveryReplica: on 3 of 3 ready replicas",
])]
#[case::no_policy(Cluster::of([]).bound("a", None).held_by(2, 2), [
    "Ready=False PolicyMissing: there is no policy test/a@1: apply the policy, or remove the binding",
    "Bound=False PolicyMissing: there is no policy test/a@1: apply the policy, or remove the binding",
    "Enforced=True OnEveryReplica: on 2 of 2 ready replicas",
])]
#[case::not_for_namespaces(Cluster::of([Sample::new("a")]).bound("a", Some("shop")), [
    "Ready=False PolicyMissing: the policy test/a@1 is not for namespaces to bind: have `importable: true` set in the ClusterPolicy, or bind a Policy",
    "Bound=False PolicyMissing: the policy test/a@1 is not for namespaces to bind: have `importable: true` set in the ClusterPolicy, or bind a Policy",
    "Enforced=True OnEveryReplica: on 3 of 3 ready replicas",
])]
#[case::pending(Cluster::of([Sample::new("a")]).bound("a", None).bound_on(1), [
    "Ready=False Pending: on 1 of 3 ready replicas",
    "Bound=True Bound: it binds test/a@1",
    "Enforced=False Pending: on 1 of 3 ready replicas",
])]
#[case::not_registered(Cluster::of([Sample::new("a")]).bound("a", None).registered(Registered::Gone), [
    "Ready=False NotRegistered: the ValidatingWebhookConfiguration is gone, and admission is switched off: `helm upgrade` restores it",
    "Bound=True Bound: it binds test/a@1",
    "Enforced=False NotRegistered: the ValidatingWebhookConfiguration is gone, and admission is switched off: `helm upgrade` restores it",
])]
#[case::exempt(Cluster::of([Sample::new("a")]).bound("a", Some("portcullis-system")), [
    "Ready=False PolicyMissing: the policy test/a@1 is not for namespaces to bind: have `importable: true` set in the ClusterPolicy, or bind a Policy",
    "Bound=False PolicyMissing: the policy test/a@1 is not for namespaces to bind: have `importable: true` set in the ClusterPolicy, or bind a Policy",
    "Enforced=False ExemptNamespace: admission does not ask in the exempt namespace portcullis-system: bind the policy in another one",
])]
fn says_what_a_binding_does(#[case] cluster: Cluster, #[case] expected: [&str; 3]) {
    let cluster = if cluster.registered == Registered::Filled(Arc::new([])) {
        cluster.all_registered()
    } else {
        cluster
    };
    assert_eq!(cluster.binding(), expected);
}
