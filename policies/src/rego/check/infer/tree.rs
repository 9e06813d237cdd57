//! The types of what rules define, by place.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

use regorus::Value;

use super::merged::Merged;
use crate::rego::check::types::Type;

/// A place, and those below.
#[derive(Clone, Debug, Default)]
pub(super) struct Tree {
    entry: Option<Merged>,
    /// Those below. Boxed, because a map reserves room for several where most have one.
    pub(super) children: BTreeMap<Value, Box<Tree>>,
    /// The children that have changed since the object here was made of all of them. One that is
    /// new is added at once, and not among them.
    changed: BTreeSet<Value>,
    /// The type of the document here, once it has been asked for.
    document: OnceCell<Type>,
}

impl Tree {
    /// The type of what rules define at a place.
    pub(super) fn get(&self, path: &[Value]) -> Option<&Type> {
        let node = path
            .iter()
            .try_fold(self, |node, key| node.children.get(key).map(AsRef::as_ref));
        node?.kind()
    }

    /// The type of what rules define here.
    pub(super) fn kind(&self) -> Option<&Type> {
        self.entry.as_ref().map(Merged::kind)
    }

    /// No rule defines anything here or below.
    pub(super) fn is_empty(&self) -> bool {
        self.children.is_empty() && self.entry.is_none()
    }

    /// Replaces what is at a place.
    pub(super) fn put(&mut self, path: &[Value], entry: Type) {
        let node = path.iter().fold(self, |node, key| {
            node.document = OnceCell::new();
            node.children.entry(key.clone()).or_default()
        });
        node.document = OnceCell::new();
        node.entry = Some(entry.into());
    }

    /// Adds a definition to what is at a place, and to the objects that it is within. Returns how
    /// many parts of types were compared for that, about.
    pub(super) fn insert(&mut self, path: &[Value], entry: Type) -> u64 {
        let mut work = 1;
        let mut node = self;
        for (depth, key) in path.iter().enumerate() {
            node.document = OnceCell::new();
            if let Some(object) = node.entry.as_mut().filter(|entry| entry.is_object()) {
                work += object.insert(&path[depth..], entry.clone());
                if node.children.contains_key(key) {
                    node.changed.insert(key.clone());
                }
            }
            node = node.children.entry(key.clone()).or_default();
        }
        node.document = OnceCell::new();
        let is_object = matches!(entry, Type::Object(..));
        let was_object = node.entry.as_ref().is_some_and(Merged::is_object);
        match &mut node.entry {
            Some(before) => work += before.merge(entry),
            None => node.entry = Some(entry.into()),
        }
        if is_object {
            work += node.take_in_leaves(was_object);
        }
        work
    }

    /// Adds what lies below to the object here, as it is now. An object that was one before has all
    /// but what changed since.
    fn take_in_leaves(&mut self, was_object: bool) -> u64 {
        let changed = std::mem::take(&mut self.changed);
        let Some(object) = self.entry.as_mut().filter(|entry| entry.is_object()) else {
            return 0;
        };
        let mut leaves = Vec::new();
        let keys: Vec<&Value> = if was_object {
            changed.iter().collect()
        } else {
            self.children.keys().collect()
        };
        for key in keys {
            self.children[key].leaves(&mut vec![key.clone()], &mut leaves);
        }
        let work = leaves
            .iter()
            .map(|(path, kind)| object.insert(path, kind.clone()));
        work.sum()
    }

    /// The types that lie here or, where there is none, below.
    fn leaves(&self, path: &mut Vec<Value>, found: &mut Vec<(Vec<Value>, Type)>) {
        if let Some(kind) = self.kind() {
            found.push((path.clone(), kind.clone()));
            return;
        }
        for (key, child) in &self.children {
            path.push(key.clone());
            child.leaves(path, found);
            path.pop();
        }
    }

    /// The type of the document at a place: what rules define, and anything in base data.
    pub(super) fn document(&self) -> Type {
        if let Some(kind) = self.kind() {
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
