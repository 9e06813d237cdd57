//! One type or another.

use std::sync::Arc;

use super::{Parts, Type};

/// One type or another, joined one after the other. Only what is joined in the end is put into order,
/// so that a thousand types cost no more than a thousand times one.
///
/// A function and what is none have nothing in common: OPA then knows nothing of what it has joined
/// until there, and goes on with what follows.
#[derive(Clone, Debug)]
pub struct Union {
    /// The first of them; unknown if there was none, anything if one of them was.
    only: Type,
    /// All of them, if there are several, in no order.
    all: Vec<Type>,
}

impl Default for Union {
    fn default() -> Self {
        Self {
            only: Type::Unknown,
            all: Vec::new(),
        }
    }
}

impl Union {
    /// One more.
    pub fn add(&mut self, kind: Type) {
        let only = &mut self.only;
        if kind == Type::Unknown || kind == *only {
            return;
        }
        if *only == Type::Unknown {
            *only = kind;
        } else if only.is_function() || kind.is_function() {
            *only = std::mem::replace(only, Type::Unknown).either(kind);
            self.all.clear();
        } else if only.is_any() || kind.is_any() {
            *only = Type::ANY;
            self.all.clear();
        } else {
            if self.all.is_empty() {
                only.clone().alternatives(&mut self.all);
            }
            kind.alternatives(&mut self.all);
        }
    }

    /// The one type, if there are not several.
    pub fn single(&self) -> Option<&Type> {
        self.all.is_empty().then_some(&self.only)
    }

    /// One of these; of none, unknown.
    pub fn into_type(mut self) -> Type {
        if self.all.is_empty() {
            return self.only;
        }
        self.all.sort();
        self.all.dedup();
        Type::Any(self.all.into())
    }
}

impl FromIterator<Type> for Union {
    fn from_iter<I: IntoIterator<Item = Type>>(kinds: I) -> Self {
        let mut union = Self::default();
        kinds.into_iter().for_each(|kind| union.add(kind));
        union
    }
}

impl Type {
    /// One or the other.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self::union([self, other])
    }

    /// One of these; of none, unknown.
    #[must_use]
    pub fn union(kinds: impl IntoIterator<Item = Self>) -> Self {
        kinds.into_iter().collect::<Union>().into_type()
    }

    fn alternatives(self, all: &mut Vec<Self>) {
        match self {
            Self::Any(of) => all.extend(of.iter().cloned()),
            kind => all.push(kind),
        }
    }

    fn is_function(&self) -> bool {
        matches!(self, Self::Function(..))
    }

    /// A function that is one or the other, if both are functions of as many arguments.
    fn either(self, other: Self) -> Self {
        match (self, other) {
            (Self::Function(a, a_result), Self::Function(b, b_result)) if a.len() == b.len() => {
                let both = a.iter().cloned().zip(b.iter().cloned());
                let arguments: Parts<Self> = both.map(|(one, other)| one.or(other)).collect();
                let result = Self::union([(*a_result).clone(), (*b_result).clone()]);
                Self::Function(arguments, Arc::new(result))
            }
            _ => Self::Unknown,
        }
    }
}
