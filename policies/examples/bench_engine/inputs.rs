//! What policies are asked about: made here, so that there is no large file to keep.

use serde_json::{Value, json};

/// The reviews of Pods: a small one as `kubectl run` makes it, and one with everything that a mesh
/// and a chart put into a Pod.
pub(crate) fn review(containers: usize, variables: usize) -> Value {
    json!({
        "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
        "kind": {"group": "", "version": "v1", "kind": "Pod"},
        "resource": {"group": "", "version": "v1", "resource": "pods"},
        "requestKind": {"group": "", "version": "v1", "kind": "Pod"},
        "requestResource": {"group": "", "version": "v1", "resource": "pods"},
        "name": "checkout-5d8f7c9b6d-x2x4q",
        "namespace": "shop",
        "operation": "CREATE",
        "userInfo": {
            "username": "system:serviceaccount:kube-system:replicaset-controller",
            "uid": "b9d3c4d2-5f0e-4a8a-9d0c-7d2f9b1d6e11",
            "groups": ["system:serviceaccounts", "system:serviceaccounts:kube-system", "system:authenticated"],
        },
        "object": pod(containers, variables),
        "oldObject": null,
        "dryRun": false,
        "options": {"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1"},
    })
}

fn pod(containers: usize, variables: usize) -> Value {
    let containers: Vec<Value> = (0..containers).map(|at| container(at, variables)).collect();
    // Who owns which field: as long as the fields themselves.
    let fields: Vec<Value> = containers.iter().map(owned).collect();
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "checkout-5d8f7c9b6d-x2x4q",
            "generateName": "checkout-5d8f7c9b6d-",
            "namespace": "shop",
            "uid": "3f1d9a0e-44d0-4ef5-9f0e-0c5b7f6a3f52",
            "creationTimestamp": "2026-03-02T08:15:42Z",
            "labels": {"app": "checkout", "team": "payments", "pod-template-hash": "5d8f7c9b6d"},
            "annotations": {"prometheus.io/scrape": "true", "prometheus.io/port": "9090"},
            "managedFields": [{
                "manager": "kube-controller-manager",
                "operation": "Update",
                "apiVersion": "v1",
                "time": "2026-03-02T08:15:42Z",
                "fieldsType": "FieldsV1",
                "fieldsV1": {"f:spec": {"f:containers": fields, "f:dnsPolicy": {}, "f:restartPolicy": {}}},
            }],
        },
        "spec": {
            "containers": containers,
            "initContainers": [{
                "name": "migrate",
                "image": "registry.example.com/shop/migrate:4.2.0",
                "command": ["/migrate", "--wait"],
                "resources": {"limits": {"cpu": "1", "memory": "256Mi"}, "requests": {"cpu": "100m", "memory": "128Mi"}},
                "securityContext": {"allowPrivilegeEscalation": false},
            }],
            "volumes": [
                {"name": "cache", "emptyDir": {"sizeLimit": "64Mi"}},
                {"name": "kube-api-access-z6k8v", "projected": {"defaultMode": 420, "sources": [
                    {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
                ]}},
            ],
            "restartPolicy": "Always",
            "serviceAccountName": "checkout",
            "nodeSelector": {"kubernetes.io/os": "linux"},
            "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
        },
        "status": {"phase": "Pending", "qosClass": "Burstable"},
    })
}

fn container(at: usize, variables: usize) -> Value {
    let variables: Vec<Value> = (0..variables)
        .map(|variable| {
            json!({
                "name": format!("CHECKOUT_SETTING_{at}_{variable}"),
                "value": format!("https://service-{variable}.shop.svc.cluster.local:8443/api/v{at}?a=\"b\""),
            })
        })
        .collect();
    json!({
        "name": format!("checkout-{at}"),
        "image": format!("registry.example.com/shop/checkout-{at}:4.2.{at}"),
        "imagePullPolicy": "IfNotPresent",
        "args": ["--listen=:8443", "--log-format=json"],
        "env": variables,
        "ports": [{"name": "https", "containerPort": 8443, "protocol": "TCP"}],
        "resources": {"limits": {"cpu": "500m", "memory": "512Mi"}, "requests": {"cpu": "250m", "memory": "256Mi"}},
        "securityContext": {
            "privileged": false,
            "allowPrivilegeEscalation": at % 4 == 3,
            "readOnlyRootFilesystem": true,
            "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]},
        },
        "volumeMounts": [{"name": "cache", "mountPath": "/var/cache/checkout"}],
        "livenessProbe": {"httpGet": {"path": "/healthz", "port": 8443, "scheme": "HTTPS"}, "periodSeconds": 10},
    })
}

/// The names of the fields below a value, as `managedFields` lists them.
fn owned(value: &Value) -> Value {
    match value {
        Value::Object(members) => members
            .iter()
            .map(|(name, member)| (format!("f:{name}"), owned(member)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        Value::Array(elements) => elements
            .iter()
            .enumerate()
            .map(|(at, element)| (format!("k:{{\"index\":{at}}}"), owned(element)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        _ => json!({}),
    }
}

/// Bindings of roles, `count` of them, of a tenth as many subjects.
pub(crate) fn bindings(count: usize) -> Vec<Value> {
    (0..count)
        .map(|at| {
            json!({
                "subject": format!("user-{}", at % (count / 10)),
                "role": (["viewer", "author", "editor"][at % 3]),
                "namespace": format!("team-{}", at % 97),
            })
        })
        .collect()
}
