//! What several definitions of one place make together, as OPA joins them.
//!
//! Types are collected as they come, and what they make is worked out when somebody asks, which is
//! after the last of them: a rule of a thousand definitions costs a thousand times one.

use std::cell::OnceCell;
use std::sync::Arc;

use regorus::Value;

use crate::rego::check::types::{Parts, Type, Union};

/// The types of the definitions until now.
#[derive(Clone, Debug)]
pub(super) struct Merged {
    shape: Shape,
    /// Parts of the types that were joined.
    size: u64,
    /// What they make, once it has been asked for.
    kind: OnceCell<Type>,
}

/// Sets, objects and functions are joined in their parts, and everything else to one or the other.
#[derive(Clone, Debug)]
enum Shape {
    /// A set, of these.
    Set(Union),
    /// An object of no constant keys; of none at all, the empty object.
    Object(Option<Box<(Union, Shape)>>),
    /// A function: its arguments and its result.
    Function(Vec<Union>, Union),
    /// Anything else.
    Other(Union),
}

impl From<Type> for Merged {
    fn from(kind: Type) -> Self {
        Self {
            size: kind.size(),
            shape: kind.into(),
            kind: OnceCell::new(),
        }
    }
}

impl Merged {
    /// What they make.
    pub(super) fn kind(&self) -> &Type {
        self.kind.get_or_init(|| self.shape.clone().into_type())
    }

    /// One more definition. Returns how many parts of types are compared for that, about.
    pub(super) fn merge(&mut self, kind: Type) -> u64 {
        let work = self.size.min(kind.size()) + 1;
        self.size = self.size.saturating_add(kind.size());
        self.change(|shape| shape.merge(kind));
        work
    }

    /// It is an object.
    pub(super) fn is_object(&self) -> bool {
        match &self.shape {
            Shape::Object(_) => true,
            Shape::Other(union) => matches!(union.single(), Some(Type::Object(..))),
            Shape::Set(_) | Shape::Function(..) => false,
        }
    }

    /// One more path of the object, if it is one. Returns the work, as `merge` does.
    pub(super) fn insert(&mut self, path: &[Value], kind: Type) -> u64 {
        let Some((key, below)) = path.split_first().filter(|_| self.is_object()) else {
            return 0;
        };
        let work = self.size.min(kind.size()) + 1;
        let value = below
            .iter()
            .rev()
            .fold(kind, |value, key| Type::object(Type::of(key), value));
        self.size = self.size.saturating_add(value.size());
        self.change(|shape| shape.insert(Type::of(key), value));
        work
    }

    fn change(&mut self, change: impl FnOnce(Shape) -> Shape) {
        self.kind = OnceCell::new();
        self.shape = change(std::mem::take(&mut self.shape));
    }
}

impl Default for Shape {
    fn default() -> Self {
        Self::Other(Union::default())
    }
}

impl From<Type> for Shape {
    fn from(kind: Type) -> Self {
        let union = |kind| Union::from_iter([kind]);
        match kind {
            Type::Set(of) => Self::Set(union(Arc::unwrap_or_clone(of))),
            Type::Object(known, rest) if known.is_empty() => Self::Object(rest.map(|rest| {
                let (key, value) = Arc::unwrap_or_clone(rest);
                Box::new((union(key), value.into()))
            })),
            Type::Function(arguments, result) => {
                let arguments = arguments.iter().cloned().map(union).collect();
                Self::Function(arguments, union(Arc::unwrap_or_clone(result)))
            }
            kind => Self::Other(union(kind)),
        }
    }
}

impl Shape {
    fn into_type(self) -> Type {
        match self {
            Self::Set(of) => Type::set(of.into_type()),
            Self::Object(None) => Type::Object(Parts::NONE, None),
            Self::Object(Some(rest)) => Type::object(rest.0.into_type(), rest.1.into_type()),
            Self::Function(arguments, result) => {
                let arguments = arguments.into_iter().map(Union::into_type).collect();
                Type::Function(arguments, Arc::new(result.into_type()))
            }
            Self::Other(union) => union.into_type(),
        }
    }

    /// What two definitions make together.
    fn merge(self, kind: Type) -> Self {
        match (self, kind) {
            (Self::Set(mut all), Type::Set(of)) => {
                all.add(Arc::unwrap_or_clone(of));
                Self::Set(all)
            }
            (Self::Object(before), Type::Object(known, rest)) if known.is_empty() => {
                match (before, rest) {
                    (Some(mut before), Some(rest)) => {
                        let (key, value) = Arc::unwrap_or_clone(rest);
                        before.0.add(key);
                        before.1 = before.1.merge(value);
                        Self::Object(Some(before))
                    }
                    (None, rest) => Type::Object(known, rest).into(),
                    (before, None) => Self::Object(before),
                }
            }
            (Self::Function(mut all, mut result), Type::Function(arguments, more))
                if all.len() == arguments.len() =>
            {
                for (all, argument) in all.iter_mut().zip(arguments.iter()) {
                    all.add(argument.clone());
                }
                result.add(Arc::unwrap_or_clone(more));
                Self::Function(all, result)
            }
            (Self::Object(before), Type::Any(of)) => {
                merge_into(&of, Self::Object(before).into_type()).into()
            }
            (Self::Other(union), object) if is_of_any_keys(&object) => match union.into_type() {
                Type::Any(of) => merge_into(&of, object).into(),
                before => before.or(object).into(),
            },
            (before, kind) => before.or(kind),
        }
    }

    /// One or the other.
    fn or(self, kind: Type) -> Self {
        match self {
            Self::Other(mut union) if union.single() != Some(&Type::Unknown) => {
                union.add(kind);
                Self::Other(union)
            }
            before => before.into_type().or(kind).into(),
        }
    }

    /// An object with one more key.
    fn insert(self, key: Type, value: Type) -> Self {
        match self {
            Self::Object(None) => Type::object(key, value).into(),
            Self::Object(Some(mut rest)) => {
                rest.0.add(key);
                rest.1 = rest.1.or(value);
                Self::Object(Some(rest))
            }
            before => match before.into_type() {
                Type::Object(known, rest) => {
                    let rest = match rest {
                        Some(rest) => (rest.0.clone().or(key), rest.1.clone().or(value)),
                        None => (key, value),
                    };
                    Type::Object(known, Some(Arc::new(rest))).into()
                }
                before => before.into(),
            },
        }
    }
}

fn is_of_any_keys(kind: &Type) -> bool {
    matches!(kind, Type::Object(known, Some(_)) if known.is_empty())
}

/// The type of an object and of what is one of several types. Where both have objects of any keys,
/// they are merged.
fn merge_into(of: &Parts<Type>, object: Type) -> Type {
    let any_keys = |kind: &Type| match kind {
        Type::Object(known, Some(rest)) if known.is_empty() => Some(rest.clone()),
        _ => None,
    };
    let place = of.iter().position(is_of_any_keys);
    let (Some(added), Some(place)) = (any_keys(&object), place) else {
        return Type::Any(of.clone()).or(object);
    };
    let mut all = of.to_vec();
    if let Some(there) = any_keys(&all[place]) {
        let both = |there: &Type, added: &Type| there.clone().or(added.clone());
        all[place] = Type::object(both(&there.0, &added.0), both(&there.1, &added.1));
    }
    Type::union(all)
}
