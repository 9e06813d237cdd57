//! The buffer in front of a sink: bounded in entries and in bytes. The oldest give way.

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::{LogEntry, Loss, SinkCounts};

/// Entries that wait for a sink at most, as in OPA.
const ENTRIES: usize = 10_000;

/// Longest pause between attempts once nothing more comes: some of them fit into the time that is left.
const LAST_PAUSE: Duration = Duration::from_millis(250);

/// Where the recorder puts entries. When it is dropped the feed has ended.
pub(super) struct Filler(Arc<Shared>);

/// Where a sink takes entries from.
#[derive(Debug)]
pub struct Feed(Arc<Shared>);

/// What a wait for entries has brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waited {
    /// There are entries.
    Ready,
    /// There are none yet.
    Quiet,
    /// There are none, and none will come.
    Ended,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    bytes: usize,
    counts: Arc<SinkCounts>,
}

#[derive(Debug, Default)]
struct State {
    entries: VecDeque<Arc<LogEntry>>,
    bytes: usize,
    /// When what waits is lost; nothing more comes then.
    ends: Option<Instant>,
}

/// A buffer for so many bytes of entries.
pub(super) fn feed(bytes: usize, counts: Arc<SinkCounts>) -> (Filler, Feed) {
    let shared = Arc::new(Shared {
        state: Mutex::default(),
        changed: Condvar::new(),
        bytes,
        counts,
    });
    (Filler(shared.clone()), Feed(shared))
}

impl Filler {
    /// Adds an entry, in the place of the oldest where there is no room.
    pub(super) fn push(&self, entry: &Arc<LogEntry>) {
        let (size, shared) = (entry.bytes(), &self.0);
        if size > shared.bytes {
            shared.counts.lose(Loss::Buffer, 1);
            return;
        }
        let mut state = shared.lock();
        while state.entries.len() >= ENTRIES || state.bytes + size > shared.bytes {
            let Some(oldest) = state.entries.pop_front() else {
                break;
            };
            state.bytes -= oldest.bytes();
            shared.counts.lose(Loss::Buffer, 1);
        }
        state.bytes += size;
        state.entries.push_back(entry.clone());
        shared.tell(&state);
    }

    /// Nothing more comes, and what waits after `deadline` is lost.
    pub(super) fn end(&self, deadline: Instant) {
        let mut state = self.0.lock();
        state.ends.get_or_insert(deadline);
        self.0.tell(&state);
    }
}

impl Drop for Filler {
    fn drop(&mut self) {
        self.end(Instant::now());
    }
}

impl Feed {
    /// The next entry, however long it takes; `None` when the feed has ended.
    pub fn next(&self) -> Option<Arc<LogEntry>> {
        let mut state = self.0.lock();
        loop {
            if let Some(entry) = self.0.take(&mut state) {
                return Some(entry);
            }
            if state.ends.is_some() {
                return None;
            }
            state = self
                .0
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The next entry, if there is one.
    pub fn try_next(&self) -> Option<Arc<LogEntry>> {
        self.0.take(&mut self.0.lock())
    }

    /// Waits until there are entries of so many bytes, the feed ends, or the time is over.
    pub fn wait(&self, bytes: usize, time: Duration) -> Waited {
        let state = self.0.lock();
        let waits = |state: &mut State| state.bytes < bytes.max(1) && state.ends.is_none();
        let waited = self.0.changed.wait_timeout_while(state, time, waits);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        match (state.entries.is_empty(), state.ends) {
            (false, _) => Waited::Ready,
            (true, None) => Waited::Quiet,
            (true, Some(_)) => Waited::Ended,
        }
    }

    /// Waits before another attempt; no longer than until the feed ends, and from then on a short time.
    /// Whether there is time for another attempt.
    pub fn pause(&self, time: Duration) -> bool {
        let state = self.0.lock();
        let (time, had_ended) = match state.ends {
            None => (time, false),
            Some(deadline) => {
                let left = deadline.saturating_duration_since(Instant::now());
                (time.min(LAST_PAUSE).min(left), true)
            }
        };
        let waits = |state: &mut State| had_ended || state.ends.is_none();
        let waited = self.0.changed.wait_timeout_while(state, time, waits);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.ends.is_none_or(|deadline| Instant::now() < deadline)
    }

    /// Until when what waits can be written, if nothing more comes.
    pub fn ends(&self) -> Option<Instant> {
        self.0.lock().ends
    }

    /// Counts entries that are where they are to be.
    pub fn written(&self, entries: usize) {
        self.0
            .counts
            .write(u64::try_from(entries).unwrap_or(u64::MAX));
    }

    /// Counts entries that will never be.
    pub fn lost(&self, why: Loss, entries: usize) {
        self.0
            .counts
            .lose(why, u64::try_from(entries).unwrap_or(u64::MAX));
    }

    /// Counts an attempt that failed and is made again.
    pub fn failed(&self) {
        self.0.counts.fail();
    }
}

impl Drop for Feed {
    /// What nobody takes any more is lost.
    fn drop(&mut self) {
        let mut state = self.0.lock();
        let left = u64::try_from(state.entries.len()).unwrap_or(u64::MAX);
        self.0.counts.lose(Loss::Ended, left);
        state.entries.clear();
        state.bytes = 0;
        self.0.tell(&state);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // No change can panic, so a panic elsewhere leaves a valid state.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, state: &mut State) -> Option<Arc<LogEntry>> {
        let entry = state.entries.pop_front()?;
        state.bytes -= entry.bytes();
        self.counts.wait(state.entries.len(), state.bytes);
        Some(entry)
    }

    fn tell(&self, state: &State) {
        self.counts.wait(state.entries.len(), state.bytes);
        self.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry(bytes: usize) -> Arc<LogEntry> {
        Arc::new(LogEntry::of_text(&"x".repeat(bytes)))
    }

    #[test]
    fn the_oldest_give_way_and_are_counted() {
        let counts = Arc::new(SinkCounts::default());
        let size = entry(10).bytes();
        let (filler, feed) = feed(2 * size, counts.clone());
        for _ in 0..3 {
            filler.push(&entry(10));
        }
        filler.push(&entry(3 * size));
        assert_eq!(counts.lost(Loss::Buffer), 2);
        assert_eq!(counts.waiting().0, 2);
        assert!(feed.try_next().is_some() && feed.try_next().is_some());
        assert!(feed.try_next().is_none());
        assert_eq!(counts.waiting(), (0, 0));
    }

    #[test]
    fn what_waits_is_taken_after_the_end() {
        let counts = Arc::new(SinkCounts::default());
        let (filler, feed) = feed(1 << 20, counts.clone());
        filler.push(&entry(1));
        drop(filler);
        assert_eq!(feed.wait(1 << 20, Duration::MAX), Waited::Ready);
        assert!(feed.next().is_some() && feed.next().is_none());
        assert_eq!(feed.wait(1, Duration::MAX), Waited::Ended);
    }

    #[test]
    fn what_nobody_takes_is_lost() {
        let counts = Arc::new(SinkCounts::default());
        let (filler, feed) = feed(1 << 20, counts.clone());
        filler.push(&entry(1));
        drop(feed);
        assert_eq!((counts.lost(Loss::Ended), counts.waiting()), (1, (0, 0)));
    }

    #[test]
    fn who_waits_is_told() {
        let (filler, feed) = feed(1 << 20, Arc::default());
        let waiting = std::thread::spawn(move || feed.next().is_some());
        filler.push(&entry(1));
        assert!(waiting.join().unwrap());
    }

    proptest! {
        #[test]
        fn is_bounded_and_loses_nothing_uncounted(sizes in proptest::collection::vec(0_usize..500, 0..100)) {
            let counts = Arc::new(SinkCounts::default());
            let (filler, feed) = feed(2_000, counts.clone());
            for size in &sizes {
                filler.push(&entry(*size));
                prop_assert!(counts.waiting().1 <= 2_000);
            }
            let taken = std::iter::from_fn(|| feed.try_next()).count() as u64;
            prop_assert_eq!(taken + counts.lost(Loss::Buffer), sizes.len() as u64);
        }
    }
}
