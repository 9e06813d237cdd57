//! Which requests a match selects.

use rstest::rstest;

use super::*;
use crate::Requirement;

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

/// All operations on a resource of a group at `v1`.
fn rule(group: &str, resource: &str) -> ResourceRule {
    ResourceRule {
        groups: texts(&[group]),
        versions: texts(&["v1"]),
        resources: texts(&[resource]),
        operations: Operation::ALL.to_vec(),
        ..ResourceRule::default()
    }
}

fn labels(label: &str) -> Labels {
    let pair = label.split_once('=').unwrap();
    [(pair.0.to_owned(), pair.1.to_owned())].into()
}

fn by_label(label: &str) -> LabelSelector {
    LabelSelector {
        match_labels: labels(label),
        ..LabelSelector::default()
    }
}

fn without(key: &str) -> LabelSelector {
    LabelSelector {
        match_expressions: vec![Requirement::DoesNotExist(key.to_owned())],
        ..LabelSelector::default()
    }
}

fn selects(matches: &Match, subject: &Subject, objects: Objects) -> bool {
    let namespaces: Namespaces = [("prod", "env=prod"), ("test", "env=test")]
        .map(|(name, label)| (name.into(), Arc::new(labels(label))))
        .into();
    matches.selects(subject, &LazyCell::new(|| objects), &namespaces)
}

fn known(label: &str) -> ObjectLabels {
    ObjectLabels::Known(labels(label))
}

fn created(object: ObjectLabels) -> Objects {
    Objects {
        object,
        old_object: ObjectLabels::Absent,
    }
}

#[rstest]
#[case(ResourceScope::All, "pods", Some("prod"), true)]
#[case(ResourceScope::All, "nodes", None, true)]
#[case(ResourceScope::Namespaced, "pods", Some("prod"), true)]
#[case(ResourceScope::Namespaced, "nodes", None, false)]
#[case(ResourceScope::Cluster, "pods", Some("prod"), false)]
#[case(ResourceScope::Cluster, "nodes", None, true)]
// A Namespace's own name stands as its namespace, and it is one of the cluster's resources.
#[case(ResourceScope::Cluster, "namespaces", Some("prod"), true)]
#[case(ResourceScope::Namespaced, "namespaces", Some("prod"), false)]
#[case(ResourceScope::Cluster, "namespaces/finalize", Some("prod"), true)]
fn rules_of_a_scope(
    #[case] scope: ResourceScope,
    #[case] resource: &str,
    #[case] namespace: Option<&str>,
    #[case] expected: bool,
) {
    let matches = Match::of([ResourceRule {
        scope,
        ..rule("", "*/*")
    }]);
    let subject = Subject {
        namespace: namespace.map(str::to_owned),
        ..Subject::new("", resource, Operation::Create)
    };
    assert_eq!(selects(&matches, &subject, Objects::default()), expected);
}

#[rstest]
#[case(&[], &[], "", true)]
#[case(&[], &[], "web", true)]
#[case(&["web", "db"], &[], "db", true)]
#[case(&["web"], &[], "web-1", false)]
// A star in a name is a star.
#[case(&["web*"], &[], "web-1", false)]
#[case(&["web*"], &[], "web*", true)]
#[case(&["web"], &["web-*"], "web-1", true)]
#[case(&["web"], &["web-*"], "web", true)]
#[case(&[], &["web-*"], "web", false)]
// A request without a name, such as the deletion of a collection.
#[case(&["web"], &[], "", false)]
#[case(&[], &["*"], "", false)]
fn rules_with_names(
    #[case] names: &[&str],
    #[case] patterns: &[&str],
    #[case] name: &str,
    #[case] expected: bool,
) {
    let matches = Match::of([ResourceRule {
        names: texts(names),
        name_patterns: texts(patterns),
        ..rule("", "pods")
    }]);
    let subject = Subject {
        name: name.to_owned(),
        ..Subject::new("", "pods", Operation::Update)
    };
    assert_eq!(selects(&matches, &subject, Objects::default()), expected);
}

#[rstest]
#[case::another_resource(rule("", "services"), true)]
#[case::the_resource(rule("", "pods"), false)]
#[case::all_but_subresources(rule("", "*"), false)]
#[case::only_subresources(rule("", "pods/exec"), true)]
#[case::every_version(ResourceRule { versions: texts(&["*"]), ..rule("*", "pods") }, false)]
// Nobody here knows that v2 is served, and to exclude is to permit.
#[case::another_version(ResourceRule { versions: texts(&["v2"]), ..rule("", "pods") }, true)]
#[case::the_requested_version(ResourceRule { versions: texts(&["v1beta1"]), ..rule("", "pods") }, false)]
#[case::another_name(ResourceRule { names: texts(&["db"]), ..rule("", "pods") }, true)]
#[case::its_name(ResourceRule { names: texts(&["web"]), ..rule("", "pods") }, false)]
#[case::another_operation(ResourceRule { operations: vec![Operation::Delete], ..rule("", "pods") }, true)]
fn what_is_excluded_is_not_judged(#[case] excluded: ResourceRule, #[case] expected: bool) {
    let matches = Match {
        excluded: vec![excluded],
        ..Match::of([rule("*", "*/*")])
    };
    let subject = Subject {
        requested: Some((String::new(), "v1beta1".to_owned())),
        name: "web".to_owned(),
        ..Subject::new("", "pods", Operation::Create)
    };
    assert_eq!(selects(&matches, &subject, Objects::default()), expected);
}

/// Which version of a resource is asked about depends on what other policies name.
#[rstest]
#[case("", &["v1"], "", true)]
#[case("", &["v1beta1"], "", true)]
#[case("apps", &["v1"], "", false)]
// Requested as another group's.
#[case("apps", &["v1"], "apps", true)]
fn versions_of_one_resource_are_the_same(
    #[case] group: &str,
    #[case] versions: &[&str],
    #[case] requested: &str,
    #[case] expected: bool,
) {
    let matches = Match::of([ResourceRule {
        versions: texts(versions),
        ..rule(group, "things")
    }]);
    let subject = Subject {
        requested: Some((requested.to_owned(), "v2".to_owned())),
        ..Subject::new("", "things", Operation::Create)
    };
    assert_eq!(selects(&matches, &subject, Objects::default()), expected);
}

#[rstest]
#[case("", "events.k8s.io", "events", true)]
#[case("events.k8s.io", "", "events", true)]
#[case("", "apps", "events", false)]
#[case("apps", "", "events", false)]
#[case("", "events.k8s.io", "pods", false)]
fn events_are_the_same_in_both_groups(
    #[case] named: &str,
    #[case] asked: &str,
    #[case] resource: &str,
    #[case] expected: bool,
) {
    let subject = Subject::new(asked, resource, Operation::Create).within("prod");
    let matches = Match::of([rule(named, resource)]);
    assert_eq!(selects(&matches, &subject, Objects::default()), expected);
    let excluding = Match {
        excluded: vec![rule(named, resource)],
        ..Match::of([rule("*", "*")])
    };
    assert_eq!(selects(&excluding, &subject, Objects::default()), !expected);
}

#[rstest]
#[case::new(known("a=1"), ObjectLabels::Absent, true)]
#[case::old(ObjectLabels::Absent, known("a=1"), true)]
#[case::changed_to(known("a=1"), known("a=2"), true)]
#[case::changed_from(known("a=2"), known("a=1"), true)]
#[case::neither(known("a=2"), known("b=1"), false)]
#[case::no_labels(ObjectLabels::Known(Labels::new()), ObjectLabels::Absent, false)]
#[case::no_object(ObjectLabels::Absent, ObjectLabels::Absent, false)]
#[case::unreadable(ObjectLabels::Unreadable, ObjectLabels::Absent, true)]
fn one_of_both_objects_is_selected(
    #[case] object: ObjectLabels,
    #[case] old_object: ObjectLabels,
    #[case] expected: bool,
) {
    let matches = Match {
        objects: by_label("a=1"),
        ..Match::of([rule("", "pods")])
    };
    let subject = Subject::new("", "pods", Operation::Update);
    let objects = Objects { object, old_object };
    assert_eq!(selects(&matches, &subject, objects), expected);
}

/// The options of `kubectl exec` have no metadata, and so no selector selects them: not even one
/// that asks for a label that is missing.
#[test]
fn what_has_no_metadata_is_not_selected() {
    let matches = Match {
        objects: without("a"),
        ..Match::of([rule("", "pods/exec")])
    };
    let subject = Subject::new("", "pods/exec", Operation::Connect);
    assert!(!selects(&matches, &subject, created(ObjectLabels::Absent)));
    let bare = ObjectLabels::Known(Labels::new());
    assert!(selects(&matches, &subject, created(bare)));
}

#[rstest]
#[case::selected("pods", Operation::Create, Some("prod"), known("env=test"), true)]
#[case::not_selected("pods", Operation::Create, Some("test"), known("env=prod"), false)]
#[case::not_known_yet("pods", Operation::Create, Some("new"), known("env=test"), true)]
#[case::of_the_cluster("nodes", Operation::Create, None, known("env=test"), true)]
#[case::a_new_namespace("namespaces", Operation::Create, Some("new"), known("env=prod"), true)]
#[case::a_new_other("namespaces", Operation::Create, Some("new"), known("env=test"), false)]
#[case::relabelled_to("namespaces", Operation::Update, Some("test"), known("env=prod"), true)]
#[case::relabelled_from(
    "namespaces",
    Operation::Update,
    Some("prod"),
    known("env=test"),
    false
)]
#[case::removed(
    "namespaces",
    Operation::Delete,
    Some("prod"),
    ObjectLabels::Absent,
    true
)]
#[case::another_removed(
    "namespaces",
    Operation::Delete,
    Some("test"),
    ObjectLabels::Absent,
    false
)]
#[case::finalized(
    "namespaces/finalize",
    Operation::Update,
    Some("prod"),
    known("env=test"),
    true
)]
#[case::unreadable(
    "namespaces",
    Operation::Create,
    Some("test"),
    ObjectLabels::Unreadable,
    true
)]
fn namespaces_are_selected_by_label(
    #[case] resource: &str,
    #[case] operation: Operation,
    #[case] namespace: Option<&str>,
    #[case] object: ObjectLabels,
    #[case] expected: bool,
) {
    let matches = Match {
        namespaces: by_label("env=prod"),
        ..Match::of([rule("", "*/*")])
    };
    let subject = Subject {
        namespace: namespace.map(str::to_owned),
        ..Subject::new("", resource, operation)
    };
    assert_eq!(selects(&matches, &subject, created(object)), expected);
}

#[test]
fn objects_are_read_only_where_a_selector_looks() {
    let matches = Match::of([rule("", "pods")]);
    let subject = Subject::new("", "pods", Operation::Create).within("prod");
    let unread = LazyCell::new(|| unreachable!("nobody looks at labels"));
    assert!(matches.selects(&subject, &unread, &Namespaces::new()));
    let elsewhere = Match {
        objects: by_label("a=1"),
        ..Match::of([rule("", "services")])
    };
    assert!(!elsewhere.selects(&subject, &unread, &Namespaces::new()));
}
