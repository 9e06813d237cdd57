//! What cannot work is refused when it is applied, with the place and a remedy; what only collides
//! with something else is a warning.

use anyhow::{Result, ensure};
use portcullis_crds::{ClusterPolicy, ConditionType, PolicySpec};
use portcullis_e2e::{manifests, on_stage, samples};
use serde_json::{Value, json};

#[tokio::test]
async fn what_cannot_work_is_refused_with_the_place_that_is_wrong() -> Result<()> {
    on_stage(async |stage| {
        let unknown_function = samples::broken_policy("broken");
        let unclosed = samples::on_pods(PolicySpec::new("e2e", "broken", "1.0").module(
            "policy.rego",
            "package e2e.broken\n\ndeny contains \"x\" if {\n\ttrue\n",
        ));
        let another_package = samples::on_pods(PolicySpec::new("e2e", "broken", "1.0").module(
            "policy.rego",
            "package e2e.other\n\ndeny contains \"x\" if true\n",
        ));
        let mut wrong_parameters = samples::label_policy("broken");
        wrong_parameters.parameters = json!({"labels": 1})
            .as_object()
            .cloned()
            .unwrap_or_default();
        wrong_parameters.parameters_schema = json!({"properties": {"labels": {"type": "array"}}})
            .as_object()
            .cloned();
        let cases: [(Value, &[&str]); 5] = [
            (
                policy(unknown_function)?,
                &[
                    "policy.rego:3:9",
                    "undefined function missing",
                    "→ define it",
                ],
            ),
            (policy(unclosed)?, &["policy.rego:5:1: rego_parse_error"]),
            (
                policy(another_package)?,
                &[
                    "policy.rego:1:9: package_mismatch",
                    "→ write `package e2e.broken`",
                ],
            ),
            (
                policy(wrong_parameters)?,
                &["parameters_invalid", "`parameters/labels`"],
            ),
            (
                expired_lock(),
                &["`expiresAt` is in the past", "→ set `expiresAt`"],
            ),
        ];
        for (object, words) in cases {
            stage.try_apply(&[object]).await?.failed_with(words)?;
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_taken_address_is_a_warning_and_is_taken_over_when_the_older_policy_goes() -> Result<()> {
    on_stage(async |stage| {
        let older = named("a-older", "older")?;
        let younger = named("b-younger", "younger")?;
        let pod = samples::good("web");
        stage.apply(std::slice::from_ref(&older)).await?;
        stage.await_cluster_policy("a-older").await?;
        stage.await_refused(&pod, &["this is older"]).await?;

        let ran = stage.apply(std::slice::from_ref(&younger)).await?;
        ran.said(&["Warning: ", "e2e/address@1.0", "a-older"])?;
        let enforced = ConditionType::Enforced;
        stage
            .await_cluster_policy_is("b-younger", enforced, false, "AddressTaken")
            .await?;
        let message = stage.ask(&pod).await.refused_with(&["this is older"])?;
        ensure!(
            !message.contains("this is younger"),
            "both judge: {message}"
        );

        stage.delete(&[older]).await?;
        stage.await_cluster_policy("b-younger").await?;
        let message = stage.await_refused(&pod, &["this is younger"]).await?;
        ensure!(!message.contains("this is older"), "both judge: {message}");
        Ok(())
    })
    .await
}

fn policy(spec: PolicySpec) -> Result<Value> {
    manifests::object(&ClusterPolicy::new("broken-1.0", spec.into()))
}

/// A policy with the address `e2e/address@1.0` that refuses every Pod.
fn named(name: &str, says: &str) -> Result<Value> {
    let source = format!("package e2e.address\n\ndeny contains \"this is {says}\" if true\n");
    let spec = PolicySpec::new("e2e", "address", "1.0").module("policy.rego", &source);
    manifests::object(&ClusterPolicy::new(name, samples::on_pods(spec).into()))
}

fn expired_lock() -> Value {
    json!({
        "apiVersion": "portcullis.dev/v1alpha1",
        "kind": "Lock",
        "metadata": {"name": "expired"},
        "spec": {"all": true, "reason": "too late", "expiresAt": "2020-01-01T00:00:00Z"},
    })
}
