//! `/livez`, `/readyz`, `/metrics`.

use std::{
    sync::mpsc,
    time::{Duration, Instant},
};

use portcullis_policies::{Action, ObjectKey, Point};
use serde_json::json;
use tokio::sync::oneshot;

use crate::fixture::{Fixture, LIMITS, define, get, judging, owned_by, pod, post};

#[tokio::test]
async fn readiness_says_why_not() {
    let fixture = Fixture::usual().unread();
    let unready = fixture.administer("/readyz").await;
    assert_eq!(
        (unready.status.as_u16(), unready.text.as_str()),
        (503, "not read yet: policies\n")
    );
    fixture.readiness.set_synced("policies");
    let ready = fixture.administer("/readyz").await;
    assert_eq!((ready.status.as_u16(), ready.text.as_str()), (200, "ok\n"));
    fixture.readiness.drain();
    assert_eq!(fixture.administer("/readyz").await.status, 503);
    assert_eq!(fixture.administer("/livez").await.status, 200);
    fixture
        .administer("/else")
        .await
        .assert_problem(404, "REQUEST.UNKNOWN_ROUTE");
}

/// A policy may ask a builtin for more than anybody has time for. Threads that are lost to it are
/// replaced; when there are too many, the process says that it must be restarted.
#[tokio::test]
async fn threads_that_do_not_come_back_end_readiness_and_then_life() {
    let fixture = Fixture::usual();
    let deadline = Instant::now() + Duration::from_mins(10);
    let mut held = Vec::new();
    for _ in 0..2 {
        let (begun, begins) = oneshot::channel();
        let (release, released) = mpsc::sync_channel::<()>(0);
        let evaluators = fixture.evaluators.clone();
        let job = move || {
            let _ = begun.send(());
            let _ = released.recv();
        };
        tokio::spawn(async move { evaluators.run_at(Point::Admission, deadline, job).await });
        begins.await.unwrap();
        held.push(release);
    }
    let fine = (200, "ok\n".to_owned());
    let told =
        "evaluator threads are stuck in a job without a policy; the process must be restarted\n";
    let told = (503, told.to_owned());
    tokio::time::pause();
    for (seconds, ready, alive) in [(0, &fine, &fine), (610, &told, &fine), (60, &told, &told)] {
        tokio::time::advance(Duration::from_secs(seconds)).await;
        for (path, expected) in [("/readyz", ready), ("/livez", alive)] {
            let answer = fixture.administer(path).await;
            assert_eq!(&(answer.status.as_u16(), answer.text), expected, "{path}");
        }
    }
    let metrics = fixture.administer("/metrics").await.text;
    assert!(
        metrics.contains("portcullis_evaluators_stuck 2"),
        "{metrics}"
    );
    drop(held);
}

/// The text without what the clock decides.
fn masked(text: &str) -> String {
    let is_timed = |line: &&str| {
        line.contains("_duration_seconds_sum")
            || line.contains("_duration_seconds_bucket")
            || line.starts_with("portcullis_view_age_seconds ")
    };
    let kept: Vec<&str> = text.lines().filter(|line| !is_timed(line)).collect();
    kept.join(
        "
",
    )
}

#[tokio::test]
async fn counts_decisions_by_policy_action_and_outcome() {
    let fixture = Fixture::usual()
        .with(owned_by(
            "team-a",
            judging(define("platform/limits@1.0", LIMITS), Action::Audit),
        ))
        .with(judging(
            define("a/broken@1", "package a.broken\nallow if {"),
            Action::Warn,
        ));
    fixture.readiness.set_synced("policies");
    let bad = pod("web:1", None);
    for route in [
        "cluster/fail",
        "cluster/fail",
        "cluster/ignore",
        "namespace/ignore",
    ] {
        fixture.admit(&format!("/admission/{route}"), &bad).await;
    }
    fixture
        .admit("/admission/cluster/fail", &pod("web:1", Some("1Gi")))
        .await;
    fixture
        .evaluate(post("/policy/tasks/authz/1.0/evaluation", "{}"))
        .await;
    fixture
        .evaluate(get("/policy/tasks/unknown/1.0/evaluation"))
        .await;
    let answer = fixture.administer("/metrics").await;
    assert!(
        answer
            .header("content-type")
            .starts_with("application/openmetrics-text")
    );
    insta::assert_snapshot!("metrics", masked(&answer.text));
}

#[tokio::test]
async fn counters_of_policies_that_are_gone_leave() {
    let fixture = Fixture::usual();
    let review = pod("web:1", None);
    fixture.admit("/admission/cluster/fail", &review).await;
    let name = "policy=\"platform/limits@1.0\"";
    assert!(fixture.administer("/metrics").await.text.contains(name));
    let key = ObjectKey::new("ClusterPolicy", None, "platform/limits@1.0");
    fixture.cache.update(|state| state.delete_policy(&key));
    fixture
        .evaluate(post(
            "/policy/tasks/authz/1.0/evaluation",
            json!({}).to_string(),
        ))
        .await;
    assert!(!fixture.administer("/metrics").await.text.contains(name));
}
