//! `helm uninstall` takes everything away but the definitions of our kinds and what users made of
//! them.

use anyhow::{Result, ensure};
use portcullis_e2e::{MINUTE, Stage, installation, manifests, on_stage, samples, until};
use serde_json::Value;

#[tokio::test]
async fn uninstalling_leaves_nothing_but_the_definitions() -> Result<()> {
    on_stage(async |stage| {
        let offending = samples::offending("offending");
        stage
            .apply(&manifests::read(samples::MEMORY_LIMIT)?)
            .await?;
        stage.await_cluster_policy("limits-1.2").await?;
        stage
            .await_refused(&offending, &samples::MEMORY_LIMIT_REFUSAL)
            .await?;

        installation::uninstall(stage.cluster())
            .await?
            .succeeded()?;
        stage.await_allowed(&offending).await?;
        until(
            "the Pods have ended, and nothing is left",
            MINUTE,
            async || {
                let left = left(stage).await?;
                ensure!(left.is_empty(), "these are left: {left:#?}");
                Ok(())
            },
        )
        .await?;
        let policies = ["get", "clusterpolicies", "limits-1.2"];
        stage.cluster().kubectl(&policies).await?.succeeded()?;

        // What was in force is in force again after the next installation.
        installation::install(stage.cluster()).await?;
        stage
            .await_refused(&offending, &samples::MEMORY_LIMIT_REFUSAL)
            .await?;
        Ok(())
    })
    .await
}

/// Everything in the cluster that bears our name, but the definitions and what is not ours.
async fn left(stage: &Stage) -> Result<Vec<String>> {
    let kinds = ["api-resources", "--verbs=list,get", "--output=name"];
    let kinds = stage.cluster().kubectl(&kinds).await?.succeeded()?.stdout;
    let kinds: Vec<&str> = kinds
        .lines()
        .filter(|kind| !kind.starts_with("events") && !kind.ends_with("portcullis.dev"))
        .filter(|kind| !kind.ends_with("metrics.k8s.io"))
        .collect();
    let get = ["get", &kinds.join(","), "--all-namespaces", "--output=json"];
    let found: Value = stage.cluster().kubectl(&get).await?.succeeded()?.json()?;
    let objects = found["items"].as_array().cloned().unwrap_or_default();
    Ok(objects
        .iter()
        .filter(|object| is_left(object))
        .map(name_of)
        .collect())
}

fn is_left(object: &Value) -> bool {
    let kind = object["kind"].as_str().unwrap_or_default();
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    let namespace = object["metadata"]["namespace"].as_str().unwrap_or_default();
    let labels = &object["metadata"]["labels"];
    // Kubernetes itself makes the one in every namespace, and the other; the third is another test's.
    let others = ["kube-root-ca.crt", "default", installation::EXPORT_KEY].contains(&name);
    let ours = (namespace == installation::NAMESPACE && !others)
        || labels["app.kubernetes.io/instance"] == installation::RELEASE
        || name.starts_with(installation::RELEASE);
    let stays = ["CustomResourceDefinition", "Namespace", "APIService"].contains(&kind);
    ours && !stays
}

fn name_of(object: &Value) -> String {
    let metadata = &object["metadata"];
    format!(
        "{} {} {}",
        object["kind"], metadata["namespace"], metadata["name"]
    )
}
