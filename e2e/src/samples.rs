//! What the tests put into the cluster: Pods and Deployments that the example policies like and
//! dislike, and small policies.

use k8s_openapi::api::core::v1::Pod;
use portcullis_crds::{Admission, PolicySpec, ResourceRule};
use serde_json::{Value, json};

/// The image of all workloads: busybox and curl, as `e2e/image/toolbox` writes it.
pub const IMAGE: &str = "portcullis-toolbox:e2e";

/// The policy of `docs/examples/memory-limit.yaml`.
pub const MEMORY_LIMIT: &str = "docs/examples/memory-limit.yaml";

/// What [`MEMORY_LIMIT`] says of [`offending`], without the decision's id.
pub const MEMORY_LIMIT_REFUSAL: [&str; 3] = [
    "POLICY.DENIED_ADMISSION: container \"web\" has no memory limit",
    "[platform/limits@1.2, rule deny, high]",
    "→ set resources.limits.memory",
];

/// A policy for Pods, `e2e/<name>@1.0`, that asks for the label `<name>`. Its message is
/// `the label <name> is missing`, its code `E2E.MISSING`.
pub fn label_policy(name: &str) -> PolicySpec {
    let source = format!(
        r#"package e2e.{name}

deny contains {{
  "msg": "the label {name} is missing",
  "code": "E2E.MISSING",
  "remedy": "set metadata.labels.{name}",
  "severity": "medium",
}} if not input.request.object.metadata.labels.{name}
"#
    );
    on_pods(PolicySpec::new("e2e", name, "1.0").module("policy.rego", &source))
}

/// A policy that does not compile: `policy.rego:3:9` uses what nobody defines.
pub fn broken_policy(name: &str) -> PolicySpec {
    let source = format!("package e2e.{name}\n\ndeny if missing(input.request)\n");
    on_pods(PolicySpec::new("e2e", name, "1.0").module("policy.rego", &source))
}

/// The same policy, asked about the creation of Pods.
pub fn on_pods(policy: PolicySpec) -> PolicySpec {
    let creations =
        ResourceRule::of("", "v1", ["pods"]).operations([portcullis_crds::Operation::Create]);
    policy.admission(Admission::on([creations]))
}

/// A Pod without a memory limit.
pub fn offending(name: &str) -> Value {
    pod(name, &json!({}))
}

/// A Pod with a memory limit.
pub fn good(name: &str) -> Value {
    pod(name, &json!({"limits": {"memory": "16Mi"}}))
}

/// A Pod as the client writes it.
pub fn typed(pod: &Value) -> Pod {
    serde_json::from_value(pod.clone()).expect("a sample must be a Pod")
}

/// A Deployment of one of these Pods.
pub fn deployment(name: &str, pod: &Value) -> Value {
    let labels = json!({"app": name});
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod["spec"]},
        },
    })
}

/// The same Pod with a label.
#[must_use]
pub fn with_label(mut pod: Value, name: &str) -> Value {
    pod["metadata"]["labels"][name] = json!("here");
    pod
}

fn pod(name: &str, resources: &Value) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {
            "containers": [{"name": "web", "image": IMAGE, "resources": resources}],
            "terminationGracePeriodSeconds": 1,
        },
    })
}
