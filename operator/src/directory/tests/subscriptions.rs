//! Subscriptions in a file.

use std::{fs, path::Path, sync::Arc};

use portcullis_policies::{Address, Cache};
use portcullis_webhook::{
    Caller, NewSubscription, OutboundFault, Subscribed, SubscriptionKeeper as _,
};
use rstest::rstest;

use super::{ALLOWS, directory, start};
use crate::{
    archive::tests::{clerk, ed25519_pem},
    directory::{Access, DirectorySubscriptions, KeptListFault},
    network::reaching,
    subscriptions::{Courier, Ledger as _, MAX_SUBSCRIPTIONS, Progress},
};

fn address() -> Address {
    "a/b@1.0".parse().unwrap()
}

fn open(folder: &Path, access: Access) -> Result<DirectorySubscriptions, KeptListFault> {
    let started = start(directory(&[("a/b/1.0/policy.rego", ALLOWS)])).unwrap();
    let keys = tempfile::tempdir().unwrap();
    let clerk = clerk(keys.path(), &ed25519_pem(), &[]);
    let courier = Courier::new(reaching(&["*"]), clerk.keyring().clone(), "", "policies");
    let cache: Arc<Cache> = started.cache.clone();
    DirectorySubscriptions::open(folder, cache, access, Arc::new(courier))
}

async fn subscribe(
    desk: &DirectorySubscriptions,
    subscriber: &str,
    url: &str,
) -> Result<Subscribed, OutboundFault> {
    let asked = NewSubscription {
        address: address(),
        subscriber: subscriber.to_owned(),
        url: url.to_owned(),
    };
    desk.subscribe(Caller::default(), asked).await
}

async fn names(desk: &DirectorySubscriptions) -> Vec<String> {
    let listed = desk.list(Caller::default(), address()).await.unwrap();
    listed.into_iter().map(|own| own.subscriber).collect()
}

const URL: &str = "https://example.com/told";

#[tokio::test]
async fn subscriptions_and_how_far_they_came_survive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let locks = folder.path().join("locks");
    let desk = open(&locks, Access::Open).unwrap();
    let shop = subscribe(&desk, "shop", URL).await.unwrap();
    subscribe(&desk, "bank", URL).await.unwrap();
    assert_eq!(
        subscribe(&desk, "shop", URL).await,
        Err(OutboundFault::Exists)
    );
    assert_eq!(names(&desk).await, ["shop", "bank"]);
    let held = desk.all().await.unwrap();
    // Who subscribes knows what there is.
    assert!(held[0].progress.told.as_ref().unwrap().digest.is_some());
    let progress = Progress {
        sequence: 7,
        ..held[0].progress.clone()
    };
    desk.keep(&held[0], progress.clone()).await.unwrap();

    let desk = open(&locks, Access::Open).unwrap();
    let held = desk.all().await.unwrap();
    assert_eq!(held[0].progress, progress);
    assert_eq!(held[0].id, shop.id);
    desk.unsubscribe(Caller::default(), address(), shop.id.clone())
        .await
        .unwrap();
    let again = desk
        .unsubscribe(Caller::default(), address(), shop.id)
        .await;
    assert_eq!(again, Err(OutboundFault::NotFound("subscription")));
    // What goes meanwhile is not brought back by what is told.
    desk.keep(&held[0], progress).await.unwrap();
    assert_eq!(names(&open(&locks, Access::Open).unwrap()).await, ["bank"]);
}

/// The folder is that of the locks, where a file that holds no lock is a problem.
#[tokio::test]
async fn the_file_is_no_lock() {
    let root = directory(&[("a/b/1.0/policy.rego", ALLOWS)]);
    let desk = open(&root.path().join("locks"), Access::Open).unwrap();
    subscribe(&desk, "shop", URL).await.unwrap();
    let started = start(root).unwrap();
    assert_eq!(started.locks.problems(), []);
    assert_eq!(started.policies(), ["a/b@1.0 ok"]);
}

#[tokio::test]
async fn no_more_are_kept_than_can_be_told() {
    let folder = tempfile::tempdir().unwrap();
    let one = |at: usize| {
        format!(
            r#"{{"group": "a", "name": "b", "version": "1.0", "subscriber": "s{at}", "url": "{URL}",
            "created": "2026-01-01T00:00:00Z"}}"#
        )
    };
    let all = |count: usize| format!("[{}]", (0..count).map(one).collect::<Vec<_>>().join(","));
    let file = folder.path().join(".subscriptions.json");
    fs::write(&file, all(MAX_SUBSCRIPTIONS)).unwrap();
    let desk = open(folder.path(), Access::Open).unwrap();
    let fault = subscribe(&desk, "shop", URL).await;
    assert_eq!(fault, Err(OutboundFault::Full(MAX_SUBSCRIPTIONS)));
    fs::write(&file, all(MAX_SUBSCRIPTIONS + 1)).unwrap();
    assert!(open(folder.path(), Access::Open).is_err());
}

#[rstest]
#[case("{")]
#[case("{}")]
#[case(r#"[{"group": "A", "name": "b", "version": "1", "subscriber": "s", "url": "u", "created": "2026-01-01T00:00:00Z"}]"#)]
#[tokio::test]
async fn a_file_that_cannot_be_read_is_told_at_the_start(#[case] text: &str) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(".subscriptions.json"), text).unwrap();
    let fault = open(folder.path(), Access::Open).err().unwrap();
    assert!(fault.to_string().contains(".subscriptions.json"), "{fault}");
}

#[rstest]
#[case(Access::Closed, OutboundFault::Forbidden(String::new()))]
#[case(Access::Token("right".into()), OutboundFault::Unauthenticated)]
#[tokio::test]
async fn who_may_not_lock_may_not_subscribe(
    #[case] access: Access,
    #[case] expected: OutboundFault,
) {
    let folder = tempfile::tempdir().unwrap();
    let desk = open(folder.path(), access).unwrap();
    let faults = [
        subscribe(&desk, "shop", URL).await.unwrap_err(),
        desk.list(Caller::default(), address()).await.unwrap_err(),
        desk.unsubscribe(Caller::default(), address(), String::new())
            .await
            .unwrap_err(),
    ];
    for fault in faults {
        assert_eq!(
            std::mem::discriminant(&fault),
            std::mem::discriminant(&expected)
        );
    }
}

#[tokio::test]
async fn hosts_that_are_not_allowed_are_not_taken() {
    let folder = tempfile::tempdir().unwrap();
    let desk = open(folder.path(), Access::Open).unwrap();
    let fault = subscribe(&desk, "shop", "http://127.0.0.1/told")
        .await
        .unwrap_err();
    assert!(
        matches!(fault, OutboundFault::HostForbidden(_)),
        "{fault:?}"
    );
    assert_eq!(names(&desk).await, [""; 0]);
}
