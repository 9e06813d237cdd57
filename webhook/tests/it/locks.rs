//! `…/lock`.

use std::sync::Arc;

use axum::http::Method;
use portcullis_webhook::LockFault;
use rstest::rstest;
use serde_json::json;

use crate::fixture::{Answer, Fixture, TASKS, define, owned_by, request, with_header};

const LOCK: &str = "/policy/tasks/authz/1.0/lock";

async fn ask(fixture: &Fixture, method: Method, body: &'static str) -> Answer {
    let request = request(method, LOCK, body);
    fixture
        .evaluate(with_header(request, "authorization", "Bearer abc"))
        .await
}

#[tokio::test]
async fn locks_with_the_callers_token() {
    let fixture = Fixture::usual();
    let body = r#"{"reason": " incident\n4711 ", "expiresAt": "2999-12-01T01:00:00+01:00"}"#;
    let answer = ask(&fixture, Method::POST, body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(
        answer.json(),
        json!({"policy": "tasks/authz@1.0", "locked": true})
    );
    let asked = fixture.keeper.asked.lock().unwrap();
    let (bearer, request) = &asked[0];
    assert_eq!(bearer.as_deref(), Some("abc"));
    assert_eq!(request.address.to_string(), "tasks/authz@1.0");
    assert_eq!(request.reason.as_deref(), Some("incident 4711"));
    let end = request.expires_at.map(|end| end.to_string());
    assert_eq!(end.as_deref(), Some("2999-12-01T00:00:00Z"));
}

#[tokio::test]
async fn a_body_is_not_needed() {
    let fixture = Fixture::usual();
    for body in ["", "{}", " "] {
        assert_eq!(ask(&fixture, Method::POST, body).await.status, 200);
    }
    let asked = fixture.keeper.asked.lock().unwrap();
    assert!(
        asked
            .iter()
            .all(|(_, lock)| lock.reason.is_none() && lock.expires_at.is_none())
    );
}

#[tokio::test]
async fn unlocks() {
    let fixture = Fixture::new().with(owned_by("team-a", define("tasks/authz@1.0", TASKS)));
    let path = format!("/namespaces/team-a{LOCK}");
    let answer = fixture.evaluate(request(Method::DELETE, &path, "")).await;
    assert_eq!(
        answer.json(),
        json!({"policy": "tasks/authz@1.0", "locked": false})
    );
    let unlocked = fixture.keeper.unlocked.lock().unwrap();
    assert_eq!(unlocked[0].to_string(), "tasks/authz@1.0 in team-a");
}

#[rstest]
#[case(
    LockFault::Unauthenticated,
    401,
    "REQUEST.UNAUTHENTICATED",
    "a bearer token is required"
)]
#[case(LockFault::Forbidden("ann may not create locks".into()), 403, "REQUEST.FORBIDDEN", "ann may not create locks")]
#[case(
    LockFault::AlreadyLocked,
    403,
    "POLICY.LOCKED",
    "policy is already locked"
)]
#[case(LockFault::NotLocked, 403, "POLICY.UNLOCKED", "policy is unlocked")]
#[case(LockFault::HeldByOthers(vec!["ClusterLock a".into(), "ClusterLock b".into()]), 409, "POLICY.LOCKED", "the policy is held by ClusterLock a, ClusterLock b")]
#[case(LockFault::Unavailable("the API server is away".into()), 503, "LOCKS.UNAVAILABLE", "the API server is away")]
#[tokio::test]
async fn faults_are_told(
    #[case] fault: LockFault,
    #[case] status: u16,
    #[case] code: &str,
    #[case] detail: &str,
) {
    let fixture = Fixture::usual();
    *fixture.keeper.fault.lock().unwrap() = Some(fault);
    for method in [Method::POST, Method::DELETE] {
        let answer = ask(&fixture, method, "").await;
        answer.assert_problem(status, code);
        assert_eq!(answer.json()["detail"], detail);
        assert_eq!(answer.header("www-authenticate") == "Bearer", status == 401);
        assert_eq!(answer.header("retry-after") == "1", status == 503);
    }
}

#[tokio::test(start_paused = true)]
async fn locks_that_do_not_answer_are_not_waited_for() {
    let fixture = Fixture::usual();
    fixture
        .keeper
        .silent
        .store(true, std::sync::atomic::Ordering::Relaxed);
    for method in [Method::POST, Method::DELETE] {
        let answer = ask(&fixture, method, "").await;
        answer.assert_problem(503, "LOCKS.UNAVAILABLE");
    }
}

#[rstest]
#[case::cut("{")]
#[case::list("[]")]
#[case::unknown_field(r#"{"until": "2999-12-01T00:00:00Z"}"#)]
#[case::no_time(r#"{"expiresAt": "tomorrow"}"#)]
#[case::past(r#"{"expiresAt": "2001-01-01T00:00:00Z"}"#)]
#[tokio::test]
async fn an_unreadable_lock_is_refused_before_it_is_made(#[case] body: &'static str) {
    let fixture = Fixture::usual();
    ask(&fixture, Method::POST, body)
        .await
        .assert_problem(400, "POLICY.INPUT_INVALID");
    assert!(fixture.keeper.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn an_endless_reason_is_refused() {
    let fixture = Fixture::usual();
    let body = json!({"reason": "x".repeat(20_000)}).to_string();
    let answer = fixture.evaluate(request(Method::POST, LOCK, body)).await;
    answer.assert_problem(413, "POLICY.INPUT_INVALID");
}

#[rstest]
#[case("http://127.0.0.1:8181", true)]
#[case("http://evil.example", false)]
#[case("http://127.0.0.1:9999", false)]
#[case("null", false)]
#[tokio::test]
async fn pages_of_other_sites_do_not_lock(#[case] origin: &str, #[case] allowed: bool) {
    for method in [Method::POST, Method::DELETE] {
        let fixture = Arc::new(Fixture::usual());
        let request = with_header(request(method, LOCK, ""), "host", "127.0.0.1:8181");
        let answer = fixture
            .evaluate(with_header(request, "origin", origin))
            .await;
        if allowed {
            assert_eq!(answer.status, 200, "{}", answer.text);
        } else {
            answer.assert_problem(403, "REQUEST.FORBIDDEN");
            assert!(fixture.keeper.asked.lock().unwrap().is_empty());
            assert!(fixture.keeper.unlocked.lock().unwrap().is_empty());
        }
    }
}

/// The name of another site may be made to lead to loopback.
#[rstest]
#[case("127.0.0.1:8181", true)]
#[case("evil.example:8181", false)]
#[tokio::test]
async fn without_a_token_only_loopback_is_asked(#[case] host: &str, #[case] allowed: bool) {
    for method in [Method::POST, Method::DELETE] {
        let fixture = Fixture::usual();
        fixture
            .keeper
            .open
            .store(true, std::sync::atomic::Ordering::Relaxed);
        let request = with_header(request(method, LOCK, ""), "host", host);
        let origin = format!("http://{host}");
        let answer = fixture
            .evaluate(with_header(request, "origin", &origin))
            .await;
        if allowed {
            assert_eq!(answer.status, 200, "{}", answer.text);
        } else {
            answer.assert_problem(403, "REQUEST.FORBIDDEN");
            assert!(
                answer.json()["remedy"]
                    .as_str()
                    .unwrap()
                    .contains("localhost")
            );
            assert!(fixture.keeper.asked.lock().unwrap().is_empty());
            assert!(fixture.keeper.unlocked.lock().unwrap().is_empty());
        }
    }
}
