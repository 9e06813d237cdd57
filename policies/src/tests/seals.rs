//! Policies that are taken out of evaluation at once, until a lock is.

use rstest::rstest;

use super::*;

const SCHEMA: &str = "package a.b\nallow := true";

fn failing() -> Definition {
    Definition {
        output: Some(Output {
            schema: json!({"required": ["did"]}),
            locks: true,
        }),
        admission: Some(pods(Action::Deny, FailurePolicy::Fail)),
        ..policy(SCHEMA)
    }
}

/// A cache with the policy, sealed.
fn sealed() -> Cache {
    let cache = cache([object("it", 0, failing())], []);
    let policy = cache
        .snapshot()
        .find(&failing().address)
        .unwrap()
        .policy
        .clone();
    assert!(cache.update(|state| state.seal(&policy, at(1))));
    let again = cache.update(|state| state.seal(&policy, at(2)));
    let since = cache.snapshot().sealed_since(&failing().address);
    assert_eq!((again, since), (false, Some(at(1))));
    cache
}

fn outcome(cache: &Cache, input: &Input) -> Outcome {
    let snapshot = cache.snapshot();
    let entry = snapshot.find(&failing().address).unwrap();
    let decision = entry.decide(input, &request());
    let is_sealed = snapshot.sealed_since(entry.address()).is_some();
    let lock = decision.lock.filter(|lock| lock.name == "seal a/b@1");
    assert_eq!(is_sealed, lock.is_some());
    decision.outcome
}

/// The lock that the operator makes.
fn its_lock() -> Lock {
    Lock {
        target: Target::Policy {
            group: "a".to_owned(),
            name: Some("b".to_owned()),
            version: Some("1".parse().unwrap()),
        },
        ..lock("http-a.b.1")
    }
}

#[test]
fn a_sealed_policy_is_not_evaluated_and_judges_at_admission() {
    let cache = sealed();
    assert_eq!(outcome(&cache, &Input::Evaluation(None)), Outcome::Locked);
    let entry = cache.snapshot().find(&failing().address).unwrap().clone();
    assert_eq!(
        entry.decide(&review(), &request()).outcome,
        Outcome::Allowed
    );
}

#[test]
fn a_lock_takes_the_place_of_a_seal_for_good() {
    let cache = sealed();
    cache.update(|state| state.apply_lock(its_lock()));
    let decision = |cache: &Cache| {
        let entry = cache.snapshot().find(&failing().address).unwrap().clone();
        entry.decide(&Input::Evaluation(None), &request())
    };
    assert_eq!(
        decision(&cache).lock.unwrap().name,
        "ClusterLock http-a.b.1"
    );
    cache.update(|state| state.delete_lock(&its_lock().key));
    assert_eq!(decision(&cache).outcome, Outcome::Allowed);
}

/// They may have been made for another reason, and go for another one.
#[rstest]
#[case::of_all(lock("incident"))]
#[case::with_an_end(Lock { expires_at: Some(at(2_000)), ..its_lock() })]
#[case::of_admission(Lock { points: Points { admission: true, evaluation: false }, ..its_lock() })]
#[case::bypassing(Lock { effect: Effect::Bypass, ..its_lock() })]
#[case::of_another_version(Lock { target: Target::Policy { group: "a".to_owned(), name: None, version: None }, ..its_lock() })]
fn other_locks_leave_it_sealed(#[case] other: Lock) {
    let cache = sealed();
    let key = other.key.clone();
    cache.update(|state| state.apply_lock(other));
    cache.update(|state| state.delete_lock(&key));
    assert_eq!(outcome(&cache, &Input::Evaluation(None)), Outcome::Locked);
}

#[test]
fn a_policy_that_has_changed_is_not_sealed() {
    let cache = sealed();
    let old = cache
        .snapshot()
        .find(&failing().address)
        .unwrap()
        .policy
        .clone();
    cache.update(|state| state.apply_policy(object("it", 0, policy(SCHEMA))));
    assert_eq!(outcome(&cache, &Input::Evaluation(None)), Outcome::Allowed);
    assert!(
        !cache.update(|state| state.seal(&old, at(2))),
        "it was another one"
    );
    assert_eq!(outcome(&cache, &Input::Evaluation(None)), Outcome::Allowed);
}

#[test]
fn a_schema_that_cannot_be_used_breaks_the_policy() {
    let output = Output {
        schema: json!({"type": "text"}),
        locks: false,
    };
    let policy = Policy::compile(Definition {
        output: Some(output),
        ..policy(SCHEMA)
    });
    let faults = policy.faults().unwrap();
    assert_eq!(faults.iter().next().unwrap().code, "output_schema_invalid");
}
