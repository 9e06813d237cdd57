//! `portcullis webhook`: admission and evaluation in a cluster, replicated, reading only.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use portcullis_webhook::{
    Certificate, DecisionPath, DoorSettings, Doors, Evaluators, OtherReplicas, Readiness, Shutdown,
    Transport, admin_router, admission_router, evaluation_router, serve,
};
use tokio::task::JoinSet;

use super::{
    access::{AccessArguments, Surroundings},
    allowance::AllowanceArguments,
    decision_log::{self, DecisionLogArguments},
    journal::JournalArguments,
    process::{Signals, bind, run_until_told},
};
use crate::{
    archive::ArchiveArguments,
    cluster::{
        self, CertificateFiles, ClusterArchives, ClusterLocks, ClusterReaders, ClusterReplicas,
        ClusterSchedules, ClusterSubscriptions, Extent, Mirror,
    },
    review::Reviewer,
};

/// Time for which a replica that is about to end goes on to accept: until every node has heard
/// that its endpoint is gone. With the 15 s that servers give requests under way it is done within
/// 25 s, of the 45 s that the chart grants.
const GRACE: Duration = Duration::from_secs(10);

/// Arguments of `portcullis webhook`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Name of the installation, by which its replicas find each other.
    #[arg(long, env = "PORTCULLIS_NAME", default_value = "portcullis")]
    pub name: String,

    /// Namespace of the installation. Without it, other replicas are not asked for results that they
    /// keep.
    #[arg(long, env = "POD_NAMESPACE")]
    pub namespace: Option<String>,

    /// Folder of the certificate, `tls.crt` and `tls.key`, which is followed as it changes, and of its
    /// authority, `ca.crt`.
    #[arg(long, value_name = "DIR", env = "PORTCULLIS_TLS_DIR")]
    pub tls_dir: PathBuf,

    /// Address on which the API server is answered, with TLS.
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:8443")]
    pub admission: SocketAddr,

    /// Address on which evaluations are answered, with TLS.
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:8181")]
    pub evaluation: SocketAddr,

    /// Address of the administrator's port: `/livez`, `/readyz`, `/metrics`.
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:8080")]
    pub admin: SocketAddr,

    /// The repository's name in paths: `/policy/<repository>/<group>/<name>/<version>/…`.
    #[arg(long, default_value = "policies", env = "PORTCULLIS_REPOSITORY")]
    pub repository: String,

    /// The path of the document that `POST /` answers, as OPA's `default_decision`.
    #[arg(long, value_name = "PATH", default_value_t = DecisionPath::default(), env = "PORTCULLIS_DEFAULT_DECISION")]
    pub default_decision: DecisionPath,

    /// Threads that evaluate [default: one a processor, and at least 4].
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,

    /// What policies are allowed.
    #[command(flatten)]
    pub allowance: AllowanceArguments,

    /// What is exported and imported.
    #[command(flatten)]
    pub archives: ArchiveArguments,

    /// What is remembered.
    #[command(flatten)]
    pub journal: JournalArguments,

    /// What is logged.
    #[command(flatten)]
    pub decision_log: DecisionLogArguments,

    /// Who may ask.
    #[command(flatten)]
    pub access: AccessArguments,
}

/// Answers until it is told to stop.
pub async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let access = arguments.access.plan(&Surroundings {
        listen: &[arguments.evaluation],
        has_tls: true,
        in_cluster: true,
    })?;
    let signals = Signals::take()?;
    // The addresses are taken first: a port that is in use is told at once.
    let admission = bind(arguments.admission).await?;
    let evaluation = bind(arguments.evaluation).await?;
    let admin = bind(arguments.admin).await?;
    let (config, client) = cluster::connect().await?;
    let guards = access.open(Some(&client))?;

    let cache = arguments.allowance.cache();
    let readiness = Readiness::new(cluster::SOURCES.into_iter().chain([cluster::CERTIFICATE]));
    let mirror = Mirror::new(cache.clone(), readiness.clone());
    let certificate = Certificate::empty();
    let others = arguments.namespace.as_deref().map(|namespace| {
        let (name, folder) = (&arguments.name, &arguments.tls_dir);
        let others = ClusterReplicas::new(name, namespace, folder, certificate.clone());
        Arc::new(others) as Arc<dyn OtherReplicas>
    });
    let threads = arguments.threads.map(usize::from);
    let redact = &arguments.journal.redact;
    let decision_log = arguments.decision_log.start(&cache, redact)?;
    let clerk = Arc::new(arguments.archives.clerk(&arguments.repository));
    let courier = Arc::new(arguments.archives.courier(&clerk));
    let fetcher = Arc::new(arguments.archives.fetcher(&clerk));
    // A key that cannot be used is told in the log, for admission needs none.
    tokio::spawn(clerk.keyring().clone().follow());
    let doors = Doors::new(DoorSettings {
        cache: cache.clone(),
        evaluators: threads.map_or_else(Evaluators::for_this_machine, Evaluators::new),
        readiness: readiness.clone(),
        locks: Arc::new(ClusterLocks::new(config.clone(), mirror.clone())),
        archives: Arc::new(ClusterArchives::new(clerk, config.clone(), mirror.clone())),
        schedules: Arc::new(ClusterSchedules::new(config.clone(), fetcher)),
        subscriptions: Arc::new(ClusterSubscriptions::new(config.clone(), courier)),
        readers: Arc::new(ClusterReaders::new(config)),
        others,
        journal: arguments.journal.into(),
        decision_log: decision_log.clone(),
        resources: Some(Arc::new(Reviewer::new(cache))),
        certificate: Some(certificate.clone()),
        repository: arguments.repository,
        default_decision: arguments.default_decision,
    });

    let (trigger, shutdown) = Shutdown::new();
    let tls = Transport::Tls(certificate.clone());
    let evaluated = guards.transport(Some(certificate.clone()));
    let mut servers = JoinSet::new();
    servers.spawn(serve(
        admission,
        admission_router(doors.clone()),
        tls,
        shutdown.clone(),
    ));
    let router = evaluation_router(doors.clone());
    servers.spawn(serve(
        evaluation,
        guards.access.guard(&doors, router),
        evaluated,
        shutdown.clone(),
    ));
    servers.spawn(serve(
        admin,
        admin_router(doors),
        Transport::Plain,
        shutdown,
    ));
    let mut sources = JoinSet::new();
    sources.spawn(cluster::follow(client, mirror, Extent::Cluster));
    for follow in guards.followers {
        sources.spawn(follow);
    }
    let synced = readiness.clone();
    sources.spawn(cluster::follow_certificate(
        CertificateFiles::mounted(&arguments.tls_dir),
        certificate,
        move || synced.set_synced(cluster::CERTIFICATE),
    ));
    tracing::info!(
        admission = %arguments.admission,
        evaluation = %arguments.evaluation,
        admin = %arguments.admin,
        "the webhook answers as soon as the cluster is read"
    );

    let ended = run_until_told(signals, servers, sources, trigger, &readiness, GRACE).await;
    decision_log::close(decision_log).await;
    ended
}
