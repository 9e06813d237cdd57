//! A result that one replica keeps is had of each of them.

use anyhow::{Context, Result, ensure};
use portcullis_e2e::{
    MINUTE, Stage, installation, on_stage,
    replicas::{self, Component},
    toolbox::{Ask, Toolbox},
    until,
};
use serde_json::{Value, json};

/// What a client of the TSA policy service asks for a document of its own.
const ID: &str = "did:web:example.com";

#[tokio::test]
async fn a_result_is_had_of_every_replica_and_the_newest_one_counts() -> Result<()> {
    on_stage(async |stage| {
        let addresses = addresses(stage).await?;
        ensure!(addresses.len() > 1, "there is one replica alone");
        let toolbox = Toolbox::start(stage, "toolbox").await?;
        stage.apply(&[policy()]).await?;
        for address in &addresses {
            until("each replica evaluates", MINUTE, async || {
                let ask = evaluation(&json!(0)).at(address);
                toolbox.ask(&ask).await?.json(200)
            })
            .await?;
        }
        // Each replica makes it anew, in turn.
        for (number, keeper) in addresses.iter().enumerate() {
            let input = json!({"number": number});
            let keep = evaluation(&input)
                .with("x-evaluation-id", ID)
                .with("x-cache-ttl", "600")
                .at(keeper);
            let made = toolbox.ask(&keep).await?.json(200)?;
            ensure!(made["echo"] == input, "{made}");
            for address in &addresses {
                // The DNS remembers for a moment who was there.
                until("a replica tells what was made last", MINUTE, async || {
                    let found = toolbox.ask(&result(ID).at(address)).await?.json(200)?;
                    ensure!(
                        found == made,
                        "{address} tells {found}, and {keeper} made {made}"
                    );
                    Ok(())
                })
                .await?;
            }
        }
        for address in &addresses {
            until("a replica tells that there is none", MINUTE, async || {
                let nothing = toolbox.ask(&result("nobody").at(address)).await?;
                let problem = nothing.json(404)?;
                ensure!(problem["code"] == "RESULT.NOT_FOUND", "{problem}");
                Ok(())
            })
            .await?;
            let anonymous = toolbox.ask(&result(ID).at(address).anonymously()).await?;
            ensure!(anonymous.status == 401, "{anonymous:?}");
        }
        Ok(())
    })
    .await
}

/// Where the replicas are.
async fn addresses(stage: &Stage) -> Result<Vec<String>> {
    let pods = replicas::pods(stage.cluster(), Component::Webhook).await?;
    let address = |pod: k8s_openapi::api::core::v1::Pod| pod.status?.pod_ip;
    let addresses: Option<Vec<_>> = pods.into_iter().map(address).collect();
    addresses.context("a Pod of the webhook has no address")
}

fn policy() -> Value {
    json!({
        "apiVersion": "portcullis.dev/v1alpha1",
        "kind": "ClusterPolicy",
        "metadata": {"name": "echo-1.0"},
        "spec": {
            "group": "tests", "name": "echo", "version": "1.0",
            "modules": {"policy.rego": "package tests.echo\n\nallow := true\n\necho := input\n"},
        },
    })
}

fn evaluation(input: &Value) -> Ask {
    Ask::post(&url("/policy/tests/echo/1.0/evaluation"), input).over_tls()
}

fn result(id: &str) -> Ask {
    Ask::get(&url(&format!("/v1/results/{id}"))).over_tls()
}

fn url(path: &str) -> String {
    format!("https://{}:8181{path}", installation::SERVICE)
}
