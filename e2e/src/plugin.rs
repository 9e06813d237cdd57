//! `kubectl portcullis`, as a user has it: the binary under test, found by `kubectl` as its plugin.

use std::{
    ffi::OsStr,
    iter,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    Cluster, local, manifests,
    programs::{self, Ran},
};

/// A user who has `kubectl` with our plugin, and a folder of files.
#[derive(Debug)]
pub struct User {
    directory: TempDir,
}

impl User {
    /// A user of a cluster who has this token and nothing else.
    pub fn with_token(cluster: &Cluster, token: &str) -> Result<Self> {
        Self::with(cluster, &json!({"token": token}))
    }

    /// A user of a cluster whose kubeconfig does not say who asks.
    pub fn without_token(cluster: &Cluster) -> Result<Self> {
        Self::with(cluster, &json!({}))
    }

    fn with(cluster: &Cluster, credentials: &Value) -> Result<Self> {
        let directory = TempDir::new()?;
        let text = std::fs::read_to_string(cluster.kubeconfig())?;
        let mut kubeconfig = manifests::parse(&text)?;
        let kubeconfig = kubeconfig.first_mut().context("the kubeconfig is empty")?;
        let users = kubeconfig["users"].as_array_mut();
        for user in users.context("the kubeconfig names no user")? {
            user["user"] = credentials.clone();
        }
        // JSON is YAML.
        std::fs::write(directory.path().join("config"), kubeconfig.to_string())?;
        let binary = local::binary()?.canonicalize()?;
        std::os::unix::fs::symlink(binary, directory.path().join("kubectl-portcullis"))?;
        Ok(Self { directory })
    }

    /// Writes a file, and says where it is.
    pub fn file(&self, name: &str, text: &str) -> Result<String> {
        let path = self.directory.path().join(name);
        std::fs::write(&path, text)?;
        Ok(path.display().to_string())
    }

    /// Runs `kubectl portcullis`; the error means that it could not be run.
    pub async fn portcullis(&self, arguments: &[&str]) -> Result<Ran> {
        let folder = self.directory.path();
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = iter::once(folder.to_owned()).chain(std::env::split_paths(&path));
        let path = std::env::join_paths(folders)?;
        let kubeconfig: PathBuf = folder.join("config");
        let environment: [(&str, &OsStr); 2] =
            [("PATH", &path), ("KUBECONFIG", kubeconfig.as_os_str())];
        let arguments = iter::once("portcullis").chain(arguments.iter().copied());
        let kubectl: &Path = &programs::program("kubectl");
        programs::run_with(kubectl, arguments, None, &environment).await
    }
}
