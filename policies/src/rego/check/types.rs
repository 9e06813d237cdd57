//! Types, as OPA's type checker has them.

use std::fmt;

use regorus::Value;

use crate::rego::value::{self, json};

/// What values a term can have.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Type {
    /// `null`
    Null,
    /// `true`, `false`
    Boolean,
    /// Any number
    Number,
    /// Any string
    String,
    /// An array: the types of its first elements, and of those that follow.
    Array(Vec<Type>, Option<Box<Type>>),
    /// An object: the types below known keys, and of other keys and values.
    Object(Vec<(Value, Type)>, Option<Box<(Type, Type)>>),
    /// A set: the type of its members.
    Set(Box<Type>),
    /// One of these; of none, anything at all.
    Any(Vec<Type>),
    /// Nothing is known yet. The members of the empty set have this type too.
    Unknown,
}

/// Collections within each other that a type keeps. Types are walked by recursion.
const MAX_HEIGHT: u32 = 200;

/// Parts that a type keeps: more than a person writes.
const MAX_SIZE: u32 = 4_096;

impl Type {
    /// Anything at all.
    pub const ANY: Self = Self::Any(Vec::new());

    /// Anything at all.
    pub fn is_any(&self) -> bool {
        matches!(self, Self::Any(of) if of.is_empty())
    }

    /// The type, or anything at all if it is too large: where variables are parts of collections
    /// that are parts of others, a type can be exponentially larger than the source.
    #[must_use]
    pub fn bounded(self) -> Self {
        let mut room = MAX_SIZE;
        if self.fits(MAX_HEIGHT, &mut room) {
            self
        } else {
            Self::ANY
        }
    }

    fn fits(&self, height: u32, room: &mut u32) -> bool {
        if height == 0 || *room == 0 {
            return false;
        }
        *room -= 1;
        let mut fits = |kind: &Self| kind.fits(height - 1, room);
        match self {
            Self::Unknown | Self::Null | Self::Boolean | Self::Number | Self::String => true,
            Self::Any(of) => of.iter().all(fits),
            Self::Array(first, rest) => {
                first.iter().all(&mut fits) && rest.as_deref().is_none_or(fits)
            }
            Self::Object(known, rest) => {
                known.iter().all(|(_, kind)| fits(kind))
                    && rest
                        .as_deref()
                        .is_none_or(|(key, kind)| fits(key) && fits(kind))
            }
            Self::Set(of) => fits(of),
        }
    }

    /// Nothing is known yet of it, or of a part of it.
    pub fn is_unknown(&self) -> bool {
        match self {
            Self::Unknown => true,
            Self::Null | Self::Boolean | Self::Number | Self::String | Self::Any(_) => false,
            Self::Array(first, rest) => {
                first.iter().any(Self::is_unknown) || rest.as_deref().is_some_and(Self::is_unknown)
            }
            Self::Object(known, rest) => {
                known.iter().any(|(_, kind)| kind.is_unknown())
                    || rest
                        .as_ref()
                        .is_some_and(|rest| rest.0.is_unknown() || rest.1.is_unknown())
            }
            Self::Set(of) => of.is_unknown(),
        }
    }

    /// Something is known of it.
    pub fn is_some(&self) -> bool {
        *self != Self::Unknown
    }

    /// A collection that can hold nothing.
    pub fn is_empty_collection(&self) -> bool {
        match self {
            Self::Object(known, rest) => known.is_empty() && rest.is_none(),
            Self::Array(first, rest) => first.is_empty() && rest.is_none(),
            Self::Set(of) => **of == Self::Unknown,
            _ => false,
        }
    }

    /// An array of any length.
    pub fn array(of: Self) -> Self {
        Self::Array(Vec::new(), Some(Box::new(of)))
    }

    /// An object of any keys.
    pub fn object(key: Self, value: Self) -> Self {
        Self::Object(Vec::new(), Some(Box::new((key, value))))
    }

    /// A set.
    pub fn set(of: Self) -> Self {
        Self::Set(Box::new(of))
    }

    /// The type of a value.
    pub fn of(value: &Value) -> Self {
        match value {
            Value::Null | Value::Undefined => Self::Null,
            Value::Bool(_) => Self::Boolean,
            Value::Number(_) => Self::Number,
            Value::String(_) => Self::String,
            Value::Array(_) => match value::elements(value) {
                Some(elements) => Self::Array(elements.iter().map(Self::of).collect(), None),
                None => Self::Number,
            },
            Value::Object(object) => {
                let entries = object.iter_sorted();
                Self::Object(
                    entries
                        .map(|(key, value)| (key.clone(), Self::of(value)))
                        .collect(),
                    None,
                )
            }
            Value::Set(set) => Self::set(set.iter().map(Self::of).fold(Self::Unknown, Self::or)),
        }
    }

    /// One or the other.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Unknown, kind) | (kind, Self::Unknown) => kind,
            (Self::Any(of), kind) | (kind, Self::Any(of)) if of.is_empty() => {
                drop(kind);
                Self::ANY
            }
            (left, right) if left == right => left,
            (left, right) => {
                let mut of = left.into_alternatives();
                of.extend(right.into_alternatives());
                of.sort();
                of.dedup();
                Self::Any(of)
            }
        }
    }

    fn into_alternatives(self) -> Vec<Self> {
        match self {
            Self::Any(of) => of,
            kind => vec![kind],
        }
    }

    /// The types of what its members are found by.
    #[must_use]
    pub fn keys(&self) -> Self {
        match self {
            Self::Array(..) => Self::Number,
            Self::Object(known, rest) => {
                let known = known
                    .iter()
                    .map(|(key, _)| Self::of(key))
                    .fold(Self::Unknown, Self::or);
                rest.as_ref()
                    .map_or(known.clone(), |rest| known.or(rest.0.clone()))
            }
            Self::Set(of) => (**of).clone(),
            Self::Any(of) if of.is_empty() => Self::ANY,
            Self::Any(of) => of.iter().map(Self::keys).fold(Self::Unknown, Self::or),
            _ => Self::Unknown,
        }
    }

    /// The types of its members.
    #[must_use]
    pub fn values(&self) -> Self {
        match self {
            Self::Array(first, rest) => {
                let first = first.iter().cloned().fold(Self::Unknown, Self::or);
                rest.as_ref()
                    .map_or(first.clone(), |rest| first.or((**rest).clone()))
            }
            Self::Object(known, rest) => {
                let known = known
                    .iter()
                    .map(|(_, kind)| kind.clone())
                    .fold(Self::Unknown, Self::or);
                rest.as_ref()
                    .map_or(known.clone(), |rest| known.or(rest.1.clone()))
            }
            Self::Set(of) => (**of).clone(),
            Self::Any(of) if of.is_empty() => Self::ANY,
            Self::Any(of) => of.iter().map(Self::values).fold(Self::Unknown, Self::or),
            _ => Self::Unknown,
        }
    }

    /// The type of the member under a key; unknown if there can be none.
    #[must_use]
    pub fn select(&self, key: &Value) -> Self {
        match self {
            Self::Array(first, rest) => match value::number::as_index(key) {
                Some(index) => Self::element(first, rest.as_deref(), index),
                None => Self::Unknown,
            },
            Self::Object(known, rest) => {
                let found = known
                    .iter()
                    .find(|(name, _)| value::compare(name, key).is_eq());
                match (found, rest) {
                    (Some((_, kind)), _) => kind.clone(),
                    (None, Some(rest)) if unifies(&rest.0, &Self::of(key)) => rest.1.clone(),
                    _ => Self::Unknown,
                }
            }
            Self::Set(of) => {
                let kind = Self::of(key);
                match &**of {
                    of if *of == kind => kind,
                    Self::Any(of) if of.is_empty() || of.contains(&kind) => kind,
                    _ => Self::Unknown,
                }
            }
            Self::Any(of) if of.is_empty() => Self::ANY,
            Self::Any(of) => of
                .iter()
                .map(|kind| kind.select(key))
                .fold(Self::Unknown, Self::or),
            _ => Self::Unknown,
        }
    }

    fn element(first: &[Self], rest: Option<&Self>, index: usize) -> Self {
        first.get(index).or(rest).cloned().unwrap_or(Self::Unknown)
    }
}

/// Whether a value can have both types.
pub fn unifies(left: &Type, right: &Type) -> bool {
    use Type::{Any, Array, Boolean, Null, Number, Object, Set, String, Unknown};
    match (left, right) {
        (Unknown, _) | (_, Unknown) => false,
        (Any(of), other) | (other, Any(of)) => {
            let alternative = of.is_empty() || of.iter().any(|one| unifies(one, other));
            alternative || matches!(other, Any(of) if of.is_empty())
        }
        (Null, Null) | (Boolean, Boolean) | (Number, Number) | (String, String) => true,
        (Array(a, a_rest), Array(b, b_rest)) => {
            let below = |left: &[Type], right: &[Type], rest: Option<&Type>| {
                left.iter().enumerate().all(|(at, kind)| {
                    right
                        .get(at)
                        .or(rest)
                        .is_some_and(|other| unifies(kind, other))
                })
            };
            below(a, b, b_rest.as_deref())
                && below(b, a, a_rest.as_deref())
                && match (a_rest, b_rest) {
                    (Some(a), Some(b)) => unifies(a, b),
                    _ => true,
                }
        }
        (Object(a, a_rest), Object(b, b_rest)) => {
            let open = a_rest.is_some() || b_rest.is_some();
            let below = |left: &[(Value, Type)], right: &Type| {
                left.iter().all(|(key, kind)| match right.select(key) {
                    Unknown => open,
                    other => unifies(kind, &other),
                })
            };
            below(a, right)
                && below(b, left)
                && match (a_rest, b_rest) {
                    (Some(a), Some(b)) => unifies(&a.1, &b.1),
                    _ => true,
                }
        }
        // The empty set is a member of every set type.
        (Set(a), Set(b)) => **a == Unknown || **b == Unknown || unifies(a, b),
        _ => false,
    }
}

impl fmt::Display for Type {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => write!(formatter, "null"),
            Self::Boolean => write!(formatter, "boolean"),
            Self::Number => write!(formatter, "number"),
            Self::String => write!(formatter, "string"),
            Self::Unknown => write!(formatter, "???"),
            Self::Array(first, rest) => {
                write!(formatter, "array")?;
                if !first.is_empty() {
                    write!(formatter, "<{}>", list(first))?;
                }
                rest.as_ref()
                    .map_or(Ok(()), |rest| write!(formatter, "[{rest}]"))
            }
            Self::Object(known, rest) => {
                write!(formatter, "object")?;
                if !known.is_empty() {
                    let pair =
                        |(key, kind): &(Value, Self)| format!("{}: {kind}", json::key_text(key));
                    let pairs: Vec<String> = known.iter().map(pair).collect();
                    write!(formatter, "<{}>", pairs.join(", "))?;
                }
                rest.as_ref()
                    .map_or(Ok(()), |rest| write!(formatter, "[{}: {}]", rest.0, rest.1))
            }
            Self::Set(of) => write!(formatter, "set[{of}]"),
            Self::Any(of) if of.is_empty() => write!(formatter, "any"),
            Self::Any(of) => write!(formatter, "any<{}>", list(of)),
        }
    }
}

/// Types with commas between.
pub fn list(types: &[Type]) -> String {
    types
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(", ")
}
