//! `…/evaluation` and `…/decision`.

use std::time::Duration;

use portcullis_policies::{Effect, Timestamp};
use rstest::rstest;
use serde_json::json;

use crate::fixture::{
    Fixture, LIMITS, TASKS, define, get, judging, owned_by, pod, post, request, with_header,
};

const EVALUATION: &str = "/policy/tasks/authz/1.0/evaluation";
const DECISION: &str = "/policy/tasks/authz/1.0/decision";
const ANN: &str = r#"{"subject": "ann", "task": {"owner": "ann"}}"#;

/// Never ends within its limit.
const SLOW: &str = "package a.slow
allow if count({x | some i in numbers.range(1, 3000); some j in numbers.range(1, 3000); x := i * j}) > 0";

fn slow() -> portcullis_policies::Definition {
    let mut definition = define("a/slow@1", SLOW);
    definition.limits.timeout = Duration::from_millis(5);
    definition
}

#[rstest]
#[case::owner(ANN, true)]
#[case::another(r#"{"subject": "bob", "task": {"owner": "ann"}}"#, false)]
#[case::scalar("5", false)]
#[case::null("null", false)]
#[case::nothing("", false)]
#[case::blank(" \n", false)]
#[tokio::test]
async fn answers_the_bare_result(#[case] body: &'static str, #[case] allow: bool) {
    let fixture = Fixture::usual();
    for path in [EVALUATION, "/policy/policies/tasks/authz/1.0/evaluation"] {
        for method in ["GET", "POST"] {
            let request = request(method.parse().unwrap(), path, body);
            let request = with_header(request, "content-type", "text/plain");
            let answer = fixture.evaluate(request).await;
            assert_eq!(answer.status, 200, "{}", answer.text);
            assert_eq!(answer.header("content-type"), "application/json");
            assert_eq!(
                answer.json(),
                json!({"allow": allow, "owners": ["ann", "bob"], "roles": ["admin", "user"],
                       "header": ""})
            );
            let etag = answer.header("etag");
            assert!(etag.len() == 36 && !etag.contains('"'), "{etag}");
        }
    }
}

#[tokio::test]
async fn a_namespaced_policy_is_found_under_its_namespace_only() {
    let fixture = Fixture::new().with(owned_by("team-a", define("tasks/authz@1.0", TASKS)));
    let own = "/namespaces/team-a/policy/tasks/authz/1.0";
    assert_eq!(
        fixture
            .evaluate(post(&format!("{own}/evaluation"), ANN))
            .await
            .status,
        200
    );
    let decision = fixture
        .evaluate(post(&format!("{own}/decision"), ANN))
        .await
        .json();
    assert_eq!(decision["namespace"], "team-a");
    let elsewhere = "/namespaces/team-b/policy/tasks/authz/1.0/evaluation";
    for path in [EVALUATION, elsewhere] {
        fixture
            .evaluate(post(path, ANN))
            .await
            .assert_problem(404, "POLICY.NOT_FOUND");
    }
}

#[tokio::test]
async fn policies_read_the_first_value_of_a_header() {
    let request = with_header(get(EVALUATION), "x-location", "here");
    let request = with_header(request, "x-location", "there");
    let answer = Fixture::usual().evaluate(request).await;
    assert_eq!(answer.json()["header"], "here");
}

#[tokio::test]
async fn an_undefined_entrypoint_is_an_empty_document() {
    let mut definition = define("a/b@1", "package a.b\nallow if input.x");
    definition.entrypoint = Some("data.a.b.allow".to_owned());
    let answer = Fixture::new()
        .with(definition)
        .evaluate(get("/policy/a/b/1/evaluation"))
        .await;
    assert_eq!((answer.status.as_u16(), answer.json()), (200, json!({})));
}

#[tokio::test]
async fn a_document_that_is_no_decision_is_a_result_all_the_same() {
    let source = "package a.b\nallow := \"perhaps\"";
    let fixture = Fixture::new().with(define("a/b@1", source));
    let answer = fixture.evaluate(get("/policy/a/b/1/evaluation")).await;
    assert_eq!(
        (answer.status.as_u16(), answer.json()),
        (200, json!({"allow": "perhaps"}))
    );
    let decision = fixture.evaluate(get("/policy/a/b/1/decision")).await.json();
    assert_eq!(decision["outcome"], "error");
    assert_eq!(decision["allowed"], false);
    assert_eq!(decision["messages"][0]["code"], "POLICY.OUTPUT_INVALID");
}

/// A policy that does not answer: the problem at `…/evaluation`, the outcome at `…/decision`.
#[rstest]
#[case::locked(Fixture::usual().locked(Effect::Refuse), "/policy/tasks/authz/1.0", 403, "POLICY.LOCKED", "locked")]
#[case::bypassed(Fixture::usual().locked(Effect::Bypass), "/policy/tasks/authz/1.0", 403, "POLICY.LOCKED", "bypassed")]
#[case::broken(Fixture::new().with(define("a/b@1", "package a.b\nallow if {")), "/policy/a/b/1", 500, "POLICY.COMPILE_FAILED", "error")]
#[case::conflict(Fixture::new().with(define("a/b@1", "package a.b\np := 1\np := input")), "/policy/a/b/1", 500, "POLICY.EVALUATION_FAILED", "error")]
#[case::slow(Fixture::new().with(slow()), "/policy/a/slow/1", 504, "POLICY.TIMEOUT", "error")]
#[tokio::test]
async fn what_does_not_answer_says_why(
    #[case] fixture: Fixture,
    #[case] policy: &str,
    #[case] status: u16,
    #[case] code: &str,
    #[case] outcome: &str,
) {
    let evaluation = fixture
        .evaluate(post(&format!("{policy}/evaluation"), "2"))
        .await;
    evaluation.assert_problem(status, code);
    let decision = fixture
        .evaluate(post(&format!("{policy}/decision"), "2"))
        .await;
    assert_eq!(decision.status, 200);
    let decision = decision.json();
    assert_eq!(decision["outcome"], outcome, "{decision}");
    assert_eq!(decision["allowed"], outcome == "bypassed");
}

#[tokio::test]
async fn a_policy_outside_its_window_is_not_in_force() {
    let mut definition = define("tasks/authz@1.0", TASKS);
    definition.window.not_before = Some(Timestamp::MAX);
    let fixture = Fixture::new().with(definition);
    fixture
        .evaluate(post(EVALUATION, ANN))
        .await
        .assert_problem(403, "POLICY.NOT_IN_FORCE");
    let decision = fixture.evaluate(post(DECISION, ANN)).await.json();
    assert_eq!(
        (&decision["outcome"], &decision["allowed"]),
        (&json!("notInForce"), &json!(false))
    );
}

#[tokio::test]
async fn answers_the_full_decision() {
    let fixture = Fixture::usual();
    let answer = fixture
        .evaluate(post(DECISION, r#"{"subject": "bob"}"#))
        .await;
    assert_eq!(answer.header("etag"), answer.json()["id"]);
    insta::assert_json_snapshot!("decision_denied", answer.masked());
    let locked = Fixture::usual()
        .locked(Effect::Refuse)
        .evaluate(post(DECISION, ANN))
        .await;
    insta::assert_json_snapshot!("decision_locked", locked.masked());
    let path = "/policy/platform/limits/1.0/decision?point=admission";
    let review = pod("web:latest", None).to_string();
    let admission = fixture.evaluate(post(path, review)).await;
    insta::assert_json_snapshot!("decision_at_admission", admission.masked());
}

#[tokio::test]
async fn problems_look_the_same_everywhere() {
    let fixture = Fixture::usual();
    let unknown = fixture
        .evaluate(get("/policy/tasks/authz/2.0/evaluation"))
        .await;
    insta::assert_json_snapshot!("problem_not_found", unknown.masked());
    let locked = Fixture::usual()
        .locked(Effect::Refuse)
        .evaluate(post(EVALUATION, ANN))
        .await;
    insta::assert_json_snapshot!("problem_locked", locked.masked());
    let invalid = fixture.evaluate(post(EVALUATION, "{\"a\":")).await;
    insta::assert_json_snapshot!("problem_input_invalid", invalid.masked());
}

#[rstest]
#[case::version("/policy/tasks/authz/2.0", 404, "POLICY.NOT_FOUND")]
#[case::odd_version("/policy/tasks/authz/v1", 404, "POLICY.NOT_FOUND")]
#[case::odd_group("/policy/Tasks/authz/1.0", 404, "POLICY.NOT_FOUND")]
#[case::traversal("/policy/..%2f..%2fetc/authz/1.0", 404, "POLICY.NOT_FOUND")]
#[case::not_utf8("/policy/%ff/authz/1.0", 404, "POLICY.NOT_FOUND")]
#[case::repository("/policy/other/tasks/authz/1.0", 404, "POLICY.NOT_FOUND")]
#[tokio::test]
async fn unknown_addresses_are_not_found(
    #[case] policy: &str,
    #[case] status: u16,
    #[case] code: &str,
) {
    for verb in ["evaluation", "decision", "lock"] {
        let answer = Fixture::usual()
            .evaluate(post(&format!("{policy}/{verb}"), ""))
            .await;
        answer.assert_problem(status, code);
    }
}

#[rstest]
#[case::cut(EVALUATION, "{\"a\":", "the body is not JSON")]
#[case::two_documents(EVALUATION, "1 2", "the body is not JSON")]
#[case::point(
    "/policy/tasks/authz/1.0/decision?point=nowhere",
    "1",
    "the parameter `point`"
)]
#[case::no_review(
    "/policy/platform/limits/1.0/decision?point=admission",
    "{}",
    "`apiVersion`"
)]
#[case::empty_review(
    "/policy/platform/limits/1.0/decision?point=admission",
    "",
    "the body is no"
)]
#[case::query(
    "/policy/tasks/authz/1.0/decision?point=%ff",
    "1",
    "the parameter `point`"
)]
#[tokio::test]
async fn unreadable_input_is_refused(
    #[case] path: &str,
    #[case] body: &'static str,
    #[case] detail: &str,
) {
    let answer = Fixture::usual().evaluate(post(path, body)).await;
    answer.assert_problem(400, "POLICY.INPUT_INVALID");
    assert!(
        answer.json()["detail"]
            .as_str()
            .unwrap()
            .starts_with(detail),
        "{}",
        answer.text
    );
}

#[tokio::test]
async fn bytes_that_are_no_text_and_deep_documents_are_refused() {
    let fixture = Fixture::usual();
    let bytes = fixture
        .evaluate(post(EVALUATION, vec![b'"', 0xff, b'"']))
        .await;
    bytes.assert_problem(400, "POLICY.INPUT_INVALID");
    let deep = "[".repeat(10_000) + &"]".repeat(10_000);
    fixture
        .evaluate(post(EVALUATION, deep))
        .await
        .assert_problem(400, "POLICY.INPUT_INVALID");
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused() {
    let fixture = Fixture::usual();
    let document = |bytes: usize| format!("\"{}\"", "x".repeat(bytes - 2));
    assert_eq!(
        fixture
            .evaluate(post(EVALUATION, document(4 << 20)))
            .await
            .status,
        200
    );
    let over = fixture
        .evaluate(post(EVALUATION, document((4 << 20) + 1)))
        .await;
    over.assert_problem(413, "POLICY.INPUT_INVALID");
}

#[rstest]
#[case("GET", "/", 405, "REQUEST.METHOD_NOT_ALLOWED")]
#[case("GET", "/policy/tasks/authz/1.0", 404, "REQUEST.UNKNOWN_ROUTE")]
#[case("GET", "/policy/tasks/authz/1.0/else", 404, "REQUEST.UNKNOWN_ROUTE")]
#[case(
    "GET",
    "/policy/a/b/tasks/authz/1.0/evaluation",
    404,
    "REQUEST.UNKNOWN_ROUTE"
)]
#[case("GET", "/admission/cluster/fail", 404, "REQUEST.UNKNOWN_ROUTE")]
#[case("GET", "/policy/tasks/%b7/1.0/evaluation", 404, "POLICY.NOT_FOUND")]
#[case("PUT", EVALUATION, 405, "REQUEST.METHOD_NOT_ALLOWED")]
#[case(
    "GET",
    "/policy/tasks/authz/1.0/lock",
    405,
    "REQUEST.METHOD_NOT_ALLOWED"
)]
#[case("POST", "/v1/policies", 405, "REQUEST.METHOD_NOT_ALLOWED")]
#[case("PUT", "/v1/policies/a", 405, "REQUEST.METHOD_NOT_ALLOWED")]
#[case("DELETE", "/v1/policies/a/b", 405, "REQUEST.METHOD_NOT_ALLOWED")]
#[case("PUT", "/v1/data", 405, "REQUEST.METHOD_NOT_ALLOWED")]
#[case("PUT", "/v1/data/a/b", 405, "REQUEST.METHOD_NOT_ALLOWED")]
#[case("PATCH", "/v1/data/a/b", 405, "REQUEST.METHOD_NOT_ALLOWED")]
#[case("DELETE", "/v1/data/a/b", 405, "REQUEST.METHOD_NOT_ALLOWED")]
#[case("PUT", "/v0/data/a/b", 405, "REQUEST.METHOD_NOT_ALLOWED")]
#[case("POST", "/v1/compile", 404, "REQUEST.UNKNOWN_ROUTE")]
#[tokio::test]
async fn tells_what_it_does_not_know(
    #[case] method: &str,
    #[case] path: &str,
    #[case] status: u16,
    #[case] code: &str,
) {
    let request = request(method.parse().unwrap(), path, "");
    let answer = Fixture::usual().evaluate(request).await;
    answer.assert_problem(status, code);
    assert_eq!(answer.header("allow").is_empty(), status == 404);
}

#[tokio::test]
async fn a_decision_at_evaluation_ignores_the_action_at_admission() {
    let policy = judging(
        define("platform/limits@1.0", LIMITS),
        portcullis_policies::Action::Audit,
    );
    let input = json!({"request": pod("web:1", None)["request"]}).to_string();
    let path = "/policy/platform/limits/1.0/decision";
    let decision = Fixture::new()
        .with(policy)
        .evaluate(post(path, input))
        .await
        .json();
    assert_eq!(
        (&decision["outcome"], &decision["allowed"]),
        (&json!("denied"), &json!(false))
    );
    assert_eq!(decision["messages"][0]["code"], "POLICY.DENIED_EVALUATION");
}
