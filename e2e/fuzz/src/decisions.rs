//! What is decided about a request by whoever reads all of it and looks at every policy.
//!
//! The doors read only what their policies look at, and find these in an index. Here is the plain
//! way, which has to come to the same.

use std::sync::Arc;
use std::time::Duration;

use portcullis_policies::{
    Decision, Document, Entry, FailurePolicy, Headers, Input, Operation, Owner, Point, Request,
    ResourceRule, Scope, Snapshot, Timestamp,
};

/// What a review is about, as far as it chooses policies.
#[derive(Debug)]
pub struct Subject<'a> {
    /// The API group.
    pub group: &'a str,
    /// The API group by which it was requested, if that is told.
    pub requested: Option<&'a str>,
    /// The resource, without its subresource.
    pub resource: &'a str,
    /// The subresource, if there is one.
    pub sub_resource: Option<&'a str>,
    /// What is done.
    pub operation: Operation,
    /// Where, if anywhere.
    pub namespace: Option<&'a str>,
}

/// A request whose time and budget make no difference.
pub fn request(headers: Headers) -> Request {
    Request {
        id: Arc::from("fuzz"),
        now: Timestamp::now(),
        headers: Arc::new(headers),
        budget: Duration::from_secs(60),
        namespace: None,
        tool: None,
        strict: false,
    }
}

/// The policies that the API server asks about a subject at a door.
pub fn selected<'s>(
    snapshot: &'s Snapshot,
    subject: &Subject<'_>,
    owner: Owner,
    failure_policy: FailurePolicy,
) -> Vec<&'s Arc<Entry>> {
    let judges = |entry: &&Arc<Entry>| {
        let Some(admission) = entry.admission() else {
            return false;
        };
        let owned = match (owner, entry.address().scope()) {
            (Owner::Cluster, Scope::Cluster) => true,
            (Owner::Namespace, Scope::Namespace(name)) => {
                let is_namespace = subject.group.is_empty() && subject.resource == "namespaces";
                subject.namespace == Some(name) && !is_namespace
            }
            _ => false,
        };
        owned
            && admission.effective_failure_policy() == failure_policy
            && admission
                .matches
                .rules
                .iter()
                .any(|rule| covers(rule, subject))
    };
    snapshot.entries().filter(judges).collect()
}

/// Whether a rule covers a subject, as the API server reads rules.
fn covers(rule: &ResourceRule, subject: &Subject<'_>) -> bool {
    let resource = |pattern: &String| match (pattern.split_once('/'), subject.sub_resource) {
        (None, None) => pattern == "*" || pattern == subject.resource,
        (None, Some(_)) => false,
        (Some((parent, "*")), None) => parent == "*" || parent == subject.resource,
        (Some(_), None) => false,
        (Some((parent, child)), Some(sub_resource)) => {
            (parent == "*" || parent == subject.resource) && (child == "*" || child == sub_resource)
        }
    };
    rule.operations.contains(&subject.operation)
        && rule
            .groups
            .iter()
            .any(|it| it == "*" || is_group(it, subject))
        && rule.resources.iter().any(resource)
}

/// Whether the resource is one of a group; events are the same in two groups.
fn is_group(group: &str, subject: &Subject<'_>) -> bool {
    let events = ["", "events.k8s.io"];
    group == subject.group
        || Some(group) == subject.requested
        || (subject.resource == "events"
            && events.contains(&group)
            && events.contains(&subject.group))
}

/// What a policy decides about a document; `None` is one that cannot be read.
pub fn decide(entry: &Entry, input: Option<&Input>, point: Point, headers: &Headers) -> Decision {
    let request = request(headers.clone());
    let without_evaluation = entry.active_lock(point, request.now).is_some();
    match input {
        Some(input) => entry.decide(input, &request),
        None if without_evaluation => {
            entry.decide(&Input::Admission(Document::default()), &request)
        }
        None => entry.unreadable(point, &request, "unreadable"),
    }
}
