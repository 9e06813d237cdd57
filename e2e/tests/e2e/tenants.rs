//! What a tenant does to its own policies costs other namespaces and the cluster nothing.

use anyhow::{Result, ensure};
use futures::future::join_all;
use portcullis_crds::{ClusterPolicy, Policy, PolicySpec};
use portcullis_e2e::{Stage, manifests, on_stage, samples};

/// Requests of the noisy tenant that are under way at once: more than there are threads.
const NOISE: usize = 12;

/// Requests of the others, one after the other, each answered as if nobody else was there.
const QUIET: usize = 40;

#[tokio::test]
async fn a_tenants_policies_cost_others_nothing() -> Result<()> {
    on_stage(async |stage| {
        let noisy = stage.another_namespace().await?;
        let cluster = ClusterPolicy::new("everywhere", samples::label_policy("everywhere").into());
        let own = samples::label_policy("quiet");
        let mut objects = vec![
            manifests::object(&cluster)?,
            manifests::object(&Policy::in_namespace(stage.namespace(), "quiet", own))?,
        ];
        for (name, spec) in noise() {
            objects.push(manifests::object(&Policy::in_namespace(
                &noisy, &name, spec,
            ))?);
        }
        stage.apply(&objects).await?;
        stage.await_cluster_policy("everywhere").await?;
        stage.await_policy("quiet").await?;

        let done = std::sync::atomic::AtomicBool::new(false);
        let ordering = std::sync::atomic::Ordering::Relaxed;
        let noise = join_all((0..NOISE).map(|_| async {
            let mut refused = 0;
            while !done.load(ordering) {
                let asked = stage.ask_in(&noisy, &labelled()).await;
                refused += usize::from(asked.refused_with(&["POLICY."]).is_ok());
            }
            refused
        }));
        let quiet = async {
            let told = ask_quietly(stage).await;
            done.store(true, ordering);
            told
        };
        let (refused, told) = tokio::join!(noise, quiet);
        told?;
        // The noise was some: its policies were asked, and could not answer.
        ensure!(refused.iter().sum::<usize>() > 0, "{refused:?}");
        Ok(())
    })
    .await
}

/// Each decision is that of the policy, and never one for want of time or room.
async fn ask_quietly(stage: &Stage) -> Result<()> {
    for _ in 0..QUIET {
        stage.ask(&labelled()).await.allowed()?;
        // One of several webhooks that deny is told.
        for (has, misses) in [("everywhere", "quiet"), ("quiet", "everywhere")] {
            let pod = samples::with_label(samples::good("web"), has);
            let missing = format!("E2E.MISSING: the label {misses} is missing");
            stage.ask(&pod).await.refused_with(&[&missing])?;
        }
    }
    Ok(())
}

/// A Pod that the policies of the cluster and of the quiet namespace like.
fn labelled() -> serde_json::Value {
    let pod = samples::with_label(samples::good("web"), "quiet");
    samples::with_label(pod, "everywhere")
}

/// Policies that are slow, that fail, and that are large.
fn noise() -> Vec<(String, PolicySpec)> {
    let spec = |name: &str, rules: &str| {
        let source = format!("package e2e.{name}\n\n{rules}\n");
        let spec = PolicySpec::new("e2e", name, "1.0").module("policy.rego", &source);
        (name.to_owned(), samples::on_pods(spec))
    };
    let slow = "deny contains \"never\" if {\n\tsome a in numbers.range(1, 1000)\n\t\
                some b in numbers.range(1, 1000)\n\tsome c in numbers.range(1, 1000)\n\ta + b + c < 0\n}";
    let rule = |number: usize| {
        format!("deny contains \"{number}\" if input.request.object.metadata.labels.l{number}\n")
    };
    let large: String = (0..2_000).map(rule).collect();
    let mut policies: Vec<_> = (0..6)
        .map(|number| spec(&format!("slow{number}"), slow))
        .collect();
    policies.push(spec("fails", "deny := 1 if true\ndeny := 2 if true"));
    policies.push(spec("large", &large));
    policies
}
