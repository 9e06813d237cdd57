//! The types of what rules define, by place.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use regorus::Value;

use crate::rego::check::types::{Parts, Type};

/// What is at a place.
#[derive(Clone, Debug)]
pub(super) enum Entry {
    /// A value of this type.
    Value(Type),
    /// A function: the types of its arguments and of its result.
    Function(Vec<Type>, Type),
}

/// A place, and those below.
#[derive(Clone, Debug, Default)]
pub(super) struct Tree {
    pub(super) entry: Option<Entry>,
    pub(super) children: BTreeMap<Value, Tree>,
    /// The type of the document here, once it has been asked for.
    document: OnceCell<Type>,
}

impl Tree {
    pub(super) fn get(&self, path: &[Value]) -> Option<&Entry> {
        let node = path
            .iter()
            .try_fold(self, |node, key| node.children.get(key));
        node?.entry.as_ref()
    }

    /// Replaces what is at a place.
    pub(super) fn put(&mut self, path: &[Value], entry: Entry) {
        let node = path.iter().fold(self, |node, key| {
            node.document = OnceCell::new();
            node.children.entry(key.clone()).or_default()
        });
        node.document = OnceCell::new();
        node.entry = Some(entry);
    }

    /// Adds a definition to what is at a place, and to the objects that it is within. Returns how
    /// many types were joined for that.
    pub(super) fn insert(&mut self, path: &[Value], entry: Entry) -> u64 {
        let mut work = 1;
        let mut node = self;
        for (depth, key) in path.iter().enumerate() {
            node.document = OnceCell::new();
            node = node.children.entry(key.clone()).or_default();
            let below = &path[depth + 1..];
            if let (Some(Entry::Value(Type::Object(known, rest))), Entry::Value(kind), false) =
                (&mut node.entry, &entry, below.is_empty())
            {
                work += alternatives(rest.as_deref().map(|rest| &rest.1));
                let object = (std::mem::take(known), rest.take());
                node.entry = Some(Entry::Value(into_object(object, below, kind.clone())));
            }
        }
        node.document = OnceCell::new();
        let merged = match (node.entry.take(), entry) {
            (Some(Entry::Value(before)), Entry::Value(kind)) => {
                work += alternatives(Some(&before)) + before.size().min(kind.size());
                Entry::Value(merge(before, kind))
            }
            (Some(Entry::Function(before, result)), Entry::Function(arguments, kind))
                if before.len() == arguments.len() =>
            {
                work += alternatives(Some(&result));
                work += before
                    .iter()
                    .map(|kind| alternatives(Some(kind)))
                    .sum::<u64>();
                let both = before.into_iter().zip(arguments);
                Entry::Function(
                    both.map(|(one, other)| one.or(other)).collect(),
                    result.or(kind),
                )
            }
            (_, entry) => entry,
        };
        let merged = match merged {
            Entry::Value(Type::Object(known, rest)) if !node.children.is_empty() => {
                let mut leaves = Vec::new();
                node.leaves(&mut Vec::new(), &mut leaves);
                work += leaves.len() as u64;
                let object = |object, (path, kind): (Vec<Value>, Type)| match object {
                    Type::Object(known, rest) => into_object((known, rest), &path, kind),
                    other => other,
                };
                let kind = leaves.into_iter().fold(Type::Object(known, rest), object);
                Entry::Value(kind)
            }
            merged => merged,
        };
        node.entry = Some(merged);
        work
    }

    fn leaves(&self, path: &mut Vec<Value>, found: &mut Vec<(Vec<Value>, Type)>) {
        for (key, child) in &self.children {
            path.push(key.clone());
            match &child.entry {
                Some(Entry::Value(kind)) => found.push((path.clone(), kind.clone())),
                Some(Entry::Function(..)) => {}
                None => child.leaves(path, found),
            }
            path.pop();
        }
    }

    /// The type of the document at a place: what rules define, and anything in base data.
    pub(super) fn document(&self) -> Type {
        match &self.entry {
            Some(Entry::Value(kind)) => return kind.clone(),
            Some(Entry::Function(..)) => return Type::Unknown,
            None => {}
        }
        self.document.get_or_init(|| self.package()).clone()
    }

    fn package(&self) -> Type {
        let child = |(key, child): (&Value, &Self)| (key.clone(), child.document());
        let known: Vec<(Value, Type)> = self
            .children
            .iter()
            .filter(|(key, child)| {
                !matches!(key, Value::Null) && !matches!(child.entry, Some(Entry::Function(..)))
            })
            .map(child)
            .collect();
        Type::Object(known.into(), Some(Arc::new((Type::String, Type::ANY))))
    }
}

type Object = (Parts<(Value, Type)>, Option<Arc<(Type, Type)>>);

/// How many types a type joins, in itself or in what it is a set or an object of.
fn alternatives(kind: Option<&Type>) -> u64 {
    match kind {
        Some(Type::Any(of)) => of.len() as u64,
        Some(Type::Set(of)) => alternatives(Some(of)),
        Some(Type::Object(known, rest)) => {
            known.len() as u64 + alternatives(rest.as_deref().map(|rest| &rest.1))
        }
        _ => 1,
    }
}

/// An object with one more path.
fn into_object(object: Object, path: &[Value], kind: Type) -> Type {
    let (known, rest) = object;
    let Some((key, below)) = path.split_first() else {
        return Type::Object(known, rest);
    };
    let key = Type::of(key);
    let value = if below.is_empty() {
        kind
    } else {
        into_object((Parts::NONE, None), below, kind)
    };
    let rest = match rest {
        Some(rest) => (rest.0.clone().or(key), rest.1.clone().or(value)),
        None => (key, value),
    };
    Type::Object(known, Some(Arc::new(rest)))
}

/// The type of what two definitions make together.
fn merge(left: Type, right: Type) -> Type {
    match (left, right) {
        (Type::Object(a, a_rest), Type::Object(b, b_rest)) if a.is_empty() && b.is_empty() => {
            let rest = match (a_rest, b_rest) {
                (Some(a), Some(b)) => {
                    let keys = a.0.clone().or(b.0.clone());
                    Some(Arc::new((keys, merge(a.1.clone(), b.1.clone()))))
                }
                (a, b) => a.or(b),
            };
            Type::Object(Parts::NONE, rest)
        }
        (Type::Set(a), Type::Set(b)) => Type::set((*a).clone().or((*b).clone())),
        (left, right) => left.or(right),
    }
}
