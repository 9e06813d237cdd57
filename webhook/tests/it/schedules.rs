//! `/v1/policy/import/config`.

use std::{sync::Mutex, time::Duration};

use axum::http::Method;
use futures::future::{BoxFuture, FutureExt as _};
use portcullis_policies::Timestamp;
use portcullis_webhook::{Caller, ImportScheduler, OutboundFault, ScheduledImport};
use rstest::rstest;
use serde_json::json;

use crate::fixture::{Answer, Fixture, request, with_header};

/// Notes what it is asked, and answers what it is told to.
#[derive(Default)]
pub(crate) struct Schedules {
    fault: Mutex<Option<OutboundFault>>,
    asked: Mutex<Vec<String>>,
}

impl Schedules {
    fn answer<T: Send + 'static>(
        &self,
        caller: &Caller,
        asked: &str,
        value: T,
    ) -> BoxFuture<'static, Result<T, OutboundFault>> {
        let asked = format!("{} {asked}", caller.bearer().unwrap_or("-"));
        self.asked.lock().unwrap().push(asked);
        let fault = self.fault.lock().unwrap().clone();
        async { fault.map_or(Ok(value), Err) }.boxed()
    }
}

impl ImportScheduler for Schedules {
    fn set(
        &self,
        caller: Caller,
        url: String,
        interval: Duration,
    ) -> BoxFuture<'_, Result<(), OutboundFault>> {
        self.answer(&caller, &format!("set {url} {interval:?}"), ())
    }

    fn list(&self, caller: Caller) -> BoxFuture<'_, Result<Vec<ScheduledImport>, OutboundFault>> {
        let schedule = ScheduledImport {
            url: "https://example.com/export".to_owned(),
            interval: Duration::from_hours(1),
            next: Some(Timestamp::UNIX_EPOCH),
            address: Some("a/b@1.0".parse().unwrap()),
            digest: Some("sha256:0".to_owned()),
            succeeded: None,
            failure: Some("no\nanswer".to_owned()),
            failures: 2,
        };
        self.answer(&caller, "list", vec![schedule])
    }

    fn remove(
        &self,
        caller: Caller,
        url: String,
    ) -> BoxFuture<'_, Result<Duration, OutboundFault>> {
        self.answer(&caller, &format!("remove {url}"), Duration::from_mins(90))
    }
}

const PATH: &str = "/v1/policy/import/config";
const URL: &str = r#"{"policyURL": "https://example.com/export"}"#;
const BODY: &str = r#"{"policyURL": "https://example.com/export", "interval": "1h30m"}"#;

async fn ask(fixture: &Fixture, method: Method, body: &'static str) -> Answer {
    let request = request(method, PATH, body);
    fixture
        .evaluate(with_header(request, "authorization", "Bearer abc"))
        .await
}

#[tokio::test]
async fn archives_are_scheduled_listed_and_unscheduled_with_the_callers_token() {
    let fixture = Fixture::usual();
    let expected = json!({"policyURL": "https://example.com/export", "interval": "1h30m0s"});
    let set = ask(&fixture, Method::POST, BODY).await;
    assert_eq!((set.status.as_u16(), set.json()), (200, expected.clone()));
    let listed = ask(&fixture, Method::GET, "").await;
    assert_eq!(
        listed.json(),
        json!({"autoimport": [{
            "PolicyURL": "https://example.com/export", "Interval": 3_600_000_000_000_u64,
            "NextImport": "1970-01-01T00:00:00Z", "interval": "1h0m0s", "policy": "a/b@1.0",
            "digest": "sha256:0", "failure": "no answer", "failures": 2,
        }]})
    );
    let removed = ask(&fixture, Method::DELETE, URL).await;
    assert_eq!((removed.status.as_u16(), removed.json()), (200, expected));
    assert_eq!(
        *fixture.schedules.asked.lock().unwrap(),
        [
            "abc set https://example.com/export 5400s",
            "abc list",
            "abc remove https://example.com/export",
        ]
    );
}

#[rstest]
#[case("")]
#[case("null")]
#[case(URL)]
#[case(r#"{"policyURL": "https://example.com", "interval": "soon"}"#)]
#[case(r#"{"policyURL": "https://example.com", "interval": "59s"}"#)]
#[case(r#"{"policyURL": "https://example.com", "interval": "721h"}"#)]
#[case(r#"{"policyURL": "https://exämple.com", "interval": "1h"}"#)]
#[case(r#"{"policyURL": "https://example.com/ x", "interval": "1h"}"#)]
#[tokio::test]
async fn what_cannot_be_read_is_told(#[case] body: &'static str) {
    let fixture = Fixture::usual();
    let answer = ask(&fixture, Method::POST, body).await;
    assert_eq!(answer.status, 400, "{}", answer.text);
    assert_eq!(fixture.schedules.asked.lock().unwrap().len(), 0);
}

#[rstest]
#[case(OutboundFault::Unauthenticated, 401, "REQUEST.UNAUTHENTICATED")]
#[case(OutboundFault::Forbidden("no".into()), 403, "REQUEST.FORBIDDEN")]
#[case(OutboundFault::Closed("no".into()), 403, "IMPORT.CLOSED")]
#[case(OutboundFault::HostForbidden("no".into()), 403, "IMPORT.HOST_FORBIDDEN")]
#[case(OutboundFault::Invalid("no".into()), 400, "POLICY.INPUT_INVALID")]
#[case(OutboundFault::Full(7), 409, "IMPORT.FULL")]
#[case(OutboundFault::NotFound("periodic import"), 404, "IMPORT.NOT_FOUND")]
#[case(OutboundFault::Unavailable("no".into()), 503, "IMPORT.UNAVAILABLE")]
#[tokio::test]
async fn a_fault_is_told_with_its_code(
    #[case] fault: OutboundFault,
    #[case] status: u16,
    #[case] code: &str,
) {
    let fixture = Fixture::usual();
    *fixture.schedules.fault.lock().unwrap() = Some(fault);
    let answers = [
        ask(&fixture, Method::POST, BODY).await,
        ask(&fixture, Method::GET, "").await,
        ask(&fixture, Method::DELETE, URL).await,
    ];
    for answer in answers {
        assert_eq!(answer.status.as_u16(), status);
        assert_eq!(answer.json()["code"], code);
    }
}
