//! A workload with our sidecar in its Pod.

use anyhow::Result;
use serde_json::{Value, json};

use crate::{Stage, installation, samples, toolbox::Toolbox};

/// The name of the sidecar's container.
pub const CONTAINER: &str = "portcullis";

/// A workload with our sidecar in front of it, a native one, when both are ready.
/// With `mounted` the sidecar reads these files, and otherwise it follows the cluster.
pub async fn start<'a>(
    stage: &'a Stage,
    name: &str,
    arguments: &[&str],
    mounted: Option<&Value>,
) -> Result<Toolbox<'a>> {
    let mut pod = samples::good(name);
    let mut objects = Vec::new();
    let mut sidecar = json!({
        "name": CONTAINER,
        "image": installation::IMAGE,
        "args": arguments,
        "restartPolicy": "Always",
        "env": [{
            "name": "POD_NAMESPACE",
            "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}},
        }],
        "resources": {"limits": {"memory": "128Mi"}},
        "startupProbe": {
            "exec": {"command": ["/portcullis", "probe", "http://127.0.0.1:8181/readiness"]},
            "periodSeconds": 1,
            "failureThreshold": 60,
        },
    });
    if let Some(files) = mounted {
        objects.push(json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": name},
            "data": files,
        }));
        sidecar["volumeMounts"] = json!([{"name": "policies", "mountPath": "/policies"}]);
        pod["spec"]["volumes"] = json!([{"name": "policies", "configMap": {"name": name}}]);
    } else {
        objects.extend(account(stage, name));
        pod["spec"]["serviceAccountName"] = json!(name);
    }
    pod["spec"]["initContainers"] = json!([sidecar]);
    objects.push(pod);
    stage.apply(&objects).await?;
    Toolbox::of(stage, name, "web").await
}

/// A service account that may read what its sidecar follows.
fn account(stage: &Stage, name: &str) -> Vec<Value> {
    let namespace = stage.namespace();
    let group = "rbac.authorization.k8s.io";
    let binding = |kind: &str, role: &str| {
        json!({
            "apiVersion": format!("{group}/v1"),
            "kind": kind,
            "metadata": {"name": format!("{namespace}-{name}")},
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": role},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
        })
    };
    vec![
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}}),
        binding("RoleBinding", "portcullis-sidecar"),
        binding("ClusterRoleBinding", "portcullis-sidecar-cluster"),
    ]
}
