//! What has been computed already.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
};

use crate::rego::{
    plan::ir::RuleId,
    value::{Value, is_identical},
};

/// How many members of a collection count for its hash. What differs elsewhere only has the same
/// hash, and is told apart by comparing.
const HASHED_MEMBERS: usize = 4;

/// How many bytes of a string count for its hash: names of images differ within these.
const HASHED_BYTES: usize = 64;

/// How many calls of one hash are kept. Whoever chooses arguments of the same hash computes more,
/// which is charged, instead of comparing more, which is not.
const LONGEST_CHAIN: usize = 8;

/// How many parts of an argument are compared, where it is not one with another in memory: a Pod has
/// some hundred.
const COMPARED_PARTS: u32 = 1_000;

/// No call.
const END: u32 = u32::MAX;

/// The values of rules, and of functions for their arguments.
#[derive(Debug, Default)]
pub(crate) struct Memo {
    rules: Vec<Option<Value>>,
    calls: Vec<Call>,
    /// The arguments of all calls, one after the other.
    arguments: Vec<Value>,
    /// The last call of each hash.
    last: HashMap<u64, u32, BuildHasherDefault<Ready>>,
}

#[derive(Debug)]
struct Call {
    function: RuleId,
    /// Where its arguments begin.
    start: usize,
    value: Value,
    /// The call of the same hash before, or [`END`].
    before: u32,
}

impl Memo {
    /// The value of a rule; undefined is one.
    #[inline]
    pub(crate) fn rule(&self, rule: RuleId) -> Option<&Value> {
        self.rules.get(rule.index())?.as_ref()
    }

    /// Keeps the value of a rule.
    pub(crate) fn keep_rule(&mut self, rule: RuleId, value: Value) {
        if self.rules.len() <= rule.index() {
            self.rules.resize(rule.index() + 1, None);
        }
        self.rules[rule.index()] = Some(value);
    }

    /// The value of a function for its arguments.
    pub(crate) fn call(&self, hash: u64, function: RuleId, arguments: &[Value]) -> Option<&Value> {
        let call = self.chain(hash).find(|call| {
            let before = self.arguments.get(call.start..call.start + arguments.len());
            let mut pairs = before.unwrap_or_default().iter().zip(arguments);
            call.function == function && pairs.all(|(before, argument)| is_same(before, argument))
        })?;
        Some(&call.value)
    }

    /// Keeps the value of a function.
    pub(crate) fn keep_call(
        &mut self,
        hash: u64,
        function: RuleId,
        arguments: &[Value],
        value: Value,
    ) {
        let Ok(at) = u32::try_from(self.calls.len()) else {
            return;
        };
        if self.chain(hash).take(LONGEST_CHAIN).count() == LONGEST_CHAIN {
            return;
        }
        let before = self.last.insert(hash, at).unwrap_or(END);
        let start = self.arguments.len();
        self.arguments.extend_from_slice(arguments);
        self.calls.push(Call {
            function,
            start,
            value,
            before,
        });
    }

    fn chain(&self, hash: u64) -> impl Iterator<Item = &Call> {
        let last = self.last.get(&hash).copied().unwrap_or(END);
        std::iter::successors(self.calls.get(last as usize), |call| {
            self.calls.get(call.before as usize)
        })
    }
}

/// Whether two arguments are known to be the same. Who is not sure computes again.
fn is_same(before: &Value, argument: &Value) -> bool {
    let mut parts = COMPARED_PARTS;
    is_identical(before, argument) || is_light(before, &mut parts) && before == argument
}

/// Whether a value has no more parts than this; what it shares counts each time.
fn is_light(value: &Value, parts: &mut u32) -> bool {
    let Some(left) = parts.checked_sub(1) else {
        return false;
    };
    *parts = left;
    match value {
        Value::Array(elements) => elements.iter().all(|one| is_light(one, parts)),
        Value::Set(members) => members.iter().all(|one| is_light(one, parts)),
        Value::Object(object) => object
            .iter()
            .all(|(key, member)| is_light(key, parts) && is_light(member, parts)),
        _ => true,
    }
}

/// A hash of a call, at a bounded cost.
pub(crate) fn hash(function: RuleId, arguments: &[Value]) -> u64 {
    let mut state = u64::from(function.0);
    for argument in arguments {
        mix_value(&mut state, argument);
    }
    state
}

fn mix(state: &mut u64, word: u64) {
    // A multiplication by a large odd number and a rotation, as in FxHash.
    *state = (state.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
}

fn mix_value(state: &mut u64, value: &Value) {
    mix_shallow(state, value);
    match value {
        Value::Array(elements) => {
            let few = elements.iter().take(HASHED_MEMBERS);
            few.for_each(|element| mix_shallow(state, element));
        }
        Value::Set(members) => {
            let few = members.iter_sorted().take(HASHED_MEMBERS);
            few.for_each(|member| mix_shallow(state, member));
        }
        // What objects have in common are rather their keys.
        Value::Object(object) => {
            let few = object.iter_sorted().take(HASHED_MEMBERS);
            few.for_each(|(_, value)| mix_shallow(state, value));
        }
        _ => {}
    }
}

/// A value without its members.
fn mix_shallow(state: &mut u64, value: &Value) {
    match value {
        Value::Null | Value::Undefined => mix(state, 1),
        Value::Bool(truth) => mix(state, 2 + u64::from(*truth)),
        Value::Number(number) => match number.as_i64() {
            Some(integer) => mix(state, integer.cast_unsigned()),
            None => mix(state, number.as_f64().map_or(4, f64::to_bits)),
        },
        Value::String(text) => {
            mix(state, text.len() as u64);
            let bytes = &text.as_bytes()[..text.len().min(HASHED_BYTES)];
            let (words, rest) = bytes.as_chunks::<8>();
            words
                .iter()
                .for_each(|word| mix(state, u64::from_le_bytes(*word)));
            let last = rest
                .iter()
                .fold(0, |word, byte| (word << 8) | u64::from(*byte));
            mix(state, last);
        }
        Value::Array(elements) => mix(state, elements.len() as u64 + 5),
        Value::Set(members) => mix(state, members.len() as u64 + 6),
        Value::Object(object) => mix(state, object.len() as u64 + 7),
    }
}

/// Takes a hash for what it is.
#[derive(Debug, Default)]
pub(crate) struct Ready(u64);

impl Hasher for Ready {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes
            .iter()
            .for_each(|byte| mix(&mut self.0, u64::from(*byte)));
    }

    fn write_u64(&mut self, hash: u64) {
        // The table takes the lowest bits for the place and the highest for the tag.
        self.0 = hash ^ (hash >> 32);
    }
}
