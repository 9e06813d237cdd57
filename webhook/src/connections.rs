//! The connections of a server: how many there are, and which of them have to leave.
//!
//! Whoever opens connections and says nothing, sends half of a request or does not read its answer
//! would keep everybody else out. So a connection whose client is waited for has to leave after a
//! while, and where there is no room for another one, it makes room at once: first one that never
//! asked, then one in the middle of something, then one that is idle. Where an address has taken more
//! than its share, one of its own goes. Connections whose clients wait for us stay: each of their
//! requests has a deadline.

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
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

/// Time for a client to send the rest of a request or to read its answer: more than the longest
/// deadline, which ends the wait for a body.
const SLOW: Duration = Duration::from_secs(30);

/// The same where others wait for room. In a cluster a body of megabytes takes a tenth of it.
const SLOW_WHEN_FULL: Duration = Duration::from_millis(250);

/// The part of all places that one address has, before its connections make room for all others.
const SHARE: usize = 4;

/// How often a connection that has to leave is looked at, until nothing is done for it any more.
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
    taken: BTreeMap<u64, Taken>,
    /// The number of the next connection.
    next: u64,
}

/// A place that is taken.
#[derive(Debug)]
struct Taken {
    /// Who took it.
    by: IpAddr,
    activity: Arc<Activity>,
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

/// A request that waits for its client, until it is dropped: for the rest of its body, or until the
/// answer is read.
#[derive(Debug)]
pub(crate) struct Waiting(Arc<Place>);

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
    /// Those of them that wait for their client.
    waiting: usize,
    /// Whether it ever asked.
    asked: bool,
    /// When it began, its last request ended, or one began to wait for its client.
    since: Instant,
    leaving: bool,
}

/// What is waited for on a connection where nothing is done, in the order in which they make room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    /// It never asked.
    Silent,
    /// All of its requests wait for their client.
    Slow,
    /// It has no request.
    Idle,
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

    /// Takes a place for a connection from this address; where there is none, another connection
    /// makes room. There may be one caller at a time.
    pub(crate) async fn enter(self: &Arc<Self>, by: IpAddr) -> Arc<Place> {
        loop {
            let again = match self.try_enter(by) {
                Ok(place) => return Arc::new(place),
                Err(again) => again,
            };
            tokio::select! {
                () = self.changed.notified() => {}
                () = sleep_until(again) => {}
            }
        }
    }

    /// A place, or when it is worth the while to look again if nothing changes.
    fn try_enter(self: &Arc<Self>, by: IpAddr) -> Result<Place, Instant> {
        let mut places = self.lock();
        if places.taken.len() >= self.limit {
            return Err(places.dismiss_one(self.limit / SHARE, Instant::now()));
        }
        let number = places.next;
        places.next += 1;
        let activity = Arc::new(Activity::new());
        let taken = Taken {
            by,
            activity: activity.clone(),
        };
        places.taken.insert(number, taken);
        Ok(Place {
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
    /// Tells one connection to leave, unless one is about to: one of an address that has more than
    /// this `share`, the first by its standing, and of several the one that has been so for longest.
    /// Who is slow has a moment. Returns when to look again.
    fn dismiss_one(&self, share: usize, now: Instant) -> Instant {
        let mut counts: HashMap<IpAddr, usize> = HashMap::new();
        for taken in self.taken.values() {
            *counts.entry(taken.by).or_default() += 1;
        }
        let mut first: Option<((bool, Standing, Instant), &Activity)> = None;
        for Taken { by, activity } in self.taken.values() {
            let state = activity.lock();
            let Some(standing) = state.standing() else {
                continue;
            };
            if state.leaving {
                return now + SLOW_WHEN_FULL;
            }
            let within = counts.get(by).is_none_or(|count| *count <= share);
            let key = (within, standing, state.since);
            if first.is_none_or(|(before, _)| key < before) {
                first = Some((key, activity));
            }
        }
        match first {
            Some(((_, Standing::Slow, since), _)) if now < since + SLOW_WHEN_FULL => {
                since + SLOW_WHEN_FULL
            }
            Some((_, activity)) => {
                activity.lock().leaving = true;
                activity.dismissed.notify_one();
                now + SLOW_WHEN_FULL
            }
            None => now + SLOW_WHEN_FULL,
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

    /// Resolves when nothing is done for a connection that has to leave: its client is not waited
    /// for any more.
    pub(crate) async fn abandoned(&self) {
        let mut answered = false;
        while self.activity.lock().standing().is_none() {
            sleep(FAREWELL).await;
            answered = true;
        }
        if answered {
            // The answer is on its way.
            sleep(SLOW_WHEN_FULL).await;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connections.lock().taken.remove(&self.number);
        self.connections.changed.notify_one();
    }
}

impl UnderWay {
    /// Notes that the request waits for its client from now on.
    pub(crate) fn wait(&self) -> Waiting {
        let mut state = self.0.activity.lock();
        state.waiting += 1;
        state.since = Instant::now();
        drop(state);
        self.0.connections.changed.notify_one();
        Waiting(self.0.clone())
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

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.activity.lock().waiting -= 1;
    }
}

impl Activity {
    fn new() -> Self {
        Self {
            state: Mutex::new(State {
                requests: 0,
                waiting: 0,
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
            let (end, now) = (self.lock().end_of_patience(), Instant::now());
            if end.is_some_and(|end| end <= now) {
                return;
            }
            // What it does may have changed by then.
            let look = now + SLOW;
            sleep_until(end.map_or(look, |end| end.min(look))).await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Changes are additions and assignments, so a panic elsewhere leaves a valid state.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// How its client is waited for; nothing where the client waits for us.
    fn standing(&self) -> Option<Standing> {
        match (self.requests, self.waiting) {
            (0, _) if !self.asked => Some(Standing::Silent),
            (0, _) => Some(Standing::Idle),
            (requests, waiting) if requests <= waiting => Some(Standing::Slow),
            _ => None,
        }
    }

    /// When its client will have been waited for too long, if nothing happens.
    fn end_of_patience(&self) -> Option<Instant> {
        let patience = match self.standing()? {
            Standing::Silent => FIRST_REQUEST,
            Standing::Slow => SLOW,
            Standing::Idle => IDLE,
        };
        Some(self.since + patience)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt as _;
    use std::net::Ipv4Addr;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    /// Whether a connection is told to leave.
    fn is_dismissed(place: &Place) -> bool {
        place.activity.dismissed.notified().now_or_never().is_some()
    }

    async fn enter_one_second_later(connections: &Arc<Connections>) -> Arc<Place> {
        tokio::time::advance(Duration::from_secs(1)).await;
        connections.enter(HERE).await
    }

    async fn four_a_second_apart(connections: &Arc<Connections>) -> [Arc<Place>; 4] {
        [
            enter_one_second_later(connections).await,
            enter_one_second_later(connections).await,
            enter_one_second_later(connections).await,
            enter_one_second_later(connections).await,
        ]
    }

    #[tokio::test(start_paused = true)]
    async fn who_never_asked_makes_room_first_then_who_was_idle_for_longest() {
        let connections = Connections::new(4);
        let [busy, recent, long_idle, silent] = four_a_second_apart(&connections).await;
        let under_way = busy.begin();
        drop(long_idle.begin());
        tokio::time::advance(Duration::from_secs(1)).await;
        drop(recent.begin());

        let mut newcomers = Vec::new();
        for (place, next) in [(silent, &long_idle), (long_idle.clone(), &recent)] {
            let mut entering = Box::pin(connections.enter(HERE));
            assert!((&mut entering).now_or_never().is_none());
            assert!(is_dismissed(&place) && !is_dismissed(next));
            assert!((&mut entering).now_or_never().is_none());
            assert!(!is_dismissed(next), "one at a time");
            connections.lock().taken.remove(&place.number);
            connections.changed.notify_one();
            let newcomer = entering.await;
            newcomers.push((newcomer.begin(), newcomer));
        }
        let mut entering = Box::pin(connections.enter(HERE));
        assert!((&mut entering).now_or_never().is_none());
        assert!(is_dismissed(&recent) && !is_dismissed(&busy));
        drop(under_way);
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_more_than_a_share_makes_room_for_the_others() {
        let connections = Connections::new(8);
        let other = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
        let modest = [
            connections.enter(other).await,
            connections.enter(other).await,
        ];
        let mut greedy = Vec::new();
        for _ in 0..6 {
            greedy.push(enter_one_second_later(&connections).await);
        }
        let idle = greedy.remove(0);
        drop(idle.begin());
        let busy: Vec<_> = greedy.iter().map(Place::begin).collect();
        let mut entering = Box::pin(connections.enter(other));
        assert!((&mut entering).now_or_never().is_none());
        assert!(is_dismissed(&idle), "though others never asked");
        assert!(!modest.iter().any(|place| is_dismissed(place)));
        // Who waits for us never goes, whatever its address has.
        connections.lock().taken.remove(&idle.number);
        connections.changed.notify_one();
        std::mem::forget(entering.await);
        let mut entering = Box::pin(connections.enter(other));
        assert!((&mut entering).now_or_never().is_none());
        assert!(is_dismissed(&modest[0]));
        drop(busy);
    }

    #[tokio::test(start_paused = true)]
    async fn where_all_are_busy_the_first_that_is_not_any_more_makes_room() {
        let connections = Connections::new(1);
        let place = connections.enter(HERE).await;
        let under_way = place.begin();
        let mut entering = Box::pin(connections.enter(HERE));
        assert!((&mut entering).now_or_never().is_none());
        assert!(!is_dismissed(&place));
        drop(under_way);
        assert!((&mut entering).now_or_never().is_none());
        assert!(is_dismissed(&place));
        drop(place);
        assert!(entering.now_or_never().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn who_keeps_us_waiting_makes_room_before_who_is_idle_but_has_a_moment() {
        let connections = Connections::new(4);
        let [idle, sends, reads, busy] = &four_a_second_apart(&connections).await;
        drop(idle.begin());
        let under_way = [sends, reads, busy].map(Place::begin);
        drop(under_way[1].wait());
        let mut waiting = vec![under_way[0].wait()];
        tokio::time::advance(SLOW_WHEN_FULL / 2).await;
        waiting.push(under_way[1].wait());

        // It waits for the moment to pass, and nothing else changes meanwhile.
        let begin = Instant::now();
        for (slow, after) in [(sends, SLOW_WHEN_FULL / 2), (reads, SLOW_WHEN_FULL)] {
            let mut entering = Box::pin(connections.enter(HERE));
            while !is_dismissed(slow) {
                assert!((&mut entering).now_or_never().is_none());
                tokio::time::advance(Duration::from_millis(5)).await;
            }
            assert!(begin.elapsed() >= after, "{:?}", begin.elapsed());
            connections.lock().taken.remove(&slow.number);
            connections.changed.notify_one();
            let newcomer = entering.await;
            // It is busy from now on.
            std::mem::forget(newcomer.begin());
        }
        let mut entering = Box::pin(connections.enter(HERE));
        assert!((&mut entering).now_or_never().is_none());
        assert!(is_dismissed(idle) && !is_dismissed(busy));
    }

    #[tokio::test(start_paused = true)]
    async fn who_keeps_us_waiting_alone_has_longer() {
        let connections = Connections::new(9);
        let place = connections.enter(HERE).await;
        let under_way = place.begin();
        let begin = Instant::now();
        let waiting = under_way.wait();
        place.overstayed().await;
        assert_eq!(begin.elapsed(), SLOW);
        place.abandoned().await;
        assert_eq!(begin.elapsed(), SLOW, "nothing is done for it");
        drop(waiting);
        assert!(place.abandoned().now_or_never().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_borne_for_a_while() {
        let connections = Connections::new(9);
        let begin = Instant::now();
        let silent = connections.enter(HERE).await;
        silent.overstayed().await;
        assert_eq!(begin.elapsed(), FIRST_REQUEST);

        let begin = Instant::now();
        let (idle, busy) = (connections.enter(HERE).await, connections.enter(HERE).await);
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
        let farewell = 2 * FAREWELL + SLOW_WHEN_FULL;
        assert_eq!(begin.elapsed(), FIRST_REQUEST + IDLE + farewell);
    }
}
