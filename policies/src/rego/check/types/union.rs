//! One type or another.

use std::sync::Arc;

use super::{Parts, Type};

impl Type {
    /// One or the other.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self::union([self, other])
    }

    /// One of these; of none, unknown.
    ///
    /// A function and what is none have nothing in common: OPA then knows nothing of what it has
    /// joined until there, and goes on with what follows.
    #[must_use]
    pub fn union(kinds: impl IntoIterator<Item = Self>) -> Self {
        let mut only = Self::Unknown;
        let mut all: Vec<Self> = Vec::new();
        for kind in kinds {
            if kind == Self::Unknown || kind == only {
                continue;
            }
            if only == Self::Unknown {
                only = kind;
            } else if only.is_function() || kind.is_function() {
                only = only.either(kind);
                all.clear();
            } else if only.is_any() || kind.is_any() {
                only = Self::ANY;
                all.clear();
            } else {
                if all.is_empty() {
                    only.clone().alternatives(&mut all);
                }
                kind.alternatives(&mut all);
            }
        }
        if all.is_empty() {
            return only;
        }
        all.sort();
        all.dedup();
        Self::Any(all.into())
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
