//! One policy judges where it is bound, with the parameters of each place.

use anyhow::{Result, ensure};
use k8s_openapi::api::core::v1::Namespace;
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use portcullis_crds::ConditionType;
use portcullis_e2e::{MINUTE, Stage, manifests, on_stage, samples, until};
use serde_json::{Value, json};

const EXAMPLE: &str = "docs/examples/policy-bindings.yaml";

/// What the example says of a Deployment of one replica, where two are asked for.
const FEW: &str = "REPLICAS.FEW: 1 replicas, and 2 are asked for at spec.replicas";

#[tokio::test]
async fn a_policy_judges_by_the_parameters_of_each_place() -> Result<()> {
    on_stage(async |stage| {
        stage.apply(&manifests::read(EXAMPLE)?).await?;
        stage.await_cluster_policy("replicas-1.0").await?;
        for name in ["replicas-prod", "replicas-elsewhere"] {
            stage
                .await_cluster_binding(name, ConditionType::Ready, true, "InForce")
                .await?;
        }
        // A namespace that says nothing is not asked.
        let quiet = tried(stage).await?;
        ensure!(
            quiet.status.success() && quiet.stderr.is_empty(),
            "{}",
            quiet.account()
        );

        // One that says something is judged by that, from then on.
        stage.apply(&[config_map("min: 2")]).await?;
        until(
            "a Deployment of one replica is warned of",
            MINUTE,
            async || {
                let warned = tried(stage).await?.succeeded()?;
                ensure!(
                    warned.stderr.contains(&format!("Warning: {FEW}")),
                    "{}",
                    warned.account()
                );
                Ok(())
            },
        )
        .await?;
        stage.apply(&[config_map("min: 1")]).await?;
        until(
            "a Deployment of one replica is let in",
            MINUTE,
            async || {
                let quiet = tried(stage).await?.succeeded()?;
                ensure!(quiet.stderr.is_empty(), "{}", quiet.account());
                Ok(())
            },
        )
        .await?;

        // Production refuses.
        label(stage, &json!({"stage": "prod"})).await?;
        until(
            "a Deployment of one replica is refused",
            MINUTE,
            async || {
                tried(stage).await?.failed_with(&[
                    FEW,
                    "[platform/replicas@1.0 by ClusterPolicyBinding replicas-prod, rule deny]",
                ])
            },
        )
        .await?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_binding_that_cannot_answer_denies_and_says_why() -> Result<()> {
    on_stage(async |stage| {
        let mut example = manifests::read(EXAMPLE)?;
        let _elsewhere = example.pop();
        let mut binding = example.pop().unwrap_or_default();
        let policy = example.pop().unwrap_or_default();
        binding["spec"]["match"]["namespaceSelector"] = json!({});
        let deployments = &mut binding["spec"]["match"]["resourceRules"][0];
        deployments["apiGroups"] = json!([""]);
        deployments["resources"] = json!(["pods"]);
        deployments["operations"] = json!(["CREATE"]);

        // Its policy may come later.
        let applied = stage
            .try_apply(std::slice::from_ref(&binding))
            .await?
            .succeeded()?;
        let missing = "there is no policy platform/replicas@1.0";
        ensure!(applied.stderr.contains(missing), "{}", applied.account());
        let refused = ["POLICY.NOT_FOUND", missing];
        stage.await_refused(&samples::good("web"), &refused).await?;
        let bound = ConditionType::Bound;
        stage
            .await_cluster_binding("replicas-prod", bound, false, "PolicyMissing")
            .await?;

        stage.apply(&[policy]).await?;
        stage
            .await_cluster_binding("replicas-prod", bound, true, "Bound")
            .await?;

        // Parameters of an object that is not there, that do not fit, and that do.
        binding["spec"]["parameters"] = json!({});
        binding["spec"]["parametersFrom"] =
            json!({"name": "replicas", "namespace": stage.namespace(), "key": "parameters.yaml"});
        stage.apply(&[binding.clone()]).await?;
        stage
            .await_cluster_binding("replicas-prod", bound, false, "ParametersMissing")
            .await?;
        stage
            .await_refused(
                &samples::good("web"),
                &["POLICY.NOT_FOUND", "there is no ConfigMap"],
            )
            .await?;
        stage.apply(&[config_map("min: many")]).await?;
        stage
            .await_cluster_binding("replicas-prod", bound, false, "ParametersInvalid")
            .await?;
        stage.apply(&[config_map("min: 1")]).await?;
        stage
            .await_cluster_binding("replicas-prod", bound, true, "Bound")
            .await?;
        stage.await_allowed(&samples::good("web")).await?;

        // What is wrong by itself is refused.
        binding["spec"]["parametersFrom"] = Value::Null;
        binding["spec"]["parameters"] = json!({"min": "many"});
        let refused = stage.try_apply(&[binding]).await?;
        refused.failed_with(&["parameters_invalid", "`parameters/min`"])?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_tenant_binds_for_its_own_namespace() -> Result<()> {
    on_stage(async |stage| {
        let mut policy = manifests::read(EXAMPLE)?.swap_remove(0);
        stage.apply(&[policy.clone()]).await?;
        stage.await_cluster_policy("replicas-1.0").await?;
        let binding = json!({
            "apiVersion": "portcullis.dev/v1alpha1",
            "kind": "PolicyBinding",
            "metadata": {"name": "own", "namespace": stage.namespace()},
            "spec": {
                "policy": {
                    "kind": "ClusterPolicy", "group": "platform", "name": "replicas", "version": "1.0",
                },
                "parameters": {"min": 2},
                "match": {"resourceRules": [{
                    "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"],
                    "operations": ["CREATE"],
                }]},
            },
        });
        let words = "is not for namespaces to bind";
        let applied = stage.apply(&[binding]).await?;
        ensure!(applied.stderr.contains(words), "{}", applied.account());
        stage.await_refused(&samples::good("web"), &[words]).await?;
        let other = stage.another_namespace().await?;
        stage.ask_in(&other, &samples::good("web")).await.allowed()?;

        policy["spec"]["importable"] = json!(true);
        stage.apply(&[policy]).await?;
        let few = "REPLICAS.FEW: 1 replicas, and 2 are asked for";
        stage.await_refused(&samples::good("web"), &[few]).await?;
        stage.ask_in(&other, &samples::good("web")).await.allowed()?;
        Ok(())
    })
    .await
}

/// `kubectl create --dry-run=server` of a Deployment of one replica.
async fn tried(stage: &Stage) -> Result<portcullis_e2e::Ran> {
    let deployment = samples::deployment("web", &samples::good("web"));
    stage.try_create(&[deployment]).await
}

fn config_map(parameters: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "replicas"},
        "data": {"parameters.yaml": parameters},
    })
}

async fn label(stage: &Stage, labels: &Value) -> Result<()> {
    let api: Api<Namespace> = Api::all(stage.client());
    let patch = Patch::Merge(json!({"metadata": {"labels": labels}}));
    api.patch(stage.namespace(), &PatchParams::default(), &patch)
        .await?;
    Ok(())
}
