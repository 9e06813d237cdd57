//! Policies as bindings have them asked.

use rstest::rstest;
use serde_json::Value as Json;

use super::*;

/// Denies with the value of its parameter `limit`.
const LIMIT: &str =
    "package a.b\ndeny contains sprintf(\"limit %v\", [input.parameters.limit]) if true";

fn limits(limit: Json) -> serde_json::Map<String, Json> {
    [("limit".to_owned(), limit)].into_iter().collect()
}

fn library() -> Definition {
    Definition {
        parameters_schema: Some(json!({
            "required": ["limit"], "properties": {"limit": {"type": "integer"}},
        })),
        ..policy(LIMIT)
    }
}

fn binding(name: &str, limit: Json) -> BindingDefinition {
    BindingDefinition {
        key: ObjectKey::new("ClusterPolicyBinding", None, name),
        reach: Scope::Cluster,
        policy: "a/b@1".parse().unwrap(),
        admission: pods(Action::Deny, FailurePolicy::Fail),
        parameters: limits(limit),
        source: None,
    }
}

fn compiled(definition: BindingDefinition) -> Arc<Binding> {
    Arc::new(Binding::compile(definition, Vec::new()))
}

fn bound(
    policies: impl IntoIterator<Item = Definition>,
    bindings: impl IntoIterator<Item = BindingDefinition>,
    parameters: impl IntoIterator<Item = Parameter>,
) -> Cache {
    let policies = policies.into_iter().enumerate();
    let cache = cache(policies.map(|(at, it)| object(&at.to_string(), 0, it)), []);
    cache.update(|state| {
        let bindings = bindings.into_iter().map(compiled);
        bindings.for_each(|binding| state.apply_binding(binding));
    });
    let parameters: Vec<_> = parameters.into_iter().map(Arc::new).collect();
    read(&cache, &parameters);
    cache
}

/// What somebody who watches would tell who has read these objects.
fn read(cache: &Cache, parameters: &[Arc<Parameter>]) {
    let snapshot = cache.snapshot();
    cache.update(|state| {
        for source in snapshot.bindings().filter_map(|it| it.source.as_ref()) {
            let selection = &source.selection;
            let selected = parameters.iter().filter(|it| selection.includes(it));
            let selected = Selected::Known(selected.cloned().collect());
            state.set_parameters(selection.clone(), selected);
        }
    });
}

fn creation() -> Subject {
    Subject::new("", "pods", Operation::Create).within("shop")
}

/// What is said about the creation of a Pod in a namespace, each with the binding that had it asked.
fn said_in(cache: &Cache, namespace: &str) -> Vec<(String, String)> {
    let subject = creation().within(namespace);
    let snapshot = cache.snapshot();
    let entries = snapshot.select(&subject, Objects::default, Route::default());
    let decided = entries.into_iter().map(|entry| {
        let decision = entry.decide(&review(), &request());
        let by = decision.binding.as_deref().unwrap_or("itself").to_owned();
        let message = decision.messages.first();
        let message = message.map_or_else(String::new, |message| {
            format!("{}: {}", message.code, message.message)
        });
        (by, message)
    });
    decided.collect()
}

fn said(cache: &Cache) -> Vec<String> {
    let all = said_in(cache, "shop").into_iter();
    all.map(|(_, message)| message).collect()
}

const DENIED: &str = "POLICY.DENIED_ADMISSION: limit";

#[test]
fn one_policy_judges_by_each_of_its_bindings() {
    let own = Definition {
        admission: Some(pods(Action::Deny, FailurePolicy::Fail)),
        parameters: limits(json!(1)),
        ..library()
    };
    let cache = bound([own], [binding("b", json!(3)), binding("a", json!(2))], []);
    let expected = [
        ("itself", "1"),
        ("ClusterPolicyBinding a", "2"),
        ("ClusterPolicyBinding b", "3"),
    ];
    let expected = expected.map(|(by, limit)| (by.to_owned(), format!("{DENIED} {limit}")));
    assert_eq!(said_in(&cache, "shop"), expected);
}

#[test]
fn a_policy_whose_parameters_are_left_to_bindings_is_sound() {
    let cache = bound([library()], [binding("a", json!(2))], []);
    let snapshot = cache.snapshot();
    let entry = snapshot.entries().next().unwrap();
    assert_eq!(entry.policy.faults(), None);
    // Asked without one, it cannot answer.
    let decision = entry.decide(&Input::Evaluation(None), &request());
    let message = &decision.messages[0];
    assert_eq!(message.code, Code::CompileFailed);
    assert!(message.message.contains("no parameters"), "{message:?}");
    assert_eq!(said(&cache), [format!("{DENIED} 2")]);
}

#[rstest]
#[case::no_policy(None, binding("a", json!(2)), "POLICY.NOT_FOUND: there is no policy a/b@1")]
#[case::unfit_parameters(
    Some(library()),
    binding("a", json!("many")),
    "POLICY.COMPILE_FAILED: the parameters do not fit the policy: `parameters/limit`: \"many\" is not of type \"integer\""
)]
#[case::a_broken_policy(
    Some(policy(BROKEN)),
    binding("a", json!(2)),
    "POLICY.COMPILE_FAILED: the policy is broken"
)]
#[case::not_for_namespaces(
    Some(library()),
    BindingDefinition { reach: Scope::Namespace("shop".to_owned()), ..binding("a", json!(2)) },
    "POLICY.NOT_FOUND: the policy a/b@1 is not for namespaces to bind"
)]
#[case::no_object(
    Some(library()),
    BindingDefinition { source: Some(source(Which::Name("none".to_owned()))), ..binding("a", json!(2)) },
    "POLICY.NOT_FOUND: there is no ConfigMap platform/none to take parameters of"
)]
fn what_cannot_answer_is_left_to_the_failure_policy(
    #[case] policy: Option<Definition>,
    #[case] binding: BindingDefinition,
    #[case] expected: &str,
) {
    let ignoring = BindingDefinition {
        admission: pods(Action::Deny, FailurePolicy::Ignore),
        ..binding.clone()
    };
    let failing = said(&bound(policy.clone(), [binding], []));
    assert!(failing[0].starts_with(expected), "{failing:?}");
    assert_eq!(said(&bound(policy, [ignoring], [])), [""]);
}

#[test]
fn a_broken_binding_cannot_answer_and_says_why() {
    let mut broken = binding("a", json!(2));
    broken.admission.matches.conditions = vec![Condition {
        name: "c".to_owned(),
        expression: "object.metadata.name ==".to_owned(),
    }];
    let said = said(&bound([library()], [broken], []));
    assert!(
        said[0].starts_with(
            "POLICY.COMPILE_FAILED: the binding is broken: `admission.match.matchConditions`: `c`: "
        ),
        "{said:?}"
    );
}

#[test]
fn a_namespace_binds_a_policy_of_the_cluster_for_itself() {
    let importable = Definition {
        importable: true,
        ..library()
    };
    let own = BindingDefinition {
        key: ObjectKey::new("PolicyBinding", Some("shop"), "a"),
        reach: Scope::Namespace("shop".to_owned()),
        ..binding("a", json!(2))
    };
    let cache = bound([importable], [own], []);
    let expected = ("PolicyBinding shop/a".to_owned(), format!("{DENIED} 2"));
    assert_eq!(said_in(&cache, "shop"), [expected]);
    assert_eq!(said_in(&cache, "bank"), []);
    let snapshot = cache.snapshot();
    let routed = |owner| {
        let route = Route {
            owner: Some(owner),
            failure_policy: None,
        };
        let selected = snapshot.select(&creation(), Objects::default, route);
        selected.len()
    };
    assert_eq!((routed(Owner::Cluster), routed(Owner::Namespace)), (0, 1));
}

fn source(which: Which) -> ParameterSource {
    ParameterSource {
        selection: Selection {
            kind: ParameterKind::config_map(),
            namespace: Some("platform".to_owned()),
            which,
        },
        key: Some("limits.yaml".to_owned()),
        not_found: NotFound::Deny,
    }
}

fn config_map(namespace: &str, name: &str, text: &str) -> Parameter {
    let content = json!({"data": {"limits.yaml": text}});
    Parameter {
        key: ParameterKey {
            kind: ParameterKind::config_map(),
            namespace: Some(namespace.to_owned()),
            name: name.to_owned(),
        },
        labels: [("app".to_owned(), "limits".to_owned())].into(),
        content: content.as_object().unwrap().clone(),
    }
}

fn by_label() -> Which {
    Which::Selector(LabelSelector {
        match_labels: [("app".to_owned(), "limits".to_owned())].into(),
        ..LabelSelector::default()
    })
}

fn sourced(source: ParameterSource) -> BindingDefinition {
    BindingDefinition {
        source: Some(source),
        ..binding("a", json!(2))
    }
}

#[test]
fn parameters_of_an_object_take_the_place_of_the_bindings() {
    let by_name = sourced(source(Which::Name("one".to_owned())));
    let maps = || {
        [
            config_map("platform", "one", "limit: 7"),
            config_map("shop", "one", "limit: 8"),
        ]
    };
    let cache = bound([library()], [by_name.clone()], maps());
    assert_eq!(said(&cache), [format!("{DENIED} 7")]);
    // It changes, and goes.
    read(
        &cache,
        &[Arc::new(config_map("platform", "one", "limit: 9"))],
    );
    assert_eq!(said(&cache), [format!("{DENIED} 9")]);
    read(&cache, &[]);
    assert!(said(&cache)[0].starts_with("POLICY.NOT_FOUND"));
    let allowing = ParameterSource {
        not_found: NotFound::Allow,
        ..source(Which::Name("one".to_owned()))
    };
    assert_eq!(said(&bound([library()], [sourced(allowing)], [])), [""; 0]);
}

/// Nobody knows that there are none before somebody has looked.
#[test]
fn objects_that_nobody_has_read_are_not_missing() {
    let allowing = ParameterSource {
        not_found: NotFound::Allow,
        ..source(Which::Name("one".to_owned()))
    };
    let cache = cache([object("a", 0, library())], []);
    let binding = compiled(sourced(allowing.clone()));
    cache.update(|state| state.apply_binding(binding));
    let text = "POLICY.NOT_FOUND: the parameters of ConfigMap platform/one have not been read";
    assert!(said(&cache)[0].starts_with(text), "{:?}", said(&cache));
    let unread = Selected::Unread("forbidden".to_owned());
    cache.update(|state| state.set_parameters(allowing.selection, unread));
    assert!(
        said(&cache)[0].ends_with("read: forbidden"),
        "{:?}",
        said(&cache)
    );
}

#[rstest]
#[case("limit: [", "`data.limits.yaml`")]
#[case("- 1", "is no object")]
#[case("limit: many", "is not of type")]
fn an_object_that_says_nonsense_cannot_be_asked_with(#[case] text: &str, #[case] expected: &str) {
    let map = config_map("platform", "one", text);
    let said = said(&bound([library()], [sourced(source(by_label()))], [map]));
    assert!(said[0].starts_with("POLICY.COMPILE_FAILED"), "{said:?}");
    assert!(said[0].contains(expected), "{said:?}");
}

#[test]
fn each_object_of_a_label_is_a_judgement_of_its_own() {
    let maps = [
        config_map("platform", "one", "limit: 7"),
        config_map("platform", "two", "limit: 8"),
    ];
    let cache = bound([library()], [sourced(source(by_label()))], maps);
    assert_eq!(said(&cache), [format!("{DENIED} 7"), format!("{DENIED} 8")]);
    let many = (0..65).map(|at| config_map("platform", &format!("m{at}"), "limit: 7"));
    let cache = bound([library()], [sourced(source(by_label()))], many);
    assert!(said(&cache)[0].contains("65 objects"), "{:?}", said(&cache));
}

/// Without a namespace of its own, a source means that of the request.
#[test]
fn each_namespace_has_parameters_of_its_own() {
    let mut source = source(Which::Name("one".to_owned()));
    source.selection.namespace = None;
    let maps = [
        config_map("shop", "one", "limit: 7"),
        config_map("bank", "one", "limit: 8"),
    ];
    let cache = bound([library()], [sourced(source.clone())], maps.clone());
    let messages = |cache: &Cache, namespace: &str| -> Vec<String> {
        let said = said_in(cache, namespace).into_iter();
        said.map(|(_, message)| message).collect()
    };
    assert_eq!(messages(&cache, "shop"), [format!("{DENIED} 7")]);
    assert_eq!(messages(&cache, "bank"), [format!("{DENIED} 8")]);
    assert!(messages(&cache, "lab")[0].starts_with("POLICY.NOT_FOUND"));
    let allowing = ParameterSource {
        not_found: NotFound::Allow,
        ..source
    };
    // However many namespaces there are.
    let others = (0..100).map(|number| config_map(&format!("n{number}"), "one", "limit: 9"));
    let cache = bound(
        [library()],
        [sourced(allowing)],
        maps.into_iter().chain(others),
    );
    assert_eq!(messages(&cache, "n99"), [format!("{DENIED} 9")]);
    assert_eq!(messages(&cache, "lab"), [""; 0]);
    assert_eq!(messages(&cache, "bank"), [format!("{DENIED} 8")]);
}

/// What the conditions of a binding look at is read for them, and `params` are the binding's.
#[test]
fn the_conditions_of_a_binding_know_its_parameters() {
    let mut conditional = binding("a", json!(2));
    conditional.admission.matches.conditions = vec![Condition {
        name: "c".to_owned(),
        expression: "params.limit == 2 && object.metadata.name == 'web'".to_owned(),
    }];
    let cache = bound([library()], [conditional], []);
    let snapshot = cache.snapshot();
    let entries = snapshot.select(&creation(), Objects::default, Route::default());
    let decide = |name: &str| {
        let text = format!(r#"{{"object": {{"metadata": {{"name": "{name}"}}, "spec": {{}}}}}}"#);
        let interest = Interest::of(Point::Admission, entries.iter().map(|entry| &***entry));
        let document = interest.read(text.as_bytes()).unwrap();
        entries[0]
            .decide(&Input::Admission(document), &request())
            .outcome
    };
    assert_eq!(
        (decide("web"), decide("db")),
        (Outcome::Denied, Outcome::Unmatched)
    );
}

/// What has not changed is not made again, however often the cache changes.
#[test]
fn what_has_not_changed_is_taken_over() {
    let cache = bound(
        [library()],
        [binding("a", json!(2)), binding("b", json!(3))],
        [],
    );
    let bound_by = |name| {
        let snapshot = cache.snapshot();
        let entries = snapshot.bound_by(&ObjectKey::new("ClusterPolicyBinding", None, name));
        entries[0].binding.clone().unwrap()
    };
    let before = (bound_by("a"), bound_by("b"));
    cache.update(|state| state.apply_binding(compiled(binding("b", json!(4)))));
    let after = (bound_by("a"), bound_by("b"));
    assert!(Arc::ptr_eq(&before.0, &after.0));
    assert!(!Arc::ptr_eq(&before.1, &after.1));
}

/// A lock on a policy holds it wherever it is bound, and one that bypasses a policy that is gone lets
/// its bindings go.
#[test]
fn locks_hold_what_is_bound() {
    let cache = bound([library()], [binding("a", json!(2))], []);
    cache.update(|state| state.apply_lock(lock("it")));
    assert!(said(&cache)[0].starts_with("POLICY.LOCKED"));
    let cache = bound([], [binding("a", json!(2))], []);
    let bypass = Lock {
        effect: Effect::Bypass,
        ..lock("it")
    };
    cache.update(|state| state.apply_lock(bypass));
    assert_eq!(said(&cache), [""]);
}
