//! `portcullis sidecar`: the evaluation API on loopback, beside a workload.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use portcullis_webhook::{
    DoorSettings, Doors, Evaluators, NoArchives, NoSchedules, NoSubscriptions, Readiness, Shutdown,
    Transport, admin_router, evaluation_router, serve,
};
use tokio::task::JoinSet;

use super::{
    access::Surroundings,
    decision_log,
    process::{Signals, bind, run_until_told},
    serve::{Plan, ServerArguments, serve_directory},
};
use crate::{
    archive::ArchiveArguments,
    cluster::{self, ClusterLocks, ClusterReaders, Extent, Mirror},
    directory::{Access, Tree},
};

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
    let surroundings = Surroundings {
        listen: &[listen],
        has_tls: false,
        in_cluster: policies.is_none(),
    };
    match policies {
        Some(root) => {
            let guards = server.access.plan(&surroundings)?.open(None)?;
            let locks = server.locks.unwrap_or_else(|| root.join("locks"));
            let plan = Plan {
                tree: Tree::Disk {
                    root,
                    except: Some(locks.clone()),
                },
                locks,
                access: Access::Open,
                guards,
                listen: vec![listen],
                certificate: None,
                admin: server.admin,
                repository: server.repository,
                default_decision: server.default_decision,
                threads: server.threads,
                allowance: server.allowance,
                journal: server.journal,
                decision_log: server.decision_log,
                archives: ArchiveArguments::default(),
                admission: false,
            };
            serve_directory(plan).await
        }
        None => follow_cluster(listen, server, &surroundings).await,
    }
}

/// Follows the cluster with the Pod's own service account. Locks are made and removed in the
/// cluster, with the caller's own token.
async fn follow_cluster(
    listen: SocketAddr,
    server: ServerArguments,
    surroundings: &Surroundings<'_>,
) -> anyhow::Result<()> {
    anyhow::ensure!(
        server.locks.is_none(),
        "`--locks` belongs to `--policies`: a sidecar that follows the cluster keeps no locks"
    );
    let access = server.access.plan(surroundings)?;
    let signals = Signals::take()?;
    // The addresses are taken first: a port that is in use is told at once.
    let evaluation = bind(listen).await?;
    let admin = bind(server.admin).await?;
    let (config, client) = cluster::connect().await?;
    let guards = access.open(Some(&client))?;
    let extent = Extent::Namespace(config.default_namespace.clone());
    let cache = server.allowance.cache();
    let readiness = Readiness::new(cluster::SOURCES);
    let mirror = Mirror::new(cache.clone(), readiness.clone());
    let threads = server.threads.map(usize::from);
    let decision_log = server.decision_log.start(&cache, &server.journal.redact)?;
    let doors = Doors::new(DoorSettings {
        cache,
        evaluators: threads.map_or_else(Evaluators::for_this_machine, Evaluators::new),
        readiness: readiness.clone(),
        locks: Arc::new(ClusterLocks::new(config.clone(), mirror.clone())),
        archives: Arc::new(NoArchives),
        schedules: Arc::new(NoSchedules),
        subscriptions: Arc::new(NoSubscriptions),
        readers: Arc::new(ClusterReaders::new(config)),
        // Each sidecar answers one workload.
        others: None,
        journal: server.journal.into(),
        decision_log: decision_log.clone(),
        resources: None,
        certificate: None,
        repository: server.repository,
        default_decision: server.default_decision,
    });

    let (trigger, shutdown) = Shutdown::new();
    let mut servers = JoinSet::new();
    let router = evaluation_router(doors.clone());
    let router = guards.access.guard(&doors, router);
    servers.spawn(serve(
        evaluation,
        router,
        Transport::Plain,
        shutdown.clone(),
    ));
    servers.spawn(serve(
        admin,
        admin_router(doors),
        Transport::Plain,
        shutdown,
    ));
    let mut sources = JoinSet::new();
    sources.spawn(cluster::follow(client, mirror, extent));
    for follow in guards.followers {
        sources.spawn(follow);
    }
    tracing::info!(evaluation = %listen, "the sidecar answers as soon as the cluster is read");
    // The workload ended before its sidecar is told to, so there is no grace to wait for.
    let ended = run_until_told(
        signals,
        servers,
        sources,
        trigger,
        &readiness,
        Duration::ZERO,
    )
    .await;
    decision_log::close(decision_log).await;
    ended
}
