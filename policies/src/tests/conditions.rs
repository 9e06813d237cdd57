//! What the conditions of a match do to a decision.

use rstest::rstest;

use super::*;

/// A policy that denies what one condition selects.
fn conditional(expression: &str, action: Action, failure_policy: FailurePolicy) -> Definition {
    let mut admission = pods(action, failure_policy);
    admission.matches.conditions = vec![Condition {
        name: "only-web".to_owned(),
        expression: expression.to_owned(),
    }];
    Definition {
        admission: Some(admission),
        ..policy(DENYING)
    }
}

fn web() -> Input {
    Input::Admission(Document::from(&json!({
        "operation": "CREATE", "object": {"metadata": {"name": "web"}},
    })))
}

const HOLDS: &str = "object.metadata.name == 'web'";
const FALSE: &str = "object.metadata.name == 'db'";
const FAILS: &str = "object.spec.missing == 1";

#[rstest]
#[case::holds(HOLDS, Action::Deny, FailurePolicy::Fail, Outcome::Denied, (false, 1, 0))]
#[case::does_not(FALSE, Action::Deny, FailurePolicy::Fail, Outcome::Unmatched, (true, 0, 0))]
#[case::fails(FAILS, Action::Deny, FailurePolicy::Fail, Outcome::Error, (false, 1, 0))]
#[case::fails_and_is_ignored(FAILS, Action::Deny, FailurePolicy::Ignore, Outcome::Error, (true, 0, 1))]
#[case::fails_and_warns(FAILS, Action::Warn, FailurePolicy::Fail, Outcome::Error, (true, 0, 1))]
fn the_conditions_come_first(
    #[case] expression: &str,
    #[case] action: Action,
    #[case] failure_policy: FailurePolicy,
    #[case] outcome: Outcome,
    #[case] expected: (bool, usize, usize),
) {
    let decision = decide(conditional(expression, action, failure_policy), [], &web());
    assert_eq!((decision.outcome, seen(&decision)), (outcome, expected));
}

#[test]
fn a_condition_that_fails_is_named() {
    let definition = conditional(FAILS, Action::Deny, FailurePolicy::Fail);
    let decision = decide(definition, [], &web());
    let message = &decision.messages[0];
    assert_eq!(message.code, Code::EvaluationFailed);
    assert!(message.message.contains("`only-web`"), "{message:?}");
    assert!(message.message.contains("`spec`"), "{message:?}");
    assert!(message.remedy.is_some());
}

/// A lock holds what its policy judges, and nothing else.
#[rstest]
#[case(HOLDS, Effect::Refuse, Outcome::Locked, false)]
#[case(FALSE, Effect::Refuse, Outcome::Unmatched, true)]
#[case(FAILS, Effect::Refuse, Outcome::Locked, false)]
#[case(FAILS, Effect::Bypass, Outcome::Bypassed, true)]
fn locks_hold_what_is_matched(
    #[case] expression: &str,
    #[case] effect: Effect,
    #[case] outcome: Outcome,
    #[case] allowed: bool,
) {
    for failure_policy in [FailurePolicy::Fail, FailurePolicy::Ignore] {
        let definition = conditional(expression, Action::Deny, failure_policy);
        let lock = Lock {
            effect,
            ..lock("it")
        };
        let decision = decide(definition, [lock], &web());
        assert_eq!((decision.outcome, decision.allowed), (outcome, allowed));
    }
}

/// Without room to evaluate it is not known whether they hold.
#[test]
fn a_lock_decides_without_them() {
    let definition = conditional(FALSE, Action::Deny, FailurePolicy::Ignore);
    let cache = cache([object("it", 0, definition)], [lock("it")]);
    let snapshot = cache.snapshot();
    let entry = snapshot.entries().next().unwrap();
    let decision = entry.without_evaluation(Point::Admission, &request());
    assert_eq!(decision.map(|it| it.outcome), Some(Outcome::Locked));
}

/// A policy whose Rego is broken denies at its own match.
#[rstest]
#[case(HOLDS, Outcome::Error)]
#[case(FALSE, Outcome::Unmatched)]
fn a_broken_policy_denies_what_it_would_judge(#[case] expression: &str, #[case] expected: Outcome) {
    let mut definition = conditional(expression, Action::Deny, FailurePolicy::Fail);
    definition.modules = policy(BROKEN).modules;
    let faults = Diagnostic::new("time_invalid", "a setting cannot be read").into();
    let unreadable = Policy::broken_by(definition.clone(), faults);
    assert_eq!(decide(definition, [], &web()).outcome, expected);
    let asked = unreadable.gate().ask(
        &web(),
        unreadable.parameters(),
        &request(),
        unreadable.limits(),
    );
    let is_matched = expected != Outcome::Unmatched;
    assert_eq!(
        asked.verdict == crate::matching::Verdict::Judged,
        is_matched
    );
}

/// Without its conditions a policy is broken, and judges what its rules select.
#[test]
fn conditions_that_do_not_compile_break_the_policy() {
    let definition = conditional("object.metadata.name ==", Action::Deny, FailurePolicy::Fail);
    let broken = Policy::compile(definition.clone());
    let faults = broken.faults().unwrap().to_string();
    assert!(
        faults.contains("condition_invalid") && faults.contains("`only-web`"),
        "{faults}"
    );
    let decision = decide(definition, [], &web());
    assert_eq!(
        (decision.outcome, decision.allowed),
        (Outcome::Error, false)
    );
    assert_eq!(decision.messages[0].code, Code::CompileFailed);
}

/// They are about requests of the API server alone.
#[test]
fn an_evaluation_has_no_conditions() {
    let definition = conditional(FALSE, Action::Deny, FailurePolicy::Fail);
    let decision = decide(definition, [], &Input::Evaluation(None));
    assert_eq!(decision.outcome, Outcome::Denied);
}

/// What conditions look at is read for them, though the policy does not look at it.
#[test]
fn what_conditions_look_at_is_read() {
    let definition = conditional(HOLDS, Action::Deny, FailurePolicy::Fail);
    let cache = cache([object("it", 0, definition)], []);
    let snapshot = cache.snapshot();
    let entries = snapshot.entries().map(AsRef::as_ref);
    let text = br#"{"object": {"spec": {}, "metadata": {"name": "web", "uid": "1"}}}"#;
    let read = Interest::of(Point::Admission, entries).read(text).unwrap();
    assert_eq!(
        read,
        Document::from(&json!({"object": {"metadata": {"name": "web"}}}))
    );
}

/// Conditions that use up the time of their policy again and again rest as a policy does, and the
/// policy says so.
#[test]
fn conditions_that_take_too_long_rest() {
    let slow = "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9].all(a, params.all(b, params.all(c, params.all(d, a != b))))";
    let mut definition = conditional(slow, Action::Deny, FailurePolicy::Fail);
    definition.limits.timeout = Duration::from_millis(5);
    let members = (0..1_000).map(|number| (number.to_string(), json!(number)));
    definition.parameters = members.collect();
    let cache = cache([object("it", 0, definition)], []);
    let snapshot = cache.snapshot();
    let entry = snapshot.entries().next().unwrap();
    for _ in 0..5 {
        assert_eq!(entry.policy.exhausts(), None);
        let decision = entry.decide(&web(), &request());
        assert_eq!(decision.messages[0].code, Code::Timeout);
        assert!(
            decision.messages[0].message.contains("`only-web`"),
            "{decision:?}"
        );
    }
    assert_eq!(entry.policy.exhausts(), Some(Code::Timeout));
    let decision = entry.decide(&web(), &request());
    assert!(
        decision.messages[0].message.contains("is not run until"),
        "{decision:?}"
    );
}
