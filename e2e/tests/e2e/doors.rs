//! One policy, one request, and the same decision at every door.

use anyhow::{Context, Result, ensure};
use portcullis_crds::{ClusterLock, ClusterLockSpec, LockSpec, PolicyReference};
use portcullis_e2e::{
    MINUTE, Stage, installation,
    local::Local,
    manifests, on_stage, samples, sidecar,
    toolbox::{Ask, Toolbox},
    until,
};
use serde_json::{Value, json};

/// The full decision of `docs/examples/memory-limit.yaml` about an `AdmissionReview`.
const DECISION: &str = "/policy/platform/limits/1.2/decision?point=admission";

/// The bare result of the same policy.
const EVALUATION: &str = "/policy/platform/limits/1.2/evaluation";

/// What every sidecar listens on.
const SIDECAR: &str = "http://127.0.0.1:8181";

#[tokio::test]
async fn every_door_gives_the_same_decision() -> Result<()> {
    on_stage(async |stage| {
        let policy = manifests::read(samples::MEMORY_LIMIT)?;
        let review = review(stage, &samples::offending("offending")).await?;
        let toolbox = Toolbox::start(stage, "toolbox").await?;
        let watching = sidecar::start(stage, "watching", &["sidecar"], None).await?;
        stage.apply(&policy).await?;
        stage.await_cluster_policy("limits-1.2").await?;
        let mounted = json!({"policy.yaml": policy[0].to_string()});
        let arguments = [
            "sidecar",
            "--policies",
            "/policies",
            "--locks",
            "/tmp/locks",
        ];
        let mounting = sidecar::start(stage, "mounting", &arguments, Some(&mounted)).await?;
        let local = Local::serve(&policy).await?;

        let service = format!("https://{}:8181{DECISION}", installation::SERVICE);
        let decision = toolbox
            .ask(&Ask::post(&service, &review).over_tls())
            .await?
            .json(200)?;
        ensure!(decision["allowed"] == false, "{decision}");
        ensure!(
            decision["messages"]
                .as_array()
                .is_some_and(|told| told.len() == 1),
            "{decision}"
        );

        let sidecar = Ask::post(&format!("{SIDECAR}{DECISION}"), &review);
        until(
            "the sidecar that watches knows the policy",
            MINUTE,
            async || watching.ask(&sidecar).await?.json(200),
        )
        .await?;
        let others = [
            ("the sidecar that watches", watching.ask(&sidecar).await?),
            (
                "the sidecar that reads a directory",
                mounting.ask(&sidecar).await?,
            ),
            ("`portcullis serve`", local.post(DECISION, &review).await?),
        ];
        for (door, answer) in others {
            let other = answer.json(200)?;
            ensure!(
                other["id"] != decision["id"],
                "{door} repeats an id: {other}"
            );
            ensure!(
                core(&other) == core(&decision),
                "{door}: {other}\nnot: {decision}"
            );
        }
        admission_says_the_same(stage, &toolbox, &review, &decision).await
    })
    .await
}

#[tokio::test]
async fn a_lock_reaches_the_sidecar() -> Result<()> {
    on_stage(async |stage| {
        stage
            .apply(&manifests::read(samples::MEMORY_LIMIT)?)
            .await?;
        stage.await_cluster_policy("limits-1.2").await?;
        let workload = sidecar::start(stage, "watching", &["sidecar"], None).await?;
        let body = json!({"request": {"object": samples::offending("offending")}});
        let ask = Ask::post(&format!("{SIDECAR}{EVALUATION}"), &body);
        until("the sidecar answers", MINUTE, async || {
            workload.ask(&ask).await?.json(200)
        })
        .await?;

        let reference = PolicyReference::group("platform").name("limits");
        let lock = LockSpec::policy(reference, "incident 4711");
        let spec = ClusterLockSpec {
            lock,
            namespace_selector: None,
        };
        let lock = manifests::object(&ClusterLock::new("incident", spec))?;
        stage.apply(std::slice::from_ref(&lock)).await?;
        until("the sidecar refuses", MINUTE, async || {
            let problem = workload.ask(&ask).await?.json(403)?;
            ensure!(problem["code"] == "POLICY.LOCKED", "{problem}");
            let detail = problem["detail"].as_str().unwrap_or_default();
            ensure!(detail.contains("incident 4711"), "{problem}");
            Ok(())
        })
        .await?;

        stage.delete(&[lock]).await?;
        until("the sidecar answers again", MINUTE, async || {
            workload.ask(&ask).await?.json(200)
        })
        .await?;
        Ok(())
    })
    .await
}

/// The API server's door, asked like the others and by the API server, tells the same messages.
async fn admission_says_the_same(
    stage: &Stage,
    toolbox: &Toolbox<'_>,
    review: &Value,
    decision: &Value,
) -> Result<()> {
    let url = format!(
        "https://{}/admission/cluster/fail?timeout=10s",
        installation::SERVICE
    );
    let answer = toolbox
        .ask(&Ask::post(&url, review).over_tls())
        .await?
        .json(200)?;
    let response = &answer["response"];
    ensure!(response["allowed"] == false, "{answer}");
    ensure!(response["uid"] == review["request"]["uid"], "{answer}");
    let told = response["status"]["message"]
        .as_str()
        .context("no message")?;
    ensure!(
        told.starts_with(&text_of(decision)?),
        "{told}\nnot: {decision}"
    );

    let created = stage.try_create(&[samples::offending("offending")]).await?;
    // kubectl indents nothing and cuts nothing.
    created.failed_with(&[&text_of(decision)?])?;
    Ok(())
}

/// A decision without what is each one's own: its name, and how long it took.
fn core(decision: &Value) -> Value {
    let mut core = decision.clone();
    if let Some(members) = core.as_object_mut() {
        members.remove("id");
        members.remove("durationNs");
    }
    core
}

/// A decision's first message, as admission tells it.
fn text_of(decision: &Value) -> Result<String> {
    let message = &decision["messages"][0];
    let part = |name: &str| {
        message[name]
            .as_str()
            .with_context(|| format!("no {name}: {message}"))
    };
    let policy = decision["policy"].as_str().context("no policy")?;
    let path = message["path"].as_str().map(|path| format!(" at {path}"));
    let path = path.unwrap_or_default();
    Ok(format!(
        "{}: {}{path} [{policy}, rule {}, {}] → {}",
        part("code")?,
        part("message")?,
        part("rule")?,
        part("severity")?,
        part("remedy")?
    ))
}

/// The `AdmissionReview` that the API server makes of a Pod.
async fn review(stage: &Stage, pod: &Value) -> Result<Value> {
    // As the API server would store it, defaults and all.
    let object: Value = {
        let input = manifests::labelled(std::slice::from_ref(pod));
        let create = [
            "create",
            "--dry-run=server",
            "-n",
            stage.namespace(),
            "-f",
            "-",
            "-o",
            "json",
        ];
        stage
            .cluster()
            .kubectl_with(&create, Some(&input))
            .await?
            .succeeded()?
            .json()?
    };
    Ok(json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
            "kind": {"group": "", "version": "v1", "kind": "Pod"},
            "resource": {"group": "", "version": "v1", "resource": "pods"},
            "requestKind": {"group": "", "version": "v1", "kind": "Pod"},
            "requestResource": {"group": "", "version": "v1", "resource": "pods"},
            "name": object["metadata"]["name"],
            "namespace": stage.namespace(),
            "operation": "CREATE",
            "userInfo": {"username": "kubernetes-admin", "groups": ["system:masters"]},
            "object": object,
            "oldObject": null,
            "dryRun": true,
            "options": {"apiVersion": "meta.k8s.io/v1", "kind": "CreateOptions"},
        },
    }))
}
