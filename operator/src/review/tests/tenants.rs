//! What a namespace may have.

use super::{bindings::binding, *};

/// A Policy of the namespace `shop` at `a/<name>@1`, with so many bytes of data.
fn tenants_policy(name: &str, bytes: usize) -> Json {
    let modules = json!({"p.rego": format!("package a.{name}\nallow := true")});
    let data = json!({"text": "x".repeat(bytes)});
    let mut object = policy(
        name,
        &json!({"name": name, "modules": modules, "data": data}),
    );
    object["kind"] = json!("Policy");
    object["metadata"]["namespace"] = json!("shop");
    object
}

fn tenants_binding(name: &str) -> Json {
    let mut object = binding(&json!({}));
    object["kind"] = json!("PolicyBinding");
    object["metadata"] = json!({"name": name, "namespace": "shop"});
    object
}

/// A namespace with the policy `a/one@1`, of two that it may have, and of two thousand bytes.
fn tenants_reviewer() -> Reviewer {
    let allowance = Allowance {
        tenant: portcullis_policies::TenantLimits {
            judges: 2,
            bytes: 2_000,
        },
        ..Allowance::default()
    };
    let cache = Arc::new(Cache::allowing(allowance));
    let Ok(Manifest::Policy(object)) = Manifest::read(tenants_policy("one", 1_000)) else {
        panic!("the fixture must be a policy")
    };
    let draft = Draft::try_from(object.as_ref()).unwrap();
    let object = draft.compile(&(), cache.allowance());
    cache.update(|state| state.apply_policy(object));
    Reviewer { cache, clock: now }
}

#[rstest]
#[case::one_more(tenants_policy("two", 100), None)]
#[case::a_binding(tenants_binding("prod"), None)]
#[case::the_same_again(tenants_policy("one", 1_001), None)]
#[case::too_large(tenants_policy("two", 1_000), Some("bytes of Rego and data"))]
#[case::grows_too_large(tenants_policy("one", 3_000), Some("bytes of Rego and data"))]
fn a_namespace_has_limits(#[case] object: Json, #[case] expected: Option<&str>) {
    let answer = review_within(&tenants_reviewer(), &object, None);
    let text = answer.refusal.as_deref();
    assert_eq!(text.is_some(), expected.is_some(), "{answer:?}");
    assert!(expected.is_none_or(|part| text.is_some_and(|text| text.contains(part))));
}

#[test]
fn a_full_namespace_takes_no_more_and_lets_what_is_there_change() {
    let reviewer = tenants_reviewer();
    let Ok(Manifest::PolicyBinding(object)) = Manifest::read(tenants_binding("prod")) else {
        panic!("the fixture must be a binding")
    };
    let bound = Arc::new(BindingDraft::try_from(object.as_ref()).unwrap().compile());
    reviewer.cache.update(|state| state.apply_binding(bound));
    for (object, is_refused) in [
        (tenants_policy("two", 10), true),
        (tenants_binding("other"), true),
        (tenants_policy("one", 10), false),
        (tenants_binding("prod"), false),
        (policy("cluster", &json!({})), false),
    ] {
        let answer = review_within(&reviewer, &object, None);
        let text = answer.refusal.unwrap_or_default();
        let is_full = text.contains("has 2 policies and bindings");
        assert_eq!(is_full, is_refused, "{text}");
    }
}
