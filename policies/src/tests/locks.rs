//! Which policies a lock covers, and what it does.

use rstest::rstest;

use super::*;

#[rstest]
#[case(Action::Deny, FailurePolicy::Fail, (false, 1, 0))]
#[case(Action::Deny, FailurePolicy::Ignore, (false, 1, 0))]
#[case(Action::Warn, FailurePolicy::Fail, (true, 0, 1))]
#[case(Action::Audit, FailurePolicy::Fail, (true, 1, 0))]
fn a_lock_that_refuses_denies_whatever_the_failure_policy(
    #[case] action: Action,
    #[case] failure_policy: FailurePolicy,
    #[case] expected: (bool, usize, usize),
) {
    let definition = Definition {
        admission: Some(pods(action, failure_policy)),
        ..policy(ALLOWING)
    };
    let decision = decide(definition, [lock("incident")], &review());
    assert_eq!(seen(&decision), expected);
    assert_eq!(decision.outcome, Outcome::Locked);
    assert_eq!(decision.lock.unwrap().name, "ClusterLock incident");
}

#[rstest]
#[case(None, None, Outcome::Locked)]
#[case(Some(1_001), None, Outcome::Locked)]
#[case(Some(1_000), None, Outcome::Allowed)]
#[case(Some(999), None, Outcome::Allowed)]
#[case(None, Some(Points { admission: false, evaluation: true }), Outcome::Allowed)]
#[case(None, Some(Points { admission: true, evaluation: false }), Outcome::Locked)]
fn a_lock_holds_until_it_expires_at_its_points(
    #[case] expires_at: Option<i64>,
    #[case] points: Option<Points>,
    #[case] expected: Outcome,
) {
    let lock = Lock {
        expires_at: expires_at.map(at),
        points: points.unwrap_or(Points::ALL),
        ..lock("it")
    };
    let admission = Some(pods(Action::Deny, FailurePolicy::Fail));
    let decision = decide(
        Definition {
            admission,
            ..policy(ALLOWING)
        },
        [lock],
        &review(),
    );
    assert_eq!(decision.outcome, expected);
}

#[rstest]
#[case(Target::All, true)]
#[case(target("a", None, None), true)]
#[case(target("a", Some("b"), None), true)]
#[case(target("a", Some("b"), Some("1")), true)]
#[case(target("a", Some("b"), Some("1.0")), false)]
#[case(target("a", Some("c"), None), false)]
#[case(target("b", None, None), false)]
#[case(Target::Selector(selector("team", "web")), true)]
#[case(Target::Selector(selector("team", "db")), false)]
#[case(Target::Selector(LabelSelector::default()), false)]
fn a_lock_covers_its_target(#[case] target: Target, #[case] covered: bool) {
    let mut definition = policy(ALLOWING);
    definition
        .labels
        .insert("team".to_owned(), "web".to_owned());
    let decision = decide(
        definition,
        [Lock {
            target,
            ..lock("it")
        }],
        &Input::Evaluation(None),
    );
    assert_eq!(decision.outcome == Outcome::Locked, covered);
}

fn target(group: &str, name: Option<&str>, version: Option<&str>) -> Target {
    Target::Policy {
        group: group.to_owned(),
        name: name.map(str::to_owned),
        version: version.map(|version| version.parse().unwrap()),
    }
}

fn selector(key: &str, value: &str) -> LabelSelector {
    LabelSelector {
        match_labels: [(key.to_owned(), value.to_owned())].into(),
        ..LabelSelector::default()
    }
}

#[rstest]
// a Lock reaches its own namespace's policies
#[case(Reach::Namespace("team-a".into()), Scope::Namespace("team-a".into()), Effect::Refuse, true)]
#[case(Reach::Namespace("team-a".into()), Scope::Namespace("team-b".into()), Effect::Refuse, false)]
#[case(Reach::Namespace("team-a".into()), Scope::Cluster, Effect::Refuse, false)]
// a ClusterLock the cluster's, and with a selector those of namespaces
#[case(Reach::Cluster { namespaces: None }, Scope::Cluster, Effect::Refuse, true)]
#[case(Reach::Cluster { namespaces: None }, Scope::Namespace("team-a".into()), Effect::Refuse, false)]
#[case(Reach::Cluster { namespaces: Some(selector("env", "prod")) }, Scope::Namespace("team-a".into()), Effect::Refuse, true)]
#[case(Reach::Cluster { namespaces: Some(selector("env", "test")) }, Scope::Namespace("team-a".into()), Effect::Refuse, false)]
// a namespace whose labels are not known yet: what permits less
#[case(Reach::Cluster { namespaces: Some(selector("env", "prod")) }, Scope::Namespace("new".into()), Effect::Refuse, true)]
#[case(Reach::Cluster { namespaces: Some(selector("env", "prod")) }, Scope::Namespace("new".into()), Effect::Bypass, false)]
fn a_lock_reaches_its_scope(
    #[case] reach: Reach,
    #[case] scope: Scope,
    #[case] effect: Effect,
    #[case] reached: bool,
) {
    let definition = named(scope, "b");
    let address = definition.address.clone();
    let cache = cache(
        [object("it", 0, definition)],
        [Lock {
            reach,
            effect,
            ..lock("it")
        }],
    );
    cache.update(|state| {
        state.apply_namespace("team-a", [("env".to_owned(), "prod".to_owned())].into());
    });
    assert_eq!(
        !cache.snapshot().find(&address).unwrap().locks.is_empty(),
        reached
    );
}

#[test]
fn a_bypass_allows_without_evaluating_but_never_a_guardrail() {
    let bypass = || Lock {
        effect: Effect::Bypass,
        ..lock("break-glass")
    };
    let decision = decide(policy(DENYING), [bypass()], &Input::Evaluation(None));
    assert_eq!(
        (decision.allowed, decision.outcome),
        (true, Outcome::Bypassed)
    );
    assert_eq!(decision.lock.unwrap().effect, Effect::Bypass);

    let guardrail = Definition {
        guardrail: true,
        ..policy(DENYING)
    };
    let decision = decide(guardrail, [bypass()], &Input::Evaluation(None));
    assert_eq!(
        (decision.allowed, decision.outcome),
        (false, Outcome::Denied)
    );
}

#[test]
fn of_two_locks_the_one_that_refuses_wins() {
    let bypass = Lock {
        effect: Effect::Bypass,
        ..lock("a")
    };
    let decision = decide(
        policy(ALLOWING),
        [bypass, lock("b")],
        &Input::Evaluation(None),
    );
    assert_eq!(
        (decision.allowed, decision.outcome),
        (false, Outcome::Locked)
    );
}
