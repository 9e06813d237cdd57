//! How many requests were not let in, and why.

use std::sync::atomic::{AtomicU64, Ordering};

use super::refusal::Reason;

/// Counts refusals by their reason.
#[derive(Debug, Default)]
pub(crate) struct Refusals([AtomicU64; Reason::ALL.len()]);

impl Refusals {
    pub(super) fn count(&self, reason: Reason) {
        self.0[reason as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Each reason with its count.
    pub(crate) fn counts(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counts = Reason::ALL.iter().zip(&self.0);
        counts.map(|(reason, count)| (reason.as_str(), count.load(Ordering::Relaxed)))
    }
}
