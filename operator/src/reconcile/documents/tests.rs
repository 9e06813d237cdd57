//! The leader's hand on documents of a mocked cluster.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use portcullis_policies::{Cache, HttpMethod, Parameter, ParameterKey, ParameterKind, Timestamp};
use portcullis_webhook::Readiness;
use rstest::rstest;
use serde_json::Value as Json;

use super::*;
use crate::{cluster::api_server::ApiServer, convert};

const DOCUMENTS: &str = "/apis/portcullis.dev/v1alpha1/fetcheddocuments";
const SECRETS: &str = "/api/v1/namespaces/platform/secrets";

fn source() -> HttpSource {
    HttpSource {
        namespace: None,
        url: "https://example.com/roles.json?token=x".to_owned(),
        host: "example.com".to_owned(),
        port: 443,
        method: HttpMethod::Get,
        body: String::new(),
        headers: Vec::new(),
        authorities: None,
        period: std::time::Duration::from_mins(5),
        timeout: std::time::Duration::from_secs(10),
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn documents(server: &ApiServer, leadership: Leadership) -> Documents {
    Documents {
        client: server.client(),
        leadership,
        mirror: Mirror::new(Arc::new(Cache::new()), Readiness::new([])),
    }
}

fn fetched(second: i64) -> Attempts {
    Attempts {
        attempted: Some(at(second)),
        fetched: Some(at(second)),
        size: Some(2),
        tag: Some("\"1\"".to_owned()),
        ..Attempts::default()
    }
}

fn path() -> String {
    format!("{DOCUMENTS}/{}", source().object_name())
}

/// What a replica reads of the object at the path.
fn seen(server: &ApiServer) -> Selected {
    let object = server.get(&path());
    let key = ParameterKey {
        kind: ParameterKind::fetched_document(),
        namespace: None,
        name: source().object_name(),
    };
    let content = object.as_object().cloned().unwrap();
    let parameter: Parameter = convert::parameter(key, portcullis_policies::Labels::new(), content);
    Selected::Known(vec![Arc::new(parameter)])
}

#[tokio::test]
async fn a_document_is_written_once_and_its_progress_each_time() {
    let server = ApiServer::default();
    let documents = documents(&server, Leadership::for_a_test());
    let document = || Some("[]".to_owned());
    documents
        .put(&source(), document(), &fetched(1))
        .await
        .unwrap();
    let object = server.get(&path());
    assert_eq!(
        object["spec"],
        json!({"url": "https://example.com/roles.json", "document": "[]"})
    );
    let expected = json!({"attempted": "1970-01-01T00:00:01Z", "fetched": "1970-01-01T00:00:01Z",
        "size": 2, "tag": "\"1\"", "failures": 0});
    assert_eq!(object["status"], expected);

    // Replicas have it by now.
    let selected = seen(&server);
    let selection = source().selection();
    documents
        .mirror
        .cache()
        .update(|state| state.set_parameters(selection, selected));
    documents
        .put(&source(), document(), &fetched(2))
        .await
        .unwrap();
    documents
        .put(&source(), Some("[1]".to_owned()), &fetched(3))
        .await
        .unwrap();
    let (own, status) = (
        format!("PATCH {}", path()),
        format!("PATCH {}/status", path()),
    );
    assert_eq!(
        server.written(),
        [&own, &status, &status, &own, &status].map(Clone::clone)
    );
    assert_eq!(server.get(&path())["spec"]["document"], "[1]");
}

#[tokio::test]
async fn a_failure_leaves_the_document_and_says_why() {
    let server = ApiServer::default();
    let documents = documents(&server, Leadership::for_a_test());
    let failed = |before: Attempts| Attempts {
        attempted: Some(at(9)),
        failure: Some("away".to_owned()),
        failures: 1,
        ..before
    };
    documents
        .put(&source(), None, &failed(Attempts::default()))
        .await
        .unwrap();
    let object = server.get(&path());
    assert_eq!(
        object["spec"],
        json!({"url": "https://example.com/roles.json"})
    );
    assert_eq!(object["status"]["failure"], "away");
    assert!(
        matches!(seen(&server), Selected::Known(objects) if objects[0].content["failure"] == "away")
    );

    // Whoever led before has fetched it, and this one does not know.
    documents
        .put(&source(), Some("[]".to_owned()), &fetched(10))
        .await
        .unwrap();
    documents
        .put(&source(), None, &failed(Attempts::default()))
        .await
        .unwrap();
    assert_eq!(server.get(&path())["spec"]["document"], "[]");
    documents
        .put(&source(), None, &failed(fetched(10)))
        .await
        .unwrap();
    let object = server.get(&path());
    assert_eq!(object["spec"]["document"], "[]");
    assert_eq!(object["status"]["fetched"], "1970-01-01T00:00:10Z");
    assert_eq!(object["status"]["failure"], "away");
}

#[tokio::test]
async fn who_leads_next_reads_how_far_they_are() {
    let server = ApiServer::default();
    let documents = documents(&server, Leadership::for_a_test());
    let failed = Attempts {
        failure: Some("away".to_owned()),
        failures: 3,
        ..fetched(1)
    };
    documents
        .put(&source(), Some("[]".to_owned()), &failed)
        .await
        .unwrap();
    let items = json!([server.get(&path())]);
    server.put(
        DOCUMENTS,
        json!({"apiVersion": "v1", "kind": "List", "metadata": {}, "items": items}),
    );
    let kept = documents.kept().await.unwrap();
    assert_eq!(kept, Progress::from([(source().object_name(), failed)]));
    server.refuse(&format!("GET {DOCUMENTS}"), 403);
    assert!(documents.kept().await.unwrap_err().contains("403"));
}

#[tokio::test]
async fn what_nobody_wants_is_deleted() {
    let server = ApiServer::default();
    let documents = documents(&server, Leadership::for_a_test());
    documents
        .put(&source(), Some("[]".to_owned()), &fetched(1))
        .await
        .unwrap();
    let name = source().object_name();
    documents.discard(&name).await.unwrap();
    assert_eq!(server.get(&path()), Json::Null);
    assert_eq!(documents.discard(&name).await, Ok(()), "it is gone already");
}

#[tokio::test]
async fn who_does_not_lead_writes_nothing() {
    let server = ApiServer::default();
    let documents = documents(&server, Leadership::lost());
    let kept = documents
        .put(&source(), Some("[]".to_owned()), &fetched(1))
        .await;
    assert!(kept.unwrap_err().contains("does not lead"));
    assert!(documents.discard("data-1").await.is_err());
    assert_eq!(server.written(), [""; 0]);
}

#[rstest]
#[case::a_text(json!({"it": "sesame"}), Ok("sesame"))]
#[case::another_key(json!({"other": "sesame"}), Err("it has no key `it`"))]
#[tokio::test]
async fn the_value_of_a_header_is_read_when_it_is_sent(
    #[case] texts: Json,
    #[case] expected: Result<&str, &str>,
) {
    let server = ApiServer::default();
    let encode = |(key, text): (&String, &Json)| {
        let text = BASE64_STANDARD.encode(text.as_str().unwrap());
        (key.clone(), Json::String(text))
    };
    let data: serde_json::Map<_, _> = texts.as_object().unwrap().iter().map(encode).collect();
    let secret = json!({"apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": "token", "namespace": "platform"}, "data": data});
    server.put(
        SECRETS,
        json!({"apiVersion": "v1", "kind": "SecretList", "metadata": {}, "items": [secret]}),
    );
    let documents = documents(&server, Leadership::for_a_test());
    let read = documents.secret("platform", "token", "it").await;
    match (read, expected) {
        (Ok(read), Ok(expected)) => assert_eq!(read, expected),
        (Err(why), Err(says)) => {
            assert!(why.contains(says), "{why}");
            assert!(!why.contains("sesame"), "{why}");
        }
        (read, _) => panic!("{read:?}"),
    }
    server.refuse(&format!("GET {SECRETS}"), 403);
    let why = documents
        .secret("platform", "token", "it")
        .await
        .unwrap_err();
    assert!(
        why.starts_with("Secret platform/token cannot be read: "),
        "{why}"
    );
}
