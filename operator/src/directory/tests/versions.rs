//! Versions of one policy in a directory, where there are no replicas to wait for.

use portcullis_policies::Timestamp;
use rstest::rstest;

use super::{ALLOWS, BROKEN, Started, directory, start};
use crate::directory::policy_table;

const ADMISSION: &str = "admission:
  match:
    resourceRules:
      - {apiGroups: [\"\"], apiVersions: [v1], resources: [pods], operations: [CREATE]}
";

fn settings(more: &str) -> String {
    format!("{ADMISSION}{more}")
}

fn started(newer: &str, more: &str) -> Started {
    start(directory(&[
        ("a/b/1.0/policy.rego", ALLOWS),
        ("a/b/1.0/policy.yaml", &settings("")),
        ("a/b/2.0/policy.rego", newer),
        ("a/b/2.0/policy.yaml", &settings(more)),
    ]))
    .unwrap()
}

/// What the table says of the two versions.
fn states(started: &Started) -> Vec<String> {
    let snapshot = started.cache.snapshot();
    let table = policy_table(&snapshot, &started.loader.status(), Timestamp::now());
    let rows = table.lines().skip(1);
    rows.map(|row| row.rsplit("  ").next().unwrap().to_owned())
        .collect()
}

#[rstest]
#[case::both(ALLOWS, "", ["in force", "in force"])]
#[case::superseded(ALLOWS, "supersedes: \"1.0\"\n", ["superseded by 2.0", "in force"])]
#[case::broken(BROKEN, "supersedes: \"1.0\"\n", ["in force", "broken: denies"])]
#[case::in_force_later(
    ALLOWS,
    "supersedes: \"1.0\"\nnotBefore: \"2999-01-01T00:00:00Z\"\n",
    ["in force", "out of its window"]
)]
#[case::shadow(ALLOWS, "shadow: true\nsupersedes: \"1.0\"\n", ["in force", "shadow of 1.0"])]
#[case::broken_shadow(BROKEN, "shadow: true\n", ["in force", "shadow of 1.0"])]
#[case::no_older_version(ALLOWS, "supersedes: \"2.0\"\n", ["in force", "broken: denies"])]
fn a_sound_version_supersedes_at_once(
    #[case] newer: &str,
    #[case] more: &str,
    #[case] expected: [&str; 2],
) {
    assert_eq!(states(&started(newer, more)), expected);
}

#[test]
fn what_is_superseded_comes_back() {
    let mut started = started(ALLOWS, "supersedes: \"1.0\"\n");
    // The last good state supersedes on.
    started.write("a/b/2.0/policy.rego", BROKEN);
    assert_eq!(states(&started)[0], "superseded by 2.0");
    started.remove("a/b/2.0/policy.yaml");
    started.remove("a/b/2.0/policy.rego");
    assert_eq!(states(&started), ["in force"]);
}
