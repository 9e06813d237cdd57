//! The way from the API server to the cache, against a mocked one.

mod bindings;

use std::{sync::Arc, time::Instant};

use portcullis_policies::{Address, Cache, Objects, Operation, Route, Subject};
use portcullis_webhook::Readiness;
use rstest::rstest;
use serde_json::{Value as Json, json};

use super::{Extent, Mirror, SOURCES, api_server::ApiServer, follow};

const POLICIES: &str = "/apis/portcullis.dev/v1alpha1/clusterpolicies";
const EXEMPTIONS: &str = "/apis/portcullis.dev/v1alpha1/clusterexemptions";
const LOCKS: &str = "/apis/portcullis.dev/v1alpha1/clusterlocks";

/// A policy at `a/<name>@1` that allows, or does what `source` says.
fn policy(name: &str, generation: i64, source: &str) -> Json {
    json!({
        "apiVersion": "portcullis.dev/v1alpha1",
        "kind": "ClusterPolicy",
        "metadata": {
            "name": name, "uid": name, "generation": generation,
            "resourceVersion": (100 + generation).to_string(),
            "creationTimestamp": "2026-01-01T00:00:00Z",
        },
        "spec": {
            "group": "a", "name": name, "version": "1",
            "modules": {"policy.rego": format!("package a.{name}\n{source}")},
        },
    })
}

fn lock(name: &str) -> Json {
    json!({
        "apiVersion": "portcullis.dev/v1alpha1",
        "kind": "ClusterLock",
        "metadata": {"name": name, "uid": name, "generation": 1, "resourceVersion": "7"},
        "spec": {"policy": {"group": "a"}, "reason": "a test", "points": ["admission"]},
    })
}

fn list(items: &[Json]) -> Json {
    json!({"kind": "List", "apiVersion": "v1", "metadata": {}, "items": items})
}

fn event(type_: &str, object: &Json) -> Json {
    json!({"type": type_, "object": object})
}

/// An API server that serves our kinds, all of them empty.
fn server() -> ApiServer {
    let server = ApiServer::default();
    for kind in [
        "policies",
        "clusterpolicies",
        "locks",
        "clusterlocks",
        "policybindings",
        "clusterpolicybindings",
        "exemptions",
        "clusterexemptions",
    ] {
        server.put(&format!("/apis/portcullis.dev/v1alpha1/{kind}"), list(&[]));
    }
    server.put("/api/v1/namespaces", list(&[]));
    server
}

/// A process that follows a server, as long as it is not dropped.
struct Process {
    mirror: Arc<Mirror>,
    readiness: Readiness,
    task: tokio::task::JoinHandle<()>,
}

impl Process {
    fn following(server: &ApiServer) -> Self {
        let readiness = Readiness::new(SOURCES);
        let mirror = Mirror::new(Arc::new(Cache::new()), readiness.clone());
        let task = tokio::spawn(follow(server.client(), mirror.clone(), Extent::Cluster));
        Self {
            mirror,
            readiness,
            task,
        }
    }

    /// Waits for what has to come; a test that waits in vain is ended by its runner.
    async fn until(&self, holds: impl Fn(&Mirror) -> bool) {
        self.mirror
            .changes()
            .wait_for(|_| holds(&self.mirror))
            .await
            .unwrap();
    }

    fn addresses(&self) -> Vec<String> {
        self.mirror
            .cache()
            .snapshot()
            .entries()
            .map(|entry| entry.address().path())
            .collect()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn find(mirror: &Mirror, address: &str) -> Option<Arc<portcullis_policies::Entry>> {
    let address: Address = address.parse().unwrap();
    mirror.cache().snapshot().find(&address).cloned()
}

#[tokio::test]
async fn is_ready_when_everything_listed_is_in_force_or_known_to_be_broken() {
    let server = server();
    server.put(
        POLICIES,
        list(&[policy("b", 1, ""), policy("c", 1, "allow if {")]),
    );
    server.put(LOCKS, list(&[lock("incident")]));
    let process = Process::following(&server);
    assert!(process.readiness.is_ready(Instant::now()).is_err());
    process.mirror.synced().await;
    assert_eq!(process.readiness.is_ready(Instant::now()), Ok(()));
    assert_eq!(process.addresses(), ["a/b@1", "a/c@1"]);
    let entry = |address| find(&process.mirror, address).unwrap();
    assert!(entry("a/b@1").policy.faults().is_none());
    assert!(entry("a/c@1").policy.faults().is_some());
    assert_eq!(entry("a/b@1").locks.len(), 1);
    // One for each source, however many objects each has.
    let revision = process.mirror.cache().snapshot().revision();
    assert_eq!(usize::try_from(revision), Ok(SOURCES.len()));
}

#[tokio::test]
async fn follows_what_changes() {
    let server = server();
    server.put(POLICIES, list(&[policy("b", 1, "")]));
    server.tell(
        POLICIES,
        [
            event("ADDED", &policy("c", 1, "")),
            event("DELETED", &policy("b", 1, "")),
            json!({"type": "BOOKMARK", "object": {
                "apiVersion": "portcullis.dev/v1alpha1", "kind": "ClusterPolicy",
                "metadata": {"resourceVersion": "9"},
            }}),
        ],
    );
    let process = Process::following(&server);
    process
        .until(|mirror| find(mirror, "a/c@1").is_some() && find(mirror, "a/b@1").is_none())
        .await;
    assert_eq!(process.mirror.view().records.len(), 1);
}

#[tokio::test]
async fn what_has_not_changed_is_not_compiled_again() {
    let server = server();
    server.put(POLICIES, list(&[policy("b", 1, "")]));
    let mut reported = policy("b", 1, "");
    reported["status"] = json!({"digest": "sha256:0"});
    server.tell(POLICIES, [event("MODIFIED", &reported)]);
    let process = Process::following(&server);
    process.mirror.synced().await;
    let before = find(&process.mirror, "a/b@1").unwrap();
    let revision = process.mirror.cache().snapshot().revision();
    process
        .until(|mirror| {
            mirror
                .view()
                .records
                .values()
                .any(|record| !record.status.is_null())
        })
        .await;
    let after = find(&process.mirror, "a/b@1").unwrap();
    assert!(Arc::ptr_eq(&before.policy, &after.policy));
    assert_eq!(process.mirror.cache().snapshot().revision(), revision);
    let view = process.mirror.view();
    let record = view.records.values().next().unwrap();
    assert!(
        record
            .policy
            .as_ref()
            .is_some_and(|policy| Arc::ptr_eq(policy, &after.policy))
    );
}

#[tokio::test]
async fn a_place_that_is_taken_is_followed_without_compiling() {
    let server = server();
    let version = |version: &str, generation| {
        let mut policy = policy("b", generation, "");
        policy["metadata"]["name"] = json!(format!("b-{version}"));
        policy["spec"]["version"] = json!(version);
        policy
    };
    let mut newer = version("2", 1);
    newer["spec"]["supersedes"] = json!("1");
    server.put(POLICIES, list(&[version("1", 1), newer.clone()]));
    let mut taken = newer.clone();
    taken["status"] = json!({"inPlaceOf": {"version": "1", "since": "2026-01-01T00:00:00Z"}});
    server.tell(POLICIES, [event("MODIFIED", &taken)]);
    let process = Process::following(&server);
    process.mirror.synced().await;
    let before = find(&process.mirror, "a/b@2").unwrap();
    let newer_of = |mirror: &Mirror| find(mirror, "a/b@1").unwrap().superseded_by.clone();
    process
        .until(|mirror| newer_of(mirror).is_some_and(|newer| newer.path() == "a/b@2"))
        .await;
    let after = find(&process.mirror, "a/b@2").unwrap();
    assert!(Arc::ptr_eq(&before.policy, &after.policy));
}

#[tokio::test]
async fn a_new_generation_is_compiled() {
    let server = server();
    server.put(POLICIES, list(&[policy("b", 1, "")]));
    server.tell(POLICIES, [event("MODIFIED", &policy("b", 2, "allow if {"))]);
    let process = Process::following(&server);
    let is_broken = |mirror: &Mirror| {
        find(mirror, "a/b@1").is_some_and(|entry| entry.policy.faults().is_some())
    };
    process.until(is_broken).await;
}

/// A policy that allows what `a/base@1` does.
fn importer(name: &str) -> Json {
    let mut importer = policy(name, 1, "allow if data.a.base.ok(1)");
    importer["spec"]["imports"] = json!([{"group": "a", "name": "base", "version": "1"}]);
    importer
}

fn is_sound(mirror: &Mirror, address: &str) -> bool {
    find(mirror, address).is_some_and(|entry| entry.policy.faults().is_none())
}

#[tokio::test]
async fn importers_are_sound_before_it_is_ready_whatever_is_listed_first() {
    let server = server();
    let mut own = importer("own");
    own["kind"] = json!("Policy");
    own["metadata"]["namespace"] = json!("team");
    server.put(
        "/apis/portcullis.dev/v1alpha1/policies",
        list(std::slice::from_ref(&own)),
    );
    let mut base = policy("base", 1, "ok(_) := true");
    base["spec"]["importable"] = json!(true);
    server.put(POLICIES, list(&[importer("b"), base]));
    let process = Process::following(&server);
    process.mirror.synced().await;
    assert!(is_sound(&process.mirror, "a/b@1"));
    let snapshot = process.mirror.cache().snapshot();
    let faults: Vec<_> = snapshot
        .entries()
        .filter_map(|entry| entry.policy.faults().map(ToString::to_string))
        .collect();
    assert_eq!(faults, [] as [&str; 0]);
}

#[tokio::test]
async fn an_importer_follows_what_it_imports() {
    let server = server();
    server.put(
        POLICIES,
        list(&[importer("b"), policy("c", 1, "allow := true")]),
    );
    let base = policy("base", 1, "ok(_) := true");
    server.tell(POLICIES, [event("ADDED", &base), event("DELETED", &base)]);
    let process = Process::following(&server);
    process.mirror.synced().await;
    let other = find(&process.mirror, "a/c@1").unwrap();
    // The watch may have told both before anybody looked; the end is the same.
    let is_missing = |mirror: &Mirror| {
        let entry = find(mirror, "a/b@1").unwrap();
        let faults = entry.policy.faults().map(ToString::to_string);
        faults.is_some_and(|faults| faults.starts_with("import_missing"))
    };
    process
        .until(|mirror| find(mirror, "a/base@1").is_none() && is_missing(mirror))
        .await;
    server.put(
        POLICIES,
        list(&[importer("b"), policy("c", 1, "allow := true"), base]),
    );
    let process = Process::following(&server);
    process.mirror.synced().await;
    assert!(is_sound(&process.mirror, "a/b@1"));
    let again = find(&process.mirror, "a/c@1").unwrap();
    assert_eq!(again.policy.digest(), other.policy.digest());
    // What status speaks of is what is in force.
    let view = process.mirror.view();
    let (_, record) = view
        .records
        .iter()
        .find(|(key, _)| key.name == "b")
        .unwrap();
    let in_force = find(&process.mirror, "a/b@1").unwrap();
    assert!(
        record
            .policy
            .as_ref()
            .is_some_and(|policy| Arc::ptr_eq(policy, &in_force.policy))
    );
}

#[tokio::test]
async fn a_change_of_what_is_imported_changes_the_importer() {
    let server = server();
    server.put(
        POLICIES,
        list(&[importer("b"), policy("base", 1, "ok(_) := true")]),
    );
    server.tell(
        POLICIES,
        [event("MODIFIED", &policy("base", 2, "ok(x) if {"))],
    );
    let process = Process::following(&server);
    let says = |mirror: &Mirror| {
        let faults = find(mirror, "a/b@1").and_then(|entry| entry.policy.faults().cloned());
        faults.is_some_and(|faults| faults.to_string().starts_with("import_broken"))
    };
    process.until(says).await;
}

#[tokio::test]
async fn an_object_that_cannot_be_read_hides_no_other() {
    let server = server();
    let unreadable = json!({"metadata": {"name": "x", "uid": "x"}, "spec": {"group": 7}});
    server.put(POLICIES, list(&[unreadable, policy("b", 1, "")]));
    let process = Process::following(&server);
    process.mirror.synced().await;
    assert_eq!(process.addresses(), ["a/b@1"]);
    let view = process.mirror.view();
    let faults: Vec<_> = view
        .records
        .values()
        .map(|record| record.fault.is_some())
        .collect();
    assert_eq!(faults, [false, true]);
}

/// An object at its next generation, with another value at a place of its spec.
fn changed(object: &Json, field: &str, value: Json) -> Json {
    let mut object = object.clone();
    object["metadata"]["generation"] = json!(2);
    object["metadata"]["resourceVersion"] = json!("200");
    object["spec"][field] = value;
    object
}

/// Waits until the second generation of an object was read, and tells its fault.
async fn second_generation(process: &Process, name: &str) -> Option<String> {
    let second = |mirror: &Mirror| {
        let records = mirror.view().records.into_iter();
        let mut found =
            records.filter(|(key, record)| key.name == name && record.generation == Some(2));
        found.next().map(|(_, record)| record)
    };
    process.until(|mirror| second(mirror).is_some()).await;
    second(&process.mirror).and_then(|record| record.fault.clone())
}

#[tokio::test]
async fn a_policy_that_cannot_be_read_any_more_judges_as_before() {
    let server = server();
    let mut judging = policy("b", 1, "");
    judging["spec"]["admission"] = json!({"match": {"resourceRules": [{
        "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "operations": ["CREATE"],
    }]}});
    server.put(POLICIES, list(std::slice::from_ref(&judging)));
    let newer = changed(&judging, "admission", json!({"match": "everything"}));
    server.tell(POLICIES, [event("MODIFIED", &newer)]);
    let process = Process::following(&server);
    let fault = second_generation(&process, "b").await;
    assert!(fault.is_some_and(|fault| fault.contains("object_unreadable")));
    let entry = find(&process.mirror, "a/b@1").unwrap();
    assert!(entry.policy.faults().is_none());
    assert!(entry.policy.definition().admission.is_some());
}

/// A lock that refuses goes on, and one that bypasses ends: both deny.
#[rstest]
#[case::target("Refuse", "policy", Json::Null, 1)]
#[case::target_of_a_bypass("Bypass", "policy", Json::Null, 0)]
#[case::newer_effect("Refuse", "effect", json!("Observe"), 1)]
#[case::newer_effect_of_a_bypass("Bypass", "effect", json!("Observe"), 0)]
#[case::type_of_a_field("Bypass", "reason", json!(7), 0)]
#[tokio::test]
async fn a_lock_that_cannot_be_read_any_more(
    #[case] effect: &str,
    #[case] field: &str,
    #[case] value: Json,
    #[case] locks: usize,
) {
    let server = server();
    let mut sound = lock("incident");
    sound["spec"]["effect"] = json!(effect);
    server.put(POLICIES, list(&[policy("b", 1, "")]));
    server.put(LOCKS, list(std::slice::from_ref(&sound)));
    let newer = changed(&sound, field, value);
    server.tell(LOCKS, [event("MODIFIED", &newer)]);
    let process = Process::following(&server);
    process.mirror.synced().await;
    assert!(second_generation(&process, "incident").await.is_some());
    assert_eq!(find(&process.mirror, "a/b@1").unwrap().locks.len(), locks);
}

/// An exemption is in force as long as all of it is known: what cannot be read exempts nothing.
#[rstest]
#[case::sound("reason", json!("another"), 1)]
#[case::no_end("expiresAt", Json::Null, 0)]
#[case::end("expiresAt", json!("tomorrow"), 0)]
#[case::type_of_a_field("reason", json!(7), 0)]
#[case::condition("objects", json!({"matchConditions": [{"name": "a", "expression": "1 +"}]}), 0)]
#[tokio::test]
async fn an_exemption_that_cannot_be_read_any_more(
    #[case] field: &str,
    #[case] value: Json,
    #[case] expected: usize,
) {
    let server = server();
    let sound = json!({
        "apiVersion": "portcullis.dev/v1alpha1",
        "kind": "ClusterExemption",
        "metadata": {"name": "legacy", "uid": "legacy", "generation": 1, "resourceVersion": "1"},
        "spec": {
            "policies": [{"kind": "ClusterPolicy", "group": "a"}],
            "objects": {"users": ["jane"]},
            "reason": "TICKET-4711", "approver": "jane", "expiresAt": "2026-12-01T00:00:00Z",
        },
    });
    server.put(POLICIES, list(&[policy("b", 1, "")]));
    server.put(EXEMPTIONS, list(std::slice::from_ref(&sound)));
    let newer = changed(&sound, field, value);
    server.tell(EXEMPTIONS, [event("MODIFIED", &newer)]);
    let process = Process::following(&server);
    process.mirror.synced().await;
    let fault = second_generation(&process, "legacy").await;
    let entry = find(&process.mirror, "a/b@1").unwrap();
    assert_eq!(entry.exemptions.iter().count(), expected);
    assert_eq!(fault.is_none(), expected == 1);
}

#[tokio::test(start_paused = true)]
async fn a_cluster_without_our_kinds_is_waited_for() {
    let server = server();
    server.remove(LOCKS);
    let process = Process::following(&server);
    process
        .until(|mirror| mirror.health().contains_key("clusterlocks"))
        .await;
    let health = process.mirror.health();
    assert_eq!(health.keys().collect::<Vec<_>>(), [&"clusterlocks"]);
    assert_eq!(
        process.readiness.is_ready(Instant::now()),
        Err("not read yet: clusterlocks".into())
    );
    server.put(LOCKS, list(&[]));
    process.mirror.synced().await;
    assert_eq!(process.mirror.health()["clusterlocks"].away, None);
    assert!(process.mirror.health()["clusterlocks"].interruptions > 0);
}

#[tokio::test]
async fn what_is_in_force_stays_so_while_the_cluster_is_away() {
    let server = server();
    server.put(POLICIES, list(&[policy("b", 1, "")]));
    server.refuse(&format!("WATCH {POLICIES}"), 500);
    let process = Process::following(&server);
    process.mirror.synced().await;
    process
        .until(|mirror| mirror.health().contains_key("clusterpolicies"))
        .await;
    assert_eq!(process.addresses(), ["a/b@1"]);
    assert_eq!(process.readiness.is_ready(Instant::now()), Ok(()));
    let mut metrics = String::new();
    process.mirror.write_metrics(&mut metrics);
    assert!(
        metrics.contains("portcullis_watch_up{source=\"clusterpolicies\"} 0"),
        "{metrics}"
    );
}

#[tokio::test]
async fn a_list_replaces_what_was_there() {
    let server = server();
    server.put(POLICIES, list(&[policy("b", 1, "")]));
    let expired = json!({"type": "ERROR", "object": {"code": 410, "message": "too old"}});
    server.tell(POLICIES, [event("ADDED", &policy("c", 1, "")), expired]);
    let process = Process::following(&server);
    process
        .until(|mirror| find(mirror, "a/c@1").is_some())
        .await;
    server.put(POLICIES, list(&[policy("d", 1, "")]));
    process
        .until(|mirror| find(mirror, "a/d@1").is_some())
        .await;
    assert_eq!(process.addresses(), ["a/d@1"]);
}

/// A policy for Pods in namespaces whose label `env` is `prod`: the labels are those that the watch
/// told last, and a namespace of which it told nothing is selected.
#[tokio::test]
async fn policies_select_by_the_labels_that_namespaces_have_now() {
    let namespace = |name: &str, env: &str| {
        json!({"metadata": {
            "name": name, "uid": name, "resourceVersion": "7", "labels": {"env": env},
        }})
    };
    let server = server();
    let mut judging = policy("b", 1, "");
    judging["spec"]["admission"] = json!({"match": {
        "resourceRules": [{
            "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "operations": ["CREATE"],
        }],
        "namespaceSelector": {"matchLabels": {"env": "prod"}},
    }});
    server.put(POLICIES, list(&[judging]));
    let namespaces = "/api/v1/namespaces";
    server.put(
        namespaces,
        list(&[
            namespace("shop", "prod"),
            namespace("bank", "test"),
            namespace("lab", "test"),
        ]),
    );
    server.tell(
        namespaces,
        [
            event("MODIFIED", &namespace("shop", "test")),
            event("MODIFIED", &namespace("bank", "prod")),
            event("DELETED", &namespace("lab", "test")),
        ],
    );
    let process = Process::following(&server);
    process.mirror.synced().await;
    let judged = |mirror: &Mirror| {
        let snapshot = mirror.cache().snapshot();
        let is_judged = |name: &&str| {
            let pod = Subject::new("", "pods", Operation::Create).within(name);
            let selected = snapshot.select(&pod, Objects::default, Route::default());
            !selected.is_empty()
        };
        let names = ["shop", "bank", "lab", "elsewhere"].into_iter();
        names.filter(is_judged).collect::<Vec<_>>()
    };
    process
        .until(|mirror| judged(mirror) == ["bank", "lab", "elsewhere"])
        .await;
}
