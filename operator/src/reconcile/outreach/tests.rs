//! The leader's hand on a mocked cluster.

use portcullis_policies::{Cache, Timestamp};
use portcullis_webhook::{ImportAction, Readiness};
use serde_json::Value as Json;

use super::*;
use crate::{
    archive::tests::{clerk, ed25519_key, ed25519_pem, exported, p256_pem, policy},
    cluster::api_server::ApiServer,
};

const GROUP: &str = "/apis/portcullis.dev/v1alpha1";

struct World {
    server: ApiServer,
    hand: Hand,
    elsewhere: Clerk,
    _keys: tempfile::TempDir,
}

fn world(leadership: Leadership) -> World {
    let server = ApiServer::default();
    let keys = tempfile::tempdir().unwrap();
    let own = clerk(keys.path(), &p256_pem(), &[("a/*", &ed25519_key())]);
    let hand = Hand {
        client: server.client(),
        leadership,
        mirror: Mirror::new(Arc::new(Cache::new()), Readiness::new([])),
        clerk: Arc::new(own),
    };
    World {
        elsewhere: clerk(keys.path(), &ed25519_pem(), &[]),
        server,
        hand,
        _keys: keys,
    }
}

fn subscription(name: &str, namespace: Option<&str>, time: &str) -> Json {
    let kind = match namespace {
        Some(_) => "PolicySubscription",
        None => "ClusterPolicySubscription",
    };
    json!({"apiVersion": crds::API_VERSION, "kind": kind,
        "metadata": {"name": name, "namespace": namespace, "creationTimestamp": time},
        "spec": {"group": "a", "name": "b", "version": "1.0", "subscriber": "shop",
            "url": "https://example.com/told"}})
}

fn list(items: &[Json]) -> Json {
    json!({"apiVersion": "v1", "kind": "List", "metadata": {}, "items": items})
}

impl World {
    fn with_subscriptions(self) -> Self {
        let own = subscription("own", None, "2026-01-02T00:00:00Z");
        let teams = subscription("teams", Some("team"), "2026-01-01T00:00:00Z");
        let (cluster, namespaced) = ("clusterpolicysubscriptions", "policysubscriptions");
        self.server
            .put(
                &format!("{GROUP}/{cluster}"),
                list(std::slice::from_ref(&own)),
            )
            .put(
                &format!("{GROUP}/{namespaced}"),
                list(std::slice::from_ref(&teams)),
            )
            .put(&format!("{GROUP}/{cluster}/own"), own)
            .put(
                &format!("{GROUP}/namespaces/team/{namespaced}/teams"),
                teams,
            );
        self
    }
}

#[tokio::test]
async fn how_far_each_subscription_came_is_written_into_its_status() {
    let world = world(Leadership::for_a_test()).with_subscriptions();
    let all = Ledger::all(&world.hand).await.unwrap();
    let names: Vec<_> = all.iter().map(|own| own.id.as_str()).collect();
    assert_eq!(names, ["teams", "own"], "the oldest first");
    for subscription in &all {
        let progress = Progress {
            sequence: 3,
            failure: Some("away".to_owned()),
            ..Progress::default()
        };
        Ledger::keep(&world.hand, subscription, progress)
            .await
            .unwrap();
    }
    assert_eq!(
        world.server.written(),
        [
            format!("PATCH {GROUP}/namespaces/team/policysubscriptions/teams/status"),
            format!("PATCH {GROUP}/clusterpolicysubscriptions/own/status"),
        ]
    );
    let status = &world.server.writes()[1].body["status"];
    assert_eq!(*status, json!({"sequence": 3, "failure": "away"}));
}

#[tokio::test]
async fn a_fetched_archive_is_applied_and_what_became_of_it_written() {
    let world = world(Leadership::for_a_test());
    let archive = exported(&world.elsewhere, &policy("a/b@1.0", "package a.b"), 7).await;
    let imported = world.hand.take_in(archive).await.unwrap();
    assert_eq!(imported.action, ImportAction::Created);
    let path = format!("{GROUP}/clusterpolicies/imported-a.b.1.0");
    assert_eq!(world.server.written(), [format!("PATCH {path}")]);
    assert_eq!(world.server.get(&path)["spec"]["group"], "a");

    let import = format!("{GROUP}/clusterpolicyimports/by-hand");
    world
        .server
        .put(&import, json!({"metadata": {"name": "by-hand"}}));
    let schedule = Schedule {
        object: "by-hand".to_owned(),
        url: "https://example.com/export".to_owned(),
        interval_seconds: 60,
        outcome: Outcome::default(),
    };
    let outcome = Outcome::default().failed(Timestamp::UNIX_EPOCH, "no".to_owned());
    Shelf::keep(&world.hand, &schedule, outcome).await.unwrap();
    let status = &world.server.writes()[1].body["status"];
    assert_eq!(
        *status,
        json!({"attempted": "1970-01-01T00:00:00Z", "failure": "no", "failures": 1})
    );
}

#[tokio::test]
async fn what_its_signer_may_not_sign_is_not_applied() {
    let world = world(Leadership::for_a_test());
    let archive = exported(
        &world.elsewhere,
        &policy("other/b@1.0", "package other.b"),
        7,
    )
    .await;
    let fault = world.hand.take_in(archive).await.unwrap_err();
    assert!(matches!(fault, ArchiveFault::Untrusted(_)), "{fault:?}");
    assert_eq!(world.server.written(), [""; 0]);
}

#[tokio::test]
async fn who_does_not_lead_writes_nothing() {
    let world = world(Leadership::lost()).with_subscriptions();
    let archive = exported(&world.elsewhere, &policy("a/b@1.0", "package a.b"), 7).await;
    let fault = world.hand.take_in(archive).await.unwrap_err();
    assert!(matches!(fault, ArchiveFault::Unavailable(_)), "{fault:?}");
    let all = Ledger::all(&world.hand).await.unwrap();
    let kept = Ledger::keep(&world.hand, &all[0], Progress::default()).await;
    assert!(kept.unwrap_err().contains("does not lead"));
    assert_eq!(world.server.written(), [""; 0]);
}

/// What is gone by then is nobody's to be told of.
#[tokio::test]
async fn an_object_that_is_gone_is_no_fault() {
    let world = world(Leadership::for_a_test()).with_subscriptions();
    let all = Ledger::all(&world.hand).await.unwrap();
    world
        .server
        .remove(&format!("{GROUP}/clusterpolicysubscriptions/own"));
    let kept = Ledger::keep(&world.hand, &all[1], Progress::default()).await;
    assert_eq!(kept, Ok(()));
}
