//! Whether this replica may be asked, and how old its view of the world is.
//!
//! A replica is not ready until every source has been read once. Afterwards it stays ready while
//! its sources are away, because all replicas unready at once would stop a cluster, and becomes
//! unready only when its view is older than the administrator's maximum.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Oldest view of the world that a replica answers from, where nobody sets another. A watch that
/// silently died is noticed after about five minutes; twice that leaves room for one reconnection.
const DEFAULT_MAX_AGE: Duration = Duration::from_mins(10);

/// Shared by whoever watches, the doors and the process' end. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Readiness(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    /// When each source was last known to be alive; `None` until it has been read once.
    sources: BTreeMap<&'static str, Option<Instant>>,
    max_age: Option<Duration>,
    draining: bool,
    remarks: Vec<String>,
}

impl Readiness {
    /// Not ready until each of `sources` has been read once. Its view may be ten minutes old.
    pub fn new(sources: impl IntoIterator<Item = &'static str>) -> Self {
        Self(Arc::new(Mutex::new(State {
            sources: sources.into_iter().map(|source| (source, None)).collect(),
            max_age: Some(DEFAULT_MAX_AGE),
            draining: false,
            remarks: Vec::new(),
        })))
    }

    /// The same with another maximum age; `None` where a view does not age, as of a directory.
    #[must_use]
    pub fn with_max_age(self, max_age: Option<Duration>) -> Self {
        self.with(|state| state.max_age = max_age);
        self
    }

    /// Notes that a source has been read as a whole and is in force.
    pub fn set_synced(&self, source: &'static str) {
        self.with(|state| state.sources.insert(source, Some(Instant::now())));
    }

    /// Notes that a source that was read before is up to date: an event, a bookmark, a scan.
    pub fn note_alive(&self, source: &'static str) {
        self.with(|state| {
            if let Some(Some(last)) = state.sources.get_mut(source) {
                *last = Instant::now();
            }
        });
    }

    /// Notes that this process is about to end. It goes on to answer, and is not ready any more.
    pub fn drain(&self) {
        self.with(|state| state.draining = true);
    }

    /// Replaces what the administrator is told beside readiness, one line each: faults that keep
    /// nobody from being answered, such as a file that broke while its last good state is in force.
    pub fn set_remarks(&self, remarks: Vec<String>) {
        self.with(|state| state.remarks = remarks);
    }

    /// What the administrator is told beside readiness.
    pub fn remarks(&self) -> Vec<String> {
        self.with(|state| state.remarks.clone())
    }

    /// Whether this replica may be asked, otherwise why not.
    pub fn is_ready(&self, now: Instant) -> Result<(), String> {
        self.with(|state| {
            if state.draining {
                return Err("this replica is about to end".to_owned());
            }
            let missing: Vec<&str> = state.unread().collect();
            if !missing.is_empty() {
                return Err(format!("not read yet: {}", missing.join(", ")));
            }
            match (state.oldest(now), state.max_age) {
                (Some((source, age)), Some(max)) if age > max => Err(format!(
                    "the view of {source} is {} s old, which is more than {} s",
                    age.as_secs(),
                    max.as_secs()
                )),
                _ => Ok(()),
            }
        })
    }

    /// Whether every source has been read once. Until then it is not known which policies there
    /// are, and so nothing can be decided; afterwards there is something to answer from, however
    /// old it is.
    pub fn is_synced(&self) -> bool {
        self.with(|state| state.unread().next().is_none())
    }

    /// How old the view is: the age of the source that was silent for longest.
    pub fn age(&self, now: Instant) -> Option<Duration> {
        self.with(|state| state.oldest(now).map(|(_, age)| age))
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        // Each change is one assignment, so a panic elsewhere leaves a valid state.
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl State {
    /// Sources that have not been read once.
    fn unread(&self) -> impl Iterator<Item = &'static str> {
        let unread = self.sources.iter().filter(|(_, last)| last.is_none());
        unread.map(|(name, _)| *name)
    }

    fn oldest(&self, now: Instant) -> Option<(&'static str, Duration)> {
        self.sources
            .iter()
            .filter_map(|(name, last)| Some((*name, now.saturating_duration_since((*last)?))))
            .max_by_key(|(_, age)| *age)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn later(seconds: u64) -> Instant {
        Instant::now() + Duration::from_secs(seconds)
    }

    #[test]
    fn ready_when_every_source_was_read_once() {
        let readiness = Readiness::new(["policies", "locks"]);
        assert_eq!(
            readiness.is_ready(Instant::now()),
            Err("not read yet: locks, policies".into())
        );
        readiness.set_synced("policies");
        readiness.note_alive("locks");
        assert!(!readiness.is_synced());
        assert_eq!(
            readiness.is_ready(Instant::now()),
            Err("not read yet: locks".into())
        );
        readiness.set_synced("locks");
        assert_eq!(readiness.is_ready(Instant::now()), Ok(()));
    }

    #[test]
    fn unready_only_beyond_the_maximum_age() {
        let readiness = Readiness::new(["locks"]);
        readiness.set_synced("locks");
        assert_eq!(readiness.is_ready(later(500)), Ok(()));
        assert!(readiness.is_ready(later(700)).is_err());
        assert!(readiness.is_synced(), "an old view is a view");
        let ageless = readiness.with_max_age(None);
        assert_eq!(ageless.is_ready(later(700)), Ok(()));
        assert!(
            ageless
                .age(later(700))
                .is_some_and(|age| age > Duration::from_mins(10))
        );
    }

    #[test]
    fn a_replica_that_drains_is_not_ready() {
        let readiness = Readiness::new([]);
        assert_eq!(readiness.is_ready(Instant::now()), Ok(()));
        readiness.drain();
        assert!(readiness.is_ready(Instant::now()).is_err());
        assert!(readiness.is_synced(), "it goes on to answer");
    }
}
