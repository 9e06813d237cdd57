//! Archives into a mocked cluster.

use std::sync::Mutex;

use portcullis_policies::{Cache, Definition, Object, ObjectKey, Policy};
use portcullis_webhook::Readiness;
use rstest::rstest;

use super::super::api_server::ApiServer;
use super::*;
use crate::archive::tests::{clerk, ed25519_key, ed25519_pem, exported, p256_pem, policy};

const POLICIES: &str = "/apis/portcullis.dev/v1alpha1/clusterpolicies";
const OWN: &str = "/apis/portcullis.dev/v1alpha1/clusterpolicies/imported-a.b.1.0";
const FIRST: &str = "package a.b\n\nallow := 1 == 1\n";
const SECOND: &str = "package a.b\n\nallow := 2 == 2\n";

struct Cluster {
    server: ApiServer,
    archives: ClusterArchives,
    tokens: Arc<Mutex<Vec<String>>>,
    elsewhere: Clerk,
    _keys: tempfile::TempDir,
}

fn cluster() -> Cluster {
    let server = ApiServer::default();
    let mirror = Mirror::new(Arc::new(Cache::new()), Readiness::new([]));
    let keys = tempfile::tempdir().unwrap();
    let own = clerk(keys.path(), &p256_pem(), &[("*", &ed25519_key())]);
    let elsewhere = clerk(keys.path(), &ed25519_pem(), &[]);
    let tokens = Arc::new(Mutex::new(Vec::new()));
    let (reached, seen) = (server.clone(), tokens.clone());
    let connect = move |token: &str| {
        seen.lock().unwrap().push(token.to_owned());
        Ok(reached.client())
    };
    Cluster {
        archives: ClusterArchives::connecting(Arc::new(own), connect, mirror),
        server,
        tokens,
        elsewhere,
        _keys: keys,
    }
}

impl Cluster {
    async fn import(
        &self,
        source: &str,
        second: i64,
        namespace: Option<&str>,
    ) -> Result<Imported, ArchiveFault> {
        let archive = exported(&self.elsewhere, &policy("a/b@1.0", source), second).await;
        let request = ImportRequest {
            archive: archive.into(),
            namespace: namespace.map(str::to_owned),
            replaces: None,
        };
        self.archives
            .import(Caller::with_bearer("abc"), request)
            .await
    }

    /// The watch brings what is in the cluster.
    fn follow(&self, name: &str, source: &str) {
        let definition = Definition::new("a/b@1.0".parse().unwrap(), source);
        let object = Object {
            key: ObjectKey::new("ClusterPolicy", None, name),
            created: Timestamp::UNIX_EPOCH,
            updated: Timestamp::from_second(7).unwrap(),
            policy: Arc::new(Policy::compile(definition)),
        };
        let cache = self.archives.mirror.cache();
        cache.update(|state| state.apply_policy(object));
    }
}

#[tokio::test(start_paused = true)]
async fn an_archive_is_applied_with_the_callers_token() {
    let cluster = cluster();
    let imported = cluster.import(FIRST, 10, None).await.unwrap();
    assert_eq!(imported.action, ImportAction::Created);
    assert_eq!(*cluster.tokens.lock().unwrap(), ["abc"]);
    let object = cluster.server.get(OWN);
    assert_eq!(object["spec"]["modules"]["policy.rego"], FIRST);
    assert_eq!(object["kind"], "ClusterPolicy");
    let annotations = &object["metadata"]["annotations"];
    assert_eq!(annotations[SIGNER], ed25519_key().public().id());
    assert_eq!(annotations[UPDATED], "1970-01-01T00:00:10Z");
    assert_eq!(cluster.server.written(), [format!("PATCH {OWN}")]);
}

#[tokio::test(start_paused = true)]
async fn a_newer_archive_replaces_and_an_older_one_does_not() {
    let cluster = cluster();
    cluster.import(FIRST, 10, None).await.unwrap();
    cluster.follow("imported-a.b.1.0", FIRST);
    let again = cluster.import(FIRST, 10, None).await.unwrap();
    assert_eq!(
        (again.action, again.in_force),
        (ImportAction::Unchanged, true)
    );
    let newer = cluster.import(SECOND, 20, None).await.unwrap();
    assert_eq!(newer.action, ImportAction::Replaced);
    cluster.follow("imported-a.b.1.0", SECOND);
    let fault = cluster.import(FIRST, 10, None).await.unwrap_err();
    assert!(matches!(fault, ArchiveFault::Conflict { .. }), "{fault:?}");
    assert_eq!(cluster.server.written().len(), 2);
    let source = cluster.server.get(OWN)["spec"]["modules"]["policy.rego"].clone();
    assert_eq!(source, SECOND);
}

#[tokio::test(start_paused = true)]
async fn what_others_made_is_theirs() {
    let cluster = cluster();
    let path = format!("{POLICIES}/by-hand");
    cluster
        .server
        .put(&path, json!({"metadata": {"name": "by-hand"}}));
    cluster.follow("by-hand", FIRST);
    let fault = cluster.import(SECOND, 20, None).await.unwrap_err();
    assert!(fault.to_string().contains("was not imported"), "{fault}");
    assert_eq!(cluster.server.written(), [""; 0]);
}

/// The object exists, and its policy is not in force: of another address, or not seen yet.
#[tokio::test(start_paused = true)]
async fn an_object_whose_policy_is_not_known_is_not_overwritten() {
    let cluster = cluster();
    cluster
        .server
        .put(OWN, json!({"metadata": {"name": "imported-a.b.1.0"}}));
    let fault = cluster.import(FIRST, 10, None).await.unwrap_err();
    assert!(matches!(fault, ArchiveFault::Conflict { .. }), "{fault:?}");
    assert_eq!(cluster.server.written(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_namespaced_policy_is_applied_in_its_namespace() {
    let cluster = cluster();
    let imported = cluster.import(FIRST, 10, Some("team")).await.unwrap();
    assert_eq!(imported.address.namespace(), Some("team"));
    let path = "/apis/portcullis.dev/v1alpha1/namespaces/team/policies/imported-a.b.1.0";
    let object = cluster.server.get(path);
    assert_eq!(object["kind"], "Policy");
    assert_eq!(object["metadata"]["namespace"], "team");
}

#[rstest]
#[case("GET", 403, ArchiveFault::Forbidden("the API server says 403 Forbidden".to_owned()))]
#[case("PATCH", 401, ArchiveFault::Unauthenticated)]
#[case("PATCH", 403, ArchiveFault::Forbidden("the API server says 403 Forbidden".to_owned()))]
#[case("PATCH", 422, ArchiveFault::Broken("the API server says 422 Unprocessable Entity".to_owned()))]
#[case("PATCH", 500, ArchiveFault::Unavailable("the API server says 500 Internal Server Error".to_owned()))]
#[tokio::test(start_paused = true)]
async fn says_what_the_api_server_said(
    #[case] method: &str,
    #[case] code: u16,
    #[case] expected: ArchiveFault,
) {
    let cluster = cluster();
    cluster.server.refuse(&format!("{method} {OWN}"), code);
    assert_eq!(cluster.import(FIRST, 10, None).await, Err(expected));
}

#[tokio::test(start_paused = true)]
async fn fields_of_another_manager_are_told_as_a_conflict() {
    let cluster = cluster();
    cluster.server.refuse(&format!("PATCH {OWN}"), 409);
    let fault = cluster.import(FIRST, 10, None).await.unwrap_err();
    assert!(matches!(fault, ArchiveFault::Conflict { .. }), "{fault:?}");
}

#[tokio::test]
async fn asks_nothing_for_who_has_no_token() {
    let cluster = cluster();
    let request = ImportRequest {
        archive: Vec::new().into(),
        namespace: None,
        replaces: None,
    };
    let fault = cluster.archives.import(Caller::default(), request).await;
    assert_eq!(fault, Err(ArchiveFault::Unauthenticated));
    assert_eq!(cluster.tokens.lock().unwrap().len(), 0);
}

/// Its object's time and generation tell states apart; all replicas know them alike.
#[tokio::test]
async fn the_age_of_what_is_exported_is_that_of_its_object() {
    let cluster = cluster();
    cluster.follow("p", FIRST);
    let record = super::super::Record {
        uid: "uid".to_owned(),
        generation: Some(3),
        status: serde_json::Value::Null,
        policy: None,
        fault: None,
    };
    let key = ObjectKey::new("ClusterPolicy", None, "p");
    let nothing: Option<fn(&mut portcullis_policies::State)> = None;
    cluster.archives.mirror.change(nothing, |records| {
        records.insert(key, Arc::new(record));
    });
    let snapshot = cluster.archives.mirror.cache().snapshot();
    let entry = snapshot.find(&"a/b@1.0".parse().unwrap()).unwrap();
    let moment = cluster.archives.moment(entry);
    assert_eq!((moment.last_update.as_second(), moment.generation), (7, 3));
}
