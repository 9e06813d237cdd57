//! Replicas come and go under a stream of admissions, and nobody notices.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use kube::ResourceExt;
use portcullis_crds::ClusterPolicy;
use portcullis_e2e::{
    MINUTE, Stage, Stream, installation, manifests, on_stage,
    replicas::{self, Component},
    samples,
};

/// Admissions in a row that have to be right before and after something happens.
const STEADY: usize = 10;

/// How long admissions may fail after a replica was killed.
const RECOVERY: Duration = Duration::from_secs(10);

/// How long the stream goes on after [`RECOVERY`], so that a failure would be seen.
const AFTERWARDS: Duration = Duration::from_secs(5);

#[tokio::test]
async fn replicas_that_end_gracefully_are_not_missed() -> Result<()> {
    on_stage(async |stage| {
        let stream = steady_stream(stage).await?;
        let cluster = stage.cluster();

        let webhook = replicas::pods(cluster, Component::Webhook).await?;
        let webhook = webhook.first().context("a replica")?.name_any();
        delete_pod(stage, &webhook).await?;
        replicas::rolled_out(cluster, Component::Webhook)
            .await?
            .succeeded()?;

        let leader = replicas::leader(cluster).await?;
        delete_pod(stage, &leader).await?;
        replicas::another_leader(cluster, &leader).await?;
        another_policy_is_enforced(stage).await?;

        replicas::restart(cluster, Component::Webhook).await?;
        replicas::restart(cluster, Component::Operator).await?;

        stream.right_since(stream.now(), STEADY, MINUTE).await?;
        let report = stream.finish().await?;
        report.tell();
        ensure!(report.count() > 100, "only {} admissions", report.count());
        report.nothing_wrongly_allowed()?;
        report.nothing_failed()
    })
    .await
}

#[tokio::test]
async fn a_replica_that_is_killed_is_missed_for_ten_seconds_at_most() -> Result<()> {
    on_stage(async |stage| {
        let stream = steady_stream(stage).await?;
        let pods = replicas::pods(stage.cluster(), Component::Webhook).await?;
        let pod = pods.first().context("a replica")?;
        let killed = stream.now();
        replicas::kill(stage.cluster(), pod).await?;
        replicas::died(stage.cluster(), pod).await?;
        stream
            .reached(killed + RECOVERY + AFTERWARDS, MINUTE)
            .await?;
        replicas::rolled_out(stage.cluster(), Component::Webhook)
            .await?
            .succeeded()?;

        let report = stream.finish().await?;
        report.tell();
        report.nothing_wrongly_allowed()?;
        report.failures_within(killed, killed + RECOVERY)
    })
    .await
}

/// A stream of admissions with the policy in force, when it is right.
async fn steady_stream(stage: &Stage) -> Result<Stream> {
    stage
        .apply(&manifests::read(samples::MEMORY_LIMIT)?)
        .await?;
    stage.await_cluster_policy("limits-1.2").await?;
    let offending = samples::offending("first");
    stage
        .await_refused(&offending, &samples::MEMORY_LIMIT_REFUSAL)
        .await?;
    let stream = Stream::begin(&stage.client(), stage.namespace());
    stream.right_since(Duration::ZERO, STEADY, MINUTE).await?;
    Ok(stream)
}

/// A policy that judges nothing that the stream creates.
async fn another_policy_is_enforced(stage: &Stage) -> Result<()> {
    let mut spec = samples::label_policy("later");
    spec.admission = None;
    let policy = ClusterPolicy::new("later-1.0", spec.into());
    stage.apply(&[manifests::object(&policy)?]).await?;
    stage.await_cluster_policy("later-1.0").await?;
    Ok(())
}

async fn delete_pod(stage: &Stage, name: &str) -> Result<()> {
    let arguments = ["delete", "pod", name, "-n", installation::NAMESPACE];
    stage.cluster().kubectl(&arguments).await?.succeeded()?;
    Ok(())
}
