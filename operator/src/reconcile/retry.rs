//! What to do when something failed: say so once, count it, wait a little longer each time.

use std::{error::Error, time::Duration};

use super::metrics::Metrics;

/// The first wait. Most failures are two writers that met, which the next look puts right.
const SHORTEST: Duration = Duration::from_millis(500);

/// The longest wait: what is put right in the cluster is taken up within it.
const LONGEST: Duration = Duration::from_secs(30);

/// Waits between attempts at one operation, bounded and growing.
#[derive(Debug)]
pub(crate) struct Retry {
    operation: &'static str,
    metrics: Metrics,
    wait: Duration,
    said: Option<String>,
}

impl Retry {
    /// For an operation, by the name that completes "failed to …" and labels the metric.
    pub(crate) fn new(operation: &'static str, metrics: Metrics) -> Self {
        Self {
            operation,
            metrics,
            wait: SHORTEST,
            said: None,
        }
    }

    /// The operation succeeded: the next failure is a new one.
    pub(crate) fn succeeded(&mut self) {
        if self.said.take().is_some() {
            tracing::info!(operation = self.operation, "it succeeds again");
        }
        self.wait = SHORTEST;
    }

    /// The operation failed: says so where it is news, and waits.
    pub(crate) async fn failed(&mut self, fault: &(dyn Error + Send + Sync)) {
        tokio::time::sleep(self.note(fault)).await;
    }

    /// The operation failed: says so where it is news. How long to wait.
    pub(crate) fn note(&mut self, fault: &(dyn Error + Send + Sync)) -> Duration {
        self.metrics.failed(self.operation);
        let text = crate::cluster::chain(fault);
        if self.said.as_deref() != Some(&text) {
            tracing::warn!(
                operation = self.operation,
                fault = text,
                "it failed, and is tried again"
            );
            self.said = Some(text);
        }
        let wait = self.wait;
        self.wait = (wait * 2).min(LONGEST);
        wait
    }
}
