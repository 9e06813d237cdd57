//! Types, as OPA's type checker has them.

mod keys;
mod parts;
mod show;
mod union;

use std::sync::Arc;

use regorus::Value;

use crate::rego::value;

pub use parts::Parts;
pub use show::list;
pub use union::Union;

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
    Array(Parts<Type>, Option<Arc<Type>>),
    /// An object: the types below known keys, and of other keys and values.
    Object(Parts<(Value, Type)>, Option<Arc<(Type, Type)>>),
    /// A set: the type of its members.
    Set(Arc<Type>),
    /// One of these; of none, anything at all.
    Any(Parts<Type>),
    /// A function: the types of its arguments and of its result.
    Function(Parts<Type>, Arc<Type>),
    /// Nothing is known yet. The members of the empty set have this type too.
    Unknown,
}

/// Collections within each other that a type keeps. Types are walked by recursion.
const MAX_HEIGHT: u32 = 200;

impl Type {
    /// Anything at all.
    pub const ANY: Self = Self::Any(Parts::NONE);

    /// Anything at all.
    pub fn is_any(&self) -> bool {
        matches!(self, Self::Any(of) if of.is_empty())
    }

    /// The type, or anything at all if it is too high: a variable can be a part of a collection that
    /// is a part of another, and so on along the source.
    #[must_use]
    pub fn bounded(self) -> Self {
        if self.height() > MAX_HEIGHT {
            return Self::ANY;
        }
        self
    }

    /// How many collections lie within each other.
    fn height(&self) -> u32 {
        match self {
            Self::Null | Self::Boolean | Self::Number | Self::String | Self::Unknown => 0,
            Self::Array(first, rest) => {
                let rest = rest.as_deref().map_or(0, Self::height);
                first.height().max(rest) + 1
            }
            Self::Object(known, rest) => {
                let rest = rest.as_deref();
                let rest = rest.map_or(0, |rest| rest.0.height().max(rest.1.height()));
                known.height().max(rest) + 1
            }
            Self::Set(of) => of.height() + 1,
            Self::Any(of) => of.height() + 1,
            Self::Function(arguments, result) => arguments.height().max(result.height()) + 1,
        }
    }

    /// Nothing is known yet of it, or of a part of it.
    pub fn is_unknown(&self) -> bool {
        match self {
            Self::Unknown => true,
            Self::Null | Self::Boolean | Self::Number | Self::String | Self::Any(_) => false,
            Self::Array(first, rest) => {
                first.is_unknown() || rest.as_deref().is_some_and(Self::is_unknown)
            }
            Self::Object(known, rest) => {
                known.is_unknown()
                    || rest
                        .as_ref()
                        .is_some_and(|rest| rest.0.is_unknown() || rest.1.is_unknown())
            }
            Self::Set(of) => of.is_unknown(),
            Self::Function(arguments, result) => arguments.is_unknown() || result.is_unknown(),
        }
    }

    /// How many types it consists of; those that it shares count each time.
    pub fn size(&self) -> u64 {
        let below = match self {
            Self::Null | Self::Boolean | Self::Number | Self::String | Self::Unknown => 0,
            Self::Array(first, rest) => {
                let rest = rest.as_deref().map_or(0, Self::size);
                first.size().saturating_add(rest)
            }
            Self::Object(known, rest) => {
                let rest = rest.as_deref();
                let rest = rest.map_or(0, |rest| rest.0.size().saturating_add(rest.1.size()));
                known.size().saturating_add(rest)
            }
            Self::Set(of) => of.size(),
            Self::Any(of) => of.size(),
            Self::Function(arguments, result) => arguments.size().saturating_add(result.size()),
        };
        below.saturating_add(1)
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
        Self::Array(Parts::NONE, Some(Arc::new(of)))
    }

    /// An object of any keys.
    pub fn object(key: Self, value: Self) -> Self {
        Self::Object(Parts::NONE, Some(Arc::new((key, value))))
    }

    /// A set.
    pub fn set(of: Self) -> Self {
        Self::Set(Arc::new(of))
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
                let entries = object.iter();
                Self::object_of(
                    entries.map(|(key, value)| (key.clone(), Self::of(value))),
                    None,
                )
            }
            Value::Set(set) => Self::set(Self::union(set.iter().map(Self::of))),
        }
    }

    /// The types of what its members are found by.
    #[must_use]
    pub fn keys(&self) -> Self {
        match self {
            Self::Array(..) => Self::Number,
            Self::Object(known, rest) => match rest {
                Some(rest) => known.keys().or(rest.0.clone()),
                None => known.keys(),
            },
            Self::Set(of) => (**of).clone(),
            Self::Any(of) if of.is_empty() => Self::ANY,
            Self::Any(of) => of.keys(),
            _ => Self::Unknown,
        }
    }

    /// The types of its members.
    #[must_use]
    pub fn values(&self) -> Self {
        match self {
            Self::Array(first, rest) => match rest {
                Some(rest) => first.members().or((**rest).clone()),
                None => first.members(),
            },
            Self::Object(known, rest) => match rest {
                Some(rest) => known.members().or(rest.1.clone()),
                None => known.members(),
            },
            Self::Set(of) => (**of).clone(),
            Self::Any(of) if of.is_empty() => Self::ANY,
            Self::Any(of) => of.values(),
            _ => Self::Unknown,
        }
    }

    /// The type of the member under a key; unknown if there can be none.
    #[must_use]
    pub fn select(&self, key: &Value) -> Self {
        let key = &*keys::as_json(key);
        match self {
            // A constant index has to be written as an integer.
            Self::Array(first, rest) => match value::number::as_index(key) {
                Some(index) if !value::number::is_written_as_fraction(key) => {
                    Self::element(first, rest.as_deref(), index)
                }
                _ => Self::Unknown,
            },
            Self::Object(known, rest) => match (known.find(key), rest) {
                (Some(kind), _) => kind.clone(),
                (None, Some(rest)) if rest.0.contains(&Self::of(key)) => rest.1.clone(),
                _ => Self::Unknown,
            },
            Self::Set(of) => {
                let kind = Self::of(key);
                match &**of {
                    of if *of == kind => kind,
                    Self::Any(of) if of.is_empty() || of.contains(&kind) => kind,
                    _ => Self::Unknown,
                }
            }
            Self::Any(of) if of.is_empty() => Self::ANY,
            Self::Any(of) => Self::union(of.iter().map(|kind| kind.select(key))),
            _ => Self::Unknown,
        }
    }

    /// It is the other type, or has it among its alternatives.
    fn contains(&self, other: &Self) -> bool {
        match self {
            Self::Any(of) => of.is_empty() || of.contains(other),
            kind => kind == other,
        }
    }

    /// They are one value, and need not be looked at.
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Array(a, None), Self::Array(b, None)) | (Self::Any(a), Self::Any(b)) => {
                a.is_same(b)
            }
            (Self::Object(a, None), Self::Object(b, None)) => a.is_same(b),
            _ => false,
        }
    }

    fn element(first: &[Self], rest: Option<&Self>, index: usize) -> Self {
        first.get(index).or(rest).cloned().unwrap_or(Self::Unknown)
    }
}

/// Whether a value can have both types.
pub fn unifies(left: &Type, right: &Type) -> bool {
    use Type::{Any, Array, Boolean, Function, Null, Number, Object, Set, String, Unknown};
    if left.is_same(right) && !left.is_unknown() {
        return true;
    }
    match (left, right) {
        (Function(a, _), Function(b, _)) => {
            a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| unifies(a, b))
        }
        (Unknown | Function(..), _) | (_, Unknown | Function(..)) => false,
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
