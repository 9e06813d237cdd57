//! Who may ask the evaluation API: what a caller is told, and who is asked about it.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{
    Extension, Router,
    body::Body,
    http::{Method as Verb, Request},
    routing::get as route,
};
use futures::future::{BoxFuture, FutureExt as _};
use portcullis_policies::{Effect, Timestamp};
use portcullis_webhook::{
    Access, AccessFault, Action, Authenticator, Identified, Identity, Method, Rate, Verdict,
    evaluation_router,
};
use rstest::rstest;

use crate::fixture::{Answer, Fixture, define, get, post, request, send, with_header};

const EVALUATION: &str = "/policy/tasks/authz/1.0/evaluation";

/// Knows the tokens `good`, `other` and `expired`, and notes what it was asked.
#[derive(Default)]
pub(crate) struct Clerk {
    is_away: AtomicBool,
    /// Answers at once, and has nothing to say about rights.
    is_at_hand: bool,
    asked: Mutex<Vec<String>>,
    /// What nobody may do: a part of `verb resource/subresource namespace/name`.
    forbids: Mutex<Option<&'static str>>,
}

impl Clerk {
    fn note(&self, text: String) -> Result<(), AccessFault> {
        self.asked.lock().unwrap().push(text);
        if self.is_away.load(Ordering::Relaxed) {
            return Err(AccessFault("nobody is there".to_owned()));
        }
        Ok(())
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

struct AtDesk(Arc<Clerk>);

impl Authenticator for AtDesk {
    fn identify(&self, token: Arc<str>) -> BoxFuture<'static, Result<Identified, AccessFault>> {
        let answer = self.0.note(format!("who {token}")).map(|()| {
            let known = |name: &str| Identity::new(Method::Token, name, []).unwrap();
            match &*token {
                "good" => Identified::As(known("alice")),
                "other" => Identified::As(known("bob")),
                "expired" => Identified::As(known("eve").until(Some(Timestamp::UNIX_EPOCH))),
                "bad" => Identified::Refused("it is bad".to_owned()),
                _ => Identified::Unknown,
            }
        });
        async { answer }.boxed()
    }

    fn memory(&self) -> Duration {
        if self.0.is_at_hand {
            Duration::ZERO
        } else {
            Duration::from_mins(1)
        }
    }

    fn knows_rights(&self) -> bool {
        !self.0.is_at_hand
    }

    fn may(
        &self,
        caller: Arc<Identity>,
        action: Action,
    ) -> BoxFuture<'static, Result<Verdict, AccessFault>> {
        let text = format!(
            "may {} {} {}/{} {}/{}",
            caller.name(),
            action.verb,
            action.resource(),
            action.subresource,
            action.namespace.as_deref().unwrap_or_default(),
            action.name
        );
        let forbidden = self.0.forbids.lock().unwrap();
        let allowed = !forbidden.is_some_and(|part| text.contains(part));
        let answer = self.0.note(text).map(|()| Verdict {
            allowed,
            memory: Duration::from_secs(if allowed { 60 } else { 10 }),
        });
        async { answer }.boxed()
    }
}

/// The evaluation API behind an access, with one more route, which tells who asks.
fn guarded(fixture: &Fixture, access: Access) -> Router {
    let who = async |Extension(caller): Extension<Arc<Identity>>| {
        format!("{} by {}", caller.name(), caller.method())
    };
    let router = evaluation_router(fixture.doors()).route("/who", route(who));
    access.guard(&fixture.doors(), router)
}

fn by_clerk(clerk: &Arc<Clerk>) -> Access {
    Access {
        authenticators: vec![Arc::new(AtDesk(clerk.clone()))],
        ..Access::default()
    }
}

fn of(request: Request<Body>, token: &str) -> Request<Body> {
    with_header(request, "authorization", &format!("Bearer {token}"))
}

async fn ask(router: &Router, token: &str, path: &str) -> Answer {
    send(router.clone(), of(get(path), token)).await
}

#[tokio::test]
async fn without_anybody_who_knows_callers_whoever_comes_may_ask() {
    let fixture = Fixture::usual();
    let router = guarded(&fixture, Access::default());
    assert_eq!(send(router.clone(), get(EVALUATION)).await.status, 200);
    let answer = ask(&router, "anything", "/who").await;
    assert_eq!(answer.text, "anonymous by none");
}

#[tokio::test]
async fn who_says_nothing_is_asked_who_it_is() {
    let fixture = Fixture::usual();
    let clerk = Arc::new(Clerk::default());
    let router = guarded(&fixture, by_clerk(&clerk));
    let basic = with_header(get(EVALUATION), "authorization", "Basic YTpi");
    for request in [get(EVALUATION), get("/unknown"), get("/v1/policies"), basic] {
        let answer = send(router.clone(), request).await;
        answer.assert_problem(401, "REQUEST.UNAUTHENTICATED");
        assert_eq!(answer.header("www-authenticate"), "Bearer");
    }
    assert!(clerk.asked().is_empty(), "there is nothing to ask about");
    // Before anything is looked at.
    let unsupported = send(router, request(Verb::PATCH, EVALUATION, "")).await;
    assert_eq!(unsupported.status, 401);
}

#[rstest]
#[case("bad", "the bearer token is not good: it is bad")]
#[case("expired", "the bearer token is not good: it has expired")]
#[case("nobody", "the bearer token is not known")]
#[tokio::test]
async fn a_token_that_proves_nothing(#[case] token: &str, #[case] detail: &str) {
    let fixture = Fixture::usual();
    let clerk = Arc::new(Clerk::default());
    let answer = ask(&guarded(&fixture, by_clerk(&clerk)), token, EVALUATION).await;
    answer.assert_problem(401, "REQUEST.UNAUTHENTICATED");
    assert_eq!(answer.json()["detail"], detail);
    let challenge = answer.header("www-authenticate");
    assert_eq!(challenge, "Bearer error=\"invalid_token\"");
}

#[tokio::test(start_paused = true)]
async fn each_question_is_asked_once_in_its_time() {
    let fixture = Fixture::usual();
    let clerk = Arc::new(Clerk::default());
    let router = guarded(&fixture, by_clerk(&clerk));
    for _ in 0..3 {
        assert_eq!(ask(&router, "good", "/who").await.text, "alice by token");
        assert_eq!(ask(&router, "bad", "/who").await.status, 401);
    }
    let right = "may alice list clusterpolicies/evaluation /";
    assert_eq!(clerk.asked(), ["who good", right, "who bad"]);
    tokio::time::advance(Duration::from_secs(11)).await;
    ask(&router, "good", "/who").await;
    ask(&router, "bad", "/who").await;
    assert_eq!(clerk.asked(), ["who bad"], "a refusal is forgotten sooner");
    tokio::time::advance(Duration::from_secs(50)).await;
    ask(&router, "good", "/who").await;
    assert_eq!(clerk.asked(), ["who good", right]);
}

#[tokio::test(start_paused = true)]
async fn who_cannot_be_asked_lets_nobody_in_beyond_what_is_remembered() {
    let fixture = Fixture::usual();
    let clerk = Arc::new(Clerk::default());
    let router = guarded(&fixture, by_clerk(&clerk));
    assert_eq!(ask(&router, "good", "/who").await.status, 200);
    clerk.is_away.store(true, Ordering::Relaxed);
    assert_eq!(ask(&router, "good", "/who").await.status, 200);
    let other = ask(&router, "other", "/who").await;
    other.assert_problem(503, "ACCESS.UNAVAILABLE");
    assert_eq!(other.header("retry-after"), "1");
    let unasked = ask(&router, "good", EVALUATION).await;
    unasked.assert_problem(503, "ACCESS.UNAVAILABLE");
    tokio::time::advance(Duration::from_secs(61)).await;
    assert_eq!(ask(&router, "good", "/who").await.status, 503);
    clerk.is_away.store(false, Ordering::Relaxed);
    assert_eq!(ask(&router, "good", "/who").await.status, 200);
}

#[rstest]
#[case(EVALUATION, "create clusterpolicies/evaluation /tasks.authz")]
#[case(
    "/policy/policies/tasks/authz/1.0/evaluation",
    "create clusterpolicies/evaluation /tasks.authz"
)]
#[case(
    "/policy/tasks/authz/1.0/decision",
    "create clusterpolicies/evaluation /tasks.authz"
)]
#[case(
    "/namespaces/team/policy/tasks/authz/1.0/evaluation",
    "create policies/evaluation team/tasks.authz"
)]
#[case(
    "/v1/data/tasks/authz/allow",
    "create clusterpolicies/evaluation /tasks.authz"
)]
#[case(
    "/v1/data/tasks/authz?namespace=team",
    "create policies/evaluation team/tasks.authz"
)]
#[case(
    "/policy/t%61sks/authz/1.0/evaluation",
    "create clusterpolicies/evaluation /tasks.authz"
)]
#[case(
    "/policy/tasks%2Fauthz/x/1.0/evaluation",
    "create clusterpolicies/evaluation /"
)]
#[case(
    "/policy/../authz/1.0/evaluation",
    "create clusterpolicies/evaluation /"
)]
#[case("/v1/policies", "list clusterpolicies/evaluation /")]
#[case("/v1/enforcement", "list clusterpolicies/evaluation /")]
#[case("/unknown", "list clusterpolicies/evaluation /")]
#[tokio::test]
async fn what_a_caller_needs_the_right_for(#[case] path: &str, #[case] expected: &str) {
    let fixture = Fixture::usual();
    let clerk = Arc::new(Clerk::default());
    *clerk.forbids.lock().unwrap() = Some("may");
    let router = guarded(&fixture, by_clerk(&clerk));
    let answer = ask(&router, "good", path).await;
    answer.assert_problem(403, "REQUEST.FORBIDDEN");
    assert_eq!(
        clerk.asked(),
        ["who good".to_owned(), format!("may alice {expected}")]
    );
    let json = answer.json();
    assert!(
        json["detail"]
            .as_str()
            .unwrap()
            .starts_with("`alice` does not have the verb"),
        "{json}"
    );
    assert!(
        json["remedy"].as_str().unwrap().contains("ClusterRole"),
        "{json}"
    );
}

#[tokio::test]
async fn a_right_to_one_policy_is_none_to_another() {
    let fixture = Fixture::usual();
    let clerk = Arc::new(Clerk::default());
    *clerk.forbids.lock().unwrap() = Some("platform.limits");
    let router = guarded(&fixture, by_clerk(&clerk));
    assert_eq!(ask(&router, "good", EVALUATION).await.status, 200);
    let other = "/policy/platform/limits/1.0/evaluation";
    assert_eq!(ask(&router, "good", other).await.status, 403);
    assert_eq!(
        ask(&router, "good", "/v1/data/tasks/authz").await.status,
        200
    );
    assert_eq!(
        ask(&router, "good", "/v1/data/platform/limits")
            .await
            .status,
        403
    );
}

#[rstest]
#[case("/health")]
#[case("/liveness")]
#[case("/readiness")]
#[case("/openapi.json")]
#[case("/swagger-ui/openapi.json")]
#[case("/swagger-ui/")]
#[case("/swagger-ui/swagger-ui.css")]
#[tokio::test]
async fn probes_and_the_description_are_open(#[case] path: &str) {
    let fixture = Fixture::usual();
    let clerk = Arc::new(Clerk::default());
    let access = Access {
        by_policy: true,
        rate: Some(Rate::new(1, 1)),
        ..by_clerk(&clerk)
    };
    let router = guarded(&fixture, access);
    for _ in 0..3 {
        assert_eq!(send(router.clone(), get(path)).await.status, 200);
    }
    assert!(clerk.asked().is_empty());
}

#[rstest]
#[case("/health/")]
#[case("/healthz")]
#[case("//health")]
#[case("/swagger-ui-not")]
#[case("/swagger-ui/../v1/policies")]
#[case("/%68ealth")]
#[case("/liveness/../v1/policies")]
#[tokio::test]
async fn what_looks_like_an_open_route_is_none(#[case] path: &str) {
    let fixture = Fixture::usual();
    let clerk = Arc::new(Clerk::default());
    let answer = send(guarded(&fixture, by_clerk(&clerk)), get(path)).await;
    assert!(
        matches!(answer.status.as_u16(), 401 | 404),
        "{}",
        answer.text
    );
    assert!(!answer.text.contains("tasks"), "{}", answer.text);
}

/// The keeper of locks asks with the caller's own token, which may be one that only it knows.
#[tokio::test]
async fn locks_and_decisions_ask_with_the_callers_own_token() {
    let fixture = Fixture::usual();
    let clerk = Arc::new(Clerk::default());
    *clerk.forbids.lock().unwrap() = Some("may");
    let router = guarded(&fixture, by_clerk(&clerk));
    let lock = "/policy/tasks/authz/1.0/lock";
    for token in ["good", "mine"] {
        let answer = send(router.clone(), of(post(lock, "{}"), token)).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let asked = fixture.keeper.asked.lock().unwrap();
        assert_eq!(asked.last().unwrap().0.as_deref(), Some(token));
    }
    ask(&router, "mine", "/decisions/4711")
        .await
        .assert_problem(404, "DECISION.NOT_FOUND");
    clerk.is_away.store(true, Ordering::Relaxed);
    let answer = send(router.clone(), of(post(lock, "{}"), "another")).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    // Where whoever comes may lock, it is this door that asks.
    fixture.keeper.open.store(true, Ordering::Relaxed);
    clerk.is_away.store(false, Ordering::Relaxed);
    let local = |request| with_header(request, "host", "localhost");
    let nobody = send(router.clone(), local(post(lock, "{}"))).await;
    nobody.assert_problem(401, "REQUEST.UNAUTHENTICATED");
    let stranger = send(router.clone(), local(of(post(lock, "{}"), "mine"))).await;
    stranger.assert_problem(401, "REQUEST.UNAUTHENTICATED");
    let known = send(router, local(of(post(lock, "{}"), "good"))).await;
    assert_eq!(known.status, 200, "{}", known.text);
}

#[tokio::test(start_paused = true)]
async fn tokens_that_are_tried_are_not_asked_about_for_ever() {
    let fixture = Fixture::usual();
    let clerk = Arc::new(Clerk::default());
    let router = guarded(&fixture, by_clerk(&clerk));
    assert_eq!(ask(&router, "good", "/who").await.status, 200);
    let mut statuses = Vec::new();
    for number in 0..60 {
        let answer = ask(&router, &format!("guess-{number}"), "/who").await;
        statuses.push(answer.status.as_u16());
        if answer.status == 429 {
            answer.assert_problem(429, "REQUEST.RATE_LIMITED");
            assert_eq!(answer.header("retry-after"), "1");
        }
    }
    assert_eq!(statuses.iter().filter(|status| **status == 401).count(), 50);
    assert_eq!(clerk.asked().len(), 2 + 50);
    assert_eq!(
        ask(&router, "good", "/who").await.status,
        200,
        "it is known"
    );
    assert_eq!(ask(&router, "other", "/who").await.status, 429);
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(ask(&router, "other", "/who").await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn each_caller_has_a_rate_of_its_own() {
    let fixture = Fixture::usual();
    let clerk = Arc::new(Clerk::default());
    let access = Access {
        rate: Some(Rate::new(1, 2)),
        ..by_clerk(&clerk)
    };
    let router = guarded(&fixture, access);
    for expected in [200, 200, 429] {
        for token in ["good", "other"] {
            assert_eq!(ask(&router, token, "/who").await.status, expected);
        }
    }
    let refused = ask(&router, "good", EVALUATION).await;
    refused.assert_problem(429, "REQUEST.RATE_LIMITED");
    assert_eq!(refused.header("retry-after"), "1");
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(ask(&router, "good", "/who").await.status, 200);
    let metrics = fixture.administer("/metrics").await.text;
    let line = "portcullis_requests_refused_total{reason=\"rate_limited\"} 3";
    assert!(metrics.contains(line), "{metrics}");
}

#[tokio::test(start_paused = true)]
async fn where_nobody_is_known_an_address_has_a_rate() {
    let fixture = Fixture::usual();
    let access = Access {
        rate: Some(Rate::new(1, 1)),
        ..Access::default()
    };
    let router = guarded(&fixture, access);
    assert_eq!(ask(&router, "one", "/who").await.status, 200);
    assert_eq!(ask(&router, "two", "/who").await.status, 429);
}

#[tokio::test]
async fn one_that_is_at_hand_is_asked_each_time() {
    let fixture = Fixture::usual();
    let desk = Arc::new(Clerk {
        is_at_hand: true,
        ..Clerk::default()
    });
    let far = Arc::new(Clerk::default());
    let access = Access {
        // The order in which they are given is not the one in which they are asked.
        authenticators: vec![
            Arc::new(AtDesk(far.clone())),
            Arc::new(AtDesk(desk.clone())),
        ],
        ..Access::default()
    };
    let router = guarded(&fixture, access);
    for _ in 0..2 {
        assert_eq!(ask(&router, "good", "/who").await.text, "alice by token");
    }
    assert_eq!(desk.asked(), ["who good", "who good"]);
    assert!(far.asked().is_empty());
    ask(&router, "nobody", "/who").await;
    assert_eq!((desk.asked().len(), far.asked().len()), (1, 1));
}

/// Nothing answers a page of another site with leave to read.
#[tokio::test]
async fn cross_origin_requests_are_not_answered_for_pages() {
    let fixture = Fixture::usual();
    let clerk = Arc::new(Clerk::default());
    for access in [Access::default(), by_clerk(&clerk)] {
        let router = guarded(&fixture, access);
        for verb in [Verb::OPTIONS, Verb::GET, Verb::POST] {
            let page = request(verb, EVALUATION, "{}");
            let page = with_header(page, "origin", "https://evil.example");
            let page = with_header(page, "access-control-request-method", "POST");
            let answer = send(router.clone(), of(page, "good")).await;
            let names = answer.headers.keys().map(|name| name.as_str().to_owned());
            let told: Vec<_> = names
                .filter(|name| name.starts_with("access-control-"))
                .collect();
            assert!(told.is_empty(), "{told:?}");
        }
    }
}

/// A policy of this group and name, in OPA's way.
fn deciding(source: &str) -> Fixture {
    let source = format!("package system.authz\n{source}");
    Fixture::usual().with(define("system/authz@1.0", &source))
}

async fn decided(fixture: &Fixture, request: Request<Body>) -> Answer {
    let clerk = Arc::new(Clerk::default());
    let access = Access {
        by_policy: true,
        ..by_clerk(&clerk)
    };
    send(guarded(fixture, access), request).await
}

#[rstest]
#[case::identity("input.identity == \"alice\"")]
#[case::how("input.authenticated_by == \"token\"; input.groups == []")]
#[case::method("input.method == \"POST\"")]
#[case::path("input.path == [\"policy\", \"tasks\", \"authz\", \"1.0\", \"evaluation\"]")]
#[case::query("input.params == {\"a\": [\"1\", \"2\"], \"b\": [\"\"]}")]
#[case::header("input.headers[\"X-Location\"] == [\"here\"]")]
#[case::body("input.body == {\"x\": [1, null]}")]
#[case::certificates("not input.client_certificates")]
#[case::helper("get_header(\"X-Location\") == \"here\"")]
#[tokio::test]
async fn a_policy_is_told_what_opa_tells_it(#[case] condition: &str) {
    let fixture = deciding(&format!(
        "default allow := false\nallow if {{ {condition} }}"
    ));
    let path = format!("{EVALUATION}?a=1&b=&a=2");
    let asks = |token| {
        let request = of(post(&path, r#"{"x": [1, null]}"#), token);
        with_header(request, "x-location", "here")
    };
    let answer = decided(&fixture, asks("good")).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(
        answer.json()["header"],
        "here",
        "the door has the body, too"
    );
}

#[rstest]
#[case::yes("allow := true", None)]
#[case::opas_object("allow := {\"allowed\": true}", None)]
#[case::no(
    "allow := false",
    Some("the policy `system/authz` does not allow the request")
)]
#[case::undefined(
    "allow if input.nothing",
    Some("the policy `system/authz` does not allow the request")
)]
#[case::a_reason(
    "allow := {\"allowed\": false, \"reason\": \"not\\ntoday\"}",
    Some("not today")
)]
#[case::text(
    "allow := \"true\"",
    Some("the policy `system/authz` does not allow the request")
)]
#[case::number(
    "allow := 1",
    Some("the policy `system/authz` does not allow the request")
)]
#[case::neither("allow := {\"reason\": \"x\"}", Some("x"))]
#[case::conflict("allow := x if { some x in [true, false] }", Some("cannot decide"))]
#[case::broken("allow := ", Some("cannot decide"))]
#[case::endless(
    "allow if { some a in numbers.range(1, 10000); some b in numbers.range(1, 10000); a * b == -1 }",
    Some("cannot decide")
)]
#[tokio::test]
async fn what_a_policy_may_say(#[case] source: &str, #[case] refusal: Option<&str>) {
    let fixture = deciding(source);
    let answer = decided(&fixture, of(post(EVALUATION, "{}"), "good")).await;
    let Some(says) = refusal else {
        assert_eq!(answer.status, 200, "{}", answer.text);
        return;
    };
    answer.assert_problem(403, "REQUEST.FORBIDDEN");
    let json = answer.json();
    assert!(json["detail"].as_str().unwrap().contains(says), "{json}");
}

#[tokio::test]
async fn without_the_policy_or_with_it_locked_nobody_is_let_in() {
    let request = || of(post(EVALUATION, "{}"), "good");
    let missing = decided(&Fixture::usual(), request()).await;
    missing.assert_problem(403, "REQUEST.FORBIDDEN");
    assert!(
        missing.text.contains("there is no policy"),
        "{}",
        missing.text
    );
    for effect in [Effect::Refuse, Effect::Bypass] {
        let locked = deciding("allow := true").locked(effect);
        let answer = decided(&locked, request()).await;
        answer.assert_problem(403, "REQUEST.FORBIDDEN");
        assert!(answer.text.contains("cannot decide"), "{}", answer.text);
    }
    let unread = decided(&deciding("allow := true").unread(), request()).await;
    unread.assert_problem(503, "SERVICE.NOT_READY");
}

#[tokio::test]
async fn the_newest_version_in_force_decides() {
    let newer = "package system.authz\nallow := false";
    let fixture = deciding("allow := true").with(define("system/authz@1.10", newer));
    let fixture = fixture.with(define(
        "system/authz@1.9",
        "package system.authz\nallow := true",
    ));
    let answer = decided(&fixture, of(post(EVALUATION, "{}"), "good")).await;
    answer.assert_problem(403, "REQUEST.FORBIDDEN");
    // One that begins later is not in force, however new it is.
    let mut later = define("system/authz@2.0", "package system.authz\nallow := true");
    later.window.not_before = Some(Timestamp::now() + Duration::from_hours(1));
    let answer = decided(&fixture.with(later), of(post(EVALUATION, "{}"), "good")).await;
    answer.assert_problem(403, "REQUEST.FORBIDDEN");
}

/// What stands in a body stays in `input.body`.
#[rstest]
#[case(r#"1, "identity": "admin", "x": 1"#)]
#[case(r#"{}, "identity": "admin""#)]
#[case("{")]
#[case("\u{0}")]
#[tokio::test]
async fn a_body_that_is_none_is_in_no_other_place(#[case] body: &'static str) {
    let fixture = deciding("allow if input.identity == \"admin\"");
    let answer = decided(&fixture, of(post(EVALUATION, body), "good")).await;
    answer.assert_problem(400, "POLICY.INPUT_INVALID");
    let encoded = with_header(
        of(post(EVALUATION, "{}"), "good"),
        "content-encoding",
        "gzip",
    );
    decided(&fixture, encoded)
        .await
        .assert_problem(415, "REQUEST.UNREADABLE");
}

#[tokio::test]
async fn a_policy_decides_about_callers_that_nobody_knows() {
    let fixture = deciding("allow if not input.identity");
    let access = Access {
        by_policy: true,
        ..Access::default()
    };
    let answer = send(guarded(&fixture, access), get("/who")).await;
    assert_eq!(answer.text, "anonymous by none");
    let known = decided(&fixture, of(get("/who"), "good")).await;
    known.assert_problem(403, "REQUEST.FORBIDDEN");
}

/// What OPA's clients send is read by the policy as by the route.
#[rstest]
#[case::json("application/json", "", br#"{"input": {"x": 1}}"#.to_vec(), 200)]
#[case::yaml("application/yaml", "", b"input:\n  x: 1\n".to_vec(), 200)]
#[case::gzip("application/json", "gzip", zipped(br#"{"input": {"x": 1}}"#), 200)]
#[case::another("application/json", "gzip", zipped(br#"{"input": {"x": 2}}"#), 403)]
#[case::no_gzip("application/json", "gzip", b"{}".to_vec(), 400)]
#[tokio::test]
async fn a_policy_reads_what_opas_clients_send(
    #[case] kind: &'static str,
    #[case] encoding: &'static str,
    #[case] body: Vec<u8>,
    #[case] status: u16,
) {
    let fixture = deciding("allow if input.body.input.x == 1");
    for path in ["/v1/data/tasks/authz", "/v1/data/tasks/authz/allow"] {
        let mut request = of(post(path, body.clone()), "good");
        request = with_header(request, "content-type", kind);
        if !encoding.is_empty() {
            request = with_header(request, "content-encoding", encoding);
        }
        let answer = decided(&fixture, request).await;
        assert_eq!(answer.status, status, "{}", answer.text);
    }
}

fn zipped(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
