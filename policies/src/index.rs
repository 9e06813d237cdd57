//! From what a request is about to the policies that judge it.
//!
//! The cost of a look-up depends on the policies that match, not on how many there are: a resource
//! rule is filed under each of its groups and resources as they are written, wildcards included,
//! and a request looks under the few spellings that can cover it.
//!
//! A policy that judges the Pod templates of workloads is filed under these once more, as one that
//! judges templates.
//!
//! Whether one that may judge it does, the whole of its match says ([`crate::matching`]).

use std::{collections::HashMap, sync::Arc};

use crate::{Entry, FailurePolicy, ResourceRule, Subject};

/// What a request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// Creates an object.
    Create,
    /// Changes an object.
    Update,
    /// Removes an object.
    Delete,
    /// Connects to a subresource, as `kubectl exec` does.
    Connect,
}

/// The part of the policies that one call of the API server is for. A webhook configuration tells
/// cluster and namespaced policies and the two failure policies apart, so that each is asked once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Route {
    /// Only policies of this kind of owner.
    pub owner: Option<Owner>,
    /// Only policies that are, or lately were, registered with this failure policy.
    pub failure_policy: Option<FailurePolicy>,
}

/// Who owns a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Owner {
    /// The cluster.
    Cluster,
    /// A namespace.
    Namespace,
}

/// Policies by what they judge, for one scope.
#[derive(Clone, Debug, Default)]
pub(crate) struct Index {
    entries: Vec<Indexed>,
    filed: HashMap<(String, String), Vec<Filed>>,
}

/// A policy, and whether it is asked at both failure policies.
#[derive(Clone, Debug)]
struct Indexed {
    entry: Arc<Entry>,
    moved: bool,
}

/// A place in `Index::entries`, and the operations of the rule that filed it.
#[derive(Clone, Copy, Debug)]
struct Filed {
    entry: usize,
    operations: u8,
}

impl Operation {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Create, Self::Update, Self::Delete, Self::Connect];

    /// The name as the API server and manifests write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "CREATE",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
            Self::Connect => "CONNECT",
        }
    }

    /// Reads a name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|operation| operation.as_str() == text)
    }

    fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl Route {
    pub(crate) fn includes(self, owner: Owner) -> bool {
        self.owner.is_none_or(|only| only == owner)
    }

    fn takes(self, indexed: &Indexed) -> bool {
        let admission = indexed.entry.admission();
        admission.is_some_and(|admission| {
            self.failure_policy
                .is_none_or(|only| indexed.moved || only == admission.effective_failure_policy())
        })
    }
}

impl Index {
    /// Files a policy that judges at admission; any other is left out. One that has `moved` is asked
    /// at both failure policies.
    pub(crate) fn insert(&mut self, entry: &Arc<Entry>, moved: bool) {
        let Some(admission) = entry.admission() else {
            return;
        };
        self.file(entry.clone(), &admission.matches.rules, moved);
        if let Some(templates) = entry.of_templates() {
            let rules: Vec<ResourceRule> = admission.matches.workload_rules().collect();
            self.file(Arc::new(templates), &rules, moved);
        }
    }

    fn file(&mut self, entry: Arc<Entry>, rules: &[ResourceRule], moved: bool) {
        let place = self.entries.len();
        self.entries.push(Indexed { entry, moved });
        for rule in rules {
            let operations = rule.operations.iter().fold(0, |bits, op| bits | op.bit());
            for group in &rule.groups {
                for resource in &rule.resources {
                    let key = (group.clone(), resource.clone());
                    self.filed.entry(key).or_default().push(Filed {
                        entry: place,
                        operations,
                    });
                }
            }
        }
    }

    /// The policies that have a rule for `subject` and are asked by `route`, in the order of their
    /// addresses: each once, and once more if it judges the templates of such an object.
    pub(crate) fn candidates<'a>(
        &'a self,
        subject: &Subject,
        route: Route,
    ) -> impl Iterator<Item = &'a Arc<Entry>> + use<'a> {
        let bit = subject.operation.bit();
        let mut places: Vec<usize> = Vec::new();
        for group in subject.groups().into_iter().chain(["*"]) {
            for resource in spellings(&subject.resource) {
                let filed = self.filed.get(&(group.to_owned(), resource));
                places.extend(
                    filed
                        .into_iter()
                        .flatten()
                        .filter(|f| f.operations & bit != 0)
                        .map(|f| f.entry),
                );
            }
        }
        places.sort_unstable();
        places.dedup();
        places
            .into_iter()
            .filter_map(|place| self.entries.get(place))
            .filter(move |indexed| route.takes(indexed))
            .map(|indexed| &indexed.entry)
    }
}

/// The spellings in a rule that cover a resource, as the API server reads them: `*` is every
/// resource and no subresource, `pods/*` every subresource of pods and, though its documentation
/// does not say so, pods themselves, `*/scale` that subresource of all.
fn spellings(resource: &str) -> Vec<String> {
    match resource.split_once('/') {
        None => vec![
            resource.to_owned(),
            format!("{resource}/*"),
            "*".to_owned(),
            "*/*".to_owned(),
        ],
        Some((parent, child)) => vec![
            resource.to_owned(),
            format!("{parent}/*"),
            format!("*/{child}"),
            "*/*".to_owned(),
        ],
    }
}
