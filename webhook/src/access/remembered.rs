//! What was found out about callers, for a while and within bounds, so that few requests wait for
//! somebody who is asked.
//!
//! Whoever needs what nobody knows asks once for all that wait for it, on a task of its own, so that
//! one who leaves takes nobody else's answer away. What is secret is no key here: a key is a digest
//! under a secret of this process.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::future::{FutureExt as _, Shared};
use sha2::{Digest as _, Sha256};
use tokio::{sync::oneshot, time::Instant};

use super::AccessFault;

/// Parts, each with a lock that is held for one look-up: two requests rarely want the same one.
const SHARDS: usize = 16;

/// Answers of a part. All of them together are more than the service accounts of a large cluster, and
/// take some megabytes.
const SHARD: usize = 512;

/// What something is remembered under.
pub(super) type Key = [u8; 32];

/// The end of an answer that somebody waits for.
type Pending<V> = Shared<oneshot::Receiver<Result<V, AccessFault>>>;

/// Answers by their keys.
pub(super) struct Remembered<V> {
    shards: [Mutex<HashMap<Key, Slot<V>>>; SHARDS],
    secret: [u8; 32],
}

enum Slot<V> {
    Known { value: V, until: Instant },
    Asked(Pending<V>),
}

impl<V: Clone + Send + Sync + 'static> Remembered<V> {
    pub(super) fn new() -> Arc<Self> {
        let mut secret = [0; 32];
        rustls::crypto::aws_lc_rs::default_provider()
            .secure_random
            .fill(&mut secret)
            .expect("the operating system must have random bytes");
        Arc::new(Self {
            shards: std::array::from_fn(|_| Mutex::default()),
            secret,
        })
    }

    /// The key of some texts, from which nobody learns them. Where each begins is part of it.
    pub(super) fn key(&self, texts: &[&str]) -> Key {
        let mut digest = Sha256::new().chain_update(self.secret);
        for text in texts {
            digest.update(u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
            digest.update(text);
        }
        digest.finalize().into()
    }

    /// What is known now.
    pub(super) fn get(&self, key: &Key) -> Option<V> {
        match self.shard(key).get(key)? {
            Slot::Known { value, until } if Instant::now() < *until => Some(value.clone()),
            Slot::Known { .. } | Slot::Asked(_) => None,
        }
    }

    /// What is known, or else what `ask` finds out and says how long to remember; not at all, if it is
    /// no time. A fault is not remembered.
    pub(super) async fn get_or_ask<A>(
        self: &Arc<Self>,
        key: Key,
        ask: impl FnOnce() -> A,
    ) -> Result<V, AccessFault>
    where
        A: Future<Output = Result<(V, Duration), AccessFault>> + Send + 'static,
    {
        let pending = {
            let mut shard = self.shard(&key);
            match shard.get(&key) {
                Some(Slot::Known { value, until }) if Instant::now() < *until => {
                    return Ok(value.clone());
                }
                Some(Slot::Asked(pending)) => pending.clone(),
                Some(Slot::Known { .. }) | None => {
                    if !make_room(&mut shard) {
                        return Err(AccessFault("too many callers are asked about".to_owned()));
                    }
                    let (answer, receiver) = oneshot::channel();
                    let pending = receiver.shared();
                    shard.insert(key, Slot::Asked(pending.clone()));
                    let (this, asked) = (self.clone(), ask());
                    tokio::spawn(async move {
                        let mut guard = Forget {
                            this,
                            key,
                            armed: true,
                        };
                        let found = asked.await;
                        let found = guard.note(found);
                        // Who waited may have left.
                        let _ = answer.send(found);
                    });
                    pending
                }
            }
        };
        let gone = || AccessFault("the question was given up".to_owned());
        pending.await.unwrap_or_else(|_| Err(gone()))
    }

    fn shard(&self, key: &Key) -> MutexGuard<'_, HashMap<Key, Slot<V>>> {
        // Each change is one insertion or removal, so a panic elsewhere leaves a valid state.
        self.shards[usize::from(key[0]) % SHARDS]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes a question out of the shard whose task ended without an answer.
struct Forget<V: Clone + Send + Sync + 'static> {
    this: Arc<Remembered<V>>,
    key: Key,
    armed: bool,
}

impl<V: Clone + Send + Sync + 'static> Forget<V> {
    fn note(&mut self, found: Result<(V, Duration), AccessFault>) -> Result<V, AccessFault> {
        self.armed = false;
        let mut shard = self.this.shard(&self.key);
        match found {
            Ok((value, memory)) if !memory.is_zero() => {
                let until = Instant::now() + memory;
                let known = Slot::Known {
                    value: value.clone(),
                    until,
                };
                shard.insert(self.key, known);
                Ok(value)
            }
            found => {
                shard.remove(&self.key);
                found.map(|(value, _)| value)
            }
        }
    }
}

impl<V: Clone + Send + Sync + 'static> Drop for Forget<V> {
    fn drop(&mut self) {
        if self.armed {
            self.this.shard(&self.key).remove(&self.key);
        }
    }
}

/// Has room for one more, if there is any: what is over goes, or else what is over first. Refusals are
/// remembered for less time than what is allowed, so that no number of them takes the others' places.
/// What is being asked stays: those who wait find it there, and each question has a deadline.
fn make_room<V>(shard: &mut HashMap<Key, Slot<V>>) -> bool {
    if shard.len() < SHARD {
        return true;
    }
    let now = Instant::now();
    shard.retain(|_, slot| !matches!(slot, Slot::Known { until, .. } if *until <= now));
    if shard.len() < SHARD {
        return true;
    }
    let ends = shard.iter().filter_map(|(key, slot)| match slot {
        Slot::Known { until, .. } => Some((*until, *key)),
        Slot::Asked(_) => None,
    });
    let first = ends.min();
    first.is_some_and(|(_, first)| shard.remove(&first).is_some())
}

impl<V> std::fmt::Debug for Remembered<V> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Remembered").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use tokio::sync::Notify;

    const MINUTE: Duration = Duration::from_mins(1);

    async fn ask(
        remembered: &Arc<Remembered<u32>>,
        key: &str,
        answer: Result<(u32, Duration), AccessFault>,
    ) -> Result<u32, AccessFault> {
        let key = remembered.key(&[key]);
        remembered.get_or_ask(key, || async { answer }).await
    }

    fn fault() -> AccessFault {
        AccessFault("away".to_owned())
    }

    #[tokio::test(start_paused = true)]
    async fn answers_are_known_for_their_time() {
        let remembered = Remembered::new();
        assert_eq!(ask(&remembered, "a", Ok((1, MINUTE))).await, Ok(1));
        assert_eq!(ask(&remembered, "a", Ok((2, MINUTE))).await, Ok(1));
        assert_eq!(ask(&remembered, "b", Ok((3, MINUTE))).await, Ok(3));
        tokio::time::advance(MINUTE).await;
        assert_eq!(remembered.get(&remembered.key(&["a"])), None);
        assert_eq!(ask(&remembered, "a", Err(fault())).await, Err(fault()));
        assert_eq!(ask(&remembered, "a", Ok((4, Duration::ZERO))).await, Ok(4));
        assert_eq!(ask(&remembered, "a", Ok((5, MINUTE))).await, Ok(5));
    }

    #[tokio::test]
    async fn all_that_wait_ask_once() {
        let (remembered, go) = (Remembered::new(), Arc::new(Notify::new()));
        let asked = Arc::new(AtomicUsize::new(0));
        let key = remembered.key(&["a"]);
        let mut waiting = Vec::new();
        for _ in 0..10 {
            let (remembered, go, asked) = (remembered.clone(), go.clone(), asked.clone());
            waiting.push(tokio::spawn(async move {
                let ask = || async move {
                    asked.fetch_add(1, Ordering::Relaxed);
                    go.notified().await;
                    Ok((7, MINUTE))
                };
                remembered.get_or_ask(key, ask).await
            }));
        }
        while asked.load(Ordering::Relaxed) == 0 {
            tokio::task::yield_now().await;
        }
        // The first, and so maybe the one who asked, leaves.
        waiting.remove(0).abort();
        go.notify_one();
        for waiting in waiting {
            assert_eq!(waiting.await.unwrap(), Ok(7));
        }
        assert_eq!(asked.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn a_question_that_panics_is_asked_again() {
        let remembered: Arc<Remembered<u32>> = Remembered::new();
        let key = remembered.key(&["a"]);
        let panics = || async { panic!("it fails") };
        assert!(remembered.get_or_ask(key, panics).await.is_err());
        assert_eq!(ask(&remembered, "a", Ok((1, MINUTE))).await, Ok(1));
    }

    #[tokio::test(start_paused = true)]
    async fn refusals_make_room_first_and_there_is_a_bound() {
        let remembered = Remembered::new();
        let short = Duration::from_secs(10);
        assert_eq!(ask(&remembered, "allowed", Ok((1, MINUTE))).await, Ok(1));
        for number in 0..2 * SHARDS * SHARD {
            let name = number.to_string();
            assert_eq!(ask(&remembered, &name, Ok((0, short))).await, Ok(0));
        }
        let sizes = remembered
            .shards
            .iter()
            .map(|shard| shard.lock().unwrap().len());
        assert!(sizes.max().unwrap() <= SHARD);
        assert_eq!(remembered.get(&remembered.key(&["allowed"])), Some(1));
    }

    #[test]
    fn keys_tell_nothing_and_do_not_run_together() {
        let (one, other) = (Remembered::<u32>::new(), Remembered::<u32>::new());
        assert_eq!(one.key(&["a", "b"]), one.key(&["a", "b"]));
        assert_ne!(one.key(&["a", "b"]), one.key(&["ab", ""]));
        assert_ne!(one.key(&["a"]), other.key(&["a"]));
        assert_ne!(one.key(&["a"])[..], Sha256::digest("a")[..]);
    }
}
