//! Guardrails: policies that accept no exemption, and of which nobody makes less without the right
//! to.

use std::time::Duration;

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use portcullis_crds::{
    Action, Admission, ClusterExemption, ClusterExemptionSpec, ClusterPolicy, ExemptedPolicy,
    ExemptibleBy, ExemptionSpec, FailurePolicy, Match, MatchCondition, Operation, Policy,
    PolicyReference, PolicySpec, ResourceRule,
};
use portcullis_e2e::{MINUTE, manifests, moments, on_stage, samples, until};
use serde_json::{Value, json};

const DAY: Duration = Duration::from_hours(24);

#[tokio::test]
async fn a_guardrail_accepts_no_exemption() -> Result<()> {
    on_stage(async |stage| {
        let words = ["E2E.MISSING", "e2e/guarded@1.0"];
        let pod = samples::good("web");
        let guardrail = PolicySpec {
            guardrail: true,
            exemptible_by: ExemptibleBy::Namespace,
            ..samples::label_policy("guarded")
        };
        stage.apply(&[object(guardrail)?]).await?;
        stage.await_refused(&pod, &words).await?;
        let policy = ExemptedPolicy::of_cluster(PolicyReference::group("e2e"));
        let spec = ExemptionSpec::of_everything([policy], &moments::from_now(DAY)?);
        let exemption = ClusterExemption::new("legacy", ClusterExemptionSpec::from(spec));
        stage.apply(&[manifests::object(&exemption)?]).await?;
        stage
            .await_cluster_exemption("legacy", false, "Guardrail")
            .await?;
        stage.ask(&pod).await.refused_with(&words)?;
        Ok(())
    })
    .await
}

/// What each change of the spec does to it, and whether that is plainly no less.
#[tokio::test]
async fn a_guardrail_is_made_less_of_with_its_own_right_only() -> Result<()> {
    on_stage(async |stage| {
        let guarded = object(guarded())?;
        stage.apply(std::slice::from_ref(&guarded)).await?;
        stage.await_cluster_policy("guarded").await?;
        stage.may("keeper", &["portcullis-policy-admin"]).await?;
        stage
            .may("chief", &["portcullis-policy-admin", "portcullis-weaken"])
            .await?;
        let needed = [
            "needs the verb \"weaken\" on clusterpolicies.portcullis.dev/guarded",
            "portcullis-weaken",
        ];
        // What is not in force yet would let the first of them pass.
        until("guardrails are kept", MINUTE, async || {
            stage
                .try_as("keeper", "delete", &guarded)
                .await?
                .failed_with(&needed)
        })
        .await?;
        stage
            .try_as("chief", "delete", &guarded)
            .await?
            .succeeded()?;
        for (name, change, is_less) in changes_of_admission().into_iter().chain(other_changes()) {
            let mut spec = self::guarded();
            change(&mut spec);
            let changed = object(spec)?;
            let by_keeper = stage.try_as("keeper", "apply", &changed).await?;
            if is_less {
                by_keeper.failed_with(&needed).context(name)?;
            } else {
                by_keeper.succeeded().context(name)?;
            }
            stage
                .try_as("chief", "apply", &changed)
                .await?
                .succeeded()
                .context(name)?;
        }
        // What is no guardrail is anybody's who may change policies.
        let plain = PolicySpec {
            guardrail: false,
            ..samples::label_policy("plain")
        };
        let plain = object(plain)?;
        stage.apply_as("keeper", &plain).await?.succeeded()?;
        stage
            .try_as("keeper", "delete", &plain)
            .await?
            .succeeded()?;
        Ok(())
    })
    .await
}

/// A namespace that is deleted takes its guardrails along.
#[tokio::test]
async fn a_namespace_goes_with_its_guardrails() -> Result<()> {
    on_stage(async |stage| {
        let there = stage.another_namespace().await?;
        let policy = Policy::in_namespace(&there, "guarded", guarded());
        stage.apply(&[manifests::object(&policy)?]).await?;
        let delete = ["delete", "namespace", &there, "--wait=false"];
        stage.cluster().kubectl(&delete).await?.succeeded()?;
        let namespaces: Api<Namespace> = Api::all(stage.client());
        until("the namespace is gone", MINUTE, async || {
            let found = namespaces.get_opt(&there).await?;
            found.map_or(Ok(()), |found| Err(anyhow::anyhow!("{:?}", found.status)))
        })
        .await
    })
    .await
}

type Change = fn(&mut PolicySpec);

/// Changes of what a policy does at admission, and whether each may make less of it.
fn changes_of_admission() -> Vec<(&'static str, Change, bool)> {
    fn admission(spec: &mut PolicySpec) -> &mut Admission {
        spec.admission.as_mut().expect("it judges Pods")
    }
    fn matches(spec: &mut PolicySpec) -> &mut Match {
        &mut admission(spec).matches
    }
    vec![
        ("no admission", |spec| spec.admission = None, true),
        ("audit", |spec| admission(spec).action = Action::Audit, true),
        (
            "a perimeter",
            |spec| admission(spec).require_allow = true,
            false,
        ),
        ("deny", |spec| admission(spec).action = Action::Deny, false),
        (
            "ignore",
            |spec| admission(spec).failure_policy = FailurePolicy::Ignore,
            true,
        ),
        (
            "a rule more",
            |spec| {
                matches(spec)
                    .resource_rules
                    .push(ResourceRule::of("", "v1", ["services"]));
            },
            false,
        ),
        (
            "another rule",
            |spec| matches(spec).resource_rules[0].operations = vec![Operation::Update],
            true,
        ),
        (
            "an exclusion",
            |spec| {
                matches(spec).exclude_resource_rules.push(ResourceRule {
                    resource_names: vec!["spared".to_owned()],
                    ..ResourceRule::of("", "v1", ["pods"])
                });
            },
            true,
        ),
        (
            "a selector",
            |spec| {
                matches(spec).object_selector.match_labels =
                    Some([("a".to_owned(), "b".to_owned())].into());
            },
            true,
        ),
        (
            "a condition more",
            |spec| matches(spec).match_conditions.push(condition("other")),
            true,
        ),
        (
            "no condition",
            |spec| matches(spec).match_conditions.clear(),
            false,
        ),
    ]
}

/// The same, of the rest of a spec.
fn other_changes() -> Vec<(&'static str, Change, bool)> {
    vec![
        ("no guardrail", |spec| spec.guardrail = false, true),
        (
            "exemptible",
            |spec| spec.exemptible_by = ExemptibleBy::Namespace,
            true,
        ),
        (
            "a later end",
            |spec| spec.not_after = Some("2999-01-01T00:00:00Z".to_owned()),
            false,
        ),
        ("no end", |spec| spec.not_after = None, false),
        (
            "an earlier end",
            |spec| spec.not_after = Some("2900-01-01T00:00:00Z".to_owned()),
            true,
        ),
        (
            "a beginning",
            |spec| spec.not_before = Some("2900-01-01T00:00:00Z".to_owned()),
            true,
        ),
        (
            "another module",
            |spec| {
                let source = "package e2e.guarded\n\nother := 1\n".to_owned();
                spec.modules.insert("other.rego".to_owned(), source);
            },
            true,
        ),
        (
            "a parameter",
            |spec| drop(spec.parameters.insert("limit".to_owned(), json!(1))),
            true,
        ),
        (
            "another limit",
            |spec| "1ms".clone_into(&mut spec.limits.timeout),
            true,
        ),
        ("importable", |spec| spec.importable = true, false),
    ]
}

/// A guardrail that warns, with a condition and an end.
fn guarded() -> PolicySpec {
    let mut spec = PolicySpec {
        guardrail: true,
        not_after: Some("2950-01-01T00:00:00Z".to_owned()),
        ..samples::label_policy("guarded")
    };
    let admission = spec.admission.as_mut().expect("it judges Pods");
    admission.action = Action::Warn;
    admission.matches.match_conditions = vec![condition("not-a-node")];
    spec
}

fn condition(name: &str) -> MatchCondition {
    MatchCondition {
        name: name.to_owned(),
        expression: "!('system:nodes' in request.userInfo.groups)".to_owned(),
    }
}

fn object(spec: PolicySpec) -> Result<Value> {
    let name = spec.name.clone();
    manifests::object(&ClusterPolicy::new(&name, spec.into()))
}
