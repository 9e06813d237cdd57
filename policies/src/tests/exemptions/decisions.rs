//! What else shapes the decision about a request that is exempt.

use super::*;

/// A lock that refuses is stronger, and so is a condition of the match that is false; whatever the
/// policy would have failed at does not matter to who is exempt.
#[rstest]
#[case::refuses(denying(), Some(Effect::Refuse), Outcome::Locked)]
#[case::bypasses(denying(), Some(Effect::Bypass), Outcome::Bypassed)]
#[case::not_in_force(Definition { window: Window { not_before: Some(at(5_000)), not_after: None }, ..denying() }, None, Outcome::NotInForce)]
#[case::broken(Definition { modules: policy(BROKEN).modules, ..denying() }, None, Outcome::Exempted)]
#[case::failing(Definition { modules: policy(FAILING).modules, ..denying() }, None, Outcome::Exempted)]
#[case::warns(Definition { admission: Some(pods(Action::Warn, FailurePolicy::Fail)), ..denying() }, None, Outcome::Exempted)]
fn what_else_shapes_the_decision(
    #[case] definition: Definition,
    #[case] effect: Option<Effect>,
    #[case] expected: Outcome,
) {
    let cache = exempting(definition, [exemption(of_cluster())]);
    if let Some(effect) = effect {
        cache.update(|state| {
            state.apply_lock(Lock {
                effect,
                ..lock("it")
            });
        });
    }
    let decision = asked(&cache, &create("shop"), &request());
    assert_eq!(decision.outcome, expected);
    assert_eq!(decision.exemption.is_some(), expected == Outcome::Exempted);
}

#[rstest]
#[case("object.metadata.name == 'web-1'", Outcome::Exempted)]
#[case::false_of_the_match("object.metadata.name == 'db'", Outcome::Unmatched)]
#[case::failing_of_the_match("object.spec.missing == 1", Outcome::Exempted)]
fn the_conditions_of_the_match_come_first(#[case] expression: &str, #[case] expected: Outcome) {
    let mut admission = pods(Action::Deny, FailurePolicy::Fail);
    admission.matches.conditions = condition(expression);
    let definition = Definition {
        admission: Some(admission),
        ..denying()
    };
    let cache = exempting(definition, [exemption(of_cluster())]);
    let decision = asked(&cache, &create("shop"), &request());
    assert_eq!(decision.outcome, expected);
}

#[test]
fn an_evaluation_is_never_exempt() {
    let cache = exempting(denying(), [exemption(of_cluster())]);
    let input = Input::Evaluation(Some(Document::from(&create("shop"))));
    let snapshot = cache.snapshot();
    let decision = snapshot
        .entries()
        .next()
        .unwrap()
        .decide(&input, &request());
    assert_eq!(decision.outcome, Outcome::Denied);
}

/// A condition about a namespace that is not known selects at a match, and exempts nothing.
#[rstest]
#[case(Some("web"), true)]
#[case(Some("db"), false)]
#[case(None, false)]
fn a_condition_about_a_namespace_needs_it_to_be_known(
    #[case] app: Option<&str>,
    #[case] expected: bool,
) {
    let objects = ExemptedObjects {
        conditions: condition("namespaceObject.metadata.labels.app == 'web'"),
        ..ExemptedObjects::default()
    };
    let cache = exempting(denying(), [of_objects(objects)]);
    let labels = |app: &str| Arc::new(Labels::from([("app".to_owned(), app.to_owned())]));
    let around = Request {
        namespace: app.map(labels),
        ..request()
    };
    let decision = asked(&cache, &create("shop"), &around);
    assert_eq!(decision.outcome == Outcome::Exempted, expected);
}

#[test]
fn a_condition_that_cannot_be_compiled_is_a_fault() {
    let objects = ExemptedObjects {
        conditions: condition("object.metadata.name =="),
        ..ExemptedObjects::default()
    };
    let faults = Exemption::compile(of_objects(objects)).unwrap_err();
    let fault = faults.iter().next().unwrap();
    assert_eq!(fault.code, "condition_invalid");
    assert!(
        fault.message.starts_with("`objects.matchConditions`"),
        "{fault:?}"
    );
}

/// Of too many those are accepted that end last.
#[test]
fn a_policy_accepts_so_many() {
    let many = (0..300).map(|number| ExemptionDefinition {
        key: ObjectKey::new("ClusterExemption", None, &format!("legacy-{number}")),
        expires_at: at(2_000 + number),
        ..exemption(of_cluster())
    });
    let cache = exempting(denying(), many);
    let snapshot = cache.snapshot();
    let entry = snapshot.entries().next().unwrap();
    let ends: Vec<_> = entry
        .exemptions
        .iter()
        .map(|own| own.definition().expires_at.as_second())
        .collect();
    assert_eq!(
        (ends.len(), ends.iter().min(), ends.iter().max()),
        (256, Some(&2_044), Some(&2_299))
    );
    assert_eq!(snapshot.exemptions().len(), 300);
}

#[test]
fn what_goes_is_no_exemption_any_more() {
    let cache = exempting(denying(), [exemption(of_cluster())]);
    cache.update(|state| {
        state.delete_exemption(&ObjectKey::new("ClusterExemption", None, "legacy"));
    });
    assert_eq!(
        asked(&cache, &create("shop"), &request()).outcome,
        Outcome::Denied
    );
}

/// A Deployment whose Pod is judged is exempt as what it is, or as the Pod that comes of it.
#[rstest]
#[case::as_it_is(ExemptedObjects { rules: vec![ResourceRule { names: texts(&["web"]), ..rule(&["apps"], &["deployments"], &[Operation::Create]) }], ..Default::default() }, true)]
#[case::as_its_pod(ExemptedObjects { rules: vec![ResourceRule { name_patterns: texts(&["web-*"]), ..rule(&[""], &["pods"], &[Operation::Create]) }], ..Default::default() }, true)]
#[case::by_its_images(ExemptedObjects { images: texts(&["registry.example.com/legacy/**"]), ..Default::default() }, true)]
#[case::by_the_labels_of_its_pod(ExemptedObjects { labels: labelled("pod"), ..Default::default() }, true)]
#[case::other_images(ExemptedObjects { images: texts(&["registry.example.com/other/**"]), ..Default::default() }, false)]
#[case::other_name(ExemptedObjects { rules: vec![ResourceRule { names: texts(&["db"]), ..rule(&["apps"], &["deployments"], &[Operation::Create]) }], ..Default::default() }, false)]
#[case::not_all_of_it(ExemptedObjects { rules: vec![rule(&["apps"], &["deployments"], &[Operation::Create])], labels: labelled("pod"), ..Default::default() }, false)]
fn a_workload_is_exempt_as_it_is_or_as_its_pods(
    #[case] objects: ExemptedObjects,
    #[case] expected: bool,
) {
    let mut admission = pods(Action::Deny, FailurePolicy::Fail);
    admission.matches.workloads = Workload::of_kubernetes().collect();
    let definition = Definition {
        admission: Some(admission),
        ..denying()
    };
    let cache = exempting(definition, [of_objects(objects)]);
    let deployment = create_with(json!({
        "kind": {"group": "apps", "version": "v1", "kind": "Deployment"},
        "resource": {"group": "apps", "version": "v1", "resource": "deployments"},
        "name": "web",
        "object": {
            "metadata": {"name": "web"},
            "spec": {"template": {
                "metadata": {"labels": {"app": "pod"}},
                "spec": {"containers": [{"image": "registry.example.com/legacy/web:1"}]},
            }},
        },
    }));
    let subject = Subject {
        name: "web".to_owned(),
        ..Subject::new("apps", "deployments", Operation::Create).within("shop")
    };
    let snapshot = cache.snapshot();
    let entries = snapshot.select(&subject, Objects::default, Route::default());
    let interest = Interest::of(Point::Admission, entries.iter().map(|entry| &***entry));
    let document = interest.read(deployment.to_string().as_bytes()).unwrap();
    let decision = entries[0].decide(&Input::Admission(document), &request());
    let whole = Input::Admission(Document::from(&deployment));
    assert_eq!(entries[0].decide(&whole, &request()), decision);
    assert_eq!((entries.len(), decision.allowed), (1, expected));
    assert_eq!(decision.outcome == Outcome::Exempted, expected);
}
