//! The chart by itself: its own test passes, and upgrading to the same changes nothing.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use kube::ResourceExt;
use portcullis_e2e::{
    Stage, installation, on_stage,
    replicas::{self, Component},
};

#[tokio::test]
async fn its_own_test_passes_and_an_upgrade_to_the_same_restarts_nothing() -> Result<()> {
    on_stage(async |stage| {
        let test = ["test", installation::RELEASE, "-n", installation::NAMESPACE];
        stage.cluster().helm(&test).await?.succeeded()?;

        let before = pods(stage).await?;
        installation::install(stage.cluster()).await?;
        let after = pods(stage).await?;
        ensure!(before == after, "{before:?} became {after:?}");
        Ok(())
    })
    .await
}

async fn pods(stage: &Stage) -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for component in [Component::Operator, Component::Webhook] {
        let pods = replicas::pods(stage.cluster(), component).await?;
        names.extend(pods.iter().map(ResourceExt::name_any));
    }
    Ok(names)
}
