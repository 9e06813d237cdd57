//! What a request is about.

use crate::{
    Document, Operation,
    rego::{plan::access::Access, value::Value},
};

/// What a request is about, as far as it tells without its objects which policies are asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// The API group of the resource that is asked about; empty for the core group.
    pub group: String,
    /// The version of the group. The API server converts an object to a version that was
    /// registered before it asks.
    pub version: String,
    /// Group and version by which the resource was requested, where they are others.
    pub requested: Option<(String, String)>,
    /// The resource in the plural, with a subresource behind a slash: `pods`, `pods/exec`.
    pub resource: String,
    /// What is done to it.
    pub operation: Operation,
    /// The namespace of the request, if it has one. A request about a `Namespace` has its name.
    pub namespace: Option<String>,
    /// The object's name; empty where there is none yet, and where a collection is deleted.
    pub name: String,
}

/// Resources that are the same under several groups, as the API server stores them: whoever asks
/// for one has asked for the others.
const SAME: [(&str, [(&str, &str); 2]); 1] = [("events", [("", "v1"), ("events.k8s.io", "v1")])];

impl Subject {
    /// An operation on a resource of a group at `v1`, without a namespace and without a name.
    pub fn new(group: &str, resource: &str, operation: Operation) -> Self {
        Self {
            group: group.to_owned(),
            version: "v1".to_owned(),
            requested: None,
            resource: resource.to_owned(),
            operation,
            namespace: None,
            name: String::new(),
        }
    }

    /// Reads it of an `AdmissionRequest`; `None` where that does not say what it is about.
    pub(crate) fn of(request: &Document) -> Option<Self> {
        let text = |path: &[&str]| match request.part(path) {
            Some(Value::String(text)) => Some(text.to_string()),
            _ => None,
        };
        let some = |path: &[&str]| text(path).filter(|text| !text.is_empty());
        let resource = text(&["resource", "resource"])?;
        let requested = some(&["requestResource", "resource"]).map(|_| {
            let own = |key| text(&["requestResource", key]).unwrap_or_default();
            (own("group"), own("version"))
        });
        Some(Self {
            group: text(&["resource", "group"])?,
            version: text(&["resource", "version"])?,
            requested,
            resource: match some(&["subResource"]) {
                Some(subresource) => format!("{resource}/{subresource}"),
                None => resource,
            },
            operation: Operation::parse(&text(&["operation"])?)?,
            namespace: some(&["namespace"]),
            name: text(&["name"]).unwrap_or_default(),
        })
    }

    /// What [`Subject::of`] looks at.
    pub(crate) fn access() -> Access {
        let mut access = Access::default();
        for key in [
            "resource",
            "requestResource",
            "subResource",
            "operation",
            "namespace",
            "name",
        ] {
            access.key(key).whole();
        }
        access
    }

    /// The same in a namespace.
    #[must_use]
    pub fn within(mut self, namespace: &str) -> Self {
        self.namespace = Some(namespace.to_owned());
        self
    }

    /// Whether it is a `Namespace` itself, whose requests carry its own name as their namespace
    /// although no namespace owns it.
    fn is_namespace(&self) -> bool {
        self.group.is_empty() && self.parent() == "namespaces"
    }

    /// Whether it is in a namespace, as the scope of a rule means it.
    pub(crate) fn is_namespaced(&self) -> bool {
        self.own_namespace().is_some()
    }

    /// The namespace that the object is in, if it is in one: a `Namespace` is in none.
    pub(crate) fn own_namespace(&self) -> Option<&str> {
        self.namespace.as_deref().filter(|_| !self.is_namespace())
    }

    /// Whether it is a resource of a group, or a subresource of it.
    pub(crate) fn is_of(&self, group: &str, resource: &str) -> bool {
        self.group == group && self.parent() == resource
    }

    /// The resource without its subresource.
    fn parent(&self) -> &str {
        self.resource.split('/').next().unwrap_or_default()
    }

    /// Each group and version under which the resource is known to be served.
    pub(super) fn known(&self) -> impl Iterator<Item = (&str, &str)> {
        let asked = (self.group.as_str(), self.version.as_str());
        let requested = self.requested.as_ref();
        let requested = requested.map(|(group, version)| (group.as_str(), version.as_str()));
        let parent = self.parent();
        let same = SAME
            .iter()
            .filter(move |(resource, groups)| {
                *resource == parent && groups.iter().any(|(group, _)| *group == self.group)
            })
            .flat_map(|(_, groups)| groups.iter().copied());
        [Some(asked), requested].into_iter().flatten().chain(same)
    }

    /// The groups under which the resource is known to be served, each once.
    pub(crate) fn groups(&self) -> Vec<&str> {
        let mut groups: Vec<&str> = self.known().map(|(group, _)| group).collect();
        groups.sort_unstable();
        groups.dedup();
        groups
    }
}
