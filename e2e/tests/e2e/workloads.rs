//! A policy on Pods that judges the templates of workloads stops these, and nothing that has to go on.

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::apps::v1::ReplicaSet;
use kube::{Api, ResourceExt, api::ListParams};
use portcullis_e2e::{MINUTE, Stage, manifests, on_stage, samples, until};
use serde_json::{Value, json};

/// The policy of `docs/examples/memory-limit.yaml`, which judges these templates as well.
fn policy(workloads: &Value) -> Result<Vec<Value>> {
    let mut objects = manifests::read(samples::MEMORY_LIMIT)?;
    for object in &mut objects {
        let matches = &mut object["spec"]["admission"]["match"];
        matches["resourceRules"][0]["operations"] = json!(["CREATE", "UPDATE"]);
        matches["workloads"] = workloads.clone();
    }
    Ok(objects)
}

/// An object whose template, at a path in its spec, is of a Pod.
fn workload(api_version: &str, kind: &str, pod: &Value) -> Value {
    let labels = json!({"app": "web"});
    let mut spec = pod["spec"].clone();
    let is_job = ["Job", "CronJob"].contains(&kind);
    if is_job {
        spec["restartPolicy"] = json!("Never");
    }
    let template = json!({"metadata": {"labels": labels}, "spec": spec});
    let spec = match kind {
        "CronJob" => json!({
            "schedule": "0 0 1 1 *",
            "jobTemplate": {"spec": {"template": template}},
        }),
        "Job" => json!({"template": template}),
        "ReplicationController" => json!({"selector": labels, "template": template}),
        "StatefulSet" => json!({
            "serviceName": "web", "selector": {"matchLabels": labels}, "template": template,
        }),
        _ => json!({"selector": {"matchLabels": labels}, "template": template}),
    };
    json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": "web"}, "spec": spec})
}

#[tokio::test]
async fn each_kind_is_refused_when_it_is_applied_with_the_place_in_its_template() -> Result<()> {
    on_stage(async |stage| {
        stage.apply(&policy(&json!({"kinds": ["*"]}))?).await?;
        stage.await_cluster_policy("limits-1.2").await?;
        let template = "spec.template";
        let kinds = [
            ("batch/v1", "CronJob", "spec.jobTemplate.spec.template"),
            ("apps/v1", "DaemonSet", template),
            ("apps/v1", "Deployment", template),
            ("batch/v1", "Job", template),
            ("apps/v1", "ReplicaSet", template),
            ("v1", "ReplicationController", template),
            ("apps/v1", "StatefulSet", template),
        ];
        for (api_version, kind, path) in kinds {
            let place = format!("at {path}.spec.containers[0].resources.limits.memory ");
            let mut words = samples::MEMORY_LIMIT_REFUSAL.to_vec();
            words.push(&place);
            let offending = workload(api_version, kind, &samples::offending("web"));
            refused(stage, &offending, &words).await?;
            let good = workload(api_version, kind, &samples::good("web"));
            stage.try_create(&[good]).await?.succeeded()?;
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_custom_kind_says_where_its_templates_are() -> Result<()> {
    on_stage(async |stage| {
        stage.apply(&[tills()]).await?;
        let wait = [
            "wait",
            "--for=condition=Established",
            "crd/tills.e2e.portcullis.dev",
            "--timeout=60s",
        ];
        stage.cluster().kubectl(&wait).await?.succeeded()?;
        let custom = json!([{
            "apiVersion": "e2e.portcullis.dev/v1",
            "kind": "Till",
            "resource": "tills",
            "path": "spec.lanes[*].pod",
        }]);
        stage.apply(&policy(&json!({"custom": custom}))?).await?;
        stage.await_cluster_policy("limits-1.2").await?;

        let lane = |pod: &Value| json!({"pod": {"spec": pod["spec"]}});
        let till = |spec: &Value| {
            json!({
                "apiVersion": "e2e.portcullis.dev/v1",
                "kind": "Till",
                "metadata": {"name": "till"},
                "spec": spec,
            })
        };
        let lanes = [
            lane(&samples::good("web")),
            lane(&samples::offending("web")),
        ];
        let offending = till(&json!({"lanes": lanes}));
        let place = "at spec.lanes[1].pod.spec.containers[0].resources.limits.memory ";
        refused(
            stage,
            &offending,
            &[samples::MEMORY_LIMIT_REFUSAL[0], place],
        )
        .await?;
        let without = ["POLICY.INPUT_INVALID", "no Pod template at `spec.lanes`"];
        refused(stage, &till(&json!({})), &without).await?;
        stage.apply(&[till(&json!({"lanes": [lanes[0]]}))]).await?;
        // Kinds of Kubernetes are none of this policy's.
        let deployment = workload("apps/v1", "Deployment", &samples::offending("web"));
        stage.try_create(&[deployment]).await?.succeeded()?;
        Ok(())
    })
    .await
}

/// A Deployment that was there before the policy.
#[tokio::test]
async fn what_must_go_on_goes_on() -> Result<()> {
    on_stage(async |stage| {
        let mut old = samples::deployment("old", &samples::offending("web"));
        old["spec"]["replicas"] = json!(0);
        old["metadata"]["finalizers"] = json!(["e2e.portcullis.dev/kept"]);
        stage.apply(std::slice::from_ref(&old)).await?;
        let set = replica_set_but(stage, "").await?;
        stage.apply(&policy(&json!({"kinds": ["*"]}))?).await?;
        stage.await_cluster_policy("limits-1.2").await?;
        let offending = workload("apps/v1", "Deployment", &samples::offending("web"));
        refused(stage, &offending, &samples::MEMORY_LIMIT_REFUSAL).await?;

        let name = "deployment/old";
        kubectl(stage, &["annotate", name, "note=kept"]).await?;
        kubectl(
            stage,
            &["patch", name, "-p", r#"{"spec":{"paused":false}}"#],
        )
        .await?;
        kubectl(stage, &["scale", name, "--replicas=1"]).await?;
        // Its ReplicaSet is not judged, and its Pod is.
        let told = crate::admission::refusal_of_the_replica_set(stage, "old").await?;
        for word in samples::MEMORY_LIMIT_REFUSAL {
            ensure!(told.contains(word), "no `{word}` in: {told}");
        }
        ensure!(!told.contains("spec.template"), "{told}");
        kubectl(stage, &["delete", "replicaset", "--selector=app=old"]).await?;
        replica_set_but(stage, &set).await?;
        kubectl(stage, &["patch", name, "-p", r#"{"spec":{"replicas":0}}"#]).await?;

        let changed = r#"{"spec":{"template":{"metadata":{"annotations":{"a":"b"}}}}}"#;
        let patch = [
            "patch",
            name,
            "--namespace",
            stage.namespace(),
            "-p",
            changed,
        ];
        let ran = stage.cluster().kubectl(&patch).await?;
        ran.failed_with(&samples::MEMORY_LIMIT_REFUSAL)?;

        kubectl(stage, &["delete", name, "--wait=false"]).await?;
        let finalizers = r#"{"metadata":{"finalizers":null}}"#;
        kubectl(stage, &["patch", name, "--type=merge", "-p", finalizers]).await?;
        until("the Deployment is gone", MINUTE, async || {
            let get = ["get", name, "--namespace", stage.namespace()];
            let ran = stage.cluster().kubectl(&get).await?;
            ran.failed_with(&["NotFound"]).map(drop)
        })
        .await
    })
    .await
}

/// Waits until `kubectl apply` of an object is refused with all of `words`.
async fn refused(stage: &Stage, object: &Value, words: &[&str]) -> Result<()> {
    let what = format!("{} is refused with {words:?}", object["kind"]);
    until(&what, MINUTE, async || {
        let ran = stage.try_apply(std::slice::from_ref(object)).await?;
        ran.failed_with(words).map(drop)
    })
    .await
}

/// `kubectl` in the test's namespace, which has to succeed.
async fn kubectl(stage: &Stage, arguments: &[&str]) -> Result<()> {
    let place = ["--namespace", stage.namespace()];
    let all = [arguments, &place].concat();
    stage.cluster().kubectl(&all).await?.succeeded()?;
    Ok(())
}

/// Waits until the Deployment `old` has a `ReplicaSet` that is not this one, and tells its uid.
async fn replica_set_but(stage: &Stage, known: &str) -> Result<String> {
    let api: Api<ReplicaSet> = Api::namespaced(stage.client(), stage.namespace());
    let of_deployment = ListParams::default().labels("app=old");
    until("the Deployment has a new ReplicaSet", MINUTE, async || {
        let sets = api.list(&of_deployment).await?;
        let mut uids = sets.items.iter().filter_map(ResourceExt::uid);
        uids.find(|uid| uid != known).context("it has none")
    })
    .await
}

/// A kind of the test's own, whose objects hold several templates.
fn tills() -> Value {
    let schema = json!({
        "type": "object",
        "properties": {
            "spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
        },
    });
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "tills.e2e.portcullis.dev"},
        "spec": {
            "group": "e2e.portcullis.dev",
            "scope": "Namespaced",
            "names": {"kind": "Till", "plural": "tills", "singular": "till"},
            "versions": [{
                "name": "v1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": schema},
            }],
        },
    })
}
