//! The threads that evaluate.
//!
//! Evaluation is work of the processor, so it has threads of its own and never runs on the
//! reactor. A caller waits no longer than its deadline: a job that is late is abandoned, one that
//! nobody waits for any more is not begun, and where the queue is full the caller hears it at once.
//!
//! Jobs of admission go first, and one thread is left to them, so that no number of evaluations
//! keeps a cluster from admitting.

use std::{
    collections::VecDeque,
    fmt,
    num::NonZero,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use portcullis_policies::Point;
use tokio::sync::oneshot;

/// Stack of each thread. Deep rules recurse in the interpreter; with the usual 2 MiB a chain of
/// five hundred rules ends the process. The memory is only reserved until it is used.
const STACK_BYTES: usize = 64 << 20;

/// Jobs that may wait, for each thread and each kind of job. Reading and judging a usual request
/// takes about a millisecond, so this is a quarter of a second of usual work. Behind 256 jobs that
/// each use up the default limit of 250 ms, a job would wait a minute, and the API server ten
/// seconds: whoever would stand further back is better refused at once.
const WAITING_PER_THREAD: usize = 256;

/// Threads with large stacks and a bounded queue. Cheap to clone; the threads end with the last
/// clone.
#[derive(Clone)]
pub struct Evaluators(Arc<Pool>);

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unanswered {
    /// The queue is full.
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

#[derive(Default)]
struct Queue {
    admissions: VecDeque<Job>,
    evaluations: VecDeque<Job>,
    /// Threads that are busy with a job of `evaluations`.
    evaluating: usize,
    closed: bool,
}

type Job = Box<dyn FnOnce() + Send>;

impl Evaluators {
    /// Starts this many threads, and at least two.
    pub fn new(threads: usize) -> Self {
        let threads = threads.max(2);
        let shared = Arc::new(Shared {
            queue: Mutex::default(),
            changed: Condvar::new(),
            threads,
        });
        for number in 0..threads {
            let worker = shared.clone();
            let started = std::thread::Builder::new()
                .name(format!("evaluator-{number}"))
                .stack_size(STACK_BYTES)
                .spawn(move || worker.work());
            if let Err(error) = started {
                // Jobs wait and are refused when the queue is full: a denial, not an outage.
                tracing::error!(%error, "failed to start an evaluator thread");
            }
        }
        Self(Arc::new(Pool { shared }))
    }

    /// As many threads as the machine can run at once.
    pub fn for_this_machine() -> Self {
        Self::new(std::thread::available_parallelism().map_or(2, NonZero::get))
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
        let (answer, receiver) = oneshot::channel();
        let work: Job = Box::new(move || {
            if !answer.is_closed() {
                // The job owns all that it changes, so nothing half-done is seen after a panic.
                let result = catch_unwind(AssertUnwindSafe(job)).map_err(|_| Unanswered::Failed);
                // Who waited may have left meanwhile.
                let _ = answer.send(result);
            }
        });
        self.0.shared.push(point, work)?;
        match tokio::time::timeout_at(deadline.into(), receiver).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(Unanswered::Failed),
            Err(_) => Err(Unanswered::Late),
        }
    }

    /// Jobs that wait for a thread.
    pub fn waiting(&self) -> usize {
        let queue = self.0.shared.lock();
        queue.admissions.len() + queue.evaluations.len()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        // Jobs run outside the lock, so it is never poisoned half-way through a change.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, point: Point, job: Job) -> Result<(), Unanswered> {
        let mut queue = self.lock();
        let jobs = match point {
            Point::Admission => &mut queue.admissions,
            Point::Evaluation => &mut queue.evaluations,
        };
        if jobs.len() >= WAITING_PER_THREAD * self.threads {
            return Err(Unanswered::Overloaded);
        }
        jobs.push_back(job);
        drop(queue);
        self.changed.notify_one();
        Ok(())
    }

    fn work(&self) {
        while let Some((point, job)) = self.next() {
            job();
            if point == Point::Evaluation {
                self.lock().evaluating -= 1;
                self.changed.notify_one();
            }
        }
    }

    /// The next job; `None` when the pool is closed.
    fn next(&self) -> Option<(Point, Job)> {
        let mut queue = self.lock();
        loop {
            if queue.closed {
                return None;
            }
            if let Some(job) = queue.admissions.pop_front() {
                return Some((Point::Admission, job));
            }
            if queue.evaluating + 1 < self.threads
                && let Some(job) = queue.evaluations.pop_front()
            {
                queue.evaluating += 1;
                return Some((Point::Evaluation, job));
            }
            queue = self
                .changed
                .wait(queue)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        let mut queue = self.shared.lock();
        queue.closed = true;
        queue.admissions.clear();
        queue.evaluations.clear();
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
mod tests {
    use super::*;
    use std::{sync::mpsc, time::Duration};

    fn soon() -> Instant {
        Instant::now() + Duration::from_mins(1)
    }

    /// Jobs that hold their thread until the returned sender is dropped.
    fn hold(evaluators: &Evaluators, point: Point, count: usize) -> mpsc::SyncSender<()> {
        let (sender, receiver) = mpsc::sync_channel::<()>(0);
        let receiver = Arc::new(Mutex::new(receiver));
        for _ in 0..count {
            let receiver = receiver.clone();
            let job = move || drop(receiver.lock().map(|receiver| receiver.recv()));
            evaluators.0.shared.push(point, Box::new(job)).unwrap();
        }
        sender
    }

    #[tokio::test]
    async fn answers() {
        assert_eq!(Evaluators::new(2).run(soon(), || 6 * 7).await, Ok(42));
    }

    #[tokio::test]
    async fn a_panic_is_an_answer_and_the_thread_goes_on() {
        let evaluators = Evaluators::new(2);
        for _ in 0..10 {
            let answer = evaluators
                .run(soon(), || -> () { panic!("a policy's fault") })
                .await;
            assert_eq!(answer, Err(Unanswered::Failed));
        }
        assert_eq!(evaluators.run(soon(), || 1).await, Ok(1));
    }

    #[tokio::test]
    async fn who_would_wait_beyond_the_deadline_is_told() {
        let evaluators = Evaluators::new(2);
        let held = hold(&evaluators, Point::Admission, 2);
        assert_eq!(
            evaluators.run(Instant::now(), || 1).await,
            Err(Unanswered::Late)
        );
        drop(held);
    }

    #[tokio::test]
    async fn an_abandoned_job_is_not_begun() {
        let evaluators = Evaluators::new(2);
        let held = hold(&evaluators, Point::Evaluation, 1);
        let (begun, was_begun) = mpsc::channel();
        let late = evaluators.run(Instant::now(), move || begun.send(())).await;
        assert_eq!(late.map(|_| ()), Err(Unanswered::Late));
        drop(held);
        evaluators.run(soon(), || ()).await.unwrap();
        assert_eq!(was_begun.try_recv(), Err(mpsc::TryRecvError::Disconnected));
    }

    #[tokio::test]
    async fn full_queue_refuses_and_leaves_room_for_the_api_server() {
        let evaluators = Evaluators::new(2);
        let held = hold(&evaluators, Point::Evaluation, 2 * WAITING_PER_THREAD);
        // One of them may have been taken by a thread.
        while evaluators
            .0
            .shared
            .push(Point::Evaluation, Box::new(|| ()))
            .is_ok()
        {}
        assert_eq!(
            evaluators.run(soon(), || 1).await,
            Err(Unanswered::Overloaded)
        );
        assert_eq!(
            evaluators.run_at(Point::Admission, soon(), || 1).await,
            Ok(1)
        );
        drop(held);
    }

    #[tokio::test]
    async fn stacks_are_deep() {
        fn depth(left: u32) -> u32 {
            let padding = std::hint::black_box([left; 256]);
            if left == 0 {
                0
            } else {
                depth(left - 1) + u32::from(padding[0] == left)
            }
        }
        assert_eq!(
            Evaluators::new(2).run(soon(), || depth(20_000)).await,
            Ok(20_000)
        );
    }
}
