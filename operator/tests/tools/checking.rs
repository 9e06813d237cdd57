//! Manifests are judged as admission would.

use std::{path::Path, time::Duration};

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

/// The template of a Deployment is judged as its Pod, at its place in the file; what follows is what
/// the policy says of this command.
#[rstest]
#[case::denies("", Some("deny"), 1)]
#[case::warns_here("    actionAt: {check: Warn}\n", Some("warn"), 0)]
#[case::warns_elsewhere("    actionAt: {audit: Warn}\n", Some("deny"), 1)]
#[case::only_pods("no workloads", None, 0)]
fn templates_are_judged_as_their_pods(
    #[case] settings: &str,
    #[case] result: Option<&str>,
    #[case] code: i32,
) {
    let folder = folder();
    let workloads = if settings == "no workloads" {
        ""
    } else {
        "    match:\n      workloads: {kinds: [\"*\"]}\n"
    };
    let policies = POLICIES.replacen("    match:\n", &format!("{settings}{workloads}"), 1);
    let policies = if workloads.is_empty() {
        POLICIES.to_owned()
    } else {
        policies
    };
    let deployment = "\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  template:
    spec:
      containers:
        - {name: first, image: \"a:1\", resources: {limits: {memory: 1Gi}}}
        - {name: second, image: \"a:1\"}
";
    write(
        folder.path(),
        &[("some.yaml", &policies), ("web.yaml", deployment)],
    );
    let arguments = ["check", "-p", "some.yaml", "-f", "web.yaml"];
    let ran = portcullis(folder.path(), &arguments);
    assert_eq!(ran.code, code, "{ran:?}");
    let told = ran.out.lines().find(|line| line.contains("LIMITS.NONE"));
    let words: Option<Vec<&str>> = told.map(|line| line.split_whitespace().collect());
    assert_eq!(words.as_ref().map(|words| words[0]), result, "{ran:?}");
    let place = words.map(|words| words[4]);
    assert_eq!(place, result.map(|_| "web.yaml:9:11"), "{ran:?}");
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

/// Of the policy `limits`, for Pods of one image, until a day from now.
fn exemption(image: &str, end: &str) -> String {
    format!(
        "\
apiVersion: portcullis.dev/v1alpha1
kind: ClusterExemption
metadata: {{name: legacy}}
spec:
  policies: [{{kind: ClusterPolicy, group: platform, name: limits}}]
  objects: {{images: [\"{image}\"]}}
  reason: TICKET-4711
  approver: jane
  expiresAt: {end}
"
    )
}

fn in_days(days: u64) -> String {
    let end = portcullis_policies::Timestamp::now() + Duration::from_hours(days * 24);
    end.to_string()
}

/// What admission leaves alone, the command line leaves alone, and says so.
#[rstest]
#[case::exempt("web:latest", 1, 0)]
#[case::other_image("other:*", 1, 1)]
#[case::too_long("web:latest", 91, 1)]
#[case::broken("a/**/b", 1, 1)]
fn what_is_exempt_is_left_alone(#[case] image: &str, #[case] days: u64, #[case] code: i32) {
    let folder = folder();
    let end = in_days(days);
    write(folder.path(), &[("legacy.yaml", &exemption(image, &end))]);
    let ran = check(
        folder.path(),
        &["legacy.yaml", "-f", "apps/shop.yaml", "-o", "json"],
    );
    assert_eq!(ran.code, code, "{}{}", ran.out, ran.err);
    let report: Json = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(report["summary"]["exempted"], 1 - code);
    let notes: Vec<&Json> = report["objects"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|object| object["decisions"].as_array().unwrap())
        .filter(|decision| decision["outcome"] == "exempted")
        .map(|decision| &decision["exemption"])
        .collect();
    let expected = serde_json::json!({
        "name": "ClusterExemption legacy", "reason": "TICKET-4711", "approver": "jane", "expiresAt": end,
    });
    let expected: Vec<&Json> = (code == 0).then_some(&expected).into_iter().collect();
    assert_eq!(notes, expected);
    let told = ["more than 90 days away", "image_invalid"];
    assert_eq!(
        told.iter().any(|part| ran.err.contains(part)),
        days == 91 || image == "a/**/b",
        "{}",
        ran.err
    );
}

#[test]
fn people_read_what_is_exempt() {
    let folder = folder();
    let end = in_days(1);
    write(folder.path(), &[("legacy.yaml", &exemption("web:*", &end))]);
    let ran = check(folder.path(), &["legacy.yaml", "-f", "apps/shop.yaml"]);
    let text = ran.out.replace(&end, "END");
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("exempt"))
        .collect();
    assert_eq!(lines.len(), 2, "{text}");
    assert!(
        lines[1].ends_with("ClusterExemption legacy until END, approved by jane: TICKET-4711"),
        "{text}"
    );
    assert!(text.contains("2 that exemptions leave alone"), "{text}");
}
