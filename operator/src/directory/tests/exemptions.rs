//! Exemptions in a directory.

use portcullis_policies::{Document, Headers, Input, Outcome, Request, Timestamp};
use rstest::rstest;
use serde_json::json;

use super::{Started, directory, start};

const POLICY: &str = "\
apiVersion: portcullis.dev/v1alpha1
kind: ClusterPolicy
metadata: {name: b}
spec:
  group: a
  name: b
  version: \"1\"
  modules:
    p.rego: |
      package a.b
      deny contains \"no\" if true
  admission:
    match:
      resourceRules: [{apiGroups: [\"\"], apiVersions: [v1], resources: [pods], operations: [CREATE]}]
";

/// An exemption of every object; the clock of the tests is at 2026-01-01.
fn exemption(expires_at: &str) -> String {
    format!(
        "\
apiVersion: portcullis.dev/v1alpha1
kind: ClusterExemption
metadata: {{name: legacy}}
spec:
  policies: [{{kind: ClusterPolicy, group: a, name: b}}]
  allObjects: true
  reason: TICKET-4711
  approver: jane
  expiresAt: {expires_at}
"
    )
}

/// One that ends while these tests are run, whenever that is, and is not too long.
fn sound() -> String {
    let end = Timestamp::now() + std::time::Duration::from_hours(24);
    exemption(&end.to_string())
}

fn started(exemption: &str) -> Started {
    start(directory(&[("b.yaml", POLICY), ("legacy.yaml", exemption)])).unwrap()
}

/// What the policy makes of a Pod.
fn judged(started: &Started) -> Outcome {
    let request = json!({
        "resource": {"group": "", "version": "v1", "resource": "pods"},
        "operation": "CREATE", "name": "web", "namespace": "shop", "object": {},
    });
    let around = Request {
        id: "id".into(),
        now: Timestamp::now(),
        headers: Headers::default().into(),
        budget: std::time::Duration::from_secs(5),
        namespace: None,
        tool: None,
        strict: false,
    };
    let snapshot = started.cache.snapshot();
    let entry = snapshot.entries().next().unwrap();
    let input = Input::Admission(Document::from(&request));
    entry.decide(&input, &around).outcome
}

#[test]
fn an_exemption_comes_and_goes_with_its_file() {
    let mut started = started(&sound());
    assert_eq!(judged(&started), Outcome::Exempted);
    started.remove("legacy.yaml");
    assert_eq!(judged(&started), Outcome::Denied);
    started.write("legacy.yaml", &sound());
    assert_eq!(judged(&started), Outcome::Exempted);
    assert_eq!(started.faults(), [""; 0]);
}

/// One that is broken exempts nothing, from the start and later, and that is told.
#[rstest]
#[case::end(&exemption("tomorrow"), "time_invalid")]
#[case::no_end(&sound().replace("expiresAt", "reason2"), "field_unknown")]
#[case::no_reason(&sound().replace("  reason: TICKET-4711\n", ""), "reason")]
#[case::both(&sound().replace("allObjects: true", "allObjects: true\n  objects: {users: [jane]}"), "objects_invalid")]
fn what_is_broken_exempts_nothing(#[case] broken: &str, #[case] told: &str) {
    let mut from_the_start = started(broken);
    assert_eq!(judged(&from_the_start), Outcome::Denied);
    let faults = from_the_start.faults();
    assert!(
        faults.iter().any(|fault| fault.contains(told)),
        "{faults:?}"
    );
    assert!(
        faults
            .iter()
            .all(|fault| fault.contains("it exempts nothing")),
        "{faults:?}"
    );
    from_the_start.write("legacy.yaml", &sound());
    assert_eq!(judged(&from_the_start), Outcome::Exempted);
    from_the_start.write("legacy.yaml", broken);
    assert_eq!(judged(&from_the_start), Outcome::Denied);
}

/// What cannot be read at all exempts nothing any more, whatever it was.
#[test]
fn a_file_that_cannot_be_read_exempts_nothing() {
    let mut started = started(&sound());
    started.write("legacy.yaml", "a: [");
    assert_eq!(judged(&started), Outcome::Denied);
}

/// Further away than the administrator allows.
#[test]
fn one_that_is_too_long_exempts_nothing() {
    let end = Timestamp::now() + std::time::Duration::from_hours(91 * 24);
    let started = started(&exemption(&end.to_string()));
    assert_eq!(judged(&started), Outcome::Denied);
}
