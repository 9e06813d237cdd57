//! What is wrong or odd about an exemption.

use super::*;

/// An exemption of the group `a` for every object, until a second after now, with other fields.
fn exemption(kind: &str, after: i64, fields: &Json) -> Json {
    let end = Timestamp::from_second(now().as_second() + after).unwrap();
    let mut object = json!({
        "apiVersion": "portcullis.dev/v1alpha1",
        "kind": kind,
        "metadata": {"name": "legacy", "namespace": "shop"},
        "spec": {
            "policies": [{"kind": "ClusterPolicy", "group": "a"}], "allObjects": true,
            "reason": "TICKET-4711", "approver": "jane", "expiresAt": end.to_string(),
        },
    });
    for (field, value) in fields.as_object().unwrap() {
        object["spec"][field] = value.clone();
    }
    object
}

const DAY: i64 = 24 * 3_600;

#[rstest]
#[case::sound(exemption("ClusterExemption", 1, &json!({})), None)]
#[case::longest(exemption("ClusterExemption", 90 * DAY, &json!({})), None)]
#[case::too_long(exemption("ClusterExemption", 90 * DAY + 1, &json!({})), Some("more than 90 days away"))]
#[case::over(exemption("ClusterExemption", 0, &json!({})), Some("`expiresAt` is in the past"))]
#[case::condition(exemption("Exemption", 1, &json!({"allObjects": false, "objects": {"matchConditions": [{"name": "a", "expression": "1 +"}]}})), Some("condition_invalid"))]
#[case::field(exemption("Exemption", 1, &json!({"approvr": "jane"})), Some("approvr"))]
#[case::both(exemption("Exemption", 1, &json!({"objects": {"users": ["jane"]}})), Some("objects_invalid"))]
fn refuses_an_exemption_that_cannot_work(#[case] object: Json, #[case] expected: Option<&str>) {
    let answer = review(&object, None);
    match (answer.refusal, expected) {
        (None, None) => {}
        (Some(refusal), Some(part)) => assert!(refusal.contains(part), "{refusal}"),
        (refusal, _) => panic!("{refusal:?}"),
    }
}

/// What has expired can still be mended otherwise, and is not made longer.
#[test]
fn an_end_that_was_there_before_passes() {
    let old = exemption("ClusterExemption", -1, &json!({}));
    let mended = exemption("ClusterExemption", -1, &json!({"reason": "another"}));
    assert_eq!(review(&mended, Some(&old)).refusal, None);
    let longer = exemption("ClusterExemption", 91 * DAY, &json!({}));
    assert!(review(&longer, Some(&old)).refusal.is_some());
}

#[rstest]
#[case::accepted("ClusterExemption", json!({}), "b", &[])]
#[case::guardrail("ClusterExemption", json!({"guardrail": true}), "b", &["guardrails, which accept no exemption: a/b@1"])]
#[case::tenant("Exemption", json!({}), "b", &["ClusterExemptions only, unless they say `exemptibleBy: Namespace`: a/b@1"])]
#[case::tenant_that_may("Exemption", json!({"exemptibleBy": "Namespace"}), "b", &[])]
#[case::no_target("ClusterExemption", json!({}), "c", &["ClusterExemption legacy is of no policy now"])]
fn warns_of_an_exemption_that_exempts_nothing(
    #[case] kind: &str,
    #[case] fields: Json,
    #[case] name: &str,
    #[case] expected: &[&str],
) {
    let reviewer = cluster(&[policy("b", &fields)]);
    let policies = json!({"policies": [{"kind": "ClusterPolicy", "group": "a", "name": name}]});
    let answer = review_within(&reviewer, &exemption(kind, 1, &policies), None);
    assert_eq!(answer.refusal, None);
    assert_eq!(
        answer.warnings.len(),
        expected.len(),
        "{:?}",
        answer.warnings
    );
    for (warning, part) in answer.warnings.iter().zip(expected) {
        assert!(warning.contains(part), "{warning}");
    }
}
