//! `portcullis operator`: the one that writes. All replicas follow the cluster, one leads.

use std::{net::SocketAddr, sync::Arc};

use anyhow::Context as _;
use portcullis_webhook::{Readiness, Shutdown, Transport, serve, status_router};
use tokio::task::JoinSet;

use super::{
    allowance::AllowanceArguments,
    process::{Signals, bind},
};
use crate::{
    archive::ArchiveArguments,
    cluster::{self, Extent, Mirror},
    leader::Election,
    reconcile::{Outreach, Reconciler, Settings},
};

/// Arguments of `portcullis operator`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Name of the installation, after which its objects are named.
    #[arg(long, env = "PORTCULLIS_NAME", default_value = "portcullis")]
    pub name: String,

    /// Namespace of the installation.
    #[arg(long, env = "POD_NAMESPACE")]
    pub namespace: String,

    /// Name of this replica, which no other has.
    #[arg(long, env = "POD_NAME")]
    pub pod: String,

    /// Namespaces in which nothing is judged at admission, beside the installation's own,
    /// `kube-system` and `kube-node-lease`.
    #[arg(
        long,
        value_name = "NAMESPACES",
        env = "PORTCULLIS_EXEMPT_NAMESPACES",
        value_delimiter = ','
    )]
    pub exempt_namespaces: Vec<String>,

    /// Address of the administrator's port: `/livez`, `/readyz`, `/metrics`.
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:8080")]
    pub admin: SocketAddr,

    /// The repository's name in events, as the webhook has it in paths.
    #[arg(long, default_value = "policies", env = "PORTCULLIS_REPOSITORY")]
    pub repository: String,

    /// Who is told of changes, and what is fetched. It exports nothing.
    #[command(flatten)]
    pub archives: ArchiveArguments,

    /// What policies are allowed. Nothing is evaluated here, and a policy that names other hosts is broken.
    #[command(flatten)]
    pub allowance: AllowanceArguments,
}

/// Follows, and leads when it can, until it is told to stop.
pub async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let Arguments {
        name,
        namespace,
        pod,
        exempt_namespaces,
        admin,
        repository,
        archives,
        allowance,
    } = arguments;
    let exempt = exempt_namespaces
        .iter()
        .map(|name| name.trim())
        .filter(|name| !name.is_empty());
    let settings = Settings::new(&name, &namespace, &pod, exempt.map(str::to_owned));
    let mut signals = Signals::take()?;
    let admin = bind(admin).await?;
    let (_, client) = cluster::connect().await?;

    let readiness = Readiness::new(cluster::SOURCES);
    let (cache, network) = allowance.open();
    let mirror = Mirror::new(cache, readiness.clone());
    let clerk = Arc::new(archives.clerk(&repository));
    // A key that cannot be used is told in the log, for the rest needs none.
    tokio::spawn(clerk.keyring().clone().follow());
    let outreach = Outreach {
        courier: Arc::new(archives.courier(&clerk)),
        fetcher: Arc::new(archives.fetcher(&clerk)),
        clerk,
    };
    let reconciler = Reconciler::new(client.clone(), mirror.clone(), settings, outreach, network);
    let metrics = {
        let (reconciler, mirror) = (reconciler.clone(), mirror.clone());
        move |text: &mut String| {
            reconciler.write_metrics(text);
            mirror.write_metrics(text);
        }
    };
    let (trigger, shutdown) = Shutdown::new();
    let mut tasks = JoinSet::new();
    let router = status_router(readiness, Arc::new(metrics));
    tasks.spawn(async move { serve(admin, router, Transport::Plain, shutdown).await });
    let mut sources = JoinSet::new();
    sources.spawn(cluster::follow(client.clone(), mirror, Extent::Cluster));

    let election = Election::new(client, &namespace, &format!("{name}-operator"), &pod);
    let election = election.run(
        |leadership| reconciler.clone().lead(leadership),
        signals.told_to_stop(),
    );
    tokio::select! {
        () = election => {}
        ended = tasks.join_next() => {
            ended.context("the administrator's port is closed")?.context("a server ended")??;
            anyhow::bail!("the administrator's port is closed");
        }
        ended = sources.join_next() => {
            ended.context("nothing is followed")?.context("a watch ended unexpectedly")?;
            anyhow::bail!("the watches ended unexpectedly");
        }
    }
    trigger.close();
    tasks.join_all().await;
    tracing::info!("stopped");
    Ok(())
}
