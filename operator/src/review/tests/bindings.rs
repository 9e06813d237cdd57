//! Bindings, when somebody applies them.

use super::*;

/// A ClusterPolicyBinding of `a/held@1`, with other fields of its spec.
pub(super) fn binding(fields: &Json) -> Json {
    let mut object = json!({
        "apiVersion": "portcullis.dev/v1alpha1",
        "kind": "ClusterPolicyBinding",
        "metadata": {"name": "prod"},
        "spec": {
            "policy": {"group": "a", "name": "held", "version": "1"},
            "match": {"resourceRules": [{
                "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"],
                "operations": ["CREATE"],
            }]},
        },
    });
    for (field, value) in fields.as_object().unwrap() {
        object["spec"][field] = value.clone();
    }
    object
}

/// What is wrong with a binding by itself refuses it; what is missing elsewhere is a warning.
#[rstest]
#[case::sound(json!({}), None, None)]
#[case::condition(json!({"match": {"resourceRules": [], "matchConditions": [{"name": "a", "expression": "1 +"}]}}),
    Some("condition_invalid"), None)]
#[case::source(json!({"parametersFrom": {}}), Some("by `name` or by `selector`"), None)]
#[case::secret(json!({"parametersFrom": {"kind": "Secret", "name": "a"}}), Some("what a Secret holds"), None)]
#[case::field(json!({"parameterForm": {}}), Some("parameterForm"), None)]
#[case::no_policy(json!({"policy": {"group": "a", "name": "none", "version": "1"}}), None,
    Some("ClusterPolicyBinding prod denies what it selects, because there is no policy a/none@1: apply the policy, or remove the binding"))]
#[case::broken_policy(json!({"policy": {"group": "a", "name": "broken", "version": "1"}}), None,
    Some("because the policy is broken"))]
#[case::parameters(json!({"policy": {"group": "a", "name": "limits", "version": "1"}, "parameters": {"limit": "x"}}),
    Some("`parameters/limit`"), None)]
#[case::parameters_elsewhere(json!({
    "policy": {"group": "a", "name": "limits", "version": "1"}, "parametersFrom": {"name": "limits"},
}), None, None)]
fn a_binding_is_judged_by_itself(
    #[case] fields: Json,
    #[case] refusal: Option<&str>,
    #[case] warning: Option<&str>,
) {
    let rego = |name: &str, rule: &str| json!({"p.rego": format!("package a.{name}\n{rule}")});
    let reviewer = cluster(&[
        policy(
            "held",
            &json!({"name": "held", "modules": rego("held", "allow := true")}),
        ),
        policy(
            "broken",
            &json!({"name": "broken", "modules": rego("broken", "allow if {")}),
        ),
        policy(
            "limits",
            &json!({
                "name": "limits", "modules": rego("limits", "allow := true"),
                "parametersSchema": {"required": ["limit"], "properties": {"limit": {"type": "integer"}}},
            }),
        ),
    ]);
    let answer = review_within(&reviewer, &binding(&fields), None);
    let text = answer.refusal.as_deref();
    assert_eq!(text.is_some(), refusal.is_some(), "{answer:?}");
    assert!(
        refusal.is_none_or(|part| text.is_some_and(|text| text.contains(part))),
        "{answer:?}"
    );
    let first = answer.warnings.first();
    assert_eq!(first.is_some(), warning.is_some(), "{answer:?}");
    assert!(
        warning.is_none_or(|part| first.is_some_and(|text| text.contains(part))),
        "{answer:?}"
    );
}
