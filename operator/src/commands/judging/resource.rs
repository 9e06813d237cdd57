//! From an object's kind to its resource, without an API server to ask: custom resource definitions
//! among the manifests say it of their kinds; for all others it is told as `kubectl` guesses it.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::convert::group_and_version;

/// Kinds of Kubernetes that live in no namespace, by their group.
const CLUSTER_SCOPED: &[(&str, &[&str])] = &[
    (
        "",
        &["ComponentStatus", "Namespace", "Node", "PersistentVolume"],
    ),
    (
        "admissionregistration.k8s.io",
        &[
            "MutatingAdmissionPolicy",
            "MutatingAdmissionPolicyBinding",
            "MutatingWebhookConfiguration",
            "ValidatingAdmissionPolicy",
            "ValidatingAdmissionPolicyBinding",
            "ValidatingWebhookConfiguration",
        ],
    ),
    ("apiextensions.k8s.io", &["CustomResourceDefinition"]),
    ("apiregistration.k8s.io", &["APIService"]),
    (
        "certificates.k8s.io",
        &["CertificateSigningRequest", "ClusterTrustBundle"],
    ),
    (
        "flowcontrol.apiserver.k8s.io",
        &["FlowSchema", "PriorityLevelConfiguration"],
    ),
    (
        "networking.k8s.io",
        &["IngressClass", "IPAddress", "ServiceCIDR"],
    ),
    ("node.k8s.io", &["RuntimeClass"]),
    ("portcullis.dev", &["ClusterLock", "ClusterPolicy"]),
    (
        "rbac.authorization.k8s.io",
        &["ClusterRole", "ClusterRoleBinding"],
    ),
    ("resource.k8s.io", &["DeviceClass", "ResourceSlice"]),
    ("scheduling.k8s.io", &["PriorityClass"]),
    (
        "storage.k8s.io",
        &[
            "CSIDriver",
            "CSINode",
            "StorageClass",
            "VolumeAttachment",
            "VolumeAttributesClass",
        ],
    ),
    ("storagemigration.k8s.io", &["StorageVersionMigration"]),
];

/// What an object is to the API server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::commands) struct Resource {
    /// The group; empty for the core group.
    pub(in crate::commands) group: String,
    /// The version in the group.
    pub(in crate::commands) version: String,
    /// The kind.
    pub(in crate::commands) kind: String,
    /// The resource, in the plural.
    pub(in crate::commands) plural: String,
    /// Whether its objects live in namespaces.
    pub(in crate::commands) namespaced: bool,
}

impl Resource {
    /// `apps/v1`, or `v1` of the core group.
    pub(in crate::commands) fn api_version(&self) -> String {
        match &*self.group {
            "" => self.version.clone(),
            group => format!("{group}/{}", self.version),
        }
    }
}

/// The kinds that custom resource definitions tell of.
#[derive(Clone, Debug, Default)]
pub(in crate::commands) struct Resources(BTreeMap<(String, String), Custom>);

#[derive(Clone, Debug)]
struct Custom {
    plural: String,
    namespaced: bool,
}

impl Resources {
    /// Of the custom resource definitions among these objects.
    pub(in crate::commands) fn of<'o>(objects: impl IntoIterator<Item = &'o Json>) -> Self {
        Self(objects.into_iter().filter_map(custom).collect())
    }

    /// The resource of an object.
    pub(in crate::commands) fn find(&self, object: &Json) -> Resource {
        let text = |name: &str| object[name].as_str().unwrap_or_default();
        let (group, version) = group_and_version(text("apiVersion"));
        let kind = text("kind");
        let custom = self.0.get(&(group.to_owned(), kind.to_owned()));
        let custom = custom.cloned().unwrap_or_else(|| Custom {
            plural: plural(kind),
            namespaced: is_namespaced(group, kind, object),
        });
        Resource {
            group: group.to_owned(),
            version: version.to_owned(),
            kind: kind.to_owned(),
            plural: custom.plural,
            namespaced: custom.namespaced,
        }
    }
}

fn custom(object: &Json) -> Option<((String, String), Custom)> {
    let spec = &object["spec"];
    let text = |value: &Json| value.as_str().map(str::to_owned);
    if object["kind"] != "CustomResourceDefinition" {
        return None;
    }
    let key = (text(&spec["group"])?, text(&spec["names"]["kind"])?);
    let custom = Custom {
        plural: text(&spec["names"]["plural"])?,
        namespaced: spec["scope"] != "Cluster",
    };
    Some((key, custom))
}

/// The plural of a kind in lower case, by the rules of English.
fn plural(kind: &str) -> String {
    let name = kind.to_ascii_lowercase();
    if name == "endpoints" {
        return name;
    }
    let hisses = ["s", "x", "z", "ch", "sh"];
    if hisses.iter().any(|end| name.ends_with(end)) {
        return name + "es";
    }
    match name.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'i', 'o', 'u']) => format!("{stem}ies"),
        _ => name + "s",
    }
}

/// Of a kind that nobody tells of, it counts whether the object says a namespace, and then its name.
fn is_namespaced(group: &str, kind: &str, object: &Json) -> bool {
    let known = CLUSTER_SCOPED.iter().find(|(known, _)| *known == group);
    if let Some((_, kinds)) = known {
        return !kinds.contains(&kind);
    }
    let says = object["metadata"]["namespace"].is_string();
    says || !(kind.starts_with("Cluster") || kind.ends_with("Class"))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case("v1", "Pod", ("", "v1", "pods", true))]
    #[case("v1", "Endpoints", ("", "v1", "endpoints", true))]
    #[case("v1", "Namespace", ("", "v1", "namespaces", false))]
    #[case("apps/v1", "Deployment", ("apps", "v1", "deployments", true))]
    #[case("networking.k8s.io/v1", "Ingress", ("networking.k8s.io", "v1", "ingresses", true))]
    #[case("networking.k8s.io/v1", "NetworkPolicy", ("networking.k8s.io", "v1", "networkpolicies", true))]
    #[case("networking.k8s.io/v1", "IngressClass", ("networking.k8s.io", "v1", "ingressclasses", false))]
    #[case("rbac.authorization.k8s.io/v1", "ClusterRole", ("rbac.authorization.k8s.io", "v1", "clusterroles", false))]
    #[case("gateway.networking.k8s.io/v1", "Gateway", ("gateway.networking.k8s.io", "v1", "gateways", true))]
    #[case("gateway.networking.k8s.io/v1", "GatewayClass", ("gateway.networking.k8s.io", "v1", "gatewayclasses", false))]
    #[case("cert-manager.io/v1", "ClusterIssuer", ("cert-manager.io", "v1", "clusterissuers", false))]
    #[case("maps.io/v1", "Mesh", ("maps.io", "v1", "meshes", true))]
    fn kinds_are_resources(
        #[case] api_version: &str,
        #[case] kind: &str,
        #[case] expected: (&str, &str, &str, bool),
    ) {
        let object = json!({"apiVersion": api_version, "kind": kind});
        let found = Resources::default().find(&object);
        let (group, version, plural, namespaced) = expected;
        assert_eq!(found.kind, kind);
        assert_eq!(
            (
                &*found.group,
                &*found.version,
                &*found.plural,
                found.namespaced
            ),
            (group, version, plural, namespaced)
        );
    }

    #[test]
    fn definitions_among_the_manifests_are_believed() {
        let definition = |scope: &str| {
            json!({
                "apiVersion": "apiextensions.k8s.io/v1",
                "kind": "CustomResourceDefinition",
                "spec": {
                    "group": "shop.io",
                    "names": {"kind": "Ox", "plural": "oxen"},
                    "scope": scope,
                },
            })
        };
        let object = json!({"apiVersion": "shop.io/v2", "kind": "Ox"});
        for (scope, namespaced) in [("Cluster", false), ("Namespaced", true)] {
            let found = Resources::of([&definition(scope), &object]).find(&object);
            assert_eq!((&*found.plural, found.namespaced), ("oxen", namespaced));
        }
        let says = json!({"apiVersion": "a.io/v1", "kind": "ClusterThing", "metadata": {"namespace": "x"}});
        assert!(Resources::default().find(&says).namespaced);
    }
}
