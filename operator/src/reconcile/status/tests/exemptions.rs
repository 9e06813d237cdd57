//! What is said of exemptions.

use super::*;
use crate::reconcile::samples::exemption;

const DAY: i64 = 24 * 3_600;

#[rstest]
#[case::honoured(Cluster::of([Sample::new("a")]).exempting(exemption(None, "a", 200)), "Active=True Holds", &["test/a@1"])]
#[case::of_a_namespace(Cluster::of([Sample::new("a").within("shop")]).exempting(exemption(None, "a", 200)), "Active=True Holds", &["shop/test/a@1"])]
#[case::its_own(Cluster::of([Sample::new("a").within("shop")]).exempting(exemption(Some("shop"), "a", 200)), "Active=True Holds", &["test/a@1"])]
#[case::elsewhere(Cluster::of([Sample::new("a").within("bank")]).exempting(exemption(None, "a", 200)), "Active=False NoTarget", &[])]
#[case::tenant(Cluster::of([Sample::new("a")]).exempting(exemption(Some("shop"), "a", 200)), "Active=False NotPermitted", &[])]
#[case::tenant_that_may(Cluster::of([Sample::new("a").exemptible()]).exempting(exemption(Some("shop"), "a", 200)), "Active=True Holds", &["test/a@1"])]
#[case::guardrail(Cluster::of([Sample::new("a").guardrail()]).exempting(exemption(None, "a", 200)), "Active=False Guardrail", &[])]
#[case::no_target(Cluster::of([Sample::new("b")]).exempting(exemption(None, "a", 200)), "Active=False NoTarget", &[])]
#[case::expired(Cluster::of([Sample::new("a")]).exempting(exemption(None, "a", 100)), "Active=False Expired", &[])]
#[case::longest(Cluster::of([Sample::new("a")]).exempting(exemption(None, "a", 100 + 90 * DAY)), "Active=True Holds", &["test/a@1"])]
#[case::too_long(Cluster::of([Sample::new("a")]).exempting(exemption(None, "a", 101 + 90 * DAY)), "Active=False TooLong", &[])]
fn says_of_an_exemption(
    #[case] cluster: Cluster,
    #[case] condition: &str,
    #[case] exempts: &[&str],
) {
    let status = cluster.exemption();
    assert_eq!(conditions_of(&status.conditions), [condition]);
    assert_eq!(status.exempts, exempts);
    assert_eq!(status.observed_generation, Some(2));
}

#[test]
fn says_of_one_of_too_many_that_it_is_not_honoured() {
    let others = (0..256).map(|number| {
        let mut other = exemption(None, "a", 300);
        other.key.name = format!("other-{number}");
        other
    });
    let cluster = Cluster::of([Sample::new("a")]).exempting(exemption(None, "a", 200));
    let cluster = others.fold(cluster, Cluster::exempting);
    assert_eq!(
        conditions_of(&cluster.exemption().conditions),
        ["Active=False TooMany"]
    );
}

/// A status is looked at again when an exemption ends, and when its end is near enough.
#[rstest]
#[case(200, Some(200))]
#[case(200 + 90 * DAY, Some(200))]
fn looks_again_when_an_exemption_changes(#[case] until: i64, #[case] expected: Option<i64>) {
    let cluster = Cluster::of([Sample::new("a")]).exempting(exemption(None, "a", until));
    let view = cluster.view();
    let next = cluster.with_world(&view, |world| {
        let next = world.next_change()?;
        Some(next.as_second() - second(0).as_second())
    });
    assert_eq!(next, expected);
}
