//! Subscriptions in a mocked cluster.

use rstest::rstest;

use super::super::api_server::ApiServer;
use super::*;
use crate::{
    archive::tests::{clerk, ed25519_pem},
    network::reaching,
};

const CLUSTER: &str = "/apis/portcullis.dev/v1alpha1/clusterpolicysubscriptions";
const TEAM: &str = "/apis/portcullis.dev/v1alpha1/namespaces/team/policysubscriptions";
const URL: &str = "https://example.com/told";

fn keeper(server: &ApiServer) -> ClusterSubscriptions {
    let keys = tempfile::tempdir().unwrap();
    let clerk = clerk(keys.path(), &ed25519_pem(), &[]);
    let courier = Courier::new(reaching(&["*"]), clerk.keyring().clone(), "", "policies");
    let server = server.clone();
    let callers = Callers::connecting(move |_| Ok(server.client()));
    ClusterSubscriptions::connecting(callers, Arc::new(courier))
}

fn address(namespace: Option<&str>) -> Address {
    let scope = namespace.map_or(Scope::Cluster, |name| Scope::Namespace(name.to_owned()));
    Address::new(scope, "a", "b", "1.0").unwrap()
}

fn asked(namespace: Option<&str>) -> NewSubscription {
    NewSubscription {
        address: address(namespace),
        subscriber: "shop".to_owned(),
        url: URL.to_owned(),
    }
}

fn somebody() -> Caller {
    Caller::with_bearer("token")
}

#[rstest]
#[case(None, CLUSTER, "ClusterPolicySubscription")]
#[case(Some("team"), TEAM, "PolicySubscription")]
#[tokio::test]
async fn a_subscription_is_an_object_and_the_same_one_again_is_there(
    #[case] namespace: Option<&str>,
    #[case] path: &str,
    #[case] kind: &str,
) {
    let server = ApiServer::default();
    let keeper = keeper(&server);
    let made = keeper
        .subscribe(somebody(), asked(namespace))
        .await
        .unwrap();
    let object = server.get(&format!("{path}/{}", made.id));
    assert_eq!(object["kind"], kind);
    assert_eq!(
        object["spec"],
        json!({"group": "a", "name": "b", "version": "1.0", "subscriber": "shop", "url": URL})
    );
    let again = keeper.subscribe(somebody(), asked(namespace)).await;
    assert_eq!(again, Err(OutboundFault::Exists));
    let gone = keeper
        .unsubscribe(somebody(), address(namespace), made.id.clone())
        .await;
    assert_eq!(gone, Ok(()));
    assert!(server.get(&format!("{path}/{}", made.id)).is_null());
}

#[tokio::test]
async fn the_subscriptions_of_a_policy_are_listed_with_how_far_they_came() {
    let server = ApiServer::default();
    let spec = |version: &str| json!({"group": "a", "name": "b", "version": version, "subscriber": "shop", "url": URL});
    let own = json!({"metadata": {"name": "own", "creationTimestamp": "2026-01-01T00:00:00Z"},
        "apiVersion": "portcullis.dev/v1alpha1", "kind": "ClusterPolicySubscription",
        "spec": spec("1.0"), "status": {"sequence": 2, "failure": "away",
            "delivered": "2026-01-02T00:00:00Z", "told": {"digest": "sha256:0", "locked": true}}});
    let other = json!({"metadata": {"name": "other"}, "spec": spec("2.0"),
        "apiVersion": "portcullis.dev/v1alpha1", "kind": "ClusterPolicySubscription"});
    let progress = read(&serde_json::from_value(own.clone()).unwrap())
        .unwrap()
        .progress;
    assert_eq!(
        status(progress.clone()),
        serde_json::from_value(own["status"].clone()).unwrap()
    );
    assert_eq!(progress.sequence, 2);
    server.put(
        CLUSTER,
        json!({"apiVersion": "v1", "kind": "List", "metadata": {}, "items": [other, own]}),
    );
    let listed = keeper(&server)
        .list(somebody(), address(None))
        .await
        .unwrap();
    let [found] = listed.as_slice() else {
        panic!("{listed:?}");
    };
    assert_eq!(
        (found.id.as_str(), found.failure.as_deref()),
        ("own", Some("away"))
    );
}

#[rstest]
#[case("POST", 403, OutboundFault::Forbidden("the API server says 403 Forbidden".to_owned()))]
#[case("POST", 401, OutboundFault::Unauthenticated)]
#[case("POST", 404, OutboundFault::NotFound("subscription"))]
#[case("POST", 500, OutboundFault::Unavailable("the API server says 500 Internal Server Error".to_owned()))]
#[tokio::test]
async fn says_what_the_api_server_said(
    #[case] method: &str,
    #[case] code: u16,
    #[case] expected: OutboundFault,
) {
    let server = ApiServer::default();
    server.refuse(&format!("{method} {CLUSTER}"), code);
    let made = keeper(&server).subscribe(somebody(), asked(None)).await;
    assert_eq!(made, Err(expected));
}

#[tokio::test]
async fn asks_nothing_for_who_has_no_token_or_names_a_host_that_is_not_allowed() {
    let server = ApiServer::default();
    let keeper = keeper(&server);
    let made = keeper.subscribe(Caller::default(), asked(None)).await;
    assert_eq!(made, Err(OutboundFault::Unauthenticated));
    let inside = NewSubscription {
        url: "http://10.96.0.1/".to_owned(),
        ..asked(None)
    };
    let made = keeper.subscribe(somebody(), inside).await;
    assert!(
        matches!(made, Err(OutboundFault::HostForbidden(_))),
        "{made:?}"
    );
    assert_eq!(server.written(), [""; 0]);
}

/// What is no name of an object is asked of nobody, and another policy's subscription is not deleted.
#[rstest]
#[case("../clusterpolicies/x")]
#[case("")]
#[case("other")]
#[tokio::test]
async fn only_a_policys_own_subscriptions_are_deleted(#[case] id: &str) {
    let server = ApiServer::default();
    let spec =
        json!({"group": "a", "name": "b", "version": "2.0", "subscriber": "shop", "url": URL});
    server.put(
        &format!("{CLUSTER}/other"),
        json!({"metadata": {"name": "other"}, "spec": spec}),
    );
    let gone = keeper(&server)
        .unsubscribe(somebody(), address(None), id.to_owned())
        .await;
    assert_eq!(gone, Err(OutboundFault::NotFound("subscription")));
    assert_eq!(server.written(), [""; 0]);
}
