//! Manifests are judged as admission would.

use std::path::Path;

use insta::{assert_json_snapshot, assert_snapshot};
use rstest::rstest;
use serde_json::Value as Json;
use tempfile::TempDir;

use crate::process::{PORTCULLIS, Ran, portcullis, tell, write};

/// Denies Pods without limits, warns of the tag `latest`, and audits those without an owner.
const POLICIES: &str = r#"
apiVersion: portcullis.dev/v1alpha1
kind: ClusterPolicy
metadata: {name: limits}
spec:
  group: platform
  name: limits
  version: "1.0"
  modules:
    policy.rego: |
      package platform.limits

      deny contains {"msg": msg, "code": "LIMITS.NONE", "severity": "high", "path": path, "found": null, "wanted": "a quantity", "remedy": "set <limits>"} if {
        some index, container in input.request.object.spec.containers
        not container.resources.limits.memory
        path := sprintf("spec.containers[%d]", [index])
        msg := sprintf("container %q has no memory limit", [container.name])
      }

      warn contains {"msg": "the tag is latest", "path": sprintf("spec.containers[%d].image", [index])} if {
        some index, container in input.request.object.spec.containers
        endswith(container.image, ":latest")
      }
  admission: &pods
    match:
      resourceRules: [{apiGroups: [""], apiVersions: [v1], resources: [pods], operations: [CREATE]}]
---
apiVersion: portcullis.dev/v1alpha1
kind: ClusterPolicy
metadata: {name: owned}
spec:
  group: platform
  name: owned
  version: "1.0"
  modules:
    policy.rego: |
      package platform.owned
      deny contains sprintf("%s has no owner", [input.request.userInfo.username]) if {
        not input.request.object.metadata.labels.owner
      }
  admission:
    action: Audit
    match:
      resourceRules: [{apiGroups: [""], apiVersions: [v1], resources: [pods], operations: [CREATE]}]
"#;

const MANIFESTS: &str = "\
# Pods of a shop
apiVersion: v1
kind: List
items:
  - apiVersion: v1
    kind: Pod
    metadata: {name: good, namespace: shop, labels: {owner: ann}}
    spec:
      containers:
        - {name: web, image: \"web:1\", resources: {limits: {memory: 1Gi}}}
  - apiVersion: v1
    kind: Pod
    metadata:
      generateName: bad-
    spec:
      containers:
        - name: web
          image: web:latest
---
apiVersion: v1
kind: Pod
metadata: {name: dns, namespace: kube-system}
spec: {containers: [{name: dns, image: dns}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
---
just: values
";

const WARNED: &str = "\
apiVersion: v1
kind: Pod
metadata: {name: warned, labels: {owner: ann}}
spec: {containers: [{name: a, image: \"a:latest\", resources: {limits: {memory: 1Gi}}}]}
";

fn folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    let files = [
        ("policies.yaml", POLICIES),
        ("apps/shop.yaml", MANIFESTS),
        ("apps/notes.txt", "no manifest"),
        ("apps/.hidden.yaml", "a: ["),
        ("warned.yml", WARNED),
    ];
    write(folder.path(), &files);
    folder
}

fn check(folder: &Path, arguments: &[&str]) -> Ran {
    let all = [&["check", "-p", "policies.yaml"], arguments].concat();
    portcullis(folder, &all)
}

/// What differs each time is taken out.
fn masked(mut report: Json) -> Json {
    for object in report["objects"].as_array_mut().unwrap() {
        for decision in object["decisions"].as_array_mut().unwrap() {
            for field in ["id", "digest", "durationNs"] {
                decision[field] = "…".into();
            }
        }
    }
    report
}

#[test]
fn people_read_a_table() {
    let ran = check(folder().path(), &["-f", "apps", "warned.yml"]);
    assert_snapshot!(ran.out);
    assert_eq!(ran.code, 1);
    let note = "apps/shop.yaml:29: passed over: it has no `apiVersion` or no `kind`\n";
    assert_eq!(ran.err, note);
}

#[test]
fn programs_read_json_and_yaml() {
    let folder = folder();
    let json = check(folder.path(), &["-f", "apps", "-o", "json"]);
    assert_json_snapshot!(masked(json.json()));
    let yaml = check(folder.path(), &["-f", "apps", "-o", "yaml"]);
    let read: Json = serde_saphyr::from_str(&yaml.out).unwrap();
    assert_eq!(masked(read), masked(json.json()));
    assert_eq!((json.code, yaml.code), (1, 1));
}

#[test]
fn ci_systems_read_junit() {
    let ran = check(folder().path(), &["-f", "apps", "-o", "junit"]);
    let mut parts = ran.out.split(" time=\"");
    let mut timeless = parts.next().unwrap().to_owned();
    for part in parts {
        let (_, rest) = part.split_once('"').unwrap();
        timeless = format!("{timeless} time=\"0\"{rest}");
    }
    assert_snapshot!(timeless);
}

#[test]
fn code_scanning_reads_sarif() {
    let mut report = check(folder().path(), &["-f", "apps", "-o", "sarif"]).json();
    let run = &mut report["runs"][0];
    run["tool"]["driver"]["semanticVersion"] = "…".into();
    for result in run["results"].as_array_mut().unwrap() {
        result["properties"]["digest"] = "…".into();
    }
    assert_json_snapshot!(report);
}

#[rstest]
#[case(&["-f", "warned.yml"], 0)]
#[case(&["-f", "warned.yml", "--fail-on", "warn"], 1)]
#[case(&["-f", "apps/*.yaml"], 1)]
#[case(&["-f", "apps/*.yaml", "--exempt-namespaces", "default"], 0)]
#[case(&["-f", "**/*.yml"], 0)]
#[case(&["-f", "apps/*.json"], 2)]
#[case(&["-f", "nothing.yaml"], 2)]
#[case(&["-f", "apps/notes.txt"], 2)]
#[case(&["-f", "apps/.hidden.yaml"], 2)]
#[case(&[], 2)]
fn the_status_says_how_it_ended(#[case] arguments: &[&str], #[case] code: i32) {
    let ran = check(folder().path(), arguments);
    assert_eq!(ran.code, code, "{ran:?}");
    assert_eq!(ran.out.is_empty(), code == 2, "{ran:?}");
}

#[test]
fn standard_input_is_judged_in_the_namespace_that_is_said() {
    let folder = folder();
    let arguments = [
        "check",
        "-p",
        "policies.yaml",
        "-f",
        "-",
        "-o",
        "json",
        "-n",
        "shop",
        "--as",
        "ann",
    ];
    let ran = tell(PORTCULLIS, folder.path(), &arguments, MANIFESTS);
    let report = ran.json();
    let bad = &report["objects"][1];
    assert_eq!(
        (&bad["namespace"], &bad["file"]),
        (&"shop".into(), &"<stdin>".into())
    );
    let audited = &bad["decisions"][1];
    assert_eq!(audited["messages"][0]["message"], "ann has no owner");
    assert_eq!(audited["allowed"], true);
}

/// As with selectors and conditions in a cluster, where the namespace is applied with the others.
#[test]
fn selectors_and_conditions_are_those_of_admission() {
    let folder = folder();
    let only = POLICIES.replacen(
        "    match:\n",
        "    match:\n      namespaceSelector: {matchLabels: {env: prod}}\n      \
         matchConditions: [{name: named, expression: \"object.metadata.name != 'free'\"}]\n",
        1,
    );
    let pod = |name: &str, namespace: &str| {
        format!(
            "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: {namespace}}}\n\
             spec: {{containers: [{{name: a, image: a}}]}}\n"
        )
    };
    let namespace = |name: &str, env: &str| {
        format!(
            "---\napiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}, labels: {{env: {env}}}}}\n"
        )
    };
    let manifests = [
        namespace("live", "prod"),
        namespace("lab", "dev"),
        // Labels that cannot be read are not known, and so select.
        namespace("broken", "7"),
        pod("web", "live"),
        pod("free", "live"),
        pod("web", "lab"),
        pod("web", "unknown"),
        pod("web", "broken"),
    ];
    write(
        folder.path(),
        &[("only.yaml", &only), ("pods.yaml", &manifests.concat())],
    );
    let arguments = ["check", "-p", "only.yaml", "-f", "pods.yaml", "-o", "json"];
    let report = portcullis(folder.path(), &arguments).json();
    let objects = report["objects"].as_array().unwrap().iter();
    let refused = objects.filter(|object| object["allowed"] == false);
    let refused: Vec<String> = refused
        .map(|object| format!("{}/{}", object["namespace"], object["name"]).replace('"', ""))
        .collect();
    assert_eq!(
        refused,
        ["live/web", "unknown/web", "broken/web"],
        "{report}"
    );
}

/// A policy that is broken refuses what it would judge, and one that is locked as well.
#[test]
fn what_cannot_answer_refuses() {
    let folder = folder();
    let locked = "
apiVersion: portcullis.dev/v1alpha1
kind: ClusterLock
metadata: {name: all}
spec: {all: true, reason: incident 4711}
";
    write(
        folder.path(),
        &[
            ("broken.yaml", &POLICIES.replace("endswith(", "ends_with(")),
            ("lock.yaml", locked),
        ],
    );
    let broken = ["check", "-p", "broken.yaml", "-f", "warned.yml"];
    let ran = portcullis(folder.path(), &broken);
    assert!(ran.out.contains("POLICY.COMPILE_FAILED"), "{ran:?}");
    assert!(ran.err.contains("undefined function ends_with"), "{ran:?}");
    assert_eq!(ran.code, 1);
    let ran = check(folder.path(), &["lock.yaml", "-f", "warned.yml"]);
    assert!(ran.out.contains("POLICY.LOCKED"), "{ran:?}");
    assert!(ran.out.contains("incident 4711"), "{ran:?}");
}

/// One directory imports what another one has.
#[test]
fn policies_of_several_places_import_each_other() {
    let folder = folder();
    let imported = "package shared.names\n\nallowed := {\"ann\"}\n";
    let importer = "package shop.owners\n\nimport data.shared.names\n\n\
        deny contains \"who?\" if not input.request.object.metadata.labels.owner in names.allowed\n";
    let settings = |imports: &str| {
        format!(
            "{imports}admission:\n  match:\n    resourceRules: [{{apiGroups: [''], apiVersions: [v1], \
             resources: [pods], operations: [CREATE]}}]\n"
        )
    };
    write(
        folder.path(),
        &[
            ("a/shop/owners/1.0/policy.rego", importer),
            (
                "a/shop/owners/1.0/policy.yaml",
                &settings("imports: [{group: shared, name: names, version: \"1.0\"}]\n"),
            ),
            ("b/shared/names/1.0/policy.rego", imported),
        ],
    );
    let ran = portcullis(
        folder.path(),
        &["check", "-f", "warned.yml", "-p", "a", "b"],
    );
    assert_eq!((ran.code, &*ran.err), (0, ""), "{ran:?}");
    let alone = portcullis(folder.path(), &["check", "-f", "warned.yml", "-p", "a"]);
    assert!(alone.out.contains("POLICY.COMPILE_FAILED"), "{alone:?}");
}
