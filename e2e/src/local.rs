//! `portcullis serve` on this machine, on loopback, with a directory of manifests.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::{
    toolbox::{Answer, Ask},
    until,
    waiting::MINUTE,
};

/// A running `portcullis serve`; ends when it is dropped.
#[derive(Debug)]
pub struct Local {
    address: String,
    admin: String,
    process: Child,
    directory: TempDir,
}

impl Local {
    /// Serves these manifests, and waits until it is ready.
    pub async fn serve(manifests: &[Value]) -> Result<Self> {
        let directory = TempDir::new()?;
        let served = directory.path().join("served");
        std::fs::create_dir(&served)?;
        for (number, manifest) in manifests.iter().enumerate() {
            // JSON is YAML.
            std::fs::write(served.join(format!("{number}.yaml")), manifest.to_string())?;
        }
        Self::start(directory, Some(&served)).await
    }

    /// Serves the folder `served` of a directory, which is kept as long as the process runs.
    pub async fn serve_directory(directory: TempDir) -> Result<Self> {
        let served = directory.path().join("served");
        Self::start(directory, Some(&served)).await
    }

    /// Serves the policies that come with Portcullis.
    pub async fn serve_library() -> Result<Self> {
        Self::start(TempDir::new()?, None).await
    }

    async fn start(directory: TempDir, served: Option<&Path>) -> Result<Self> {
        let (address, admin) = (free_address()?, free_address()?);
        let binary = binary()?;
        let log = std::fs::File::create(directory.path().join("log.txt"))?;
        let process = Command::new(&binary)
            .arg("serve")
            .args(served)
            .arg("--locks")
            .arg(directory.path().join("locks"))
            .args(["--listen", &address, "--admin", &admin])
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot run {}", binary.display()))?;
        let local = Self {
            address,
            admin,
            process,
            directory,
        };
        until("`portcullis serve` is ready", MINUTE, async || {
            let answer = Ask::get(&local.url("/readiness")).ask().await;
            let answer = answer.with_context(|| format!("its log: {}", local.log()))?;
            ensure!(answer.status == 200, "{answer:?}; its log: {}", local.log());
            Ok(())
        })
        .await?;
        Ok(local)
    }

    /// The URL of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Where it answers evaluations: `127.0.0.1:12345`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Where it answers the administrator.
    pub fn admin(&self) -> &str {
        &self.admin
    }

    /// Asks it with a body.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Answer> {
        Ask::post(&self.url(path), body).ask().await
    }

    /// Its number as a process.
    pub fn process(&self) -> Option<u32> {
        self.process.id()
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log.txt")).unwrap_or_default()
    }
}

/// The binary under test: `E2E_BINARY`, or what cargo built beside these tests.
pub fn binary() -> Result<PathBuf> {
    if let Some(named) = std::env::var_os("E2E_BINARY").filter(|path| !path.is_empty()) {
        return Ok(named.into());
    }
    let executable = std::env::current_exe()?;
    // …/target/debug/deps/e2e-0123456789abcdef
    let target = executable
        .ancestors()
        .find(|path| path.join("release").is_dir());
    let built = target.map(|target| target.join("release/portcullis"));
    built.filter(|path| Path::is_file(path)).context(
        "there is no release build of `portcullis`; hint: make it with `make image`, or name one \
         with E2E_BINARY",
    )
}

/// A loopback address with a port that was free a moment ago.
fn free_address() -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").context("no free port")?;
    Ok(listener.local_addr()?.to_string())
}
