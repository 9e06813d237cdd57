//! The objects that policies and locks come from.

use std::{fmt, sync::Arc};

use jiff::Timestamp;

use crate::Policy;

/// The name of an object that a policy or a lock comes from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey {
    /// `ClusterPolicy`, `Lock`, or `directory` for what a repository layout holds.
    pub kind: &'static str,
    /// The object's namespace, if it has one.
    pub namespace: Option<String>,
    /// The object's name, or a path.
    pub name: String,
}

/// A policy as an object holds it.
#[derive(Clone, Debug)]
pub struct Object {
    /// The object.
    pub key: ObjectKey,
    /// When it was created. Of two objects with one address, the older is in force.
    pub created: Timestamp,
    /// When what it says was changed last, as far as is known; for people.
    pub updated: Timestamp,
    /// The policy, which may be broken.
    pub policy: Arc<Policy>,
}

impl ObjectKey {
    /// A key.
    pub fn new(kind: &'static str, namespace: Option<&str>, name: &str) -> Self {
        Self {
            kind,
            namespace: namespace.map(str::to_owned),
            name: name.to_owned(),
        }
    }
}

/// `ClusterPolicy required-labels-1.0`, `Policy team-a/hosts-1.0`
impl fmt::Display for ObjectKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(formatter, "{} {namespace}/{}", self.kind, self.name),
            None => write!(formatter, "{} {}", self.kind, self.name),
        }
    }
}
