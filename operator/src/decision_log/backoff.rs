//! How long to wait after a failure: twice as long each time, up to a bound.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The first wait, as in OPA.
const FIRST: Duration = Duration::from_millis(100);

/// Waits that grow.
#[derive(Debug)]
pub(super) struct Backoff {
    longest: Duration,
    failures: u32,
}

impl Backoff {
    /// Waits of up to `longest`.
    pub(super) fn up_to(longest: Duration) -> Self {
        Self {
            longest,
            failures: 0,
        }
    }

    /// The wait after one more failure: between the half and the whole of it, so that replicas that have
    /// failed together do not come back together.
    pub(super) fn next(&mut self) -> Duration {
        let factor = 1_u32.checked_shl(self.failures).unwrap_or(u32::MAX);
        self.failures = self.failures.saturating_add(1);
        let whole = FIRST.saturating_mul(factor).min(self.longest);
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let part = now.map_or(0, |now| now.subsec_nanos()) % 1_000;
        whole / 2 + whole / 2 * part / 1_000
    }

    /// The longest wait.
    pub(super) fn longest(&self) -> Duration {
        self.longest
    }

    /// It went well.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_bound() {
        let longest = Duration::from_mins(1);
        let mut backoff = Backoff::up_to(longest);
        for failures in 0..100_u32 {
            let whole = longest.min(FIRST * 2_u32.pow(failures.min(20)));
            let wait = backoff.next();
            assert!(wait >= whole / 2 && wait <= whole, "{failures}: {wait:?}");
        }
        backoff.reset();
        assert!(backoff.next() <= FIRST);
    }
}
