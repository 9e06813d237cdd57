//! One rule: requests by the resource that they are about, and what they do to it.

use super::{Subject, glob};
use crate::Operation;

/// Requests, by what they are about. `*` in a list stands for all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResourceRule {
    /// API groups; the core group is the empty string.
    pub groups: Vec<String>,
    /// API versions. The API server converts an object to one of these before it asks.
    pub versions: Vec<String>,
    /// Resources, with subresources behind a slash: `pods`, `pods/exec`, `pods/*`, `*`, `*/*`.
    pub resources: Vec<String>,
    /// Operations.
    pub operations: Vec<Operation>,
    /// Whether resources of the cluster are meant, or those of namespaces, or both.
    pub scope: ResourceScope,
    /// Names of objects; without any, and without patterns, every name is meant.
    pub names: Vec<String>,
    /// Patterns of names, in which `*` stands for any characters and `?` for one.
    pub name_patterns: Vec<String>,
}

/// Where the resources of a rule live.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ResourceScope {
    /// Anywhere.
    #[default]
    All,
    /// In no namespace; Namespaces themselves are such.
    Cluster,
    /// In a namespace.
    Namespaced,
}

impl ResourceScope {
    /// The name as manifests and webhook configurations write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::All => "*",
            Self::Cluster => "Cluster",
            Self::Namespaced => "Namespaced",
        }
    }

    /// Whether it includes requests in a namespace, or those in none.
    pub fn includes(self, is_namespaced: bool) -> bool {
        match self {
            Self::All => true,
            Self::Cluster => !is_namespaced,
            Self::Namespaced => is_namespaced,
        }
    }
}

impl ResourceRule {
    /// Whether it says nothing of names.
    pub fn is_for_every_name(&self) -> bool {
        self.names.is_empty() && self.name_patterns.is_empty()
    }

    /// Whether a request is one that the rule selects.
    ///
    /// Of versions one that is served stands for all others, because the API server takes versions
    /// of one resource for equivalent. A rule that names only versions that are not served covers
    /// what another policy's rule made the API server ask about: it cannot be told here, and not
    /// judging would be a permission.
    pub(super) fn covers(&self, subject: &Subject) -> bool {
        self.is_about(subject) && subject.known().any(|(group, _)| names(&self.groups, group))
    }

    /// Whether a request is one that the rule takes out. For the same reason a version counts only
    /// if it is known to be served: that of the request, and the one that was asked about.
    pub(crate) fn excludes(&self, subject: &Subject) -> bool {
        let mut known = subject.known();
        self.is_about(subject)
            && known.any(|(group, version)| {
                names(&self.groups, group) && names(&self.versions, version)
            })
    }

    /// Whether the rule selects Pods that are yet to be made of a template. They are in a namespace,
    /// and their names are not known: one that is named may be among them.
    pub(super) fn covers_pods(&self, operation: Operation) -> bool {
        self.is_about_pods(operation)
    }

    /// Whether the rule takes such Pods out, all of them.
    pub(super) fn excludes_pods(&self, operation: Operation) -> bool {
        self.is_about_pods(operation) && self.is_for_every_name() && names(&self.versions, "v1")
    }

    fn is_about_pods(&self, operation: Operation) -> bool {
        let mut patterns = self.resources.iter();
        self.operations.contains(&operation)
            && self.scope.includes(true)
            && patterns.any(|pattern| is_resource(pattern, "pods"))
            && names(&self.groups, "")
    }

    fn is_about(&self, subject: &Subject) -> bool {
        self.operations.contains(&subject.operation)
            && self.scope.includes(subject.is_namespaced())
            && self
                .resources
                .iter()
                .any(|pattern| is_resource(pattern, &subject.resource))
            && self.is_named(&subject.name)
    }

    fn is_named(&self, name: &str) -> bool {
        // A request without a name is none that a name selects.
        self.is_for_every_name()
            || self.names.iter().any(|own| own == name)
            || (!name.is_empty()
                && self
                    .name_patterns
                    .iter()
                    .any(|pattern| glob::matches(pattern, name)))
    }
}

fn names(list: &[String], item: &str) -> bool {
    list.iter().any(|own| own == "*" || own == item)
}

/// Whether a resource is one of those that `pattern` stands for, as the API server reads it: `*`
/// is every resource and no subresource, `pods/*` pods and all their subresources, `*/scale` that
/// subresource of all, `*/*` everything. `resource` may be a pattern itself: then whether all are
/// that it stands for.
pub fn is_resource(pattern: &str, resource: &str) -> bool {
    let (parent, child) = pattern.split_once('/').unwrap_or((pattern, ""));
    let (own_parent, own_child) = resource.split_once('/').unwrap_or((resource, ""));
    (parent == "*" || parent == own_parent) && (child == "*" || child == own_child)
}
