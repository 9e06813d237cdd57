//! Which requests a policy judges at admission, with Kubernetes' meaning.
//!
//! ```text
//! request ── Subject ──▶ index ── rules that may ──▶ Match::selects ──▶ the policies that are asked
//!            Objects ────────────────────────────────────┘   ▲
//!            (read when a selector looks)      namespaces ───┘                 │
//!                                              Conditions ◀── on an evaluator's thread
//! ```
//!
//! A request is selected when a rule covers it, no excluded rule does, and both selectors select
//! it, and all conditions hold: what a `ValidatingAdmissionPolicy` of the same constraints selects, with `matchPolicy:
//! Equivalent`. What is not known (a namespace that no watch has told of, labels that cannot be
//! read) counts as selected: a policy that is asked too often may deny too much, and one that is
//! not asked permits.

mod condition;
pub(crate) mod glob;
mod nothing;
mod objects;
mod rule;
mod subject;
pub mod workload;

use std::{cell::LazyCell, collections::BTreeMap, sync::Arc};

pub use condition::Condition;
pub(crate) use condition::{Conditions, Verdict};
pub use objects::{ObjectLabels, Objects};
pub use rule::{ResourceRule, ResourceScope, is_resource};
pub use subject::Subject;
pub use workload::Workload;

use crate::{LabelSelector, Labels, Operation};
pub(crate) use nothing::faults;

/// The labels of the namespaces that are known, by name.
pub type Namespaces = BTreeMap<Arc<str>, Arc<Labels>>;

/// The requests that a policy judges.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Match {
    /// Requests that one of these covers are judged.
    pub rules: Vec<ResourceRule>,
    /// Requests that one of these covers are not.
    pub excluded: Vec<ResourceRule>,
    /// Only requests in the namespaces that it selects are judged, and those without a namespace.
    pub namespaces: LabelSelector,
    /// Only requests are judged whose object or old object it selects.
    pub objects: LabelSelector,
    /// Only requests are judged of which none of these is false.
    pub conditions: Vec<Condition>,
    /// Kinds whose Pod templates are judged as the Pods that will be made of them.
    pub workloads: Vec<Workload>,
}

impl Match {
    /// Requests that one of these rules covers.
    pub fn of(rules: impl IntoIterator<Item = ResourceRule>) -> Self {
        Self {
            rules: rules.into_iter().collect(),
            ..Self::default()
        }
    }

    /// Whether a request is judged. `objects` is looked at only where a selector needs it.
    pub(crate) fn selects<F: FnOnce() -> Objects>(
        &self,
        subject: &Subject,
        objects: &LazyCell<Objects, F>,
        namespaces: &Namespaces,
    ) -> bool {
        self.rules.iter().any(|rule| rule.covers(subject))
            && !self.excluded.iter().any(|rule| rule.excludes(subject))
            && self.selects_namespace(subject, objects, namespaces)
            && (self.objects.is_empty() || objects.are_selected_by(&self.objects))
    }

    /// Requests without a namespace are selected, but for those of Namespaces themselves: one that
    /// is made or changed is judged by the labels that it will have, any other by those that it
    /// has.
    fn selects_namespace<F: FnOnce() -> Objects>(
        &self,
        subject: &Subject,
        objects: &LazyCell<Objects, F>,
        namespaces: &Namespaces,
    ) -> bool {
        if self.namespaces.is_empty() {
            return true;
        }
        let is_namespace = subject.resource == "namespaces";
        if is_namespace && matches!(subject.operation, Operation::Create | Operation::Update) {
            return match &objects.object {
                ObjectLabels::Known(labels) => self.namespaces.matches(labels),
                ObjectLabels::Absent | ObjectLabels::Unreadable => true,
            };
        }
        self.selects_what_is_in(subject.namespace.as_deref(), namespaces)
    }

    /// Whether what is in a namespace, or in none, is selected by its namespace's labels.
    fn selects_what_is_in(&self, namespace: Option<&str>, namespaces: &Namespaces) -> bool {
        match namespace.map(|name| namespaces.get(name)) {
            None | Some(None) => true,
            Some(Some(labels)) => self.namespaces.matches(labels),
        }
    }
}

#[cfg(test)]
mod tests;
