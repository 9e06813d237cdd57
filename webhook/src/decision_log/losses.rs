//! What becomes of entries, in numbers.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// Why an entry is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Loss {
    /// Too many waited for the recorder.
    Recorder,
    /// Too many waited for the sink; the oldest go first.
    Buffer,
    /// The receiver has refused it for good.
    Refused,
    /// It is longer than the receiver takes, even without its input and its result.
    TooLong,
    /// It could not be written.
    Failed,
    /// The process ended before.
    Ended,
}

/// What became of the entries for one sink.
#[derive(Debug, Default)]
pub struct SinkCounts {
    written: AtomicU64,
    failures: AtomicU64,
    lost: [AtomicU64; Loss::ALL.len()],
    waiting: AtomicU64,
    waiting_bytes: AtomicU64,
}

/// What became of all entries.
#[derive(Debug)]
pub(crate) struct Counts {
    sinks: BTreeMap<String, Arc<SinkCounts>>,
    order: Vec<Arc<SinkCounts>>,
    /// Entries that the rules have dropped.
    pub(crate) dropped: AtomicU64,
    /// Entries whose input and result were erased because the rules could not be asked.
    pub(crate) erased: AtomicU64,
}

impl Loss {
    pub(crate) const ALL: [Self; 6] = [
        Self::Recorder,
        Self::Buffer,
        Self::Refused,
        Self::TooLong,
        Self::Failed,
        Self::Ended,
    ];

    /// The reason in metrics.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Recorder => "recorder_full",
            Self::Buffer => "buffer_full",
            Self::Refused => "refused",
            Self::TooLong => "too_long",
            Self::Failed => "failed",
            Self::Ended => "ended",
        }
    }
}

impl SinkCounts {
    pub(crate) fn write(&self, entries: u64) {
        self.written.fetch_add(entries, Ordering::Relaxed);
    }

    pub(crate) fn fail(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn lose(&self, why: Loss, entries: u64) {
        self.lost[why as usize].fetch_add(entries, Ordering::Relaxed);
    }

    pub(crate) fn wait(&self, entries: usize, bytes: usize) {
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        self.waiting.store(count(entries), Ordering::Relaxed);
        self.waiting_bytes.store(count(bytes), Ordering::Relaxed);
    }

    /// Entries that were written.
    pub fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// Attempts that failed and were made again.
    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// Entries that were lost.
    pub fn lost(&self, why: Loss) -> u64 {
        self.lost[why as usize].load(Ordering::Relaxed)
    }

    /// Entries that wait, and their bytes.
    pub fn waiting(&self) -> (u64, u64) {
        let entries = self.waiting.load(Ordering::Relaxed);
        (entries, self.waiting_bytes.load(Ordering::Relaxed))
    }
}

impl Counts {
    /// Of sinks with these names. Those that have one together count together.
    pub(crate) fn new(names: impl IntoIterator<Item = String>) -> Self {
        let mut sinks = BTreeMap::<String, Arc<SinkCounts>>::new();
        let order = names
            .into_iter()
            .map(|name| sinks.entry(name).or_default().clone())
            .collect();
        Self {
            sinks,
            order,
            dropped: AtomicU64::new(0),
            erased: AtomicU64::new(0),
        }
    }

    /// Those of each sink, in the order in which they were named.
    pub(crate) fn sinks(&self) -> &[Arc<SinkCounts>] {
        &self.order
    }

    /// Those of each sink, by name.
    pub(crate) fn by_name(&self) -> impl Iterator<Item = (&str, &SinkCounts)> {
        self.sinks.iter().map(|(name, counts)| (&**name, &**counts))
    }

    /// An entry that no sink gets.
    pub(crate) fn lose_all(&self) {
        for counts in &self.order {
            counts.lose(Loss::Recorder, 1);
        }
    }
}
