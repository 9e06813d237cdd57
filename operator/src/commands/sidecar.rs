//! `portcullis sidecar`: the evaluation API on loopback, beside a workload.

use std::{net::SocketAddr, path::PathBuf};

use super::serve::{Plan, ServerArguments, serve_directory};
use crate::directory::{Access, Tree};

/// Arguments of `portcullis sidecar`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// A mounted directory of policies; without it, the cluster's policies and those of the Pod's
    /// own namespace are followed with the Pod's service account.
    #[arg(long, value_name = "DIR")]
    pub policies: Option<PathBuf>,

    /// Address on which evaluations are answered; it has to be on loopback.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8181")]
    pub listen: SocketAddr,

    /// What all servers of a directory share.
    #[command(flatten)]
    pub server: ServerArguments,
}

const EXAMPLES: &str = "\
Examples:
  portcullis sidecar
  portcullis sidecar --policies /etc/portcullis --locks /var/lib/portcullis/locks";

/// Answers until it is told to stop.
pub async fn run(arguments: Arguments) -> anyhow::Result<()> {
    anyhow::ensure!(
        arguments.listen.ip().is_loopback(),
        "a sidecar answers its own Pod only: {} is not on loopback",
        arguments.listen
    );
    let Arguments {
        policies,
        listen,
        server,
    } = arguments;
    match policies {
        Some(root) => {
            let locks = server.locks.unwrap_or_else(|| root.join("locks"));
            let plan = Plan {
                tree: Tree::Disk {
                    root,
                    except: Some(locks.clone()),
                },
                locks,
                access: Access::Open,
                listen: vec![listen],
                certificate: None,
                admin: server.admin,
                repository: server.repository,
                threads: server.threads,
                admission: false,
            };
            serve_directory(plan).await
        }
        None => follow_cluster(listen, server).await,
    }
}

/// Follows the cluster with the Pod's own service account.
async fn follow_cluster(_listen: SocketAddr, _server: ServerArguments) -> anyhow::Result<()> {
    anyhow::bail!("watching the cluster is not built yet: give `--policies`")
}
