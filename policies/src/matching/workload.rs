//! Workloads: kinds whose objects hold the template of Pods, which a policy on Pods judges as the
//! Pods that will be made of it.
//!
//! ```text
//! request about a Deployment ── TemplatePath::find ──▶ templates ── expand ──▶ requests about Pods
//!                                                        (changed, not owned, not being deleted)
//! ```

mod expand;
mod path;

pub(crate) use expand::{Pod, expand, note};
pub use path::{TemplatePath, TemplatePathError};

use super::{Match, Namespaces, ResourceRule, Subject};
use crate::{Operation, rego::value::Value};

/// A kind whose objects hold a Pod template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workload {
    /// The API group; empty for the core group.
    pub group: String,
    /// The version in which the template is at `path`. The API server converts an object to it.
    pub version: String,
    /// The kind, by which owners are known.
    pub kind: String,
    /// The resource, in the plural.
    pub resource: String,
    /// Where the template is.
    pub path: TemplatePath,
    /// Whether an object may have none, and is then not judged.
    pub optional: bool,
}

/// Kinds of Kubernetes: group, version, kind, resource, and where the template is.
const OF_KUBERNETES: [(&str, &str, &str, &str, &str); 7] = [
    (
        "batch",
        "v1",
        "CronJob",
        "cronjobs",
        "spec.jobTemplate.spec.template",
    ),
    ("apps", "v1", "DaemonSet", "daemonsets", "spec.template"),
    ("apps", "v1", "Deployment", "deployments", "spec.template"),
    ("batch", "v1", "Job", "jobs", "spec.template"),
    ("apps", "v1", "ReplicaSet", "replicasets", "spec.template"),
    (
        "",
        "v1",
        "ReplicationController",
        "replicationcontrollers",
        "spec.template",
    ),
    ("apps", "v1", "StatefulSet", "statefulsets", "spec.template"),
];

impl Workload {
    /// The kinds of Kubernetes that hold a Pod template.
    pub fn of_kubernetes() -> impl Iterator<Item = Self> {
        OF_KUBERNETES
            .into_iter()
            .map(|(group, version, kind, resource, path)| Self {
                group: group.to_owned(),
                version: version.to_owned(),
                kind: kind.to_owned(),
                resource: resource.to_owned(),
                path: path.parse().expect("the paths of Kubernetes are paths"),
                optional: false,
            })
    }

    /// Whether a resource of a request is this one: `{"group": …, "version": …, "resource": …}`.
    fn is_of(&self, resource: &Value) -> bool {
        is_text(&resource["group"], &self.group) && is_text(&resource["resource"], &self.resource)
    }

    /// Whether an owner of an object is of this kind.
    fn is_kind_of(&self, owner: &Value) -> bool {
        let api_version = owner["apiVersion"].as_string().ok();
        let group = api_version.map(|text| text.split_once('/').map_or("", |(group, _)| group));
        group == Some(&*self.group) && is_text(&owner["kind"], &self.kind)
    }
}

impl Match {
    /// The requests about workloads whose templates are judged, as far as rules can say it.
    pub fn workload_rules(&self) -> impl Iterator<Item = ResourceRule> {
        let operations = [Operation::Create, Operation::Update].into_iter();
        let operations: Vec<Operation> = operations
            .filter(|operation| self.operation_on_pods(*operation).is_some())
            .collect();
        self.workloads.iter().map(move |workload| ResourceRule {
            groups: vec![workload.group.clone()],
            versions: vec![workload.version.clone()],
            resources: vec![workload.resource.clone()],
            operations: operations.clone(),
            ..ResourceRule::default()
        })
    }

    /// Whether templates in an object are judged that a request is about, as far as rules and
    /// namespaces say.
    pub(crate) fn selects_templates(&self, subject: &Subject, namespaces: &Namespaces) -> bool {
        let is_known = |group: &str| subject.known().any(|(own, _)| own == group);
        let is_of = |workload: &Workload| {
            workload.resource == subject.resource && is_known(&workload.group)
        };
        self.workloads.iter().any(is_of)
            && self.operation_on_pods(subject.operation).is_some()
            && self.selects_what_is_in(subject.namespace.as_deref(), namespaces)
    }

    /// As what a Pod is judged that comes of what is done to a workload. An update of a template
    /// makes Pods: who judges Pods only when they are created judges it as a creation. `None` where
    /// the rules take no such Pod.
    pub(crate) fn operation_on_pods(&self, operation: Operation) -> Option<Operation> {
        let selects = |operation: &Operation| {
            self.rules.iter().any(|rule| rule.covers_pods(*operation))
                && !self
                    .excluded
                    .iter()
                    .any(|rule| rule.excludes_pods(*operation))
        };
        let creates = [Operation::Create].into_iter();
        match operation {
            Operation::Create => creates.into_iter().find(selects),
            Operation::Update => [operation].into_iter().chain(creates).find(selects),
            Operation::Delete | Operation::Connect => None,
        }
    }
}

/// Whether a value is this text.
fn is_text(value: &Value, text: &str) -> bool {
    value.as_string().is_ok_and(|own| **own == *text)
}

#[cfg(test)]
mod tests;
