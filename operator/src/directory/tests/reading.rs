//! What is read of a directory, and how its faults are told.

use portcullis_policies::{Cache, Objects, Operation, Route, Subject};
use rstest::rstest;

use super::{ALLOWS, BROKEN, Started, directory, refused, start};
use crate::directory::{Loader, Tree};

const POLICY_MANIFEST: &str = "\
apiVersion: portcullis.dev/v1alpha1
kind: Policy
metadata:
  name: hosts
  namespace: team-a
spec:
  group: web
  name: hosts
  version: \"1.0\"
  modules:
    policy.rego: |
      package web.hosts
      allow := true
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: other
---
apiVersion: portcullis.dev/v1alpha1
kind: ClusterLock
metadata:
  name: incident
spec:
  policy: {group: a}
  reason: incident 4711
  expiresAt: null
";

#[test]
fn reads_the_layout_and_manifests() {
    let started = start(directory(&[
        ("a/b/1.0/policy.rego", ALLOWS),
        (
            "a/b/1.0/more.rego",
            "package a.b\nwarn contains \"x\" if data.table.x\n",
        ),
        ("a/b/1.0/policy_test.rego", "package a.b\ntest_it if {"),
        ("a/b/1.0.1/policy.rego", ALLOWS),
        ("a/b/1.0/data.json", "{\"table\": {\"x\": true}}"),
        ("a/b/1.0/output-schema.json", "{\"const\": null}"),
        (
            "a/b/1.0/policy.yaml",
            "regoVersion: v1\nlimits: {timeout: 2s}\nnotAfter: null\n",
        ),
        ("clusters/prod/apps/hosts.yaml", POLICY_MANIFEST),
        ("README.md", "nothing"),
        (".git/config.yaml", "a: ["),
    ]))
    .unwrap();
    assert_eq!(
        started.policies(),
        ["a/b@1.0 ok", "a/b@1.0.1 ok", "web/hosts@1.0 in team-a ok"]
    );
    assert_eq!(started.faults(), [] as [&str; 0]);
    let snapshot = started.cache.snapshot();
    let locks: Vec<String> = snapshot
        .locks()
        .iter()
        .map(|lock| lock.key.to_string())
        .collect();
    assert_eq!(locks, ["ClusterLock incident"]);
    let entry = snapshot.find(&"a/b@1.0".parse().unwrap()).unwrap();
    let definition = entry.policy.definition();
    assert_eq!(
        definition.modules.keys().collect::<Vec<_>>(),
        ["more.rego", "policy.rego"]
    );
    assert_eq!(definition.limits.timeout.as_secs(), 2);
    let schema = definition.output.as_ref().map(|output| &output.schema);
    assert_eq!(schema, Some(&serde_json::json!({"const": null})));
    assert_eq!(entry.locks.len(), 1);
    assert_eq!(
        started.loader.status().notes,
        ["clusters/prod/apps/hosts.yaml:15: passed over: the document is of another API"]
    );
}

#[test]
fn the_shipped_library_is_sound() {
    let loader = Loader::start(Tree::Shipped, Cache::new().allowance(), &|_, _| {}).unwrap();
    assert_eq!(loader.status().problems, []);
    assert_eq!(loader.status().notes, [] as [&str; 0]);
}

/// A policy of the layout with this `policy.yaml`: it is broken, and the fault is told so.
#[rstest]
#[case::unknown_field(
    "admission:\n  match:\n    resourceRules:\n    - apiGroups: [\"\"]\n      apiVersions: [v1]\n      resources: [pods]\n      operations: [CREATE]\n  failurePolcy: Fail\n",
    "a/b/1.0/policy.yaml:8:3: field_unknown: unknown field `admission.failurePolcy`"
)]
#[case::of_the_layout(
    "group: other\n",
    "a/b/1.0/policy.yaml:1:1: field_unexpected: `group` is given by the layout"
)]
#[case::wrong_type(
    "guardrail: 7\n",
    "a/b/1.0/policy.yaml:1:12: field_invalid: `guardrail`: 7 is not of type \"boolean\""
)]
#[case::not_one_of(
    "regoVersion: v2\n",
    "a/b/1.0/policy.yaml:1:14: field_invalid: `regoVersion`: \"v2\" is not one of"
)]
#[case::bad_time(
    "guardrail: true\nnotAfter: tomorrow\n",
    "a/b/1.0/policy.yaml:2:1: time_invalid: `notAfter`: `tomorrow` is not an RFC 3339 time"
)]
#[case::bad_timeout(
    "limits:\n  timeout: 9s\n",
    "a/b/1.0/policy.yaml:2:3: timeout_invalid: `limits.timeout`: `9s` is not a duration from 1ms to 5s"
)]
fn a_policy_with_wrong_settings_is_broken(#[case] settings: &str, #[case] fault: &str) {
    let files = [
        ("a/b/1.0/policy.rego", ALLOWS),
        ("a/b/1.0/policy.yaml", settings),
    ];
    let started = start(directory(&files)).unwrap();
    assert_eq!(started.policies(), ["a/b@1.0 broken"]);
    let faults = started.faults();
    assert!(faults[0].starts_with(fault), "{faults:#?}");
    assert!(
        faults[0].ends_with("until it is mended, it denies"),
        "{faults:#?}"
    );
}

#[rstest]
#[case::rego(&[("a/b/1.0/policy.rego", BROKEN)], "a/b/1.0/policy.rego:")]
#[case::wrong_package(&[("a/b/1.0/policy.rego", "package a.c\nallow := true\n")], "a/b/1.0")]
#[case::data(
    &[("a/b/1.0/policy.rego", ALLOWS), ("a/b/1.0/data.json", "{\n  \"a\": }\n")],
    "a/b/1.0/data.json:2:8: data_invalid: not JSON: expected value"
)]
#[case::data_of_another_shape(
    &[("a/b/1.0/policy.rego", ALLOWS), ("a/b/1.0/data.json", "[]")],
    "a/b/1.0: data_invalid: a/b/1.0/data.json: not a JSON object"
)]
#[case::schema(
    &[("a/b/1.0/policy.rego", ALLOWS), ("a/b/1.0/output-schema.json", "[]")],
    "a/b/1.0: output_schema_invalid: a/b/1.0/output-schema.json: not a JSON object"
)]
#[case::schema_that_is_none(
    &[("a/b/1.0/policy.rego", ALLOWS), ("a/b/1.0/output-schema.json", r#"{"type": 1}"#)],
    "a/b/1.0: output_schema_invalid: `outputSchema` is not a JSON Schema"
)]
#[case::data_that_would_be_read_as_another(
    &[("a/b/1.0/policy.rego", ALLOWS), ("a/b/1.0/data.json", r#"{"a": [12345678901234567890123]}"#)],
    "a/b/1.0: data_invalid: a/b/1.0/data.json: a number needs more than 64 bits"
)]
fn a_policy_with_wrong_sources_is_broken(#[case] files: &[(&str, &str)], #[case] fault: &str) {
    let started = start(directory(files)).unwrap();
    assert_eq!(started.policies(), ["a/b@1.0 broken"]);
    let faults = started.faults();
    assert!(faults[0].starts_with(fault), "{faults:#?}");
}

/// Where it is not known what a file holds, nothing can answer in its place.
#[rstest]
#[case::yaml(
    &[("a/b/1.0/policy.rego", ALLOWS), ("x.yaml", "a: 1\na: 2\n")],
    "x.yaml:2:1: yaml_invalid: duplicate mapping key: a"
)]
#[case::settings(
    &[("a/b/1.0/policy.rego", ALLOWS), ("a/b/1.0/policy.yaml", "a: [\n")],
    "a/b/1.0/policy.yaml:"
)]
#[case::settings_of_another_shape(
    &[("a/b/1.0/policy.rego", ALLOWS), ("a/b/1.0/policy.yaml", "- a\n")],
    "a/b/1.0/policy.yaml:1:1: settings_invalid: not a mapping of fields"
)]
#[case::settings_misnamed(
    &[("a/b/1.0/policy.rego", ALLOWS), ("a/b/1.0/policy.yml", "guardrail: true\n")],
    "settings_misnamed: a/b/1.0/policy.yml: the settings of a policy are not read from `policy.yml`\n  → rename the file to `policy.yaml`"
)]
#[case::address(
    &[("a/b/v1/policy.rego", ALLOWS)],
    "a/b/v1: `v1` is not a valid version"
)]
#[case::kind(
    &[("x.yaml", "apiVersion: portcullis.dev/v1alpha1\nkind: Polcy\n")],
    "x.yaml:1:1: kind_unknown: kind is `Polcy`"
)]
#[case::version(
    &[("x.yaml", "apiVersion: portcullis.dev/v2\nkind: Policy\n")],
    "x.yaml:1:1: kind_unknown: apiVersion is `portcullis.dev/v2`"
)]
#[case::namespace(
    &[("x.yaml", "apiVersion: portcullis.dev/v1alpha1\nkind: Lock\nmetadata: {name: x}\nspec: {all: true, reason: x}\n")],
    "x.yaml:1:1: namespace_missing"
)]
#[case::unquoted(
    &[("x.yaml", "apiVersion: portcullis.dev/v1alpha1\nkind: ClusterLock\nmetadata: {name: x}\nspec: {all: true, reason: y}\n")],
    "x.yaml:4:27: field_invalid: `spec.reason`: true is not of type \"string\"\n  | spec: {all: true, reason: y}\n  |                           ^\n  → put the value into double quotes"
)]
#[case::lock_without_target(
    &[("x.yaml", "apiVersion: portcullis.dev/v1alpha1\nkind: ClusterLock\nmetadata: {name: x}\nspec: {reason: x}\n")],
    "x.yaml:1:1: target_invalid"
)]
#[case::rules(
    &[("x.yaml", "apiVersion: portcullis.dev/v1alpha1\nkind: ClusterPolicy\nmetadata: {name: x}\nspec:\n  group: a\n  name: b\n  version: \"1\"\n  modules: {p.rego: package a.b}\n  admission:\n    match:\n      resourceRules:\n      - apiGroups: [a]\n        resource: [pods]\n")],
    "x.yaml:13:9: field_unknown: unknown field `spec.admission.match.resourceRules[0].resource`"
)]
#[case::twice(
    &[
        ("x.yaml", "apiVersion: portcullis.dev/v1alpha1\nkind: ClusterLock\nmetadata: {name: x}\nspec: {all: true, reason: x}\n"),
        ("y.yaml", "apiVersion: portcullis.dev/v1alpha1\nkind: ClusterLock\nmetadata: {name: x}\nspec: {all: true, reason: w}\n"),
    ],
    "ClusterLock x is in x.yaml too"
)]
fn a_start_is_refused_where_it_is_not_known_what_holds(
    #[case] files: &[(&str, &str)],
    #[case] fault: &str,
) {
    let text = refused(directory(files));
    assert!(text.contains(fault), "{text}");
}

#[rstest]
#[case::empty(&[], "the directory holds no policy")]
#[case::elsewhere(&[("policy.rego", ALLOWS)], "policy.rego: passed over: not in <group>/<name>/<version>/")]
#[case::tests_only(&[("a/b/1.0/policy_test.rego", ALLOWS)], "the directory holds no policy")]
fn a_directory_without_policies_is_refused(#[case] files: &[(&str, &str)], #[case] fault: &str) {
    let text = refused(directory(files));
    assert!(
        text.contains("the directory holds no policy") && text.contains(fault),
        "{text}"
    );
}

/// A manifest that breaks its schema is a broken policy at its own match, or a lock that refuses.
#[test]
fn what_stands_in_for_a_wrong_manifest_refuses() {
    let started = start(directory(&[(
        "x.yaml",
        "\
apiVersion: portcullis.dev/v1alpha1
kind: ClusterPolicy
metadata: {name: x}
spec:
  group: a
  name: b
  version: \"1\"
  modules: {p.rego: package a.b}
  failOn: high
  admission:
    match:
      resourceRules:
      - {apiGroups: [\"\"], apiVersions: [v1], resources: [pods], operations: [CREATE]}
---
apiVersion: portcullis.dev/v1alpha1
kind: ClusterLock
metadata: {name: lock-y}
spec: {policy: {group: z}, reason: x, expires: 2020-01-01T00:00:00Z}
---
apiVersion: portcullis.dev/v1alpha1
kind: ClusterLock
metadata: {name: lock-z}
spec: {policy: {group: z}, reason: x, expiresAt: soon}
",
    )]))
    .unwrap();
    assert_eq!(started.policies(), ["a/b@1 broken"]);
    let snapshot = started.cache.snapshot();
    let entry = snapshot.entries().next().unwrap();
    let admission = entry.policy.definition().admission.as_ref().unwrap();
    assert_eq!(admission.matches.rules[0].resources, ["pods"]);
    let ends: Vec<_> = snapshot
        .locks()
        .iter()
        .map(|lock| lock.expires_at)
        .collect();
    assert_eq!(ends, [None, None]);
    let faults = started.faults();
    assert!(
        faults[2].starts_with("x.yaml: ClusterPolicy x: x.yaml:9:3: field_unknown"),
        "{faults:#?}"
    );
    assert!(
        faults[0].contains("x.yaml:18:39: field_unknown"),
        "{faults:#?}"
    );
    assert!(
        faults[1].contains("x.yaml:23:39: time_invalid"),
        "{faults:#?}"
    );
}

/// A lock that bypasses and is not wholly understood must not bypass.
#[test]
fn a_wrong_lock_that_bypasses_is_refused() {
    let text = refused(directory(&[
        ("a/b/1.0/policy.rego", ALLOWS),
        (
            "x.yaml",
            "apiVersion: portcullis.dev/v1alpha1\nkind: ClusterLock\nmetadata: {name: lock-y}\nspec: {all: true, reason: x, effect: Bypass, expires: 2020-01-01T00:00:00Z}\n",
        ),
    ]));
    assert!(text.contains("x.yaml:4:46: field_unknown"), "{text}");
}

const NAMESPACES: &str = "\
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {env: prod}}
---
apiVersion: v1
kind: Namespace
metadata: {name: bank}
---
apiVersion: v1
kind: Namespace
metadata: {name: lab, labels: {env: 7}}
---
apiVersion: portcullis.dev/v1alpha1
kind: ClusterPolicy
metadata: {name: x}
spec:
  group: a
  name: b
  version: \"1\"
  modules: {p.rego: \"package a.b\\nallow := true\"}
  admission:
    match:
      resourceRules:
      - {apiGroups: [\"\"], apiVersions: [v1], resources: [pods], operations: [CREATE]}
      namespaceSelector: {matchLabels: {env: prod}}
";

/// In which of four namespaces a Pod is judged.
fn judged(started: &Started) -> Vec<&'static str> {
    let snapshot = started.cache.snapshot();
    let is_judged = |namespace: &&str| {
        let pod = Subject::new("", "pods", Operation::Create).within(namespace);
        !snapshot
            .select(&pod, Objects::default, Route::default())
            .is_empty()
    };
    ["shop", "bank", "lab", "elsewhere"]
        .into_iter()
        .filter(is_judged)
        .collect()
}

/// A namespace that no file tells of, or whose labels cannot be read, is one that is not known.
#[test]
fn policies_select_by_the_labels_of_namespaces() {
    let mut started = start(directory(&[("x.yaml", NAMESPACES)])).unwrap();
    assert_eq!(judged(&started), ["shop", "lab", "elsewhere"]);
    let notes = started.loader.status().notes;
    assert_eq!(
        notes,
        ["x.yaml:9: passed over: the Namespace's name or labels cannot be read"]
    );
    started.write(
        "x.yaml",
        &NAMESPACES.replace("env: prod}}\n---", "env: test}}\n---"),
    );
    assert_eq!(judged(&started), ["lab", "elsewhere"]);
    started.write(
        "x.yaml",
        &NAMESPACES.replace("name: shop", "name: elsewhere"),
    );
    assert_eq!(judged(&started), ["shop", "lab", "elsewhere"]);
}
