//! What nobody permits is denied within a perimeter, and only there.

use anyhow::{Result, ensure};
use k8s_openapi::api::core::v1::Namespace;
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use portcullis_e2e::{manifests, on_stage, samples};
use serde_json::{Value, json};

const EXAMPLE: &str = "docs/examples/perimeter.yaml";

const NOT_PERMITTED: [&str; 2] = [
    "POLICY.DENIED_ADMISSION: no policy permits it",
    "[platform/perimeter@1.0]",
];

#[tokio::test]
async fn what_nobody_permits_is_denied() -> Result<()> {
    on_stage(async |stage| {
        let namespaces: Api<Namespace> = Api::all(stage.client());
        let patch = Patch::Merge(json!({"metadata": {"labels": {"stage": "prod"}}}));
        let params = PatchParams::default();
        namespaces.patch(stage.namespace(), &params, &patch).await?;
        let mut example = manifests::read(EXAMPLE)?;
        let permission = example.pop().unwrap_or_default();
        stage.apply(&example).await?;
        stage.await_cluster_policy("perimeter-1.0").await?;
        stage.await_refused(&of_registry(), &NOT_PERMITTED).await?;

        // The policy that permits is asked by another call of the API server, and only counts.
        stage.apply(std::slice::from_ref(&permission)).await?;
        stage.await_cluster_policy("own-images-1.0").await?;
        stage.await_allowed(&of_registry()).await?;
        stage
            .ask(&samples::good("web"))
            .await
            .refused_with(&NOT_PERMITTED)?;

        // Outside of the perimeter nobody has to permit.
        let other = stage.another_namespace().await?;
        stage
            .ask_in(&other, &samples::good("web"))
            .await
            .allowed()?;

        // A tenant cannot let itself in.
        let mut own = permission.clone();
        own["kind"] = json!("Policy");
        own["metadata"] = json!({"name": "own-images", "namespace": stage.namespace()});
        own["spec"]["modules"]["policy.rego"] =
            json!("package platform.own_images\nallow := true\n");
        own["spec"]["data"] = json!({});
        stage.apply(std::slice::from_ref(&own)).await?;
        stage.await_policy("own-images").await?;
        stage
            .ask(&samples::good("web"))
            .await
            .refused_with(&NOT_PERMITTED)?;
        own["spec"]["admission"]["requireAllow"] = json!(true);
        let refused = stage.try_apply(&[own]).await?;
        refused.failed_with(&["perimeter_invalid"])?;

        // Without the policy that permits, everything is denied again.
        stage.delete(&[permission]).await?;
        let message = stage.await_refused(&of_registry(), &NOT_PERMITTED).await?;
        ensure!(
            message.contains("ClusterPolicy whose `allow` holds"),
            "{message}"
        );
        Ok(())
    })
    .await
}

/// A Pod of the registry that the example permits; it is never started.
fn of_registry() -> Value {
    let mut pod = samples::good("web");
    pod["spec"]["containers"][0]["image"] = json!("registry.example.com/web:1");
    pod
}
