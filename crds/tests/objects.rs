//! Objects: what is read, what is refused, and what stands where a manifest says nothing.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use portcullis_crds::{
    Action, Admission, ClusterLock, ClusterLockSpec, ClusterPolicy, ClusterPolicyImport,
    ClusterPolicySubscription, Effect, FailurePolicy, Lock, LockSpec, Manifest, Operation, Point,
    Policy, PolicyReference, PolicySpec, PolicySubscription, RegoVersion, ResourceRule, Severity,
    Verdict,
};
use rstest::rstest;
use serde_json::{Value, json};

/// The manifests that the end-to-end tests apply to a real API server.
fn manifests(directory: &str) -> Vec<(PathBuf, Value)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../e2e/crds")
        .join(directory);
    let entries = fs::read_dir(&directory).expect("the manifests are checked in");
    entries
        .map(|entry| {
            let path = entry.expect("the directory can be read").path();
            let text = fs::read_to_string(&path).expect("a manifest is text");
            let value = serde_saphyr::from_str(&text).expect("a manifest is YAML");
            (path, value)
        })
        .collect()
}

/// Why something is not read, with all its causes; empty when it is read.
fn refusal(document: Value) -> String {
    // What is for a cluster alone is read by whoever lists it there.
    let read = match document["kind"].as_str() {
        Some("PolicySubscription") => kind::<PolicySubscription>(&document),
        Some("ClusterPolicySubscription") => kind::<ClusterPolicySubscription>(&document),
        Some("ClusterPolicyImport") => kind::<ClusterPolicyImport>(&document),
        _ => return manifest_refusal(document),
    };
    read.err()
        .map_or_else(String::new, |error| error.to_string())
}

fn kind<T: serde::de::DeserializeOwned>(document: &Value) -> serde_json::Result<()> {
    serde_json::from_value::<T>(document.clone()).map(drop)
}

fn manifest_refusal(document: Value) -> String {
    let Err(error) = Manifest::read(document) else {
        return String::new();
    };
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(next) = cause {
        write!(text, ": {next}").expect("a string takes any text");
        cause = next.source();
    }
    text
}

fn policy_with(path: &str, value: Value) -> Value {
    let mut document = json!({
        "apiVersion": "portcullis.dev/v1alpha1",
        "kind": "Policy",
        "metadata": {"name": "labels", "labels": {"team": "web"}},
        "spec": {
            "group": "platform",
            "name": "labels",
            "version": "1.0",
            "modules": {"policy.rego": "package platform.labels"},
            "admission": {"match": {"resourceRules": [{
                "apiGroups": [""],
                "apiVersions": ["v1"],
                "resources": ["pods"],
                "operations": ["CREATE"],
            }]}},
            "decision": {},
            "limits": {},
        },
    });
    let (parent, field) = path.rsplit_once('/').expect("a path starts with a slash");
    document.pointer_mut(parent).expect("the parent is there")[field] = value;
    document
}

#[test]
fn what_the_api_server_accepts_is_read() {
    let manifests = manifests("accept");
    assert!(manifests.len() > 15, "the manifests are there");
    for (path, document) in manifests {
        assert_eq!(refusal(document), "", "{}", path.display());
    }
}

#[test]
fn the_examples_of_the_reference_are_read() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/resources.md");
    let text = fs::read_to_string(path).expect("the reference is checked in");
    let blocks = text.split("```yaml\n").skip(1);
    let blocks = blocks.filter_map(|rest| rest.split("```").next());
    // The others are parts of a manifest.
    let examples: Vec<_> = blocks
        .filter(|block| block.starts_with("apiVersion"))
        .collect();
    assert_eq!(examples.len(), 3, "a policy, a lock and an exemption");
    for example in examples {
        let document = serde_saphyr::from_str(example).expect("an example is YAML");
        assert_eq!(refusal(document), "", "{example}");
    }
}

#[rstest]
#[case("/apiVersion", json!("v1"), "apiVersion is `v1`: write apiVersion: portcullis.dev/v1alpha1")]
#[case("/apiVersion", json!(1), "apiVersion is ``: write apiVersion: portcullis.dev/v1alpha1")]
#[case("/kind", json!("Pod"), "kind is `Pod`: write one of Policy, ClusterPolicy, Lock")]
#[case(
    "/kind",
    json!("ClusterPolicyImport"),
    "kind is `ClusterPolicyImport`: it is for a cluster alone"
)]
#[case("/extra", json!(1), "unknown field `extra`: correct or remove it")]
#[case("/spec/failurePolicy", json!("Fail"), "unknown field `spec.failurePolicy`")]
#[case("/spec/admission/failurePolcy", json!("Fail"), "unknown field `spec.admission.failurePolcy`")]
#[case(
    "/spec/admission/match",
    json!({"resourceRules": [{"resourceName": "web"}]}),
    "unknown field `spec.admission.match.resourceRules[0].resourceName`"
)]
#[case(
    "/spec/admission/match/namespaceSelector",
    json!({"matchLabel": {"env": "prod"}}),
    "unknown field `spec.admission.match.namespaceSelector.matchLabel`"
)]
#[case("/spec/regoVersion", json!("v2"), "not a Policy: unknown variant `v2`")]
#[case("/spec/decision/default", json!("Block"), "not a Policy: unknown variant `Block`")]
#[case("/spec/decision/failOn", json!("severe"), "not a Policy: unknown variant `severe`")]
#[case("/spec/admission/action", json!("Block"), "not a Policy: unknown variant `Block`")]
#[case("/spec/admission/failurePolicy", json!("Open"), "not a Policy: unknown variant `Open`")]
#[case("/spec/version", json!(1.0), "not a Policy: invalid type: floating point `1.0`")]
#[case("/spec", json!({"group": "platform"}), "not a Policy: missing field `name`")]
fn what_is_wrong_with_a_policy(#[case] path: &str, #[case] value: Value, #[case] expected: &str) {
    let refusal = manifest_refusal(policy_with(path, value));
    assert!(refusal.starts_with(expected), "{refusal}");
}

#[rstest]
#[case("Lock", json!({"all": true}), "not a Lock: missing field `reason`")]
#[case("Lock", json!({"reason": "x", "effect": "Allow"}), "not a Lock: unknown variant `Allow`")]
#[case("Lock", json!({"reason": "x", "points": ["audit"]}), "not a Lock: unknown variant `audit`")]
#[case(
    "Lock",
    json!({"reason": "x", "namespaceSelector": {}}),
    "unknown field `spec.namespaceSelector`"
)]
#[case("ClusterLock", json!({"reason": "x", "namespaceSelector": {}}), "")]
#[case(
    "ClusterLock",
    json!({"reason": "x", "namespaceSelector": {"labels": {}}}),
    "unknown field `spec.namespaceSelector.labels`"
)]
fn what_is_wrong_with_a_lock(#[case] kind: &str, #[case] spec: Value, #[case] expected: &str) {
    let refusal = refusal(json!({
        "apiVersion": "portcullis.dev/v1alpha1",
        "kind": kind,
        "metadata": {"name": "incident"},
        "spec": spec,
    }));
    assert!(
        refusal.starts_with(expected) && refusal.is_empty() == expected.is_empty(),
        "{refusal}"
    );
}

#[test]
fn a_policy_that_sets_nothing_denies_and_fails_closed() {
    let read = Manifest::read(policy_with("/metadata/name", json!("labels")));
    let Ok(Manifest::Policy(policy)) = read else {
        panic!("not a policy: {read:?}")
    };
    let spec = policy.spec;
    assert_eq!(spec.rego_version, RegoVersion::Auto);
    assert_eq!(spec.decision.default, Verdict::Deny);
    assert_eq!(spec.decision.fail_on, Severity::Info);
    assert_eq!(spec.limits.timeout, "250ms");
    assert!(!spec.guardrail);
    assert_eq!(spec.effective_entrypoint(), "data.platform.labels");
    let admission = spec.admission.expect("it was set");
    assert_eq!(admission.action, Action::Deny);
    assert_eq!(admission.failure_policy, FailurePolicy::Fail);
}

#[test]
fn a_lock_that_sets_nothing_refuses_everywhere() {
    let lock: LockSpec = serde_json::from_value(json!({"reason": "incident 4711"}))
        .expect("only the reason is required of the type");
    assert_eq!(lock.effect, Effect::Refuse);
    assert_eq!(lock.points, Point::all());
    assert!(!lock.all && lock.policy.is_none() && lock.selector.is_none());
}

/// The schema's defaults, which the API server writes into objects, are the types' own.
#[test]
fn the_schema_and_the_types_have_the_same_defaults() {
    let schema = |pointer: &str| {
        let schema = portcullis_crds::definitions::schema_of("Policy").expect("it is a kind");
        let schema = serde_json::to_value(schema).expect("a schema is JSON");
        schema
            .pointer(&format!("/properties/spec/properties{pointer}/default"))
            .cloned()
    };
    let spec = serde_json::to_value(PolicySpec::default()).expect("a spec is JSON");
    for field in ["/regoVersion", "/decision", "/limits", "/guardrail"] {
        assert_eq!(schema(field).as_ref(), spec.pointer(field), "{field}");
    }
    let admission = serde_json::to_value(Admission::on([])).expect("it is JSON");
    for field in ["/action", "/failurePolicy"] {
        let default = schema(&format!("/admission/properties{field}"));
        assert_eq!(default.as_ref(), admission.pointer(field), "{field}");
    }
}

#[test]
fn objects_survive_a_round_trip() {
    let spec = PolicySpec::new("platform", "labels", "1.0")
        .module("policy.rego", "package platform.labels")
        .data("roles", json!({"admin": ["read", "write"]}))
        .parameter("labels", json!(["team"]))
        .admission(
            Admission::on([ResourceRule::of("apps", "v1", ["deployments"])
                .operations([Operation::Create, Operation::All])])
            .action(Action::Warn)
            .failure_policy(FailurePolicy::Ignore),
        );
    assert_eq!(spec.address(), "platform/labels@1.0");
    let by_name = PolicyReference::group("platform")
        .name("labels")
        .version("1.0");
    let lock = LockSpec::policy(by_name, "incident 4711")
        .effect(Effect::Bypass)
        .points([Point::Evaluation])
        .until("2999-12-01T00:00:00Z");
    let by_label = LockSpec::labelled([("team", "web")], "incident 4711");

    let policy = Policy::in_namespace("web", "labels", spec.clone());
    same(&Manifest::Policy(Box::new(policy.clone())), &policy);
    let cluster_policy = ClusterPolicy::new("labels", spec.into());
    same(
        &Manifest::ClusterPolicy(Box::new(cluster_policy.clone())),
        &cluster_policy,
    );
    let lock = Lock::in_namespace("web", "incident", lock);
    assert_eq!(lock.reference(), "Lock/incident");
    same(&Manifest::Lock(Box::new(lock.clone())), &lock);
    let everywhere = ClusterLockSpec::from(by_label).in_namespaces(LabelSelector::default());
    let cluster_lock = ClusterLock::new("incident", everywhere);
    assert_eq!(cluster_lock.reference(), "ClusterLock/incident");
    same(
        &Manifest::ClusterLock(Box::new(cluster_lock.clone())),
        &cluster_lock,
    );
}

/// What is written is read as the same object, and has the wire's names.
fn same(expected: &Manifest, object: &impl serde::Serialize) {
    let document = serde_json::to_value(object).expect("an object is JSON");
    let read = Manifest::read(document).expect("what we write, we read");
    assert_eq!(&read, expected);
}
