//! `/v1/query`: conditions about what policies answer.

use portcullis_policies::Timestamp;
use rstest::rstest;
use serde_json::json;

use crate::fixture::{Fixture, define, get, owned_by, post};

const AUTHZ: &str = "package tasks.authz\ndefault allow := false\nallow if input.user == data.owner\n\
                     list := [1, 2]\nf(x) := x\np := input.parameters.p";

fn fixture() -> Fixture {
    let mut authz = define("tasks/authz@1.0", AUTHZ);
    authz.data = serde_json::from_value(json!({"owner": "ann"})).unwrap();
    authz.parameters = serde_json::from_value(json!({"p": 7})).unwrap();
    let mut later = define("tasks/authz@2.0", "package tasks.authz\nallow := \"later\"");
    later.window.not_before = Some(Timestamp::MAX);
    let helper = "package tasks.other.inner\nx := 1";
    let mut other = define(
        "tasks/other@1.0",
        "package tasks.other\ny := data.tasks.other.inner.x",
    );
    other
        .modules
        .insert("inner.rego".to_owned(), helper.to_owned());
    let broken = define("odd/broken@1.0", "package odd.broken\nallow if {");
    Fixture::new()
        .with(authz)
        .with(later)
        .with(other)
        .with(broken)
        .with(owned_by(
            "team-a",
            define("own/one@1.0", "package own.one\nz := 3"),
        ))
}

#[rstest]
#[case("x = 1", r#"{"result":[{"x":1}]}"#)]
#[case("x := data.tasks.authz.allow", r#"{"result":[{"x":true}]}"#)]
#[case(
    "data.tasks.authz.allow = true; y := input.user",
    r#"{"result":[{"y":"ann"}]}"#
)]
#[case(
    "data.tasks.authz.list[i] = x",
    r#"{"result":[{"i":0,"x":1},{"i":1,"x":2}]}"#
)]
#[case("data.tasks.authz.nothing", "{}")]
#[case("data.unknown.x", "{}")]
#[case("not data.unknown", r#"{"result":[{}]}"#)]
#[case("not data.tasks", "{}")]
#[case("x := data.tasks[n].y", r#"{"result":[{"n":"other","x":1}]}"#)]
#[case("false", r#"{"result":[{}]}"#)]
#[case("x := 1 / 0", "{}")]
#[case(
    "x := data.tasks.authz.allow with input as {\"user\": \"bob\"}",
    r#"{"result":[{"x":false}]}"#
)]
#[case(
    "a := data.tasks.authz.allow with input as {}; b := data.tasks.authz.allow; c := data.tasks.authz.p with input as {\"parameters\": {\"p\": 8}}",
    r#"{"result":[{"a":false,"b":true,"c":7}]}"#
)]
#[case("x := \"<\" with input as 3", r#"{"result":[{"x":"\u003c"}]}"#)]
// What a policy has for itself is nobody else's.
#[case("x := data.owner", "{}")]
#[case("x := input.parameters", "{}")]
#[tokio::test]
async fn sees_what_the_policies_answer(#[case] query: &str, #[case] expected: &str) {
    let body = json!({"query": query, "input": {"user": "ann"}}).to_string();
    let answer = fixture().evaluate(post("/v1/query", body)).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.text, format!("{expected}\n"));
}

#[rstest]
#[case::nothing("/v1/query", "missing parameter 'q'")]
#[case::empty("/v1/query?q=", "cannot evaluate empty query")]
#[case::no_rego("/v1/query?q=x%20:=", "error(s) occurred while parsing query")]
#[case::unsafe_variable("/v1/query?q=x=y", "error(s) occurred while compiling query")]
#[case::function("/v1/query?q=data.tasks.authz.f(1,x)", "undefined function")]
#[case::network("/v1/query?q=http.send(%7B%7D,x)", "a query makes no network calls")]
#[case::with(
    "/v1/query?q=data.tasks.authz.allow%20with%20input.user%20as%201",
    "replaces `input` only"
)]
#[tokio::test]
async fn a_wrong_query_is_refused(#[case] path: &str, #[case] expected: &str) {
    let answer = fixture().evaluate(get(path)).await;
    assert_eq!(answer.status, 400, "{}", answer.text);
    assert_eq!(answer.json()["code"], "invalid_parameter");
    assert!(answer.text.contains(expected), "{}", answer.text);
}

#[tokio::test]
async fn a_wrong_query_is_shown() {
    let answer = fixture()
        .evaluate(get("/v1/query?q=x%20:=%20%22a%22%0Ay%20%7D"))
        .await;
    let error = &answer.json()["errors"][0];
    assert_eq!(error["code"], "rego_parse_error", "{error}");
    assert_eq!(
        error["location"],
        json!({"file": "", "row": 2, "col": 3}),
        "{error}"
    );
    assert_eq!(
        error["details"],
        json!({"line": "y }", "idx": 2}),
        "{error}"
    );
}

#[rstest]
#[case("[]")]
#[case("")]
#[case(r#"{"query": 7}"#)]
#[tokio::test]
async fn a_wrong_body_is_refused(#[case] body: &'static str) {
    let answer = fixture().evaluate(post("/v1/query", body)).await;
    assert_eq!(answer.status, 400, "{}", answer.text);
    let message = &answer.json()["message"];
    let message = message.as_str().unwrap();
    assert!(
        message.starts_with("error(s) occurred while decoding request: "),
        "{message}"
    );
}

#[tokio::test]
async fn has_limits_of_its_own() {
    let long = format!("x = \"{}\"", "a".repeat(64 << 10));
    let body = json!({"query": long}).to_string();
    let answer = fixture().evaluate(post("/v1/query", body)).await;
    assert_eq!(answer.status, 400, "{}", answer.text);
    let endless = "count([1 | numbers.range(1, 100000)[_]; numbers.range(1, 100000)[_]]) = x";
    let body = json!({"query": endless}).to_string();
    let answer = fixture().evaluate(post("/v1/query", body)).await;
    assert_eq!(answer.status, 500, "{}", answer.text);
    assert_eq!(answer.json()["errors"][0]["code"], "eval_cancel_error");
}

/// As clients ask one rule about many inputs.
#[tokio::test]
async fn asks_about_many_inputs_at_once() {
    let ask = async |count: usize| {
        let asked = (0..count).map(|number| {
            let user = if number % 2 == 0 { "ann" } else { "bob" };
            format!("r{number} := data.tasks.authz.allow with input as {{\"user\": \"{user}\"}}")
        });
        let query = asked.collect::<Vec<_>>().join("; ");
        let body = json!({ "query": query }).to_string();
        fixture().evaluate(post("/v1/query", body)).await
    };
    let many = ask(256).await.json()["result"][0].clone();
    assert_eq!(
        (&many["r254"], &many["r255"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(ask(257).await.status, 400);
}

#[tokio::test]
async fn only_what_it_looks_at_can_keep_it_from_an_answer() {
    let fixture = fixture();
    let asked = fixture
        .evaluate(get("/v1/query?q=data.odd.broken.allow"))
        .await;
    asked.assert_problem(500, "POLICY.COMPILE_FAILED");
    let all = fixture.evaluate(get("/v1/query?q=x%3Ddata")).await;
    all.assert_problem(500, "POLICY.COMPILE_FAILED");
    let other = fixture
        .evaluate(get("/v1/query?q=x%3Ddata.tasks.other.y"))
        .await;
    assert_eq!(other.text, "{\"result\":[{\"x\":1}]}\n");
}

#[tokio::test]
async fn the_policies_are_those_of_the_namespace_that_is_named() {
    let ask = async |query: &str| {
        fixture()
            .evaluate(get(&format!("/v1/query?{query}")))
            .await
            .text
    };
    assert_eq!(ask("q=data.own.one.z=x").await, "{}\n");
    assert_eq!(
        ask("q=data.own.one.z=x&namespace=team-a").await,
        "{\"result\":[{\"x\":3}]}\n"
    );
    let pretty = ask("q=x=1&pretty&metrics").await;
    assert!(
        pretty.starts_with("{\n  \"metrics\": {\n    \"timer_rego_query_compile_ns\": "),
        "{pretty}"
    );
}
