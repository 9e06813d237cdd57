//! Where a command by hand leads: to a server, or to the cluster that `kubectl` uses.

use std::{path::PathBuf, time::Duration};

use anyhow::anyhow;
use kube::Client;

use crate::{
    client::{Failure, Server, ServerArguments, Timeout, wait},
    cluster::{chain, connect_to},
    presentation::time,
};

/// The server or the cluster.
#[derive(Clone, Debug, clap::Args)]
pub struct DoorArguments {
    /// How long somebody waits.
    #[command(flatten)]
    pub timeout: Timeout,

    /// The server.
    #[command(flatten)]
    pub server: ServerArguments,

    /// The cluster.
    #[command(flatten)]
    pub cluster: ClusterArguments,
}

/// The cluster that is asked where no server is.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Cluster")]
pub struct ClusterArguments {
    /// The kubeconfig that says how the cluster is reached. Without `--url` it is the cluster that
    /// `kubectl` uses.
    #[arg(long, value_name = "FILE", conflicts_with = "url")]
    pub kubeconfig: Option<PathBuf>,

    /// The context of the kubeconfig, in the place of the current one.
    #[arg(long, value_name = "NAME", conflicts_with = "url")]
    pub context: Option<String>,
}

/// Who is asked.
pub(super) enum Door {
    Server(Server),
    Cluster(Client),
}

impl DoorArguments {
    /// Does something there, as long as somebody waits.
    pub(super) fn run<T>(
        &self,
        work: impl AsyncFnOnce(Door) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        wait(async {
            let done = async { work(self.open().await?).await };
            let done = tokio::time::timeout(self.timeout.timeout, done).await;
            done.unwrap_or_else(|_| Err(late(self.timeout.timeout)))
        })?
    }

    async fn open(&self) -> Result<Door, Failure> {
        if let Some(server) = self.server.open(self.timeout.timeout)? {
            return Ok(Door::Server(server));
        }
        let ClusterArguments {
            kubeconfig,
            context,
        } = &self.cluster;
        let connected = connect_to(kubeconfig.as_deref(), context.as_deref()).await;
        let (_, client) = connected.map_err(|fault| {
            anyhow!(
                "there is no cluster to ask: {}\n  → `--url URL` asks a server in its place",
                chain(&fault)
            )
        })?;
        Ok(Door::Cluster(client))
    }
}

fn late(patience: Duration) -> Failure {
    Failure::Unknown(anyhow!(
        "it was not done within {}\n  → `--timeout TIME` waits longer",
        time(patience)
    ))
}
