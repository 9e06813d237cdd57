//! What Prometheus reads of the operator.

use std::sync::{Arc, atomic::AtomicU64};

use jiff::Timestamp;
use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode_registry},
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

/// The operator's counters and gauges. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    registries: Arc<Registries>,
    leading: Gauge,
    present: Gauge,
    webhooks: Gauge,
    certificate: Gauge,
    replicas: Gauge,
    policies: Family<State, Gauge>,
    failures: Family<Operation, Counter<u64, AtomicU64>>,
    statuses: Counter<u64, AtomicU64>,
}

#[derive(Debug)]
struct Registries {
    /// What every replica tells.
    common: Registry,
    /// What only the leader knows. Zeros of the others would be taken for facts.
    of_the_leader: Registry,
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
        let leading = Gauge::default();
        let mut common = Registry::with_prefix("portcullis");
        common.register("leader", "1 where this replica leads", leading.clone());

        let mut registry = Registry::with_prefix("portcullis");
        let present = Gauge::default();
        registry.register(
            "webhook_configuration_present",
            "Whether the ValidatingWebhookConfiguration is there; 0 means that admission is off",
            present.clone(),
        );
        let webhooks = Gauge::default();
        registry.register(
            "webhook_configuration_webhooks",
            "Webhooks in the ValidatingWebhookConfiguration",
            webhooks.clone(),
        );
        let certificate = Gauge::default();
        registry.register(
            "certificate_expiry_timestamp_seconds",
            "End of the webhook's certificate, as a Unix time",
            certificate.clone(),
        );
        let replicas = Gauge::default();
        registry.register(
            "webhook_replicas_ready",
            "Replicas of the webhook that are ready",
            replicas.clone(),
        );
        let policies = Family::default();
        registry.register(
            "operator_policies",
            "Policies by what the operator says of them",
            policies.clone(),
        );
        let failures = Family::default();
        registry.register(
            "operator_failures",
            "Failures of the operator's tasks, which are tried again",
            failures.clone(),
        );
        let statuses = Counter::default();
        registry.register("status_writes", "Statuses written", statuses.clone());
        Self {
            registries: Arc::new(Registries {
                common,
                of_the_leader: registry,
            }),
            leading,
            present,
            webhooks,
            certificate,
            replicas,
            policies,
            failures,
            statuses,
        }
    }

    /// Whether this replica leads.
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

    /// Appends the metrics in the text format of `OpenMetrics`.
    pub(crate) fn write(&self, text: &mut String) {
        let Registries {
            common,
            of_the_leader,
        } = &*self.registries;
        let own = Some(of_the_leader).filter(|_| self.leading.get() == 1);
        for registry in [common].into_iter().chain(own) {
            let written = encode_registry(text, registry);
            if let Err(error) = written {
                tracing::error!(%error, "failed to write the metrics");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use portcullis_policies::Cache;
    use portcullis_webhook::Readiness;

    use super::*;
    use crate::cluster::{self, Mirror};

    /// Names and types in a text in the format of `OpenMetrics`.
    fn said(text: &str) -> BTreeSet<(String, String)> {
        let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
        let names = types.filter_map(|line| line.split_once(' '));
        let names = names.map(|(name, kind)| {
            let total = if kind == "counter" { "_total" } else { "" };
            (
                format!("{}{total}", name.trim_end_matches("_total")),
                kind.to_owned(),
            )
        });
        names.collect()
    }

    /// Names and types in the table of the document.
    fn documented() -> BTreeSet<(String, String)> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/metrics.md");
        let text = fs::read_to_string(path).unwrap();
        let (_, text) = text.split_once("## Of the operator\n").unwrap();
        let text = text.split("\n## ").next().unwrap();
        let rows = text.lines().filter_map(|line| line.strip_prefix("| `"));
        let rows = rows.map(|row| {
            let (name, rest) = row.split_once('`').unwrap();
            let name = name.split('{').next().unwrap_or(name);
            let kind = rest.split('|').nth(1).unwrap().trim();
            (name.to_owned(), kind.to_owned())
        });
        rows.collect()
    }

    #[test]
    fn the_document_lists_what_the_operator_says() {
        let metrics = Metrics::new();
        metrics.leads(true);
        metrics.policies("ready", 1);
        metrics.failed("status");
        let mut text = String::new();
        metrics.write(&mut text);
        let readiness = Readiness::new(cluster::SOURCES);
        Mirror::new(Cache::new().into(), readiness).write_metrics(&mut text);
        let mut all = said(&text);
        // What every administrator's port says.
        let age = ("portcullis_view_age_seconds", "gauge");
        all.insert((age.0.to_owned(), age.1.to_owned()));
        assert_eq!(all, documented(), "{text}");
    }
}
