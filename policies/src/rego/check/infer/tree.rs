//! The types of what rules define, by place.

use std::collections::BTreeMap;

use regorus::Value;

use crate::rego::check::types::Type;

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
            node.children.entry(key.clone()).or_default()
        });
        node.entry = Some(entry);
    }

    /// Adds a definition to what is at a place, and to the objects that it is within.
    pub(super) fn insert(&mut self, path: &[Value], entry: Entry) {
        let mut node = self;
        for (depth, key) in path.iter().enumerate() {
            node = node.children.entry(key.clone()).or_default();
            let below = &path[depth + 1..];
            if let (Some(Entry::Value(Type::Object(known, rest))), Entry::Value(kind), false) =
                (&mut node.entry, &entry, below.is_empty())
            {
                let object = (std::mem::take(known), rest.take());
                node.entry = Some(Entry::Value(into_object(object, below, kind.clone())));
            }
        }
        let merged = match (node.entry.take(), entry) {
            (Some(Entry::Value(before)), Entry::Value(kind)) => Entry::Value(merge(before, kind)),
            (Some(Entry::Function(before, result)), Entry::Function(arguments, kind))
                if before.len() == arguments.len() =>
            {
                let both = before.into_iter().zip(arguments);
                Entry::Function(
                    both.map(|(one, other)| one.or(other)).collect(),
                    result.or(kind),
                )
            }
            (_, entry) => entry,
        };
        let merged =
            match merged {
                Entry::Value(Type::Object(known, rest)) if !node.children.is_empty() => {
                    let mut leaves = Vec::new();
                    node.leaves(&mut Vec::new(), &mut leaves);
                    let kind = leaves.into_iter().fold(
                        Type::Object(known, rest),
                        |object, (path, kind)| match object {
                            Type::Object(known, rest) => into_object((known, rest), &path, kind),
                            other => other,
                        },
                    );
                    Entry::Value(kind)
                }
                merged => merged,
            };
        node.entry = Some(merged);
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
        let child = |(key, child): (&Value, &Self)| (key.clone(), child.document());
        let known: Vec<(Value, Type)> = self
            .children
            .iter()
            .filter(|(key, child)| {
                !matches!(key, Value::Null) && !matches!(child.entry, Some(Entry::Function(..)))
            })
            .map(child)
            .collect();
        Type::Object(known, Some(Box::new((Type::String, Type::ANY))))
    }
}

type Object = (Vec<(Value, Type)>, Option<Box<(Type, Type)>>);

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
        into_object((Vec::new(), None), below, kind)
    };
    let rest = match rest {
        Some(rest) => (rest.0.or(key), rest.1.or(value)),
        None => (key, value),
    };
    Type::Object(known, Some(Box::new(rest)))
}

/// The type of what two definitions make together.
fn merge(left: Type, right: Type) -> Type {
    match (left, right) {
        (Type::Object(a, a_rest), Type::Object(b, b_rest)) if a.is_empty() && b.is_empty() => {
            let rest = match (a_rest, b_rest) {
                (Some(a), Some(b)) => Some(Box::new((a.0.or(b.0), merge(a.1, b.1)))),
                (a, b) => a.or(b),
            };
            Type::Object(Vec::new(), rest)
        }
        (Type::Set(a), Type::Set(b)) => Type::set(a.or(*b)),
        (left, right) => left.or(right),
    }
}
