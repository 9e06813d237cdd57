//! The connections of a server: how many there are, and which of them have to leave.
//!
//! Whoever opens connections and says nothing would keep everybody else out. So a new connection
//! that asks nothing soon has to leave, one that was idle for long as well, and where there is no
//! room for another one, the one that was idle for longest makes room. Connections with requests
//! under way stay: each of their requests has a deadline.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{Instant, sleep, sleep_until},
};

/// Time from a connection's beginning to its first request's head, the handshake included: what
/// the API server waits for a whole call.
pub(crate) const FIRST_REQUEST: Duration = Duration::from_secs(10);

/// Time until the next request's head must have been read, idle time included. Clients written in
/// Go close idle connections after 90 seconds; a server that is faster closes some of them in the
/// moment in which they are used, which fails an admission.
pub(crate) const IDLE: Duration = Duration::from_mins(2);

/// Time for what is left to do on a connection that has to leave, such as an answer that its
/// client does not read.
const FAREWELL: Duration = Duration::from_secs(1);

/// The connections of a server.
#[derive(Debug)]
pub(crate) struct Connections {
    limit: usize,
    places: Mutex<Places>,
    /// There may be room, or a connection that can make some.
    changed: Notify,
}

#[derive(Debug, Default)]
struct Places {
    taken: BTreeMap<u64, Arc<Activity>>,
    /// The number of the next connection.
    next: u64,
}

/// A connection's place, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    connections: Arc<Connections>,
    number: u64,
    activity: Arc<Activity>,
}

/// A request that is under way, until it is dropped.
#[derive(Debug)]
pub(crate) struct UnderWay(Arc<Place>);

/// What a connection does.
#[derive(Debug)]
struct Activity {
    state: Mutex<State>,
    /// It has to make room.
    dismissed: Notify,
}

#[derive(Debug)]
struct State {
    /// Requests that are under way.
    requests: usize,
    /// Whether it ever asked.
    asked: bool,
    /// When it began, or its last request ended.
    since: Instant,
    leaving: bool,
}

impl Connections {
    /// Room for this many connections.
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self {
            limit,
            places: Mutex::default(),
            changed: Notify::new(),
        })
    }

    /// Takes a place; where there is none, another connection makes room. There may be one caller
    /// at a time.
    pub(crate) async fn enter(self: &Arc<Self>) -> Arc<Place> {
        loop {
            if let Some(place) = self.try_enter() {
                return Arc::new(place);
            }
            self.changed.notified().await;
        }
    }

    fn try_enter(self: &Arc<Self>) -> Option<Place> {
        let mut places = self.lock();
        if places.taken.len() >= self.limit {
            places.dismiss_one();
            return None;
        }
        let number = places.next;
        places.next += 1;
        let activity = Arc::new(Activity::new());
        places.taken.insert(number, activity.clone());
        Some(Place {
            connections: self.clone(),
            number,
            activity,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Places> {
        // Each change is one insertion or removal, so a panic elsewhere leaves a valid state.
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Places {
    /// Tells one connection to leave, unless one is about to: of those that never asked the
    /// oldest, otherwise the one that was idle for longest.
    fn dismiss_one(&self) {
        let idle = || {
            let activities = self.taken.values();
            activities.filter_map(|activity| {
                let state = activity.lock();
                let key = (state.leaving, state.asked, state.since);
                (state.requests == 0).then_some((key, activity))
            })
        };
        if idle().any(|((leaving, ..), _)| leaving) {
            return;
        }
        if let Some((_, activity)) = idle().min_by_key(|(key, _)| *key) {
            activity.lock().leaving = true;
            activity.dismissed.notify_one();
        }
    }
}

impl Place {
    /// Notes that a request begins.
    pub(crate) fn begin(self: &Arc<Self>) -> UnderWay {
        let mut state = self.activity.lock();
        state.requests += 1;
        state.asked = true;
        drop(state);
        UnderWay(self.clone())
    }

    /// Resolves when this connection has to leave.
    pub(crate) async fn overstayed(&self) {
        tokio::select! {
            () = self.activity.dismissed.notified() => {}
            () = self.activity.silence() => {}
        }
    }

    /// Resolves when a connection that has to leave need not be waited for any more.
    pub(crate) async fn abandoned(&self) {
        loop {
            sleep(FAREWELL).await;
            if self.activity.lock().requests == 0 {
                return;
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connections.lock().taken.remove(&self.number);
        self.connections.changed.notify_one();
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut state = self.0.activity.lock();
        state.requests -= 1;
        state.since = Instant::now();
        drop(state);
        self.0.connections.changed.notify_one();
    }
}

impl Activity {
    fn new() -> Self {
        Self {
            state: Mutex::new(State {
                requests: 0,
                asked: false,
                since: Instant::now(),
                leaving: false,
            }),
            dismissed: Notify::new(),
        }
    }

    /// Resolves when this connection was silent for too long.
    async fn silence(&self) {
        loop {
            let end = self.lock().end_of_patience();
            if end <= Instant::now() {
                return;
            }
            sleep_until(end).await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Changes are additions and assignments, so a panic elsewhere leaves a valid state.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// When this connection will have been silent for too long, if nothing happens.
    fn end_of_patience(&self) -> Instant {
        match (self.requests, self.asked) {
            (0, false) => self.since + FIRST_REQUEST,
            (0, true) => self.since + IDLE,
            _ => Instant::now() + IDLE,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt as _;

    /// Whether a connection is told to leave.
    fn is_dismissed(place: &Place) -> bool {
        place.activity.dismissed.notified().now_or_never().is_some()
    }

    async fn enter_one_second_later(connections: &Arc<Connections>) -> Arc<Place> {
        tokio::time::advance(Duration::from_secs(1)).await;
        connections.enter().await
    }

    #[tokio::test(start_paused = true)]
    async fn who_never_asked_makes_room_first_then_who_was_idle_for_longest() {
        let connections = Connections::new(4);
        let places = [
            enter_one_second_later(&connections).await,
            enter_one_second_later(&connections).await,
            enter_one_second_later(&connections).await,
            enter_one_second_later(&connections).await,
        ];
        let [busy, recent, long_idle, silent] = places;
        let under_way = busy.begin();
        drop(long_idle.begin());
        tokio::time::advance(Duration::from_secs(1)).await;
        drop(recent.begin());

        let mut newcomers = Vec::new();
        for (place, next) in [(silent, &long_idle), (long_idle.clone(), &recent)] {
            let mut entering = Box::pin(connections.enter());
            assert!((&mut entering).now_or_never().is_none());
            assert!(is_dismissed(&place) && !is_dismissed(next));
            assert!((&mut entering).now_or_never().is_none());
            assert!(!is_dismissed(next), "one at a time");
            connections.lock().taken.remove(&place.number);
            connections.changed.notify_one();
            let newcomer = entering.await;
            newcomers.push((newcomer.begin(), newcomer));
        }
        let mut entering = Box::pin(connections.enter());
        assert!((&mut entering).now_or_never().is_none());
        assert!(is_dismissed(&recent) && !is_dismissed(&busy));
        drop(under_way);
    }

    #[tokio::test(start_paused = true)]
    async fn where_all_are_busy_the_first_that_is_not_any_more_makes_room() {
        let connections = Connections::new(1);
        let place = connections.enter().await;
        let under_way = place.begin();
        let mut entering = Box::pin(connections.enter());
        assert!((&mut entering).now_or_never().is_none());
        assert!(!is_dismissed(&place));
        drop(under_way);
        assert!((&mut entering).now_or_never().is_none());
        assert!(is_dismissed(&place));
        drop(place);
        assert!(entering.now_or_never().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_borne_for_a_while() {
        let connections = Connections::new(9);
        let begin = Instant::now();
        let silent = connections.enter().await;
        silent.overstayed().await;
        assert_eq!(begin.elapsed(), FIRST_REQUEST);

        let begin = Instant::now();
        let (idle, busy) = (connections.enter().await, connections.enter().await);
        let under_way = busy.begin();
        let first = idle.begin();
        tokio::time::advance(FIRST_REQUEST).await;
        drop(first);
        idle.overstayed().await;
        assert_eq!(begin.elapsed(), FIRST_REQUEST + IDLE);
        assert!(busy.overstayed().now_or_never().is_none());
        tokio::join!(busy.abandoned(), async {
            sleep(3 * FAREWELL / 2).await;
            drop(under_way);
        });
        assert_eq!(begin.elapsed(), FIRST_REQUEST + IDLE + 2 * FAREWELL);
    }
}
