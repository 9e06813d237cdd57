//! A Lock refuses what its policies would have judged, for as long as it exists and no longer.

use anyhow::{Context, Result, ensure};
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use portcullis_crds::{ClusterLock, ClusterLockSpec, LockSpec, PolicyReference};
use portcullis_e2e::{
    Admission, MINUTE, accounts, installation, manifests, on_stage,
    plugin::User,
    replicas::{self, Component},
    samples,
    toolbox::{Answer, Ask, Toolbox},
    until,
};
use serde_json::{Value, json};

/// The address of `docs/examples/first-policy.yaml`, as paths have it.
const POLICY: &str = "/policy/platform/required_labels/1.0";

/// The same, as command lines have it.
const ADDRESS: &str = "platform/required_labels@1.0";

/// How long the lock that expires holds: longer than it takes to see it hold.
const SOON: SignedDuration = SignedDuration::from_secs(15);

#[tokio::test]
async fn a_lock_refuses_admissions_and_evaluations_until_it_is_deleted() -> Result<()> {
    on_stage(async |stage| {
        let toolbox = Toolbox::start(stage, "toolbox").await?;
        stage.first_policy().await?;
        stage.await_allowed(&labelled()).await?;
        evaluates(&toolbox).await?;

        let lock = manifests::read("docs/examples/first-lock.yaml")?;
        stage.apply(&lock).await?;
        let words = [
            "POLICY.LOCKED",
            "the labels are being renamed, ask the platform team",
        ];
        stage.await_refused(&labelled(), &words).await?;
        until("evaluations are refused", MINUTE, async || {
            let problem = evaluate(&toolbox).await?.json(403)?;
            ensure!(problem["code"] == "POLICY.LOCKED", "{problem}");
            Ok(())
        })
        .await?;
        stage
            .await_cluster_lock("required-labels-under-repair", true, "Holds")
            .await?;
        let locked = portcullis_crds::ConditionType::Locked;
        stage
            .await_cluster_policy_is("required-labels-1.0", locked, true, "Refused")
            .await?;

        stage.delete(&lock).await?;
        stage.await_allowed(&labelled()).await?;
        until("evaluations are answered", MINUTE, async || {
            evaluates(&toolbox).await
        })
        .await
    })
    .await
}

#[tokio::test]
async fn a_lock_that_expired_has_no_effect() -> Result<()> {
    on_stage(async |stage| {
        stage.first_policy().await?;
        let until_then = Timestamp::now().checked_add(SOON)?.to_string();
        let reference = PolicyReference::group("platform").name("required_labels");
        let lock = LockSpec::policy(reference, "for a moment").until(&until_then);
        let spec = ClusterLockSpec {
            lock,
            namespace_selector: None,
        };
        stage
            .apply(&[manifests::object(&ClusterLock::new("for-a-moment", spec))?])
            .await?;
        stage
            .await_refused(&labelled(), &["POLICY.LOCKED", "for a moment"])
            .await?;

        stage.await_allowed(&labelled()).await?;
        stage
            .await_cluster_lock("for-a-moment", false, "Expired")
            .await
    })
    .await
}

#[tokio::test]
async fn restarting_everything_loses_no_lock() -> Result<()> {
    on_stage(async |stage| {
        stage.first_policy().await?;
        let lock = manifests::read("docs/examples/first-lock.yaml")?;
        stage.apply(&lock).await?;
        stage.await_refused(&labelled(), &["POLICY.LOCKED"]).await?;

        // All at once: no replica is left that could remember it.
        for component in [Component::Operator, Component::Webhook] {
            let selector = format!(
                "--selector=app.kubernetes.io/component={}",
                component.name()
            );
            let pods = ["delete", "pods", "-n", installation::NAMESPACE, &selector];
            stage.cluster().kubectl(&pods).await?.succeeded()?;
        }
        // Nobody answers at first, and that is a refusal, too.
        let mut wrongly_allowed = false;
        until("a new replica refuses", MINUTE, async || {
            let admission = stage.ask(&labelled()).await;
            wrongly_allowed |= admission == Admission::Allowed;
            admission.refused_with(&["POLICY.LOCKED"])
        })
        .await?;
        ensure!(
            !wrongly_allowed,
            "a Pod was let in before the lock was known again"
        );
        replicas::all_ready(stage.cluster()).await?;
        stage
            .ask(&labelled())
            .await
            .refused_with(&["POLICY.LOCKED"])?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn locks_over_http_are_made_with_the_callers_rights() -> Result<()> {
    on_stage(async |stage| {
        let toolbox = Toolbox::start(stage, "toolbox").await?;
        stage.first_policy().await?;
        let stranger = accounts::token(stage, "stranger", &[]).await?;
        let keeper = accounts::token(stage, "keeper", &["portcullis-policy-admin"]).await?;
        let lock = Ask::post(&url("/lock"), &json!({"reason": "by hand"})).over_tls();
        let unlock = Ask::delete(&url("/lock")).over_tls();

        let cases = [
            ("nobody locks", lock.clone().anonymously(), 401),
            ("nobody unlocks", unlock.clone().anonymously(), 401),
            ("a stranger locks", lock.clone().with_token(&stranger), 403),
            (
                "no token at all locks",
                lock.clone().with_token("no-token"),
                401,
            ),
        ];
        for (case, ask, status) in cases {
            let answer = toolbox.ask(&ask).await?;
            ensure!(answer.status == status, "{case}: not {status}: {answer:?}");
        }
        evaluates(&toolbox)
            .await
            .context("a refused lock locks nothing")?;

        let answer = toolbox.ask(&lock.clone().with_token(&keeper)).await?;
        ensure!(answer.status == 200, "the keeper locks: {answer:?}");
        let locks = stage
            .cluster()
            .kubectl(&["get", "clusterlocks", "-o", "json"])
            .await?;
        let locks: Value = locks.succeeded()?.json()?;
        let spec = &locks["items"][0]["spec"];
        ensure!(spec["points"] == json!(["evaluation"]), "{locks}");
        ensure!(spec["reason"] == "by hand", "{locks}");
        until("evaluations are refused", MINUTE, async || {
            let problem = evaluate(&toolbox).await?.json(403)?;
            ensure!(problem["code"] == "POLICY.LOCKED", "{problem}");
            Ok(())
        })
        .await?;
        // Such a lock is none for admission.
        stage.ask(&labelled()).await.allowed()?;

        let answer = toolbox.ask(&unlock.with_token(&keeper)).await?;
        ensure!(answer.status == 200, "the keeper unlocks: {answer:?}");
        until("evaluations are answered", MINUTE, async || {
            evaluates(&toolbox).await
        })
        .await
    })
    .await
}

#[tokio::test]
async fn locks_from_a_command_line_are_those_of_the_endpoints() -> Result<()> {
    on_stage(async |stage| {
        let toolbox = Toolbox::start(stage, "toolbox").await?;
        stage.first_policy().await?;
        let token = accounts::token(stage, "keeper", &["portcullis-policy-admin"]).await?;
        let keeper = User::with_token(stage.cluster(), &token)?;
        let stranger = accounts::token(stage, "stranger", &[]).await?;
        let stranger = User::with_token(stage.cluster(), &stranger)?;
        let lock = ["lock", ADDRESS, "--reason", "by hand", "--for", "1h"];

        let refused = stranger.portcullis(&lock).await?;
        ensure!(refused.status.code() == Some(1), "{}", refused.account());
        refused.failed_with(&["REQUEST.FORBIDDEN"])?;
        evaluates(&toolbox)
            .await
            .context("a refused lock locks nothing")?;

        // The API server hears of new roles a moment later.
        until("the keeper may lock", MINUTE, async || {
            keeper.portcullis(&lock).await?.succeeded()
        })
        .await?;
        until("evaluations are refused", MINUTE, async || {
            let problem = evaluate(&toolbox).await?.json(403)?;
            ensure!(problem["code"] == "POLICY.LOCKED", "{problem}");
            Ok(())
        })
        .await?;
        stage.ask(&labelled()).await.allowed()?;
        let again = keeper.portcullis(&lock).await?;
        again.failed_with(&["POLICY.LOCKED: policy is already locked"])?;

        let listed = [
            "list",
            "--locked",
            "--name",
            "required_labels",
            "-o",
            "json",
        ];
        let listed: Value = keeper.portcullis(&listed).await?.succeeded()?.json()?;
        let policy = &listed["policies"][0];
        ensure!(policy["policy"] == ADDRESS, "{listed}");
        ensure!(policy["ready"] == true, "{listed}");
        let held = &policy["locks"][0];
        let name = "ClusterLock http-platform.required-labels.1.0";
        ensure!(held["name"] == name, "{listed}");
        ensure!(held["at"] == json!(["evaluation"]), "{listed}");
        ensure!(held["reason"] == "by hand", "{listed}");

        let unlock = ["unlock", ADDRESS];
        keeper.portcullis(&unlock).await?.succeeded()?;
        until("evaluations are answered", MINUTE, async || {
            evaluates(&toolbox).await
        })
        .await?;
        let again = keeper.portcullis(&unlock).await?;
        again.failed_with(&["POLICY.UNLOCKED: policy is unlocked"])?;

        let lock = manifests::read("docs/examples/first-lock.yaml")?;
        stage.apply(&lock).await?;
        let held = keeper.portcullis(&unlock).await?;
        held.failed_with(&["held by ClusterLock required-labels-under-repair"])?;
        Ok(())
    })
    .await
}

fn labelled() -> Value {
    samples::with_label(samples::good("labelled"), "team")
}

fn url(path: &str) -> String {
    format!("https://{}:8181{POLICY}{path}", installation::SERVICE)
}

async fn evaluate(toolbox: &Toolbox<'_>) -> Result<Answer> {
    let body = json!({"request": {"object": samples::good("unlabelled")}});
    toolbox
        .ask(&Ask::post(&url("/evaluation"), &body).over_tls())
        .await
}

async fn evaluates(toolbox: &Toolbox<'_>) -> Result<()> {
    let result = evaluate(toolbox).await?.json(200)?;
    ensure!(result["deny"][0]["code"] == "LABELS.MISSING", "{result}");
    Ok(())
}
