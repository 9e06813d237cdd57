//! What follows from a judgement, and what happens when a policy cannot answer.

use rstest::rstest;

use super::*;

#[rstest]
#[case(ALLOWING, [(true, 0, 0), (true, 0, 0), (true, 0, 0), (true, 0, 0)])]
#[case(DENYING, [(false, 1, 0), (false, 1, 0), (true, 0, 1), (true, 1, 0)])]
#[case(WARNING, [(true, 0, 1), (true, 0, 1), (true, 0, 1), (true, 1, 0)])]
#[case(BROKEN, [(false, 1, 0), (true, 0, 1), (true, 0, 1), (true, 1, 0)])]
#[case(FAILING, [(false, 1, 0), (true, 0, 1), (true, 0, 1), (true, 1, 0)])]
#[case(MALFORMED, [(false, 1, 0), (true, 0, 1), (true, 0, 1), (true, 1, 0)])]
fn actions_decide_what_follows(#[case] source: &str, #[case] expected: [(bool, usize, usize); 4]) {
    let settings = [
        (Action::Deny, FailurePolicy::Fail),
        (Action::Deny, FailurePolicy::Ignore),
        (Action::Warn, FailurePolicy::Fail),
        (Action::Audit, FailurePolicy::Fail),
    ];
    let decisions = settings.map(|(action, failure_policy)| {
        let admission = Some(pods(action, failure_policy));
        seen(&decide(
            Definition {
                admission,
                ..policy(source)
            },
            [],
            &review(),
        ))
    });
    assert_eq!(decisions, expected);
}

#[rstest]
#[case(BROKEN, "POLICY.COMPILE_FAILED")]
#[case(FAILING, "POLICY.EVALUATION_FAILED")]
#[case(MALFORMED, "POLICY.OUTPUT_INVALID")]
#[case(DENYING, "POLICY.DENIED_EVALUATION")]
fn an_evaluation_that_is_not_allowed_has_a_code(#[case] source: &str, #[case] code: &str) {
    let decision = decide(policy(source), [], &Input::Evaluation(None));
    assert!(!decision.allowed);
    assert_eq!(decision.code().unwrap().as_str(), code);
}

#[test]
fn a_broken_policy_says_where() {
    let decision = decide(policy(BROKEN), [], &Input::Evaluation(None));
    assert!(
        decision.messages[0].message.contains("policy.rego:2:"),
        "{decision:?}"
    );
}

#[test]
fn outside_its_window_a_policy_is_not_asked_at_admission_and_answers_by_name() {
    let window = Window {
        not_before: Some(at(1_001)),
        not_after: None,
    };
    let admission = Some(pods(Action::Deny, FailurePolicy::Fail));
    let definition = Definition {
        admission,
        window,
        ..policy(DENYING)
    };
    let decision = decide(definition.clone(), [], &review());
    assert_eq!(
        (decision.allowed, decision.outcome),
        (true, Outcome::NotInForce)
    );
    let decision = decide(definition, [], &Input::Evaluation(None));
    assert_eq!(decision.code().unwrap().as_str(), "POLICY.NOT_IN_FORCE");
    assert!(!decision.allowed);
}

#[test]
fn without_an_answer_the_failure_policy_decides() {
    type Unanswered = fn(&Entry, Point, &Request) -> Decision;
    let unanswered = |failure_policy, answer: Unanswered| {
        let admission = Some(pods(Action::Deny, failure_policy));
        let cache = cache(
            [object(
                "it",
                0,
                Definition {
                    admission,
                    ..policy(ALLOWING)
                },
            )],
            [],
        );
        let snapshot = cache.snapshot();
        let entry = snapshot.entries().next().unwrap();
        answer(entry, Point::Admission, &request())
    };
    let table: [(Unanswered, &str); 3] = [
        (Entry::overloaded, "POLICY.OVERLOADED"),
        (Entry::failed, "POLICY.EVALUATION_FAILED"),
        (
            |entry, point, request| entry.unreadable(point, request, "it is too deep"),
            "POLICY.INPUT_INVALID",
        ),
    ];
    for (answer, code) in table {
        let denied = unanswered(FailurePolicy::Fail, answer);
        assert_eq!(seen(&denied), (false, 1, 0));
        assert_eq!(denied.code().unwrap().as_str(), code);
        assert_eq!(
            seen(&unanswered(FailurePolicy::Ignore, answer)),
            (true, 0, 1)
        );
    }
}

#[test]
fn parameters_that_break_their_schema_break_the_policy() {
    let mut definition = policy(ALLOWING);
    definition.parameters_schema = Some(json!({"required": ["registries"]}));
    definition.admission = Some(pods(Action::Deny, FailurePolicy::Fail));
    let compiled = Policy::compile(definition.clone());
    let text = compiled.faults().unwrap().to_string();
    assert!(
        text.contains("parameters_invalid") && text.contains("registries"),
        "{text}"
    );

    definition
        .parameters
        .insert("registries".to_owned(), json!([]));
    assert_eq!(Policy::compile(definition.clone()).faults(), None);

    definition.parameters_schema = Some(json!({"type": 5}));
    let text = Policy::compile(definition).faults().unwrap().to_string();
    assert!(text.contains("parameters_schema_invalid"), "{text}");
}

#[test]
fn a_decision_is_written_in_camel_case() {
    let admission = Some(pods(Action::Deny, FailurePolicy::Fail));
    let decision = decide(
        Definition {
            admission,
            ..policy(DENYING)
        },
        [],
        &review(),
    );
    insta::assert_json_snapshot!(decision);
    let decision = decide(
        policy(ALLOWING),
        [lock("incident")],
        &Input::Evaluation(None),
    );
    insta::assert_json_snapshot!(decision);
}

/// Takes a thousand million steps, unless it is asked to be fast.
const SLOW: &str = "package a.b\nallow if input.fast\nallow if {\n\tnot input.fast\n\
                    \tsome a in numbers.range(1, 1000)\n\tsome b in numbers.range(1, 1000)\n\
                    \tsome c in numbers.range(1, 1000)\n\ta + b + c < 0\n}";

#[test]
fn a_policy_that_uses_up_its_limits_again_and_again_rests_alone() {
    let mut slow = policy(SLOW);
    slow.limits.timeout = Duration::from_millis(20);
    let cache = cache(
        [
            object("slow", 0, slow),
            object("other", 0, named(Scope::Cluster, "other")),
        ],
        [],
    );
    let snapshot = cache.snapshot();
    let entry = snapshot.find(&"a/b@1".parse().unwrap()).unwrap();
    let asked = |second, input: serde_json::Value| {
        let request = Request {
            now: at(second),
            ..request()
        };
        let input = Input::Evaluation(Some(Document::from(&input)));
        entry.decide(&input, &request)
    };
    let said = |decision: &Decision| decision.messages[0].message.clone();
    for _ in 0..5 {
        assert_eq!(entry.policy.exhausts(), None);
        let decision = asked(0, json!({}));
        assert!(
            said(&decision).contains("took longer than 20ms"),
            "{decision:?}"
        );
    }
    // Whatever it is asked, it is answered for, with the same code.
    let decision = asked(0, json!({"fast": true}));
    assert!(!decision.allowed);
    assert_eq!(decision.code().unwrap().as_str(), "POLICY.TIMEOUT");
    assert!(said(&decision).contains("is not run until"), "{decision:?}");
    assert_eq!(entry.policy.exhausts(), Some(Code::Timeout));
    let other = snapshot.find(&"a/other@1".parse().unwrap()).unwrap();
    assert!(other.decide(&review(), &request()).allowed);
    // Admission has a breaker of its own.
    assert!(said(&entry.decide(&review(), &request())).contains("took longer"));
    assert!(asked(10, json!({"fast": true})).allowed);
    assert_eq!(entry.policy.exhausts(), None);
}

#[test]
fn a_request_without_time_is_no_fault_of_the_policy() {
    let mut slow = policy(SLOW);
    slow.limits.timeout = Duration::from_secs(5);
    let entry = object("slow", 0, slow);
    let hasty = Request {
        budget: Duration::from_millis(5),
        ..request()
    };
    for _ in 0..20 {
        let judged =
            entry
                .policy
                .judge(&Input::Evaluation(None), entry.policy.parameters(), &hasty);
        assert!(format!("{judged:?}").contains("took longer"), "{judged:?}");
    }
    assert_eq!(entry.policy.exhausts(), None);
}
