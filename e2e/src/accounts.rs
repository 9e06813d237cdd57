//! Service accounts of the tests, and their tokens.

use anyhow::Result;
use serde_json::json;

use crate::{Stage, installation};

/// The API group of roles.
const RBAC: &str = "rbac.authorization.k8s.io";

/// The Role, and the ClusterRole, of those who ask replicas by hand.
const CLIENT: &str = "portcullis-decisions-client";

/// How the API server names a service account of the test's namespace.
pub fn user(stage: &Stage, name: &str) -> String {
    format!("system:serviceaccount:{}:{name}", stage.namespace())
}

/// A token of a new service account, which may do everywhere what these `ClusterRole`s say.
pub async fn token(stage: &Stage, name: &str, roles: &[&str]) -> Result<String> {
    let account = json!({
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": name, "namespace": stage.namespace()},
    });
    stage.apply(&[account]).await?;
    if !roles.is_empty() {
        stage.may(&user(stage, name), roles).await?;
    }
    token_of(stage, name, &[]).await
}

/// Lets a service account reach the replicas through the API server.
pub async fn may_reach_replicas(stage: &Stage, name: &str) -> Result<()> {
    let namespace = stage.namespace();
    let there = json!({
        "apiVersion": format!("{RBAC}/v1"),
        "kind": "RoleBinding",
        "metadata": {"name": format!("{namespace}-{name}"), "namespace": installation::NAMESPACE},
        "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": CLIENT},
        "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
    });
    stage.apply(&[there]).await?;
    stage.may(&user(stage, name), &[CLIENT]).await
}

/// A token of a service account, as `kubectl create token` makes it with these arguments.
pub async fn token_of(stage: &Stage, name: &str, arguments: &[&str]) -> Result<String> {
    let token = ["create", "token", name, "--namespace", stage.namespace()];
    let token = [&token[..], arguments].concat();
    let ran = stage.cluster().kubectl(&token).await?.succeeded()?;
    Ok(ran.stdout.trim().to_owned())
}
