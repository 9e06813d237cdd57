//! What happened in each second.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::hostile::neighbour::Latencies;

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answered {
    /// It was decided, as it should be.
    Served,
    /// There was no room, and it was said so.
    Refused,
    /// It was allowed and should not be, or the other way round.
    Wrong,
    /// It was not answered, or with something else.
    Failed,
}

/// One second.
#[derive(Clone, Debug, Default)]
pub struct Second {
    /// Requests that were sent.
    pub offered: usize,
    /// Those that were decided.
    pub served: usize,
    /// Those that were refused.
    pub refused: usize,
    /// Decisions that were wrong.
    pub wrong: usize,
    /// Requests without an answer.
    pub failed: usize,
    /// How long the decisions took.
    pub decisions: Vec<Duration>,
    /// How long the refusals took.
    pub refusals: Vec<Duration>,
    /// How long decisions as at admission took.
    pub admissions: Vec<Duration>,
    /// How long liveness and readiness took.
    pub probes: Vec<Duration>,
    /// Probes and admissions that were not answered as they should be.
    pub unwell: usize,
    /// Resident bytes of the server at its end.
    pub resident: u64,
}

/// All seconds since a beginning. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Seconds {
    begin: Instant,
    seconds: Arc<Mutex<Vec<Second>>>,
}

impl Seconds {
    /// From now on.
    pub fn new() -> Self {
        Self {
            begin: Instant::now(),
            seconds: Arc::default(),
        }
    }

    /// Notes something in the second that it is.
    pub fn note(&self, note: impl FnOnce(&mut Second)) {
        let at = usize::try_from(self.begin.elapsed().as_secs()).unwrap_or(usize::MAX);
        let mut seconds = self.seconds.lock().unwrap_or_else(PoisonError::into_inner);
        if seconds.len() <= at {
            seconds.resize_with(at + 1, Second::default);
        }
        note(&mut seconds[at]);
    }

    /// Notes what became of a request that took so long.
    pub fn answered(&self, answered: Answered, time: Duration) {
        self.note(|second| match answered {
            Answered::Served => {
                second.served += 1;
                second.decisions.push(time);
            }
            Answered::Refused => {
                second.refused += 1;
                second.refusals.push(time);
            }
            Answered::Wrong => second.wrong += 1,
            Answered::Failed => second.failed += 1,
        });
    }

    /// The seconds until now.
    pub fn take(&self) -> Vec<Second> {
        let mut seconds = self.seconds.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *seconds)
    }
}

impl Default for Seconds {
    fn default() -> Self {
        Self::new()
    }
}

impl Second {
    /// Several as one.
    pub fn sum<'a>(seconds: impl IntoIterator<Item = &'a Self>) -> Self {
        seconds
            .into_iter()
            .fold(Self::default(), |sum, second| Self {
                offered: sum.offered + second.offered,
                served: sum.served + second.served,
                refused: sum.refused + second.refused,
                wrong: sum.wrong + second.wrong,
                failed: sum.failed + second.failed,
                decisions: [sum.decisions, second.decisions.clone()].concat(),
                refusals: [sum.refusals, second.refusals.clone()].concat(),
                admissions: [sum.admissions, second.admissions.clone()].concat(),
                probes: [sum.probes, second.probes.clone()].concat(),
                unwell: sum.unwell + second.unwell,
                resident: sum.resident.max(second.resident),
            })
    }
}

/// The latency that so many in a hundred do not exceed, in milliseconds.
pub fn percentile(latencies: &[Duration], percent: usize) -> f64 {
    let latencies = Latencies::of(latencies.to_vec());
    latencies.percentile(percent).as_secs_f64() * 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_add_up() {
        let seconds = Seconds::new();
        for (answered, milliseconds) in [
            (Answered::Served, 10),
            (Answered::Served, 20),
            (Answered::Refused, 1),
            (Answered::Wrong, 1),
            (Answered::Failed, 1),
        ] {
            seconds.note(|second| second.offered += 1);
            seconds.answered(answered, Duration::from_millis(milliseconds));
        }
        let first = seconds.take();
        seconds.answered(Answered::Served, Duration::from_millis(30));
        let sum = Second::sum(first.iter().chain(&seconds.take()));
        let counts = (sum.offered, sum.served, sum.refused, sum.wrong, sum.failed);
        assert_eq!(counts, (5, 3, 1, 1, 1));
        assert!((percentile(&sum.decisions, 99) - 30.0).abs() < 1e-9);
        assert!((percentile(&sum.decisions, 50) - 20.0).abs() < 1e-9);
    }
}
