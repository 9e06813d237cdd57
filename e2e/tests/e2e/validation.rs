//! Results that break their schema, and data that others maintain.

use anyhow::{Result, ensure};
use kube::Api;
use portcullis_crds::ClusterLock;
use portcullis_e2e::{
    MINUTE, Stage, accounts, installation, on_stage,
    toolbox::{Answer, Ask, Toolbox},
    until,
};
use serde_json::{Value, json};

const SCHEMA: &str = "/policy/tests/schema/1.0";
const DATA: &str = "/policy/tests/data/1.0";

#[tokio::test]
async fn a_result_that_breaks_its_schema_locks_the_policy_everywhere() -> Result<()> {
    on_stage(async |stage| {
        let toolbox = Toolbox::start(stage, "toolbox").await?;
        stage
            .apply(&[policy(
                "schema",
                "did := input.did",
                &json!({
                    "outputSchema": {"required": ["did"], "properties": {"did": {"type": "string"}}},
                    "lockOnFailure": true,
                }),
            )])
            .await?;
        stage.await_cluster_policy("tests-schema").await?;
        let good = json!({"did": "did:web:example.com"});
        let validation = format!("{SCHEMA}/validation");
        until("results are validated", MINUTE, async || {
            ask(&toolbox, &validation, &good).await?.json(200).map(drop)
        })
        .await?;

        let problem = ask(&toolbox, &validation, &json!({"did": 5})).await?.json(500)?;
        ensure!(problem["code"] == "POLICY.OUTPUT_INVALID", "{problem}");
        ensure!(problem["breaches"][0]["path"] == "/did", "{problem}");

        let locks: Api<ClusterLock> = Api::all(stage.cluster().client());
        until("the operator makes a lock", MINUTE, async || {
            let lock = locks.get("http-tests.schema.1.0").await?;
            ensure!(lock.spec.lock.reason == "OutputSchemaViolation", "{lock:?}");
            Ok(())
        })
        .await?;
        let evaluation = format!("{SCHEMA}/evaluation");
        until("each replica refuses", MINUTE, async || {
            for _ in 0..10 {
                let problem = ask(&toolbox, &evaluation, &good).await?.json(403)?;
                ensure!(problem["code"] == "POLICY.LOCKED", "{problem}");
                let detail = problem["detail"].as_str().unwrap_or_default();
                ensure!(detail.contains("ClusterLock http-tests.schema.1.0"), "{problem}");
            }
            Ok(())
        })
        .await?;

        // Whoever removes the lock has removed all of it.
        let roles = ["portcullis-policy-admin", "portcullis-evaluator"];
        let keeper = accounts::token(stage, "keeper", &roles).await?;
        let unlock = Ask::delete(&url(&format!("{SCHEMA}/lock"))).with_token(&keeper);
        toolbox.ask(&unlock.over_tls()).await?.json(200)?;
        until("evaluations are answered", MINUTE, async || {
            for _ in 0..10 {
                ask(&toolbox, &evaluation, &good).await?.json(200)?;
            }
            Ok(())
        })
        .await
    })
    .await
}

#[tokio::test]
async fn data_is_followed_in_config_maps_and_in_secrets_that_the_chart_names() -> Result<()> {
    on_stage(async |stage| {
        let toolbox = Toolbox::start(stage, "toolbox").await?;
        let named = json!({"namespace": "default", "name": installation::DATA_SECRET, "key": "it"});
        let other = json!({"namespace": stage.namespace(), "name": "other", "key": "it"});
        let sources = |secret: &Value| {
            json!({"dataFrom": [
                {"path": "roles", "configMap": {"namespace": stage.namespace(), "name": "roles", "key": "it"}},
                {"path": "secrets", "secret": secret},
            ]})
        };
        let rules = "roles := data.roles\nsecret := data.secrets.word";
        stage
            .apply(&[
                config_map(stage, "[admin]"),
                secret("default", installation::DATA_SECRET, "{\"word\": \"sesame\"}"),
                secret(stage.namespace(), "other", "{\"word\": \"mellon\"}"),
                policy("data", rules, &sources(&named)),
            ])
            .await?;
        let evaluation = format!("{DATA}/evaluation");
        let answers = async |expected: Value| {
            until("data is what it is now", MINUTE, async || {
                let result = ask(&toolbox, &evaluation, &json!({})).await?.json(200)?;
                ensure!(result == expected, "{result}");
                Ok(())
            })
            .await
        };
        answers(json!({"roles": ["admin"], "secret": "sesame"})).await?;
        stage.apply(&[config_map(stage, "{viewer: true}")]).await?;
        answers(json!({"roles": {"viewer": true}, "secret": "sesame"})).await?;

        let refuses = async |says: &str| {
            until("the policy is broken", MINUTE, async || {
                let problem = ask(&toolbox, &evaluation, &json!({})).await?.json(500)?;
                let detail = problem["detail"].as_str().unwrap_or_default();
                ensure!(problem["code"] == "POLICY.COMPILE_FAILED", "{problem}");
                ensure!(detail.contains(says), "{problem}");
                Ok(())
            })
            .await
        };
        stage.apply(&[policy("data", rules, &sources(&other))]).await?;
        refuses("cannot be read").await?;
        stage.apply(&[policy("data", rules, &sources(&named))]).await?;
        answers(json!({"roles": {"viewer": true}, "secret": "sesame"})).await?;
        stage.delete(&[config_map(stage, "")]).await?;
        refuses("which is not there").await
    })
    .await
}

fn policy(name: &str, rules: &str, settings: &Value) -> Value {
    let mut policy = json!({
        "apiVersion": "portcullis.dev/v1alpha1",
        "kind": "ClusterPolicy",
        "metadata": {"name": format!("tests-{name}")},
        "spec": {
            "group": "tests",
            "name": name,
            "version": "1.0",
            "modules": {"policy.rego": format!("package tests.{name}\n\n{rules}\n")},
        },
    });
    for (field, value) in settings.as_object().into_iter().flatten() {
        policy["spec"][field] = value.clone();
    }
    policy
}

fn config_map(stage: &Stage, text: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "roles", "namespace": stage.namespace()},
        "data": {"it": text},
    })
}

fn secret(namespace: &str, name: &str, text: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace},
        "stringData": {"it": text},
    })
}

async fn ask(toolbox: &Toolbox<'_>, path: &str, input: &Value) -> Result<Answer> {
    toolbox.ask(&Ask::post(&url(path), input).over_tls()).await
}

fn url(path: &str) -> String {
    format!("https://{}:8181{path}", installation::SERVICE)
}
