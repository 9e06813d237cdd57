//! Versions that are asked beside the one in force.

use rstest::rstest;

use super::*;
use crate::shadow::{Difference, difference};

fn version(version: &str, source: &str) -> Definition {
    let address = format!("a/b@{version}").parse().unwrap();
    Definition {
        admission: Some(pods(Action::Deny, FailurePolicy::Fail)),
        ..Definition::new(address, source)
    }
}

fn shadow(own: &str, source: &str) -> Definition {
    Definition {
        shadow: true,
        ..version(own, source)
    }
}

fn on(resource: &str, definition: Definition) -> Definition {
    let mut admission = definition.admission.clone().unwrap();
    admission.matches.rules[0].resources = vec![resource.to_owned()];
    Definition {
        admission: Some(admission),
        ..definition
    }
}

fn with(definitions: Vec<Definition>) -> Arc<Snapshot> {
    let objects = (0..).zip(definitions);
    let objects = objects.map(|(number, it)| object(&format!("o{number}"), number, it));
    cache(objects, []).snapshot()
}

fn route(failure_policy: FailurePolicy) -> Route {
    Route {
        owner: Some(Owner::Cluster),
        failure_policy: Some(failure_policy),
    }
}

/// Who is asked about a Pod by a route, and which shadows are compared with what.
fn asked(snapshot: &Snapshot, failure_policy: FailurePolicy) -> (Vec<String>, Vec<String>) {
    let subject = Subject {
        namespace: Some("team-a".to_owned()),
        ..Subject::new("", "pods", Operation::Create)
    };
    let route = route(failure_policy);
    let entries = snapshot.select(&subject, Objects::default, route);
    let entries: Vec<_> = entries.into_iter().cloned().collect();
    let comparisons = snapshot.comparisons(&subject, Objects::default, route, &entries);
    let version = |entry: &Entry| entry.address().version().to_string();
    let pairs = comparisons.iter().map(|comparison| {
        let pair = &comparison.pair;
        format!("{} with {}", version(&pair.shadow), version(&pair.in_force))
    });
    (
        entries.iter().map(|entry| version(entry)).collect(),
        pairs.collect(),
    )
}

#[rstest]
#[case::beside_another(vec![version("1", ALLOWING), shadow("2", DENYING)], &["1"], &["2 with 1"], &[])]
#[case::alone(vec![shadow("2", DENYING)], &[], &[], &[])]
#[case::older_than_the_one_in_force(vec![shadow("1", DENYING), version("2", ALLOWING)], &["2"], &["1 with 2"], &[])]
#[case::with_the_newest(
    vec![version("1", ALLOWING), version("1.10", ALLOWING), version("1.9", ALLOWING), shadow("2", DENYING)],
    &["1", "1.9", "1.10"], &["2 with 1.10"], &[]
)]
#[case::two(vec![version("1", ALLOWING), shadow("2", DENYING), shadow("3", DENYING)],
    &["1"], &["2 with 1", "3 with 1"], &[])]
#[case::only_the_one_in_force_judges(
    vec![version("1", ALLOWING), on("services", shadow("2", DENYING))], &["1"], &["2 with 1"], &[]
)]
#[case::only_the_shadow_judges(
    vec![on("services", version("1", ALLOWING)), shadow("2", DENYING)], &[], &[], &["2 with 1"]
)]
#[case::neither_judges(
    vec![on("services", version("1", ALLOWING)), on("services", shadow("2", DENYING))], &[], &[], &[]
)]
#[case::broken(vec![version("1", ALLOWING), shadow("2", BROKEN)], &["1"], &["2 with 1"], &[])]
fn a_shadow_is_compared_once_and_never_asked(
    #[case] definitions: Vec<Definition>,
    #[case] acting: &[&str],
    #[case] by_fail: &[&str],
    #[case] by_ignore: &[&str],
) {
    let snapshot = with(definitions);
    let owned =
        |texts: &[&str]| -> Vec<String> { texts.iter().map(|text| (*text).to_owned()).collect() };
    let fail = asked(&snapshot, FailurePolicy::Fail);
    assert_eq!(fail, (owned(acting), owned(by_fail)));
    let ignore = asked(&snapshot, FailurePolicy::Ignore);
    assert_eq!(ignore, (Vec::new(), owned(by_ignore)));
}

/// A shadow of a namespace is compared there, and nowhere else.
#[rstest]
#[case::there(Some("team-a"), Owner::Namespace, 1)]
#[case::elsewhere(Some("team-b"), Owner::Namespace, 0)]
#[case::nowhere(None, Owner::Namespace, 0)]
#[case::by_the_route_of_the_cluster(Some("team-a"), Owner::Cluster, 0)]
fn a_namespace_has_shadows_of_its_own(
    #[case] namespace: Option<&str>,
    #[case] owner: Owner,
    #[case] expected: usize,
) {
    let within = |definition: Definition| {
        let version = definition.address.version().to_string();
        let scope = Scope::Namespace("team-a".to_owned());
        let address = Address::new(scope, "a", "b", &version).unwrap();
        Definition {
            address,
            ..definition
        }
    };
    let in_force = on("services", version("1", ALLOWING));
    let snapshot = with(vec![within(in_force), within(shadow("2", DENYING))]);
    let subject = Subject {
        namespace: namespace.map(str::to_owned),
        ..Subject::new("", "pods", Operation::Create)
    };
    let route = Route {
        owner: Some(owner),
        failure_policy: Some(FailurePolicy::Ignore),
    };
    let comparisons = snapshot.comparisons(&subject, Objects::default, route, &[]);
    assert_eq!(comparisons.len(), expected);
}

#[test]
fn a_shadow_is_registered_where_failures_are_ignored_and_moves_when_it_is_promoted() {
    let cache = cache([object("o", 0, shadow("2", DENYING))], []);
    let failure_policy = |cache: &Cache| {
        let snapshot = cache.snapshot();
        snapshot
            .find(&"a/b@2".parse().unwrap())
            .unwrap()
            .failure_policy()
    };
    assert_eq!(failure_policy(&cache), Some(FailurePolicy::Ignore));
    cache.update(|state| state.apply_policy(object("o", 0, version("2", DENYING))));
    assert_eq!(failure_policy(&cache), Some(FailurePolicy::Fail));
    // Until the API server knows of it, it asks at the old one.
    for route in [FailurePolicy::Fail, FailurePolicy::Ignore] {
        assert_eq!(asked(&cache.snapshot(), route).0, ["2"]);
    }
}

#[test]
fn a_shadow_takes_no_place_until_it_is_promoted() {
    let promoted = Definition {
        supersedes: Some("1".parse().unwrap()),
        ..version("2", ALLOWING)
    };
    let before = Definition {
        shadow: true,
        ..promoted.clone()
    };
    let cache = cache(
        [
            object("o1", 0, version("1", ALLOWING)),
            object("o2", 1, before),
        ],
        [],
    );
    cache.update(|state| state.supersede(at(0)));
    assert_eq!(asked(&cache.snapshot(), FailurePolicy::Fail).0, ["1"]);
    cache.update(|state| state.apply_policy(object("o2", 1, promoted)));
    assert_eq!(asked(&cache.snapshot(), FailurePolicy::Fail).0, ["2"]);
}

#[test]
fn a_shadow_is_not_the_newest_version_and_needs_admission() {
    let snapshot = with(vec![version("1", ALLOWING), shadow("2", DENYING)]);
    let newest = snapshot.find_newest(&Scope::Cluster, "a", "b").unwrap();
    assert_eq!(newest.address().version().as_str(), "1");
    let without = Definition {
        admission: None,
        ..shadow("2", DENYING)
    };
    let policy = Policy::compile(without);
    let fault = policy.faults().unwrap().iter().next().unwrap();
    assert_eq!(fault.code, "shadow_invalid");
}

const OTHER_WORDS: &str = "package a.b\ndeny contains \"never\" if true";

/// What comes of a shadow of `source` beside a version in force.
#[rstest]
#[case::same(ALLOWING, ALLOWING, "same")]
#[case::both_deny(DENYING, DENYING, "same")]
#[case::stricter(ALLOWING, DENYING, "stricter")]
#[case::looser(DENYING, ALLOWING, "looser")]
#[case::other_words(DENYING, OTHER_WORDS, "messages")]
#[case::warns(ALLOWING, WARNING, "messages")]
#[case::broken(ALLOWING, BROKEN, "failed")]
#[case::fails(DENYING, FAILING, "failed")]
#[case::replaces_what_fails(FAILING, ALLOWING, "looser")]
fn what_differs_is_told(#[case] in_force: &str, #[case] source: &str, #[case] expected: &str) {
    assert_eq!(
        compare(&with(vec![version("1", in_force), shadow("2", source)])),
        expected
    );
}

#[test]
fn what_a_lock_or_the_clock_decides_is_not_compared() {
    let definitions = || vec![version("1", ALLOWING), shadow("2", DENYING)];
    let objects = (0..).zip(definitions());
    let objects = objects.map(|(number, it)| object(&format!("o{number}"), number, it));
    assert_eq!(
        compare(&cache(objects, [lock("it")]).snapshot()),
        "not compared"
    );
    let mut later = definitions();
    later[1].window.not_before = Some(at(2_000));
    assert_eq!(compare(&with(later)), "not compared");
}

#[test]
fn what_a_perimeter_lets_pass_hangs_on_others() {
    let perimeter = |source| {
        let mut shadow = shadow("2", source);
        shadow.admission.as_mut().unwrap().require_allow = true;
        with(vec![version("1", ALLOWING), shadow])
    };
    assert_eq!(compare(&perimeter(ALLOWING)), "not compared");
    assert_eq!(compare(&perimeter(DENYING)), "stricter");
}

/// What is compared of a Pod's creation, and what differs.
fn compare(snapshot: &Snapshot) -> &'static str {
    let subject = Subject::new("", "pods", Operation::Create);
    let route = route(FailurePolicy::Fail);
    let entries = snapshot.select(&subject, Objects::default, route);
    let entries: Vec<_> = entries.into_iter().cloned().collect();
    let decisions: Vec<_> = entries
        .iter()
        .map(|entry| entry.decide(&review(), &request()))
        .collect();
    let comparisons = snapshot.comparisons(&subject, Objects::default, route, &entries);
    let comparison = comparisons.first().unwrap();
    let in_force = comparison.in_force(&request().id, &decisions);
    let shadow = comparison.decide(&review(), &request());
    if !comparison.is_comparable(&in_force, &shadow) {
        return "not compared";
    }
    difference(&in_force, &shadow).map_or("same", Difference::as_str)
}
