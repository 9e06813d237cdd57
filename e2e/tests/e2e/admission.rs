//! A ClusterPolicy stops what offends it, says why, and stops nothing when it is gone.

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::{
    apps::v1::{Deployment, ReplicaSet},
    core::v1::Event,
};
use kube::{Api, ResourceExt, api::ListParams};
use portcullis_e2e::{
    MINUTE, Stage, manifests, on_stage,
    replicas::{self, Component},
    samples, until,
};

#[tokio::test]
async fn a_policy_stops_the_pods_that_offend_it_until_it_is_deleted() -> Result<()> {
    on_stage(async |stage| {
        let policy = manifests::read(samples::MEMORY_LIMIT)?;
        stage.apply(&policy).await?;
        stage.await_cluster_policy("limits-1.2").await?;
        stage
            .await_refused(&samples::offending("first"), &samples::MEMORY_LIMIT_REFUSAL)
            .await?;

        let offending = samples::deployment("offending", &samples::offending("web"));
        let good = samples::deployment("good", &samples::good("web"));
        stage.apply(&[offending, good]).await?;
        runs(stage, "good").await?;
        let told = refusal_of_the_replica_set(stage, "offending").await?;
        for word in samples::MEMORY_LIMIT_REFUSAL {
            ensure!(told.contains(word), "no `{word}` in: {told}");
        }
        is_in_the_decision_log(stage, &told).await?;
        an_event_tells(stage, "offending", samples::MEMORY_LIMIT_REFUSAL[0]).await?;

        stage.delete(&policy).await?;
        runs(stage, "offending").await?;
        runs(stage, "good").await
    })
    .await
}

/// Waits until a Deployment's Pod is available.
async fn runs(stage: &Stage, name: &str) -> Result<()> {
    let api: Api<Deployment> = Api::namespaced(stage.client(), stage.namespace());
    // Its controller tries again after ever longer times: a minute after a minute.
    until(
        &format!("the Deployment {name} runs"),
        3 * MINUTE,
        async || {
            let status = api.get(name).await?.status.context("no status")?;
            ensure!(status.available_replicas == Some(1), "{status:?}");
            Ok(())
        },
    )
    .await
}

/// What a Deployment's `ReplicaSet` was told when it created its Pod.
pub(crate) async fn refusal_of_the_replica_set(stage: &Stage, name: &str) -> Result<String> {
    let api: Api<ReplicaSet> = Api::namespaced(stage.client(), stage.namespace());
    let of_deployment = ListParams::default().labels(&format!("app={name}"));
    until(
        &format!("the ReplicaSet of {name} is refused its Pod"),
        MINUTE,
        async || {
            let sets = api.list(&of_deployment).await?;
            let status = sets
                .items
                .first()
                .and_then(|set| set.status.clone())
                .context("no status")?;
            let conditions = status.conditions.as_deref().unwrap_or_default();
            let failure = conditions.iter().find(|condition| {
                condition.type_ == "ReplicaFailure"
                    && condition.reason.as_deref() == Some("FailedCreate")
            });
            failure
                .and_then(|failure| failure.message.clone())
                .with_context(|| format!("{status:?}"))
        },
    )
    .await
}

/// The refusal ends with the decision's id, under which a replica logged it.
async fn is_in_the_decision_log(stage: &Stage, refusal: &str) -> Result<()> {
    let id = refusal.rsplit_once("decision ").map(|(_, id)| id.trim());
    let id = id.with_context(|| format!("no decision's id in: {refusal}"))?;
    until(
        &format!("the decision {id} is logged"),
        MINUTE,
        async || {
            let logs = replicas::logs(stage.cluster(), Component::Webhook).await?;
            let line = logs
                .lines()
                .find(|line| line.contains(id))
                .context("it is not")?;
            let words = [
                "platform/limits@1.2",
                "POLICY.DENIED_ADMISSION",
                "\"allowed\":false",
            ];
            ensure!(words.iter().all(|word| line.contains(word)), "{line}");
            Ok(())
        },
    )
    .await
}

async fn an_event_tells(stage: &Stage, name: &str, word: &str) -> Result<()> {
    let api: Api<Event> = Api::namespaced(stage.client(), stage.namespace());
    until(
        &format!("an Event tells why {name} has no Pod"),
        MINUTE,
        async || {
            let events = api
                .list(&ListParams::default().fields("reason=FailedCreate"))
                .await?;
            let told = events.iter().any(|event| {
                event
                    .involved_object
                    .name
                    .as_deref()
                    .is_some_and(|object| object.starts_with(name))
                    && event
                        .message
                        .as_deref()
                        .is_some_and(|message| message.contains(word))
            });
            let names: Vec<String> = events.iter().map(ResourceExt::name_any).collect();
            ensure!(told, "only {names:?}");
            Ok(())
        },
    )
    .await
}
