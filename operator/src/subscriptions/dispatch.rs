//! Compares what was told with what is, and tells.

use std::{collections::HashMap, sync::Arc, time::Duration};

use futures::{StreamExt as _, future::BoxFuture, stream};
use portcullis_policies::{Address, Cache, Timestamp};
use tokio::time::Instant;

use super::{
    courier::Courier,
    state::{self, Change, Progress, Subscription, Told, told_of},
};

/// Time between two looks: locks end by the clock, so that changes of the cache do not tell all.
const PERIOD: Duration = Duration::from_secs(1);

/// Subscribers that are told at once.
const AT_ONCE: usize = 32;

/// Attempts at one event. With the waits below, the last one is about five hours after the first: a
/// receiver that is away for a night's repair misses nothing but what a later event tells anyway.
const ATTEMPTS: u32 = 20;

/// The first wait, which doubles until the longest one.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_mins(30);

/// Keeps subscriptions and how far they have come.
pub(crate) trait Ledger: Send + Sync {
    /// All subscriptions. An error is a sentence.
    fn all(&self) -> BoxFuture<'_, Result<Vec<Subscription>, String>>;

    /// Keeps how far one has come, if it is still there. An error is a sentence.
    fn keep<'a>(
        &'a self,
        subscription: &'a Subscription,
        progress: Progress,
    ) -> BoxFuture<'a, Result<(), String>>;
}

/// Tells subscribers.
pub(crate) struct Dispatcher<L> {
    ledger: L,
    courier: Arc<Courier>,
    cache: Arc<Cache>,
    /// Those who could not be reached.
    waits: HashMap<Key, Wait>,
    said: Option<String>,
}

/// A subscription: objects of two namespaces may have one name.
type Key = (Address, String);

fn key(subscription: &Subscription) -> Key {
    (subscription.address.clone(), subscription.id.clone())
}

/// An event that could not be delivered yet.
struct Wait {
    told: Told,
    attempts: u32,
    until: Instant,
}

/// An event that is due.
struct Due {
    subscription: Subscription,
    change: Change,
    now: Told,
    attempts: u32,
}

impl<L: Ledger> Dispatcher<L> {
    pub(crate) fn new(ledger: L, courier: Arc<Courier>, cache: Arc<Cache>) -> Self {
        Self {
            ledger,
            courier,
            cache,
            waits: HashMap::new(),
            said: None,
        }
    }

    /// Tells for ever.
    pub(crate) async fn run(mut self, period: Option<Duration>) {
        loop {
            if let Err(why) = self.round(Timestamp::now()).await {
                if self.said.as_ref() != Some(&why) {
                    tracing::warn!(why, "subscriptions cannot be looked at");
                }
                self.said = Some(why);
            } else {
                self.said = None;
            }
            tokio::time::sleep(period.unwrap_or(PERIOD)).await;
        }
    }

    /// One look.
    pub(super) async fn round(&mut self, now: Timestamp) -> Result<(), String> {
        let subscriptions = self.ledger.all().await?;
        let snapshot = self.cache.snapshot();
        self.waits
            .retain(|waiting, _| subscriptions.iter().any(|own| key(own) == *waiting));
        let mut due = Vec::new();
        for subscription in subscriptions {
            let state = told_of(&snapshot, &subscription.address, now);
            let Some(told) = &subscription.progress.told else {
                let progress = Progress {
                    told: Some(state),
                    ..subscription.progress.clone()
                };
                self.ledger.keep(&subscription, progress).await?;
                continue;
            };
            let Some(change) = state::change(told, &state) else {
                self.waits.remove(&key(&subscription));
                continue;
            };
            // What changes while somebody cannot be reached is tried at once: it is another event.
            let wait = self.waits.get(&key(&subscription));
            let wait = wait.filter(|wait| wait.told == state);
            if wait.is_some_and(|wait| Instant::now() < wait.until) {
                continue;
            }
            due.push(Due {
                attempts: wait.map_or(0, |wait| wait.attempts),
                subscription,
                change,
                now: state,
            });
        }
        // Those who were reached last time do not wait for those who were not.
        due.sort_by_key(|due| due.attempts);
        let courier = self.courier.clone();
        let mut told = stream::iter(due)
            .map(|due| {
                let courier = courier.clone();
                async move {
                    let answer = courier.tell(&due.subscription, due.change, &due.now).await;
                    (due, answer)
                }
            })
            .buffer_unordered(AT_ONCE);
        while let Some((due, answer)) = told.next().await {
            let kept = note(&mut self.waits, &self.ledger, due, answer, now).await;
            kept?;
        }
        Ok(())
    }
}

/// Keeps what became of an event.
async fn note<L: Ledger>(
    waits: &mut HashMap<Key, Wait>,
    ledger: &L,
    due: Due,
    answer: Result<(), String>,
    now: Timestamp,
) -> Result<(), String> {
    let Due {
        subscription,
        change,
        now: state,
        attempts,
    } = due;
    let before = &subscription.progress;
    let attempts = attempts + 1;
    let (id, policy) = (&subscription.id, subscription.address.to_string());
    let done = Progress {
        told: Some(state.clone()),
        sequence: before.sequence + 1,
        delivered: Some(now),
        failure: None,
    };
    let progress = match answer {
        Ok(()) => {
            waits.remove(&key(&subscription));
            tracing::info!(subscription = id, policy, change = change.as_str(), "told");
            done
        }
        Err(why) if attempts >= ATTEMPTS => {
            waits.remove(&key(&subscription));
            tracing::warn!(subscription = id, policy, why, "an event was given up");
            Progress {
                delivered: before.delivered,
                failure: Some(format!("given up after {attempts} attempts: {why}")),
                ..done
            }
        }
        Err(why) => {
            let wait = backoff(attempts);
            let until = Instant::now() + wait;
            let told = state;
            waits.insert(
                key(&subscription),
                Wait {
                    told,
                    attempts,
                    until,
                },
            );
            if before.failure.as_ref() == Some(&why) {
                return Ok(());
            }
            tracing::warn!(subscription = id, policy, why, "an event was not delivered");
            Progress {
                failure: Some(why),
                ..before.clone()
            }
        }
    };
    ledger.keep(&subscription, progress).await
}

/// The wait after so many attempts.
pub(super) fn backoff(attempts: u32) -> Duration {
    let doubled = 1_u32
        .checked_shl(attempts.saturating_sub(1))
        .unwrap_or(u32::MAX);
    SHORTEST.saturating_mul(doubled).min(LONGEST)
}
