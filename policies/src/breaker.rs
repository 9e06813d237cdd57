//! A policy that uses up its limits again and again is not run for a while.
//!
//! ```text
//! closed ── ROW times in a row ──▶ open ── the rest is over ──▶ one evaluation tries
//!   ▲                               ▲                              │          │
//!   └── it ends within its limits ──┼──────────────────────────────┘          │
//!                                   └── for twice as long ── it does not ─────┘
//! ```
//!
//! Meanwhile it is answered for as one that cannot answer. Each door has its own, so that what a
//! service sends to a policy takes nothing from admission. There is no lock: two threads that
//! change a breaker at once leave it as one of them wanted it.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};

use jiff::Timestamp;

use crate::{Code, Limits, Message, Point};

/// Evaluations in a row that use up their limits before the policy is not run any more: fewer may
/// be large requests among others, or a machine that has no time.
const ROW: u32 = 5;

/// How long the first rest is, in milliseconds. Each further one is twice as long as the one before.
const FIRST: i64 = 1_000;

/// The longest rest, in milliseconds: how long a policy may be answered for after it was mended
/// from outside, say by another input.
const LONGEST: i64 = 60_000;

/// How long others wait for the evaluation that tries, in milliseconds: longer than one can take.
const TRIAL: i64 = 10_000;

/// What counts is in one place, and orders nothing else.
const ORDER: Ordering = Ordering::Relaxed;

/// The breakers of a policy.
#[derive(Debug, Default)]
pub(crate) struct Breakers {
    admission: Breaker,
    evaluation: Breaker,
}

/// The breaker of a policy at one door.
#[derive(Debug, Default)]
pub(crate) struct Breaker {
    /// Evaluations in a row that used up their limits.
    row: AtomicU32,
    /// The end of the rest, in milliseconds since the epoch; 0 where there is none.
    until: AtomicI64,
    /// What was used up last was memory.
    memory: AtomicBool,
}

/// A limit that an evaluation used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Used {
    Time,
    Memory,
}

/// A policy that is not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rest {
    row: u32,
    used: Used,
    until: i64,
}

impl Used {
    fn code(self) -> Code {
        match self {
            Self::Time => Code::Timeout,
            Self::Memory => Code::MemoryExceeded,
        }
    }

    fn setting(self) -> &'static str {
        match self {
            Self::Time => "limits.timeout",
            Self::Memory => "limits.memory",
        }
    }
}

impl Breakers {
    pub(crate) fn of(&self, point: Point) -> &Breaker {
        match point {
            Point::Admission => &self.admission,
            Point::Evaluation => &self.evaluation,
        }
    }

    /// What evaluations used up again and again, if they did, at whichever door.
    pub(crate) fn exhausted(&self) -> Option<Code> {
        let mut breakers = [&self.admission, &self.evaluation].into_iter();
        breakers.find_map(Breaker::exhausts)
    }
}

impl Breaker {
    /// Whether the policy is to be run now, or why not.
    pub(crate) fn may_run(&self, now: Timestamp) -> Result<(), Rest> {
        let until = self.until.load(ORDER);
        if until == 0 {
            return Ok(());
        }
        let now = now.as_millisecond();
        // Further away than any rest is what a clock left that has been set back.
        let rests = now < until && until - now <= LONGEST + TRIAL + 2 * longest_evaluation();
        if !rests {
            let trial = now + TRIAL;
            if self
                .until
                .compare_exchange(until, trial, ORDER, ORDER)
                .is_ok()
            {
                return Ok(());
            }
        }
        Err(Rest {
            row: self.row.load(ORDER),
            used: self.used(),
            until: self.until.load(ORDER).max(now),
        })
    }

    /// An evaluation ended within its limits.
    pub(crate) fn ended(&self) {
        // Read before it is written, so that threads share it as long as nothing happens.
        if self.row.load(ORDER) != 0 {
            self.row.store(0, ORDER);
            self.until.store(0, ORDER);
        }
    }

    /// An evaluation that began then used up its limits.
    pub(crate) fn exhausted(&self, began: Timestamp, limits: Limits, used: Used) {
        self.memory.store(used == Used::Memory, ORDER);
        let row = self.row.fetch_add(1, ORDER).saturating_add(1);
        if row >= ROW {
            let doubled = (row - ROW).min(LONGEST.ilog2());
            let rest = (FIRST << doubled).min(LONGEST);
            let end = began.as_millisecond() + milliseconds(limits) + rest;
            self.until.store(end, ORDER);
        }
    }

    /// What evaluations used up again and again, if they did.
    pub(crate) fn exhausts(&self) -> Option<Code> {
        (self.row.load(ORDER) >= ROW).then(|| self.used().code())
    }

    fn used(&self) -> Used {
        if self.memory.load(ORDER) {
            Used::Memory
        } else {
            Used::Time
        }
    }
}

impl Rest {
    /// What a decision says of it.
    pub(crate) fn message(self) -> Message {
        let until = Timestamp::from_millisecond(self.until).unwrap_or_default();
        let limit = self.used.setting();
        let text = format!(
            "the last {} evaluations used up `{limit}`: the policy is not run until {until:.0}",
            self.row
        );
        Message::new(self.used.code(), &text)
            .with_remedy(&format!("make the policy cheaper, or raise `{limit}`"))
    }
}

fn milliseconds(limits: Limits) -> i64 {
    i64::try_from(limits.timeout.as_millis()).unwrap_or(LONGEST)
}

fn longest_evaluation() -> i64 {
    milliseconds(Limits::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: i64) -> Timestamp {
        Timestamp::from_millisecond(1_000_000_000_000 + milliseconds).unwrap()
    }

    fn limits() -> Limits {
        Limits {
            timeout: std::time::Duration::from_millis(250),
            ..Limits::DEFAULT
        }
    }

    fn exhaust(breaker: &Breaker, times: u32, now: i64) {
        for _ in 0..times {
            breaker.exhausted(at(now), limits(), Used::Time);
        }
    }

    #[test]
    fn opens_after_a_row_and_tries_when_the_rest_is_over() {
        let breaker = Breaker::default();
        exhaust(&breaker, ROW - 1, 0);
        assert_eq!(breaker.may_run(at(0)), Ok(()));
        exhaust(&breaker, 1, 0);
        assert!(breaker.may_run(at(1)).is_err());
        assert!(breaker.may_run(at(1_249)).is_err());
        // One tries, and the others wait for it.
        assert_eq!(breaker.may_run(at(1_250)), Ok(()));
        assert!(breaker.may_run(at(1_250)).is_err());
        // It fails again: twice as long.
        exhaust(&breaker, 1, 1_250);
        assert!(breaker.may_run(at(1_250 + 2_249)).is_err());
        assert_eq!(breaker.may_run(at(1_250 + 2_250)), Ok(()));
        breaker.ended();
        assert_eq!(breaker.may_run(at(1_250 + 2_250)), Ok(()));
        exhaust(&breaker, ROW - 1, 5_000);
        assert_eq!(breaker.may_run(at(5_000)), Ok(()));
    }

    #[test]
    fn one_that_ends_begins_the_row_anew() {
        let breaker = Breaker::default();
        for _ in 0..3 {
            exhaust(&breaker, ROW - 1, 0);
            breaker.ended();
        }
        assert_eq!(breaker.may_run(at(0)), Ok(()));
    }

    #[test]
    fn a_rest_has_an_end_however_long_the_row() {
        let breaker = Breaker::default();
        exhaust(&breaker, 1_000, 0);
        assert!(breaker.may_run(at(LONGEST)).is_err());
        assert_eq!(breaker.may_run(at(LONGEST + 250)), Ok(()));
    }

    #[test]
    fn a_trial_that_never_ends_is_not_waited_for() {
        let breaker = Breaker::default();
        exhaust(&breaker, ROW, 0);
        assert_eq!(breaker.may_run(at(2_000)), Ok(()));
        assert!(breaker.may_run(at(2_000 + TRIAL - 1)).is_err());
        assert_eq!(breaker.may_run(at(2_000 + TRIAL)), Ok(()));
    }

    #[test]
    fn a_clock_that_is_set_back_does_not_make_it_longer() {
        let breaker = Breaker::default();
        exhaust(&breaker, ROW, 0);
        assert_eq!(breaker.may_run(at(-3_600_000)), Ok(()));
    }

    #[test]
    fn says_what_was_used_up_and_until_when() {
        let breakers = Breakers::default();
        let breaker = breakers.of(Point::Admission);
        exhaust(breaker, ROW - 1, 0);
        assert_eq!(breakers.exhausted(), None);
        breaker.exhausted(at(0), limits(), Used::Memory);
        assert_eq!(breakers.exhausted(), Some(Code::MemoryExceeded));
        let message = breaker.may_run(at(0)).unwrap_err().message();
        assert_eq!(message.code.to_string(), "POLICY.MEMORY_EXCEEDED");
        assert_eq!(
            message.message,
            "the last 5 evaluations used up `limits.memory`: the policy is not run until \
             2001-09-09T01:46:41Z"
        );
        assert_eq!(breakers.of(Point::Evaluation).may_run(at(0)), Ok(()));
    }
}
