//! `kubectl portcullis why` tells what is behind a refusal, to whom the API server lets.

use anyhow::{Context, Result, ensure};
use portcullis_e2e::{MINUTE, Stage, accounts, manifests, on_stage, plugin::User, samples, until};
use serde_json::{Value, json};

#[tokio::test]
async fn who_may_read_learns_why_and_nobody_else_does() -> Result<()> {
    on_stage(async |stage| {
        stage
            .apply(&manifests::read(samples::MEMORY_LIMIT)?)
            .await?;
        stage.await_cluster_policy("limits-1.2").await?;
        let refusal = stage
            .await_refused(&samples::offending("web"), &samples::MEMORY_LIMIT_REFUSAL)
            .await?;
        let (_, id) = refusal.rsplit_once("decision ").context("there is no id")?;
        let id = id.trim();

        let reader = user(stage, "reader", true).await?;
        // The API server hears of new roles a moment later.
        let told = until("the reader is told", MINUTE, async || {
            reader.portcullis(&["why", id]).await?.succeeded()
        })
        .await?;
        let words = [
            &format!("decision {id}"),
            &format!("CREATE pods {}/web by ", stage.namespace()),
            "platform/limits@1.2: denied, and so refused (action Deny)",
            samples::MEMORY_LIMIT_REFUSAL[0],
            "data.platform.limits.deny holds",
            "\"name\": \"web\"",
        ];
        for word in words {
            ensure!(
                told.stdout.contains(word),
                "no `{word}`: {}",
                told.account()
            );
        }
        let ran = reader.portcullis(&["why", id, "--output", "json"]).await?;
        let document: Value = ran.succeeded()?.json()?;
        let decision = &document["decisions"][0];
        ensure!(decision["explanation"]["outcome"] == "denied", "{document}");
        ensure!(document["namespace"] == stage.namespace(), "{document}");

        let stranger = user(stage, "stranger", false).await?;
        let unknown = "0c4f8d5e-5d0c-4a51-9d6c-0e8c9a3b7f11";
        let mut told = Vec::new();
        for id in [id, unknown] {
            let ran = until("the stranger is answered", MINUTE, async || {
                let ran = stranger.portcullis(&["why", id]).await?;
                ensure!(ran.status.code() == Some(1), "{}", ran.account());
                Ok(ran)
            })
            .await?;
            ensure!(ran.stdout.is_empty(), "{}", ran.account());
            told.push(ran.stderr.replace(id, "<id>"));
        }
        ensure!(told[0] == told[1], "{told:?}");
        ensure!(told[0].contains("or you may not read it"), "{told:?}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn nothing_of_a_secret_is_told() -> Result<()> {
    on_stage(async |stage| {
        stage.apply(&[secrets_policy()]).await?;
        stage.await_cluster_policy("secrets").await?;
        let secret = json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "db"},
            "stringData": {"password": "s3cret"},
        });
        let refused = until("the Secret is refused", MINUTE, async || {
            let ran = stage.try_apply(std::slice::from_ref(&secret)).await?;
            ran.failed_with(&["SECRETS.NO_OWNER"])
        })
        .await?;
        let (_, id) = refused
            .stderr
            .rsplit_once("decision ")
            .context("there is no id")?;
        let reader = user(stage, "reader", true).await?;
        let told = until("the reader is told", MINUTE, async || {
            let ran = reader.portcullis(&["why", id.trim(), "--all"]).await?;
            ran.succeeded()
        })
        .await?;
        ensure!(told.stdout.contains("REDACTED"), "{}", told.account());
        // As it is, and as the API server writes it.
        for value in ["s3cret", "czNjcmV0"] {
            ensure!(!told.stdout.contains(value), "{}", told.account());
        }
        Ok(())
    })
    .await
}

/// A policy that looks at the data of a Secret.
fn secrets_policy() -> Value {
    let source = r#"package e2e.secrets

deny contains {"msg": "the Secret has no owner", "code": "SECRETS.NO_OWNER", "found": input.request.object.data} if {
  count(input.request.object.data) > 0
  not input.request.object.metadata.labels.owner
}
"#;
    json!({
        "apiVersion": "portcullis.dev/v1alpha1",
        "kind": "ClusterPolicy",
        "metadata": {"name": "secrets"},
        "spec": {
            "group": "e2e",
            "name": "secrets",
            "version": "1.0",
            "modules": {"policy.rego": source},
            "admission": {"match": {"resourceRules": [{
                "apiGroups": [""],
                "apiVersions": ["v1"],
                "resources": ["secrets"],
                "operations": ["CREATE"],
            }]}},
        },
    })
}

/// A user who may reach the replicas and, as a reader, read decisions of the test's namespace.
async fn user(stage: &Stage, name: &str, reads: bool) -> Result<User> {
    let token = accounts::token(stage, name, &[]).await?;
    accounts::may_reach_replicas(stage, name).await?;
    if reads {
        let roles = ["portcullis-decisions-reader"];
        stage.may_here(&accounts::user(stage, name), &roles).await?;
    }
    User::with_token(stage.cluster(), &token)
}
