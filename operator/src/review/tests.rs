mod exemptions;

mod bindings;
mod tenants;

use std::time::Duration;

use portcullis_policies::{Allowance, Extent, Operation, State};
use rstest::rstest;

use super::*;

fn now() -> Timestamp {
    Timestamp::from_second(1_000_000_000).unwrap()
}

/// A cluster with the ClusterPolicy `held`, a guardrail, of the address `a/held@1`.
fn reviewer() -> Reviewer {
    let held = json!({
        "name": "held", "modules": {"p.rego": "package a.held\nallow := true"}, "guardrail": true,
    });
    cluster(&[policy("held", &held)])
}

/// A cluster with these ClusterPolicies, of which each is compiled with those before it.
fn cluster(policies: &[Json]) -> Reviewer {
    let cache = Arc::new(Cache::new());
    for policy in policies {
        let Ok(Manifest::ClusterPolicy(object)) = Manifest::read(policy.clone()) else {
            panic!("the fixture must be a policy")
        };
        let snapshot = cache.snapshot();
        let draft = Draft::try_from(object.as_ref()).unwrap();
        let object = draft.compile(&*snapshot, cache.allowance());
        cache.update(|state: &mut State| state.apply_policy(object));
    }
    Reviewer { cache, clock: now }
}

/// A ClusterPolicy of the address `a/b@1`, with other fields of its spec.
fn policy(name: &str, fields: &Json) -> Json {
    let mut object = json!({
        "apiVersion": "portcullis.dev/v1alpha1",
        "kind": "ClusterPolicy",
        "metadata": {"name": name, "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {
            "group": "a", "name": "b", "version": "1",
            "modules": {"p.rego": "package a.b\nallow := true"},
        },
    });
    for (field, value) in fields.as_object().unwrap() {
        object["spec"][field] = value.clone();
    }
    object
}

/// A ClusterLock of the group `a`, with other fields of its spec.
fn lock(fields: &Json) -> Json {
    let mut object = json!({
        "apiVersion": "portcullis.dev/v1alpha1",
        "kind": "ClusterLock",
        "metadata": {"name": "incident"},
        "spec": {"policy": {"group": "a"}, "reason": "incident"},
    });
    for (field, value) in fields.as_object().unwrap() {
        object["spec"][field] = value.clone();
    }
    object
}

fn review(object: &Json, old: Option<&Json>) -> ResourceAnswer {
    review_within(&reviewer(), object, old)
}

fn review_within(reviewer: &Reviewer, object: &Json, old: Option<&Json>) -> ResourceAnswer {
    reviewer.review(ResourceReview {
        kind: object["kind"].as_str().unwrap().to_owned(),
        operation: if old.is_some() {
            Operation::Update
        } else {
            Operation::Create
        },
        name: object["metadata"]["name"].as_str().unwrap().to_owned(),
        namespace: None,
        object: Some(object.clone()),
        old: old.cloned(),
    })
}

#[rstest]
#[case(json!({}), None)]
#[case(json!({"timeout": "1s", "memory": "32Mi"}), None)]
#[case(json!({"timeout": "2s"}), Some("`limits.timeout` is 1s here: the administrator allows no more"))]
#[case(json!({"timeout": "5s", "memory": "128Mi"}),
    Some("`limits.timeout` is 1s and `limits.memory` is 32 MiB here: the administrator allows no more"))]
fn warns_of_limits_beyond_the_administrators(#[case] limits: Json, #[case] expected: Option<&str>) {
    let allowance = Allowance {
        limits: Limits {
            timeout: Duration::from_secs(1),
            memory: 32 << 20,
        },
        ..Allowance::default()
    };
    let reviewer = Reviewer::new(Arc::new(Cache::allowing(allowance)));
    let object = policy("it", &json!({"limits": limits}));
    let answer = review_within(&reviewer, &object, None);
    assert_eq!(answer.refusal, None);
    assert_eq!(answer.warnings.first().map(String::as_str), expected);
}

#[test]
fn refuses_what_is_more_than_the_administrator_lets_a_policy_compile() {
    let allowance = Allowance {
        extent: Extent {
            source: 64,
            ..Extent::MAX
        },
        ..Allowance::default()
    };
    let reviewer = Reviewer::new(Arc::new(Cache::allowing(allowance)));
    let module = format!("package a.b\nallow := true\n# {}", "x".repeat(64));
    let object = policy("it", &json!({"modules": {"p.rego": module}}));
    let refusal = review_within(&reviewer, &object, None).refusal;
    let refusal = refusal.expect("it is too much");
    assert!(
        refusal.contains("source_limit: the modules have 92 bytes"),
        "{refusal}"
    );
    assert_eq!(
        review_within(&reviewer, &policy("it", &json!({})), None).refusal,
        None
    );
}

const PASSES: &[&str] = &[];

/// What a refusal has to say, in this order; nothing where the object passes.
#[rstest]
#[case::sound(json!({}), PASSES)]
#[case::parse(json!({"modules": {"p.rego": "package a.b\n\nallow := "}}), &["ClusterPolicy b cannot work:\np.rego:3:"])]
#[case::builtin(json!({"modules": {"p.rego": "package a.b\nallow if nothing.known(1)\n"}}), &["p.rego:2:", "nothing.known"])]
#[case::package(json!({"modules": {"p.rego": "package a.c\nallow := true"}}), &["a.b"])]
#[case::parameters(
    json!({"parameters": {"n": "x"}, "parametersSchema": {"properties": {"n": {"type": "integer"}}}}),
    &["parameters_invalid", "/n"]
)]
#[case::address(json!({"group": "A"}), &["address_invalid", "`A`"])]
#[case::import(json!({"imports": [{"group": "a", "name": "held", "version": "1"}]}), PASSES)]
#[case::circle(json!({"imports": [{"group": "a", "name": "b", "version": "1"}]}), &["import_cycle"])]
#[case::import_and_parse(
    json!({"imports": [{"group": "a", "name": "z", "version": "1"}], "modules": {"p.rego": "package a.b\n\nallow := "}}),
    &["p.rego:3:"]
)]
#[case::reserved(
    json!({
        "imports": [{"group": "a", "name": "held", "version": "1"}],
        "modules": {"p.rego": "package a.b\nx := 1", "q.rego": "package a.held\nx := 1"}, "entrypoint": "data.a.b",
    }),
    &["q.rego:1:", "package_reserved", "a/held@1"]
)]
#[case::selector(
    json!({"admission": {"match": {
        "resourceRules": [{"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "operations": ["CREATE"]}],
        "namespaceSelector": {"matchLabels": {"env": "prod"}, "matchExpressions": [{"key": "env", "operator": "DoesNotExist"}]},
        "objectSelector": {"matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}]},
    }}}),
    &["match_selects_nothing: `admission.match.namespaceSelector` selects nothing", "`env` contradicts itself", "→ remove"]
)]
#[case::selector_unreadable(
    json!({"admission": {"match": {
        "resourceRules": [{"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "operations": ["CREATE"]}],
        "objectSelector": {"matchExpressions": [{"key": "a", "operator": "Is", "values": ["b"]}]},
    }}}),
    &["selector_invalid: `admission.match.objectSelector`: ", "`a Is`", "→ use `In`"]
)]
#[case::excluded(
    json!({"admission": {"match": {
        "resourceRules": [{"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "operations": ["CREATE"]}],
        "excludeResourceRules": [{"apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*"], "operations": ["*"]}],
    }}}),
    &["match_selects_nothing: `admission.match.resourceRules[0]` selects nothing", "→ remove the rule, or exclude less"]
)]
#[case::condition(
    json!({"admission": {"match": {
        "resourceRules": [{"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "operations": ["CREATE"]}],
        "matchConditions": [
            {"name": "first", "expression": "object.metadata.name =="},
            {"name": "second", "expression": "authorizer.path('/healthz').check('get').allowed()"},
        ],
    }}}),
    &["condition_invalid: `admission.match.matchConditions`: `first`: 1:", "→ correct the expression",
      "`second`: `authorizer` cannot be used here", "→ compare `request.userInfo.groups` instead"]
)]
#[case::pin(json!({"sha256": format!("sha256:{}", "0".repeat(64))}), &["digest_mismatch", "and the digest of the policy is sha256:"])]
#[case::pin_shape(json!({"sha256": "0000"}), &["digest_invalid"])]
#[case::time(json!({"notBefore": "soon"}), &["time_invalid", "`notBefore`"])]
#[case::past(json!({"notAfter": "2001-09-09T01:46:40Z"}), &["time_past", "`notAfter` is in the past", "→ set `notAfter`"])]
#[case::future(json!({"notAfter": "2001-09-09T01:46:41Z"}), PASSES)]
#[case::unknown_field(json!({"failurePolcy": "Fail"}), &["field_unknown", "spec.failurePolcy"])]
#[case::wrong_type(json!({"guardrail": "yes"}), &["object_invalid", "boolean"])]
#[case::several(
    json!({"notAfter": "2001-01-01T00:00:00Z", "modules": {"p.rego": "package a.b\nallow := ", "q.rego": "package"}}),
    &["time_past", "p.rego:2:"]
)]
fn policies(#[case] fields: Json, #[case] says: &[&str]) {
    check(&policy("b", &fields), None, says);
}

#[rstest]
#[case::sound(json!({}), PASSES)]
#[case::past(json!({"expiresAt": "2001-09-09T01:46:40Z"}), &["ClusterLock incident cannot work", "time_past"])]
#[case::future(json!({"expiresAt": "2001-09-09T01:46:41Z"}), PASSES)]
#[case::two_targets(json!({"all": true}), &["target_invalid", "→ set one of"])]
#[case::selector(json!({"policy": null, "selector": {}}), &["selector_empty"])]
#[case::unknown_field(json!({"until": "x"}), &["field_unknown", "spec.until"])]
#[case::reason(json!({"reason": ""}), &["reason_missing"])]
fn locks(#[case] fields: Json, #[case] says: &[&str]) {
    check(&lock(&fields), None, says);
}

/// What is wrong already may stay; what is made wrong is refused.
#[rstest]
#[case::untouched(json!({"notAfter": "2001-01-01T00:00:00Z"}), json!({"notAfter": "2001-01-01T00:00:00Z"}), PASSES)]
#[case::past_untouched(
    json!({"notAfter": "2001-01-01T00:00:00Z"}),
    json!({"notAfter": "2001-01-01T00:00:00Z", "guardrail": true}),
    PASSES
)]
#[case::past_changed(
    json!({"notAfter": "2001-01-01T00:00:00Z"}),
    json!({"notAfter": "2001-01-02T00:00:00Z"}),
    &["time_past"]
)]
#[case::still_broken(
    json!({"modules": {"p.rego": "package a.b\nallow := "}}),
    json!({"modules": {"p.rego": "package a.b\nallow := "}, "guardrail": true}),
    &["p.rego:2:"]
)]
fn updates(#[case] old: Json, #[case] new: Json, #[case] says: &[&str]) {
    let mut new = policy("b", &new);
    new["metadata"]["labels"] = json!({"team": "a"});
    check(&new, Some(&policy("b", &old)), says);
}

#[rstest]
#[case::taken(policy("other", &json!({"name": "held", "modules": {"p.rego": "package a.held"}})), "held by ClusterPolicy held")]
#[case::missing_import(policy("b", &json!({"imports": [{"group": "a", "name": "z", "version": "1"}]})), "imports a/z@1, which is not there: until that is mended, this policy is broken")]
#[case::changed_import(
    policy("b", &json!({"imports": [{
        "group": "a", "name": "held", "version": "1", "sha256": format!("sha256:{}", "0".repeat(64)),
    }]})),
    "imports a/held@1 at sha256:0000"
)]
#[case::nothing_to_supersede(policy("b", &json!({"version": "2", "supersedes": "1"})),
    "there is no a/b@1 now: it is superseded as soon as it is there")]
#[case::shadow_of_nothing(
    policy("b", &json!({"shadow": true, "admission": {"match": {"resourceRules": [{
        "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "operations": ["CREATE"],
    }]}}})),
    "there is no other version of a/b now to compare this shadow with"
)]
#[case::guardrail_to_supersede(
    policy("b", &json!({"name": "held", "version": "2", "supersedes": "1", "modules": {"p.rego": "package a.held"}})),
    "a/held@1 is a guardrail, which a guardrail only supersedes: both versions judge"
)]
#[case::no_target(lock(&json!({"policy": {"group": "z"}})), "ClusterLock incident covers no policy now")]
#[case::guardrail(lock(&json!({"effect": "Bypass"})), "guardrails")]
fn faults_between_objects_are_warnings(#[case] object: Json, #[case] says: &str) {
    let answer = review(&object, None);
    assert_eq!(answer.refusal, None);
    assert!(
        answer.warnings.len() == 1 && answer.warnings[0].contains(says),
        "{answer:?}"
    );
}

#[test]
fn a_policy_does_not_stand_in_its_own_way() {
    let object = policy(
        "held",
        &json!({"name": "held", "modules": {"p.rego": "package a.held"}}),
    );
    assert_eq!(
        review(&object, Some(&policy("held", &json!({})))),
        ResourceAnswer::default()
    );
}

#[test]
fn a_review_without_an_object_passes() {
    let review = ResourceReview {
        kind: "ClusterPolicy".to_owned(),
        operation: Operation::Delete,
        name: "b".to_owned(),
        namespace: None,
        object: None,
        old: Some(policy("b", &json!({}))),
    };
    assert_eq!(reviewer().review(review), ResourceAnswer::default());
}

#[test]
fn a_name_that_is_made_up_later_is_no_fault() {
    let mut object = policy("b", &json!({}));
    object["metadata"] = json!({"generateName": "b-"});
    let answer = reviewer().review(ResourceReview {
        kind: "ClusterPolicy".to_owned(),
        operation: Operation::Create,
        name: String::new(),
        namespace: None,
        object: Some(object),
        old: None,
    });
    assert_eq!(answer, ResourceAnswer::default());
}

#[track_caller]
fn check(object: &Json, old: Option<&Json>, says: &[&str]) {
    let answer = review(object, old);
    let Some(refusal) = answer.refusal else {
        assert!(says.is_empty(), "it must be refused for {says:?}");
        assert_eq!(answer.warnings, [] as [&str; 0]);
        return;
    };
    assert!(!says.is_empty(), "{refusal}");
    let mut rest = refusal.as_str();
    for part in says {
        let found = rest.find(part);
        assert!(
            found.is_some(),
            "{part:?} is not in {rest:?}, the end of {refusal}"
        );
        rest = &rest[found.unwrap()..];
    }
}

/// The policy `base`, which has a function `f` and has not got the rest.
fn base(fields: &Json) -> Json {
    let mut object = policy(
        "base",
        &json!({"name": "base", "modules": {"p.rego": "package a.base\nf(x) := x\ng := 1"}}),
    );
    for (field, value) in fields.as_object().unwrap() {
        object["spec"][field] = value.clone();
    }
    object
}

/// A policy that imports another one and has a rule with this body.
fn importer(name: &str, imports: &str, body: &str) -> Json {
    policy(
        name,
        &json!({
            "name": name,
            "imports": [{"group": "a", "name": imports, "version": "1"}],
            "modules": {"p.rego": format!("package a.{name}\nimport data.a.{imports}\nallow if {body}\n")},
        }),
    )
}

/// What is said when `base` changes, that `calls` uses, and `above` by way of it; `asks` does not
/// need what is gone.
#[rstest]
#[case::the_same(base(&json!({"guardrail": true})), "")]
#[case::more(base(&json!({"modules": {"p.rego": "package a.base\nf(x) := x + 1\ng := 2\nh := 3"}})), "")]
#[case::gone(
    base(&json!({"modules": {"p.rego": "package a.base\ng := 1"}})),
    "these policies import a/base@1 and would not compile any more: a/calls@1, a/above@1"
)]
#[case::another_arity(
    base(&json!({"modules": {"p.rego": "package a.base\nf(x, y) := x + y\ng := 1"}})),
    "these policies import a/base@1 and would not compile any more: a/calls@1, a/above@1"
)]
#[case::broken_between(
    base(&json!({"imports": [{"group": "a", "name": "z", "version": "1"}]})),
    "these policies import a/base@1 and would not compile any more: a/asks@1, a/calls@1, a/above@1"
)]
#[case::moved(
    base(&json!({"version": "2"})),
    "these policies import a/base@1, a/base@2 and would not compile any more: a/asks@1, a/calls@1, a/above@1"
)]
fn importers_that_would_break_are_told(#[case] changed: Json, #[case] says: &str) {
    let reviewer = cluster(&[
        base(&json!({})),
        importer("calls", "base", "base.f(1) == 1"),
        importer("above", "calls", "calls.allow"),
        importer("asks", "base", "base.g == 1"),
        importer("lost", "base", "base.f(1, 2, 3) == 1"),
    ]);
    let answer = review_within(&reviewer, &changed, Some(&base(&json!({}))));
    assert_eq!(answer.refusal, None);
    let warned = answer
        .warnings
        .iter()
        .filter(|warning| warning.contains("these policies"));
    let warned: Vec<&String> = warned.collect();
    let expected: Vec<&str> = Some(says)
        .filter(|says| !says.is_empty())
        .into_iter()
        .collect();
    assert_eq!(warned, expected);
}

/// An importer that pins what it imports.
#[test]
fn importers_of_another_digest_are_told() {
    let digest = cluster(&[base(&json!({}))]).cache.snapshot();
    let digest = digest.entries().next().unwrap().policy.digest();
    let mut pinned = importer("pinned", "base", "base.g == 1");
    pinned["spec"]["imports"][0]["sha256"] = json!(digest.to_string());
    let reviewer = cluster(&[base(&json!({})), pinned]);
    let changed = base(&json!({"modules": {"p.rego": "package a.base\ng := 1"}}));
    let answer = review_within(&reviewer, &changed, Some(&base(&json!({}))));
    assert_eq!(
        answer.warnings,
        ["these policies import a/base@1 and would not compile any more: a/pinned@1"]
    );
}

/// Where another object holds the address, nothing changes for those that import it.
#[test]
fn importers_of_a_policy_that_is_not_in_force_are_not_told() {
    let reviewer = cluster(&[
        base(&json!({})),
        importer("calls", "base", "base.f(1) == 1"),
    ]);
    let mut other = base(&json!({"modules": {"p.rego": "package a.base\ng := 1"}}));
    other["metadata"]["name"] = json!("younger");
    let answer = review_within(&reviewer, &other, None);
    assert_eq!(answer.warnings.len(), 1);
    assert!(answer.warnings[0].contains("is held by"), "{answer:?}");
}

/// However many there are, so many are tried and named, and the rest is counted.
#[test]
fn many_importers_are_counted() {
    let mut policies = vec![base(&json!({}))];
    for at in 10..50 {
        policies.push(importer(&format!("p{at}"), "base", "base.f(1) == 1"));
    }
    let reviewer = cluster(&policies);
    let changed = base(&json!({"modules": {"p.rego": "package a.base\ng := 1"}}));
    let answer = review_within(&reviewer, &changed, Some(&base(&json!({}))));
    assert_eq!(
        answer.warnings,
        [
            "these policies import a/base@1 and would not compile any more: a/p10@1, a/p11@1, \
             a/p12@1, a/p13@1, a/p14@1 and 27 more",
            "these policies import a/base@1 and were not tried: a/p42@1, a/p43@1, a/p44@1, \
             a/p45@1, a/p46@1 and 3 more",
        ]
    );
}
