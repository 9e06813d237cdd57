//! Policies on Pods that judge the templates of workloads.

use rstest::rstest;
use serde_json::Value as Json;

use super::*;

/// Denies each container without a limit, at its path, and says who applied it.
const LIMITS: &str = r#"package a.b
deny contains {"msg": msg, "path": path, "severity": "high"} if {
    input.request.kind.kind == "Pod"
    some at, container in input.request.object.spec.containers
    not container.limit
    msg := sprintf("%s of %s has no limit", [container.name, input.request.object.metadata.name])
    path := sprintf("spec.containers[%d]", [at])
}
warn contains "it is a template" if input.request.workload.path"#;

fn judging_templates() -> Admission {
    let mut admission = pods(Action::Deny, FailurePolicy::Fail);
    admission.matches.workloads = Workload::of_kubernetes().collect();
    admission
}

fn limits(admission: Admission) -> Definition {
    Definition {
        admission: Some(admission),
        ..policy(LIMITS)
    }
}

fn template(containers: &Json) -> Json {
    json!({"metadata": {"labels": {"app": "web"}}, "spec": {"containers": containers}})
}

fn deployment(template: &Json) -> Json {
    json!({
        "uid": "u",
        "kind": {"group": "apps", "version": "v1", "kind": "Deployment"},
        "resource": {"group": "apps", "version": "v1", "resource": "deployments"},
        "operation": "CREATE",
        "namespace": "shop",
        "userInfo": {"username": "ann"},
        "object": {"metadata": {"name": "web"}, "spec": {"template": template}},
    })
}

fn subject() -> Subject {
    Subject {
        name: "web".to_owned(),
        ..Subject::new("apps", "deployments", Operation::Create).within("shop")
    }
}

/// What a request about a Deployment is answered with: of it is read what is looked at.
fn decide_all(cache: &Cache, review: &Json) -> Vec<Decision> {
    let snapshot = cache.snapshot();
    let entries = snapshot.select(&subject(), Objects::default, Route::default());
    let interest = Interest::of(Point::Admission, entries.iter().map(|entry| &***entry));
    let document = interest.read(review.to_string().as_bytes()).unwrap();
    let input = Input::Admission(document);
    let decide = |entry: &Arc<Entry>| entry.decide(&input, &request());
    entries.into_iter().map(decide).collect()
}

fn decide_one(admission: Admission, review: &Json) -> Decision {
    let cache = cache([object("it", 0, limits(admission))], []);
    let mut decisions = decide_all(&cache, review);
    assert_eq!(decisions.len(), 1);
    decisions.pop().unwrap()
}

#[test]
fn a_deployment_is_judged_as_the_pod_that_comes_of_it() {
    let web = template(&json!([{"name": "good", "limit": 1}, {"name": "bad"}]));
    let decision = decide_one(judging_templates(), &deployment(&web));
    assert_eq!(seen(&decision), (false, 1, 1));
    assert_eq!(
        decision.messages[0].text(&decision.policy),
        "POLICY.DENIED_ADMISSION: bad of web-pod has no limit at \
         spec.template.spec.containers[1] [a/b@1, rule deny, high]"
    );
    let sound = template(&json!([{"name": "good", "limit": 1}]));
    let decision = decide_one(judging_templates(), &deployment(&sound));
    assert_eq!(decision.outcome, Outcome::Allowed);
}

#[test]
fn without_workloads_nobody_asks() {
    let admission = pods(Action::Deny, FailurePolicy::Fail);
    let cache = cache([object("it", 0, limits(admission))], []);
    let web = template(&json!([{"name": "bad"}]));
    assert_eq!(decide_all(&cache, &deployment(&web)), []);
}

#[test]
fn what_does_not_change_the_template_is_not_judged() {
    let web = template(&json!([{"name": "bad"}]));
    let mut scaled = deployment(&web);
    scaled["operation"] = json!("UPDATE");
    scaled["oldObject"] = scaled["object"].clone();
    scaled["object"]["spec"]["replicas"] = json!(0);
    let decision = decide_one(judging_templates(), &scaled);
    assert_eq!(
        (decision.outcome, seen(&decision)),
        (Outcome::Unmatched, (true, 0, 0))
    );
    // It is told from what is not read as well.
    scaled["object"]["spec"]["template"]["spec"]["unread"] = json!(1);
    assert!(!decide_one(judging_templates(), &scaled).allowed);
}

/// Conditions look at the Pod.
#[rstest]
#[case(
    "object.kind == 'Pod' && object.metadata.labels.app == 'web'",
    Outcome::Denied
)]
#[case("request.resource.resource == 'deployments'", Outcome::Unmatched)]
#[case("request.userInfo.username == 'ann'", Outcome::Denied)]
#[case("object.spec.missing", Outcome::Error)]
fn conditions_look_at_the_pod(#[case] expression: &str, #[case] expected: Outcome) {
    let mut admission = judging_templates();
    admission.matches.conditions = vec![Condition {
        name: "it".to_owned(),
        expression: expression.to_owned(),
    }];
    let web = template(&json!([{"name": "bad"}]));
    assert_eq!(decide_one(admission, &deployment(&web)).outcome, expected);
}

#[rstest]
#[case(FailurePolicy::Fail, (false, 1, 0))]
#[case(FailurePolicy::Ignore, (true, 0, 1))]
fn without_a_template_the_failure_policy_decides(
    #[case] failure_policy: FailurePolicy,
    #[case] expected: (bool, usize, usize),
) {
    let admission = Admission {
        failure_policy,
        ..judging_templates()
    };
    let decision = decide_one(admission, &deployment(&Json::Null));
    assert_eq!(seen(&decision), expected);
    let said = decision
        .messages
        .iter()
        .chain(&decision.warnings)
        .next()
        .unwrap();
    assert_eq!(said.code, Code::InputInvalid);
    assert!(said.message.contains("`spec.template`"), "{said:?}");
}

#[test]
fn a_lock_decides_about_templates_too() {
    let definition = limits(judging_templates());
    for web in [template(&json!([])), Json::Null] {
        let cache = cache([object("it", 0, definition.clone())], [lock("incident")]);
        let decisions = decide_all(&cache, &deployment(&web));
        assert_eq!(decisions[0].outcome, Outcome::Locked);
    }
}

/// A policy that also judges Deployments themselves says so apart.
#[test]
fn an_object_and_its_template_are_two_decisions() {
    let mut admission = judging_templates();
    admission
        .matches
        .rules
        .push(rule(&["apps"], &["deployments"], &[Operation::Create]));
    let cache = cache([object("it", 0, limits(admission))], []);
    let web = template(&json!([{"name": "bad"}]));
    let decisions = decide_all(&cache, &deployment(&web));
    let outcomes: Vec<_> = decisions.iter().map(|it| it.outcome).collect();
    assert_eq!(outcomes, [Outcome::Allowed, Outcome::Denied]);
    let snapshot = cache.snapshot();
    let entry = snapshot.entries().next().unwrap();
    let parts = snapshot.parts(entry, &subject(), Objects::default);
    let parts: Vec<_> = parts.iter().map(|part| part.part).collect();
    assert_eq!(parts, [Part::Object, Part::Templates]);
    let joined = decisions.into_iter().reduce(Decision::join).unwrap();
    assert_eq!(
        (joined.outcome, seen(&joined)),
        (Outcome::Denied, (false, 1, 1))
    );
}

/// Who is exempt as a Deployment, or as the Pod that comes of it, is so with its template, whether
/// that can be read or not. A lock decides before.
#[rstest]
#[case::as_it_is("apps", "deployments", &["web"], Outcome::Exempted)]
#[case::as_another("apps", "deployments", &["db"], Outcome::Denied)]
#[case::as_another_kind("apps", "statefulsets", &["web"], Outcome::Denied)]
#[case::as_a_pod("", "pods", &[], Outcome::Exempted)]
fn an_exemption_is_for_the_template_too(
    #[case] group: &str,
    #[case] resource: &str,
    #[case] names: &[&str],
    #[case] expected: Outcome,
) {
    let rule = ResourceRule {
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        ..rule(&[group], &[resource], &Operation::ALL)
    };
    let exemption = ExemptionDefinition {
        key: ObjectKey::new("ClusterExemption", None, "legacy"),
        reach: ExemptionReach::Cluster {
            namespaces: Vec::new(),
            selector: None,
        },
        policies: vec![ExemptedPolicies {
            owner: Owner::Cluster,
            group: "a".to_owned(),
            name: None,
            version: None,
        }],
        objects: ExemptedObjects {
            rules: vec![rule],
            ..ExemptedObjects::default()
        },
        reason: "TICKET-4711".to_owned(),
        approver: "jane".to_owned(),
        expires_at: at(2_000),
    };
    let exemption = Arc::new(Exemption::compile(exemption).unwrap());
    let asked = |locks: Option<Lock>, web: &Json| {
        let cache = cache([object("it", 0, limits(judging_templates()))], locks);
        cache.update(|state| state.apply_exemption(exemption.clone()));
        let mut review = deployment(web);
        review["name"] = json!("web");
        decide_all(&cache, &review)[0].outcome
    };
    let bad = template(&json!([{"name": "bad"}]));
    assert_eq!(asked(None, &bad), expected);
    assert_eq!(asked(Some(lock("incident")), &bad), Outcome::Locked);
    let is_known = group == "apps" && expected == Outcome::Exempted;
    let without = if is_known {
        Outcome::Exempted
    } else {
        Outcome::Error
    };
    assert_eq!(asked(None, &Json::Null), without);
}

/// A binding judges templates where its policy does not.
#[test]
fn a_binding_has_templates_judged() {
    let definition = BindingDefinition {
        key: ObjectKey::new("ClusterPolicyBinding", None, "bound"),
        reach: Scope::Cluster,
        policy: "a/b@1".parse().unwrap(),
        admission: judging_templates(),
        parameters: serde_json::Map::new(),
        source: None,
    };
    let policy = limits(pods(Action::Warn, FailurePolicy::Fail));
    let cache = cache([object("it", 0, policy)], []);
    let binding = Arc::new(Binding::compile(definition, Vec::new()));
    cache.update(|state| state.apply_binding(binding));
    let web = template(&json!([{"name": "bad"}]));
    let decisions = decide_all(&cache, &deployment(&web));
    assert_eq!(decisions.len(), 1);
    let binding = decisions[0].binding.as_deref();
    assert_eq!(
        (binding, decisions[0].allowed),
        (Some("ClusterPolicyBinding bound"), false)
    );
}

#[test]
fn of_several_templates_each_says_what_is_wrong() {
    let mut admission = judging_templates();
    admission.matches.workloads = vec![Workload {
        group: "apps".to_owned(),
        version: "v1".to_owned(),
        kind: "Deployment".to_owned(),
        resource: "deployments".to_owned(),
        path: "spec.tasks[*].template".parse().unwrap(),
        optional: false,
    }];
    let mut request = deployment(&Json::Null);
    let task = |name: &str, limit: Json| json!({"template": template(&json!([{"name": name, "limit": limit}]))});
    request["object"]["spec"]["tasks"] = json!([
        task("a", json!(false)),
        task("b", json!(1)),
        task("c", json!(false))
    ]);
    let decision = decide_one(admission, &request);
    let paths: Vec<_> = decision
        .messages
        .iter()
        .filter_map(|it| it.path.as_deref())
        .collect();
    let expected = [
        "spec.tasks[0].template.spec.containers[0]",
        "spec.tasks[2].template.spec.containers[0]",
    ];
    assert_eq!(paths, expected);
    // The warning is the same of each.
    assert_eq!(seen(&decision), (false, 2, 1));
}

/// A match says of Pods where they are, and so of what makes them.
#[rstest]
#[case::itself(|_: &mut Match| {}, 1)]
#[case::another_kind(|m: &mut Match| m.workloads.retain(|it| it.kind == "Job"), 0)]
#[case::namespaces(|m: &mut Match| m.namespaces.match_labels = [("env".to_owned(), "test".to_owned())].into(), 0)]
#[case::own_namespaces(|m: &mut Match| m.namespaces.match_labels = [("env".to_owned(), "prod".to_owned())].into(), 1)]
#[case::deletions(|m: &mut Match| m.rules[0].operations = vec![Operation::Delete], 0)]
#[case::names(|m: &mut Match| m.rules[0].names = vec!["other".to_owned()], 1)]
#[case::excluded(|m: &mut Match| m.excluded = vec![rule(&["*"], &["pods"], &Operation::ALL)], 0)]
#[case::of_the_workload(|m: &mut Match| m.excluded = vec![rule(&["apps"], &["deployments"], &Operation::ALL)], 1)]
fn selects(#[case] change: fn(&mut Match), #[case] expected: usize) {
    let mut admission = judging_templates();
    change(&mut admission.matches);
    let cache = cache([object("it", 0, limits(admission))], []);
    cache.update(|state| {
        state.apply_namespace("shop", [("env".to_owned(), "prod".to_owned())].into());
    });
    let snapshot = cache.snapshot();
    let selected = snapshot.select(&subject(), Objects::default, Route::default());
    assert_eq!(selected.len(), expected);
}

#[rstest]
#[case("shop", Route::default(), 1)]
#[case("bank", Route::default(), 0)]
#[case("shop", Route { owner: Some(Owner::Cluster), failure_policy: None }, 0)]
#[case("shop", Route { owner: None, failure_policy: Some(FailurePolicy::Ignore) }, 0)]
fn a_policy_of_a_namespace_judges_what_is_there(
    #[case] namespace: &str,
    #[case] route: Route,
    #[case] expected: usize,
) {
    let definition = Definition {
        admission: Some(judging_templates()),
        ..named(Scope::Namespace("shop".to_owned()), "own")
    };
    let cache = cache([object("own", 0, definition)], []);
    let snapshot = cache.snapshot();
    let subject = subject().within(namespace);
    let selected = snapshot.select(&subject, Objects::default, route);
    assert_eq!(selected.len(), expected);
}

#[test]
fn templates_are_for_policies_that_judge_pods() {
    let mut admission = judging_templates();
    admission.matches.rules = vec![rule(&[""], &["services"], &Operation::ALL)];
    let broken = Policy::compile(limits(admission));
    let faults = broken.faults().unwrap().to_string();
    assert!(faults.contains("workloads_without_pods"), "{faults}");
    let sound = Policy::compile(limits(judging_templates()));
    assert_eq!(sound.faults(), None);
}
