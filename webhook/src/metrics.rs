//! What Prometheus reads. Every label's values are few: those of policies that are in force.

mod log;

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use portcullis_policies::{Address, Decision, Entry, Point, Snapshot, Timestamp};
use prometheus_client::{
    collector::Collector,
    encoding::{
        DescriptorEncoder, EncodeGaugeValue, EncodeLabelSet, EncodeMetric, MetricEncoder,
        NoLabelSet, text::encode,
    },
    metrics::{MetricType, histogram::Histogram},
    registry::Registry,
};

use crate::{
    Doors, Unanswered,
    access::Refusals,
    decision_log::{action_of, point_name},
};

/// Upper bounds in seconds, from a small policy on a quiet machine to what the API server waits.
const SECONDS: [f64; 12] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 10.0,
];

/// Counters of all doors.
#[derive(Debug)]
pub(crate) struct Metrics {
    counters: Mutex<Counters>,
    refusals: Refusals,
    admission: Histogram,
    evaluation: Histogram,
}

#[derive(Debug, Default)]
struct Counters {
    decisions: BTreeMap<DecisionKey, u64>,
    /// The state of the cache whose policies `decisions` is limited to.
    revision: u64,
    unanswered: BTreeMap<(&'static str, &'static str), u64>,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct DecisionKey {
    policy: Address,
    point: &'static str,
    action: &'static str,
    outcome: &'static str,
}

impl Metrics {
    /// Counts a decision. Policies that are gone leave the counters with the next change.
    pub(crate) fn count_decision(
        &self,
        snapshot: &Snapshot,
        point: Point,
        entry: &Entry,
        decision: &Decision,
    ) {
        let key = DecisionKey {
            policy: entry.address().clone(),
            point: point_name(point),
            action: action_of(point, entry),
            outcome: decision.outcome.as_str(),
        };
        let mut counters = self.lock();
        if snapshot.revision() > counters.revision {
            counters.revision = snapshot.revision();
            counters
                .decisions
                .retain(|key, _| snapshot.find(&key.policy).is_some());
        }
        *counters.decisions.entry(key).or_default() += 1;
    }

    /// Counts a request that found no room or no time.
    pub(crate) fn count_unanswered(&self, point: Point, why: Unanswered) {
        let reason = match why {
            Unanswered::Overloaded => "overloaded",
            Unanswered::Late => "late",
            Unanswered::Failed => "failed",
        };
        *self
            .lock()
            .unanswered
            .entry((point_name(point), reason))
            .or_default() += 1;
    }

    /// Counts the requests that were not let in.
    pub(crate) fn refusals(&self) -> &Refusals {
        &self.refusals
    }

    /// Notes how long a request took, all of its policies together.
    pub(crate) fn observe(&self, point: Point, duration: Duration) {
        let histogram = match point {
            Point::Admission => &self.admission,
            Point::Evaluation => &self.evaluation,
        };
        histogram.observe(duration.as_secs_f64());
    }

    fn lock(&self) -> MutexGuard<'_, Counters> {
        // Each change is one addition, so a panic elsewhere leaves valid counters.
        self.counters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let histogram = || Histogram::new(SECONDS);
        Self {
            counters: Mutex::default(),
            refusals: Refusals::default(),
            admission: histogram(),
            evaluation: histogram(),
        }
    }
}

/// All metrics as text, in the format of `OpenMetrics`.
pub(crate) fn render(doors: &Doors) -> String {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Scrape(doors.clone())));
    let mut text = String::new();
    encode(&mut text, &registry).expect("writing to a String cannot fail");
    text
}

/// What is read when somebody asks.
#[derive(Debug)]
struct Scrape(Doors);

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        self.encode_counters(&mut encoder)?;
        self.encode_durations(&mut encoder)?;
        self.encode_policies(&mut encoder)?;
        self.encode_shadows(&mut encoder)?;
        self.encode_process(&mut encoder)?;
        match self.0.decision_log() {
            Some(decisions) => log::encode(decisions, &mut encoder),
            None => Ok(()),
        }
    }
}

impl Scrape {
    fn encode_counters(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let counters = self.0.metrics().lock();
        let help = "Decisions, by what the policy made of the request";
        let mut metric =
            encoder.encode_descriptor("portcullis_decisions", help, None, MetricType::Counter)?;
        for (key, count) in &counters.decisions {
            let labels = [
                ("point", key.point),
                ("policy", &key.policy.path()),
                ("namespace", key.policy.namespace().unwrap_or_default()),
                ("action", key.action),
                ("outcome", key.outcome),
            ];
            encode_count(&mut metric, &labels, *count)?;
        }
        let help = "Requests that were not evaluated, or not in time";
        let mut metric =
            encoder.encode_descriptor("portcullis_unanswered", help, None, MetricType::Counter)?;
        for ((point, reason), count) in &counters.unanswered {
            encode_count(
                &mut metric,
                &[("point", *point), ("reason", *reason)],
                *count,
            )?;
        }
        let help = "Requests of the evaluation API that were not let in";
        let name = "portcullis_requests_refused";
        let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (reason, count) in self.0.metrics().refusals().counts() {
            encode_count(&mut metric, &[("reason", reason)], count)?;
        }
        Ok(())
    }

    fn encode_durations(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Time from a request to its answer, all of its policies together";
        let name = "portcullis_request_duration_seconds";
        let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Histogram)?;
        let metrics = self.0.metrics();
        for (point, histogram) in [
            (Point::Admission, &metrics.admission),
            (Point::Evaluation, &metrics.evaluation),
        ] {
            histogram.encode(metric.encode_family(&[("point", point_name(point))])?)?;
        }
        Ok(())
    }

    fn encode_policies(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let snapshot = self.0.snapshot_so_far();
        let count = |holds: &dyn Fn(&Entry) -> bool| {
            count_of(snapshot.entries().filter(|entry| holds(entry)).count())
        };
        let now = Timestamp::now();
        let is_locked = |entry: &Entry| {
            [Point::Admission, Point::Evaluation]
                .into_iter()
                .any(|point| entry.active_lock(point, now).is_some())
        };
        let gauges = [
            (
                "portcullis_policies",
                "Policies, broken ones among them",
                count(&|_| true),
            ),
            (
                "portcullis_policies_broken",
                "Policies that cannot be evaluated",
                count(&|entry| entry.policy.faults().is_some()),
            ),
            (
                "portcullis_policies_locked",
                "Policies that a lock holds",
                count(&is_locked),
            ),
            (
                "portcullis_policy_conflicts",
                "Objects whose address an older one holds",
                count_of(snapshot.conflicts().len()),
            ),
            (
                "portcullis_locks",
                "Locks, expired ones among them",
                count_of(snapshot.locks().len()),
            ),
            (
                "portcullis_exemptions",
                "Exemptions, expired ones among them",
                count_of(snapshot.exemptions().len()),
            ),
            (
                "portcullis_snapshot_revision",
                "Changes of the cache since the start",
                i64::try_from(snapshot.revision()).unwrap_or(i64::MAX),
            ),
        ];
        gauges
            .iter()
            .try_for_each(|(name, help, value)| encode_gauge(encoder, name, help, value))
    }

    fn encode_shadows(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let snapshot = self.0.snapshot_so_far();
        let help = "Requests on which shadows were compared, or missed, by what differs";
        let name = "portcullis_shadow_requests";
        let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        for pair in snapshot.pairs() {
            let address = pair.shadow.address();
            let Some(tally) = self.0.shadows().tally(&snapshot, address) else {
                continue;
            };
            for (result, count) in tally.results() {
                let labels = [
                    ("policy", address.path()),
                    (
                        "namespace",
                        address.namespace().unwrap_or_default().to_owned(),
                    ),
                    ("result", result.to_owned()),
                ];
                encode_count(&mut metric, &labels, count)?;
            }
        }
        Ok(())
    }

    fn encode_process(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let doors = &self.0;
        let waiting = count_of(doors.settings().evaluators.waiting());
        encode_gauge(
            encoder,
            "portcullis_queue_depth",
            "Jobs that wait for a thread",
            &waiting,
        )?;
        encode_gauge(
            encoder,
            "portcullis_evaluators_stuck",
            "Threads that do not come back from an evaluation",
            &count_of(doors.evaluators_health().stuck),
        )?;
        let help = "Decisions that were not remembered, because too many came at once";
        let name = "portcullis_decisions_not_remembered";
        encoder
            .encode_descriptor(name, help, None, MetricType::Counter)?
            .encode_counter::<NoLabelSet, _, u64>(&doors.journal().missed(), None)?;
        let ready = i64::from(doors.is_ready().is_ok());
        encode_gauge(
            encoder,
            "portcullis_ready",
            "1 if this replica may be asked",
            &ready,
        )?;
        if let Some(age) = doors.view_age() {
            let help = "Time since the most silent source was known to be alive";
            encode_gauge(
                encoder,
                "portcullis_view_age_seconds",
                help,
                &age.as_secs_f64(),
            )?;
        }
        let expiry = doors
            .settings()
            .certificate
            .as_ref()
            .and_then(|certificate| certificate.expires_at());
        if let Some(expiry) = expiry {
            let name = "portcullis_certificate_expiry_timestamp_seconds";
            let help = "End of the certificate that is shown, as a Unix time";
            encode_gauge(encoder, name, help, &expiry.as_second())?;
        }
        Ok(())
    }
}

fn encode_count(
    metric: &mut MetricEncoder<'_>,
    labels: &impl EncodeLabelSet,
    count: u64,
) -> fmt::Result {
    metric
        .encode_family(labels)?
        .encode_counter::<NoLabelSet, _, u64>(&count, None)
}

fn encode_gauge(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    value: &impl EncodeGaugeValue,
) -> fmt::Result {
    encoder
        .encode_descriptor(name, help, None, MetricType::Gauge)?
        .encode_gauge(value)
}

fn count_of(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
