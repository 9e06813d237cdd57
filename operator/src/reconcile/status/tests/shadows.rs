//! What is said of shadows.

use portcullis_crds::{ShadowExample, ShadowStatus};

use super::*;

/// A shadow of `test/a@1`, of which each of three replicas has compared so many requests.
fn shadow(compared: u64, stricter: u64) -> Cluster {
    let mut cluster = Cluster::of([sample().at("2"), Sample::new("a")]).all_registered();
    cluster.comparing = json!({"compares": "1", "compared": compared, "stricter": stricter});
    cluster
}

fn sample() -> Sample {
    Sample::new("a").on("", "pods").shadow()
}

fn alone(sample: Sample) -> Cluster {
    Cluster::of([sample]).all_registered()
}

/// What was said some seconds before.
fn before(compared: i64, differing: i64, seconds: i64) -> PolicyStatus {
    let shadow = ShadowStatus {
        compares: "1".to_owned(),
        compared,
        differing,
        stricter: differing,
        updated: second(100 - seconds).to_string(),
        examples: vec![ShadowExample::default()],
        ..ShadowStatus::default()
    };
    PolicyStatus {
        shadow: Some(shadow),
        ..PolicyStatus::default()
    }
}

/// Whether it is ready, enforced, and what `kubectl get` shows.
#[rstest]
#[case::held(shadow(0, 0), "True Shadow, False Shadow, shadow of 1")]
#[case::not_everywhere(shadow(0, 0).held_by(2, 3), "False Pending, False Pending, shadow of 1")]
#[case::alone(alone(sample()), "True Shadow, False Shadow, shadow")]
#[case::broken(alone(sample().broken()), "False CompileFailed, False Shadow, shadow")]
#[case::not_registered(Cluster::of([sample()]), "False NotRegistered, False NotRegistered, shadow")]
#[case::another(Cluster::of([Sample::new("a"), sample().at("2")]),
    "True InForce, True OnEveryReplica, 3/3")]
fn a_shadow_is_not_enforced(#[case] cluster: Cluster, #[case] expected: &str) {
    let status = cluster.policy();
    let [ready, enforced] = [&status.conditions[0], &status.conditions[2]];
    let found = format!(
        "{} {}, {} {}, {}",
        ready.status,
        ready.reason,
        enforced.status,
        enforced.reason,
        status.enforced_on.unwrap_or_default()
    );
    assert_eq!(found, expected);
}

/// Requests that were compared, of which so many differ, and when that was said.
#[rstest]
#[case::first(shadow(10, 1), PolicyStatus::default(), Some((30, 3, 100)))]
#[case::the_same(shadow(10, 1), before(30, 3, 50), Some((30, 3, 50)))]
#[case::more(shadow(11, 1), before(30, 3, 30), Some((33, 3, 100)))]
#[case::more_too_soon(shadow(11, 1), before(30, 3, 29), Some((30, 3, 71)))]
#[case::fewer_after_a_restart(shadow(1, 0), before(30, 3, 30), Some((3, 0, 100)))]
#[case::of_no_shadow(Cluster::of([Sample::new("a")]), before(30, 3, 30), None)]
#[case::of_nothing_to_compare(alone(sample()), before(30, 3, 30), None)]
fn counts_are_said_now_and_then(
    #[case] cluster: Cluster,
    #[case] before: PolicyStatus,
    #[case] expected: Option<(i64, i64, i64)>,
) {
    let said = cluster.policy_after(&before).shadow.map(|shadow| {
        let updated: Timestamp = shadow.updated.parse().unwrap();
        let updated = updated.as_second() - second(0).as_second();
        (shadow.compared, shadow.differing, updated)
    });
    // With an unchanged status nothing is written; its examples are kept as well.
    assert_eq!(said, expected);
}

#[test]
fn examples_stay_when_replicas_do_not_tell_them() {
    let examples = |cluster: Cluster| {
        let status = cluster.policy_after(&before(30, 3, 30));
        status.shadow.unwrap().examples.len()
    };
    assert_eq!(examples(shadow(11, 1)), 1);
    assert_eq!(examples(shadow(11, 0)), 0);
}

#[test]
fn it_is_looked_again_when_counts_may_be_said() {
    let cluster = shadow(11, 1);
    let mut view = cluster.view();
    let key = cluster.samples[0].key();
    let record = Arc::make_mut(view.records.get_mut(&key).unwrap());
    record.status = serde_json::to_value(before(30, 3, 10)).unwrap();
    cluster.with_world(&view, |world| {
        assert_eq!(world.next_change(), Some(second(120)));
    });
}
