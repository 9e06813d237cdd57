//! Policies of a directory that take data of objects in it.

use rstest::rstest;

use super::{Started, directory, start};

const READS: &str = "package a.b\n\ndeny contains sprintf(\"%v\", [data.limits.most]) if true\n";

const CONFIG_MAP: &str = "\
apiVersion: v1
kind: ConfigMap
metadata: {name: limits, namespace: platform}
data:
  limits.yaml: |
    most: seven
";

const SECRET: &str = "\
apiVersion: v1
kind: Secret
metadata: {name: limits, namespace: platform}
data: {limits.yaml: eyJtb3N0IjogIm5pbmUifQ==}
";

const TAKES: &str =
    "dataFrom:\n- path: limits\n  KIND: {name: limits, namespace: platform, key: limits.yaml}\n";

fn started(kind: &str, object: &str) -> Started {
    start(directory(&[
        ("a/b/1.0/policy.rego", READS),
        ("a/b/1.0/policy.yaml", &TAKES.replace("KIND", kind)),
        ("limits.yaml", object),
    ]))
    .unwrap()
}

/// What the policy says.
fn said(started: &Started) -> String {
    let snapshot = started.cache.snapshot();
    let entry = snapshot.find(&"a/b@1.0".parse().unwrap()).unwrap();
    let request = portcullis_policies::Request {
        id: "id".into(),
        now: portcullis_policies::Timestamp::now(),
        headers: std::sync::Arc::default(),
        budget: std::time::Duration::from_secs(5),
        namespace: None,
        tool: None,
        strict: false,
    };
    let decision = entry.decide(&portcullis_policies::Input::Evaluation(None), &request);
    decision.messages[0].message.clone()
}

#[rstest]
#[case::of_a_config_map("configMap", CONFIG_MAP, "seven")]
#[case::of_a_secret("secret", SECRET, "nine")]
fn data_is_that_of_another_file(#[case] kind: &str, #[case] object: &str, #[case] expected: &str) {
    let mut started = started(kind, object);
    assert_eq!(said(&started), expected);
    assert_eq!(started.faults(), [""; 0]);
    assert_eq!(started.loader.status().notes, [""; 0]);
    let other = CONFIG_MAP
        .replace("ConfigMap", "Secret")
        .replace("\ndata:", "\nstringData:");
    let other = if kind == "secret" { &other } else { CONFIG_MAP };
    started.write("limits.yaml", &other.replace("seven", "eight"));
    assert_eq!(said(&started), "eight");
    started.remove("limits.yaml");
    assert!(
        said(&started).contains("which is not there"),
        "{}",
        said(&started)
    );
    started.write("limits.yaml", object);
    assert_eq!(said(&started), expected);
}

#[rstest]
#[case::without_a_namespace(
    "configMap: {name: limits, key: k}",
    "the object's namespace is not said"
)]
#[case::of_two_places(
    "configMap: {name: a, namespace: b, key: c}, secret: {name: a, namespace: b, key: c}",
    "data comes from one place"
)]
#[case::of_none("path: a", "data comes from one place")]
fn a_source_that_cannot_be_is_a_fault(#[case] source: &str, #[case] says: &str) {
    let started = start(directory(&[
        ("a/b/1.0/policy.rego", READS),
        (
            "a/b/1.0/policy.yaml",
            &format!("dataFrom: [{{{source}}}]\n"),
        ),
    ]))
    .unwrap();
    assert_eq!(started.policies(), ["a/b@1.0 broken"]);
    let faults = started.faults();
    assert!(faults[0].contains(says), "{faults:?}");
}
