//! Versions: a newer one takes the place of an older one when it judges everywhere, and gives it back.

use anyhow::{Context as _, Result, ensure};
use kube::Api;
use portcullis_crds::{ClusterPolicy, ConditionType, PolicySpec};
use portcullis_e2e::{MINUTE, Stage, manifests, on_stage, samples, until};
use serde_json::Value;

const OLD: &str = "the label old is missing";
const NEW: &str = "the label new is missing";

#[tokio::test]
async fn a_newer_version_takes_the_place_of_an_older_one() -> Result<()> {
    on_stage(async |stage| {
        let older = object(version("1.0", "old"))?;
        let newer = object(superseding("2.0", "new"))?;
        let pod = samples::good("web");
        let with_old = samples::with_label(pod.clone(), "old");
        let with_new = samples::with_label(pod.clone(), "new");
        stage.apply(std::slice::from_ref(&older)).await?;
        stage.await_refused(&with_new, &[OLD]).await?;

        // Until it is known to judge everywhere, both do; then the newer one, on every replica.
        stage.apply(std::slice::from_ref(&newer)).await?;
        let status = stage
            .await_cluster_policy_is("labels-1.0", ConditionType::Enforced, false, "Superseded")
            .await?;
        ensure!(status.superseded_by.as_deref() == Some("2.0"), "{status:?}");
        let status = stage.await_cluster_policy("labels-2.0").await?;
        let taken = status.in_place_of.as_ref().map(|taken| &*taken.version);
        ensure!(taken == Some("1.0"), "{status:?}");
        for _ in 0..10 {
            stage.ask(&with_new).await.allowed()?;
            let refusal = stage.ask(&with_old).await.refused_with(&[NEW])?;
            ensure!(!refusal.contains(OLD), "both judge: {refusal}");
        }
        let listed = stage
            .cluster()
            .kubectl(&["get", "ptcpol"])
            .await?
            .succeeded()?;
        ensure!(
            listed.stdout.contains("superseded by 2.0"),
            "{}",
            listed.account()
        );
        let told = ["describe", "ptcpol", "labels-1.0"];
        let told = stage.cluster().kubectl(&told).await?.succeeded()?;
        ensure!(
            told.stdout.contains("version 2.0 judges in its place"),
            "{}",
            told.account()
        );

        // A change of the newer one, which takes its time to be everywhere, brings nothing back.
        let mut changed = superseding("2.0", "new");
        changed.parameters.insert("changed".to_owned(), true.into());
        stage.apply(&[object(changed)?]).await?;
        for _ in 0..10 {
            stage.ask(&with_new).await.allowed()?;
        }

        stage.delete(&[newer]).await?;
        stage.await_refused(&with_new, &[OLD]).await?;
        stage.await_cluster_policy("labels-1.0").await?;
        stage.ask(&with_old).await.allowed()
    })
    .await
}

#[tokio::test]
async fn a_chain_of_versions_leaves_the_newest() -> Result<()> {
    on_stage(async |stage| {
        let middle = PolicySpec {
            supersedes: Some("1.0".to_owned()),
            ..version("2.0", "middle")
        };
        let newest = PolicySpec {
            supersedes: Some("2.0".to_owned()),
            ..version("3.0", "new")
        };
        let all = [
            object(version("1.0", "old"))?,
            object(middle)?,
            object(newest)?,
        ];
        stage.apply(&all).await?;
        for name in ["labels-1.0", "labels-2.0"] {
            stage
                .await_cluster_policy_is(name, ConditionType::Enforced, false, "Superseded")
                .await?;
        }
        let pod = samples::with_label(samples::good("web"), "new");
        stage.ask(&pod).await.allowed()?;
        stage.delete(&all[2..]).await?;
        stage
            .await_refused(&pod, &["the label middle is missing"])
            .await?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_guardrail_gives_way_to_a_guardrail_and_with_the_right_to_only() -> Result<()> {
    on_stage(async |stage| {
        let guardrail = |spec: PolicySpec| PolicySpec {
            guardrail: true,
            ..spec
        };
        stage
            .apply(&[object(guardrail(version("1.0", "old")))?])
            .await?;
        stage.await_cluster_policy("labels-1.0").await?;
        stage.may("keeper", &["portcullis-policy-admin"]).await?;
        stage
            .may("chief", &["portcullis-policy-admin", "portcullis-weaken"])
            .await?;

        // Another policy judges beside it, whatever it says.
        let plain = object(superseding("2.0", "new"))?;
        let applied = stage.apply_as("keeper", &plain).await?.succeeded()?;
        let warning = "e2e/labels@1.0 is a guardrail, which a guardrail only supersedes";
        ensure!(applied.stderr.contains(warning), "{}", applied.account());
        stage.await_cluster_policy("labels-2.0").await?;
        refused_by_both(stage).await?;

        // Neither a new guardrail nor one that becomes one takes its place without the right to.
        let needed = ["needs the verb \"weaken\" on all clusterpolicies"];
        for version in ["2.0", "3.0"] {
            let newer = object(guardrail(superseding(version, "new")))?;
            // What is not in force yet would let the first of them pass.
            until("guardrails are kept", MINUTE, async || {
                let tried = stage.try_as("keeper", "apply", &newer).await?;
                tried.failed_with(&needed)
            })
            .await?;
        }
        refused_by_both(stage).await?;
        let newer = object(guardrail(superseding("2.0", "new")))?;
        stage.apply_as("chief", &newer).await?.succeeded()?;
        stage
            .await_cluster_policy_is("labels-1.0", ConditionType::Enforced, false, "Superseded")
            .await?;
        let pod = samples::with_label(samples::good("web"), "new");
        stage.ask(&pod).await.allowed()
    })
    .await
}

/// It acts on nothing, tells where it differs, and is promoted by one field.
#[tokio::test]
async fn a_shadow_tells_where_it_differs_and_is_promoted() -> Result<()> {
    on_stage(async |stage| {
        let shadow = PolicySpec {
            shadow: true,
            ..superseding("2.0", "new")
        };
        stage
            .apply(&[object(version("1.0", "old"))?, object(shadow)?])
            .await?;
        stage.await_cluster_policy("labels-1.0").await?;
        let status = stage
            .await_cluster_policy_is("labels-2.0", ConditionType::Enforced, false, "Shadow")
            .await?;
        ensure!(
            status.enforced_on.as_deref() == Some("shadow of 1.0"),
            "{status:?}"
        );

        let with_old = samples::with_label(samples::good("web"), "old");
        let with_new = samples::with_label(samples::good("web"), "new");
        for _ in 0..3 {
            stage.ask(&with_old).await.allowed()?;
            let refusal = stage.ask(&with_new).await.refused_with(&[OLD])?;
            ensure!(!refusal.contains(NEW), "the shadow acts: {refusal}");
        }
        let policies: Api<ClusterPolicy> = Api::all(stage.client());
        let told = until("the shadow tells what differs", 2 * MINUTE, async || {
            let status = policies.get("labels-2.0").await?.status;
            let shadow = status.and_then(|status| status.shadow);
            let shadow = shadow.context("nothing is told of the shadow")?;
            ensure!(shadow.stricter >= 3 && shadow.looser >= 3, "{shadow:?}");
            ensure!(!shadow.examples.is_empty(), "{shadow:?}");
            Ok(shadow)
        })
        .await?;
        ensure!(told.compares == "1.0", "{told:?}");
        let stricter = told.examples.iter().find(|it| it.difference == "stricter");
        let stricter = stricter.with_context(|| format!("{told:?}"))?;
        let expected = format!("CREATE pods {}/web", stage.namespace());
        ensure!(stricter.request == expected, "{stricter:?}");
        ensure!(
            stricter.in_force == "allowed" && stricter.shadow.contains(NEW),
            "{stricter:?}"
        );

        stage.apply(&[object(superseding("2.0", "new"))?]).await?;
        stage
            .await_cluster_policy_is("labels-1.0", ConditionType::Enforced, false, "Superseded")
            .await?;
        stage.ask(&with_new).await.allowed()?;
        stage.ask(&with_old).await.refused_with(&[NEW]).map(drop)
    })
    .await
}

async fn refused_by_both(stage: &Stage) -> Result<()> {
    let pod = samples::good("web");
    stage.await_refused(&pod, &[OLD, NEW]).await.map(drop)
}

/// A version of `e2e/labels` that asks for a label of Pods.
fn version(version: &str, label: &str) -> PolicySpec {
    let source = samples::label_policy(label).modules["policy.rego"]
        .replace(&format!("package e2e.{label}"), "package e2e.labels");
    samples::on_pods(PolicySpec::new("e2e", "labels", version).module("policy.rego", &source))
}

/// The same, in the place of the version 1.0.
fn superseding(own: &str, label: &str) -> PolicySpec {
    PolicySpec {
        supersedes: Some("1.0".to_owned()),
        ..version(own, label)
    }
}

fn object(spec: PolicySpec) -> Result<Value> {
    let name = format!("{}-{}", spec.name, spec.version);
    manifests::object(&ClusterPolicy::new(&name, spec.into()))
}
