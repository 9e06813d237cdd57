use proptest::prelude::*;
use rstest::rstest;

use super::*;

fn value(json: &str) -> Value {
    Document::read(json).unwrap().value().clone()
}

/// The rules that a policy defines; here those that are in the document, and others by name.
fn rules(document: &Value, others: &[&str]) -> Rules {
    let present = DIALECT
        .into_iter()
        .filter(|rule| document[*rule] != Value::Undefined);
    let defined = present
        .chain(others.iter().copied())
        .map(str::to_owned)
        .collect();
    Rules {
        only: None,
        defined: Some(defined),
    }
}

fn judge(document: &str, others: &[&str], settings: DecisionSettings) -> Judgement {
    let document = value(document);
    let rules = rules(&document, others);
    let reading = Reading {
        point: Point::Admission,
        rules: &rules,
        settings,
    };
    normalise(document, &reading)
}

fn texts(messages: &[Message]) -> Vec<&str> {
    messages
        .iter()
        .map(|message| message.message.as_str())
        .collect()
}

#[rstest]
// deny: sets and arrays, maps, booleans, one message
#[case(r#"{"deny": []}"#, Outcome::Allowed, &[])]
#[case(r#"{"deny": ["b", "a", "a"]}"#, Outcome::Denied, &["a", "b"])]
#[case(r#"{"deny": [{"msg": "a"}]}"#, Outcome::Denied, &["a"])]
#[case(r#"{"deny": [{"message": "a", "severity": "info"}]}"#, Outcome::Denied, &["a"])]
#[case(r#"{"deny": {"a": true}}"#, Outcome::Denied, &["a"])]
#[case(r#"{"deny": {"web": "a"}}"#, Outcome::Denied, &["a"])]
#[case(r#"{"deny": {"web": {"msg": "a"}}}"#, Outcome::Denied, &["a"])]
#[case(r#"{"deny": {"msg": "a"}}"#, Outcome::Denied, &["a"])]
#[case(r#"{"deny": {}}"#, Outcome::Allowed, &[])]
#[case(r#"{"deny": true}"#, Outcome::Denied, &["rule `deny` holds"])]
#[case(r#"{"deny": false}"#, Outcome::Allowed, &[])]
// violation: without a severity it is critical
#[case(r#"{"violation": [{"msg": "a", "details": {}}]}"#, Outcome::Denied, &["a"])]
#[case(r#"{"violations": [{"ruleName": "r", "severity": "high", "reasons": ["a", "b"]}]}"#, Outcome::Denied, &["a; b"])]
#[case(r#"{"violations": [{"ruleName": "r"}]}"#, Outcome::Denied, &["r is violated"])]
#[case(r#"{"violation": []}"#, Outcome::Allowed, &[])]
// allow
#[case(r#"{"allow": true}"#, Outcome::Allowed, &[])]
#[case(r#"{"allow": false}"#, Outcome::Denied, &["nothing allows it: rule `allow` does not hold"])]
#[case(r#"{"allow": ["because"]}"#, Outcome::Allowed, &[])]
#[case(r#"{"allow": []}"#, Outcome::Denied, &["nothing allows it: rule `allow` does not hold"])]
#[case(r#"{"allow": {}}"#, Outcome::Denied, &["nothing allows it: rule `allow` does not hold"])]
#[case(r#"{"allow": {"allowed": true}}"#, Outcome::Allowed, &[])]
#[case(r#"{"allow": {"allowed": false}}"#, Outcome::Denied, &["nothing allows it: rule `allow` does not hold"])]
// the order: a deny is never outvoted
#[case(r#"{"allow": true, "deny": ["a"]}"#, Outcome::Denied, &["a"])]
#[case(r#"{"allow": true, "violation": [{"msg": "a"}]}"#, Outcome::Denied, &["a"])]
#[case(r#"{"allow": false, "deny": ["a"]}"#, Outcome::Denied, &["a"])]
#[case(r#"{"allow": false, "warn": ["a"]}"#, Outcome::Denied, &["nothing allows it: rule `allow` does not hold"])]
#[case(r#"{"deny": ["a"], "skip": ["b"]}"#, Outcome::Denied, &["a"])]
#[case(r#"{"allow": false, "skip": ["b"]}"#, Outcome::Denied, &["nothing allows it: rule `allow` does not hold"])]
#[case(r#"{"deny": [], "skip": ["b"]}"#, Outcome::Skipped, &[])]
#[case(r#"{"deny": ["a", 5]}"#, Outcome::Denied, &["a"])]
#[case(r#"{"deny": ["a"], "allow": 5}"#, Outcome::Denied, &["a"])]
// warnings never deny
#[case(r#"{"warn": ["a"]}"#, Outcome::Allowed, &[])]
// an enforcement point's document
#[case(r#"{"allowed": true, "env": []}"#, Outcome::Allowed, &[])]
#[case(r#"{"allowed": false, "reason": "no mount"}"#, Outcome::Denied, &["no mount"])]
#[case(r#"{"allowed": true, "deny": ["a"]}"#, Outcome::Denied, &["a"])]
#[case(r#"{"allowed": true, "allow": false}"#, Outcome::Denied, &["nothing allows it: rule `allow` does not hold"])]
// nothing that decides
#[case(r#"{"other": 1}"#, Outcome::Denied, &["the policy defines neither what it allows nor what it denies"])]
#[case("{}", Outcome::Denied, &["the policy defines neither what it allows nor what it denies"])]
fn reads(#[case] document: &str, #[case] outcome: Outcome, #[case] messages: &[&str]) {
    let judgement = judge(document, &[], DecisionSettings::default());
    assert_eq!(
        (judgement.outcome, texts(&judgement.messages)),
        (outcome, messages.to_vec())
    );
    let permitted = matches!(outcome, Outcome::Allowed | Outcome::Skipped);
    assert_eq!(judgement.allowed, permitted, "{document}");
    assert_eq!(judgement.result, Some(Document::new(value(document))));
}

#[rstest]
#[case(
    r#"{"deny": "a"}"#,
    "rule `deny`: a string is neither a set nor an array, a map or a boolean"
)]
#[case(
    r#"{"deny": 5}"#,
    "rule `deny`: a number is neither a set nor an array, a map or a boolean"
)]
#[case(
    r#"{"deny": null}"#,
    "rule `deny`: null is neither a set nor an array, a map or a boolean"
)]
#[case(r#"{"deny": [5]}"#, "rule `deny`: a member is a number")]
#[case(
    r#"{"deny": [{}]}"#,
    "rule `deny`: a member has neither `msg` nor `message`"
)]
#[case(
    r#"{"deny": [{"msg": 5}]}"#,
    "rule `deny`: a member has neither `msg` nor `message`"
)]
#[case(
    r#"{"deny": {"a": false}}"#,
    "rule `deny`: an entry's value is a boolean"
)]
#[case(r#"{"violation": [["a"]]}"#, "rule `violation`: a member is an array")]
#[case(
    r#"{"warn": 5, "allow": true}"#,
    "rule `warn`: a number is neither a set nor an array, a map or a boolean"
)]
#[case(r#"{"skip": [5], "allow": true}"#, "rule `skip`: a member is a number")]
#[case(r#"{"allow": "yes"}"#, "rule `allow` is a string")]
#[case(r#"{"allow": 1}"#, "rule `allow` is a number")]
#[case(r#"{"allow": null}"#, "rule `allow` is null")]
#[case(r#"{"allow": [5]}"#, "rule `allow`: a member is a number")]
#[case(
    r#"{"allow": {"x": 1}}"#,
    "rule `allow`: an object needs `allowed`, true or false"
)]
#[case(r#"{"allowed": "true"}"#, "`allowed` is a string, not true or false")]
#[case(r#""allow""#, "the document is a string, not an object")]
#[case("true", "the document is a boolean, not an object")]
#[case("[]", "the document is an array, not an object")]
fn what_is_malformed_is_an_error(#[case] document: &str, #[case] fault: &str) {
    let settings = DecisionSettings {
        default: DefaultDecision::Allow,
        ..Default::default()
    };
    let judgement = judge(document, &[], settings);
    assert_eq!(
        (judgement.outcome, judgement.allowed),
        (Outcome::Error, false)
    );
    let expected = format!("the policy's result cannot be read: {fault}");
    assert_eq!(texts(&judgement.messages), [expected]);
    assert_eq!(judgement.messages[0].code, Code::OutputInvalid);
}

#[rstest]
#[case(&["deny"], Outcome::Allowed)]
#[case(&["violation"], Outcome::Allowed)]
#[case(&["violations"], Outcome::Allowed)]
#[case(&["warn"], Outcome::Allowed)]
#[case(&["allow"], Outcome::Denied)]
#[case(&["deny", "allow"], Outcome::Denied)]
#[case(&["skip"], Outcome::Denied)]
#[case(&["allowed"], Outcome::Error)]
#[case(&["helper"], Outcome::Denied)]
fn a_rule_that_is_undefined_today_is_still_defined(
    #[case] defined: &[&str],
    #[case] outcome: Outcome,
) {
    assert_eq!(
        judge("{}", defined, DecisionSettings::default()).outcome,
        outcome
    );
}

#[rstest]
#[case(Severity::High, "critical", Outcome::Denied)]
#[case(Severity::High, "HIGH", Outcome::Denied)]
#[case(Severity::High, "medium", Outcome::Allowed)]
#[case(Severity::Info, "info", Outcome::Denied)]
#[case(Severity::Critical, "high", Outcome::Allowed)]
#[case(Severity::Critical, "urgent", Outcome::Denied)]
fn violations_below_fail_on_warn(
    #[case] fail_on: Severity,
    #[case] severity: &str,
    #[case] outcome: Outcome,
) {
    let document = format!(r#"{{"violation": [{{"msg": "a", "severity": "{severity}"}}]}}"#);
    let judgement = judge(
        &document,
        &[],
        DecisionSettings {
            fail_on,
            ..Default::default()
        },
    );
    assert_eq!(judgement.outcome, outcome);
    let shown = if outcome == Outcome::Denied {
        judgement.messages
    } else {
        judgement.warnings
    };
    assert_eq!(texts(&shown), ["a"]);
}

#[rstest]
#[case(r#"{"warn": ["a"]}"#, "POLICY.WARNING")]
#[case(r#"{"warn": [{"msg": "a", "code": "OWN"}]}"#, "OWN")]
#[case(
    r#"{"violation": [{"msg": "a", "severity": "low"}]}"#,
    "POLICY.WARNING"
)]
#[case(
    r#"{"violation": [{"msg": "a", "severity": "low", "code": "OWN"}]}"#,
    "OWN"
)]
fn a_warning_is_not_called_a_denial(#[case] document: &str, #[case] code: &str) {
    let settings = DecisionSettings {
        fail_on: Severity::High,
        ..Default::default()
    };
    let judgement = judge(document, &[], settings);
    assert_eq!(judgement.warnings[0].code.as_str(), code);
    assert!(judgement.allowed);
}

#[test]
fn a_message_keeps_what_the_policy_says() {
    let document = r#"{"deny": [{
        "msg": "container \"web\" has no limit", "code": "LIMITS.MEMORY", "severity": "High",
        "remedy": "set resources.limits.memory", "path": "spec.containers[0]", "details": {"a": 1},
        "found": null, "wanted": ["a", 1]
    }]}"#;
    let judgement = judge(document, &[], DecisionSettings::default());
    let address = "platform/limits@1.2";
    assert_eq!(
        judgement.messages[0].text(address),
        "LIMITS.MEMORY: container \"web\" has no limit at spec.containers[0] \
         (found nothing, want [\"a\", 1]) [platform/limits@1.2, rule deny, high] → set resources.limits.memory"
    );
    assert_eq!(
        judgement.messages[0].path.as_deref(),
        Some("spec.containers[0]")
    );
    assert_eq!(
        judgement.messages[0].details,
        Some(Document::new(value(r#"{"a": 1}"#)))
    );
}

#[test]
fn the_most_severe_is_first_and_the_number_is_bounded() {
    let members: Vec<String> = (0..500)
        .map(|n| format!(r#"{{"msg": "m{n:03}", "severity": "low"}}"#))
        .chain([r#"{"msg": "worst", "severity": "critical"}"#.to_owned()])
        .collect();
    let document = format!(r#"{{"violation": [{}]}}"#, members.join(","));
    let judgement = judge(&document, &[], DecisionSettings::default());
    assert_eq!(judgement.messages.len(), MAX_MESSAGES);
    assert_eq!(judgement.messages[0].message, "worst");
    assert_eq!(judgement.messages[MAX_MESSAGES - 1].message, "and 402 more");
}

#[test]
fn a_rule_as_the_entrypoint_is_read_under_its_name() {
    let rules = Rules {
        only: Some("allow".to_owned()),
        defined: None,
    };
    let settings = DecisionSettings {
        default: DefaultDecision::Allow,
        ..Default::default()
    };
    let reading = Reading {
        point: Point::Evaluation,
        rules: &rules,
        settings,
    };
    assert_eq!(
        normalise(Value::from(true), &reading).outcome,
        Outcome::Allowed
    );
    assert_eq!(
        normalise(Value::from(false), &reading).outcome,
        Outcome::Denied
    );
    assert_eq!(
        normalise(Value::Undefined, &reading).outcome,
        Outcome::Denied
    );
    assert_eq!(
        normalise(Value::from("yes"), &reading).outcome,
        Outcome::Error
    );
}

/// Any JSON document, a little more often with the names and shapes that mean something.
fn any_document() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "(?s:.{0,12})".prop_map(Value::from),
    ];
    let key = prop_oneof![
        4 => proptest::sample::select(
            DIALECT.into_iter().chain(["msg", "message", "severity", "ruleName", "reasons", "code"])
                .collect::<Vec<_>>()
        ).prop_map(str::to_owned),
        1 => "[a-z]{1,3}",
    ];
    leaf.prop_recursive(4, 48, 5, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::btree_set(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::btree_map(key.clone().prop_map(Value::from), inner, 0..6)
                .prop_map(Value::from),
        ]
    })
}

fn any_settings() -> impl Strategy<Value = DecisionSettings> {
    let default = prop_oneof![Just(DefaultDecision::Deny), Just(DefaultDecision::Allow)];
    (default, proptest::sample::select(Severity::ALL.to_vec()))
        .prop_map(|(default, fail_on)| DecisionSettings { default, fail_on })
}

fn any_defined() -> impl Strategy<Value = Vec<&'static str>> {
    proptest::sample::subsequence(DIALECT.to_vec(), 0..=DIALECT.len())
}

fn judge_value(document: &Value, defined: &[&str], settings: DecisionSettings) -> Judgement {
    let rules = rules(document, defined);
    normalise(
        document.clone(),
        &Reading {
            point: Point::Admission,
            rules: &rules,
            settings,
        },
    )
}

/// The document with a member added to the rule's set.
fn with_member(document: &Value, rule: &str, member: Value) -> Value {
    let mut changed = document.clone();
    let members = match &document[rule] {
        Value::Array(members) => members.iter().cloned().chain([member]).collect(),
        Value::Set(members) => members.iter_sorted().cloned().chain([member]).collect(),
        _ => vec![member],
    };
    if let Ok(object) = changed.as_object_mut() {
        object.insert(Value::from(rule), Value::from(members));
    }
    changed
}

/// The same document with every array in the opposite order.
fn reversed(value: &Value) -> Value {
    match value {
        Value::Array(items) => Value::from(items.iter().rev().map(reversed).collect::<Vec<_>>()),
        Value::Object(object) => Value::from(
            object
                .iter()
                .map(|(key, value)| (key.clone(), reversed(value)))
                .collect::<std::collections::BTreeMap<_, _>>(),
        ),
        other => other.clone(),
    }
}

proptest! {
    #[test]
    fn a_deny_is_never_outvoted(
        document in any_document(), defined in any_defined(), settings in any_settings(),
        text in "[a-z]{1,8}",
    ) {
        let denying = with_member(&document, "deny", Value::from(text.as_str()));
        prop_assume!(denying.as_object().is_ok());
        let judgement = judge_value(&denying, &defined, settings);
        prop_assert_eq!(judgement.outcome, Outcome::Denied);
        prop_assert!(!judgement.allowed);
    }

    #[test]
    fn a_malformed_member_is_never_an_allow(
        document in any_document(), defined in any_defined(), settings in any_settings(),
        rule in proptest::sample::select(vec!["deny", "violation", "violations", "warn", "skip"]),
    ) {
        let malformed = with_member(&document, rule, Value::from(5_i64));
        prop_assume!(malformed.as_object().is_ok());
        let judgement = judge_value(&malformed, &defined, settings);
        prop_assert!(!judgement.allowed);
    }

    #[test]
    fn what_is_no_object_is_never_an_allow(
        document in any_document(), defined in any_defined(), settings in any_settings(),
    ) {
        prop_assume!(document.as_object().is_err());
        prop_assert!(!judge_value(&document, &defined, settings).allowed);
    }

    #[test]
    fn only_an_allowed_outcome_permits(
        document in any_document(), defined in any_defined(), settings in any_settings(),
    ) {
        let judgement = judge_value(&document, &defined, settings);
        let permitting = matches!(judgement.outcome, Outcome::Allowed | Outcome::Skipped);
        prop_assert!(permitting || !judgement.allowed);
        prop_assert!(judgement.allowed || !judgement.messages.is_empty());
    }

    #[test]
    fn adding_a_violation_never_turns_a_denial_into_an_allow(
        document in any_document(), defined in any_defined(), settings in any_settings(),
        severity in proptest::sample::select(vec!["critical", "low", "info", "unheard of"]),
    ) {
        // What the policy defines does not change with what one evaluation finds.
        let defined: Vec<_> = defined.into_iter().chain(["violation"]).collect();
        let member = value(&format!(r#"{{"msg": "more", "severity": "{severity}"}}"#));
        let more = with_member(&document, "violation", member);
        prop_assume!(matches!(&document["violation"], Value::Undefined | Value::Array(_) | Value::Set(_)));
        let before = judge_value(&document, &defined, settings);
        let after = judge_value(&more, &defined, settings);
        prop_assert!(before.allowed || !after.allowed);
    }

    #[test]
    fn order_changes_nothing_and_the_text_is_deterministic(
        document in any_document(), defined in any_defined(), settings in any_settings(),
    ) {
        // `reasons` are told in the order in which they are given.
        prop_assume!(!format!("{document:?}").contains("reasons"));
        let mut before = judge_value(&document, &defined, settings);
        let mut after = judge_value(&reversed(&document), &defined, settings);
        for judgement in [&mut before, &mut after] {
            judgement.result = None;
            for message in judgement.messages.iter_mut().chain(&mut judgement.warnings) {
                message.details = None;
                message.found = None;
                message.wanted = None;
            }
        }
        prop_assert_eq!(before, after);
    }

    #[test]
    fn text_is_bounded_and_printable(
        document in any_document(), defined in any_defined(), settings in any_settings(),
    ) {
        let judgement = judge_value(&document, &defined, settings);
        let all = [&judgement.messages, &judgement.warnings, &judgement.skipped];
        for messages in all {
            prop_assert!(messages.len() <= MAX_MESSAGES);
            for message in messages {
                for text in [Some(&message.message), message.rule.as_ref(), message.remedy.as_ref(), message.path.as_ref(), message.comparison().as_ref()].into_iter().flatten() {
                    prop_assert!(text.chars().count() <= crate::text::MAX_CHARACTERS);
                    prop_assert!(!text.chars().any(crate::text::is_hostile));
                }
            }
        }
    }
}

/// `violation[{"msg": …}] if { … }` is a set in version 0 and a map in version 1.
#[test]
fn an_object_that_is_a_key_is_a_member() {
    let member = value(r#"{"msg": "a", "severity": "info"}"#);
    let map = std::collections::BTreeMap::from([(member, Value::from(true))]);
    let name = Value::from("violation");
    let document = Value::from(std::collections::BTreeMap::from([(name, Value::from(map))]));
    let rules = rules(&document, &[]);
    let reading = Reading {
        point: Point::Admission,
        rules: &rules,
        settings: DecisionSettings::default(),
    };
    let judgement = normalise(document, &reading);
    assert_eq!(judgement.outcome, Outcome::Denied);
    assert_eq!(texts(&judgement.messages), ["a"]);
    assert_eq!(judgement.messages[0].severity, Some(Severity::Info));
}

#[rstest]
#[case("IMAGE.UNSIGNED", "IMAGE.UNSIGNED")]
#[case("CVE-2026:1/a", "CVE-2026:1/a")]
#[case("", "POLICY.DENIED_ADMISSION")]
#[case("Bearer token", "POLICY.DENIED_ADMISSION")]
#[case(&"a".repeat(65), "POLICY.DENIED_ADMISSION")]
fn a_code_of_its_own_is_a_name(#[case] code: &str, #[case] expected: &str) {
    let document = format!(r#"{{"deny": [{{"msg": "a", "code": "{code}"}}]}}"#);
    let judgement = judge(&document, &[], DecisionSettings::default());
    assert_eq!(judgement.messages[0].code.as_str(), expected);
}
