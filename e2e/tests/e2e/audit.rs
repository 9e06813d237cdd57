//! `portcullis audit` and `portcullis check` on the real cluster say what admission says.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use portcullis_e2e::{Ran, Stage, local::binary, manifests, on_stage, programs, samples};
use serde_json::{Value, json};

#[tokio::test]
async fn what_is_in_the_cluster_and_what_is_to_come_is_judged_as_at_admission() -> Result<()> {
    on_stage(async |stage| {
        stage
            .apply(&[samples::offending("old"), samples::good("fine")])
            .await?;
        // Policies that are not in the cluster yet.
        let with_files = ["audit", "-p", samples::MEMORY_LIMIT];
        found_what_offends(&portcullis(stage, &with_files, None).await?, "old")?;

        stage
            .apply(&manifests::read(samples::MEMORY_LIMIT)?)
            .await?;
        stage.await_cluster_policy("limits-1.2").await?;
        found_what_offends(&portcullis(stage, &["audit"], None).await?, "old")?;

        let coming = manifests::in_namespace(samples::offending("coming"), stage.namespace());
        let checked = portcullis(stage, &["check", "-f", "-"], Some(&coming.to_string())).await?;
        found_what_offends(&checked, "coming")?;
        let told = stage
            .await_refused(
                &samples::offending("coming"),
                &samples::MEMORY_LIMIT_REFUSAL,
            )
            .await?;
        let message = report(&checked)?["objects"][0]["decisions"][0]["messages"][0]["message"]
            .as_str()
            .context("no message")?
            .to_owned();
        ensure!(told.contains(&message), "no `{message}` in: {told}");
        Ok(())
    })
    .await
}

/// A policy that warns at admission denies where manifests are checked, and is only listed by an audit.
#[tokio::test]
async fn each_tool_follows_the_action_that_the_policy_says_for_it() -> Result<()> {
    on_stage(async |stage| {
        let mut policy = manifests::read(samples::MEMORY_LIMIT)?;
        for object in &mut policy {
            object["spec"]["admission"]["action"] = "Warn".into();
            object["spec"]["admission"]["actionAt"] = json!({"check": "Deny", "audit": "Audit"});
        }
        stage.apply(&policy).await?;
        stage.await_cluster_policy("limits-1.2").await?;
        let pod = samples::offending("web");
        let warning = format!("Warning: {}", samples::MEMORY_LIMIT_REFUSAL[0]);
        stage
            .apply(std::slice::from_ref(&pod))
            .await?
            .said(&[&warning])?;

        let audited = portcullis(stage, &["audit"], None).await?.succeeded()?;
        let said = &report(&audited)?["objects"][0]["decisions"][0];
        ensure!(said["outcome"] == "denied", "{said}");
        let pod = manifests::in_namespace(pod, stage.namespace()).to_string();
        let checked = portcullis(stage, &["check", "-f", "-"], Some(&pod)).await?;
        found_what_offends(&checked, "web")
    })
    .await
}

/// Runs the binary as whoever uses `kubectl` would, in the test's namespace.
async fn portcullis(stage: &Stage, arguments: &[&str], input: Option<&str>) -> Result<Ran> {
    let kubeconfig = format!("KUBECONFIG={}", stage.cluster().kubeconfig().display());
    let binary = binary()?.display().to_string();
    let common = ["--namespace", stage.namespace(), "-o", "json"];
    let all = [&[&*kubeconfig, &*binary], arguments, &common].concat();
    programs::run(Path::new("env"), all, input).await
}

fn report(ran: &Ran) -> Result<Value> {
    serde_json::from_str(&ran.stdout).with_context(|| format!("{ran:?}"))
}

/// One Pod is refused, and it is this one.
fn found_what_offends(ran: &Ran, name: &str) -> Result<()> {
    ensure!(ran.status.code() == Some(1), "{ran:?}");
    let report = report(ran)?;
    let objects = report["objects"].as_array().context("no objects")?;
    let refused = objects.iter().filter(|object| object["allowed"] == false);
    let names: Vec<&Value> = refused.map(|object| &object["name"]).collect();
    ensure!(names == [name], "{report}");
    Ok(())
}
