//! `Warn` warns, `Audit` is silent, each is counted, and neither ever denies.

use anyhow::{Result, ensure};
use portcullis_crds::{
    Action, ClusterLock, ClusterPolicy, LockSpec, Point, PolicyReference, PolicySpec,
};
use portcullis_e2e::{
    MINUTE, Ran, Stage, installation, manifests, on_stage,
    replicas::{self, Component},
    samples, until,
};

#[tokio::test]
async fn warn_warns_and_audit_is_silent_and_both_are_counted() -> Result<()> {
    on_stage(async |stage| {
        enforce(stage, samples::label_policy("warned"), Action::Warn).await?;
        enforce(stage, samples::label_policy("audited"), Action::Audit).await?;
        let ran = both_are_asked(stage, "denied").await?;
        ensure!(
            ran.stderr.contains(
                "Warning: E2E.MISSING: the label warned is missing \
                 [e2e/warned@1.0, rule deny, medium] → set metadata.labels.warned"
            ),
            "{}",
            ran.account()
        );
        ensure!(!ran.stderr.contains("audited"), "{}", ran.account());
        Ok(())
    })
    .await
}

#[tokio::test]
async fn warn_and_audit_do_not_deny_when_their_policy_is_locked() -> Result<()> {
    on_stage(async |stage| {
        enforce(stage, samples::label_policy("warned"), Action::Warn).await?;
        enforce(stage, samples::label_policy("audited"), Action::Audit).await?;
        both_are_asked(stage, "denied").await?;

        let lock = LockSpec::policy(PolicyReference::group("e2e"), "incident 4711");
        let lock = ClusterLock::new("e2e-actions", locked_everywhere(lock));
        stage.apply(&[manifests::object(&lock)?]).await?;
        stage
            .await_cluster_lock("e2e-actions", true, "Holds")
            .await?;
        both_are_asked(stage, "locked")
            .await?
            .said(&["Warning: POLICY.LOCKED", "incident 4711"])?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn warn_and_audit_do_not_deny_when_their_policy_is_broken() -> Result<()> {
    on_stage(async |stage| {
        // What judges our own resources is out of the way, so a policy that does not compile gets in.
        let configuration = [
            "delete",
            "validatingwebhookconfiguration",
            installation::RELEASE,
        ];
        stage.cluster().kubectl(&configuration).await?.succeeded()?;
        let warned = with_action(samples::broken_policy("warned"), Action::Warn);
        let audited = with_action(samples::broken_policy("audited"), Action::Audit);
        until("policies that do not compile get in", MINUTE, async || {
            let policies = [object("warned", &warned)?, object("audited", &audited)?];
            stage.apply(&policies).await
        })
        .await?;
        installation::install(stage.cluster()).await?;

        let ran = both_are_asked(stage, "error").await?;
        ran.said(&["Warning: POLICY.COMPILE_FAILED", "policy.rego:3:"])?;
        for name in ["warned", "audited"] {
            let compiled = portcullis_crds::ConditionType::Compiled;
            stage
                .await_cluster_policy_is(name, compiled, false, "CompileFailed")
                .await?;
        }
        Ok(())
    })
    .await
}

async fn enforce(stage: &Stage, policy: PolicySpec, action: Action) -> Result<()> {
    stage.enforce(with_action(policy, action)).await?;
    Ok(())
}

fn object(name: &str, policy: &PolicySpec) -> Result<serde_json::Value> {
    manifests::object(&ClusterPolicy::new(name, policy.clone().into()))
}

fn with_action(mut policy: PolicySpec, action: Action) -> PolicySpec {
    policy.admission = policy.admission.map(|admission| admission.action(action));
    policy
}

fn locked_everywhere(lock: LockSpec) -> portcullis_crds::ClusterLockSpec {
    portcullis_crds::ClusterLockSpec {
        lock: lock.points([Point::Admission, Point::Evaluation]),
        namespace_selector: None,
    }
}

/// Creates a Pod, which is let in, and has both policies counted once more with this outcome.
async fn both_are_asked(stage: &Stage, outcome: &str) -> Result<Ran> {
    until(
        &format!("both policies are asked, with the outcome {outcome}"),
        MINUTE,
        async || {
            let before = counts(stage, outcome).await?;
            let ran = stage
                .try_create(&[samples::good("web")])
                .await?
                .succeeded()?;
            let after = counts(stage, outcome).await?;
            let more: Vec<f64> = before.iter().zip(&after).map(|(b, a)| a - b).collect();
            ensure!(
                more.iter().all(|more| (*more - 1.0).abs() < 0.5),
                "{more:?}: {}",
                ran.account()
            );
            Ok(ran)
        },
    )
    .await
}

async fn counts(stage: &Stage, outcome: &str) -> Result<Vec<f64>> {
    let mut counts = Vec::new();
    for (name, action) in [("warned", "Warn"), ("audited", "Audit")] {
        let policy = format!("e2e/{name}@1.0");
        let labels = [
            ("point", "admission"),
            ("policy", policy.as_str()),
            ("action", action),
            ("outcome", outcome),
        ];
        let metric = "portcullis_decisions_total";
        counts.push(replicas::count(stage.cluster(), Component::Webhook, metric, &labels).await?);
    }
    Ok(counts)
}
