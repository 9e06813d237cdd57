//! Break-glass: a lock with the effect `Bypass` takes policies out of force, and making one takes
//! more than the right to make locks.

use anyhow::{Result, ensure};
use portcullis_crds::{
    ClusterLock, ClusterLockSpec, ConditionType, Effect, LockSpec, PolicyReference, PolicySpec,
};
use portcullis_e2e::{manifests, on_stage, samples};
use serde_json::Value;

#[tokio::test]
async fn a_bypass_needs_its_own_right_and_spares_guardrails() -> Result<()> {
    on_stage(async |stage| {
        let pod = samples::good("web");
        stage.enforce(samples::label_policy("team")).await?;
        stage.await_refused(&pod, &["e2e/team@1.0"]).await?;
        stage.may("keeper", &["portcullis-policy-admin"]).await?;
        stage
            .may("chief", &["portcullis-policy-admin", "portcullis-bypass"])
            .await?;

        // A lock that refuses needs no more than the right to make locks.
        let refusing = lock(Effect::Refuse)?;
        stage.apply_as("keeper", &refusing).await?.succeeded()?;
        stage.await_refused(&pod, &["POLICY.LOCKED"]).await?;
        let bypassing = lock(Effect::Bypass)?;
        let words = [
            "needs the verb \"bypass\"",
            "portcullis-bypass",
            "effect: Refuse",
        ];
        stage
            .apply_as("keeper", &bypassing)
            .await?
            .failed_with(&words)?;
        stage.await_refused(&pod, &["POLICY.LOCKED"]).await?;

        stage.apply_as("chief", &bypassing).await?.succeeded()?;
        stage.await_allowed(&pod).await?;
        let locked = ConditionType::Locked;
        stage
            .await_cluster_policy_is("team", locked, true, "Bypassed")
            .await?;

        let guardrail = PolicySpec {
            guardrail: true,
            ..samples::label_policy("guarded")
        };
        stage.enforce(guardrail).await?;
        let message = stage.await_refused(&pod, &["e2e/guarded@1.0"]).await?;
        ensure!(
            !message.contains("e2e/team@1.0"),
            "the bypassed policy judges: {message}"
        );
        Ok(())
    })
    .await
}

fn lock(effect: Effect) -> Result<Value> {
    let lock = LockSpec::policy(PolicyReference::group("e2e"), "incident 4711").effect(effect);
    let spec = ClusterLockSpec {
        lock,
        namespace_selector: None,
    };
    manifests::object(&ClusterLock::new("break-glass", spec))
}
