//! Exemptions: who may leave what alone, and until when.

use std::time::Duration;

use anyhow::{Result, ensure};
use portcullis_crds::{
    ClusterExemption, ClusterExemptionSpec, ExemptedObjects, ExemptedPolicy, ExemptibleBy,
    Exemption, ExemptionSpec, PolicyReference, PolicySpec,
};
use portcullis_e2e::{Stage, manifests, moments, on_stage, samples};
use serde_json::{Value, json};

/// How long an exemption that expires holds: longer than it takes to see it hold.
const SOON: Duration = Duration::from_secs(15);

const DAY: Duration = Duration::from_hours(24);

const REFUSED: [&str; 2] = ["E2E.MISSING", "e2e/team@1.0"];

/// A tenant cannot exempt itself from a ClusterPolicy, unless that says so, and then in its own
/// namespace only.
#[tokio::test]
async fn a_tenant_exempts_itself_where_the_policy_lets_it() -> Result<()> {
    on_stage(async |stage| {
        let there = stage.another_namespace().await?;
        let pod = samples::good("web");
        stage.enforce(samples::label_policy("team")).await?;
        stage.await_refused(&pod, &REFUSED).await?;
        stage.may_here("tenant", &["admin"]).await?;
        stage.may_here("developer", &["edit"]).await?;

        let own = in_namespace(stage, everything(DAY)?)?;
        let forbidden = ["forbidden", "exemptions.portcullis.dev"];
        stage
            .apply_as("developer", &own)
            .await?
            .failed_with(&forbidden)?;
        let told = stage.apply_as("tenant", &own).await?.succeeded()?;
        ensure!(
            told.stderr.contains("exemptibleBy: Namespace"),
            "no warning: {}",
            told.account()
        );
        let of_the_cluster = of_cluster(everything(DAY)?.into())?;
        stage
            .apply_as("tenant", &of_the_cluster)
            .await?
            .failed_with(&["forbidden", "clusterexemptions.portcullis.dev"])?;
        stage
            .await_exemption("legacy", false, "NotPermitted")
            .await?;
        stage.ask(&pod).await.refused_with(&REFUSED)?;

        let exemptible = PolicySpec {
            exemptible_by: ExemptibleBy::Namespace,
            ..samples::label_policy("team")
        };
        stage.enforce(exemptible).await?;
        stage.await_allowed(&pod).await?;
        let status = stage.await_exemption("legacy", true, "Holds").await?;
        ensure!(status.exempts == ["e2e/team@1.0"], "{status:?}");
        stage.ask_in(&there, &pod).await.refused_with(&REFUSED)?;

        stage.delete(&[own]).await?;
        stage.await_refused(&pod, &REFUSED).await?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn an_exemption_ends_by_itself() -> Result<()> {
    on_stage(async |stage| {
        let pod = samples::good("web");
        stage.enforce(samples::label_policy("team")).await?;
        stage.await_refused(&pod, &REFUSED).await?;
        stage
            .apply(&[of_cluster(here(stage, everything(SOON)?))?])
            .await?;
        stage.await_allowed(&pod).await?;
        stage.await_refused(&pod, &REFUSED).await?;
        stage
            .await_cluster_exemption("legacy", false, "Expired")
            .await?;
        Ok(())
    })
    .await
}

/// Further away than the administrator allows, or over already: told to who applies it.
#[tokio::test]
async fn an_end_is_neither_too_far_nor_past() -> Result<()> {
    on_stage(async |stage| {
        stage.enforce(samples::label_policy("team")).await?;
        let too_long = everything(91 * DAY)?;
        let past = ExemptionSpec {
            expires_at: "2026-01-01T00:00:00Z".to_owned(),
            ..too_long.clone()
        };
        for (spec, words) in [
            (too_long, ["more than 90 days away", "`--max-exemption`"]),
            (past, ["`expiresAt` is in the past", "to a later time"]),
        ] {
            let object = of_cluster(here(stage, spec))?;
            stage.try_apply(&[object]).await?.failed_with(&words)?;
        }
        Ok(())
    })
    .await
}

/// Only what is told apart is exempt: a Pod with one other image is not, nor is another namespace.
#[tokio::test]
async fn images_namespaces_and_users_are_told_apart() -> Result<()> {
    on_stage(async |stage| {
        let there = stage.another_namespace().await?;
        let pod = samples::good("web");
        stage.enforce(samples::label_policy("team")).await?;
        stage.await_refused(&pod, &REFUSED).await?;

        let (repository, _) = samples::IMAGE.split_once(':').expect("an image has a tag");
        let objects = ExemptedObjects {
            images: vec![format!("{repository}:*")],
            ..ExemptedObjects::default()
        };
        let by_image = here(
            stage,
            ExemptionSpec {
                objects: Some(objects),
                all_objects: false,
                ..everything(DAY)?
            },
        );
        stage.apply(&[of_cluster(by_image)?]).await?;
        stage.await_allowed(&pod).await?;
        let mut mixed = pod.clone();
        mixed["spec"]["initContainers"] = json!([{"name": "other", "image": "other:1"}]);
        stage.ask(&mixed).await.refused_with(&REFUSED)?;
        stage.ask_in(&there, &pod).await.refused_with(&REFUSED)?;

        let objects = ExemptedObjects {
            users: vec!["nobody-*".to_owned()],
            ..ExemptedObjects::default()
        };
        let by_user = here(
            stage,
            ExemptionSpec {
                objects: Some(objects),
                all_objects: false,
                ..everything(DAY)?
            },
        );
        stage.apply(&[of_cluster(by_user)?]).await?;
        stage.await_refused(&pod, &REFUSED).await?;
        Ok(())
    })
    .await
}

/// Of the policy `e2e/team`, for every object, until so long from now.
fn everything(until: Duration) -> Result<ExemptionSpec> {
    let policy = ExemptedPolicy::of_cluster(PolicyReference::group("e2e").name("team"));
    let spec = ExemptionSpec::of_everything([policy], &moments::from_now(until)?);
    Ok(spec.because("TICKET-4711", "jane"))
}

/// In the test's namespace only.
fn here(stage: &Stage, spec: ExemptionSpec) -> ClusterExemptionSpec {
    ClusterExemptionSpec {
        namespaces: vec![stage.namespace().to_owned()],
        ..spec.into()
    }
}

fn of_cluster(spec: ClusterExemptionSpec) -> Result<Value> {
    manifests::object(&ClusterExemption::new("legacy", spec))
}

fn in_namespace(stage: &Stage, spec: ExemptionSpec) -> Result<Value> {
    manifests::object(&Exemption::in_namespace(stage.namespace(), "legacy", spec))
}
