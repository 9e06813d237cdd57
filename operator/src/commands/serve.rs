//! `portcullis serve`: every door on the policies of a directory, without a cluster.

use std::{
    io::{self, IsTerminal as _, Write as _},
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Context as _;
use portcullis_policies::{Cache, Timestamp};
use portcullis_webhook::{
    Certificate, DecisionPath, DoorSettings, Doors, Evaluators, Readiness, Shutdown, Transport,
    Trigger, admin_router, admission_router, evaluation_router, serve,
};
use tokio::net::TcpListener;

use super::{
    access::{AccessArguments, Guards, Surroundings},
    allowance::AllowanceArguments,
    decision_log::{self, DecisionLogArguments},
    journal::JournalArguments,
    process::{Servers, Signals, bind},
};
use crate::{
    archive::{ArchiveArguments, Clerk, Importer},
    cluster::{CertificateFiles, follow_certificate},
    directory::{
        self, Access, DirectoryArchives, DirectorySchedules, DirectorySubscriptions,
        FetchedDocuments, Listener, LockGate, LockStore, Source, Status, Tree, policy_table,
        printable, problem_table,
    },
    network::Network,
    refresh::Refresher,
    subscriptions::Dispatcher,
};

/// Arguments of `portcullis serve`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// The directory of the policies; without it, the policies that come with portcullis.
    ///
    /// It holds the repository layout, `<group>/<name>/<version>/policy.rego`, or manifests of
    /// Policy, `ClusterPolicy` and their bindings, locks and exemptions, or both.
    #[arg(value_name = "DIR")]
    pub directory: Option<PathBuf>,

    /// Address on which evaluations and admission reviews are answered; several may be given.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8181")]
    pub listen: Vec<SocketAddr>,

    /// PEM file of the certificate chain for TLS 1.3 on the listeners, followed as it changes.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,

    /// PEM file of the certificate's private key.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,

    /// Listen without TLS on addresses that other machines can reach.
    #[arg(long)]
    pub insecure: bool,

    /// File with the bearer token that the lock endpoints and `/decisions/…` ask for. Without it they
    /// are open on loopback, and closed on every other address.
    #[arg(long, value_name = "FILE")]
    pub lock_token_file: Option<PathBuf>,

    /// What is exported and imported.
    #[command(flatten)]
    pub archives: ArchiveArguments,

    /// What all servers of a directory share.
    #[command(flatten)]
    pub server: ServerArguments,
}

/// Arguments of every server of a directory.
#[derive(Debug, clap::Args)]
pub struct ServerArguments {
    /// Folder in which locks made over HTTP are kept [default: DIR/locks, or
    /// `$XDG_STATE_HOME/portcullis/locks` without a DIR].
    #[arg(long, value_name = "DIR")]
    pub locks: Option<PathBuf>,

    /// Address of the administrator's port: `/livez`, `/readyz`, `/metrics`.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    pub admin: SocketAddr,

    /// The repository's name in paths: `/policy/<repository>/<group>/<name>/<version>/…`.
    #[arg(long, default_value = "policies")]
    pub repository: String,

    /// The path of the document that `POST /` answers, as OPA's `default_decision`.
    #[arg(long, value_name = "PATH", default_value_t = DecisionPath::default())]
    pub default_decision: DecisionPath,

    /// Threads that evaluate [default: one a processor, and at least 4].
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,

    /// What policies are allowed.
    #[command(flatten)]
    pub allowance: AllowanceArguments,

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

const EXAMPLES: &str = "\
Examples:
  portcullis serve
  portcullis serve ./policies
  portcullis serve ./policies --listen 127.0.0.1:9000 --admin 127.0.0.1:9001
  portcullis serve ./policies --listen 0.0.0.0:8181 --tls-cert tls.crt --tls-key tls.key \\
      --auth token --auth-token-file tokens --lock-token-file token

Then, with the policies that come with portcullis:
  curl -s http://127.0.0.1:8181/v1/policies
  curl -s http://127.0.0.1:8181/policy/services/authorization/1.0/evaluation -d \\
      '{\"subject\": {\"id\": \"alice\", \"roles\": [\"viewer\"]},
        \"action\": \"read\", \"resource\": {\"type\": \"document\", \"id\": \"42\"}}'";

/// Serves until it is told to stop.
pub async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let plan = Plan::of(arguments)?;
    serve_directory(plan).await
}

/// What is served, and how: arguments that were checked.
pub(super) struct Plan {
    pub tree: Tree,
    pub locks: PathBuf,
    /// Who may lock and read decisions.
    pub access: Access,
    /// Who may ask.
    pub guards: Guards,
    pub listen: Vec<SocketAddr>,
    pub certificate: Option<(CertificateFiles, Arc<Certificate>)>,
    pub admin: SocketAddr,
    pub repository: String,
    pub default_decision: DecisionPath,
    pub threads: Option<u16>,
    pub allowance: AllowanceArguments,
    pub journal: JournalArguments,
    pub decision_log: DecisionLogArguments,
    /// What is exported and imported.
    pub archives: ArchiveArguments,
    /// Whether admission reviews are answered, too.
    pub admission: bool,
}

impl Plan {
    fn of(arguments: Arguments) -> anyhow::Result<Self> {
        let Arguments {
            directory,
            server,
            listen,
            tls_cert,
            tls_key,
            insecure,
            lock_token_file,
            archives,
        } = arguments;
        let exposed = listen.iter().find(|address| !address.ip().is_loopback());
        let certificate = match tls_cert.zip(tls_key) {
            Some((chain, key)) => {
                let files = CertificateFiles { chain, key };
                let certificate = read_certificate(&files)?;
                Some((files, certificate))
            }
            None => None,
        };
        if let Some(address) = exposed
            && certificate.is_none()
            && !insecure
        {
            anyhow::bail!(
                "other machines can reach {address}, and there is no TLS: add `--tls-cert` and \
                 `--tls-key`, or `--insecure` if something in front of it does"
            );
        }
        let surroundings = Surroundings {
            listen: &listen,
            has_tls: certificate.is_some(),
            in_cluster: false,
        };
        let guards = server.access.plan(&surroundings)?.open(None)?;
        let access = match lock_token_file {
            Some(path) => Access::Token(read_token(&path)?),
            None if exposed.is_some() => Access::Closed,
            None => Access::Open,
        };
        let locks = match (server.locks, &directory) {
            (Some(folder), _) => folder,
            (None, Some(directory)) => directory.join("locks"),
            (None, None) => state_folder()?.join("locks"),
        };
        let tree = match directory {
            Some(root) => Tree::Disk {
                root,
                except: Some(locks.clone()),
            },
            None => Tree::Shipped,
        };
        Ok(Self {
            tree,
            locks,
            access,
            guards,
            listen,
            certificate,
            admin: server.admin,
            repository: server.repository,
            default_decision: server.default_decision,
            threads: server.threads,
            allowance: server.allowance,
            journal: server.journal,
            decision_log: server.decision_log,
            archives,
            admission: true,
        })
    }
}

/// Reads the policies, opens the doors, and keeps them open until it is told to stop.
pub(super) async fn serve_directory(plan: Plan) -> anyhow::Result<()> {
    let mut signals = Signals::take()?;
    let (cache, network) = plan.allowance.open();
    let readiness = Readiness::new([directory::SOURCE]);
    let locks = Arc::new(LockStore::open(plan.locks)?);
    let clerk = Arc::new(clerk(&plan.archives, &plan.repository)?);
    let courier = Arc::new(plan.archives.courier(&clerk));
    let fetcher = Arc::new(plan.archives.fetcher(&clerk));
    let subscriptions = DirectorySubscriptions::open(
        locks.folder(),
        cache.clone(),
        plan.access.clone(),
        courier.clone(),
    );
    let subscriptions = subscriptions?;
    // The addresses are taken first: a port that is in use is told at once.
    let listeners = bind_all(&plan.listen).await?;
    let admin = bind(plan.admin).await?;

    let listener = Box::new(Teller::default());
    let started = Source::start(
        plan.tree.clone(),
        cache.clone(),
        locks.clone(),
        fetching(network),
        readiness.clone(),
        listener,
    );
    // To read and compile everything may take a while.
    let (mut source, status) = tokio::select! {
        started = started => started?,
        () = signals.told_to_stop() => return Ok(()),
    };
    let certificate = plan.certificate.map(|(files, certificate)| {
        // What breaks is told in the log, and the certificate in use stays.
        tokio::spawn(follow_certificate(files, certificate.clone(), || {}));
        certificate
    });
    let decision_log = plan.decision_log.start(&cache, &plan.journal.redact)?;
    tokio::spawn(clerk.keyring().clone().follow());
    // What changed while nobody was here is told, too: everything has been read by now.
    tokio::spawn(Dispatcher::new(subscriptions.clone(), courier, cache.clone()).run(None));
    let archives = DirectoryArchives::new(clerk, cache.clone(), plan.access.clone(), &plan.tree);
    let archives = Arc::new(archives);
    let schedules = DirectorySchedules::open(
        locks.folder(),
        plan.access.clone(),
        fetcher.clone(),
        archives.clone(),
    );
    let schedules = schedules?;
    tokio::spawn(Importer::new(schedules.clone(), fetcher, cache.clone()).run(None));
    let gate = Arc::new(LockGate::new(locks, cache.clone(), plan.access));
    let doors = Doors::new(DoorSettings {
        cache: cache.clone(),
        evaluators: plan
            .threads
            .map_or_else(Evaluators::for_this_machine, |threads| {
                Evaluators::new(usize::from(threads))
            }),
        readiness: readiness.clone(),
        locks: gate.clone(),
        archives,
        schedules: Arc::new(schedules),
        subscriptions: Arc::new(subscriptions),
        readers: gate,
        others: None,
        journal: plan.journal.into(),
        decision_log: decision_log.clone(),
        resources: None,
        certificate: certificate.clone(),
        repository: plan.repository,
        default_decision: plan.default_decision,
    });

    let mut guards = plan.guards;
    for follow in guards.followers.drain(..) {
        // What breaks is told in the log, and what is in use stays.
        tokio::spawn(follow);
    }
    let (trigger, shutdown) = Shutdown::new();
    let (certificate, admission) = (certificate.as_ref(), plan.admission);
    let opened = open(
        listeners,
        admin,
        &doors,
        &guards,
        certificate,
        admission,
        &shutdown,
    );
    let (servers, urls) = opened?;
    if let Err(error) = announce(&cache, &status, &urls) {
        // Nobody reads it; who asks is answered all the same.
        tracing::warn!(%error, "failed to print what is served");
    }
    let ended = wait(signals, servers, &mut source, trigger, &readiness).await;
    decision_log::close(decision_log).await;
    ended
}

/// Opens the doors on each of these; with what is told of each.
fn open(
    listeners: Vec<TcpListener>,
    admin: TcpListener,
    doors: &Doors,
    guards: &Guards,
    certificate: Option<&Arc<Certificate>>,
    admission: bool,
    shutdown: &Shutdown,
) -> anyhow::Result<(Servers, Vec<String>)> {
    let mut servers = Servers::new();
    let mut urls = Vec::new();
    let scheme = certificate.map_or("http", |_| "https");
    for listener in listeners {
        urls.push(format!("evaluation: {scheme}://{}", listener.local_addr()?));
        let access = guards.access.clone();
        let mut router = access.guard(doors, evaluation_router(doors.clone()));
        if admission {
            // Only one of two routers that become one may say what an unknown route answers.
            router = router.merge(admission_router(doors.clone()).reset_fallback());
        }
        let transport = guards.transport(certificate.cloned());
        servers.spawn(serve(listener, router, transport, shutdown.clone()));
    }
    urls.push(format!("admin: http://{}", admin.local_addr()?));
    let router = admin_router(doors.clone());
    servers.spawn(serve(admin, router, Transport::Plain, shutdown.clone()));
    Ok((servers, urls))
}

/// Documents that are fetched for policies from now on; nothing waits for them.
fn fetching(network: Arc<Network>) -> Arc<FetchedDocuments> {
    let fetched = Arc::new(FetchedDocuments::default());
    let progress = fetched.progress();
    tokio::spawn(Refresher::new(fetched.clone(), network, progress).run());
    fetched
}

async fn bind_all(addresses: &[SocketAddr]) -> anyhow::Result<Vec<TcpListener>> {
    let mut listeners = Vec::new();
    for address in addresses {
        listeners.push(bind(*address).await?);
    }
    Ok(listeners)
}

/// Waits until it is told to stop or a server ends, then ends the servers gracefully.
async fn wait(
    mut signals: Signals,
    mut servers: Servers,
    source: &mut Source,
    trigger: Trigger,
    readiness: &Readiness,
) -> anyhow::Result<()> {
    let early = tokio::select! {
        () = signals.told_to_stop() => None,
        ended = servers.join_next() => ended,
        () = source.ended() => {
            // What is in force would never change again, locks included.
            anyhow::bail!("the directory is not followed any more");
        }
    };
    // Nobody routes to this process but whoever calls it, so there is no grace to wait for.
    trigger.shut_down(readiness, Duration::ZERO).await;
    for ended in early
        .into_iter()
        .chain(servers.join_all().await.into_iter().map(Ok))
    {
        ended.context("a server ended unexpectedly")??;
    }
    tracing::info!("stopped");
    Ok(())
}

fn announce(cache: &Cache, status: &Status, urls: &[String]) -> io::Result<()> {
    tell_problems(status);
    for note in &status.notes {
        tracing::info!("{}", printable(note).trim_end());
    }
    let mut out = io::stdout().lock();
    write!(
        out,
        "{}",
        policy_table(&cache.snapshot(), status, Timestamp::now())
    )?;
    writeln!(out)?;
    for url in urls {
        writeln!(out, "{url}")?;
    }
    out.flush()
}

/// Tells what happens to a directory.
struct Teller {
    begun: Instant,
    /// Seconds after the start at which progress was last told.
    told: AtomicU64,
}

impl Default for Teller {
    fn default() -> Self {
        Self {
            begun: Instant::now(),
            told: AtomicU64::new(0),
        }
    }
}

impl Listener for Teller {
    /// Once a second, so that a short start says nothing.
    fn progress(&self, read: usize, of: usize) {
        let second = self.begun.elapsed().as_secs();
        if self.told.swap(second, Ordering::Relaxed) != second {
            tracing::info!("compiled {read} of {of}");
        }
    }

    fn changed(&self, status: &Status) {
        if status.problems.is_empty() {
            tracing::info!("the directory changed; all of it is in force");
        } else {
            tracing::error!(
                problems = status.problems.len(),
                "the directory has problems"
            );
            tell_problems(status);
        }
    }
}

/// Prints the problems for people, where people read, and logs them where programs do.
fn tell_problems(status: &Status) {
    if status.problems.is_empty() {
        return;
    }
    if io::stderr().is_terminal() {
        // Nothing is left to tell it to when standard error is closed.
        let _ = write!(io::stderr(), "{}", problem_table(&status.problems));
        return;
    }
    for problem in &status.problems {
        tracing::error!("{}", printable(&problem.to_string()).trim_end());
    }
}

fn read_certificate(files: &CertificateFiles) -> anyhow::Result<Arc<Certificate>> {
    let CertificateFiles { chain, key } = files;
    let read = |path: &PathBuf| {
        std::fs::read(path).with_context(|| format!("failed to read `{}`", path.display()))
    };
    let certificate = Certificate::empty();
    certificate
        .install(&read(chain)?, &read(key)?)
        .with_context(|| format!("cannot use `{}` with `{}`", chain.display(), key.display()))?;
    Ok(certificate)
}

/// A key that cannot be used is told at once, and not when somebody asks for an archive.
fn clerk(arguments: &ArchiveArguments, repository: &str) -> anyhow::Result<Clerk> {
    let clerk = arguments.clerk(repository);
    match clerk.keyring().look().into_iter().next() {
        Some(fault) => Err(fault.into()),
        None => Ok(clerk),
    }
}

fn read_token(path: &PathBuf) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("failed to read `{}`", path.display()))?;
    let token = text.trim();
    // Shorter ones can be guessed over a network.
    anyhow::ensure!(
        token.len() >= 16,
        "the token in `{}` is shorter than 16 characters",
        path.display()
    );
    Ok(token.to_owned())
}

/// Where this user's programs keep state: `$XDG_STATE_HOME`, or `~/.local/state`.
fn state_folder() -> anyhow::Result<PathBuf> {
    let absolute = |name: &str| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let state = absolute("XDG_STATE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".local/state")))
        .context("neither XDG_STATE_HOME nor HOME is set: choose a folder with `--locks`")?;
    Ok(state.join("portcullis"))
}

#[cfg(test)]
mod tests;
