//! What an evaluation may use up.
//!
//! Every place that can grow charges something here first, so that the budget is a number and not
//! a hope.

use std::time::{Duration, Instant};

use super::{Result, error::ErrorKind};
use crate::rego::value::{Value, is_identical};

/// Steps between two looks at the clock. A step takes well below a microsecond, a look at the
/// clock some 30 ns: it costs little, and a deadline is noticed within a millisecond.
const CLOCK_INTERVAL: u64 = 512;

/// Bytes of a text that are looked at in the time of a step.
const PART: u64 = 64;

/// A text that is longer than this counts for several steps.
const LONG: usize = 4096;

/// The size of one value in a collection, with its share of the collection's own: a list that grows
/// is there twice for a moment, with room for as many again.
pub(crate) const VALUE_SIZE: u64 = 40;

/// The size of a collection besides its members: its counters, its length, and the room for a few
/// members that it grows with.
pub(crate) const COLLECTION_SIZE: u64 = 96;

/// The size of a set besides its members. Its nodes have room for eleven of them, and a set of one
/// has a node too.
pub(crate) const SET_SIZE: u64 = 256;

/// The deepest evaluation that fits on a stack of 64 MiB, with room for the deepest value. Of a debug
/// build, whose frames are the largest, a rule takes 4 to 5 KiB of stack, an iteration, a negation or
/// a comprehension 4 to 8 KiB, and each term within another one 2 to 3 KiB, of which a level of the
/// budget includes five: at most 20 KiB, so 40 MiB in all. A release build takes a fifth of it.
pub const MAX_DEPTH: u32 = 2_000;

/// The deepest value, besides what the input and data bring along. Of a debug build, each level takes
/// a quarter of a KiB to drop, one KiB to compare and two to print: 8 MiB in all, and twice that
/// where `with` brings a deep value along.
pub const MAX_VALUE_DEPTH: u32 = 4_096;

/// Two references to a member of a collection.
const LISTED: u64 = 16;

/// What an evaluation may use up.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Conditions, members and calls that are looked at.
    pub steps: u64,
    /// Rules, iterations, negations and comprehensions inside of each other; a rule whose terms are
    /// nested deep counts for several. [`MAX_DEPTH`] is safe on a thread with 64 MiB of stack.
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
            depth: MAX_DEPTH,
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
    /// Collections that have been built, as far as that matters.
    built: u32,
}

fn is_collection(value: &Value) -> bool {
    matches!(value, Value::Array(_) | Value::Set(_) | Value::Object(_))
}

/// Whether it takes longer than a step to look at all of a value.
#[inline]
pub(crate) fn is_heavy(value: &Value) -> bool {
    match value {
        Value::String(text) => text.len() > LONG,
        value => is_collection(value),
    }
}

/// Members of a collection, or bytes of a text.
fn size(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(elements) => elements.len(),
        Value::Set(members) => members.len(),
        Value::Object(object) => object.len(),
        _ => 0,
    }
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
            built: 0,
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
        if count < self.ticks {
            self.ticks -= count;
            return Ok(());
        }
        self.steps = self.steps.saturating_add(count);
        self.look()
    }

    /// Accounts for looking at all of a value, as a comparison does: a step for each of its parts.
    /// Returns how many these are.
    ///
    /// A value can share its parts (`[x, x]`), so that a small one in memory takes time without end
    /// to compare, where nothing looks at the clock. No comparison looks at more than either side
    /// has.
    #[inline]
    pub(crate) fn weigh(&mut self, value: &Value) -> Result<u64> {
        if is_heavy(value) {
            self.weigh_heavy(value)
        } else {
            Ok(1)
        }
    }

    fn weigh_heavy(&mut self, value: &Value) -> Result<u64> {
        let mut weight = 1;
        let mut add = |budget: &mut Self, member: &Value| -> Result<()> {
            weight += budget.weigh(member)?;
            Ok(())
        };
        match value {
            Value::String(text) => {
                self.text(text)?;
                weight += text.len() as u64 / PART;
            }
            Value::Array(elements) => {
                self.steps(elements.len() as u64 + 1)?;
                elements.iter().try_for_each(|one| add(self, one))?;
            }
            Value::Set(members) => {
                self.steps(members.len() as u64 + 1)?;
                members.iter().try_for_each(|one| add(self, one))?;
            }
            Value::Object(object) => {
                self.steps(2 * object.len() as u64 + 1)?;
                for (key, member) in object.iter() {
                    add(self, key)?;
                    add(self, member)?;
                }
            }
            _ => {}
        }
        Ok(weight)
    }

    /// Accounts for looking at a text.
    #[inline]
    pub(crate) fn text(&mut self, text: &str) -> Result<()> {
        if text.len() > LONG {
            self.bytes(text.len() as u64)
        } else {
            Ok(())
        }
    }

    /// Accounts for looking at bytes, or for building them.
    pub(crate) fn bytes(&mut self, count: u64) -> Result<()> {
        self.steps(count / PART)
    }

    /// Whether two values are the same.
    #[inline]
    pub(crate) fn same(&mut self, left: &Value, right: &Value) -> Result<bool> {
        self.weigh_pair(left, right)?;
        Ok(left == right)
    }

    /// Accounts for comparing two values. Of scalars, and of what is one and the same in memory,
    /// that costs nothing.
    #[inline]
    pub(crate) fn weigh_pair(&mut self, left: &Value, right: &Value) -> Result<()> {
        if is_heavy(left) && is_heavy(right) && !is_identical(left, right) {
            let lesser = if size(left) <= size(right) {
                left
            } else {
                right
            };
            self.weigh_heavy(lesser)?;
            self.room_to_list(left)?;
            self.room_to_list(right)?;
        }
        Ok(())
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
        self.descend_by(1)
    }

    /// Some levels down.
    #[inline]
    pub(crate) fn descend_by(&mut self, levels: u32) -> Result<()> {
        self.depth += levels;
        if self.depth > self.limits.depth {
            return Err(ErrorKind::Depth(self.limits.depth).into());
        }
        Ok(())
    }

    /// One level up. Not needed after an error, which ends the evaluation.
    #[inline]
    pub(crate) fn ascend(&mut self) {
        self.ascend_by(1);
    }

    /// Some levels up.
    #[inline]
    pub(crate) fn ascend_by(&mut self, levels: u32) {
        self.depth -= levels;
    }

    /// A collection has been built: it may be one level deeper than any before. Only when so many
    /// have been built that a value could be too deep is it looked at.
    #[inline]
    pub(crate) fn built(&mut self, value: &Value) -> Result<()> {
        if is_collection(value) {
            self.built = self.built.saturating_add(1);
            if self.built > MAX_VALUE_DEPTH {
                return self.look_into(value);
            }
        }
        Ok(())
    }

    /// Whether a value is too deep.
    #[cold]
    pub(crate) fn look_into(&mut self, value: &Value) -> Result<()> {
        let mut open = vec![(value, 0)];
        let mut count = 0;
        while let Some((value, depth)) = open.pop() {
            if depth > MAX_VALUE_DEPTH {
                return Err(ErrorKind::Depth(MAX_VALUE_DEPTH).into());
            }
            count += 1;
            if count == CLOCK_INTERVAL {
                // A value whose parts are shared is small, but looks large.
                self.steps(count)?;
                count = 0;
            }
            let below = |value| is_collection(value).then_some((value, depth + 1));
            match value {
                Value::Array(elements) => open.extend(elements.iter().filter_map(below)),
                Value::Set(members) => open.extend(members.iter().filter_map(below)),
                Value::Object(object) => {
                    let parts = object.iter().flat_map(|(key, value)| [key, value]);
                    open.extend(parts.filter_map(below));
                }
                _ => {}
            }
        }
        self.steps(count)
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

    /// A member of a set is about to be added, the first one or another.
    #[inline]
    pub(crate) fn charge_member(&mut self, is_first: bool) -> Result<()> {
        let node = if is_first { SET_SIZE } else { 0 };
        self.charge(2 * VALUE_SIZE + node)
    }

    /// Something of this size is there for a moment only, in proportion to what is there already. It
    /// needs room and uses nothing up: a list of references to the members of a collection, say.
    #[inline]
    pub(crate) fn room(&self, bytes: u64) -> Result<()> {
        if self.memory.saturating_add(bytes) > self.limits.memory {
            return Err(ErrorKind::Memory(self.limits.memory).into());
        }
        Ok(())
    }

    /// Who goes through a collection in OPA's order makes a list of its members, and another one to
    /// sort them.
    #[inline]
    pub(crate) fn room_to_list(&self, value: &Value) -> Result<()> {
        if is_collection(value) {
            self.room(LISTED * size(value) as u64)?;
        }
        Ok(())
    }

    /// Time that is left; `None` where there is no limit.
    pub(crate) fn time_left(&self) -> Option<Duration> {
        let deadline = self.deadline?;
        Some(deadline.saturating_duration_since(Instant::now()))
    }

    /// Bytes that are left.
    pub(crate) fn memory_left(&self) -> u64 {
        self.limits.memory.saturating_sub(self.memory)
    }
}
