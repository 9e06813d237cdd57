//! OPA's total order of values: null, booleans, numbers, strings, arrays, objects, sets.
//!
//! regorus keeps collections sorted in an order of its own, which differs where members are
//! objects and sets, or numbers that are [decimals](super::number). Both orders agree on
//! members that are scalars, so that nothing is sorted again in the common case.

use std::{borrow::Borrow, cmp::Ordering};

use regorus::value::{Object, Set};

use super::{Kind, Value, elements, kind, number};

/// OPA's order.
pub fn compare(left: &Value, right: &Value) -> Ordering {
    let (kind, other) = (kind(left), kind(right));
    if kind != other {
        return kind.cmp(&other);
    }
    match (left, right) {
        (Value::Bool(left), Value::Bool(right)) => left.cmp(right),
        (Value::String(left), Value::String(right)) => left.cmp(right),
        (Value::Object(left), Value::Object(right)) => compare_objects(left, right),
        (Value::Set(left), Value::Set(right)) => lexicographic(members(left), members(right)),
        _ if kind == Kind::Number => number::compare(left, right),
        _ => match (elements(left), elements(right)) {
            (Some(left), Some(right)) => lexicographic(left.iter(), right.iter()),
            _ => Ordering::Equal,
        },
    }
}

/// The members of a set in OPA's order.
pub fn members(set: &Set) -> impl Iterator<Item = &Value> {
    let mut apart = Vec::new();
    if set.last().is_some_and(is_composite) {
        apart = set.iter_sorted().collect();
        sort(&mut apart);
    }
    let together = apart.is_empty().then(|| set.iter_sorted());
    together.into_iter().flatten().chain(apart)
}

/// The keys and values of an object in OPA's order of the keys.
pub fn entries(object: &Object) -> impl Iterator<Item = (&Value, &Value)> {
    let mut apart = Vec::new();
    if has_composite_keys(object) {
        apart = object.iter_sorted().collect();
        apart.sort_by(|(left, _), (right, _)| compare(left, right));
    }
    let together = apart.is_empty().then(|| object.iter_sorted());
    together.into_iter().flatten().chain(apart)
}

/// Sorts in OPA's order.
pub fn sort<V: Borrow<Value>>(values: &mut [V]) {
    values.sort_by(|left, right| compare(left.borrow(), right.borrow()));
}

/// Whether regorus's order may put the value elsewhere than OPA's. Such values come last in
/// regorus's order, so that the last member of a collection tells for all.
fn is_composite(value: &Value) -> bool {
    matches!(value, Value::Array(_) | Value::Object(_) | Value::Set(_))
}

fn has_composite_keys(object: &Object) -> bool {
    object
        .iter_sorted()
        .next_back()
        .is_some_and(|(key, _)| is_composite(key))
}

/// Both in the order of their keys, key by key and value by value.
fn compare_objects(left: &Object, right: &Object) -> Ordering {
    if has_composite_keys(left) || has_composite_keys(right) {
        return lexicographic(
            entries(left).flat_map(|(key, value)| [key, value]),
            entries(right).flat_map(|(key, value)| [key, value]),
        );
    }
    let pairs = left.iter_sorted().zip(right.iter_sorted());
    let different = pairs
        .map(|((key, value), (other, theirs))| {
            compare(key, other).then_with(|| compare(value, theirs))
        })
        .find(|order| order.is_ne());
    different.unwrap_or_else(|| left.len().cmp(&right.len()))
}

fn lexicographic<'a>(
    mut left: impl Iterator<Item = &'a Value>,
    mut right: impl Iterator<Item = &'a Value>,
) -> Ordering {
    loop {
        match (left.next(), right.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(left), Some(right)) => match compare(left, right) {
                Ordering::Equal => {}
                unequal => return unequal,
            },
        }
    }
}
