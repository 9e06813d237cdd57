//! A policy leaves the cluster as a signed archive, and comes back with the rights of who imports it.

use anyhow::{Result, ensure};
use kube::ResourceExt as _;
use portcullis_crds::{ClusterPolicy, ClusterPolicySpec, PolicySpec};
use portcullis_e2e::{
    MINUTE, accounts, installation, manifests, on_stage,
    toolbox::{Ask, Toolbox},
    until,
};
use serde_json::{Value, json};

/// The private key, of which the installation trusts the public one. It signs nothing but tests.
const KEY: &str = include_str!("../../exchange/key.pem");

/// A place in every container that can be written.
const FILE: &str = "/dev/shm/archive.zip";

#[tokio::test]
async fn an_archive_is_imported_with_the_callers_rights_and_no_others() -> Result<()> {
    on_stage(async |stage| {
        let toolbox = Toolbox::start(stage, "toolbox").await?;
        let stranger = accounts::token(stage, "stranger", &[]).await?;
        let keeper = accounts::token(stage, "keeper", &["portcullis-policy-admin"]).await?;
        let secret = json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": installation::EXPORT_KEY, "namespace": installation::NAMESPACE},
            "stringData": {"key.pem": KEY},
        });
        stage.apply(&[secret]).await?;
        stage.apply(&[policy("first")?]).await?;
        stage.await_cluster_policy("first").await?;
        // A kubelet brings what was missing to the Pods within two minutes.
        until("the policy is exported", 3 * MINUTE, async || {
            let export = Ask::get(&url("/policy/exchange/allows/1.0/export"));
            let export = export.over_tls().with_token(&keeper).into_file(FILE);
            let answer = toolbox.ask(&export).await?;
            ensure!(answer.status == 200, "{answer:?}");
            Ok(())
        })
        .await?;
        stage.delete(&[policy("first")?]).await?;
        until("the policy is gone", MINUTE, async || {
            let answer = evaluate(&toolbox).await?;
            ensure!(answer.0 == 404, "{answer:?}");
            Ok(())
        })
        .await?;

        let import = Ask::post_file(&url("/v1/policy/import"), FILE).over_tls();
        let nobody = import.clone().with_token("no-token");
        let answer = toolbox.ask(&nobody).await?;
        ensure!(answer.status == 401, "nobody imports: {answer:?}");
        let answer = toolbox.ask(&import.clone().with_token(&stranger)).await?;
        ensure!(answer.status == 403, "a stranger imports: {answer:?}");
        ensure!(
            evaluate(&toolbox).await?.0 == 404,
            "a refused import imports nothing"
        );

        let imported = toolbox.ask(&import.clone().with_token(&keeper)).await?;
        let imported = imported.json(200)?;
        ensure!(imported["action"] == "created", "{imported}");
        until("the policy answers", MINUTE, async || {
            let answer = evaluate(&toolbox).await?;
            ensure!(answer == (200, json!({"allow": true})), "{answer:?}");
            Ok(())
        })
        .await?;
        let name = "imported-exchange.allows.1.0";
        let get = [
            "get",
            "clusterpolicy",
            name,
            "-o",
            "json",
            "--show-managed-fields",
        ];
        let object = stage.cluster().kubectl(&get).await?.succeeded()?.json()?;
        let object: ClusterPolicy = serde_json::from_value(object)?;
        ensure!(
            object
                .annotations()
                .contains_key("portcullis.dev/archive-signer")
        );
        let managers = object.managed_fields().iter();
        let managers: Vec<_> = managers
            .filter_map(|field| field.manager.as_deref())
            .collect();
        ensure!(managers.contains(&"portcullis-import"), "{managers:?}");

        let again = toolbox.ask(&import.with_token(&keeper)).await?.json(200)?;
        ensure!(again["action"] == "unchanged", "{again}");
        stage.delete(&[policy(name)?]).await?;
        Ok(())
    })
    .await
}

/// The operator imports with rights of its own, which nobody borrows who may not make policies.
#[tokio::test]
async fn only_who_may_make_policies_has_them_fetched() -> Result<()> {
    on_stage(async |stage| {
        let import = json!({
            "apiVersion": "portcullis.dev/v1alpha1",
            "kind": "ClusterPolicyImport",
            "metadata": {"name": "allows"},
            "spec": {"url": "https://example.com/export", "interval": "1h"},
        });
        let role = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": {"name": "e2e-importer"},
            "rules": [{
                "apiGroups": ["portcullis.dev"],
                "resources": ["clusterpolicyimports"],
                "verbs": ["get", "create", "patch"],
            }],
        });
        stage.apply(&[role]).await?;
        stage.may("importer", &["e2e-importer"]).await?;
        let words = ["create", "patch", "clusterpolicies.portcullis.dev"];
        until(
            "the importer is refused by what it may not",
            MINUTE,
            async || {
                stage
                    .apply_as("importer", &import)
                    .await?
                    .failed_with(&words)
            },
        )
        .await?;
        let both = ["e2e-importer", "portcullis-policy-admin"];
        stage.may("keeper", &both).await?;
        until("who may make policies may", MINUTE, async || {
            stage
                .apply_as("keeper", &import)
                .await?
                .succeeded()
                .map(drop)
        })
        .await?;
        stage.delete(&[import]).await
    })
    .await
}

fn policy(name: &str) -> Result<Value> {
    let spec = PolicySpec::new("exchange", "allows", "1.0")
        .module("policy.rego", "package exchange.allows\n\nallow := true\n");
    manifests::object(&ClusterPolicy::new(name, ClusterPolicySpec(spec)))
}

fn url(path: &str) -> String {
    format!("https://{}:8181{path}", installation::SERVICE)
}

async fn evaluate(toolbox: &Toolbox<'_>) -> Result<(u16, Value)> {
    let ask = Ask::get(&url("/policy/exchange/allows/1.0/evaluation")).over_tls();
    let answer = toolbox.ask(&ask).await?;
    Ok((answer.status, serde_json::from_str(&answer.body)?))
}
