//! What our admission costs a Pod's creation, and how much memory our processes take.
//!
//! Rounds without the chart and with the chart and one policy take turns in one run, so that what
//! else happens on the machine happens to both. The Pods name a scheduler that does not exist:
//! nothing is started, and what is measured is the API server's answer.

use std::{
    io::Write as _,
    time::{Duration, Instant},
};

use anyhow::{Result, anyhow};
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api,
    api::{DeleteParams, PostParams},
};
use portcullis_e2e::{
    MINUTE, Stage, installation,
    local::Local,
    manifests, on_stage,
    replicas::{self, Component},
    samples, sidecar, until,
};
use serde_json::json;

/// How often the chart is taken away and put back.
const ROUNDS: usize = 3;

/// Creations of each sort in a round: of 900 altogether, nine are above the 99th percentile.
const CREATIONS: usize = 300;

/// Creations before those that are measured, so that connections are open and caches warm.
const WARMING: usize = 30;

/// Times of one sort of creation.
#[derive(Default)]
struct Times {
    dry: Vec<Duration>,
    stored: Vec<Duration>,
}

#[tokio::main]
async fn main() -> Result<()> {
    on_stage(async |stage| {
        let policy = manifests::read(samples::MEMORY_LIMIT)?;
        stage.apply(&policy).await?;
        let (mut without, mut with) = (Times::default(), Times::default());
        for round in 1..=ROUNDS {
            say(&format!("round {round} of {ROUNDS}"))?;
            installation::uninstall(stage.cluster())
                .await?
                .succeeded()?;
            stage
                .await_allowed(&samples::offending("offending"))
                .await?;
            measure(stage, &mut without).await?;

            installation::install(stage.cluster()).await?;
            stage.await_cluster_policy("limits-1.2").await?;
            let offending = samples::offending("offending");
            stage
                .await_refused(&offending, &samples::MEMORY_LIMIT_REFUSAL)
                .await?;
            measure(stage, &mut with).await?;
        }
        tell_times(&mut without, &mut with)?;
        tell_memory(stage).await
    })
    .await
}

/// Creates Pods one after another, which the policy lets in.
async fn measure(stage: &Stage, times: &mut Times) -> Result<()> {
    let api: Api<Pod> = Api::namespaced(stage.client(), stage.namespace());
    let mut pod = samples::good("measured");
    pod["spec"]["schedulerName"] = json!("nobody");
    let pod = samples::typed(&pod);
    let dry = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    for creation in 0..WARMING + CREATIONS {
        let began = Instant::now();
        api.create(&dry, &pod).await?;
        let dry_time = began.elapsed();

        let began = Instant::now();
        api.create(&PostParams::default(), &pod).await?;
        let stored_time = began.elapsed();
        api.delete("measured", &DeleteParams::default().grace_period(0))
            .await?;
        if creation >= WARMING {
            times.dry.push(dry_time);
            times.stored.push(stored_time);
        }
    }
    Ok(())
}

fn tell_times(without: &mut Times, with: &mut Times) -> Result<()> {
    let sorts = [
        ("stored", &mut without.stored, &mut with.stored),
        ("dry run", &mut without.dry, &mut with.dry),
    ];
    say(&format!(
        "\nA Pod's creation, {} times each:\n",
        ROUNDS * CREATIONS
    ))?;
    say("|  | | without the chart | with the chart and one policy | ratio |")?;
    say("|---|---|---:|---:|---:|")?;
    for (sort, without, with) in sorts {
        for percent in [50, 99] {
            let before = percentile(without, percent).as_secs_f64() * 1e3;
            let after = percentile(with, percent).as_secs_f64() * 1e3;
            let ratio = after / before;
            say(&format!(
                "| {sort} | p{percent} | {before:.2} ms | {after:.2} ms | {ratio:.2} |"
            ))?;
        }
    }
    Ok(())
}

/// The resident memory of every process of ours: both Deployments', a sidecar's, and `serve`'s.
async fn tell_memory(stage: &Stage) -> Result<()> {
    let policy = manifests::read(samples::MEMORY_LIMIT)?;
    let local = Local::serve(&policy).await?;
    say("\nResident memory:\n\n| process | Pod | MiB |\n|---|---|---:|")?;
    if stage.cluster().is_ours() {
        sidecar::start(stage, "measured", &["sidecar"], None).await?;
        let api: Api<Pod> = Api::namespaced(stage.client(), stage.namespace());
        let beside = vec![api.get("measured").await?];
        let operators = replicas::pods(stage.cluster(), Component::Operator).await?;
        let webhooks = replicas::pods(stage.cluster(), Component::Webhook).await?;
        for (name, pods) in [
            ("operator", operators),
            ("webhook", webhooks),
            ("sidecar", beside),
        ] {
            for pod in pods {
                let processes = until("its processes run", MINUTE, async || {
                    replicas::processes_of(&pod)
                });
                for process in processes.await? {
                    let pod = pod.metadata.name.as_deref().unwrap_or_default();
                    say(&format!(
                        "| {name} | {pod} | {} |",
                        mebibytes(process.resident)
                    ))?;
                }
            }
        }
    } else {
        say("| of the cluster | its node is another machine: see `kubectl top pods` | |")?;
    }
    let process = local
        .process()
        .ok_or_else(|| anyhow!("`portcullis serve` has ended"))?;
    say(&format!(
        "| serve | | {} |",
        mebibytes(replicas::resident(process)?)
    ))
}

/// The smallest time that so many in a hundred do not exceed.
fn percentile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort_unstable();
    let rank = (times.len() * percent).div_ceil(100).max(1);
    times.get(rank - 1).copied().unwrap_or_default()
}

fn mebibytes(kibibytes: u64) -> String {
    let tenths = kibibytes * 10 / 1024;
    format!("{}.{}", tenths / 10, tenths % 10)
}

fn say(line: &str) -> Result<()> {
    Ok(writeln!(std::io::stdout(), "{line}")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_a_time_that_was_measured() {
        let mut times: Vec<Duration> = (1..=200).rev().map(Duration::from_millis).collect();
        let cases = [(1, 2), (50, 100), (99, 198), (100, 200)];
        for (percent, expected) in cases {
            assert_eq!(
                percentile(&mut times, percent),
                Duration::from_millis(expected)
            );
        }
    }

    #[test]
    fn a_tenth_of_a_mebibyte_is_told() {
        assert_eq!(mebibytes(12_700), "12.4");
    }
}
