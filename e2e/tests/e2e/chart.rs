//! The chart by itself: its own test passes, and upgrading to the same changes nothing.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use kube::ResourceExt;
use portcullis_e2e::{
    Stage, installation, manifests, on_stage,
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

        for component in [Component::Operator, Component::Webhook] {
            let logs = replicas::logs(stage.cluster(), component).await?;
            ensure!(!logs.contains("no authorities are known"), "{logs}");
        }
        Ok(())
    })
    .await
}

/// A release's name may have 53 characters, and a Service's 63.
#[tokio::test]
async fn a_release_of_the_longest_name_has_services_that_the_api_server_takes() -> Result<()> {
    on_stage(async |stage| {
        let release = "r".repeat(53);
        let service = ["--show-only", "templates/webhook/service.yaml"];
        let namespace = ["--namespace", stage.namespace()];
        let template = [
            &["template", &release, "charts/portcullis"],
            &service[..],
            &namespace[..],
        ]
        .concat();
        let rendered = stage.cluster().helm(&template).await?.succeeded()?.stdout;
        let services = manifests::parse(&rendered)?;
        ensure!(services.len() == 2, "{rendered}");
        stage.apply(&services).await?;
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
