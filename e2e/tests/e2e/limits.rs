//! A policy that uses up its limits again and again rests, and says so.

use anyhow::{Context, Result, ensure};
use futures::future::try_join_all;
use kube::Api;
use portcullis_crds::{ClusterPolicy, ConditionType};
use portcullis_e2e::{
    MINUTE, Stage, installation, on_stage,
    stage::holds,
    toolbox::{Ask, Toolbox},
    until,
};
use serde_json::{Value, json};

const NAME: &str = "endless-1.0";

/// As many at a time as make every replica see some of them.
const AT_ONCE: usize = 10;

/// Farther than anybody comes in its time.
const ENDLESS: u64 = 1_000_000;

/// Looks at every number there is, unless it is told how far to go.
const REGO: &str = "package tests.endless
found := [n | some n in numbers.range(1, 100); some m in numbers.range(1, input.far); m == n]
";

#[tokio::test]
async fn a_policy_that_uses_up_its_limits_rests_until_it_is_better() -> Result<()> {
    on_stage(async |stage| {
        let toolbox = Toolbox::start(stage, "toolbox").await?;
        stage.apply(&[policy()]).await?;
        stage.await_cluster_policy(NAME).await?;
        ask(&toolbox, 1, 200).await?;

        until("the policy rests", MINUTE, async || {
            ask(&toolbox, ENDLESS, 504).await?;
            is_healthy(stage, false).await
        })
        .await?;
        an_event_tells(stage).await?;
        // It is not evaluated, so what would be quick is answered in the same way.
        until("nothing is evaluated", MINUTE, async || {
            ask(&toolbox, ENDLESS, 504).await?;
            let problem = toolbox.ask(&request(1)).await?.json(504)?;
            ensure!(problem["code"] == "POLICY.TIMEOUT", "{problem}");
            Ok(())
        })
        .await?;

        // A rest takes a minute at most, and each replica has to be asked after its own.
        until(
            "every replica tries the policy again",
            3 * MINUTE,
            async || {
                ask(&toolbox, 1, 200).await?;
                is_healthy(stage, true).await
            },
        )
        .await
    })
    .await
}

async fn is_healthy(stage: &Stage, expected: bool) -> Result<()> {
    let policies: Api<ClusterPolicy> = Api::all(stage.client());
    let status = policies.get(NAME).await?.status.context("no status")?;
    let healthy = holds(&status, ConditionType::Healthy);
    ensure!(healthy == Some(expected), "{:?}", status.conditions);
    Ok(())
}

fn policy() -> Value {
    json!({
        "apiVersion": "portcullis.dev/v1alpha1",
        "kind": "ClusterPolicy",
        "metadata": {"name": NAME},
        "spec": {
            "group": "tests", "name": "endless", "version": "1.0",
            "limits": {"timeout": "20ms", "memory": "256Mi"},
            "modules": {"policy.rego": REGO},
        },
    })
}

fn request(far: u64) -> Ask {
    let url = format!(
        "https://{}:8181/policy/tests/endless/1.0/evaluation",
        installation::SERVICE
    );
    Ask::post(&url, &json!({"far": far})).over_tls()
}

/// Asks several times at once. All are answered so.
async fn ask(toolbox: &Toolbox<'_>, far: u64, status: u16) -> Result<()> {
    let request = request(far);
    let asked = (0..AT_ONCE).map(|_| toolbox.ask(&request));
    for answer in try_join_all(asked).await? {
        ensure!(answer.status == status, "{answer:?}");
    }
    Ok(())
}

async fn an_event_tells(stage: &Stage) -> Result<()> {
    until("an Event tells that the policy rests", MINUTE, async || {
        let get = ["get", "events.events.k8s.io", "-A", "-o", "json"];
        let events: Value = stage.cluster().kubectl(&get).await?.succeeded()?.json()?;
        let events = events["items"].as_array().context("no list")?;
        let told = events.iter().any(|event| {
            event["reason"] == "LimitsExhausted"
                && event["regarding"]["name"] == NAME
                && event["type"] == "Warning"
        });
        ensure!(told, "{} events, none of them about it", events.len());
        Ok(())
    })
    .await
}
