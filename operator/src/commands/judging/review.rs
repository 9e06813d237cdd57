//! The review that the API server would send of an object that is applied for the first time.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json, json};

use super::{arguments::Caller, resource::Resource};
use crate::reconcile::ALWAYS_EXEMPT;

/// The request's name: there is one request at a time.
const UID: &str = "00000000-0000-0000-0000-000000000000";

/// Makes reviews of manifests.
#[derive(Debug)]
pub(in crate::commands) struct Reviewer {
    /// The namespace of objects that do not say theirs.
    namespace: String,
    caller: Caller,
    exempt: BTreeSet<String>,
}

/// What is asked about an object.
#[derive(Debug)]
pub(super) struct Review {
    /// Where it would be, if in a namespace.
    pub(super) namespace: Option<String>,
    /// Its name, or what one is made from.
    pub(super) name: String,
    /// Nobody is asked about what is in its namespace.
    pub(super) exempt: bool,
    /// The `AdmissionReview`.
    pub(super) body: Json,
}

impl Reviewer {
    /// For objects in `namespace` where they do not say theirs.
    pub(in crate::commands) fn new(namespace: String, caller: Caller, exempt: Vec<String>) -> Self {
        let always = ALWAYS_EXEMPT.into_iter().map(str::to_owned);
        Self {
            namespace,
            caller,
            exempt: always.chain(exempt).collect(),
        }
    }

    /// The review of an object of a resource.
    pub(super) fn review(&self, object: &Json, resource: &Resource) -> Review {
        let metadata = |name: &str| {
            object["metadata"][name]
                .as_str()
                .filter(|text| !text.is_empty())
        };
        let name = metadata("name").unwrap_or_default();
        let namespace = resource
            .namespaced
            .then(|| metadata("namespace").unwrap_or(&self.namespace).to_owned());
        let mut object = object.clone();
        if let Some(namespace) = &namespace {
            set_namespace(&mut object, namespace);
        }
        // A request about a namespace carries its name as its namespace.
        let is_namespace = resource.group.is_empty() && resource.kind == "Namespace";
        let within = if is_namespace {
            Some(name)
        } else {
            namespace.as_deref()
        };
        let exempt = within.is_some_and(|namespace| self.exempt.contains(namespace));
        let body = self.body(resource, name, within, object);
        // One that is generated ends with a star, for people.
        let generated = metadata("generateName").filter(|_| name.is_empty());
        Review {
            namespace,
            name: generated.map_or_else(|| name.to_owned(), |stem| format!("{stem}*")),
            exempt,
            body,
        }
    }

    fn body(&self, resource: &Resource, name: &str, namespace: Option<&str>, object: Json) -> Json {
        let Resource {
            group,
            version,
            kind,
            plural,
            ..
        } = resource;
        let kind = json!({"group": group, "version": version, "kind": kind});
        let resource = json!({"group": group, "version": version, "resource": plural});
        let mut request = json!({
            "uid": UID,
            "kind": kind,
            "resource": resource,
            "requestKind": kind,
            "requestResource": resource,
            "name": name,
            "operation": "CREATE",
            "userInfo": {"username": self.caller.user, "groups": self.caller.groups},
            "oldObject": null,
            "dryRun": true,
            "options": {"apiVersion": "meta.k8s.io/v1", "kind": "CreateOptions"},
        });
        request["object"] = object;
        if let Some(namespace) = namespace {
            request["namespace"] = namespace.into();
        }
        let mut review = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"});
        review["request"] = request;
        review
    }
}

/// As the API server does where the request's path says it.
fn set_namespace(object: &mut Json, namespace: &str) {
    let Json::Object(object) = object else { return };
    let metadata = object
        .entry("metadata")
        .or_insert_with(|| Json::Object(Map::new()));
    if let Json::Object(metadata) = metadata {
        metadata.insert("namespace".to_owned(), namespace.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::judging::Resources;

    fn review(object: &Json) -> Review {
        let resource = Resources::default().find(object);
        reviewer().review(object, &resource)
    }

    fn reviewer() -> Reviewer {
        let caller = Caller {
            user: "ann".to_owned(),
            groups: vec!["dev".to_owned()],
        };
        Reviewer::new("shop".to_owned(), caller, vec!["own".to_owned()])
    }

    #[test]
    fn it_is_what_the_api_server_would_send() {
        let review = review(&json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
        }));
        let request = &review.body["request"];
        assert_eq!(
            request["resource"],
            json!({"group": "apps", "version": "v1", "resource": "deployments"})
        );
        assert_eq!(request["kind"]["kind"], "Deployment");
        assert_eq!(request["namespace"], "shop");
        assert_eq!(
            request["object"]["metadata"],
            json!({"name": "web", "namespace": "shop"})
        );
        assert_eq!(
            request["userInfo"],
            json!({"username": "ann", "groups": ["dev"]})
        );
        assert_eq!(
            (&*review.name, review.namespace.as_deref(), review.exempt),
            ("web", Some("shop"), false)
        );
    }

    #[test]
    fn what_is_in_no_namespace_has_none_but_a_namespace_its_own() {
        let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "a"}});
        let review = self::review(&role);
        assert_eq!(review.body["request"]["namespace"], Json::Null);
        assert_eq!(review.body["request"]["object"], role);
        let namespace =
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kube-system"}});
        let review = self::review(&namespace);
        assert_eq!(review.body["request"]["namespace"], "kube-system");
        assert!(review.exempt && review.namespace.is_none());
    }

    #[test]
    fn names_that_are_generated_are_shown_with_a_star() {
        let job = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"generateName": "a-", "namespace": "own"}});
        let review = self::review(&job);
        assert_eq!((&*review.name, review.exempt), ("a-*", true));
        assert_eq!(review.body["request"]["name"], "");
    }
}
