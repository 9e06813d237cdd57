//! What Prometheus reads. Every label's values are few: those of policies that are in force.

mod log;
mod policies;
mod series;

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use portcullis_policies::{Decision, Entry, Point, Snapshot};
use prometheus_client::{
    collector::Collector,
    encoding::{
        DescriptorEncoder, EncodeGaugeValue, EncodeLabelSet, EncodeMetric, MetricEncoder,
        NoLabelSet, text::encode,
    },
    metrics::{MetricType, histogram::Histogram},
    registry::Registry,
};

use crate::{Doors, Unanswered, access::Refusals, decision_log::point_name};
use series::Series;

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
    series: Series,
    unanswered: BTreeMap<(&'static str, &'static str), u64>,
}

impl Metrics {
    /// Counts the decisions about a request. Policies that are gone leave the series with the next
    /// change.
    pub(crate) fn count_decisions<'d>(
        &self,
        snapshot: &Snapshot,
        point: Point,
        decided: impl Iterator<Item = (&'d Arc<Entry>, &'d Decision)>,
    ) {
        let mut counters = self.lock();
        counters.series.follow(snapshot);
        for (entry, decision) in decided {
            counters.series.count(point, entry, decision);
        }
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
        policies::encode(&self.0, &mut encoder)?;
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
        let mut counters = self.0.metrics().lock();
        counters.series.follow(&self.0.snapshot_so_far());
        counters.series.encode(encoder)?;
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
        let name = "portcullis_build";
        let help = "What runs";
        let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Info)?;
        metric.encode_info(&[("version", env!("CARGO_PKG_VERSION"))])?;
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
