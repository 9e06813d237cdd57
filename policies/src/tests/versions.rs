//! Which versions of a policy are asked at admission.

use rstest::rstest;

use super::*;

fn version(version: &str) -> Definition {
    let address = format!("a/b@{version}").parse().unwrap();
    Definition {
        admission: Some(pods(Action::Deny, FailurePolicy::Fail)),
        ..Definition::new(address, ALLOWING)
    }
}

fn superseding(own: &str, older: &str) -> Definition {
    Definition {
        supersedes: Some(older.parse().unwrap()),
        ..version(own)
    }
}

fn taken(version: &str, since: i64) -> InPlaceOf {
    InPlaceOf {
        version: version.parse().unwrap(),
        since: at(since),
    }
}

/// What a name means for who names no version.
#[test]
fn a_name_means_the_newest_in_force_that_is_no_shadow() {
    let named = |address: &str, change: &dyn Fn(&mut Definition)| {
        let mut definition = Definition::new(address.parse().unwrap(), ALLOWING);
        definition.modules = [("policy.rego".to_owned(), "package x".to_owned())].into();
        change(&mut definition);
        (definition, None)
    };
    let is_shadow = |definition: &mut Definition| definition.shadow = true;
    let is_later = |definition: &mut Definition| definition.window.not_before = Some(at(1_000));
    let usual = |_: &mut Definition| {};
    let cache = with(vec![
        named("a/b@1.9", &usual),
        named("a/b@1.10", &usual),
        named("a/b@2.0", &is_shadow),
        named("a/b@3.0", &is_later),
        named("a/bc@1", &is_later),
        named("a/bc@0.5", &is_later),
        named("a/c@1", &is_shadow),
        named("ab/b@7", &usual),
    ]);
    let snapshot = cache.snapshot();
    let shown = |entry: &Arc<Entry>| entry.address().to_string();
    let find = |group, name| {
        let found = snapshot.find_in_force(&Scope::Cluster, group, name, at(10));
        found.map(shown)
    };
    assert_eq!(find("a", "b").as_deref(), Some("a/b@1.10"));
    assert_eq!(find("a", "bc").as_deref(), Some("a/bc@1"));
    assert_eq!(find("a", "c").as_deref(), Some("a/c@1"));
    assert_eq!(find("a", "d"), None);
    assert_eq!(find("A", "b"), None);
    let all = |group, now| -> Vec<String> {
        let found = snapshot.all_in_force(&Scope::Cluster, group, at(now));
        found.into_iter().map(shown).collect()
    };
    assert_eq!(all(None, 10), ["a/b@1.10", "a/bc@1", "a/c@1", "ab/b@7"]);
    assert_eq!(all(Some("a"), 2_000), ["a/b@3.0", "a/bc@1", "a/c@1"]);
    let owned = Scope::Namespace("team".to_owned());
    assert!(snapshot.all_in_force(&owned, None, at(10)).is_empty());
}

/// The policies in the order in which they were created, each with the place that it took.
fn with(policies: Vec<(Definition, Option<InPlaceOf>)>) -> Cache {
    let cache = Cache::new();
    cache.update(|state| {
        for (number, (definition, taken)) in (0..).zip(policies) {
            let object = object(&format!("o{number}"), number, definition);
            state.set_in_place_of(&object.key, taken);
            state.apply_policy(object);
        }
    });
    cache
}

/// The versions that are asked about a Pod.
fn asked(cache: &Cache) -> Vec<String> {
    let subject = Subject::new("", "pods", Operation::Create);
    let snapshot = cache.snapshot();
    let entries = snapshot.select(&subject, Objects::default, Route::default());
    let entries = entries.into_iter();
    entries
        .map(|entry| entry.address().version().to_string())
        .collect()
}

fn guardrail(definition: Definition) -> Definition {
    Definition {
        guardrail: true,
        ..definition
    }
}

fn from(definition: Definition, start: i64) -> Definition {
    let window = Window {
        not_before: Some(at(start)),
        not_after: None,
    };
    Definition {
        window,
        ..definition
    }
}

fn broken(definition: Definition) -> Definition {
    Definition {
        modules: [("p.rego".to_owned(), BROKEN.to_owned())].into(),
        ..definition
    }
}

#[rstest]
#[case::nothing_is_said(vec![(version("1"), None), (version("2"), None)], &["1", "2"])]
#[case::not_yet(vec![(version("1"), None), (superseding("2", "1"), None)], &["1", "2"])]
#[case::taken(vec![(version("1"), None), (superseding("2", "1"), Some(taken("1", 0)))], &["2"])]
#[case::said_no_more(vec![(version("1"), None), (version("2"), Some(taken("1", 0)))], &["1", "2"])]
#[case::another_is_said_now(
    vec![(version("1"), None), (version("1.1"), None), (superseding("2", "1.1"), Some(taken("1", 0)))],
    &["1", "1.1", "2"]
)]
#[case::a_newer_one_that_is_broken_denies_alone(
    vec![(version("1"), None), (broken(superseding("2", "1")), Some(taken("1", 0)))],
    &["2"]
)]
#[case::a_chain(
    vec![
        (version("1"), None),
        (superseding("2", "1"), Some(taken("1", 0))),
        (superseding("3", "2"), Some(taken("2", 0))),
    ],
    &["3"]
)]
#[case::a_chain_without_its_middle(
    vec![(version("1"), None), (superseding("3", "2"), Some(taken("2", 0)))],
    &["1", "3"]
)]
#[case::two_of_one(
    vec![
        (version("1"), None),
        (superseding("2", "1"), Some(taken("1", 0))),
        (superseding("3", "1"), Some(taken("1", 0))),
    ],
    &["2", "3"]
)]
#[case::itself(vec![(superseding("1", "1"), Some(taken("1", 0)))], &["1"])]
#[case::a_circle(
    vec![
        (superseding("1", "2"), Some(taken("2", 0))),
        (superseding("2", "1"), Some(taken("1", 0))),
    ],
    &["2"]
)]
#[case::a_guardrail_stays(
    vec![(guardrail(version("1")), None), (superseding("2", "1"), Some(taken("1", 0)))],
    &["1", "2"]
)]
#[case::a_guardrail_for_a_guardrail(
    vec![(guardrail(version("1")), None), (guardrail(superseding("2", "1")), Some(taken("1", 0)))],
    &["2"]
)]
#[case::since_it_is_in_force(
    vec![(version("1"), None), (from(superseding("2", "1"), 5), Some(taken("1", 5)))],
    &["2"]
)]
#[case::to_be_in_force_later(
    vec![(version("1"), None), (from(superseding("2", "1"), 6), Some(taken("1", 5)))],
    &["1", "2"]
)]
#[case::an_address_that_is_taken(
    vec![(version("1"), None), (version("2"), None), (superseding("2", "1"), Some(taken("1", 0)))],
    &["1", "2"]
)]
fn one_version_takes_the_place_of_another(
    #[case] policies: Vec<(Definition, Option<InPlaceOf>)>,
    #[case] expected: &[&str],
) {
    assert_eq!(asked(&with(policies)), expected);
}

#[test]
fn an_older_version_comes_back_when_the_newer_is_gone() {
    let both = || {
        with(vec![
            (version("1"), None),
            (superseding("2", "1"), Some(taken("1", 0))),
        ])
    };
    let newer = ObjectKey::new("ClusterPolicy", None, "o1");
    let cache = both();
    cache.update(|state| state.delete_policy(&newer));
    assert_eq!(asked(&cache), ["1"]);
    let cache = both();
    cache.update(|state| state.retain_policies(|key| *key != newer));
    assert_eq!(asked(&cache), ["1"]);
    // One of the same name has taken no place.
    cache.update(|state| state.apply_policy(object("o1", 1, superseding("2", "1"))));
    assert_eq!(asked(&cache), ["1", "2"]);
}

#[test]
fn a_superseded_version_answers_evaluations_and_bindings() {
    let cache = with(vec![
        (version("1"), None),
        (superseding("2", "1"), Some(taken("1", 0))),
    ]);
    let older: Address = "a/b@1".parse().unwrap();
    let binding = BindingDefinition {
        key: ObjectKey::new("ClusterPolicyBinding", None, "prod"),
        reach: Scope::Cluster,
        policy: older.clone(),
        admission: pods(Action::Deny, FailurePolicy::Fail),
        parameters: serde_json::Map::new(),
        source: None,
    };
    let binding = Arc::new(Binding::compile(binding, Vec::new()));
    cache.update(|state| state.apply_binding(binding));
    assert_eq!(asked(&cache), ["2", "1"]);
    let snapshot = cache.snapshot();
    let entry = snapshot.find(&older).unwrap();
    assert_eq!(entry.superseded_by, Some("a/b@2".parse().unwrap()));
    let decision = entry.decide(&Input::Evaluation(None), &request());
    assert_eq!(decision.outcome, Outcome::Allowed);
    // The API server goes on asking about it, so that nothing is missed when it comes back.
    let judges = snapshot.judges().filter(|judge| judge.address() == &older);
    assert_eq!(judges.count(), 2);
}

#[test]
fn where_there_is_one_judge_what_is_sound_supersedes_at_once() {
    let cache = with(vec![
        (version("1"), None),
        (superseding("2", "1"), None),
        (version("2.1"), None),
        (broken(superseding("2.2", "2.1")), None),
        (version("3"), None),
        (from(superseding("4", "3"), 100), None),
    ]);
    cache.update(|state| state.supersede(at(50)));
    assert_eq!(asked(&cache), ["2", "2.1", "2.2", "3", "4"]);
    cache.update(|state| state.supersede(at(100)));
    assert_eq!(asked(&cache), ["2", "2.1", "2.2", "4"]);
}

#[rstest]
#[case::older(superseding("1.10", "1.9"), None)]
#[case::itself(
    superseding("1", "1"),
    Some("`supersedes` is 1, which is not older than 1")
)]
#[case::newer(
    superseding("1.9", "1.10"),
    Some("`supersedes` is 1.10, which is not older than 1.9")
)]
#[case::with_an_end(
    Definition {
        window: Window { not_before: None, not_after: Some(at(9)) },
        ..superseding("2", "1")
    },
    Some("a policy that supersedes another has no `notAfter`")
)]
fn only_what_is_older_is_superseded(#[case] definition: Definition, #[case] fault: Option<&str>) {
    let policy = Policy::compile(definition);
    let first = policy.faults().and_then(|faults| faults.iter().next());
    assert_eq!(first.map(|fault| fault.message.as_str()), fault);
}
