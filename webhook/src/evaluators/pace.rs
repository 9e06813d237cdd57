//! How fast the jobs of a door are taken, and so how long the next one would wait.

use std::time::{Duration, Instant};

/// The part of the average that is the latest job's. Jobs are of two kinds, short ones and those
/// that use up their limit: fewer would make each of the latter look like a standstill, and more
/// would take long to notice one.
const LATEST: u32 = 8;

/// The pace at which jobs are taken while others wait, whatever keeps the threads busy beside them.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// From one job to the next, on average; nothing was measured yet where it is zero.
    interval: Duration,
    /// When the last job was taken, if others were left to wait.
    last: Option<Instant>,
}

impl Pace {
    /// Notes that a job was taken, and whether others are left.
    pub(super) fn note(&mut self, now: Instant, others: bool) {
        if let Some(last) = self.last {
            let latest = now.saturating_duration_since(last);
            self.interval = if self.interval.is_zero() {
                latest
            } else {
                (self.interval * (LATEST - 1) + latest) / LATEST
            };
        }
        self.last = others.then_some(now);
    }

    /// How long a job waits that has this many before it.
    pub(super) fn wait(&self, before: usize) -> Duration {
        self.interval
            .saturating_mul(u32::try_from(before).unwrap_or(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLISECOND: Duration = Duration::from_millis(1);

    /// Takes jobs, each after so many milliseconds, while others wait.
    fn take(pace: &mut Pace, now: &mut Instant, times: impl IntoIterator<Item = u32>) {
        for milliseconds in times {
            *now += milliseconds * MILLISECOND;
            pace.note(*now, true);
        }
    }

    #[test]
    fn who_waits_is_told_by_those_before() {
        let (mut pace, mut now) = (Pace::default(), Instant::now());
        assert_eq!(pace.wait(1000), Duration::ZERO);
        take(&mut pace, &mut now, [0; 1]);
        assert_eq!(pace.wait(1000), Duration::ZERO, "one is no interval");
        take(&mut pace, &mut now, [10; 20]);
        assert_eq!(pace.wait(7), 70 * MILLISECOND);
        assert_eq!(pace.wait(usize::MAX), pace.wait(u32::MAX as usize));
    }

    #[test]
    fn the_time_without_anybody_waiting_says_nothing() {
        let (mut pace, mut now) = (Pace::default(), Instant::now());
        take(&mut pace, &mut now, [10; 20]);
        pace.note(now, false);
        now += Duration::from_mins(1);
        pace.note(now, true);
        assert!(pace.wait(1) <= 10 * MILLISECOND);
    }

    #[test]
    fn another_pace_is_noticed_soon() {
        let (mut pace, mut now) = (Pace::default(), Instant::now());
        take(&mut pace, &mut now, [1; 100]);
        take(&mut pace, &mut now, [100; 16]);
        assert!(pace.wait(1) > 80 * MILLISECOND);
        take(&mut pace, &mut now, [1; 32]);
        assert!(pace.wait(1) < 3 * MILLISECOND);
    }
}
