//! The types of what rules define, by place.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use regorus::Value;

use crate::rego::check::types::{Parts, Type};

/// A place, and those below.
#[derive(Clone, Debug, Default)]
pub(super) struct Tree {
    pub(super) entry: Option<Type>,
    pub(super) children: BTreeMap<Value, Tree>,
    /// The type of the document here, once it has been asked for.
    document: OnceCell<Type>,
}

impl Tree {
    pub(super) fn get(&self, path: &[Value]) -> Option<&Type> {
        let node = path
            .iter()
            .try_fold(self, |node, key| node.children.get(key));
        node?.entry.as_ref()
    }

    /// Replaces what is at a place.
    pub(super) fn put(&mut self, path: &[Value], entry: Type) {
        let node = path.iter().fold(self, |node, key| {
            node.document = OnceCell::new();
            node.children.entry(key.clone()).or_default()
        });
        node.document = OnceCell::new();
        node.entry = Some(entry);
    }

    /// Adds a definition to what is at a place, and to the objects that it is within. Returns how
    /// many types were joined for that.
    pub(super) fn insert(&mut self, path: &[Value], entry: Type) -> u64 {
        let mut work = 1;
        let mut node = self;
        for (depth, key) in path.iter().enumerate() {
            node.document = OnceCell::new();
            node = node.children.entry(key.clone()).or_default();
            let below = &path[depth + 1..];
            if let (Some(Type::Object(known, rest)), false) = (&mut node.entry, below.is_empty()) {
                work += alternatives(rest.as_deref().map(|rest| &rest.1));
                let object = (std::mem::take(known), rest.take());
                node.entry = Some(into_object(object, below, entry.clone()));
            }
        }
        node.document = OnceCell::new();
        let is_object = matches!(entry, Type::Object(..));
        let mut merged = match node.entry.take() {
            Some(before) => {
                work += alternatives(Some(&before)) + before.size().min(entry.size());
                merge(before, entry)
            }
            None => entry,
        };
        if is_object && !node.children.is_empty() {
            let mut leaves = Vec::new();
            node.leaves(&mut Vec::new(), &mut leaves);
            work += leaves.len() as u64;
            let object = |object, (path, kind): (Vec<Value>, Type)| match object {
                Type::Object(known, rest) => into_object((known, rest), &path, kind),
                other => other,
            };
            merged = leaves.into_iter().fold(merged, object);
        }
        node.entry = Some(merged);
        work
    }

    fn leaves(&self, path: &mut Vec<Value>, found: &mut Vec<(Vec<Value>, Type)>) {
        for (key, child) in &self.children {
            path.push(key.clone());
            match &child.entry {
                Some(kind) => found.push((path.clone(), kind.clone())),
                None => child.leaves(path, found),
            }
            path.pop();
        }
    }

    /// The type of the document at a place: what rules define, and anything in base data.
    pub(super) fn document(&self) -> Type {
        if let Some(kind) = &self.entry {
            return kind.clone();
        }
        self.document.get_or_init(|| self.package()).clone()
    }

    fn package(&self) -> Type {
        let children = self.children.iter();
        let named = children.filter(|(key, _)| !matches!(key, Value::Null));
        let known = named.map(|(key, child)| (key.clone(), child.document()));
        Type::object_of(known, Some((Type::String, Type::ANY)))
    }
}

type Object = (Parts<(Value, Type)>, Option<Arc<(Type, Type)>>);

/// How many types a type joins, in itself or in what it is a set or an object of.
fn alternatives(kind: Option<&Type>) -> u64 {
    match kind {
        Some(Type::Any(of)) => of.len() as u64,
        Some(Type::Set(of)) => alternatives(Some(of)),
        Some(Type::Function(arguments, result)) => {
            let arguments = arguments.iter().map(|kind| alternatives(Some(kind)));
            alternatives(Some(result)) + arguments.sum::<u64>()
        }
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
        (object @ Type::Object(..), Type::Any(of)) | (Type::Any(of), object @ Type::Object(..)) => {
            merge_into(of, object)
        }
        (left, right) => left.or(right),
    }
}

/// The type of an object and of what is one of several types. Where both have objects of any keys,
/// they are merged.
fn merge_into(of: Parts<Type>, object: Type) -> Type {
    let any_keys = |kind: &Type| match kind {
        Type::Object(known, Some(rest)) if known.is_empty() => Some(rest.clone()),
        _ => None,
    };
    let place = of.iter().position(|kind| any_keys(kind).is_some());
    let (Some(added), Some(place)) = (any_keys(&object), place) else {
        return Type::Any(of).or(object);
    };
    let mut all = of.to_vec();
    if let Some(there) = any_keys(&all[place]) {
        let both = |there: &Type, added: &Type| there.clone().or(added.clone());
        all[place] = Type::object(both(&there.0, &added.0), both(&there.1, &added.1));
    }
    Type::union(all)
}
