//! Results that another replica keeps.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::future::{BoxFuture, FutureExt as _, ready};
use portcullis_policies::Timestamp;
use portcullis_webhook::{
    Access, AccessFault, Authenticator, Certificate, Elsewhere, Identified, KEPT_AT, OtherReplicas,
    ReplicasFault, evaluation_router, pass_of,
};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rstest::rstest;

use crate::fixture::{Answer, Fixture, get, post, send, with_header};

const EVALUATION: &str = "/policy/tasks/authz/1.0/evaluation";

/// Answers what it is told to, and notes what it was asked.
struct Others {
    answer: Result<Elsewhere, ReplicasFault>,
    asked: Mutex<Vec<String>>,
}

impl OtherReplicas for Others {
    fn newest_result(&self, id: Arc<str>) -> BoxFuture<'_, Result<Elsewhere, ReplicasFault>> {
        self.asked.lock().unwrap().push(id.to_string());
        ready(self.answer.clone()).boxed()
    }
}

fn elsewhere(newest: Option<i64>, silent: usize) -> Elsewhere {
    let at = |second| Timestamp::from_second(second).unwrap();
    let newest = newest.map(|second| (at(second), "{\"of\":\"another\"}".into()));
    Elsewhere { newest, silent }
}

/// A replica beside others that answer so.
fn beside(answer: Result<Elsewhere, ReplicasFault>) -> (Fixture, Arc<Others>) {
    let others = Arc::new(Others {
        answer,
        asked: Mutex::default(),
    });
    let fixture = Fixture {
        others: Some(others.clone()),
        ..Fixture::usual()
    };
    (fixture, others)
}

/// Has a result kept, under an id of the caller's own if there is one.
async fn keep(fixture: &Fixture, id: Option<&str>) -> Answer {
    let request = with_header(post(EVALUATION, ""), "x-cache-ttl", "60");
    let request = match id {
        Some(id) => with_header(request, "x-evaluation-id", id),
        None => request,
    };
    let answer = fixture.evaluate(request).await;
    assert_eq!(answer.header("x-cache-ttl"), "60", "{}", answer.text);
    answer
}

const LONG_AGO: i64 = 1;
const LATER: i64 = 4_000_000_000;

#[rstest]
#[case::another_has_it(Ok(elsewhere(Some(LONG_AGO), 0)), 200, "another")]
#[case::another_has_it_and_one_is_silent(Ok(elsewhere(Some(LONG_AGO), 1)), 200, "another")]
#[case::nobody_has_it(Ok(elsewhere(None, 0)), 404, "RESULT.NOT_FOUND")]
#[case::one_is_silent(Ok(elsewhere(None, 1)), 503, "RESULT.UNAVAILABLE")]
#[case::busy(Err(ReplicasFault::Busy), 503, "RESULT.UNAVAILABLE")]
#[case::unknown(Err(ReplicasFault::Unavailable("no DNS".to_owned())), 503, "no DNS")]
#[tokio::test]
async fn what_is_not_kept_here_is_looked_for_elsewhere(
    #[case] answer: Result<Elsewhere, ReplicasFault>,
    #[case] status: u16,
    #[case] text: &str,
) {
    let (fixture, others) = beside(answer);
    let found = fixture.evaluate(get("/v1/results/did:web:a%2Fb")).await;
    assert_eq!(found.status, status, "{}", found.text);
    assert!(found.text.contains(text), "{}", found.text);
    if status == 200 {
        assert_eq!(found.header("etag"), "did:web:a/b");
        assert_eq!(found.header("content-type"), "application/json");
        assert_eq!(found.header(KEPT_AT.as_str()), "");
    }
    assert_eq!(*others.asked.lock().unwrap(), ["did:web:a/b"]);
}

#[rstest]
#[case::an_older_one(Ok(elsewhere(Some(LONG_AGO), 0)), false)]
#[case::a_newer_one(Ok(elsewhere(Some(LATER), 0)), true)]
#[case::none(Ok(elsewhere(None, 0)), false)]
#[case::nobody_knows(Ok(elsewhere(None, 2)), false)]
#[case::busy(Err(ReplicasFault::Busy), false)]
#[tokio::test]
async fn of_an_id_that_callers_give_the_newest_result_counts(
    #[case] answer: Result<Elsewhere, ReplicasFault>,
    #[case] is_of_another: bool,
) {
    let (fixture, others) = beside(answer);
    let own = keep(&fixture, Some("id")).await;
    let found = fixture.evaluate(get("/v1/results/id")).await;
    assert_eq!(found.status, 200, "{}", found.text);
    assert_eq!(found.text.contains("another"), is_of_another);
    assert_eq!(found.text == own.text, !is_of_another);
    assert_eq!(*others.asked.lock().unwrap(), ["id"]);
}

#[tokio::test]
async fn nobody_else_is_asked_for_an_id_that_was_made_here_or_can_be_none() {
    let (fixture, others) = beside(Ok(elsewhere(Some(LATER), 0)));
    let own = keep(&fixture, None).await;
    let path = format!("/v1/results/{}", own.header("etag"));
    assert_eq!(fixture.evaluate(get(&path)).await.text, own.text);
    for id in ["a%20b", "%00", "%FF", &"x".repeat(257)] {
        let found = fixture.evaluate(get(&format!("/v1/results/{id}"))).await;
        found.assert_problem(404, "RESULT.NOT_FOUND");
    }
    assert!(others.asked.lock().unwrap().is_empty());
}

/// Knows nobody.
struct Nobody;

impl Authenticator for Nobody {
    fn identify(&self, _token: Arc<str>) -> BoxFuture<'static, Result<Identified, AccessFault>> {
        ready(Ok(Identified::Unknown)).boxed()
    }

    fn memory(&self) -> Duration {
        Duration::ZERO
    }
}

#[tokio::test]
async fn a_replica_that_shows_the_pass_is_told_what_is_kept_here_and_when_it_was_made() {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = signing_key.serialize_pem();
    let certificate = Certificate::empty();
    certificate
        .install(cert.pem().as_bytes(), key.as_bytes())
        .unwrap();
    assert_eq!(certificate.pass(), Some(pass_of(key.as_bytes())));
    let (fixture, others) = beside(Ok(elsewhere(Some(LATER), 0)));
    let fixture = Fixture {
        certificate: Some(certificate.clone()),
        ..fixture
    };
    let own = keep(&fixture, Some("id")).await;
    let access = Access {
        authenticators: vec![Arc::new(Nobody)],
        ..Access::default()
    };
    let doors = fixture.doors();
    let router = access.guard(&doors, evaluation_router(doors.clone()));
    let ask = |path: &str, pass: &str| {
        let request = with_header(get(path), "authorization", &format!("Bearer {pass}"));
        send(router.clone(), request)
    };
    let pass = certificate.pass().unwrap();

    let told = ask("/v1/results/id", &pass).await;
    assert_eq!((told.status.as_u16(), &told.text), (200, &own.text));
    let at: Timestamp = told.header(KEPT_AT.as_str()).parse().unwrap();
    assert!(at <= Timestamp::now() && at > Timestamp::from_second(LONG_AGO).unwrap());

    let nothing = ask("/v1/results/other", &pass).await;
    nothing.assert_problem(404, "RESULT.NOT_FOUND");
    let refused = ask("/v1/results/id", &pass_of(b"another key")).await;
    assert_eq!(refused.status, 401, "{}", refused.text);
    let elsewhere = ask(EVALUATION, &pass).await;
    assert_eq!(elsewhere.status, 401, "a pass evaluates nothing");
    assert!(
        others.asked.lock().unwrap().is_empty(),
        "nobody asks in turn"
    );
}
