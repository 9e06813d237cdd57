//! Which policies judge a request.

use rstest::rstest;

use super::*;

#[test]
fn the_newest_version_is_by_number() {
    let version = |version: &str| {
        let address = Address::new(Scope::Cluster, "a", "b", version).unwrap();
        object(version, 0, Definition::new(address, ALLOWING))
    };
    let cache = cache(["1.2", "1.10", "1.9"].map(version), []);
    let snapshot = cache.snapshot();
    let newest = snapshot.find_newest(&Scope::Cluster, "a", "b").unwrap();
    assert_eq!(newest.address().version().as_str(), "1.10");
    assert!(snapshot.find_newest(&Scope::Cluster, "a", "c").is_none());
}

fn subject(group: &str, resource: &str, operation: Operation, namespace: Option<&str>) -> Subject {
    Subject {
        namespace: namespace.map(str::to_owned),
        ..Subject::new(group, resource, operation)
    }
}

#[rstest]
#[case(&[""], &["pods"], "", "pods", true)]
#[case(&[""], &["pods"], "", "pods/exec", false)]
#[case(&[""], &["pods/exec"], "", "pods/exec", true)]
#[case(&[""], &["pods/*"], "", "pods/exec", true)]
#[case(&[""], &["pods/*"], "", "pods", true)]
#[case(&[""], &["*"], "", "pods", true)]
#[case(&[""], &["*"], "", "pods/exec", false)]
#[case(&["*"], &["*/*"], "apps", "deployments", true)]
#[case(&["*"], &["*/*"], "apps", "deployments/scale", true)]
#[case(&["apps"], &["*/scale"], "apps", "deployments/scale", true)]
#[case(&["apps"], &["*/scale"], "apps", "deployments/status", false)]
#[case(&["apps"], &["pods"], "", "pods", false)]
#[case(&["*"], &["pods"], "", "pods", true)]
#[case(&["apps", ""], &["deployments", "pods"], "", "pods", true)]
fn the_index_selects_as_kubernetes_does(
    #[case] groups: &[&str],
    #[case] resources: &[&str],
    #[case] group: &str,
    #[case] resource: &str,
    #[case] selected: bool,
) {
    let mut definition = named(Scope::Cluster, "b");
    definition.admission.as_mut().unwrap().matches = Match::of([rule(
        groups,
        resources,
        &[Operation::Create, Operation::Delete],
    )]);
    let cache = cache([object("it", 0, definition)], []);
    let count = |operation| {
        let subject = subject(group, resource, operation, None);
        let snapshot = cache.snapshot();
        snapshot
            .select(&subject, Objects::default, Route::default())
            .len()
    };
    assert_eq!(count(Operation::Create), usize::from(selected));
    assert_eq!(count(Operation::Delete), usize::from(selected));
    assert_eq!(count(Operation::Update), 0);
}

#[rstest]
#[case("pods", Some("team-a"), Route::default(), &["cluster", "own"])]
#[case("pods", Some("team-b"), Route::default(), &["cluster"])]
#[case("pods", None, Route::default(), &["cluster"])]
#[case("pods", Some("team-a"), route(Some(Owner::Cluster), None), &["cluster"])]
#[case("pods", Some("team-a"), route(Some(Owner::Namespace), None), &["own"])]
#[case("pods", Some("team-a"), route(None, Some(FailurePolicy::Ignore)), &[])]
#[case("pods", Some("team-a"), route(None, Some(FailurePolicy::Fail)), &["cluster", "own"])]
// A Namespace's own name stands as the namespace of its requests; no tenant judges it.
#[case("namespaces", Some("team-a"), Route::default(), &["cluster"])]
fn a_namespaced_policy_judges_its_own_namespace_only(
    #[case] resource: &str,
    #[case] namespace: Option<&str>,
    #[case] route: Route,
    #[case] expected: &[&str],
) {
    let everything = |mut definition: Definition| {
        definition.admission.as_mut().unwrap().matches =
            Match::of([rule(&["*"], &["*/*"], &Operation::ALL)]);
        definition
    };
    let own = everything(named(Scope::Namespace("team-a".to_owned()), "own"));
    let cluster = everything(named(Scope::Cluster, "cluster"));
    let cache = cache([object("own", 0, own), object("cluster", 0, cluster)], []);
    let snapshot = cache.snapshot();
    let subject = subject("", resource, Operation::Create, namespace);
    let names: Vec<_> = snapshot
        .select(&subject, Objects::default, route)
        .iter()
        .map(|entry| entry.address().name())
        .collect();
    assert_eq!(names, expected);
}

/// The API server learns of another failure policy some time after those who answer it.
#[rstest]
#[case(Action::Deny, FailurePolicy::Ignore, &[FailurePolicy::Fail, FailurePolicy::Ignore])]
#[case(Action::Warn, FailurePolicy::Fail, &[FailurePolicy::Fail, FailurePolicy::Ignore])]
#[case(Action::Deny, FailurePolicy::Fail, &[FailurePolicy::Fail])]
fn a_policy_whose_failure_policy_changes_is_asked_at_both(
    #[case] action: Action,
    #[case] failure_policy: FailurePolicy,
    #[case] expected: &[FailurePolicy],
) {
    let with = |action, failure_policy| Definition {
        admission: Some(pods(action, failure_policy)),
        ..policy(DENYING)
    };
    let asked_at = |cache: &Cache| -> Vec<FailurePolicy> {
        let snapshot = cache.snapshot();
        let is_asked = |only: &FailurePolicy| {
            !snapshot
                .select(
                    &subject("", "pods", Operation::Create, None),
                    Objects::default,
                    route(None, Some(*only)),
                )
                .is_empty()
        };
        let both = [FailurePolicy::Fail, FailurePolicy::Ignore];
        both.into_iter().filter(is_asked).collect()
    };
    let changed = object("p", 0, with(action, failure_policy));
    let cache = Cache::new();
    cache.update(|state| {
        state.apply_policy(object("p", 0, with(Action::Deny, FailurePolicy::Fail)));
        state.apply_policy(changed.clone());
    });
    assert_eq!(asked_at(&cache), expected);
    // Another update changes nothing of it; a new object of the name knows nothing of it.
    cache.update(|state| state.apply_policy(changed.clone()));
    assert_eq!(asked_at(&cache), expected);
    cache.update(|state| {
        state.delete_policy(&changed.key);
        state.apply_policy(changed.clone());
    });
    let own = changed.policy.definition().admission.as_ref().unwrap();
    assert_eq!(asked_at(&cache), [own.effective_failure_policy()]);
}

fn route(owner: Option<Owner>, failure_policy: Option<FailurePolicy>) -> Route {
    Route {
        owner,
        failure_policy,
    }
}
