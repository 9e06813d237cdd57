//! What happens when there is no thread or no room.

use std::{
    sync::{Arc, Mutex, mpsc},
    time::{Duration, Instant},
};

use portcullis_policies::{Action, Effect, Point};
use portcullis_webhook::Evaluators;
use rstest::rstest;

use crate::fixture::{Fixture, LIMITS, define, get, ignored, judging, pod, post};

/// Keeps all threads busy until it is dropped.
struct Held {
    _release: mpsc::SyncSender<()>,
}

/// Fills the threads that a point may use, then lets `waiting` more jobs wait.
async fn hold(evaluators: &Evaluators, point: Point, waiting: usize) -> Held {
    let (release, released) = mpsc::sync_channel::<()>(0);
    let released = Arc::new(Mutex::new(released));
    let (begun, mut begins) = tokio::sync::mpsc::unbounded_channel();
    let spawn = || {
        let (evaluators, released, begun) = (evaluators.clone(), released.clone(), begun.clone());
        tokio::spawn(async move {
            let deadline = Instant::now() + Duration::from_mins(10);
            let job = move || {
                let _ = begun.send(());
                drop(released.lock().map(|released| released.recv()));
            };
            evaluators.run_at(point, deadline, job).await
        });
    };
    // Of the two threads, one is left to admission.
    let threads = if point == Point::Admission { 2 } else { 1 };
    for _ in 0..threads {
        spawn();
        begins.recv().await;
    }
    (0..waiting).for_each(|_| spawn());
    while evaluators.waiting() < waiting {
        tokio::task::yield_now().await;
    }
    Held { _release: release }
}

#[rstest]
#[case::fail(
    judging(define("platform/limits@1.0", LIMITS), Action::Deny),
    "fail",
    None,
    false
)]
#[case::ignore(
    ignored(judging(define("platform/limits@1.0", LIMITS), Action::Deny)),
    "ignore",
    None,
    true
)]
#[case::warn(
    judging(define("platform/limits@1.0", LIMITS), Action::Warn),
    "ignore",
    None,
    true
)]
#[case::locked(
    ignored(judging(define("platform/limits@1.0", LIMITS), Action::Deny)),
    "ignore",
    Some(Effect::Refuse),
    false
)]
#[case::bypassed(
    judging(define("platform/limits@1.0", LIMITS), Action::Deny),
    "fail",
    Some(Effect::Bypass),
    true
)]
#[tokio::test]
async fn the_failure_policy_decides_what_was_not_asked_in_time(
    #[case] definition: portcullis_policies::Definition,
    #[case] failure: &str,
    #[case] lock: Option<Effect>,
    #[case] allowed: bool,
) {
    let fixture = Fixture::new().with(definition);
    let fixture = match lock {
        Some(effect) => fixture.locked(effect),
        None => fixture,
    };
    let held = hold(&fixture.evaluators, Point::Admission, 0).await;
    let path = format!("/admission/cluster/{failure}?timeout=2ms");
    let response = fixture.admit(&path, &pod("web:1", None)).await.json()["response"].clone();
    drop(held);
    assert_eq!(response["allowed"], allowed, "{response}");
    let text = response.to_string();
    assert_eq!(text.contains("POLICY.OVERLOADED"), lock.is_none(), "{text}");
    let metrics = fixture.administer("/metrics").await.text;
    let counted = "portcullis_unanswered_total{point=\"admission\",reason=\"late\"} 1";
    assert!(metrics.contains(counted), "{metrics}");
}

#[tokio::test]
async fn a_flood_of_evaluations_is_refused_and_admission_goes_on() {
    let fixture = Fixture::usual();
    let held = hold(&fixture.evaluators, Point::Evaluation, 512).await;
    for verb in ["evaluation", "decision"] {
        let answer = fixture
            .evaluate(get(&format!("/policy/tasks/authz/1.0/{verb}")))
            .await;
        answer.assert_problem(503, "POLICY.OVERLOADED");
        assert_eq!(answer.header("retry-after"), "1");
    }
    let answer = fixture
        .evaluate(post("/v1/data/tasks/authz/allow", ""))
        .await;
    answer.assert_problem(503, "POLICY.OVERLOADED");
    let review = pod("web:1", Some("1Gi"));
    let admitted = fixture.admit("/admission/cluster/fail", &review).await;
    assert_eq!(admitted.json()["response"]["allowed"], true);
    let metrics = fixture.administer("/metrics").await.text;
    assert!(metrics.contains("portcullis_queue_depth 512"), "{metrics}");
    drop(held);
}

/// The caller leaves long before the API server would.
#[tokio::test]
async fn a_caller_says_how_long_it_waits() {
    let fixture = Fixture::usual();
    let held = hold(&fixture.evaluators, Point::Evaluation, 0).await;
    let asked = |path: &str, timeout: &str| {
        let mut request = post(path, "{}");
        let value = timeout.parse().unwrap();
        request.headers_mut().insert("x-request-timeout", value);
        request
    };
    let paths = [
        "/policy/tasks/authz/1.0/evaluation",
        "/policy/tasks/authz/1.0/decision",
        "/v1/data/tasks/authz/allow",
    ];
    for path in paths {
        let begin = Instant::now();
        let late = fixture.evaluate(asked(path, "20ms")).await;
        late.assert_problem(503, "POLICY.OVERLOADED");
        assert!(begin.elapsed() >= Duration::from_millis(10));
        for unreadable in ["", "soon", "-1s", "0s", "10"] {
            let answer = fixture.evaluate(asked(path, unreadable)).await;
            assert_eq!(answer.status, 400, "{}", answer.text);
            assert!(answer.text.contains("x-request-timeout"), "{}", answer.text);
        }
    }
    drop(held);
    let in_time = fixture.evaluate(asked(paths[0], "30s")).await;
    assert_eq!(in_time.status, 200, "{}", in_time.text);
}

/// Compiling large policies and admitting everything else do not wait for each other.
#[tokio::test]
async fn resources_are_judged_on_threads_of_their_own() {
    let fixture = Fixture::usual();
    let held = hold(&fixture.evaluators, Point::Admission, 0).await;
    let review = pod("web:1", None);
    let answer = fixture.admit("/resources?timeout=10s", &review).await;
    drop(held);
    let response = answer.json()["response"].clone();
    assert_eq!(response["allowed"], true);
    assert!(response["warnings"].is_null(), "it was checked: {response}");
    let asked = fixture.reviewer.unwrap();
    assert_eq!(asked.asked.lock().unwrap().len(), 1);
}
