//! What is measured of each contestant, and how.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, anyhow};
use rustix::time::{ClockId, clock_gettime};

use crate::rows::Row;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Mode {
    /// From the bytes of the input to the decision.
    Raw,
    /// From the parsed input to the decision.
    Parsed,
    /// From the text of the policy to what can be evaluated.
    Compile,
}

impl Mode {
    /// As it is asked for.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Parsed => "parsed",
            Self::Compile => "compile",
        }
    }
}

/// Everything that is measured.
pub(crate) const MODES: [Mode; 3] = [Mode::Raw, Mode::Parsed, Mode::Compile];

/// An engine.
pub(crate) trait Contestant {
    /// Prepares a row, and says its decision.
    fn load(&mut self, row: &Row) -> Result<serde_json::Value>;

    /// The nanoseconds of processor time that one operation takes. Rows are numbered as they were
    /// loaded.
    fn measure(&mut self, row: usize, mode: Mode, slice: Duration, threads: usize) -> Result<f64>;
}

/// Evaluator threads have stacks of this size.
const STACK: usize = 64 << 20;

/// Repeats an operation on every thread until the time is over. Returns the nanoseconds of
/// processor time that one operation takes.
pub(crate) fn measure(
    slice: Duration,
    threads: usize,
    operation: &(dyn Fn() -> Result<()> + Sync),
) -> Result<f64> {
    let (start, used) = (Instant::now(), processor_time());
    let repeat = || -> Result<usize> {
        let (mut count, mut batch) = (0, 1);
        while start.elapsed() < slice {
            let began = Instant::now();
            for _ in 0..batch {
                operation()?;
            }
            count += batch;
            if began.elapsed() < Duration::from_millis(1) {
                batch *= 2;
            }
        }
        Ok(count)
    };
    let operations = thread::scope(|scope| -> Result<usize> {
        let thread = || thread::Builder::new().stack_size(STACK);
        let handles: Vec<_> = (0..threads)
            .map(|_| thread().spawn_scoped(scope, repeat))
            .collect::<std::io::Result<_>>()?;
        let counts = handles.into_iter().map(|handle| {
            let count = handle.join();
            count.map_err(|_| anyhow!("an operation panicked"))?
        });
        counts.sum()
    })?;
    let used = processor_time().saturating_sub(used);
    Ok(per_operation(used, operations))
}

/// What all threads of this process have used.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let (seconds, nanoseconds) = (time.tv_sec, time.tv_nsec);
    Duration::from_secs(seconds.unsigned_abs()) + Duration::from_nanos(nanoseconds.unsigned_abs())
}

/// Nanoseconds that one operation takes.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
pub(crate) fn per_operation(used: Duration, operations: usize) -> f64 {
    used.as_nanos() as f64 / operations.max(1) as f64
}
