//! What Prometheus reads of the operator.

use std::sync::{Arc, Mutex, PoisonError, atomic::AtomicU64};

use jiff::Timestamp;
use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

/// The operator's counters and gauges. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    registry: Arc<Mutex<Registry>>,
    leading: Gauge,
    present: Gauge,
    webhooks: Gauge,
    certificate: Gauge,
    replicas: Gauge,
    policies: Family<State, Gauge>,
    failures: Family<Operation, Counter<u64, AtomicU64>>,
    statuses: Counter<u64, AtomicU64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Operation {
    operation: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct State {
    state: &'static str,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let metrics = Self {
            registry: Arc::default(),
            leading: Gauge::default(),
            present: Gauge::default(),
            webhooks: Gauge::default(),
            certificate: Gauge::default(),
            replicas: Gauge::default(),
            policies: Family::default(),
            failures: Family::default(),
            statuses: Counter::default(),
        };
        let mut registry = Registry::with_prefix("portcullis");
        registry.register(
            "leader",
            "1 where this replica leads",
            metrics.leading.clone(),
        );
        registry.register(
            "webhook_configuration_present",
            "Whether the ValidatingWebhookConfiguration is there; 0 means that admission is off",
            metrics.present.clone(),
        );
        registry.register(
            "webhook_configuration_webhooks",
            "Webhooks in the ValidatingWebhookConfiguration",
            metrics.webhooks.clone(),
        );
        registry.register(
            "certificate_expiry_timestamp_seconds",
            "When the webhook's certificate ends, in seconds since 1970",
            metrics.certificate.clone(),
        );
        registry.register(
            "webhook_replicas_ready",
            "Replicas of the webhook that are ready",
            metrics.replicas.clone(),
        );
        registry.register(
            "operator_policies",
            "Policies by what the operator says of them",
            metrics.policies.clone(),
        );
        registry.register(
            "operator_failures",
            "Failures of the operator's tasks, which are tried again",
            metrics.failures.clone(),
        );
        registry.register(
            "status_writes",
            "Statuses written",
            metrics.statuses.clone(),
        );
        *metrics
            .registry
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = registry;
        metrics
    }

    /// Whether this replica leads. One that does not knows nothing of what only the leader sees.
    pub(crate) fn leads(&self, leads: bool) {
        self.leading.set(leads.into());
    }

    pub(crate) fn configuration(&self, is_present: bool, webhooks: usize) {
        self.present.set(is_present.into());
        self.webhooks
            .set(i64::try_from(webhooks).unwrap_or(i64::MAX));
    }

    pub(crate) fn certificate_ends(&self, not_after: Timestamp) {
        self.certificate.set(not_after.as_second());
    }

    pub(crate) fn replicas(&self, ready: usize) {
        self.replicas.set(i64::try_from(ready).unwrap_or(i64::MAX));
    }

    pub(crate) fn policies(&self, state: &'static str, count: usize) {
        self.policies
            .get_or_create(&State { state })
            .set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    pub(crate) fn failed(&self, operation: &'static str) {
        self.failures.get_or_create(&Operation { operation }).inc();
    }

    pub(crate) fn status_written(&self) {
        self.statuses.inc();
    }

    /// Appends the metrics in the text format.
    pub(crate) fn write(&self, text: &mut String) {
        let registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = encode(text, &registry) {
            tracing::error!(%error, "failed to write the metrics");
        }
    }
}
