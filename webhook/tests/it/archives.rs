//! `…/export`, `…/key` and `/v1/policy/import`.

use std::sync::{Arc, Mutex};

use axum::{body::Bytes, http::Method};
use futures::future::{BoxFuture, FutureExt as _};
use portcullis_policies::{Effect, Entry, Timestamp};
use portcullis_webhook::{
    ArchiveFault, ArchiveKeeper, Caller, Exported, ImportAction, ImportRequest, Imported,
    VerifyingKey,
};
use rstest::rstest;
use serde_json::json;

use crate::fixture::{Answer, Fixture, TASKS, define, owned_by, request, with_header};

/// Notes what it is asked, and answers what it is told to.
#[derive(Default)]
pub(crate) struct Archives {
    pub(crate) is_open: bool,
    fault: Mutex<Option<ArchiveFault>>,
    exported: Mutex<Vec<(String, bool)>>,
    imported: Mutex<Vec<(Option<String>, ImportRequest)>>,
}

impl Archives {
    fn faulty(&self) -> Result<(), ArchiveFault> {
        self.fault.lock().unwrap().clone().map_or(Ok(()), Err)
    }
}

impl ArchiveKeeper for Archives {
    fn is_open(&self) -> bool {
        self.is_open
    }

    fn export(
        &self,
        entry: Arc<Entry>,
        is_locked: bool,
    ) -> BoxFuture<'_, Result<Exported, ArchiveFault>> {
        let address = entry.address().to_string();
        self.exported.lock().unwrap().push((address, is_locked));
        let made = self.faulty().map(|()| Exported {
            archive: b"PK archive".to_vec(),
            tag: "abc".to_owned(),
        });
        async { made }.boxed()
    }

    fn key(&self) -> Result<VerifyingKey, ArchiveFault> {
        self.faulty().map(|()| VerifyingKey {
            jwk: json!({"kty": "OKP"}),
            pem: "-----BEGIN PUBLIC KEY-----\n".to_owned(),
        })
    }

    fn import(
        &self,
        caller: Caller,
        request: ImportRequest,
    ) -> BoxFuture<'_, Result<Imported, ArchiveFault>> {
        let bearer = caller.bearer().map(str::to_owned);
        self.imported.lock().unwrap().push((bearer, request));
        let imported = self.faulty().map(|()| Imported {
            address: "tasks/authz@1.0".parse().unwrap(),
            digest: format!("sha256:{}", "0".repeat(64)).parse().unwrap(),
            action: ImportAction::Created,
            last_update: Timestamp::UNIX_EPOCH,
            signer: "key".to_owned(),
            ignored: vec!["export-config.json".to_owned()],
            in_force: true,
        });
        async { imported }.boxed()
    }
}

const IMPORT: &str = "/v1/policy/import";

async fn import(fixture: &Fixture, path: &str, body: &'static str) -> Answer {
    let request = request(Method::POST, path, body);
    fixture
        .evaluate(with_header(request, "authorization", "Bearer abc"))
        .await
}

#[rstest]
#[case(
    "/policy/tasks/authz/1.0",
    "policies_tasks_authz_1.0.zip",
    "tasks/authz@1.0"
)]
#[case(
    "/policy/policies/tasks/authz/1.0",
    "policies_tasks_authz_1.0.zip",
    "tasks/authz@1.0"
)]
#[case(
    "/namespaces/team/policy/tasks/authz/1.0",
    "policies_tasks_authz_1.0.zip",
    "tasks/authz@1.0 in team"
)]
#[tokio::test]
async fn every_address_is_exported_and_tells_its_key(
    #[case] path: &str,
    #[case] file: &str,
    #[case] address: &str,
) {
    let fixture = Fixture::usual().with(owned_by("team", define("tasks/authz@1.0", TASKS)));
    let answer = fixture
        .evaluate(request(Method::GET, &format!("{path}/export"), ""))
        .await;
    assert_eq!(
        (answer.status.as_u16(), answer.text.as_str()),
        (200, "PK archive")
    );
    assert_eq!(answer.header("content-type"), "application/zip");
    let disposition = format!("attachment; filename=\"{file}\"");
    assert_eq!(answer.header("content-disposition"), disposition);
    assert_eq!(answer.header("etag"), "W/\"abc\"");
    let exported = fixture.archives.exported.lock().unwrap().clone();
    assert_eq!(exported, [(address.to_owned(), false)]);
    let answer = fixture
        .evaluate(request(Method::GET, &format!("{path}/key"), ""))
        .await;
    assert_eq!(answer.json(), json!({"kty": "OKP"}));
}

#[tokio::test]
async fn an_archive_that_is_known_is_not_sent_again() {
    let fixture = Fixture::usual();
    for (known, status) in [
        ("W/\"abc\"", 304),
        ("W/\"x\", W/\"abc\"", 304),
        ("W/\"abcd\"", 200),
        ("\"abc\"", 200),
    ] {
        let request = request(Method::GET, "/policy/tasks/authz/1.0/export", "");
        let request = with_header(request, "if-none-match", known);
        let answer = fixture.evaluate(request).await;
        let is_empty = answer.text.is_empty();
        assert_eq!((answer.status.as_u16(), is_empty), (status, status == 304));
    }
}

#[tokio::test]
async fn a_locked_policy_is_exported_as_one() {
    let fixture = Fixture::usual().locked(Effect::Refuse);
    fixture
        .evaluate(request(Method::GET, "/policy/tasks/authz/1.0/export", ""))
        .await;
    assert!(fixture.archives.exported.lock().unwrap()[0].1);
}

#[tokio::test]
async fn a_key_is_told_in_pem_to_who_asks_for_it() {
    let fixture = Fixture::usual();
    let request = request(Method::GET, "/policy/tasks/authz/1.0/key", "");
    let answer = fixture
        .evaluate(with_header(request, "accept", "application/x-pem-file"))
        .await;
    assert!(answer.text.starts_with("-----BEGIN PUBLIC KEY-----"));
}

#[tokio::test]
async fn what_is_not_there_is_not_exported() {
    let fixture = Fixture::usual();
    for path in ["export", "key"] {
        let path = format!("/policy/tasks/authz/2.0/{path}");
        let answer = fixture.evaluate(request(Method::GET, &path, "")).await;
        assert_eq!(
            (
                answer.status.as_u16(),
                answer.json()["code"].as_str().unwrap()
            ),
            (404, "POLICY.NOT_FOUND")
        );
    }
    let unread = Fixture::new().unread();
    let answer = unread
        .evaluate(request(Method::GET, "/policy/tasks/authz/1.0/export", ""))
        .await;
    assert_eq!(answer.status, 503);
    assert_eq!(import(&unread, IMPORT, "PK").await.status, 503);
}

#[tokio::test]
async fn an_archive_is_imported_with_the_callers_token() {
    let fixture = Fixture::usual();
    let digest = format!("sha256:{}", "1".repeat(64));
    let path = format!("{IMPORT}?namespace=team&replaces={digest}");
    let answer = import(&fixture, &path, "PK").await;
    assert_eq!(
        answer.json(),
        json!({
            "repository": "policies", "group": "tasks", "name": "authz", "version": "1.0",
            "locked": false, "lastUpdate": "1970-01-01T00:00:00Z",
            "policy": "tasks/authz@1.0", "digest": format!("sha256:{}", "0".repeat(64)),
            "action": "created", "signer": "key", "ignored": ["export-config.json"],
            "inForce": true,
        })
    );
    let imported = fixture.archives.imported.lock().unwrap();
    let (bearer, request) = &imported[0];
    assert_eq!(bearer.as_deref(), Some("abc"));
    assert_eq!(request.archive, Bytes::from("PK"));
    assert_eq!(request.namespace.as_deref(), Some("team"));
    assert_eq!(request.replaces.map(|it| it.to_string()), Some(digest));
}

#[tokio::test]
async fn the_file_of_a_form_is_imported() {
    let fixture = Fixture::usual();
    let body = "--b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"x.zip\"\r\n\r\nPK\r\n--b--\r\n";
    let form = request(Method::POST, IMPORT, body);
    let form = with_header(form, "content-type", "multipart/form-data; boundary=b");
    assert_eq!(fixture.evaluate(form).await.status, 200);
    let imported = fixture.archives.imported.lock().unwrap();
    assert_eq!(imported[0].1.archive, Bytes::from("PK"));
}

#[rstest]
#[case(ArchiveFault::Unauthenticated, 401, "REQUEST.UNAUTHENTICATED")]
#[case(ArchiveFault::Forbidden("no".into()), 403, "REQUEST.FORBIDDEN")]
#[case(ArchiveFault::NoKey("no".into()), 403, "ARCHIVE.NO_KEY")]
#[case(ArchiveFault::Closed("no".into()), 403, "ARCHIVE.CLOSED")]
#[case(ArchiveFault::Invalid("no".into()), 400, "ARCHIVE.INVALID")]
#[case(ArchiveFault::TooLarge("no".into()), 413, "ARCHIVE.TOO_LARGE")]
#[case(ArchiveFault::Untrusted("no".into()), 403, "ARCHIVE.UNTRUSTED")]
#[case(ArchiveFault::Broken("no".into()), 400, "POLICY.COMPILE_FAILED")]
#[case(ArchiveFault::Conflict { reason: "no".into(), remedy: "do".into() }, 409, "ARCHIVE.CONFLICT")]
#[case(ArchiveFault::Unavailable("no".into()), 503, "ARCHIVE.UNAVAILABLE")]
#[tokio::test]
async fn a_fault_is_told_with_its_code_and_its_remedy(
    #[case] fault: ArchiveFault,
    #[case] status: u16,
    #[case] code: &str,
) {
    let fixture = Fixture::usual();
    let remedy = fault.remedy();
    *fixture.archives.fault.lock().unwrap() = Some(fault);
    let answers = [
        import(&fixture, IMPORT, "PK").await,
        fixture
            .evaluate(request(Method::GET, "/policy/tasks/authz/1.0/export", ""))
            .await,
        fixture
            .evaluate(request(Method::GET, "/policy/tasks/authz/1.0/key", ""))
            .await,
    ];
    for answer in answers {
        assert_eq!(
            (
                answer.status.as_u16(),
                answer.json()["code"].as_str().unwrap()
            ),
            (status, code)
        );
        assert_eq!(answer.json()["remedy"].as_str(), remedy.as_deref());
    }
}

#[rstest]
#[case("?replaces=1.0", "PK", 400)]
#[case("?replaces=sha256:", "PK", 400)]
#[tokio::test]
async fn what_cannot_be_read_is_told(
    #[case] query: &str,
    #[case] body: &'static str,
    #[case] status: u16,
) {
    let fixture = Fixture::usual();
    let answer = import(&fixture, &format!("{IMPORT}{query}"), body).await;
    assert_eq!(answer.status.as_u16(), status);
    assert_eq!(fixture.archives.imported.lock().unwrap().len(), 0);
}

#[tokio::test]
async fn pages_of_other_sites_import_nothing() {
    let fixture = Fixture {
        archives: Arc::new(Archives {
            is_open: true,
            ..Archives::default()
        }),
        ..Fixture::usual()
    };
    let strange = with_header(request(Method::POST, IMPORT, "PK"), "host", "evil.example");
    assert_eq!(fixture.evaluate(strange).await.status, 403);
    let own = with_header(
        request(Method::POST, IMPORT, "PK"),
        "host",
        "localhost:8181",
    );
    let other = with_header(own, "origin", "https://evil.example");
    assert_eq!(fixture.evaluate(other).await.status, 403);
    let own = with_header(
        request(Method::POST, IMPORT, "PK"),
        "host",
        "localhost:8181",
    );
    assert_eq!(fixture.evaluate(own).await.status, 200);
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_not_read() {
    let fixture = Fixture::usual();
    let large: &'static str = "x".repeat((8 << 20) + (64 << 10) + 1).leak();
    assert_eq!(import(&fixture, IMPORT, large).await.status, 413);
    assert_eq!(fixture.archives.imported.lock().unwrap().len(), 0);
}
