//! Periodic imports in a mocked cluster.

use super::super::api_server::ApiServer;
use super::*;
use crate::{
    archive::{KeyFiles, Keyring},
    network::reaching,
};

const IMPORTS: &str = "/apis/portcullis.dev/v1alpha1/clusterpolicyimports";
const URL: &str = "https://example.com/export";

fn scheduler(server: &ApiServer) -> ClusterSchedules {
    let keyring = Keyring::new(KeyFiles {
        export: None,
        import: vec!["keys.pem".parse().unwrap()],
    });
    let fetcher = Fetcher::new(reaching(&["*"]), Arc::new(keyring));
    let server = server.clone();
    let callers = Callers::connecting(move |_| Ok(server.client()));
    ClusterSchedules::connecting(callers, Arc::new(fetcher))
}

fn somebody() -> Caller {
    Caller::with_bearer("token")
}

#[tokio::test]
async fn a_schedule_is_an_object_which_the_same_url_changes() {
    let server = ApiServer::default();
    let scheduler = scheduler(&server);
    let path = format!("{IMPORTS}/{}", object_name(URL));
    for seconds in [60, 5_400] {
        let interval = Duration::from_secs(seconds);
        scheduler
            .set(somebody(), URL.to_owned(), interval)
            .await
            .unwrap();
        let expected = json!({"url": URL, "interval": format!("{seconds}s")});
        assert_eq!(server.get(&path)["spec"], expected);
    }
}

#[tokio::test]
async fn schedules_are_listed_and_removed_whoever_made_them() {
    let server = ApiServer::default();
    let own = json!({"apiVersion": crds::API_VERSION, "kind": "ClusterPolicyImport",
        "metadata": {"name": "by-hand"}, "spec": {"url": URL, "interval": "1h30m"},
        "status": {"attempted": "2026-01-01T00:00:00Z", "succeeded": "2026-01-01T00:00:00Z",
            "policy": "a/b@1.0", "digest": "sha256:0", "failures": 0}});
    server.put(&format!("{IMPORTS}/by-hand"), own.clone());
    server.put(
        IMPORTS,
        json!({"apiVersion": "v1", "kind": "List", "metadata": {}, "items": [own]}),
    );
    let scheduler = scheduler(&server);
    let listed = scheduler.list(somebody()).await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].address.as_ref().unwrap().to_string(), "a/b@1.0");
    assert_eq!(listed[0].next.unwrap().to_string(), "2026-01-01T01:30:00Z");
    let other = scheduler
        .remove(somebody(), "https://example.com/other".to_owned())
        .await;
    assert_eq!(other, Err(OutboundFault::NotFound(WHAT)));
    let removed = scheduler.remove(somebody(), URL.to_owned()).await;
    assert_eq!(removed, Ok(Duration::from_mins(90)));
    assert_eq!(server.written(), [format!("DELETE {IMPORTS}/by-hand")]);
}

#[tokio::test]
async fn who_has_no_token_or_may_not_or_names_another_host_schedules_nothing() {
    let server = ApiServer::default();
    let scheduler = scheduler(&server);
    let hour = Duration::from_hours(1);
    let nobody = scheduler.set(Caller::default(), URL.to_owned(), hour).await;
    assert_eq!(nobody, Err(OutboundFault::Unauthenticated));
    let inside = scheduler
        .set(somebody(), "http://127.0.0.1/".to_owned(), hour)
        .await;
    assert!(
        matches!(inside, Err(OutboundFault::HostForbidden(_))),
        "{inside:?}"
    );
    assert_eq!(server.written(), [""; 0]);
    server.refuse(&format!("PATCH {IMPORTS}/{}", object_name(URL)), 403);
    let refused = scheduler.set(somebody(), URL.to_owned(), hour).await;
    assert!(
        matches!(refused, Err(OutboundFault::Forbidden(_))),
        "{refused:?}"
    );
}
