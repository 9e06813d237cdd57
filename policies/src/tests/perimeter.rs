//! What nobody permits is denied within a perimeter.

use rstest::rstest;

use super::*;

/// A policy of the cluster, `a/<name>@1`, that judges the creation of Pods.
fn judging(name: &str, rules: &str, change: impl Fn(&mut Admission)) -> Object {
    let address = Address::new(Scope::Cluster, "a", name, "1").unwrap();
    let mut admission = pods(Action::Deny, FailurePolicy::Fail);
    change(&mut admission);
    let definition = Definition {
        admission: Some(admission),
        ..Definition::new(address, &format!("package a.{name}\n{rules}"))
    };
    object(name, 0, definition)
}

fn plain(_: &mut Admission) {}

/// It objects to nothing.
fn perimeter() -> Object {
    judging("perimeter", "warn := set()", |it| it.require_allow = true)
}

/// The decisions of the call of a route about the creation of a Pod: each policy with its outcome.
fn decided(cache: &Cache, failure_policy: FailurePolicy) -> Vec<(String, Outcome)> {
    let route = Route {
        owner: Some(Owner::Cluster),
        failure_policy: Some(failure_policy),
    };
    let subject = Subject::new("", "pods", Operation::Create).within("shop");
    let panel = cache.snapshot().panel(&subject, Objects::default, route);
    let decisions = panel.decide(&request(), |entry| entry.decide(&review(), &request()));
    let told = decisions.into_iter();
    told.map(|it| (it.policy.name().to_owned(), it.outcome))
        .collect()
}

/// What the perimeter makes of a request beside another policy.
#[rstest]
#[case::nobody_else(None, Outcome::Denied)]
#[case::who_permits(Some(judging("b", "allow if true", plain)), Outcome::Allowed)]
#[case::who_does_not(Some(judging("b", "allow if false", plain)), Outcome::Denied)]
#[case::who_does_not_object(Some(judging("b", "deny if false", plain)), Outcome::Denied)]
#[case::who_allows_by_default(Some(judging("b", "warn if false", plain)), Outcome::Denied)]
#[case::who_permits_and_denies(
    Some(judging("b", "allow if true\ndeny if true", plain)),
    Outcome::Denied
)]
#[case::who_is_broken(Some(judging("b", "allow if {", plain)), Outcome::Denied)]
#[case::who_permits_other_requests(
    Some(judging("b", "allow if true", |it| it.matches.rules[0].resources = vec!["services".to_owned()])),
    Outcome::Denied
)]
#[case::who_is_asked_by_another_call(
    Some(judging("b", "allow if true", |it| it.failure_policy = FailurePolicy::Ignore)),
    Outcome::Allowed
)]
#[case::who_only_warns(
    Some(judging("b", "allow if true", |it| it.action = Action::Warn)),
    Outcome::Allowed
)]
fn somebody_has_to_permit(#[case] other: Option<Object>, #[case] expected: Outcome) {
    let cache = cache([perimeter()].into_iter().chain(other), []);
    let decided = decided(&cache, FailurePolicy::Fail);
    let own = decided.iter().find(|(name, _)| name == "perimeter");
    assert_eq!(
        own.map(|(_, outcome)| *outcome),
        Some(expected),
        "{decided:?}"
    );
}

/// The perimeter's own `allow` is one like any other.
#[test]
fn a_perimeter_may_permit_itself() {
    let own = judging("perimeter", "allow if true", |it| it.require_allow = true);
    let decided = decided(&cache([own], []), FailurePolicy::Fail);
    assert_eq!(decided, [("perimeter".to_owned(), Outcome::Allowed)]);
}

/// A call that does not ask the perimeter hears no witnesses.
#[test]
fn witnesses_decide_nothing() {
    let other = judging("b", "deny if true", |it| {
        it.failure_policy = FailurePolicy::Ignore;
    });
    let cache = cache([perimeter(), other], []);
    let fail = decided(&cache, FailurePolicy::Fail);
    assert_eq!(fail, [("perimeter".to_owned(), Outcome::Denied)]);
    let ignore = decided(&cache, FailurePolicy::Ignore);
    assert_eq!(ignore, [("b".to_owned(), Outcome::Denied)]);
}

/// Whoever owns a namespace cannot let itself in.
#[test]
fn a_namespace_permits_nothing_within_the_clusters_perimeter() {
    let scope = Scope::Namespace("shop".to_owned());
    let address = Address::new(scope, "a", "own", "1").unwrap();
    let own = Definition {
        admission: Some(pods(Action::Deny, FailurePolicy::Fail)),
        ..Definition::new(address, "package a.own\nallow := true")
    };
    let cache = cache([perimeter(), object("own", 0, own)], []);
    let subject = Subject::new("", "pods", Operation::Create).within("shop");
    let snapshot = cache.snapshot();
    let panel = snapshot.panel(&subject, Objects::default, Route::default());
    let decisions = panel.decide(&request(), |entry| entry.decide(&review(), &request()));
    let outcomes: Vec<Outcome> = decisions.iter().map(|it| it.outcome).collect();
    assert_eq!(outcomes, [Outcome::Denied, Outcome::Allowed]);
}

/// What a denial does is the perimeter's own action.
#[rstest]
#[case(Action::Deny, (false, 1, 0))]
#[case(Action::Warn, (true, 0, 1))]
#[case(Action::Audit, (true, 1, 0))]
fn a_perimeter_has_an_action(#[case] action: Action, #[case] expected: (bool, usize, usize)) {
    let perimeter = judging("perimeter", "warn := set()", |it| {
        it.require_allow = true;
        it.action = action;
    });
    let subject = Subject::new("", "pods", Operation::Create).within("shop");
    let snapshot = cache([perimeter], []).snapshot();
    let panel = snapshot.panel(&subject, Objects::default, Route::default());
    let decisions = panel.decide(&request(), |entry| entry.decide(&review(), &request()));
    assert_eq!(seen(&decisions[0]), expected);
}

/// Where the perimeter itself does not judge, nobody has to permit.
#[test]
fn a_perimeter_that_is_bypassed_asks_for_nothing() {
    let bypass = Lock {
        effect: Effect::Bypass,
        ..lock("it")
    };
    let cache = cache([perimeter()], [bypass]);
    let decided = decided(&cache, FailurePolicy::Fail);
    assert_eq!(decided, [("perimeter".to_owned(), Outcome::Bypassed)]);
}

#[test]
fn a_perimeter_is_the_clusters() {
    let scope = Scope::Namespace("shop".to_owned());
    let address = Address::new(scope, "a", "own", "1").unwrap();
    let mut admission = pods(Action::Deny, FailurePolicy::Fail);
    admission.require_allow = true;
    let own = Definition {
        admission: Some(admission),
        ..Definition::new(address, "package a.own\nallow := true")
    };
    let faults = Policy::compile(own).faults().unwrap().to_string();
    assert!(faults.contains("perimeter_invalid"), "{faults}");
}
