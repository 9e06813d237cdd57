//! The cache and what it answers: conflicts, locks, windows, the index, and the table of what
//! happens when a policy cannot answer.

use std::{sync::Arc, time::Duration};

use proptest::prelude::*;
use rstest::rstest;
use serde_json::json;

use crate::{lock::Reach, *};

const ALLOWING: &str = "package a.b\nallow := true";
const DENYING: &str = "package a.b\ndeny contains \"no\" if true";
const WARNING: &str = "package a.b\nwarn contains \"careful\" if true";
const BROKEN: &str = "package a.b\nallow if {";
const FAILING: &str = "package a.b\nallow := 1 if true\nallow := 2 if true";
const MALFORMED: &str = "package a.b\nallow := \"yes\"";

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn request() -> Request {
    Request {
        id: Arc::from("id"),
        now: at(1_000),
        headers: Arc::default(),
        budget: Duration::from_secs(5),
    }
}

fn review() -> Input {
    Input::Admission(Value::from(json!({"operation": "CREATE"})))
}

fn pods(action: Action, failure_policy: FailurePolicy) -> Admission {
    Admission {
        rules: vec![rule(&[""], &["pods"], &[Operation::Create])],
        action,
        failure_policy,
    }
}

fn rule(groups: &[&str], resources: &[&str], operations: &[Operation]) -> ResourceRule {
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    ResourceRule {
        groups: owned(groups),
        versions: owned(&["v1"]),
        resources: owned(resources),
        operations: operations.to_vec(),
    }
}

/// A policy of `source`, whose package is `a.b`.
fn policy(source: &str) -> Definition {
    Definition::new("a/b@1".parse().unwrap(), source)
}

fn named(scope: Scope, name: &str) -> Definition {
    let address = Address::new(scope, "a", name, "1").unwrap();
    let admission = Some(pods(Action::Deny, FailurePolicy::Fail));
    Definition {
        admission,
        ..Definition::new(address, &format!("package a.{name}\nallow := true"))
    }
}

fn object(name: &str, created: i64, definition: Definition) -> Object {
    let kind = if definition.address.namespace().is_some() {
        "Policy"
    } else {
        "ClusterPolicy"
    };
    Object {
        key: ObjectKey::new(kind, definition.address.namespace(), name),
        created: at(created),
        policy: Arc::new(Policy::compile(definition)),
    }
}

fn lock(name: &str) -> Lock {
    Lock {
        key: ObjectKey::new("ClusterLock", None, name),
        reach: Reach::Cluster { namespaces: None },
        target: Target::All,
        points: Points::ALL,
        effect: Effect::Refuse,
        reason: "incident 4711".to_owned(),
        expires_at: None,
    }
}

fn cache(
    objects: impl IntoIterator<Item = Object>,
    locks: impl IntoIterator<Item = Lock>,
) -> Cache {
    let cache = Cache::new();
    cache.update(|state| {
        objects
            .into_iter()
            .for_each(|object| state.apply_policy(object));
        locks.into_iter().for_each(|lock| state.apply_lock(lock));
    });
    cache
}

fn decide(
    definition: Definition,
    locks: impl IntoIterator<Item = Lock>,
    input: &Input,
) -> Decision {
    let address = definition.address.clone();
    let cache = cache([object("it", 0, definition)], locks);
    cache
        .snapshot()
        .find(&address)
        .unwrap()
        .decide(input, &request())
}

/// What the caller sees: allowed, and how many messages and warnings.
fn seen(decision: &Decision) -> (bool, usize, usize) {
    (
        decision.allowed,
        decision.messages.len(),
        decision.warnings.len(),
    )
}

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
fn without_room_the_failure_policy_decides() {
    let overloaded = |failure_policy| {
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
        entry.overloaded(Point::Admission, Arc::from("id"))
    };
    assert_eq!(seen(&overloaded(FailurePolicy::Fail)), (false, 1, 0));
    assert_eq!(seen(&overloaded(FailurePolicy::Ignore)), (true, 0, 1));
}

#[test]
fn parameters_that_break_their_schema_break_the_policy() {
    let mut definition = policy(ALLOWING);
    definition.parameters_schema = Some(json!({"required": ["registries"]}));
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
fn the_older_object_holds_an_address_until_it_is_gone() {
    let older = object("z-older", 1, policy(ALLOWING));
    let younger = object("a-younger", 2, policy(DENYING));
    let cache = cache([younger.clone(), older.clone()], []);
    let snapshot = cache.snapshot();
    let address = older.policy.address();
    assert_eq!(snapshot.find(address).unwrap().object, older.key);
    let conflict = Conflict {
        address: address.clone(),
        holder: older.key.clone(),
        other: younger.key.clone(),
    };
    assert_eq!(snapshot.conflicts(), [conflict]);

    cache.update(|state| state.delete_policy(&older.key));
    assert_eq!(cache.snapshot().find(address).unwrap().object, younger.key);
    assert_eq!(cache.snapshot().conflicts(), []);
    // What was loaded before the change is as it was.
    assert_eq!(snapshot.find(address).unwrap().object, older.key);
}

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
        group: group.to_owned(),
        resource: resource.to_owned(),
        operation,
        namespace: namespace.map(str::to_owned),
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
    definition.admission.as_mut().unwrap().rules = vec![rule(
        groups,
        resources,
        &[Operation::Create, Operation::Delete],
    )];
    let cache = cache([object("it", 0, definition)], []);
    let count = |operation| {
        let subject = subject(group, resource, operation, None);
        cache.snapshot().select(&subject, Route::default()).len()
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
        definition.admission.as_mut().unwrap().rules =
            vec![rule(&["*"], &["*/*"], &Operation::ALL)];
        definition
    };
    let own = everything(named(Scope::Namespace("team-a".to_owned()), "own"));
    let cluster = everything(named(Scope::Cluster, "cluster"));
    let cache = cache([object("own", 0, own), object("cluster", 0, cluster)], []);
    let snapshot = cache.snapshot();
    let subject = subject("", resource, Operation::Create, namespace);
    let names: Vec<_> = snapshot
        .select(&subject, route)
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

/// Changes of a cache, to be compared with a plain list of objects.
#[derive(Clone, Debug)]
enum Change {
    Apply(u8, u8, i64),
    Delete(u8),
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_cache_is_what_was_applied_and_not_deleted(
        changes in proptest::collection::vec(
            prop_oneof![
                (0..6_u8, 0..3_u8, 0..4_i64).prop_map(|(o, a, c)| Change::Apply(o, a, c)),
                (0..6_u8).prop_map(Change::Delete),
            ],
            0..40,
        )
    ) {
        let policies: Vec<_> = ["x", "y", "z"]
            .map(|name| Arc::new(Policy::compile(named(Scope::Cluster, name))))
            .into();
        let cache = Cache::new();
        let mut model: std::collections::BTreeMap<u8, (u8, i64)> = std::collections::BTreeMap::new();
        for change in changes {
            let key = |object: u8| ObjectKey::new("ClusterPolicy", None, &format!("o{object}"));
            match change {
                Change::Apply(object, address, created) => {
                    model.insert(object, (address, created));
                    let policy = policies[usize::from(address)].clone();
                    let object = Object { key: key(object), created: at(created), policy };
                    cache.update(|state| state.apply_policy(object));
                }
                Change::Delete(object) => {
                    model.remove(&object);
                    cache.update(|state| state.delete_policy(&key(object)));
                }
            }
            let snapshot = cache.snapshot();
            let mut held = 0;
            for (index, policy) in policies.iter().enumerate() {
                let oldest = model
                    .iter()
                    .filter(|(_, (address, _))| usize::from(*address) == index)
                    .min_by_key(|(object, (_, created))| (*created, **object));
                let holder = snapshot.find(policy.address()).map(|entry| entry.object.clone());
                prop_assert_eq!(holder, oldest.map(|(object, _)| key(*object)));
                held += usize::from(oldest.is_some());
            }
            prop_assert_eq!(snapshot.conflicts().len(), model.len() - held);
            prop_assert_eq!(snapshot.entries().count(), held);
        }
    }
}
