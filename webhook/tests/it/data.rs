//! `/v1/data/…`: OPA's clients.

use portcullis_policies::{Effect, Timestamp};
use rstest::rstest;
use serde_json::{Value as Json, json};

use crate::fixture::{Answer, Fixture, TASKS, define, get, owned_by, post};

const ANN: &str = r#"{"input": {"subject": "ann", "task": {"owner": "ann"}}}"#;

#[track_caller]
fn assert_result(answer: &Answer, expected: Option<Json>) {
    assert_eq!(answer.status, 200, "{}", answer.text);
    let json = answer.json();
    assert_eq!(json.get("result"), expected.as_ref(), "{json}");
    assert_eq!(json["decision_id"].as_str().map(str::len), Some(36));
}

#[rstest]
#[case::rule("allow", Some(json!(true)))]
#[case::array("owners", Some(json!(["ann", "bob"])))]
#[case::item("owners/1", Some(json!("bob")))]
#[case::no_item("owners/2", None)]
#[case::no_index("owners/x", None)]
#[case::member("roles/admin", Some(json!("admin")))]
#[case::no_member("roles/root", None)]
#[case::below_a_scalar("allow/x", None)]
#[case::undefined("deny", None)]
#[case::slash("allow/", Some(json!(true)))]
#[tokio::test]
async fn looks_up_a_path_in_the_document(#[case] path: &str, #[case] expected: Option<Json>) {
    let path = format!("/v1/data/tasks/authz/{path}");
    assert_result(&Fixture::usual().evaluate(post(&path, ANN)).await, expected);
}

#[tokio::test]
async fn answers_the_package() {
    let answer = Fixture::usual()
        .evaluate(post("/v1/data/tasks/authz", ANN))
        .await;
    assert_eq!(answer.json()["result"]["allow"], true);
}

#[rstest]
#[case("/v1/data/tasks/unknown/allow")]
#[case("/v1/data/unknown/authz")]
#[case("/v1/data/tasks")]
#[case("/v1/data/Tasks/../authz")]
#[case("/v1/data/tasks/authz/allow?version=2.0")]
#[case("/v1/data/tasks/authz/allow?version=latest")]
#[case("/v1/data/tasks/authz/allow?namespace=team-a")]
#[tokio::test]
async fn what_is_unknown_is_undefined(#[case] path: &str) {
    assert_result(&Fixture::usual().evaluate(post(path, ANN)).await, None);
}

#[tokio::test]
async fn get_reads_the_input_of_the_query() {
    let fixture = Fixture::usual();
    let input = "%7B%22subject%22:%22ann%22,%22task%22:%7B%22owner%22:%22ann%22%7D%7D";
    let path = format!("/v1/data/tasks/authz/allow?input={input}");
    assert_result(&fixture.evaluate(get(&path)).await, Some(json!(true)));
    assert_result(
        &fixture.evaluate(get("/v1/data/tasks/authz/allow")).await,
        Some(json!(false)),
    );
    let cut = fixture
        .evaluate(get("/v1/data/tasks/authz/allow?input=%7B"))
        .await;
    cut.assert_problem(400, "POLICY.INPUT_INVALID");
}

#[tokio::test]
async fn the_newest_version_in_force_answers() {
    let version = |number: &str| {
        let source = format!("package tasks.authz\nversion := \"{number}\"");
        define(&format!("tasks/authz@{number}"), &source)
    };
    let mut future = version("3.0");
    future.window.not_before = Some(Timestamp::MAX);
    let fixture = Fixture::new()
        .with(version("1.9"))
        .with(version("1.10"))
        .with(version("1.2"))
        .with(future);
    let ask = async |query: &str| {
        let path = format!("/v1/data/tasks/authz/version{query}");
        fixture.evaluate(post(&path, "")).await
    };
    assert_result(&ask("").await, Some(json!("1.10")));
    assert_result(&ask("?version=1.9").await, Some(json!("1.9")));
    ask("?version=3.0")
        .await
        .assert_problem(403, "POLICY.NOT_IN_FORCE");
}

#[tokio::test]
async fn a_namespaced_policy_is_named_by_a_parameter() {
    let fixture = Fixture::new().with(owned_by("team-a", define("tasks/authz@1.0", TASKS)));
    let path = "/v1/data/tasks/authz/allow";
    assert_result(&fixture.evaluate(post(path, ANN)).await, None);
    let path = "/v1/data/tasks/authz/allow?namespace=team-a";
    assert_result(&fixture.evaluate(post(path, ANN)).await, Some(json!(true)));
}

#[rstest]
#[case::locked(Fixture::usual().locked(Effect::Refuse), 403, "POLICY.LOCKED")]
#[case::bypassed(Fixture::usual().locked(Effect::Bypass), 403, "POLICY.LOCKED")]
#[case::broken(Fixture::new().with(define("tasks/authz@1.0", "package tasks.authz\nallow if {")), 500, "POLICY.COMPILE_FAILED")]
#[tokio::test]
async fn what_is_locked_or_broken_is_never_undefined(
    #[case] fixture: Fixture,
    #[case] status: u16,
    #[case] code: &str,
) {
    for path in ["/v1/data/tasks/authz/allow", "/v1/data/tasks/authz/unknown"] {
        fixture
            .evaluate(post(path, ANN))
            .await
            .assert_problem(status, code);
    }
}

#[rstest]
#[case::null(r#"{"input": null}"#, false)]
#[case::none("", false)]
#[case::missing(r#"{"subject": "ann"}"#, true)]
#[tokio::test]
async fn an_absent_input_is_undefined(#[case] body: &'static str, #[case] warned: bool) {
    let answer = Fixture::usual()
        .evaluate(post("/v1/data/tasks/authz/allow", body))
        .await;
    assert_result(&answer, Some(json!(false)));
    assert_eq!(
        answer.json()["warning"]["code"] == "api_usage_warning",
        warned
    );
}

#[rstest]
#[case("[]")]
#[case("{\"input\":")]
#[case("5")]
#[tokio::test]
async fn a_body_that_is_no_object_is_refused(#[case] body: &'static str) {
    let answer = Fixture::usual()
        .evaluate(post("/v1/data/tasks/authz/allow", body))
        .await;
    answer.assert_problem(400, "POLICY.INPUT_INVALID");
}
