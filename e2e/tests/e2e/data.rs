//! Data that the leading operator fetches of a server, for all replicas.

use anyhow::{Context as _, Result, ensure};
use portcullis_crds::ConditionType;
use portcullis_e2e::{
    MINUTE, Stage, accounts, installation, on_stage, samples, sidecar,
    toolbox::{Ask, Toolbox},
    until,
};
use serde_json::{Value, json};

/// The server's Pod and its Service, in the namespace `default`: its host is named in the chart's values.
const SERVER: &str = "e2e-roles";

/// The policy that takes what it answers.
const EVALUATION: &str = "/policy/tests/fetched/1.0/evaluation";

/// The folder that it serves.
const FOLDER: &str = "/dev/shm";

/// Evaluations after which each of the replicas has been asked.
const ENOUGH: usize = 10;

#[tokio::test]
async fn what_a_server_answers_is_fetched_for_all_and_the_last_good_answer_stays() -> Result<()> {
    on_stage(async |stage| {
        let toolbox = Toolbox::start(stage, "toolbox").await?;
        put_away(stage).await?;
        stage.apply(&[policy()]).await?;
        // Nobody is there to answer.
        until("the policy is broken and says why", MINUTE, async || {
            let problem = ask(&toolbox).await?;
            ensure!(problem.0 == 500, "{problem:?}");
            let detail = problem.1["detail"].as_str().unwrap_or_default();
            ensure!(detail.contains("which was never fetched"), "{problem:?}");
            Ok(())
        })
        .await?;

        stage.apply(&[server(), service()]).await?;
        await_server(stage).await?;
        say(stage, r#"["admin"]"#).await?;
        await_answer(&toolbox, &json!({"roles": ["admin"]})).await?;
        let refreshed = ConditionType::DataRefreshed;
        stage
            .await_cluster_policy_is("tests-fetched", refreshed, true, "Refreshed")
            .await?;
        let listed = stage.cluster().kubectl(&["get", "ptdoc"]).await?;
        let listed = listed.succeeded()?.stdout;
        ensure!(listed.contains(installation::DATA_HOST), "{listed}");
        ensure!(!listed.contains("token"), "a query may be secret: {listed}");

        say(stage, r#"{"viewer": true}"#).await?;
        await_answer(&toolbox, &json!({"roles": {"viewer": true}})).await?;
        await_sidecar(stage).await?;

        stage.delete(&[server()]).await?;
        let status = stage
            .await_cluster_policy_is("tests-fetched", refreshed, false, "RefreshFailed")
            .await?;
        let said = status.conditions.iter();
        let mut said = said.filter(|condition| condition.type_ == "DataRefreshed");
        let message = &said.next().context("it was just there")?.message;
        ensure!(message.contains("and stays so"), "{message}");
        await_answer(&toolbox, &json!({"roles": {"viewer": true}})).await?;

        // What nobody wants is deleted ten minutes later, which is too long for a test.
        stage.delete(&[policy()]).await?;
        put_away(stage).await
    })
    .await
}

#[tokio::test]
async fn nothing_is_fetched_for_policies_of_namespaces_unless_the_administrator_allows_it()
-> Result<()> {
    on_stage(async |stage| {
        let mut own = policy();
        own["kind"] = json!("Policy");
        own["metadata"]["namespace"] = json!(stage.namespace());
        let ran = stage.try_apply(&[own]).await?;
        ensure!(!ran.status.success(), "it was accepted");
        ensure!(
            ran.stderr
                .contains("nothing fetched for policies of a namespace"),
            "{}",
            ran.stderr
        );
        Ok(())
    })
    .await
}

fn policy() -> Value {
    let url = format!("http://{}/roles.json?token=x", installation::DATA_HOST);
    json!({
        "apiVersion": "portcullis.dev/v1alpha1",
        "kind": "ClusterPolicy",
        "metadata": {"name": "tests-fetched"},
        "spec": {
            "group": "tests",
            "name": "fetched",
            "version": "1.0",
            "modules": {"policy.rego": "package tests.fetched\n\nroles := data.roles\n"},
            "dataFrom": [{"path": "roles", "http": {"url": url, "period": "30s", "timeout": "5s"}}],
        },
    })
}

/// A sidecar that follows the cluster has what was fetched once it may read it.
async fn await_sidecar(stage: &Stage) -> Result<()> {
    let arguments = ["sidecar", "--allow-hosts", installation::DATA_HOST];
    let workload = sidecar::start(stage, "workload", &arguments, None).await?;
    let ask = Ask::get(&format!("http://127.0.0.1:8181{EVALUATION}"));
    until(
        "the sidecar says what it may not read",
        MINUTE,
        async || {
            let problem = workload.ask(&ask).await?.json(500)?;
            let detail = problem["detail"].as_str().unwrap_or_default();
            ensure!(detail.contains("fetcheddocuments"), "{problem}");
            Ok(())
        },
    )
    .await?;
    let workloads = accounts::user(stage, "workload");
    stage.may(&workloads, &["portcullis-sidecar-data"]).await?;
    until("the sidecar has what was fetched", MINUTE, async || {
        let result = workload.ask(&ask).await?.json(200)?;
        ensure!(result == json!({"roles": {"viewer": true}}), "{result}");
        Ok(())
    })
    .await
}

/// Deletes what is in no namespace of the test, also of one that was killed before.
async fn put_away(stage: &Stage) -> Result<()> {
    let server = ["pod,service", SERVER, "--namespace=default"];
    let documents = ["fetcheddocuments.portcullis.dev", "--all"];
    for what in [&server[..], &documents] {
        let delete = [&["delete", "--ignore-not-found"], what].concat();
        stage.cluster().kubectl(&delete).await?.succeeded()?;
    }
    Ok(())
}

/// busybox serves a folder that can be written.
fn server() -> Value {
    let mut pod = samples::good(SERVER);
    pod["metadata"]["namespace"] = json!("default");
    pod["metadata"]["labels"] = json!({"app": SERVER});
    pod["spec"]["containers"][0]["args"] = json!(["httpd", "-f", "-p", "8080", "-h", FOLDER]);
    pod
}

fn service() -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": SERVER, "namespace": "default"},
        "spec": {"selector": {"app": SERVER}, "ports": [{"port": 8080}]},
    })
}

async fn await_server(stage: &Stage) -> Result<()> {
    let pod = format!("pod/{SERVER}");
    let wait = [
        "wait",
        "--namespace",
        "default",
        "--for=condition=Ready",
        "--timeout=60s",
        &pod,
    ];
    stage.cluster().kubectl(&wait).await?.succeeded()?;
    Ok(())
}

/// Has the server answer this from now on.
async fn say(stage: &Stage, document: &str) -> Result<()> {
    let write = format!("printf %s '{document}' > {FOLDER}/roles.json");
    let command = [
        "exec",
        "--namespace",
        "default",
        SERVER,
        "--",
        "sh",
        "-c",
        &write,
    ];
    stage.cluster().kubectl(&command).await?.succeeded()?;
    Ok(())
}

/// Waits until each replica answers so: within the period, and while the server was away within it too.
async fn await_answer(toolbox: &Toolbox<'_>, expected: &Value) -> Result<()> {
    until(
        "each replica has what was fetched",
        2 * MINUTE,
        async || {
            for _ in 0..ENOUGH {
                let answer = ask(toolbox).await?;
                ensure!(answer.0 == 200 && answer.1 == *expected, "{answer:?}");
            }
            Ok(())
        },
    )
    .await
}

async fn ask(toolbox: &Toolbox<'_>) -> Result<(u16, Value)> {
    let service = installation::SERVICE;
    let url = format!("https://{service}:8181{EVALUATION}");
    let answer = toolbox.ask(&Ask::post(&url, &json!({})).over_tls()).await?;
    let body = serde_json::from_str(&answer.body).unwrap_or(Value::Null);
    Ok((answer.status, body))
}
