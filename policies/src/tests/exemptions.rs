//! Which requests an exemption is for, who accepts it, and what becomes of them.

mod decisions;

use rstest::rstest;
use serde_json::Value as Json;

use super::*;

/// A Pod that somebody creates in a namespace.
fn create(namespace: &str) -> Json {
    json!({
        "kind": {"group": "", "version": "v1", "kind": "Pod"},
        "resource": {"group": "", "version": "v1", "resource": "pods"},
        "operation": "CREATE",
        "name": "web-1",
        "namespace": namespace,
        "userInfo": {"username": "jane", "groups": ["dev", "system:authenticated"]},
        "object": {
            "metadata": {"name": "web-1", "namespace": namespace, "labels": {"app": "web"}},
            "spec": {"containers": [{"image": "registry.example.com/legacy/web:1"}]},
        },
        "oldObject": null,
    })
}

/// The same with other members.
fn create_with(members: Json) -> Json {
    let mut request = create("shop");
    let Json::Object(members) = members else {
        panic!("{members}")
    };
    request.as_object_mut().unwrap().extend(members);
    request
}

fn of_cluster() -> ExemptionReach {
    ExemptionReach::Cluster {
        namespaces: Vec::new(),
        selector: None,
    }
}

fn of_namespace(name: &str) -> ExemptionReach {
    ExemptionReach::Namespace(name.to_owned())
}

fn of_policies(owner: Owner) -> ExemptedPolicies {
    ExemptedPolicies {
        owner,
        group: "a".to_owned(),
        name: None,
        version: None,
    }
}

/// Of the ClusterPolicies of the group `a`, for every object, until 2000.
fn exemption(reach: ExemptionReach) -> ExemptionDefinition {
    let (kind, namespace) = match &reach {
        ExemptionReach::Namespace(name) => ("Exemption", Some(name.as_str())),
        ExemptionReach::Cluster { .. } => ("ClusterExemption", None),
    };
    ExemptionDefinition {
        key: ObjectKey::new(kind, namespace, "legacy"),
        reach,
        policies: vec![of_policies(Owner::Cluster)],
        objects: ExemptedObjects::default(),
        reason: "TICKET-4711".to_owned(),
        approver: "jane".to_owned(),
        expires_at: at(2_000),
    }
}

fn of_objects(objects: ExemptedObjects) -> ExemptionDefinition {
    ExemptionDefinition {
        objects,
        ..exemption(of_cluster())
    }
}

/// A policy that denies every Pod.
fn denying() -> Definition {
    Definition {
        admission: Some(pods(Action::Deny, FailurePolicy::Fail)),
        ..policy(DENYING)
    }
}

fn exempting(
    definition: Definition,
    exemptions: impl IntoIterator<Item = ExemptionDefinition>,
) -> Cache {
    let cache = cache([object("it", 0, definition)], []);
    cache.update(|state| {
        for exemption in exemptions {
            state.apply_exemption(Arc::new(Exemption::compile(exemption).unwrap()));
        }
    });
    cache
}

/// What the only policy decides about a request, of which it reads no more than is looked at.
fn asked(cache: &Cache, request: &Json, around: &Request) -> Decision {
    let snapshot = cache.snapshot();
    let entry = snapshot.entries().next().unwrap();
    let interest = Interest::of(Point::Admission, [entry.as_ref()]);
    let document = interest.read(request.to_string().as_bytes()).unwrap();
    let decision = entry.decide(&Input::Admission(document), around);
    let whole = Input::Admission(Document::from(request));
    assert_eq!(entry.decide(&whole, around), decision, "what is read");
    decision
}

fn is_exempt(exemption: ExemptionDefinition, request: &Json) -> bool {
    let cache = exempting(denying(), [exemption]);
    let decision = asked(&cache, request, &super::request());
    assert_eq!(decision.exemption.is_some(), decision.allowed);
    decision.outcome == Outcome::Exempted
}

#[test]
fn a_request_that_is_exempt_is_not_judged_and_the_decision_says_why() {
    let cache = exempting(denying(), [exemption(of_cluster())]);
    let decision = asked(&cache, &create("shop"), &request());
    assert_eq!(decision.outcome, Outcome::Exempted);
    assert_eq!(seen(&decision), (true, 0, 0));
    let note = decision.exemption.as_ref().unwrap();
    assert_eq!(note.name, "ClusterExemption legacy");
    let written = serde_json::to_value(&decision).unwrap();
    assert_eq!(written["outcome"], "exempted");
    assert_eq!(
        written["exemption"],
        json!({
            "name": "ClusterExemption legacy",
            "reason": "TICKET-4711",
            "approver": "jane",
            "expiresAt": "1970-01-01T00:33:20Z",
        })
    );
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn labelled(app: &str) -> LabelSelector {
    LabelSelector {
        match_labels: Labels::from([("app".to_owned(), app.to_owned())]),
        ..LabelSelector::default()
    }
}

fn condition(expression: &str) -> Vec<Condition> {
    vec![Condition {
        name: "it".to_owned(),
        expression: expression.to_owned(),
    }]
}

#[rstest]
#[case::rule(ExemptedObjects { rules: vec![rule(&[""], &["pods"], &[Operation::Create])], ..Default::default() }, true)]
#[case::other_resource(ExemptedObjects { rules: vec![rule(&[""], &["services"], &[Operation::Create])], ..Default::default() }, false)]
#[case::other_operation(ExemptedObjects { rules: vec![rule(&[""], &["pods"], &[Operation::Update])], ..Default::default() }, false)]
#[case::other_version(ExemptedObjects { rules: vec![ResourceRule { versions: texts(&["v2"]), ..rule(&[""], &["pods"], &[Operation::Create]) }], ..Default::default() }, false)]
#[case::name(ExemptedObjects { rules: vec![ResourceRule { name_patterns: texts(&["web-*"]), ..rule(&[""], &["pods"], &[Operation::Create]) }], ..Default::default() }, true)]
#[case::other_name(ExemptedObjects { rules: vec![ResourceRule { names: texts(&["web-*"]), ..rule(&[""], &["pods"], &[Operation::Create]) }], ..Default::default() }, false)]
#[case::labels(ExemptedObjects { labels: labelled("web"), ..Default::default() }, true)]
#[case::other_labels(ExemptedObjects { labels: labelled("db"), ..Default::default() }, false)]
#[case::images(ExemptedObjects { images: texts(&["registry.example.com/legacy/**"]), ..Default::default() }, true)]
#[case::other_images(ExemptedObjects { images: texts(&["registry.example.com/other/**"]), ..Default::default() }, false)]
#[case::user(ExemptedObjects { users: texts(&["j*"]), ..Default::default() }, true)]
#[case::other_user(ExemptedObjects { users: texts(&["bob"]), ..Default::default() }, false)]
#[case::group(ExemptedObjects { groups: texts(&["dev"]), ..Default::default() }, true)]
#[case::other_group(ExemptedObjects { groups: texts(&["ops"]), ..Default::default() }, false)]
#[case::user_or_group(ExemptedObjects { users: texts(&["bob"]), groups: texts(&["dev"]), ..Default::default() }, true)]
#[case::condition(ExemptedObjects { conditions: condition("object.metadata.name.startsWith('web')"), ..Default::default() }, true)]
#[case::other_condition(ExemptedObjects { conditions: condition("object.metadata.name == 'db'"), ..Default::default() }, false)]
#[case::parameters(ExemptedObjects { conditions: condition("!has(params.strict)"), ..Default::default() }, true)]
#[case::condition_that_fails(ExemptedObjects { conditions: condition("object.spec.missing == 1"), ..Default::default() }, false)]
#[case::all_of_it(ExemptedObjects { labels: labelled("web"), users: texts(&["bob"]), ..Default::default() }, false)]
fn all_that_is_said_has_to_hold(#[case] objects: ExemptedObjects, #[case] expected: bool) {
    assert_eq!(is_exempt(of_objects(objects), &create("shop")), expected);
}

/// What cannot be told is not exempt.
#[rstest]
#[case::labels(ExemptedObjects { labels: labelled("web"), ..Default::default() }, json!({"object": {"metadata": {"labels": {"app": "web", "x": 7}}}}))]
#[case::metadata(ExemptedObjects { labels: labelled("web"), ..Default::default() }, json!({"object": {"metadata": 7}}))]
#[case::no_metadata(ExemptedObjects { labels: LabelSelector { match_expressions: vec![Requirement::DoesNotExist("app".to_owned())], ..Default::default() }, ..Default::default() }, json!({"object": {"kind": "PodExecOptions"}}))]
#[case::no_object(ExemptedObjects { labels: labelled("web"), ..Default::default() }, json!({"object": null}))]
#[case::user(ExemptedObjects { users: texts(&["*"]), ..Default::default() }, json!({"userInfo": {"username": 7}}))]
#[case::groups(ExemptedObjects { groups: texts(&["*"]), ..Default::default() }, json!({"userInfo": {"groups": "dev"}}))]
#[case::resource(ExemptedObjects::default(), json!({"resource": "pods"}))]
#[case::operation(ExemptedObjects::default(), json!({"operation": "PATCH"}))]
#[case::one_image_of_two(ExemptedObjects { images: texts(&["registry.example.com/legacy/**"]), ..Default::default() },
    json!({"object": {"spec": {"containers": [{"image": "registry.example.com/legacy/web:1"}], "initContainers": [{"image": "evil"}]}}}))]
fn what_cannot_be_told_is_not_exempt(#[case] objects: ExemptedObjects, #[case] members: Json) {
    assert!(!is_exempt(of_objects(objects), &create_with(members)));
}

/// In a deletion there is the old object only.
#[rstest]
#[case("web", true)]
#[case("db", false)]
fn an_object_that_goes_is_the_one_that_is(#[case] app: &str, #[case] expected: bool) {
    let objects = ExemptedObjects {
        labels: labelled("web"),
        ..ExemptedObjects::default()
    };
    let old = json!({"metadata": {"labels": {"app": app}}});
    let request = create_with(json!({"operation": "DELETE", "object": null, "oldObject": old}));
    assert_eq!(is_exempt(of_objects(objects), &request), expected);
}

#[rstest]
#[case::cluster(of_cluster(), "shop", true)]
#[case::named(ExemptionReach::Cluster { namespaces: texts(&["sh*"]), selector: None }, "shop", true)]
#[case::other(ExemptionReach::Cluster { namespaces: texts(&["sh*"]), selector: None }, "bank", false)]
#[case::selected(ExemptionReach::Cluster { namespaces: Vec::new(), selector: Some(labelled("web")) }, "shop", true)]
#[case::both(ExemptionReach::Cluster { namespaces: texts(&["bank"]), selector: Some(labelled("web")) }, "shop", false)]
#[case::not_selected(ExemptionReach::Cluster { namespaces: Vec::new(), selector: Some(labelled("db")) }, "shop", false)]
#[case::every_namespace(ExemptionReach::Cluster { namespaces: Vec::new(), selector: Some(LabelSelector::default()) }, "shop", true)]
#[case::unknown(ExemptionReach::Cluster { namespaces: Vec::new(), selector: Some(LabelSelector::default()) }, "new", false)]
fn a_cluster_exemption_is_for_the_namespaces_that_it_selects(
    #[case] reach: ExemptionReach,
    #[case] namespace: &str,
    #[case] expected: bool,
) {
    let cache = exempting(denying(), [exemption(reach)]);
    let labels = Labels::from([("app".to_owned(), "web".to_owned())]);
    let around = Request {
        namespace: (namespace != "new").then(|| Arc::new(labels)),
        ..request()
    };
    let decision = asked(&cache, &create(namespace), &around);
    assert_eq!(decision.outcome == Outcome::Exempted, expected);
}

/// A Namespace itself is in none, and neither is what has no namespace.
#[rstest]
#[case(json!({"resource": {"group": "", "version": "v1", "resource": "namespaces"}, "namespace": "shop"}))]
#[case(json!({"resource": {"group": "", "version": "v1", "resource": "nodes"}, "namespace": ""}))]
fn what_is_in_no_namespace_is_exempt_only_where_everything_is(#[case] members: Json) {
    let named = ExemptionReach::Cluster {
        namespaces: texts(&["*"]),
        selector: None,
    };
    let request = create_with(members);
    assert!(!is_exempt(exemption(named), &request));
    assert!(is_exempt(exemption(of_cluster()), &request));
    let by_namespace = Definition {
        exemptible_by: Owner::Namespace,
        ..denying()
    };
    let cache = exempting(by_namespace, [exemption(of_namespace("shop"))]);
    let decision = asked(&cache, &request, &super::request());
    assert_eq!(decision.outcome, Outcome::Denied);
}

#[rstest]
#[case::tenant(
    of_namespace("shop"),
    Owner::Cluster,
    false,
    "shop",
    Stance::NotPermitted,
    false
)]
#[case::tenant_that_may(
    of_namespace("shop"),
    Owner::Namespace,
    false,
    "shop",
    Stance::Accepted,
    true
)]
#[case::in_its_own_namespace_only(
    of_namespace("shop"),
    Owner::Namespace,
    false,
    "bank",
    Stance::Accepted,
    false
)]
#[case::guardrail(
    of_namespace("shop"),
    Owner::Namespace,
    true,
    "shop",
    Stance::Guardrail,
    false
)]
#[case::cluster(of_cluster(), Owner::Cluster, false, "shop", Stance::Accepted, true)]
#[case::guardrail_of_the_cluster(
    of_cluster(),
    Owner::Cluster,
    true,
    "shop",
    Stance::Guardrail,
    false
)]
fn a_policy_of_the_cluster_says_whose_it_accepts(
    #[case] reach: ExemptionReach,
    #[case] exemptible_by: Owner,
    #[case] guardrail: bool,
    #[case] namespace: &str,
    #[case] stance: Stance,
    #[case] expected: bool,
) {
    let definition = Definition {
        guardrail,
        exemptible_by,
        ..denying()
    };
    let compiled = Exemption::compile(exemption(reach.clone())).unwrap();
    let policy = Policy::compile(definition.clone());
    assert_eq!(compiled.stance(&policy, None), stance);
    let cache = exempting(definition, [exemption(reach)]);
    let decision = asked(&cache, &create(namespace), &request());
    assert_eq!(decision.outcome == Outcome::Exempted, expected);
}

#[rstest]
#[case::own(of_namespace("shop"), Stance::Accepted)]
#[case::other(of_namespace("bank"), Stance::Elsewhere)]
#[case::cluster(ExemptionReach::Cluster { namespaces: texts(&["shop"]), selector: None }, Stance::Accepted)]
#[case::cluster_elsewhere(ExemptionReach::Cluster { namespaces: texts(&["bank"]), selector: None }, Stance::Elsewhere)]
#[case::labels_that_are_not_known(ExemptionReach::Cluster { namespaces: Vec::new(), selector: Some(LabelSelector::default()) }, Stance::Elsewhere)]
fn a_policy_of_a_namespace_accepts_its_own(
    #[case] reach: ExemptionReach,
    #[case] expected: Stance,
) {
    let definition = ExemptionDefinition {
        policies: vec![of_policies(Owner::Namespace)],
        ..exemption(reach)
    };
    let policy = Policy::compile(named(Scope::Namespace("shop".to_owned()), "b"));
    let compiled = Exemption::compile(definition).unwrap();
    assert_eq!(compiled.stance(&policy, None), expected);
}

#[rstest]
#[case(None, None, true)]
#[case(Some("b"), None, true)]
#[case(Some("b"), Some("1"), true)]
#[case(Some("b"), Some("2"), false)]
#[case(Some("c"), None, false)]
fn policies_are_named_by_their_address(
    #[case] name: Option<&str>,
    #[case] version: Option<&str>,
    #[case] expected: bool,
) {
    let policies = ExemptedPolicies {
        name: name.map(str::to_owned),
        version: version.map(|version| version.parse().unwrap()),
        ..of_policies(Owner::Cluster)
    };
    let exemption = ExemptionDefinition {
        policies: vec![policies],
        ..exemption(of_cluster())
    };
    assert_eq!(is_exempt(exemption, &create("shop")), expected);
}

/// The request is made at 1000.
#[rstest]
#[case(1_001, 7_776_000, true)]
#[case(1_000, 7_776_000, false)]
#[case(999, 7_776_000, false)]
#[case::as_long_as_is_allowed(1_060, 60, true)]
#[case::longer(1_061, 60, false)]
fn an_exemption_holds_until_it_expires(
    #[case] expires_at: i64,
    #[case] longest: u64,
    #[case] expected: bool,
) {
    let cache = Cache::allowing(Allowance {
        longest_exemption: Duration::from_secs(longest),
        ..Allowance::default()
    });
    let exemption = ExemptionDefinition {
        expires_at: at(expires_at),
        ..exemption(of_cluster())
    };
    cache.update(|state| {
        state.apply_policy(object("it", 0, denying()));
        state.apply_exemption(Arc::new(Exemption::compile(exemption).unwrap()));
    });
    let decision = asked(&cache, &create("shop"), &request());
    assert_eq!(decision.outcome == Outcome::Exempted, expected);
}
