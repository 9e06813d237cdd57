//! Which cluster the tests use: the one that `E2E_KUBECONFIG` names, or the one of `e2e/cluster/up`.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use tokio::time::timeout;

use crate::programs::{self, Ran};

const HINT: &str = "hint: `make e2e` brings a cluster up and runs the tests on it; \
    `e2e/cluster/up` brings one up alone; E2E_KUBECONFIG names another one";

/// Longest time for a first answer of a cluster: one that is up answers in milliseconds.
const FIRST_ANSWER: Duration = Duration::from_secs(15);

/// Longest time for one request: the API server gives a webhook ten seconds, and may ask several.
const REQUEST: Duration = Duration::from_mins(1);

/// A cluster that answers.
#[derive(Clone)]
pub struct Cluster {
    kubeconfig: PathBuf,
    ours: bool,
    client: Client,
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = formatter.debug_struct("Cluster");
        shown
            .field("kubeconfig", &self.kubeconfig)
            .finish_non_exhaustive()
    }
}

impl Cluster {
    /// Connects, or says what is missing.
    pub async fn connect() -> Result<Self> {
        let own = state().join("kubeconfig");
        let named = std::env::var_os("E2E_KUBECONFIG").filter(|path| !path.is_empty());
        let kubeconfig = named.map_or_else(|| own.clone(), PathBuf::from);
        let there = kubeconfig.is_file();
        ensure!(
            there,
            "no cluster: there is no {}\n{HINT}",
            kubeconfig.display()
        );

        let client = client(&kubeconfig)
            .await
            .with_context(|| format!("{} is not usable\n{HINT}", kubeconfig.display()))?;
        let answer = timeout(FIRST_ANSWER, client.apiserver_version()).await;
        answer
            .context("no answer in time")
            .and_then(|answer| answer.context("no answer"))
            .with_context(|| {
                format!(
                    "the cluster of {} is not reachable\n{HINT}",
                    kubeconfig.display()
                )
            })?;
        Ok(Self {
            ours: same_file(&kubeconfig, &own),
            kubeconfig,
            client,
        })
    }

    /// The file that says how to reach it.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// A client with all rights.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// Whether its node is this machine, as `e2e/cluster/up` makes it.
    pub fn is_ours(&self) -> bool {
        self.ours
    }

    /// Runs `kubectl`; the error means that it could not be run.
    pub async fn kubectl(&self, arguments: &[&str]) -> Result<Ran> {
        self.kubectl_with(arguments, None).await
    }

    /// Runs `kubectl` with something on its standard input.
    pub async fn kubectl_with(&self, arguments: &[&str], input: Option<&str>) -> Result<Ran> {
        self.run("kubectl", arguments, input).await
    }

    /// Runs `helm`; the error means that it could not be run.
    pub async fn helm(&self, arguments: &[&str]) -> Result<Ran> {
        self.run("helm", arguments, None).await
    }

    async fn run(&self, name: &str, arguments: &[&str], input: Option<&str>) -> Result<Ran> {
        let kubeconfig = [OsStr::new("--kubeconfig"), self.kubeconfig.as_os_str()];
        let arguments = kubeconfig
            .into_iter()
            .chain(arguments.iter().map(OsStr::new));
        programs::run(&programs::program(name), arguments, input).await
    }
}

/// Where the end-to-end cluster keeps its files, as `e2e/cluster/settings.sh` says.
fn state() -> PathBuf {
    let named = std::env::var_os("E2E_STATE").filter(|path| !path.is_empty());
    named.map_or_else(|| programs::cache().join("cluster"), PathBuf::from)
}

fn same_file(one: &Path, other: &Path) -> bool {
    matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}

async fn client(kubeconfig: &Path) -> Result<Client> {
    let kubeconfig = Kubeconfig::read_from(kubeconfig)?;
    let mut config =
        Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    config.read_timeout = Some(REQUEST);
    Ok(Client::try_from(config)?)
}
