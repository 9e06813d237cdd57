//! How often each caller may ask: a table of fixed size, without a lock.
//!
//! Of each caller one number is kept: the time at which all that it asked so far would be over, if it
//! had asked as slowly as it may (the generic cell rate algorithm, ITU-T I.371). A caller whose time
//! is in the past is as one that never asked, so its place is free.
//!
//! ```text
//! slot = tag of the caller, 20 bits │ that time in microseconds, 44 bits
//! ```

use std::{
    hash::{BuildHasher as _, Hash, RandomState},
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use tokio::time::Instant;

/// Sets of places. With the ways there is room for 65,536 callers that are known at a time, in half a
/// megabyte: more than the addresses of any cluster's Pods.
const SETS: usize = 8192;

/// Places of a set, which are one line of the processor's cache.
const WAYS: usize = 8;

/// Bits of the time. In microseconds it comes round after half a year; a time that old is told from
/// one that is to come, because none is further away than a burst.
const TIME_BITS: u32 = 44;
const TIME: u64 = (1 << TIME_BITS) - 1;

/// Most requests a second that can be told apart from any number of them: ten microseconds each.
pub(super) const MOST_A_SECOND: u32 = 100_000;

/// Longest time that a burst can be worth.
const LONGEST_BURST: Duration = Duration::from_mins(10);

/// How often somebody may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    interval: u64,
    burst: u64,
}

/// Counts what callers ask.
pub(super) struct Limiter {
    slots: Box<[AtomicU64]>,
    rate: Rate,
    hasher: RandomState,
    begun: Instant,
}

impl Rate {
    /// So many requests a second, and this many at once; a rate has one at least.
    pub fn new(per_second: u32, burst: u32) -> Self {
        let interval = 1_000_000 / u64::from(per_second.clamp(1, MOST_A_SECOND));
        let longest = u64::try_from(LONGEST_BURST.as_micros()).unwrap_or(u64::MAX);
        Self {
            interval,
            burst: (u64::from(burst.max(1)) * interval).min(longest.max(interval)),
        }
    }
}

impl Limiter {
    pub(super) fn new(rate: Rate) -> Self {
        Self {
            slots: (0..SETS * WAYS).map(|_| AtomicU64::new(0)).collect(),
            rate,
            // Nobody outside can choose callers that share a set.
            hasher: RandomState::new(),
            begun: Instant::now(),
        }
    }

    /// Counts a request; if it is one too many, nothing is counted, and it may come again then.
    pub(super) fn take(&self, caller: &impl Hash) -> Result<(), Duration> {
        let (set, tag) = self.place(caller);
        loop {
            let now = self.now();
            let (slot, found) = self.look(set, tag, now);
            let debt = self.debt(found, now) + self.rate.interval;
            if debt > self.rate.burst {
                return Err(Duration::from_micros(debt - self.rate.burst));
            }
            let next = (tag << TIME_BITS) | ((now + debt) & TIME);
            let taken = slot.compare_exchange(found, next, Ordering::Relaxed, Ordering::Relaxed);
            // Otherwise somebody asked in this very moment, and is counted now.
            if taken.is_ok() {
                return Ok(());
            }
        }
    }

    /// When a caller may ask again, if it may not now. Nothing is counted.
    pub(super) fn wait(&self, caller: &impl Hash) -> Option<Duration> {
        let (set, tag) = self.place(caller);
        let now = self.now();
        let (_, found) = self.look(set, tag, now);
        let debt = self.debt(found, now) + self.rate.interval;
        let excess = debt.checked_sub(self.rate.burst)?;
        (excess > 0).then(|| Duration::from_micros(excess))
    }

    /// The caller's place, and what is there: its own, or a free one, or that of the one that is
    /// soonest free, whose debt it takes over. So whoever fills a set asks no more often for it.
    fn look(&self, set: usize, tag: u64, now: u64) -> (&AtomicU64, u64) {
        let slots = &self.slots[set * WAYS..(set + 1) * WAYS];
        let mut best = (&slots[0], slots[0].load(Ordering::Relaxed));
        for slot in slots {
            let found = slot.load(Ordering::Relaxed);
            if found >> TIME_BITS == tag {
                return (slot, found);
            }
            if self.debt(found, now) < self.debt(best.1, now) {
                best = (slot, found);
            }
        }
        best
    }

    /// Microseconds from now to the time in a slot; none where that is over.
    fn debt(&self, slot: u64, now: u64) -> u64 {
        let ahead = (slot & TIME).wrapping_sub(now) & TIME;
        if ahead <= self.rate.burst { ahead } else { 0 }
    }

    fn place(&self, caller: &impl Hash) -> (usize, u64) {
        let hash = self.hasher.hash_one(caller);
        let set = usize::try_from(hash % SETS as u64).expect("a set's number is small");
        // A slot that was never used has the tag 0.
        let tag = (hash >> TIME_BITS).max(1);
        (set, tag)
    }

    fn now(&self) -> u64 {
        let now = self.begun.elapsed().as_micros();
        u64::try_from(now).unwrap_or(u64::MAX) & TIME
    }
}

impl std::fmt::Debug for Limiter {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Limiter")
            .field("rate", &self.rate)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// How many of `count` requests at once are let through.
    fn let_through(limiter: &Limiter, caller: &str, count: usize) -> usize {
        (0..count).filter(|_| limiter.take(&caller).is_ok()).count()
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_and_then_the_rate() {
        let limiter = Limiter::new(Rate::new(10, 5));
        assert_eq!(let_through(&limiter, "a", 20), 5);
        assert_eq!(limiter.take(&"a"), Err(Duration::from_millis(100)));
        assert_eq!(limiter.wait(&"a"), Some(Duration::from_millis(100)));
        assert_eq!(let_through(&limiter, "b", 20), 5, "each for itself");
        tokio::time::advance(Duration::from_millis(99)).await;
        assert_eq!(let_through(&limiter, "a", 20), 0);
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(limiter.wait(&"a"), None);
        assert_eq!(let_through(&limiter, "a", 20), 1);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(let_through(&limiter, "a", 20), 5);
        tokio::time::advance(Duration::from_hours(24)).await;
        assert_eq!(let_through(&limiter, "a", 20), 5, "a burst is not saved up");
    }

    #[tokio::test(start_paused = true)]
    async fn a_time_that_came_round_is_none_to_come() {
        let limiter = Limiter::new(Rate::new(1, 2));
        assert_eq!(let_through(&limiter, "a", 3), 2);
        // Half of the way round and a bit.
        tokio::time::advance(Duration::from_micros(TIME / 2 + 1_000_000)).await;
        assert_eq!(let_through(&limiter, "a", 3), 2);
        tokio::time::advance(Duration::from_micros(TIME)).await;
        assert!(let_through(&limiter, "a", 3) >= 1);
    }

    /// Callers beyond the room of a set gain nothing by being many.
    #[tokio::test(start_paused = true)]
    async fn a_full_set_is_shared() {
        let limiter = Limiter::new(Rate::new(1, 10));
        let in_set: Vec<u32> = (0..)
            .filter(|n| limiter.place(n).0 == 0)
            .take(3 * WAYS)
            .collect();
        let through: usize = in_set
            .iter()
            .map(|caller| (0..10).filter(|_| limiter.take(caller).is_ok()).count())
            .sum();
        assert_eq!(through, 10 * WAYS);
        tokio::time::advance(Duration::from_secs(10)).await;
        assert!(in_set.iter().all(|caller| limiter.wait(caller).is_none()));
    }

    #[test]
    fn rates_have_bounds() {
        assert_eq!(Rate::new(0, 0), Rate::new(1, 1));
        assert_eq!(Rate::new(u32::MAX, 1), Rate::new(MOST_A_SECOND, 1));
        let slow = Rate::new(1, u32::MAX);
        assert_eq!(slow.burst, 600_000_000);
    }

    #[tokio::test(start_paused = true)]
    async fn many_threads_count_each_request_once() {
        let limiter = Arc::new(Limiter::new(Rate::new(1, 500)));
        // One that is known has one place.
        limiter.take(&"a").unwrap();
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let limiter = limiter.clone();
                tokio::task::spawn_blocking(move || let_through(&limiter, "a", 1000))
            })
            .collect();
        let mut through = 1;
        for thread in threads {
            through += thread.await.unwrap();
        }
        assert_eq!(through, 500);
    }
}
