//! A Policy judges its own namespace and no other.

use anyhow::Result;
use portcullis_e2e::{manifests, on_stage, samples};

#[tokio::test]
async fn a_namespaced_policy_never_judges_another_namespace() -> Result<()> {
    on_stage(async |stage| {
        let here = stage.namespace();
        let there = stage.another_namespace().await?;
        let example = manifests::read("docs/examples/namespaced-policy.yaml")?;
        let policy = manifests::in_namespace(example[0].clone(), here);
        stage.apply(&[policy]).await?;
        stage.await_policy("pinned-images-1.0").await?;

        let mut unpinned = samples::good("unpinned");
        unpinned["spec"]["containers"][0]["image"] = "web:latest".into();
        let words = [
            "IMAGES.NOT_PINNED",
            "shop/pinned_images@1.0",
            "→ give the image a version",
        ];
        stage.await_refused(&unpinned, &words).await?;
        stage.ask(&samples::good("pinned")).await.allowed()?;
        stage.ask_in(&there, &unpinned).await.allowed()?;

        // The same address in another namespace is another policy.
        let other = samples::label_policy("team");
        let other = portcullis_crds::Policy::in_namespace(&there, "team-1.0", other);
        stage.apply(&[manifests::object(&other)?]).await?;
        portcullis_e2e::until(
            "the other policy judges there",
            portcullis_e2e::MINUTE,
            async || {
                stage
                    .ask_in(&there, &unpinned)
                    .await
                    .refused_with(&["E2E.MISSING", "e2e/team@1.0"])
            },
        )
        .await?;
        stage.ask(&samples::good("pinned")).await.allowed()
    })
    .await
}
