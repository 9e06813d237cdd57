//! What is said of versions that supersede each other.

use super::*;

impl Cluster {
    /// The second policy has taken the place of the first.
    fn taken(mut self) -> Self {
        let key = self.samples[1].key();
        let in_place_of = InPlaceOf {
            version: "1".parse().unwrap(),
            since: second(50),
        };
        self.places.push((key, in_place_of));
        self
    }

    fn known_to_supersede_on(mut self, replicas: usize) -> Self {
        self.superseding = replicas;
        self
    }

    /// With the newer version first, of which is asked.
    fn of_the_newer(mut self) -> Self {
        self.samples.swap(0, 1);
        self
    }
}

fn versions() -> [Sample; 2] {
    let newer = Sample::new("a").at("2").superseding("1");
    [Sample::new("a"), newer]
}

/// The place that the newer one of `test/a@1` and `test/a@2` has then, after `before`.
fn place(cluster: Cluster, before: Option<(&str, i64)>) -> Option<String> {
    let before = PolicyStatus {
        in_place_of: before.map(|(version, since)| crds::InPlaceOf {
            version: version.to_owned(),
            since: second(since).to_string(),
        }),
        ..PolicyStatus::default()
    };
    let status = cluster.of_the_newer().policy_after(&before);
    let found = status.in_place_of?;
    let since = second(0).duration_until(found.since.parse().unwrap());
    Some(format!("{} since {}", found.version, since.as_secs()))
}

fn with_newer(change: impl FnOnce(Sample) -> Sample) -> Cluster {
    let [older, newer] = versions();
    Cluster::of([older, change(newer)])
}

#[rstest]
#[case::enforced(Cluster::of(versions()), None, Some("1 since 100"))]
#[case::not_everywhere(Cluster::of(versions()).held_by(2, 3), None, None)]
#[case::nowhere(Cluster::of(versions()).held_by(0, 0), None, None)]
#[case::broken(with_newer(Sample::broken), None, None)]
#[case::not_registered(with_newer(|newer| newer.on("", "pods")), None, None)]
#[case::not_in_force_yet(with_newer(|newer| newer.from(200)), None, None)]
#[case::nothing_said(Cluster::of([Sample::new("a"), Sample::new("a").at("2")]), Some(("1", 50)), None)]
#[case::kept(Cluster::of(versions()), Some(("1", 50)), Some("1 since 50"))]
#[case::kept_while_replicas_come(Cluster::of(versions()).held_by(2, 3), Some(("1", 50)), Some("1 since 50"))]
#[case::kept_while_it_is_broken(with_newer(Sample::broken), Some(("1", 50)), Some("1 since 50"))]
#[case::put_off(with_newer(|newer| newer.from(200)), Some(("1", 50)), None)]
#[case::of_another_version(Cluster::of(versions()).held_by(2, 3), Some(("0.9", 50)), None)]
#[case::without_the_older(
    Cluster::of([Sample::new("other"), Sample::new("a").at("2").superseding("1")]),
    None,
    Some("1 since 100")
)]
#[case::of_a_guardrail(
    Cluster::of([Sample::new("a").guardrail(), Sample::new("a").at("2").superseding("1")]),
    Some(("1", 50)),
    None
)]
#[case::a_guardrail_of_a_guardrail(
    Cluster::of([Sample::new("a").guardrail(), Sample::new("a").at("2").superseding("1").guardrail()]),
    None,
    Some("1 since 100")
)]
fn a_place_is_taken_once_and_kept(
    #[case] cluster: Cluster,
    #[case] before: Option<(&str, i64)>,
    #[case] expected: Option<&str>,
) {
    assert_eq!(place(cluster, before).as_deref(), expected);
}

/// Whether the older one is ready, enforced, and by what superseded.
#[rstest]
#[case::not_taken(Cluster::of(versions()), "True InForce, True OnEveryReplica, 3/3")]
#[case::taken(Cluster::of(versions()).taken(), "True Superseded, False Superseded, superseded by 2")]
#[case::not_known_everywhere(Cluster::of(versions()).taken().known_to_supersede_on(2),
    "True InForce, True OnEveryReplica, 3/3")]
#[case::broken(Cluster::of([Sample::new("a").broken(), versions()[1].clone()]).taken(),
    "False CompileFailed, False Superseded, superseded by 2")]
fn an_older_version_says_that_it_is_out(#[case] cluster: Cluster, #[case] expected: &str) {
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
    assert_eq!(
        status.superseded_by.as_deref(),
        expected.ends_with("by 2").then_some("2")
    );
}

/// When the newer one is gone, the older is enforced where replicas know that.
#[test]
fn an_older_version_comes_back_everywhere_or_is_pending() {
    let taken = Cluster::of(versions()).taken();
    let replicas = |view: &View| {
        let entry = view.snapshot.find(&"test/a@1".parse().unwrap()).unwrap();
        let held = [(entry.address(), entry.policy.digest())];
        Replicas::of(2, &[&held, &held]).knowing_versions(1, &taken.view().snapshot)
    };
    let cluster = Cluster::of([Sample::new("a")]);
    let view = cluster.view();
    let key = cluster.samples[0].key();
    let registration = Registration {
        registered: Registered::Filled(Arc::new([])),
        ..Registration::default()
    };
    let target = Settings::new("portcullis", "portcullis-system", "operator-0", []).target();
    let replicas = replicas(&view);
    let documents = Progress::new();
    let world = World::new(
        &view,
        &replicas,
        &registration,
        &documents,
        &target,
        second(100),
    );
    let status = world.policy(&key, &view.records[&key], &PolicyStatus::default());
    assert_eq!(status.conditions[2].reason, "Pending");
}

#[test]
fn a_guardrail_that_stays_is_told() {
    let newer = Sample::new("a").at("2").superseding("1");
    let cluster = Cluster::of([Sample::new("a").guardrail(), newer]).of_the_newer();
    let told = &cluster.policy().conditions[2].message;
    assert_eq!(
        told,
        "on 3 of 3 ready replicas; test/a@1 is a guardrail, which a guardrail only supersedes, and \
         judges too"
    );
}
