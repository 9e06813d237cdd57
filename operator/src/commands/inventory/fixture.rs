//! A mocked cluster with policies and locks.

use serde_json::{Value as Json, json};

use crate::cluster::api_server::ApiServer;

const API: &str = "/apis/portcullis.dev/v1alpha1";

/// A cluster in which all four lists can be read.
pub(in crate::commands) fn cluster(
    cluster_policies: &[Json],
    policies: &[Json],
    cluster_locks: &[Json],
    locks: &[Json],
) -> ApiServer {
    let server = ApiServer::default();
    let list = |items: &[Json]| json!({"metadata": {}, "items": items});
    server.put(&at("clusterpolicies"), list(cluster_policies));
    server.put(&at("clusterlocks"), list(cluster_locks));
    for scope in ["", "namespaces/team-a/"] {
        server.put(&at(&format!("{scope}policies")), list(policies));
        server.put(&at(&format!("{scope}locks")), list(locks));
    }
    server
}

/// Where a resource is.
pub(in crate::commands) fn at(path: &str) -> String {
    format!("{API}/{path}")
}

/// The object of a policy: `shop/discount@1.0`, of a namespace or of the cluster.
pub(in crate::commands) fn policy(address: &str, namespace: Option<&str>) -> Json {
    let address: portcullis_policies::Address = address.parse().unwrap();
    let name = format!("{}-{}", address.name(), address.version());
    let source = format!("package {}\n\nallow := true\n", address.package());
    let mut policy = json!({
        "metadata": {"name": name, "creationTimestamp": "2026-11-30T12:00:00Z", "generation": 1},
        "spec": {
            "group": address.group(),
            "name": address.name(),
            "version": address.version().as_str(),
            "modules": {"policy.rego": source},
        },
    });
    if let Some(namespace) = namespace {
        policy["metadata"]["namespace"] = namespace.into();
    }
    policy
}

/// The object of a lock.
pub(in crate::commands) fn lock(name: &str, namespace: Option<&str>, spec: &Json) -> Json {
    let mut lock = json!({"metadata": {"name": name}, "spec": {"reason": "why"}});
    for (field, value) in spec.as_object().into_iter().flatten() {
        lock["spec"][field] = value.clone();
    }
    if let Some(namespace) = namespace {
        lock["metadata"]["namespace"] = namespace.into();
    }
    lock
}
