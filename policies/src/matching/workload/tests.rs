//! Which Pods a request about a workload stands for.

use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value as Json, json};

use super::*;
use crate::{Document, LabelSelector, ResourceScope};

/// Judges Pods that are created and updated, and the templates of all workloads.
fn matches() -> Match {
    let rule = ResourceRule {
        groups: vec![String::new()],
        versions: vec!["v1".to_owned()],
        resources: vec!["pods".to_owned()],
        operations: vec![Operation::Create, Operation::Update],
        ..ResourceRule::default()
    };
    Match {
        workloads: Workload::of_kubernetes().collect(),
        ..Match::of([rule])
    }
}

fn with_custom(path: &str, optional: bool) -> Match {
    let mut matches = matches();
    matches.workloads.push(Workload {
        group: "shop.io".to_owned(),
        version: "v1".to_owned(),
        kind: "Till".to_owned(),
        resource: "tills".to_owned(),
        path: path.parse().unwrap(),
        optional,
    });
    matches
}

fn template(image: &str) -> Json {
    json!({
        "metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [{"name": "web", "image": image}]},
    })
}

fn deployment(template: &Json) -> Json {
    json!({"metadata": {"name": "web", "uid": "1"}, "spec": {"replicas": 1, "template": template}})
}

fn request(group: &str, resource: &str, object: &Json, old_object: &Json) -> Json {
    let operation = if old_object.is_null() {
        "CREATE"
    } else {
        "UPDATE"
    };
    json!({
        "uid": "u",
        "kind": {"group": group, "version": "v1", "kind": "Any"},
        "resource": {"group": group, "version": "v1", "resource": resource},
        "name": "web",
        "namespace": "shop",
        "operation": operation,
        "userInfo": {"username": "ann"},
        "object": object,
        "oldObject": old_object,
        "options": {"kind": "Options"},
    })
}

/// The paths of the Pods, or why there are none.
fn paths(matches: &Match, request: &Json) -> String {
    match expand(matches, Document::from(request).value()) {
        Err(why) => why,
        Ok(pods) => {
            let paths: Vec<String> = pods.into_iter().map(|pod| pod.path).collect();
            paths.join(" ")
        }
    }
}

fn pod(matches: &Match, request: &Json) -> Json {
    let pods = expand(matches, Document::from(request).value()).unwrap();
    serde_json::to_value(Document::new(pods[0].request.clone())).unwrap()
}

#[test]
fn a_request_is_what_it_would_be_about_the_pod() {
    let created = deployment(&template("web:1"));
    let request = request("apps", "deployments", &created, &Json::Null);
    insta::assert_json_snapshot!(pod(&matches(), &request));
}

#[test]
fn an_update_shows_the_pod_as_it_was() {
    let (new, old) = (
        deployment(&template("web:2")),
        deployment(&template("web:1")),
    );
    let request = request("apps", "deployments", &new, &old);
    let pod = pod(&matches(), &request);
    assert_eq!(pod["operation"], "UPDATE");
    assert_eq!(pod["options"]["kind"], "Options");
    assert_eq!(pod["object"]["spec"]["containers"][0]["image"], "web:2");
    assert_eq!(pod["oldObject"]["spec"]["containers"][0]["image"], "web:1");
    assert_eq!(pod["oldObject"]["metadata"]["name"], "web-pod");
}

/// What judges Pods only when they are created judges a changed template as what it makes.
#[test]
fn an_update_of_a_template_creates_pods() {
    let mut creations = matches();
    creations.rules[0].operations = vec![Operation::Create];
    let (new, old) = (
        deployment(&template("web:2")),
        deployment(&template("web:1")),
    );
    let pod = pod(&creations, &request("apps", "deployments", &new, &old));
    assert_eq!(pod["operation"], "CREATE");
    assert_eq!(pod["options"]["kind"], "CreateOptions");
    assert_eq!(pod["oldObject"], Json::Null);
}

#[rstest]
#[case("batch", "cronjobs", json!({"spec": {"jobTemplate": {"spec": {"template": template("a")}}}}),
    "spec.jobTemplate.spec.template")]
#[case("apps", "daemonsets", deployment(&template("a")), "spec.template")]
#[case("apps", "deployments", deployment(&template("a")), "spec.template")]
#[case("batch", "jobs", deployment(&template("a")), "spec.template")]
#[case("apps", "replicasets", deployment(&template("a")), "spec.template")]
#[case("", "replicationcontrollers", deployment(&template("a")), "spec.template")]
#[case("apps", "statefulsets", deployment(&template("a")), "spec.template")]
#[case("extensions", "deployments", deployment(&template("a")), "")]
#[case("", "pods", json!({"spec": {}}), "")]
#[case("apps", "deployments", json!({"spec": {}}), "there is no Pod template at `spec.template`")]
#[case("apps", "deployments", json!({"spec": {"template": {"metadata": {}}}}),
    "there is no Pod template at `spec.template`, for it has no `spec`")]
#[case("apps", "deployments", json!({"spec": {"template": {"metadata": [], "spec": {}}}}),
    "`spec.template.metadata` is no object")]
#[case("apps", "deployments", json!({"spec": []}), "`spec` is no object")]
#[case("apps", "deployments", json!(null), "there is no object whose Pod template could be judged")]
fn kinds_have_their_templates(
    #[case] group: &str,
    #[case] resource: &str,
    #[case] object: Json,
    #[case] expected: &str,
) {
    let request = request(group, resource, &object, &Json::Null);
    assert_eq!(paths(&matches(), &request), expected);
}

#[rstest]
#[case::found("spec.pod", false, json!({"spec": {"pod": template("a")}}), "spec.pod")]
#[case::each("spec.lanes[*].pod", false,
    json!({"spec": {"lanes": [{"pod": template("a")}, {"pod": template("b")}]}}),
    "spec.lanes[0].pod spec.lanes[1].pod")]
#[case::missing("spec.pod", false, json!({"spec": {}}), "there is no Pod template at `spec.pod`")]
#[case::one_is_missing("spec.lanes[*].pod", false,
    json!({"spec": {"lanes": [{"pod": template("a")}, {}]}}),
    "there is no Pod template at `spec.lanes[1].pod`")]
#[case::optional("spec.pod", true, json!({"spec": {}}), "")]
#[case::optional_and_unreadable("spec.pod", true, json!({"spec": {"pod": "a"}}),
    "`spec.pod` is no object")]
fn custom_kinds_say_where_theirs_is(
    #[case] path: &str,
    #[case] optional: bool,
    #[case] object: Json,
    #[case] expected: &str,
) {
    let request = request("shop.io", "tills", &object, &Json::Null);
    assert_eq!(paths(&with_custom(path, optional), &request), expected);
}

/// What must go on goes on.
#[rstest]
#[case::changed(json!({}), "spec.template")]
#[case::scaled(json!({"/object/spec/replicas": 9, "/object/spec/template": template("old")}), "")]
#[case::labelled(
    json!({"/object/metadata/labels": {"a": "b"}, "/object/spec/template": template("old")}), "")]
#[case::being_deleted(json!({"/object/metadata/deletionTimestamp": "2026-01-01T00:00:00Z"}), "")]
#[case::not_being_deleted(json!({"/object/metadata/deletionTimestamp": null}), "spec.template")]
#[case::without_a_template_as_before(
    json!({"/object/spec": {}, "/oldObject/spec": {}}), "")]
#[case::without_a_template_now(
    json!({"/object/spec": {}}), "there is no Pod template at `spec.template`")]
#[case::unreadable_as_before(
    json!({"/object/spec": [], "/oldObject/spec": [], "/object/metadata/labels": {"a": "b"}}), "")]
#[case::unreadable_before(json!({"/oldObject/spec": []}), "spec.template")]
fn updates(#[case] changes: Json, #[case] expected: &str) {
    let (new, old) = (deployment(&template("new")), deployment(&template("old")));
    let mut request = request("apps", "deployments", &new, &old);
    for (pointer, value) in changes.as_object().unwrap() {
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        request.pointer_mut(parent).unwrap()[key] = value.clone();
    }
    assert_eq!(paths(&matches(), &request), expected);
}

/// A template that moves in its list makes no Pod that was not judged.
#[test]
fn of_several_templates_those_that_changed() {
    let lanes = |images: &[&str]| {
        let lanes: Vec<Json> = images
            .iter()
            .map(|image| json!({"pod": template(image)}))
            .collect();
        json!({"spec": {"lanes": lanes}})
    };
    let request = request("shop.io", "tills", &lanes(&["b", "c"]), &lanes(&["a", "b"]));
    let matches = with_custom("spec.lanes[*].pod", false);
    assert_eq!(paths(&matches, &request), "spec.lanes[1].pod");
    let many = lanes(&["a"; 20]);
    let mut doubled = matches;
    doubled
        .workloads
        .push(doubled.workloads.last().unwrap().clone());
    let request = self::request("shop.io", "tills", &many, &Json::Null);
    assert_eq!(
        paths(&doubled, &request),
        "the object has more than 32 Pod templates"
    );
}

/// What is controlled by a workload of the same policy is judged there.
#[rstest]
#[case::by_a_deployment("apps/v1", "Deployment", true, "")]
#[case::in_another_version("apps/v2", "Deployment", true, "")]
#[case::not_as_its_controller("apps/v1", "Deployment", false, "spec.template")]
#[case::by_a_custom_kind("shop.io/v1", "Till", true, "")]
#[case::by_a_kind_that_is_not_judged("argoproj.io/v1alpha1", "Rollout", true, "spec.template")]
#[case::of_another_group("shop.io/v1", "Deployment", true, "spec.template")]
fn owners(
    #[case] api_version: &str,
    #[case] kind: &str,
    #[case] controller: bool,
    #[case] expected: &str,
) {
    let mut owned = deployment(&template("a"));
    owned["metadata"]["ownerReferences"] =
        json!([{"apiVersion": api_version, "kind": kind, "name": "x", "controller": controller}]);
    let request = request("apps", "replicasets", &owned, &Json::Null);
    assert_eq!(paths(&with_custom("spec.pod", false), &request), expected);
}

#[rstest]
#[case("app", "web", "spec.template")]
#[case("app", "db", "")]
#[case("team", "web", "")]
fn the_labels_of_the_pod_are_the_templates(
    #[case] key: &str,
    #[case] value: &str,
    #[case] expected: &str,
) {
    let mut matches = matches();
    matches.objects = LabelSelector {
        match_labels: [(key.to_owned(), value.to_owned())].into(),
        ..LabelSelector::default()
    };
    let mut object = deployment(&template("a"));
    object["metadata"]["labels"] = json!({"team": "web"});
    let request = request("apps", "deployments", &object, &Json::Null);
    assert_eq!(paths(&matches, &request), expected);
}

#[test]
fn labels_that_cannot_be_read_are_selected() {
    let mut matches = matches();
    matches.objects = LabelSelector {
        match_labels: [("app".to_owned(), "db".to_owned())].into(),
        ..LabelSelector::default()
    };
    let mut object = deployment(&template("a"));
    object["spec"]["template"]["metadata"]["labels"] = json!({"app": 1});
    let request = request("apps", "deployments", &object, &Json::Null);
    assert_eq!(paths(&matches, &request), "spec.template");
}

/// As what a Pod is judged that is made by a creation and by an update of a workload.
#[rstest]
#[case::both(|_: &mut Match| {}, [Some(Operation::Create), Some(Operation::Update)])]
#[case::creations(|m: &mut Match| m.rules[0].operations = vec![Operation::Create],
    [Some(Operation::Create), Some(Operation::Create)])]
#[case::updates(|m: &mut Match| m.rules[0].operations = vec![Operation::Update],
    [None, Some(Operation::Update)])]
#[case::deletions(|m: &mut Match| m.rules[0].operations = vec![Operation::Delete], [None, None])]
#[case::other_resources(|m: &mut Match| m.rules[0].resources = vec!["services".to_owned()], [None, None])]
#[case::subresources(|m: &mut Match| m.rules[0].resources = vec!["pods/exec".to_owned()], [None, None])]
#[case::all_resources(|m: &mut Match| m.rules[0].resources = vec!["*".to_owned()],
    [Some(Operation::Create), Some(Operation::Update)])]
#[case::of_the_cluster(|m: &mut Match| m.rules[0].scope = ResourceScope::Cluster, [None, None])]
#[case::some_name(|m: &mut Match| m.rules[0].names = vec!["web".to_owned()],
    [Some(Operation::Create), Some(Operation::Update)])]
#[case::excluded(|m: &mut Match| m.excluded = m.rules.clone(), [None, None])]
#[case::some_name_excluded(
    |m: &mut Match| m.excluded = vec![ResourceRule { names: vec!["web".to_owned()], ..m.rules[0].clone() }],
    [Some(Operation::Create), Some(Operation::Update)])]
#[case::updates_excluded(
    |m: &mut Match| m.excluded = vec![ResourceRule { operations: vec![Operation::Update], ..m.rules[0].clone() }],
    [Some(Operation::Create), Some(Operation::Create)])]
#[case::another_version_excluded(
    |m: &mut Match| m.excluded = vec![ResourceRule { versions: vec!["v2".to_owned()], ..m.rules[0].clone() }],
    [Some(Operation::Create), Some(Operation::Update)])]
fn pods_are_judged_as(#[case] change: fn(&mut Match), #[case] expected: [Option<Operation>; 2]) {
    let mut matches = matches();
    change(&mut matches);
    let judged = [Operation::Create, Operation::Update].map(|it| matches.operation_on_pods(it));
    assert_eq!(judged, expected);
    for other in [Operation::Delete, Operation::Connect] {
        assert_eq!(matches.operation_on_pods(other), None);
    }
}

fn any_json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        Just(json!(1)),
        Just(json!("text")),
        Just(json!(true))
    ];
    let field = proptest::sample::select(vec!["spec", "template", "lanes", "pod", "metadata", "a"]);
    leaf.prop_recursive(6, 40, 4, move |inner| {
        let members = proptest::collection::btree_map(field.clone(), inner.clone(), 0..4);
        prop_oneof![
            members.prop_map(|members| json!(members)),
            proptest::collection::vec(inner, 0..3).prop_map(Json::from),
        ]
    })
}

fn any_template() -> impl Strategy<Value = Json> {
    let spec = prop_oneof![
        1 => any_json(),
        4 => any_json().prop_map(|it| json!({"containers": it})),
    ];
    (any_json(), spec)
        .prop_map(|(labels, spec)| json!({"metadata": {"labels": labels}, "spec": spec}))
}

/// Mostly of the shape that is looked for.
fn any_workload() -> impl Strategy<Value = Json> {
    let lane = any_template().prop_map(|pod| json!({"pod": pod}));
    let lanes = proptest::collection::vec(lane, 0..3);
    let workload = (any_template(), lanes).prop_map(|(template, lanes)| {
        json!({"metadata": {"name": "web"}, "spec": {"template": template, "lanes": lanes}})
    });
    prop_oneof![1 => any_json(), 4 => workload]
}

proptest! {
    /// Whatever an object is, an update that leaves it as it is passes, and each Pod has a path that
    /// leads to its template.
    #[test]
    fn any_object_can_be_asked_about(object in any_workload(), old in any_workload()) {
        let workloads = with_custom("spec.lanes[*].pod", false);
        for (group, resource) in [("shop.io", "tills"), ("apps", "deployments")] {
            let mut same = request(group, resource, &object, &object);
            same["operation"] = json!("UPDATE");
            if object.is_object() {
                prop_assert_eq!(paths(&workloads, &same), "");
            }
            let changed = request(group, resource, &object, &old);
            let Ok(pods) = expand(&workloads, Document::from(&changed).value()) else {
                continue;
            };
            for Pod { path, request } in pods {
                let pointer = path.replace(['.', '['], "/").replace(']', "");
                let template = object.pointer(&format!("/{pointer}")).unwrap();
                let pod = serde_json::to_value(Document::new(request)).unwrap();
                prop_assert_eq!(&pod["object"]["spec"], &template["spec"]);
                prop_assert_eq!(&pod["workload"]["path"], &json!(path));
            }
        }
    }
}
