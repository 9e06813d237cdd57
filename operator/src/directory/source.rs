//! The thread that reads a directory and follows its changes.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::Duration,
};

use portcullis_policies::{Cache, Conflict, Diagnostic, Exemption, Timestamp};
use portcullis_webhook::{Readiness, STACK_BYTES};
use tokio::sync::oneshot;

use super::{
    fetched::FetchedDocuments,
    loader::{Loader, Status},
    locks::LockStore,
    report::{Meanwhile, Problem, problem_table},
    tree::{Tree, TreeFault},
};

/// Time between two looks. A change is taken at the second look that sees it, so within two of
/// these.
const INTERVAL: Duration = Duration::from_secs(1);

/// Most problems that the administrator's port tells: the log has them all.
const MAX_REMARKS: usize = 20;

/// The name of this source in readiness reports.
pub const SOURCE: &str = "directory";

/// A directory that is followed until this is dropped.
#[derive(Debug)]
pub struct Source {
    /// Tells the thread to end, by being dropped.
    _stop: mpsc::Sender<()>,
    /// Tells that the thread ended, by its other half being dropped.
    ended: oneshot::Receiver<Infallible>,
}

/// Who hears of what happens. Called on the thread of the source.
pub trait Listener: Send {
    /// Units that were read so far, of all, during the start.
    fn progress(&self, read: usize, of: usize);
    /// What is in force has changed, or what is wrong has.
    fn changed(&self, status: &Status);
}

/// Why a directory cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum SourceFault {
    /// It cannot be read.
    #[error(transparent)]
    Tree(#[from] TreeFault),
    /// It has no policy.
    #[error(
        "the directory holds no policy: expected <group>/<name>/<version>/policy.rego, or manifests \
         of Policy or ClusterPolicy{}",
        passed_over(.0)
    )]
    Empty(Vec<String>),
    /// Part of it cannot be read, and what that part holds is not known.
    #[error("{} cannot be read, so what is in force is not known\n{}", parts(.0), problem_table(.0).trim_end())]
    Lost(Vec<Problem>),
    /// The thread could not be started, or ended.
    #[error("the thread that reads the directory ended")]
    Thread,
}

impl Source {
    /// Reads a directory, puts it in force, and follows it, with what is fetched for its policies.
    pub async fn start(
        tree: Tree,
        cache: Arc<Cache>,
        locks: Arc<LockStore>,
        fetched: Arc<FetchedDocuments>,
        readiness: Readiness,
        listener: Box<dyn Listener>,
    ) -> Result<(Self, Status), SourceFault> {
        let (started, start) = oneshot::channel();
        let (stop, stopped) = mpsc::channel();
        let (alive, ended) = oneshot::channel();
        let work = move || {
            let _alive = alive;
            let loader = Loader::start(tree, cache.allowance(), &|read, of| {
                listener.progress(read, of);
            });
            let mut loader = match loader {
                Ok(loader) => loader,
                // Who waits for it has gone away, or takes it.
                Err(fault) => return drop(started.send(Err(fault))),
            };
            loader.fetch_with(fetched);
            loader.publish(&cache, &locks);
            let mut status = whole(loader.status(), &locks, &cache);
            readiness.set_remarks(remarks(&status));
            readiness.set_synced(SOURCE);
            if started.send(Ok(status.clone())).is_err() {
                return;
            }
            while stopped.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
                let looked = loader.look();
                if matches!(looked, Ok(true)) {
                    loader.publish(&cache, &locks);
                }
                if looked.is_ok() {
                    readiness.note_alive(SOURCE);
                }
                let changed = locks.refresh(&cache) || matches!(looked, Ok(true));
                let now = whole(loader.status(), &locks, &cache);
                if changed || now != status {
                    readiness.set_remarks(remarks(&now));
                    listener.changed(&now);
                    status = now;
                }
            }
        };
        // The compiler follows a policy's nesting, as an evaluation does.
        let named = thread::Builder::new()
            .name("directory".to_owned())
            .stack_size(STACK_BYTES);
        named.spawn(work).map_err(|_| SourceFault::Thread)?;
        let status = start.await.map_err(|_| SourceFault::Thread)??;
        Ok((Self { _stop: stop, ended }, status))
    }

    /// Resolves when the directory is not followed any more, which nothing but a fault of this
    /// program brings about.
    pub async fn ended(&mut self) {
        // Nothing is ever sent.
        let _ = (&mut self.ended).await;
    }
}

/// What is wrong with the files, with the locks, and between objects.
fn whole(mut status: Status, locks: &LockStore, cache: &Cache) -> Status {
    status.problems.extend(locks.problems());
    let taken = |conflict: &Conflict| {
        let message = format!(
            "the address {} is held by {}",
            conflict.address, conflict.holder
        );
        Problem {
            origin: conflict.other.to_string(),
            diagnostic: Diagnostic::new("address_taken", message)
                .with_remedy("give one of the two another version, or remove it"),
            meanwhile: Meanwhile::Nothing,
        }
    };
    let snapshot = cache.snapshot();
    status
        .problems
        .extend(snapshot.conflicts().iter().map(taken));
    let (now, longest) = (Timestamp::now(), cache.allowance().longest_exemption);
    let too_long = |exemption: &Arc<Exemption>| {
        let fault = exemption.excess(now, longest)?;
        Some(Problem {
            origin: exemption.key().to_string(),
            diagnostic: fault,
            meanwhile: Meanwhile::NotExempt,
        })
    };
    let too_long = snapshot.exemptions().iter().filter_map(too_long);
    status.problems.extend(too_long);
    status
}

/// What the administrator's port tells: one line a problem, of the first ones.
fn remarks(status: &Status) -> Vec<String> {
    let problems = status.problems.iter().take(MAX_REMARKS);
    let mut remarks: Vec<String> = problems.map(Problem::line).collect();
    let more = status.problems.len().saturating_sub(MAX_REMARKS);
    if more > 0 {
        remarks.push(format!("and {more} more"));
    }
    remarks
}

fn passed_over(notes: &[String]) -> String {
    notes.iter().flat_map(|note| ["\n  ", note]).collect()
}

fn parts(problems: &[Problem]) -> String {
    match problems {
        [one] => format!("`{}`", one.origin),
        several => format!("{} parts of the directory", several.len()),
    }
}
