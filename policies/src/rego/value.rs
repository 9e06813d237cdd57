//! Values, as OPA has them.
//!
//! regorus's [`Value`] is the representation; its order of values, its numbers' arithmetic and its
//! printing are not OPA's, so they are here:
//!
//! - [`order`]: the total order, and collections in that order,
//! - [`number`]: numbers that are exact, and their text,
//! - [`float`]: Go's `big.Float` with a mantissa of 64 bits, in which OPA computes fractions,
//! - [`arithmetic`]: `+ - * / %` and the set operations,
//! - [`json`] and [`text`]: JSON and Rego as OPA writes them,
//!
//! # Numbers
//!
//! An integer of any size is a regorus integer. A fraction is a regorus `Float` if the shortest
//! decimal that names the float is exactly the fraction, which is so for nearly every number that
//! people write. Any other fraction, such as a third in OPA's 64 bits
//! (`0.33333333333333333334`), is a *decimal*: an array of [`Value::Undefined`] (which is in no
//! Rego value), the digits, and the power of ten. So equal numbers have equal representations.
//! Code that matches [`Value::Array`] asks [`elements`] instead.
//!
//! What a value does not keep is how a number was written: `1.50` is `1.5`, `1e30` is 31 digits. But
//! a small integer that was written as a fraction (`1.0`) is a `Float`, which equals the integer and
//! is printed with a point.

pub mod arithmetic;
pub mod float;
pub mod json;
pub mod number;
pub mod order;
pub mod printable;
pub mod text;

use std::sync::Arc;

pub use regorus::Value;

pub use order::compare;

/// Whether two values are one in memory.
pub fn is_identical(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Array(left), Value::Array(right)) => Arc::ptr_eq(left, right),
        (Value::Set(left), Value::Set(right)) => Arc::ptr_eq(left, right),
        (Value::Object(left), Value::Object(right)) => Arc::ptr_eq(left, right),
        _ => false,
    }
}

/// The type of a value, in OPA's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// `null`
    Null,
    /// `true` and `false`
    Boolean,
    /// Any number
    Number,
    /// A string
    String,
    /// An array
    Array,
    /// An object
    Object,
    /// A set
    Set,
}

impl Kind {
    /// As `type_name` says it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean => "boolean",
            Self::Number => "number",
            Self::String => "string",
            Self::Array => "array",
            Self::Object => "object",
            Self::Set => "set",
        }
    }
}

/// The type of a value. [`Value::Undefined`] is none and counts as null.
#[inline]
pub fn kind(value: &Value) -> Kind {
    match value {
        Value::Null | Value::Undefined => Kind::Null,
        Value::Bool(_) => Kind::Boolean,
        Value::Number(_) => Kind::Number,
        Value::String(_) => Kind::String,
        Value::Array(elements) if matches!(elements.first(), Some(Value::Undefined)) => {
            Kind::Number
        }
        Value::Array(_) => Kind::Array,
        Value::Object(_) => Kind::Object,
        Value::Set(_) => Kind::Set,
    }
}

/// Whether a value has members.
pub fn is_collection(value: &Value) -> bool {
    kind(value) >= Kind::Array
}

/// The elements, if the value is an array.
#[inline]
pub fn elements(value: &Value) -> Option<&[Value]> {
    match value {
        Value::Array(elements) if !matches!(elements.first(), Some(Value::Undefined)) => {
            Some(elements.as_slice())
        }
        _ => None,
    }
}

/// Whether there is a value.
#[inline]
pub fn is_defined(value: &Value) -> bool {
    !matches!(value, Value::Undefined)
}

/// What a key leads to: a member of an object, an element of an array, or, in a set, itself. (Of `1`
/// in a set, `1.0` is `1.0`, as it is in OPA.)
#[inline]
pub fn get<'a>(value: &'a Value, key: &'a Value) -> Option<&'a Value> {
    match value {
        Value::Object(object) => object.get(key),
        Value::Array(_) => elements(value)?.get(number::as_index(key)?),
        Value::Set(set) => set.contains(key).then_some(key),
        _ => None,
    }
}

/// Whether a collection has a member; of an object, whether it is one of the values.
pub fn contains(collection: &Value, member: &Value) -> bool {
    match collection {
        Value::Set(set) => set.contains(member),
        Value::Object(object) => object.values().any(|value| value == member),
        _ => elements(collection).is_some_and(|elements| elements.contains(member)),
    }
}

/// Whether a member of a collection lies under a key; of a set, whether both are the same member.
pub fn contains_entry(collection: &Value, key: &Value, member: &Value) -> bool {
    get(collection, key) == Some(member)
}

/// The number of members of a collection, of characters of a string.
pub fn count(value: &Value) -> Option<usize> {
    match value {
        Value::Object(object) => Some(object.len()),
        Value::Array(_) => elements(value).map(<[Value]>::len),
        Value::Set(set) => Some(set.len()),
        Value::String(text) => Some(text.chars().count()),
        _ => None,
    }
}
