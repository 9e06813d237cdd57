//! What is counted of each policy: its decisions and how long they took. Bounded: policies beyond a
//! number share one place, and those that are gone leave theirs.

use std::{collections::BTreeMap, fmt};

use portcullis_policies::{Address, Decision, Entry, Outcome, Point, Scope, Snapshot};
use prometheus_client::{
    encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet},
    metrics::MetricType,
};

use super::encode_count;
use crate::decision_log::{action_of, point_name};

/// Policies with series of their own, at each point: so many of the cluster, and so many of namespaces,
/// so that tenants push out nothing of the cluster's. With some twenty lines each, a scrape has a
/// megabyte at most.
pub(super) const OWN: usize = 100;

/// The policy in whose place all others stand. No address is written so.
const REST: &str = "other";

/// The namespace of the rest of those of namespaces, which is no name of one.
const ANY_NAMESPACE: &str = "*";

/// Upper bounds in seconds, from a small policy to the longest that one may take.
const SECONDS: [f64; 13] = [
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0,
];

/// The series of all policies.
#[derive(Debug, Default)]
pub(super) struct Series {
    admission: AtPoint,
    evaluation: AtPoint,
    /// The state of the cache whose policies these are.
    revision: u64,
}

#[derive(Debug, Default)]
struct AtPoint {
    own: BTreeMap<Address, Tally>,
    rest_of_cluster: Tally,
    rest_of_namespaces: Tally,
}

/// What is counted of one policy, or of the rest.
#[derive(Debug, Default)]
struct Tally {
    /// By action and outcome.
    decisions: BTreeMap<(&'static str, &'static str), u64>,
    durations: Durations,
}

/// A histogram.
#[derive(Debug, Default)]
struct Durations {
    /// Evaluations within each bound and above the one before it, and those above all.
    counts: [u64; SECONDS.len() + 1],
    /// Of all of them, in nanoseconds.
    sum: u64,
}

impl Series {
    /// Counts a decision.
    pub(super) fn count(&mut self, point: Point, entry: &Entry, decision: &Decision) {
        let of_point = match point {
            Point::Admission => &mut self.admission,
            Point::Evaluation => &mut self.evaluation,
        };
        let tally = of_point.tally(entry.address());
        let key = (action_of(point, entry), decision.outcome.as_str());
        *tally.decisions.entry(key).or_default() += 1;
        let was_evaluated = matches!(
            decision.outcome,
            Outcome::Allowed | Outcome::Denied | Outcome::Skipped | Outcome::Error
        );
        // One that was not asked in time took none.
        if was_evaluated && decision.duration_ns > 0 {
            tally.durations.observe(decision.duration_ns);
        }
    }

    /// Forgets what was counted of policies that are gone.
    pub(super) fn follow(&mut self, snapshot: &Snapshot) {
        if snapshot.revision() <= self.revision {
            return;
        }
        self.revision = snapshot.revision();
        for of_point in [&mut self.admission, &mut self.evaluation] {
            let is_there = |address: &Address| snapshot.find(address).is_some();
            of_point.own.retain(|address, _| is_there(address));
        }
    }

    pub(super) fn encode(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Decisions, by what the policy made of the request";
        let name = "portcullis_decisions";
        let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        self.each(|labels, tally| tally.encode_decisions(&mut metric, labels))?;
        let help = "Time that a policy took for a request it was evaluated for";
        let name = "portcullis_evaluation_duration_seconds";
        let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Histogram)?;
        self.each(|labels, tally| tally.durations.encode(&mut metric, labels))
    }

    /// Everything of which anything was counted.
    fn each(&self, mut encode: impl FnMut(Labels<'_>, &Tally) -> fmt::Result) -> fmt::Result {
        for (point, of_point) in [
            (Point::Admission, &self.admission),
            (Point::Evaluation, &self.evaluation),
        ] {
            let point = point_name(point);
            for (address, tally) in &of_point.own {
                let namespace = address.namespace().unwrap_or_default();
                encode([point, &address.path(), namespace], tally)?;
            }
            for (namespace, tally) in [
                ("", &of_point.rest_of_cluster),
                (ANY_NAMESPACE, &of_point.rest_of_namespaces),
            ] {
                if !tally.decisions.is_empty() {
                    encode([point, REST, namespace], tally)?;
                }
            }
        }
        Ok(())
    }
}

/// The values of `point`, `policy` and `namespace`.
type Labels<'l> = [&'l str; 3];

impl AtPoint {
    /// Where a policy is counted: in a place of its own, if it has one or there is one left.
    fn tally(&mut self, address: &Address) -> &mut Tally {
        if !self.own.contains_key(address) {
            let is_of_cluster = |scope: &Scope| *scope == Scope::Cluster;
            let of_cluster = is_of_cluster(address.scope());
            let alike = self
                .own
                .keys()
                .filter(|own| is_of_cluster(own.scope()) == of_cluster);
            if alike.count() >= OWN {
                return if of_cluster {
                    &mut self.rest_of_cluster
                } else {
                    &mut self.rest_of_namespaces
                };
            }
        }
        self.own.entry(address.clone()).or_default()
    }
}

impl Tally {
    fn encode_decisions(
        &self,
        metric: &mut MetricEncoder<'_>,
        [point, policy, namespace]: Labels<'_>,
    ) -> fmt::Result {
        for ((action, outcome), count) in &self.decisions {
            let labels = [
                ("point", point),
                ("policy", policy),
                ("namespace", namespace),
                ("action", action),
                ("outcome", outcome),
            ];
            encode_count(metric, &labels, *count)?;
        }
        Ok(())
    }
}

impl Durations {
    fn observe(&mut self, nanoseconds: u64) {
        let seconds = seconds_of(nanoseconds);
        let place = SECONDS.partition_point(|bound| *bound < seconds);
        self.counts[place] += 1;
        self.sum = self.sum.saturating_add(nanoseconds);
    }

    fn encode(
        &self,
        metric: &mut MetricEncoder<'_>,
        [point, policy, namespace]: Labels<'_>,
    ) -> fmt::Result {
        let count = self.counts.iter().sum();
        if count == 0 {
            return Ok(());
        }
        let bounds = SECONDS.into_iter().chain([f64::INFINITY]);
        let buckets: Vec<(f64, u64)> = bounds.zip(self.counts).collect();
        metric
            .encode_family(&[
                ("point", point),
                ("policy", policy),
                ("namespace", namespace),
            ])?
            .encode_histogram::<NoLabelSet>(seconds_of(self.sum), count, &buckets, None)
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a measured time has no sixteen digits"
)]
fn seconds_of(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1e9
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn counted(names: impl Iterator<Item = String>, scope: &Scope) -> AtPoint {
        let mut point = AtPoint::default();
        for name in names {
            let address = Address::new(scope.clone(), "a", &name, "1").unwrap();
            let tally = point.tally(&address);
            *tally.decisions.entry(("", "allowed")).or_default() += 1;
        }
        point
    }

    fn count(tally: &Tally) -> u64 {
        tally.decisions.values().sum()
    }

    #[rstest]
    #[case(Scope::Cluster, 7, 0)]
    #[case(Scope::Namespace("n".to_owned()), 0, 7)]
    fn those_beyond_the_number_share_one_place(
        #[case] scope: Scope,
        #[case] of_cluster: u64,
        #[case] of_namespaces: u64,
    ) {
        let names = (0..OWN + 7)
            .chain(0..OWN)
            .map(|number| format!("p{number}"));
        let mut point = counted(names, &scope);
        assert_eq!(point.own.len(), OWN);
        assert!(point.own.values().all(|tally| count(tally) == 2));
        assert_eq!(count(&point.rest_of_cluster), of_cluster);
        assert_eq!(count(&point.rest_of_namespaces), of_namespaces);
        // The others have places of their own.
        let other = match scope {
            Scope::Cluster => Scope::Namespace("n".to_owned()),
            Scope::Namespace(_) => Scope::Cluster,
        };
        let address = Address::new(other, "a", "b", "1").unwrap();
        point.tally(&address);
        assert_eq!(point.own.len(), OWN + 1);
    }

    #[rstest]
    #[case(1, 0)]
    #[case(100_000, 0)]
    #[case(100_001, 1)]
    #[case(250_000_000, 10)]
    #[case(5_000_000_000, 12)]
    #[case(5_000_000_001, 13)]
    fn a_bound_is_within(#[case] nanoseconds: u64, #[case] place: usize) {
        let mut durations = Durations::default();
        durations.observe(nanoseconds);
        assert_eq!(durations.counts[place], 1);
        assert_eq!(durations.sum, nanoseconds);
    }
}
