//! Subscribers on loopback, who answer what they are told to.

mod receiver;

use std::sync::Mutex;
use std::{sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures::future::{BoxFuture, FutureExt as _};
use portcullis_policies::{
    Address, Cache, Definition, Effect, Lock, Object, ObjectKey, Points, Policy, Reach, Target,
    Timestamp,
};
use portcullis_webhook::OutboundFault;
use rstest::rstest;
use serde_json::json;

use super::{Courier, Dispatcher, Ledger, Progress, Subscription, dispatch::backoff, identify};
use crate::{
    archive::{
        SigningKey,
        tests::{clerk, ed25519_key, ed25519_pem, p256_key, p256_pem},
    },
    network::reaching,
};
use receiver::{Received, Receiver};

/// Subscriptions in memory. Clones are the same ones.
#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Vec<Subscription>>>);

impl Ledger for Memory {
    fn all(&self) -> BoxFuture<'_, Result<Vec<Subscription>, String>> {
        let all = self.0.lock().unwrap().clone();
        async { Ok(all) }.boxed()
    }

    fn keep<'a>(
        &'a self,
        subscription: &'a Subscription,
        progress: Progress,
    ) -> BoxFuture<'a, Result<(), String>> {
        let mut held = self.0.lock().unwrap();
        let own = held.iter_mut().find(|own| own.id == subscription.id);
        own.unwrap().progress = progress;
        async { Ok(()) }.boxed()
    }
}

impl Memory {
    fn progress(&self) -> Progress {
        self.0.lock().unwrap()[0].progress.clone()
    }
}

/// A policy, somebody who is told of it, and who tells.
struct World {
    cache: Arc<Cache>,
    ledger: Memory,
    courier: Arc<Courier>,
    receiver: Receiver,
    dispatcher: Dispatcher<Memory>,
    _keys: tempfile::TempDir,
}

fn address() -> Address {
    "a/b@1.0".parse().unwrap()
}

async fn world(pem: &str) -> World {
    let receiver = Receiver::start().await;
    let keys = tempfile::tempdir().unwrap();
    let clerk = clerk(keys.path(), pem, &[]);
    let courier = Arc::new(Courier::new(
        reaching(&["127.0.0.1"]),
        clerk.keyring().clone(),
        "https://policies.example/",
        "policies",
    ));
    let url = receiver.url();
    let subscription = Subscription {
        id: identify(&address(), "shop", &url),
        address: address(),
        subscriber: "shop".to_owned(),
        url,
        created: Timestamp::UNIX_EPOCH,
        progress: Progress::default(),
    };
    let ledger = Memory(Arc::new(Mutex::new(vec![subscription])));
    let cache = Arc::new(Cache::new());
    World {
        dispatcher: Dispatcher::new(ledger.clone(), courier.clone(), cache.clone()),
        cache,
        ledger,
        courier,
        receiver,
        _keys: keys,
    }
}

impl World {
    /// The policy has this source now, or is gone.
    fn set(&self, source: Option<&str>) {
        let key = ObjectKey::new("ClusterPolicy", None, "p");
        self.cache.update(|state| match source {
            None => state.delete_policy(&key),
            Some(source) => state.apply_policy(Object {
                key,
                created: Timestamp::UNIX_EPOCH,
                updated: Timestamp::UNIX_EPOCH,
                policy: Arc::new(Policy::compile(Definition::new(address(), source))),
            }),
        });
    }

    fn lock(&self, is_locked: bool) {
        let key = ObjectKey::new("ClusterLock", None, "l");
        self.cache.update(|state| {
            if !is_locked {
                return state.delete_lock(&key);
            }
            state.apply_lock(Lock {
                key,
                reach: Reach::Cluster { namespaces: None },
                target: Target::All,
                points: Points::ALL,
                effect: Effect::Refuse,
                reason: "why".to_owned(),
                expires_at: None,
            });
        });
    }

    async fn look(&mut self) {
        self.dispatcher.round(Timestamp::now()).await.unwrap();
    }

    /// What was received since the last time.
    async fn told(&mut self) -> Vec<Received> {
        self.look().await;
        self.receiver.take()
    }

    /// Lets waits end. The clock is turned between looks only, so that no time limit ends early.
    async fn wait(&self, time: Duration) {
        tokio::time::pause();
        tokio::time::advance(time).await;
        tokio::time::resume();
    }
}

#[rstest]
#[case(ed25519_pem(), ed25519_key(), "v1a")]
#[case(p256_pem(), p256_key(), "v1es256")]
#[tokio::test]
async fn a_change_is_told_as_a_signed_event(
    #[case] pem: String,
    #[case] key: SigningKey,
    #[case] scheme: &str,
) {
    let mut world = world(&pem).await;
    world.set(Some("package a.b"));
    // Who subscribes knows what there is.
    assert_eq!(world.told().await, []);
    assert_eq!(world.told().await, []);
    world.set(Some("package a.b\n"));
    let told = world.told().await;
    let [event] = told.as_slice() else {
        panic!("{told:?}");
    };
    assert_eq!(event.line, "POST /told HTTP/1.1");
    let digest = world
        .cache
        .snapshot()
        .find(&address())
        .unwrap()
        .policy
        .digest();
    assert_eq!(
        event.json(),
        json!({"repository": "policies", "group": "a", "name": "b", "version": "1.0",
            "change": "updated", "digest": digest.to_string(), "locked": false,
            "subscriber": "shop"})
    );
    assert_eq!(event.header("content-type"), "application/json");
    assert_eq!(event.header("ce-specversion"), "1.0");
    assert_eq!(event.header("ce-type"), "dev.portcullis.policy.updated");
    assert_eq!(
        event.header("ce-source"),
        "https://policies.example/policy/policies/a/b/1.0"
    );
    assert_eq!(event.header("ce-subject"), "a/b@1.0");
    assert!(event.header("ce-time").parse::<Timestamp>().is_ok());
    let id = event.header("webhook-id");
    assert_eq!(event.header("ce-id"), id);
    assert_eq!(event.header("webhook-key-id"), key.public().id());
    let (own, signature) = event.header("webhook-signature").split_once(',').unwrap();
    assert_eq!(own, scheme);
    let signed = format!("{id}.{}.{}", event.header("webhook-timestamp"), event.body);
    let signature = STANDARD.decode(signature).unwrap();
    assert!(key.public().verifies(signed.as_bytes(), &signature));
    // It was told, and is not told again.
    assert_eq!(world.told().await, []);
    let progress = world.ledger.progress();
    assert_eq!((progress.sequence, progress.failure), (1, None));
    assert!(progress.delivered.is_some());
}

#[tokio::test]
async fn locks_and_deletions_are_told() {
    let mut world = world(&ed25519_pem()).await;
    world.set(Some("package a.b"));
    world.look().await;
    let mut changes = Vec::new();
    let mut ids = Vec::new();
    for step in 0..5 {
        match step {
            0 => world.lock(true),
            1 => world.lock(false),
            2 => world.set(None),
            3 => world.set(Some("package a.b")),
            // Another policy is nobody's business here.
            _ => {}
        }
        for event in world.told().await {
            changes.push(event.json()["change"].clone());
            ids.push(event.header("webhook-id").to_owned());
        }
    }
    assert_eq!(changes, ["locked", "unlocked", "deleted", "updated"]);
    ids.dedup();
    assert_eq!(ids.len(), 4, "each event has an id of its own");
}

#[tokio::test]
async fn who_does_not_take_it_is_told_again_after_growing_waits_under_the_same_id() {
    let mut world = world(&ed25519_pem()).await;
    world.set(Some("package a.b"));
    world.look().await;
    world.receiver.answer(&[500, 302, 404, 204]);
    world.set(None);
    let mut ids = Vec::new();
    for (failure, wait) in [("500", 1), ("302", 2), ("404", 4)] {
        let told = world.told().await;
        assert_eq!(told.len(), 1, "{failure}");
        ids.push(told[0].header("webhook-id").to_owned());
        let progress = world.ledger.progress();
        assert!(progress.failure.unwrap().contains(failure));
        assert_eq!(progress.sequence, 0);
        // A moment before the wait is over, nothing is sent.
        world.wait(Duration::from_millis(1_000 * wait - 500)).await;
        assert_eq!(world.told().await, [], "{failure}");
        world.wait(Duration::from_millis(500)).await;
    }
    let told = world.told().await;
    ids.push(told[0].header("webhook-id").to_owned());
    ids.dedup();
    assert_eq!(ids.len(), 1);
    assert_eq!(world.ledger.progress().failure, None);
    assert_eq!(world.told().await, []);
}

#[tokio::test]
async fn what_changes_twice_meanwhile_is_told_once_as_it_is_then() {
    let mut world = world(&ed25519_pem()).await;
    world.set(Some("package a.b"));
    world.look().await;
    world.receiver.answer(&[503]);
    world.set(Some("package a.b\n"));
    assert_eq!(world.told().await.len(), 1);
    // It is another event, and so it is tried at once.
    world.set(None);
    let told = world.told().await;
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].json()["change"], "deleted");
    // What is as it was told before is nothing to tell.
    world.receiver.answer(&[503]);
    world.set(Some("package a.b"));
    assert_eq!(world.told().await.len(), 1);
    world.set(None);
    world.wait(Duration::from_secs(2)).await;
    assert_eq!(world.told().await, []);
}

#[tokio::test]
async fn a_restart_tells_what_changed_meanwhile() {
    let mut world = world(&ed25519_pem()).await;
    world.set(Some("package a.b"));
    world.look().await;
    world.set(None);
    let (ledger, courier, cache) = (
        world.ledger.clone(),
        world.courier.clone(),
        world.cache.clone(),
    );
    world.dispatcher = Dispatcher::new(ledger, courier, cache);
    let told = world.told().await;
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].json()["change"], "deleted");
}

#[tokio::test]
async fn an_event_is_given_up_at_last_and_the_next_one_is_told() {
    let mut world = world(&ed25519_pem()).await;
    world.set(Some("package a.b"));
    world.look().await;
    world.receiver.answer(&[500; 20]);
    world.set(None);
    let mut attempts = 0;
    for _ in 0..25 {
        attempts += world.told().await.len();
        world.wait(Duration::from_hours(1)).await;
    }
    assert_eq!(attempts, 20);
    let progress = world.ledger.progress();
    assert!(progress.failure.unwrap().starts_with("given up after 20"));
    world.set(Some("package a.b"));
    let told = world.told().await;
    assert_eq!(told.len(), 1);
    let id = told[0].header("webhook-id");
    assert!(id.ends_with("-2"), "{id}");
}

#[tokio::test]
async fn one_who_is_away_keeps_nobody_else_from_being_told() {
    let mut world = world(&ed25519_pem()).await;
    let gone = {
        let mut gone = world.ledger.0.lock().unwrap()[0].clone();
        // Nobody listens at a port that was just given back.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        gone.url = format!("http://{}/", listener.local_addr().unwrap());
        gone.id = identify(&gone.address, "gone", &gone.url);
        gone
    };
    world.ledger.0.lock().unwrap().insert(0, gone);
    world.set(Some("package a.b"));
    world.look().await;
    world.set(None);
    assert_eq!(world.told().await.len(), 1);
    let held = world.ledger.0.lock().unwrap().clone();
    assert!(held[0].progress.failure.is_some());
    assert!(held[1].progress.delivered.is_some());
}

#[rstest]
#[case(1, 1)]
#[case(2, 2)]
#[case(5, 16)]
#[case(11, 1024)]
#[case(12, 1800)]
#[case(100, 1800)]
fn waits_grow_within_bounds(#[case] attempts: u32, #[case] seconds: u64) {
    assert_eq!(backoff(attempts), Duration::from_secs(seconds));
}

#[rstest]
#[case(&["*"], "https://example.com/x", None)]
#[case(&["*"], "http://127.0.0.1/x", Some(OutboundFault::HostForbidden(String::new())))]
#[case(&["*"], "http://169.254.169.254/x", Some(OutboundFault::HostForbidden(String::new())))]
#[case(&["*.example.com"], "https://example.org/x", Some(OutboundFault::HostForbidden(String::new())))]
#[case(&["*"], "example.com", Some(OutboundFault::Invalid(String::new())))]
#[case(&[], "https://example.com/x", Some(OutboundFault::Closed(String::new())))]
#[tokio::test]
async fn urls_that_are_taken(
    #[case] hosts: &[&str],
    #[case] url: &str,
    #[case] expected: Option<OutboundFault>,
) {
    let keys = tempfile::tempdir().unwrap();
    let clerk = clerk(keys.path(), &ed25519_pem(), &[]);
    let courier = Courier::new(reaching(hosts), clerk.keyring().clone(), "", "policies");
    let kind = |fault: &OutboundFault| std::mem::discriminant(fault);
    let checked = courier.check(url).err();
    assert_eq!(checked.as_ref().map(kind), expected.as_ref().map(kind));
}

/// Without a key there is nobody whom a receiver could trust.
#[tokio::test]
async fn without_a_key_nobody_is_told() {
    let clerk = crate::archive::ArchiveArguments::default().clerk("policies");
    let courier = Courier::new(reaching(&["*"]), clerk.keyring().clone(), "", "policies");
    let fault = courier.check("https://example.com/x").unwrap_err();
    assert!(matches!(fault, OutboundFault::Closed(_)), "{fault:?}");
}
