//! Service accounts of the tests, and their tokens.

use anyhow::Result;
use serde_json::json;

use crate::Stage;

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

/// A token of a service account, as `kubectl create token` makes it with these arguments.
pub async fn token_of(stage: &Stage, name: &str, arguments: &[&str]) -> Result<String> {
    let token = ["create", "token", name, "--namespace", stage.namespace()];
    let token = [&token[..], arguments].concat();
    let ran = stage.cluster().kubectl(&token).await?.succeeded()?;
    Ok(ran.stdout.trim().to_owned())
}
