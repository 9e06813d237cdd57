//! Bindings, and the objects that they take parameters of.

use std::sync::Arc;

use portcullis_policies::{Cache, Document, Input, ObjectKey, Request, Timestamp};
use portcullis_webhook::Readiness;
use serde_json::{Value as Json, json};

use super::{POLICIES, Process, event, list, policy, server};
use crate::cluster::{Extent, Mirror, SOURCES, follow};

const BINDINGS: &str = "/apis/portcullis.dev/v1alpha1/clusterpolicybindings";
const CONFIG_MAPS: &str = "/api/v1/namespaces/platform/configmaps";

fn binding(name: &str, generation: i64, fields: &Json) -> Json {
    let mut object = json!({
        "apiVersion": "portcullis.dev/v1alpha1",
        "kind": "ClusterPolicyBinding",
        "metadata": {"name": name, "uid": name, "generation": generation, "resourceVersion": "7"},
        "spec": {
            "policy": {"group": "a", "name": "b", "version": "1"},
            "match": {"resourceRules": [{
                "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"],
                "operations": ["CREATE"],
            }]},
        },
    });
    for (field, value) in fields.as_object().unwrap() {
        object["spec"][field] = value.clone();
    }
    object
}

fn config_map(limit: &str) -> Json {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "limits", "namespace": "platform", "uid": "c", "resourceVersion": "7"},
        "data": {"limit": limit},
    })
}

/// What a binding's policy says, asked about nothing.
fn says(mirror: &Mirror, name: &str) -> Vec<String> {
    let snapshot = mirror.cache().snapshot();
    let key = ObjectKey::new("ClusterPolicyBinding", None, name);
    let request = Request {
        id: Arc::from("id"),
        now: Timestamp::now(),
        headers: Arc::default(),
        budget: std::time::Duration::from_secs(5),
        namespace: None,
        tool: None,
        strict: false,
    };
    let input = Input::Admission(Document::default());
    let decided = snapshot.bound_by(&key).iter().map(|entry| {
        let decision = entry.decide(&input, &request);
        let messages = decision.messages.iter().map(|it| it.message.as_str());
        messages.collect::<Vec<_>>().join(", ")
    });
    decided.collect()
}

const LIMIT: &str = "deny contains input.parameters.limit if true";

#[tokio::test]
async fn a_process_is_ready_when_the_parameters_of_its_bindings_are_read() {
    let server = server();
    server.put(POLICIES, list(&[policy("b", 1, LIMIT)]));
    let from = json!({"parametersFrom": {"name": "limits", "namespace": "platform"}});
    let own = json!({"parameters": {"limit": "own"}});
    server.put(
        BINDINGS,
        list(&[binding("from", 1, &from), binding("own", 1, &own)]),
    );
    let kinds = json!({
        "kind": "APIResourceList", "groupVersion": "v1",
        "resources": [{
            "name": "configmaps", "singularName": "", "namespaced": true, "kind": "ConfigMap",
            "verbs": ["list", "watch"],
        }],
    });
    server.put("/api/v1", kinds);
    server.put(CONFIG_MAPS, list(&[config_map("one")]));
    server.tell(
        CONFIG_MAPS,
        [
            event("MODIFIED", &config_map("two")),
            event("DELETED", &config_map("two")),
        ],
    );
    let process = Process::following(&server);
    process.mirror.synced().await;
    assert_eq!(says(&process.mirror, "own"), ["own"]);
    let gone = "there is no ConfigMap platform/limits to take parameters of";
    process.until(|mirror| says(mirror, "from") == [gone]).await;
    server.tell(CONFIG_MAPS, [event("ADDED", &config_map("three"))]);
}

/// A kind that may not be read, or is not served, keeps nothing else from being in force.
#[tokio::test]
async fn parameters_that_cannot_be_read_are_told_and_denied() {
    let server = server();
    server.put(POLICIES, list(&[policy("b", 1, LIMIT)]));
    let from = json!({"parametersFrom": {
        "kind": "Limits", "apiVersion": "a.example/v1", "name": "limits", "notFound": "Allow",
    }});
    server.put(BINDINGS, list(&[binding("from", 1, &from)]));
    let process = Process::following(&server);
    process.mirror.synced().await;
    let said = says(&process.mirror, "from");
    assert_eq!(said.len(), 1);
    assert!(
        said[0].starts_with("the parameters of Limits limits have not been read: the API server"),
        "{said:?}"
    );
}

#[tokio::test]
async fn a_sidecar_follows_no_bindings() {
    let server = server();
    server.put(POLICIES, list(&[policy("b", 1, LIMIT)]));
    server.put(BINDINGS, list(&[binding("own", 1, &json!({}))]));
    for kind in ["policies", "locks"] {
        let path = format!("/apis/portcullis.dev/v1alpha1/namespaces/shop/{kind}");
        server.put(&path, list(&[]));
    }
    let mirror = Mirror::new(Arc::new(Cache::new()), Readiness::new(SOURCES));
    let extent = Extent::Namespace("shop".to_owned());
    let task = tokio::spawn(follow(server.client(), mirror.clone(), extent));
    mirror.synced().await;
    assert_eq!(mirror.cache().snapshot().bindings().count(), 0);
    task.abort();
}
