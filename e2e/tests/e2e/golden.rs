//! What `kubectl apply` prints, word for word: `e2e/golden`.

use anyhow::{Result, ensure};
use portcullis_crds::{
    Action, ClusterLock, ClusterLockSpec, ClusterPolicy, LockSpec, PolicyReference, PolicySpec,
};
use portcullis_e2e::{MINUTE, Stage, golden, manifests, on_stage, programs, samples, until};
use serde_json::{Value, json};

#[tokio::test]
async fn one_violation_is_one_line() -> Result<()> {
    on_stage(async |stage| {
        enforce(
            stage,
            &[limits(json!({"limits": ["memory"], "requests": []}))?],
        )
        .await?;
        refused(stage, "one-violation", &["RESOURCES.NO_LIMIT"]).await
    })
    .await
}

#[tokio::test]
async fn five_violations_are_a_list() -> Result<()> {
    on_stage(async |stage| {
        let registries =
            shipped("allowed_registries")?.parameter("registries", json!(["ghcr.io/acme"]));
        let labels = shipped("required_labels")?.parameter("labels", json!([{"key": "team"}]));
        let required = json!({"limits": ["memory"], "requests": ["cpu", "memory"]});
        enforce(stage, &[registries, labels, limits(required)?]).await?;
        refused(stage, "five-violations", &["5 violations:"]).await
    })
    .await
}

#[tokio::test]
async fn a_warning_lets_the_object_in() -> Result<()> {
    on_stage(async |stage| {
        let mut policy = samples::label_policy("warned");
        policy.admission = policy
            .admission
            .map(|admission| admission.action(Action::Warn));
        enforce(stage, &[policy]).await?;
        let pod = samples::good("web");
        until("the Pod is warned of", MINUTE, async || {
            let ran = stage.try_create(std::slice::from_ref(&pod)).await?;
            ran.said(&["Warning: E2E.MISSING"])
        })
        .await?;
        let ran = stage.apply(&[pod]).await?;
        golden::compare("warning", &ran, stage.namespace())
    })
    .await
}

#[tokio::test]
async fn a_broken_policy_says_that_it_is_broken() -> Result<()> {
    on_stage(async |stage| {
        let mut policy = manifests::object(&ClusterPolicy::new(
            "team",
            samples::label_policy("team").into(),
        ))?;
        policy["spec"]["imports"] = json!([{"group": "e2e", "name": "absent", "version": "1.0"}]);
        stage.apply(&[policy]).await?;
        refused(stage, "broken-policy", &["POLICY.COMPILE_FAILED"]).await
    })
    .await
}

#[tokio::test]
async fn a_locked_policy_says_by_what_it_is_locked() -> Result<()> {
    on_stage(async |stage| {
        enforce(stage, &[samples::label_policy("team")]).await?;
        let lock = LockSpec::policy(PolicyReference::group("e2e"), "incident 4711");
        let spec = ClusterLockSpec {
            lock,
            namespace_selector: None,
        };
        let lock = manifests::object(&ClusterLock::new("incident-4711", spec))?;
        stage.apply(&[lock]).await?;
        refused(stage, "locked-policy", &["POLICY.LOCKED"]).await
    })
    .await
}

/// A policy of the library, asked about the creation of Pods.
fn shipped(name: &str) -> Result<PolicySpec> {
    let path = format!("policies/library/platform/{name}/1.0/policy.rego");
    let source = std::fs::read_to_string(programs::checkout().join(path))?;
    let policy = PolicySpec::new("platform", name, "1.0").module("policy.rego", &source);
    Ok(samples::on_pods(policy))
}

fn limits(required: Value) -> Result<PolicySpec> {
    Ok(shipped("resource_limits")?.parameter("required", required))
}

/// Applies policies, and waits until every replica enforces them.
async fn enforce(stage: &Stage, policies: &[PolicySpec]) -> Result<()> {
    for policy in policies {
        stage.enforce(policy.clone()).await?;
    }
    Ok(())
}

/// Applies a Pod when it is refused with `words`, and compares what is printed then.
async fn refused(stage: &Stage, name: &str, words: &[&str]) -> Result<()> {
    let pod = samples::offending("web");
    stage.await_refused(&pod, words).await?;
    let ran = stage.try_apply(&[pod]).await?;
    ensure!(!ran.status.success(), "{}", ran.account());
    golden::compare(name, &ran, stage.namespace())
}
