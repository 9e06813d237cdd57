//! Who deletes the webhook configuration has switched admission off: everybody is told, nobody
//! undoes it, and `helm upgrade` does.

use anyhow::{Context, Result, ensure};
use portcullis_crds::ClusterPolicy;
use portcullis_e2e::{
    MINUTE, Stage, installation, manifests, on_stage,
    replicas::{self, Component},
    samples, until,
};
use serde_json::Value;

#[tokio::test]
async fn deleting_the_configuration_switches_admission_off_until_helm_upgrade() -> Result<()> {
    on_stage(async |stage| {
        let offending = samples::offending("offending");
        stage
            .apply(&manifests::read(samples::MEMORY_LIMIT)?)
            .await?;
        stage.await_cluster_policy("limits-1.2").await?;
        stage
            .await_refused(&offending, &samples::MEMORY_LIMIT_REFUSAL)
            .await?;

        a_metric_tells(stage, 1.0).await?;

        let name = installation::RELEASE;
        let delete = ["delete", "validatingwebhookconfiguration", name];
        stage.cluster().kubectl(&delete).await?.succeeded()?;
        stage.await_allowed(&offending).await?;
        an_event_tells(stage).await?;
        a_metric_tells(stage, 0.0).await?;
        a_log_tells(stage).await?;

        // The operator has gone on working since then, and has not put it back.
        let later = ClusterPolicy::new("later-1.0", samples::label_policy("later").into());
        stage.apply(&[manifests::object(&later)?]).await?;
        until(
            "the operator has judged another policy",
            MINUTE,
            async || {
                let get = ["get", "clusterpolicy", "later-1.0", "-o", "json"];
                let policy: Value = stage.cluster().kubectl(&get).await?.succeeded()?.json()?;
                ensure!(policy["status"]["observedGeneration"] == 1, "{policy}");
                Ok(())
            },
        )
        .await?;
        let get = ["get", "validatingwebhookconfiguration", name];
        stage
            .cluster()
            .kubectl(&get)
            .await?
            .failed_with(&["not found"])?;
        stage.ask(&offending).await.allowed()?;

        installation::install(stage.cluster()).await?;
        stage
            .await_refused(&offending, &samples::MEMORY_LIMIT_REFUSAL)
            .await?;
        a_metric_tells(stage, 1.0).await
    })
    .await
}

async fn an_event_tells(stage: &Stage) -> Result<()> {
    until(
        "an Event tells that the configuration is gone",
        MINUTE,
        async || {
            let get = [
                "get",
                "events.events.k8s.io",
                "-n",
                installation::NAMESPACE,
                "-o",
                "json",
            ];
            let events: Value = stage.cluster().kubectl(&get).await?.succeeded()?.json()?;
            let events = events["items"].as_array().context("no list")?;
            let told = events.iter().any(|event| {
                event["reason"] == "WebhookConfigurationMissing"
                    && event["regarding"]["name"] == Component::Operator.deployment()
                    && event["type"] == "Warning"
            });
            ensure!(told, "{} events, none of them about it", events.len());
            Ok(())
        },
    )
    .await
}

/// Whether the configuration is there, as the leading operator counts it.
async fn a_metric_tells(stage: &Stage, expected: f64) -> Result<()> {
    until(&format!("a metric says {expected}"), MINUTE, async || {
        let cluster = stage.cluster();
        let metric = "portcullis_webhook_configuration_present";
        let told = replicas::count(cluster, Component::Operator, metric, &[]).await?;
        ensure!((told - expected).abs() < 0.5, "{metric} is {told}");
        Ok(())
    })
    .await
}

async fn a_log_tells(stage: &Stage) -> Result<()> {
    until(
        "the operator's log tells that it is gone",
        MINUTE,
        async || {
            let logs = replicas::logs(stage.cluster(), Component::Operator).await?;
            let words = [
                "ValidatingWebhookConfiguration is gone",
                "`helm upgrade` restores it",
            ];
            let told = logs
                .lines()
                .any(|line| words.iter().all(|word| line.contains(word)));
            ensure!(told, "it does not");
            Ok(())
        },
    )
    .await
}
