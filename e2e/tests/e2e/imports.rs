//! A policy that imports another one judges by it as it is now, and is broken without it.

use anyhow::{Result, ensure};
use portcullis_crds::{ClusterLock, ClusterLockSpec, LockSpec, PolicyReference};
use portcullis_e2e::{MINUTE, Stage, manifests, on_stage, samples, until};
use serde_json::{Value, json};

/// What [`pod`] is refused with while its team is not known.
const UNKNOWN: [&str; 2] = ["OWNERS.UNKNOWN", "the owner \"shop\" is not known"];

#[tokio::test]
async fn an_importer_follows_what_it_imports() -> Result<()> {
    on_stage(async |stage| {
        let (imported, importer) = example(stage)?;
        // The importer first: what it imports may come later.
        let applied = stage.try_apply(std::slice::from_ref(&importer)).await?;
        let warning = "imports platform/owners@1.0, which is not there";
        ensure!(applied.stderr.contains(warning), "{applied:?}");
        let missing = [warning, "shop/owned@1.0"];
        stage.await_refused(&pod(), &missing).await?;

        stage.apply(std::slice::from_ref(&imported)).await?;
        let before = stage.await_policy("owned-1.0").await?;
        stage.await_refused(&pod(), &UNKNOWN).await?;

        let mut wider = imported.clone();
        wider["spec"]["data"]["teams"] = json!(["payments", "shop", "web"]);
        stage.apply(&[wider]).await?;
        stage.await_allowed(&pod()).await?;
        until("the digest is another", MINUTE, async || {
            let now = stage.await_policy("owned-1.0").await?;
            ensure!(now.digest != before.digest, "{now:?}");
            Ok(())
        })
        .await?;

        let reference = PolicyReference::group("platform").name("owners");
        let spec = ClusterLockSpec {
            lock: LockSpec::policy(reference, "the teams are being renamed"),
            namespace_selector: None,
        };
        let lock = manifests::object(&ClusterLock::new("owners-under-repair", spec))?;
        stage.apply(std::slice::from_ref(&lock)).await?;
        let locked = [
            "imports platform/owners@1.0, which is locked by ClusterLock owners-under-repair",
            "the teams are being renamed",
        ];
        stage.await_refused(&pod(), &locked).await?;
        stage.delete(&[lock]).await?;
        stage.await_allowed(&pod()).await?;

        stage.delete(&[imported]).await?;
        stage.await_refused(&pod(), &missing).await?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_tenant_imports_only_what_is_importable() -> Result<()> {
    on_stage(async |stage| {
        let (mut imported, importer) = example(stage)?;
        imported["spec"]["importable"] = json!(false);
        stage.apply(&[imported]).await?;
        stage.await_cluster_policy("owners-1.0").await?;
        let applied = stage.apply(&[importer]).await?;
        let warning = "may not be imported by policies of a namespace";
        ensure!(applied.stderr.contains(warning), "{applied:?}");
        stage.await_refused(&pod(), &[warning]).await?;
        Ok(())
    })
    .await
}

/// The policy that is imported, and the one that imports it, in the test's namespace.
fn example(stage: &Stage) -> Result<(Value, Value)> {
    let mut objects = manifests::read("docs/examples/importing-policy.yaml")?;
    let importer = objects.pop().unwrap_or_default();
    let imported = objects.pop().unwrap_or_default();
    let importer = manifests::in_namespace(importer, stage.namespace());
    Ok((imported, importer))
}

fn pod() -> Value {
    let mut pod = samples::good("owned");
    pod["metadata"]["labels"] = json!({"team": "shop"});
    pod
}
