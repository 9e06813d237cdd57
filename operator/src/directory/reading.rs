//! What was found in one unit of a directory: a policy's folder, or a file of manifests.

use std::sync::Arc;

use portcullis_policies::{Diagnostic, Labels, ObjectKey, Parameter, Timestamp};

use crate::convert::{BindingDraft, Draft, ExemptionDraft, LockDraft};

/// What was read of one unit.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reading {
    /// The objects, each with what is wrong with it.
    pub items: Vec<Item>,
    /// Faults that no object stands in for: who was to be judged or locked by what stands there is
    /// not known. With one of these a start is refused, and a reload keeps what the unit held.
    pub lost: Vec<Diagnostic>,
    /// What was passed over, and why.
    pub notes: Vec<String>,
    /// Objects of other APIs, of which bindings may take parameters.
    pub foreign: Vec<Foreign>,
}

/// An object of another API.
#[derive(Clone, Debug, PartialEq)]
pub struct Foreign {
    /// What bindings take of it.
    pub parameter: Arc<Parameter>,
    /// What is said where no binding takes anything of its kind.
    pub note: String,
}

/// One object.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// A policy, which may be broken.
    Policy(Box<Draft>),
    /// A binding, which may be broken.
    Binding(Box<BindingDraft>),
    /// A lock.
    Lock(Box<LockDraft>),
    /// An exemption.
    Exemption(Box<ExemptionDraft>),
    /// A namespace with its labels, by which policies and locks select.
    Namespace(ObjectKey, Labels),
}

impl Item {
    /// The object's key.
    pub fn key(&self) -> &ObjectKey {
        match self {
            Self::Policy(draft) => &draft.key,
            Self::Binding(draft) => &draft.definition.key,
            Self::Lock(draft) => &draft.key,
            Self::Exemption(draft) => &draft.key,
            Self::Namespace(key, _) => key,
        }
    }
}

impl Reading {
    /// Notes when the files of the unit were changed last.
    pub fn set_updated(&mut self, at: Timestamp) {
        for item in &mut self.items {
            if let Item::Policy(draft) = item {
                draft.updated = at;
            }
        }
    }

    /// A unit of which nothing can be said but this.
    pub fn lost(fault: Diagnostic) -> Self {
        Self {
            lost: vec![fault],
            ..Self::default()
        }
    }
}
