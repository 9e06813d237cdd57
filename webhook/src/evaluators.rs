//! The threads that evaluate.
//!
//! Evaluation is work of the processor, so it has threads of its own and never runs on the
//! reactor. A caller waits no longer than its deadline: a job that is late is abandoned, one that
//! nobody waits for any more is not begun, and where those before it would take too long the caller
//! hears it at once.
//!
//! Jobs of admission go first, and one thread is left to them, so that no number of evaluations
//! keeps a cluster from admitting. Those of the policies of namespaces come next: each namespace has a
//! line and a share of the threads of its own, so that none keeps another one from admitting.
//!
//! A thread that does not come back from its job is replaced, whenever a job comes or somebody asks
//! how the threads are; see [`roll`].

mod lane;
mod pace;
mod roll;
mod tenants;

use std::{
    collections::{BTreeSet, VecDeque},
    fmt,
    num::NonZero,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use portcullis_policies::Point;
use tokio::sync::oneshot;

pub(crate) use lane::Lane;
use pace::Pace;
use roll::{Roll, Subject};
use tenants::Tenants;

/// Stack of each thread that evaluates, in bytes. Deep rules recurse in the interpreter; with the usual 2 MiB a chain of
/// five hundred rules ends the process. The memory is only reserved until it is used.
pub const STACK_BYTES: usize = 64 << 20;

/// Jobs that may wait, for each thread and each kind of job. Reading and judging a usual request
/// takes about a millisecond, so this is a quarter of a second of usual work, and more of them only
/// take memory.
const WAITING_PER_THREAD: usize = 256;

/// Jobs that may wait whatever the pace was until now, for each thread: from them it is known how it
/// is now. They take a second at most, if each uses up the default limit of 250 ms.
const ALWAYS_WAITING_PER_THREAD: usize = 4;

/// The part of its time that a job may be expected to wait. The rest is for the job itself, and for
/// what the estimate does not see.
const WAITING_SHARE: u32 = 2;

/// Threads of a small machine. One is left to admissions: two evaluations that use up all of their
/// time leave one thread to the others, which takes turns with them on the processors.
const FEWEST: usize = 4;

/// Threads with large stacks and a bounded queue. Cheap to clone; the threads end with the last
/// clone.
#[derive(Clone)]
pub struct Evaluators(Arc<Pool>);

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unanswered {
    /// The queue is full, or too long for the deadline.
    #[error("there was no room to evaluate")]
    Overloaded,
    /// The deadline passed.
    #[error("the evaluation did not end in time")]
    Late,
    /// The job panicked.
    #[error("the evaluation ended unexpectedly")]
    Failed,
}

/// Ends the threads when it is dropped.
struct Pool {
    shared: Arc<Shared>,
}

struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
    threads: usize,
}

struct Queue {
    admissions: Line,
    tenants: Tenants,
    evaluations: Line,
    roll: Roll,
    closed: bool,
}

/// Jobs of one kind that wait, first come first served.
#[derive(Default)]
struct Line {
    jobs: VecDeque<Job>,
    pace: Pace,
}

/// What a thread is to do, and until when somebody waits for it.
struct Job {
    deadline: Instant,
    subject: Subject,
    work: Box<dyn FnOnce() + Send>,
}

/// How the threads are.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Health {
    /// Threads that do not come back from their job.
    pub(crate) stuck: usize,
    /// Why this process may not be asked any more, if so: too many threads are stuck.
    pub(crate) exhausted: Option<String>,
    /// Whether it is beyond hope that they come back in time.
    pub(crate) lost: bool,
}

impl Evaluators {
    /// Starts this many threads, and at least two.
    pub fn new(threads: usize) -> Self {
        let threads = threads.max(2);
        let queue = Queue {
            admissions: Line::default(),
            tenants: Tenants::default(),
            evaluations: Line::default(),
            roll: Roll::new(threads),
            closed: false,
        };
        let shared = Arc::new(Shared {
            queue: Mutex::new(queue),
            changed: Condvar::new(),
            threads,
        });
        shared.look_after(Instant::now());
        Self(Arc::new(Pool { shared }))
    }

    /// As many threads as the machine can run at once, and at least four.
    pub fn for_this_machine() -> Self {
        let cores = std::thread::available_parallelism().map_or(FEWEST, NonZero::get);
        Self::new(cores.max(FEWEST))
    }

    /// Runs a job and waits for its answer until `deadline`.
    pub async fn run<T: Send + 'static>(
        &self,
        deadline: Instant,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Unanswered> {
        self.run_at(Point::Evaluation, deadline, job).await
    }

    /// Runs a job of a door. Those of admission go before all others.
    pub async fn run_at<T: Send + 'static>(
        &self,
        point: Point,
        deadline: Instant,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Unanswered> {
        let subject = || "a job without a policy".to_owned();
        self.run_about(point.into(), deadline, subject, job).await
    }

    /// The same, for a job that can say what it is at, if its thread does not come back.
    pub(crate) async fn run_about<T: Send + 'static>(
        &self,
        lane: Lane,
        deadline: Instant,
        subject: impl Fn() -> String + Send + Sync + 'static,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Unanswered> {
        let (answer, receiver) = oneshot::channel();
        let work = Box::new(move || {
            if !answer.is_closed() {
                // The job owns all that it changes, so nothing half-done is seen after a panic.
                let result = catch_unwind(AssertUnwindSafe(job)).map_err(|_| Unanswered::Failed);
                // Who waited may have left meanwhile.
                let _ = answer.send(result);
            }
        });
        let job = Job {
            deadline,
            subject: Arc::new(subject),
            work,
        };
        self.0.shared.push(&lane, job)?;
        match tokio::time::timeout_at(deadline.into(), receiver).await {
            Ok(Ok(result)) => result,
            // It was not begun, because it was late: a thread may notice before the timer does.
            Ok(Err(_)) if deadline <= Instant::now() => Err(Unanswered::Late),
            Ok(Err(_)) => Err(Unanswered::Failed),
            Err(_) => Err(Unanswered::Late),
        }
    }

    /// Jobs that wait for a thread.
    pub fn waiting(&self) -> usize {
        let queue = self.0.shared.lock();
        queue.admissions.jobs.len() + queue.tenants.waiting() + queue.evaluations.jobs.len()
    }

    /// How the threads are.
    pub(crate) fn health(&self, now: Instant) -> Health {
        self.0.shared.look_after(now);
        let queue = self.0.shared.lock();
        let (subjects, exhausted) = (queue.roll.subjects(), queue.roll.is_exhausted());
        let lost = exhausted && queue.roll.has_lost(now);
        drop(queue);
        let stuck = subjects.len();
        let exhausted = exhausted.then(|| {
            let subjects: BTreeSet<String> = subjects.iter().map(|subject| subject()).collect();
            let subjects: Vec<String> = subjects.into_iter().collect();
            format!(
                "evaluator threads are stuck in {}; the process must be restarted",
                subjects.join(", ")
            )
        });
        Health {
            stuck,
            exhausted,
            lost,
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        // Jobs run outside the lock, so it is never poisoned half-way through a change.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(self: &Arc<Self>, lane: &Lane, job: Job) -> Result<(), Unanswered> {
        let now = Instant::now();
        self.look_after(now);
        let time = job.deadline.saturating_duration_since(now);
        let mut queue = self.lock();
        let has_room = match lane {
            Lane::Admission => queue.admissions.has_room(time, self.threads),
            Lane::Tenant(tenant) => queue.tenants.has_room(tenant, time, self.threads),
            Lane::Evaluation => queue.evaluations.has_room(time, self.threads),
        };
        if !has_room {
            return Err(Unanswered::Overloaded);
        }
        match lane {
            Lane::Admission => queue.admissions.jobs.push_back(job),
            Lane::Tenant(tenant) => queue.tenants.push(tenant, job),
            Lane::Evaluation => queue.evaluations.jobs.push_back(job),
        }
        drop(queue);
        self.changed.notify_one();
        Ok(())
    }

    /// Starts the threads that are missing: all of them at first, later those that are stuck.
    fn look_after(self: &Arc<Self>, now: Instant) {
        let mut queue = self.lock();
        let given_up = queue.roll.give_up(now);
        let hired = queue.roll.hire();
        drop(queue);
        for subject in given_up {
            let policy = subject();
            tracing::error!(
                policy,
                "an evaluator thread is stuck beyond its deadline and is given up"
            );
        }
        for _ in 0..hired {
            let worker = self.clone();
            let started = std::thread::Builder::new()
                .name("evaluator".to_owned())
                .stack_size(STACK_BYTES)
                .spawn(move || worker.work());
            if let Err(error) = started {
                // Jobs wait and are refused when the queue is full: a denial, not an outage.
                self.lock().roll.not_started();
                tracing::error!(%error, "failed to start an evaluator thread");
            }
        }
    }

    fn work(&self) {
        while let Some((number, work)) = self.next() {
            work();
            let needed = self.lock().roll.end(number);
            // There may be room for an evaluation now.
            self.changed.notify_one();
            if !needed {
                tracing::warn!("an evaluator thread that was given up came back and ends");
                return;
            }
        }
    }

    /// The next job and its number; `None` when the pool is closed.
    fn next(&self) -> Option<(u64, Box<dyn FnOnce() + Send>)> {
        let mut queue = self.lock();
        loop {
            if queue.closed {
                return None;
            }
            let next = queue.take(Instant::now());
            if let Some((lane, job)) = next {
                let number = queue.roll.begin(lane, job.deadline, job.subject);
                return Some((number, job.work));
            }
            queue = self
                .changed
                .wait(queue)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Queue {
    /// The next job that a thread may begin.
    fn take(&mut self, now: Instant) -> Option<(Lane, Job)> {
        if let Some(job) = self.admissions.take(now) {
            return Some((Lane::Admission, job));
        }
        let others = self.roll.present().saturating_sub(1);
        if self.roll.beside_admissions() >= others {
            return None;
        }
        // Of a small machine, two namespaces that use up all of their time leave a thread to the others.
        let share = (others / 2).max(1);
        let roll = &self.roll;
        let may_run = |tenant: &str| roll.of_tenant(tenant) < share;
        if let Some((tenant, job)) = self.tenants.take(now, may_run) {
            return Some((Lane::Tenant(tenant), job));
        }
        let job = self.evaluations.take(now)?;
        Some((Lane::Evaluation, job))
    }
}

impl Line {
    /// Whether a job that has so much time can join.
    fn has_room(&self, time: Duration, threads: usize) -> bool {
        let waiting = self.jobs.len();
        waiting < ALWAYS_WAITING_PER_THREAD * threads
            || waiting < WAITING_PER_THREAD * threads
                && self.pace.wait(waiting) <= time / WAITING_SHARE
    }

    /// The first job that somebody waits for.
    fn take(&mut self, now: Instant) -> Option<Job> {
        while let Some(job) = self.jobs.pop_front() {
            if job.deadline > now {
                self.pace.note(now, !self.jobs.is_empty());
                return Some(job);
            }
        }
        None
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        let mut queue = self.shared.lock();
        queue.closed = true;
        queue.admissions.jobs.clear();
        queue.tenants.clear();
        queue.evaluations.jobs.clear();
        drop(queue);
        self.shared.changed.notify_all();
    }
}

impl fmt::Debug for Evaluators {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Evaluators")
            .field("threads", &self.0.shared.threads)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
