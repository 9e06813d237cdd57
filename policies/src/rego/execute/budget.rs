//! What an evaluation may use up.
//!
//! Every place that can grow charges something here first, so that the budget is a number and not
//! a hope.

use std::time::{Duration, Instant};

use super::{Result, error::ErrorKind};

/// Steps between two looks at the clock. A step takes well below a microsecond, a look at the
/// clock some 30 ns: it costs little, and a deadline is noticed within a millisecond.
const CLOCK_INTERVAL: u64 = 512;

/// The size of one value in a collection, with its share of the collection's own.
pub(crate) const VALUE_SIZE: u64 = 32;

/// What an evaluation may use up.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Conditions, members and calls that are looked at.
    pub steps: u64,
    /// Calls, iterations and negations inside of each other. On evaluator threads with 64 MiB
    /// of stack, 8,192 are safe.
    pub depth: u32,
    /// Bytes of everything that is built, whether it is still held or not. An estimate: what a
    /// value shares with another is not counted, what is built and dropped is.
    pub memory: u64,
    /// Wall-clock time, from the start of the evaluation.
    pub time: Option<Duration>,
}

impl Default for Limits {
    /// For a policy that nothing is known of: a second or so of work.
    fn default() -> Self {
        Self {
            steps: 10_000_000,
            depth: 2_000,
            memory: 256 << 20,
            time: None,
        }
    }
}

/// What has been used up.
#[derive(Debug)]
pub(crate) struct Budget {
    limits: Limits,
    deadline: Option<Instant>,
    /// Steps that are left until the limit or the clock is looked at.
    ticks: u64,
    steps: u64,
    depth: u32,
    memory: u64,
}

impl Budget {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            deadline: limits.time.map(|time| Instant::now() + time),
            ticks: CLOCK_INTERVAL,
            steps: 0,
            depth: 0,
            memory: 0,
        }
    }

    /// One step.
    #[inline]
    pub(crate) fn step(&mut self) -> Result<()> {
        self.ticks -= 1;
        if self.ticks == 0 {
            return self.look();
        }
        Ok(())
    }

    /// Many steps at once, such as the members that a builtin will look at.
    pub(crate) fn steps(&mut self, count: u64) -> Result<()> {
        self.steps = self.steps.saturating_add(count);
        self.look()
    }

    #[cold]
    fn look(&mut self) -> Result<()> {
        self.steps = self.steps.saturating_add(CLOCK_INTERVAL - self.ticks);
        self.ticks = CLOCK_INTERVAL;
        if self.steps > self.limits.steps {
            return Err(ErrorKind::Steps(self.limits.steps).into());
        }
        match (self.deadline, self.limits.time) {
            (Some(deadline), Some(time)) if Instant::now() > deadline => {
                Err(ErrorKind::Timeout(time).into())
            }
            _ => Ok(()),
        }
    }

    /// One level down.
    #[inline]
    pub(crate) fn descend(&mut self) -> Result<()> {
        self.depth += 1;
        if self.depth > self.limits.depth {
            return Err(ErrorKind::Depth(self.limits.depth).into());
        }
        Ok(())
    }

    /// One level up. Not needed after an error, which ends the evaluation.
    #[inline]
    pub(crate) fn ascend(&mut self) {
        self.depth -= 1;
    }

    /// Something of this size is about to be built.
    #[inline]
    pub(crate) fn charge(&mut self, bytes: u64) -> Result<()> {
        self.memory = self.memory.saturating_add(bytes);
        if self.memory > self.limits.memory {
            return Err(ErrorKind::Memory(self.limits.memory).into());
        }
        Ok(())
    }

    /// Bytes that are left.
    pub(crate) fn memory_left(&self) -> u64 {
        self.limits.memory - self.memory
    }
}
