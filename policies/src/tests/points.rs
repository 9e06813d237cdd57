//! What a denial does where the API server asks, and where a tool asks in its place.

use rstest::rstest;

use super::*;

const POINTS: [Option<Tool>; 3] = [None, Some(Tool::Check), Some(Tool::Audit)];

/// Each point says `Deny` or another action, whatever the others say.
#[rstest]
#[case(Action::Deny, ActionAt::default(), [Action::Deny; 3])]
#[case(Action::Warn, ActionAt::default(), [Action::Warn; 3])]
#[case(Action::Warn, ActionAt { check: Some(Action::Deny), audit: None },
    [Action::Warn, Action::Deny, Action::Warn])]
#[case(Action::Deny, ActionAt { check: Some(Action::Warn), audit: Some(Action::Audit) },
    [Action::Deny, Action::Warn, Action::Audit])]
fn each_point_has_its_action(
    #[case] action: Action,
    #[case] action_at: ActionAt,
    #[case] expected: [Action; 3],
) {
    let admission = Admission {
        action_at,
        ..pods(action, FailurePolicy::Fail)
    };
    let definition = Definition {
        admission: Some(admission),
        ..policy(DENYING)
    };
    let cache = cache([object("it", 0, definition)], []);
    let snapshot = cache.snapshot();
    let entry = snapshot.entries().next().unwrap();
    let decided = POINTS.map(|tool| {
        let request = Request { tool, ..request() };
        seen(&entry.decide(&review(), &request))
    });
    let follows = |action| match action {
        Action::Deny => (false, 1, 0),
        Action::Warn => (true, 0, 1),
        Action::Audit => (true, 1, 0),
    };
    assert_eq!(decided, expected.map(follows));
}

/// The API server registers, and asks, by what admission does.
#[test]
fn the_failure_policy_is_admissions() {
    let admission = Admission {
        action_at: ActionAt {
            check: Some(Action::Deny),
            audit: Some(Action::Deny),
        },
        ..pods(Action::Warn, FailurePolicy::Fail)
    };
    assert_eq!(admission.effective_failure_policy(), FailurePolicy::Ignore);
}

/// What may go wrong with a policy that is asked, and how it is asked then.
type Failure = (
    &'static str,
    fn(Definition) -> Object,
    fn(&Entry, &Request) -> Decision,
);

fn sound(definition: Definition) -> Object {
    object("it", 0, definition)
}

fn with(definition: Definition, source: &str) -> Object {
    sound(Definition {
        modules: policy(source).modules,
        ..definition
    })
}

fn decide_pod(entry: &Entry, request: &Request) -> Decision {
    entry.decide(&review(), request)
}

const FAILURES: [Failure; 12] = [
    ("denied", |it| with(it, DENYING), decide_pod),
    ("broken", |it| with(it, BROKEN), decide_pod),
    ("failing", |it| with(it, FAILING), decide_pod),
    ("malformed", |it| with(it, MALFORMED), decide_pod),
    (
        "unread",
        |it| {
            let fault = Diagnostic::new("spec_invalid", "it is no spec");
            Object {
                policy: Arc::new(Policy::broken_by(it.clone(), fault.into())),
                ..sound(it)
            }
        },
        decide_pod,
    ),
    (
        "condition",
        |mut it| {
            it.admission.as_mut().unwrap().matches.conditions = vec![Condition {
                name: "fails".to_owned(),
                expression: "object.spec.missing == 1".to_owned(),
            }];
            sound(it)
        },
        decide_pod,
    ),
    (
        "parameters",
        |it| {
            sound(Definition {
                parameters_schema: Some(json!({"required": ["limit"]})),
                ..it
            })
        },
        decide_pod,
    ),
    (
        "late",
        |it| {
            with(
                it,
                "package a.b\nallow if count(numbers.range(1, 100000)) > 1",
            )
        },
        |entry, request| {
            let request = Request {
                budget: Duration::ZERO,
                ..request.clone()
            };
            entry.decide(&review(), &request)
        },
    ),
    ("overloaded", sound, |entry, request| {
        entry.overloaded(Point::Admission, request)
    }),
    ("failed", sound, |entry, request| {
        entry.failed(Point::Admission, request)
    }),
    ("unreadable", sound, |entry, request| {
        entry.unreadable(Point::Admission, request, "it is too deep")
    }),
    (
        "template",
        |mut it| {
            it.admission.as_mut().unwrap().matches.workloads = Workload::of_kubernetes().collect();
            sound(it)
        },
        |entry, request| {
            let deployment = json!({
                "operation": "CREATE",
                "resource": {"group": "apps", "version": "v1", "resource": "deployments"},
                "object": {"spec": {}},
            });
            let input = Input::Admission(Document::from(&deployment));
            let templates = entry.of_templates().unwrap();
            templates.decide(&input, request)
        },
    ),
];

/// `Warn` and `Audit` never deny, and `Deny` always does, at each point and whatever fails.
#[rstest]
fn what_fails_follows_the_action(
    #[values(Action::Deny, Action::Warn, Action::Audit)] action: Action,
    #[values(false, true)] locked: bool,
) {
    for (what, make, ask) in FAILURES {
        for tool in POINTS {
            // The other points say otherwise.
            let other = if action == Action::Deny {
                Action::Audit
            } else {
                Action::Deny
            };
            let mut admission = pods(other, FailurePolicy::Fail);
            match tool {
                None => {
                    admission.action = action;
                    admission.action_at = ActionAt {
                        check: Some(other),
                        audit: Some(other),
                    };
                }
                Some(Tool::Check) => admission.action_at.check = Some(action),
                Some(Tool::Audit) => admission.action_at.audit = Some(action),
            }
            let made = make(Definition {
                admission: Some(admission),
                ..policy(ALLOWING)
            });
            let locks = locked.then(|| lock("incident"));
            let cache = cache([made], locks);
            let snapshot = cache.snapshot();
            let entry = snapshot.entries().next().unwrap();
            let request = Request { tool, ..request() };
            let decision = match entry.without_evaluation(Point::Admission, &request) {
                Some(decision) if locked => decision,
                _ => ask(entry, &request),
            };
            let expected = match action {
                Action::Deny => (false, 1, 0),
                Action::Warn => (true, 0, 1),
                Action::Audit => (true, 1, 0),
            };
            assert_eq!(
                seen(&decision),
                expected,
                "{what} at {tool:?}: {decision:?}"
            );
        }
    }
}
