//! The parts of a type: shared, so that copying a type costs nothing whatever its size, with what is
//! asked of them often worked out once.

use std::cmp::Ordering;
use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use regorus::Value;

use super::Type;
use crate::rego::value;

/// The types of elements, of alternatives, or below known keys.
#[derive(Clone)]
pub struct Parts<T>(Option<Arc<Shared<T>>>);

struct Shared<T> {
    parts: Vec<T>,
    unknown: bool,
    size: u64,
    height: u32,
    keys: OnceLock<Type>,
    members: OnceLock<Type>,
    /// The places of the parts in the order of their keys.
    order: OnceLock<Vec<usize>>,
}

/// A part.
pub trait Part {
    /// Its type.
    fn kind(&self) -> &Type;
}

impl Part for Type {
    fn kind(&self) -> &Type {
        self
    }
}

impl Part for (Value, Type) {
    fn kind(&self) -> &Type {
        &self.1
    }
}

impl<T> Parts<T> {
    /// No parts.
    pub const NONE: Self = Self(None);

    /// Nothing is known yet of one of them.
    pub fn is_unknown(&self) -> bool {
        self.0.as_ref().is_some_and(|shared| shared.unknown)
    }

    /// How many types they consist of.
    pub fn size(&self) -> u64 {
        self.0.as_ref().map_or(0, |shared| shared.size)
    }

    /// How many collections lie within each other in the highest of them.
    pub(super) fn height(&self) -> u32 {
        self.0.as_ref().map_or(0, |shared| shared.height)
    }

    /// They are one list, and need not be looked at.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }

    fn once(&self, place: fn(&Shared<T>) -> &OnceLock<Type>, kind: impl Fn(&[T]) -> Type) -> Type {
        match &self.0 {
            Some(shared) => place(shared).get_or_init(|| kind(&shared.parts)).clone(),
            None => Type::Unknown,
        }
    }
}

impl<T: Part> Parts<T> {
    /// The type of a part, whichever.
    pub(super) fn members(&self) -> Type {
        self.once(
            |shared| &shared.members,
            |parts| Type::union(parts.iter().map(|part| part.kind().clone())),
        )
    }
}

impl Parts<Type> {
    /// Of alternatives, the types of what their members are found by.
    pub(super) fn keys(&self) -> Type {
        self.once(
            |shared| &shared.keys,
            |parts| Type::union(parts.iter().map(Type::keys)),
        )
    }

    /// Of alternatives, the types of their members.
    pub(super) fn values(&self) -> Type {
        self.once(
            |shared| &shared.members,
            |parts| Type::union(parts.iter().map(Type::values)),
        )
    }
}

impl Parts<(Value, Type)> {
    /// The types of the keys.
    pub(super) fn keys(&self) -> Type {
        self.once(
            |shared| &shared.keys,
            |parts| Type::union(parts.iter().map(|(key, _)| Type::of(key))),
        )
    }

    /// The type below a key.
    pub(super) fn find(&self, key: &Value) -> Option<&Type> {
        let shared = self.0.as_ref()?;
        let parts = &shared.parts;
        let order = shared.order.get_or_init(|| {
            let mut order: Vec<usize> = (0..parts.len()).collect();
            order.sort_by(|&a, &b| value::compare(&parts[a].0, &parts[b].0));
            order
        });
        let at = order.partition_point(|&at| value::compare(&parts[at].0, key).is_lt());
        let (name, kind) = &parts[*order.get(at)?];
        value::compare(name, key).is_eq().then_some(kind)
    }
}

impl<T: Part> From<Vec<T>> for Parts<T> {
    fn from(parts: Vec<T>) -> Self {
        if parts.is_empty() {
            return Self::NONE;
        }
        let sizes = parts.iter().map(|part| part.kind().size());
        let heights = parts.iter().map(|part| part.kind().height());
        Self(Some(Arc::new(Shared {
            unknown: parts.iter().any(|part| part.kind().is_unknown()),
            size: sizes.fold(0, u64::saturating_add),
            height: heights.max().unwrap_or(0),
            keys: OnceLock::new(),
            members: OnceLock::new(),
            order: OnceLock::new(),
            parts,
        })))
    }
}

impl<T: Part> FromIterator<T> for Parts<T> {
    fn from_iter<I: IntoIterator<Item = T>>(parts: I) -> Self {
        parts.into_iter().collect::<Vec<T>>().into()
    }
}

impl<T> Deref for Parts<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        self.0.as_ref().map_or(&[], |shared| &shared.parts)
    }
}

impl<T> Default for Parts<T> {
    fn default() -> Self {
        Self::NONE
    }
}

impl<T: PartialEq> PartialEq for Parts<T> {
    fn eq(&self, other: &Self) -> bool {
        self.is_same(other) || (self.size() == other.size() && **self == **other)
    }
}

impl<T: Eq> Eq for Parts<T> {}

impl<T: Ord> PartialOrd for Parts<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T: Ord> Ord for Parts<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        if self.is_same(other) {
            return Ordering::Equal;
        }
        (**self).cmp(&**other)
    }
}

impl<T: fmt::Debug> fmt::Debug for Parts<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.iter()).finish()
    }
}
