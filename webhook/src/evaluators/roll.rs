//! Who of the threads is at work on what, and who does not come back.
//!
//! A job that is past its deadline by a grace is stuck: nothing in it looks at the time, and nobody
//! can end a thread from outside. Another thread takes its place, up to a bound; one that comes
//! back after all is not needed any more, and ends.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use super::Lane;

/// How far beyond its deadline a job is stuck. An evaluation looks at the time between two
/// builtins, which take milliseconds; on a machine that has no time for this process it is seconds.
pub(super) const GRACE: Duration = Duration::from_secs(5);

/// How far beyond its deadline a job is lost for good, so that only a restart brings its thread
/// back.
pub(super) const LOST: Duration = Duration::from_mins(1);

/// Says what a job is at, for people.
pub(super) type Subject = Arc<dyn Fn() -> String + Send + Sync>;

/// The threads of a pool.
pub(super) struct Roll {
    /// Threads that there should be, stuck ones aside.
    wanted: usize,
    /// Threads that were started and have not ended.
    started: usize,
    running: BTreeMap<u64, Running>,
    /// The number of the next job.
    next: u64,
}

struct Running {
    lane: Lane,
    deadline: Instant,
    subject: Subject,
    stuck: bool,
}

impl Roll {
    pub(super) fn new(wanted: usize) -> Self {
        Self {
            wanted,
            started: 0,
            running: BTreeMap::new(),
            next: 0,
        }
    }

    /// Notes that a thread begins a job, which has a number from now on.
    pub(super) fn begin(&mut self, lane: Lane, deadline: Instant, subject: Subject) -> u64 {
        let number = self.next;
        self.next += 1;
        let running = Running {
            lane,
            deadline,
            subject,
            stuck: false,
        };
        self.running.insert(number, running);
        number
    }

    /// Notes that a thread ended its job, and tells whether it is still needed.
    pub(super) fn end(&mut self, number: u64) -> bool {
        self.running.remove(&number);
        let needed = self.present() <= self.wanted;
        if !needed {
            self.started -= 1;
        }
        needed
    }

    /// Gives up the jobs that are stuck, and tells what those are at that were not before.
    pub(super) fn give_up(&mut self, now: Instant) -> Vec<Subject> {
        let late = |job: &&mut Running| !job.stuck && now > job.deadline + GRACE;
        let given_up = self.running.values_mut().filter(late).map(|job| {
            job.stuck = true;
            job.subject.clone()
        });
        given_up.collect()
    }

    /// How many threads are to be started now; they count as started. As many as are wanted may be
    /// replaced: each of those that are stuck keeps a processor busy, so with more of them nobody
    /// would be answered in time by whatever threads there are.
    pub(super) fn hire(&mut self) -> usize {
        let missing = self.wanted.saturating_sub(self.present());
        let hired = missing.min(2 * self.wanted - self.started);
        self.started += hired;
        hired
    }

    /// Notes that a thread which was to be started was not.
    pub(super) fn not_started(&mut self) {
        self.started -= 1;
    }

    /// Threads that work or wait for work.
    pub(super) fn present(&self) -> usize {
        self.started - self.stuck().count()
    }

    /// Threads that are at work on something else than an admission of the cluster, stuck ones aside.
    pub(super) fn beside_admissions(&self) -> usize {
        self.count(|lane| *lane != Lane::Admission)
    }

    /// Threads that are at work for a namespace, stuck ones aside.
    pub(super) fn of_tenant(&self, tenant: &str) -> usize {
        self.count(|lane| matches!(lane, Lane::Tenant(own) if **own == *tenant))
    }

    fn count(&self, is_one: impl Fn(&Lane) -> bool) -> usize {
        let running = self.running.values();
        running
            .filter(|job| !job.stuck && is_one(&job.lane))
            .count()
    }

    /// What the stuck jobs are at.
    pub(super) fn subjects(&self) -> Vec<Subject> {
        self.stuck().map(|job| job.subject.clone()).collect()
    }

    /// Whether no thread is replaced any more.
    pub(super) fn is_exhausted(&self) -> bool {
        self.stuck().count() >= self.wanted
    }

    /// Whether a job is lost for good.
    pub(super) fn has_lost(&self, now: Instant) -> bool {
        self.stuck().any(|job| now > job.deadline + LOST)
    }

    fn stuck(&self) -> impl Iterator<Item = &Running> {
        self.running.values().filter(|job| job.stuck)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begin(roll: &mut Roll, deadline: Instant) -> u64 {
        roll.begin(Lane::Evaluation, deadline, Arc::new(|| "a/b@1".to_owned()))
    }

    #[test]
    fn stuck_threads_are_replaced_up_to_a_bound() {
        let mut roll = Roll::new(2);
        assert_eq!((roll.hire(), roll.present()), (2, 2));
        let deadline = Instant::now();
        let late = deadline + GRACE + Duration::from_millis(1);
        // Each thread, and each of those that take their place.
        for (stuck, hired, exhausted) in [(1, 1, false), (2, 1, true), (3, 0, true), (4, 0, true)] {
            begin(&mut roll, deadline);
            assert!(roll.give_up(deadline + GRACE).is_empty());
            assert_eq!(roll.give_up(late).len(), 1);
            assert!(roll.give_up(late).is_empty(), "it is told once");
            assert_eq!(roll.hire(), hired, "{stuck}");
            assert_eq!(roll.is_exhausted(), exhausted, "{stuck}");
            assert_eq!(
                (roll.subjects().len(), roll.beside_admissions()),
                (stuck, 0)
            );
        }
        assert_eq!(roll.present(), 0);
        assert!(!roll.has_lost(deadline + LOST));
        assert!(roll.has_lost(deadline + LOST + Duration::from_millis(1)));
    }

    #[test]
    fn who_comes_back_ends_only_where_another_took_its_place() {
        let mut roll = Roll::new(1);
        roll.hire();
        let deadline = Instant::now();
        let late = deadline + 2 * GRACE;
        let first = begin(&mut roll, deadline);
        roll.give_up(late);
        assert_eq!(roll.hire(), 1);
        let second = begin(&mut roll, deadline);
        roll.give_up(late);
        assert_eq!((roll.hire(), roll.present()), (0, 0));
        assert!(roll.end(first), "nobody took the second's place");
        assert!(!roll.end(second), "the first works again");
        assert_eq!((roll.present(), roll.is_exhausted()), (1, false));
        let third = begin(&mut roll, deadline);
        assert_eq!(roll.beside_admissions(), 1);
        assert!(roll.end(third), "it was in time");
    }
}
