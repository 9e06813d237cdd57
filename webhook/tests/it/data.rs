//! `/v1/data/…`, `/v0/data/…` and `POST /`: OPA's clients.

use std::io::{Read as _, Write as _};

use flate2::{Compression, read::GzDecoder, write::GzEncoder};
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

#[track_caller]
fn assert_error(answer: &Answer, status: u16, code: &str) {
    assert_eq!(answer.status, status, "{}", answer.text);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.json()["code"], code, "{}", answer.text);
    assert!(answer.json()["message"].is_string(), "{}", answer.text);
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
#[case::slashes("/allow", Some(json!(true)))]
#[case::encoded("%61llow", Some(json!(true)))]
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
#[case("/v1/data/unknown")]
#[case("/v1/data/Tasks/../authz")]
#[case("/v1/data/tasks%2Fauthz/allow")]
#[case("/v1/data/tasks/authz/allow?version=2.0")]
#[case("/v1/data/tasks/authz/allow?version=latest")]
#[case("/v1/data/tasks/authz/allow?namespace=team-a")]
#[tokio::test]
async fn what_is_unknown_is_undefined(#[case] path: &str) {
    assert_result(&Fixture::usual().evaluate(post(path, ANN)).await, None);
}

#[tokio::test]
async fn above_a_policy_is_the_object_of_all_that_is_there() {
    let other = define("tasks/other@1.0", "package tasks.other\nx := 1\nf(y) := y");
    let nothing = define(
        "quiet/none@1.0",
        "package quiet.none\nallow if input.never == \"so\"",
    );
    let fixture = Fixture::new()
        .with(define("tasks/authz@0.9", "package tasks.authz\nallow := 7"))
        .with(define("tasks/authz@1.0", TASKS))
        .with(other)
        .with(nothing)
        .with(owned_by(
            "team-a",
            define("own/one@1.0", "package own.one\ny := 2"),
        ));
    let ask = async |path: &str| fixture.evaluate(post(path, ANN)).await;
    let group = ask("/v1/data/tasks").await.json()["result"].clone();
    assert_eq!(group["other"], json!({"x": 1}));
    assert_eq!(group["authz"]["allow"], true);
    let all = ask("/v1/data").await.json()["result"].clone();
    assert_eq!(all, json!({"tasks": group, "quiet": {"none": {}}}));
    assert_eq!(ask("/v1/data/").await.json()["result"], all);
    assert_eq!(
        ask("/v1/data/quiet").await.json()["result"],
        json!({"none": {}})
    );
    let owned = ask("/v1/data?namespace=team-a").await;
    assert_result(&owned, Some(json!({"own": {"one": {"y": 2}}})));
    assert_error(
        &ask("/v1/data/tasks?version=1.0").await,
        400,
        "invalid_parameter",
    );
    let bare = fixture.evaluate(post("/v0/data/tasks/other", "")).await;
    assert_eq!(bare.json(), json!({"x": 1}));
    assert_result(
        &Fixture::new().evaluate(get("/v1/data")).await,
        Some(json!({})),
    );
}

#[tokio::test]
async fn no_more_are_asked_at_once_than_can_be() {
    let mut fixture = Fixture::new();
    for number in 0..257 {
        let source = format!("package many.p{number}\nx := 1");
        fixture = fixture.with(define(&format!("many/p{number}@1.0"), &source));
    }
    for path in ["/v1/data", "/v1/data/many", "/v1/query?q=data.many%5Bx%5D"] {
        assert_error(&fixture.evaluate(get(path)).await, 400, "invalid_parameter");
    }
    let one = fixture.evaluate(get("/v1/query?q=data.many.p7.x=y")).await;
    assert_eq!(one.json(), json!({"result": [{"y": 1}]}));
}

#[tokio::test]
async fn documents_are_bounded_together() {
    let large = |name: &str| {
        let source = format!("package big.{name}\nx := sprintf(\"%05000000d\", [1])");
        define(&format!("big/{name}@1.0"), &source)
    };
    let fixture = Fixture::new().with(large("a")).with(large("b"));
    assert_eq!(fixture.evaluate(get("/v1/data/big/a")).await.status, 200);
    assert_error(
        &fixture.evaluate(get("/v1/data/big")).await,
        400,
        "invalid_parameter",
    );
}

#[tokio::test]
async fn get_reads_the_input_of_the_query() {
    let fixture = Fixture::usual();
    let input = "%7B%22subject%22:%22ann%22,%22task%22:%7B%22owner%22:%22ann%22%7D%7D";
    let path = format!("/v1/data/tasks/authz/allow?input=1&input={input}");
    assert_result(&fixture.evaluate(get(&path)).await, Some(json!(true)));
    assert_result(
        &fixture.evaluate(get("/v1/data/tasks/authz/allow")).await,
        Some(json!(false)),
    );
    let cut = fixture
        .evaluate(get("/v1/data/tasks/authz/allow?input=%7B"))
        .await;
    assert_error(&cut, 400, "invalid_parameter");
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
    let fixture = Fixture {
        default_decision: "/tasks/authz/allow",
        ..fixture
    };
    for path in [
        "/v1/data/tasks/authz/allow",
        "/v1/data/tasks/authz/unknown",
        "/v1/data/tasks",
        "/v1/data",
        "/v0/data/tasks/authz/unknown",
        "/v0/data",
        "/",
    ] {
        let answer = fixture.evaluate(post(path, ANN)).await;
        answer.assert_problem(status, code);
    }
    for query in [
        "data.tasks.authz.allow",
        "not%20data.tasks.authz.allow",
        "data.tasks%5Bx%5D",
        "x%3Ddata",
        "walk(data,x)",
    ] {
        let answer = fixture.evaluate(get(&format!("/v1/query?q={query}"))).await;
        answer.assert_problem(status, code);
    }
}

#[rstest]
#[case::null(r#"{"input": null}"#)]
#[case::none("")]
#[case::missing(r#"{"subject": "ann"}"#)]
#[tokio::test]
async fn an_absent_input_is_undefined_and_warned_of(#[case] body: &'static str) {
    let answer = Fixture::usual()
        .evaluate(post("/v1/data/tasks/authz/allow", body))
        .await;
    assert_result(&answer, Some(json!(false)));
    assert_eq!(answer.json()["warning"]["code"], "api_usage_warning");
}

#[rstest]
#[case("[]")]
#[case("{\"input\":")]
#[case("5")]
#[case("{\"input\": 1} x")]
#[tokio::test]
async fn a_body_that_is_no_object_is_refused(#[case] body: &'static str) {
    let answer = Fixture::usual()
        .evaluate(post("/v1/data/tasks/authz/allow", body))
        .await;
    assert_error(&answer, 400, "invalid_parameter");
}

const ECHO: &str = "package in.out\nallow := true\nseen := input\ndouble := input.n * 2\n\
                    nothing if input.never == \"so\"\nfails := x if some x in [1, 2]\nzero := 1 / input.z";

fn echo() -> Fixture {
    let source = ECHO.replace("fails := x if some x in [1, 2]\n", "");
    Fixture::new().with(define("in/out@1.0", &source))
}

#[rstest]
#[case::document("/v0/data/in/out/double", r#"{"n": 2}"#, 200, "4\n")]
#[case::nothing_is_null("/v0/data/in/out/seen", "", 200, "null\n")]
#[case::scalar("/v0/data/in/out/seen", "5", 200, "5\n")]
#[case::escaped(
    "/v0/data/in/out/seen",
    r#"{"b": "<&>", "a": [1.5]}"#,
    200,
    "{\"a\":[1.5],\"b\":\"\\u003c\\u0026\\u003e\"}\n"
)]
#[case::pretty("/v0/data/in/out/seen?pretty", "[1, {}]", 200, "[\n  1,\n  {}\n]\n")]
#[case::undefined(
    "/v0/data/in/out/nothing",
    "{}",
    404,
    "document undefined: data.in.out.nothing"
)]
#[case::below(
    "/v0/data/in/out/nothing/x",
    "{}",
    404,
    "document undefined: data.in.out.nothing.x"
)]
#[case::missing(
    "/v0/data/in/out/other",
    "{}",
    404,
    "document missing: data.in.out.other"
)]
#[case::no_policy(
    "/v0/data/in/no-one/1",
    "{}",
    404,
    r#"document missing: data.in[\"no-one\"][1]"#
)]
#[case::malformed(
    "/v0/data/in/out/seen",
    "{",
    400,
    "unexpected parse error for input: body contains malformed input document: "
)]
#[case::bad_path("/v0/data/in/%22out", "{}", 400, "invalid path: invalid ref term")]
#[tokio::test]
async fn a_bare_input_has_a_bare_answer(
    #[case] path: &str,
    #[case] body: &'static str,
    #[case] status: u16,
    #[case] expected: &str,
) {
    let answer = echo().evaluate(post(path, body)).await;
    assert_eq!(answer.status, status, "{}", answer.text);
    assert_eq!(answer.header("content-type"), "application/json");
    if status == 200 {
        assert_eq!(answer.text, expected);
    } else {
        assert!(answer.text.contains(expected), "{}", answer.text);
    }
}

#[tokio::test]
async fn the_default_decision_is_the_one_that_is_configured() {
    let missing = echo().evaluate(post("/", "{}")).await;
    assert_error(&missing, 404, "undefined_document");
    assert!(missing.text.contains("document missing: data.system.main"));
    let fixture = Fixture {
        default_decision: "/in/out/double",
        ..echo()
    };
    assert_eq!(
        fixture.evaluate(post("/", r#"{"n": 21}"#)).await.text,
        "42\n"
    );
    let main = define("system/main@1.0", "package system.main\nallow := input.x");
    let fixture = Fixture::new().with(main);
    let answer = fixture.evaluate(post("/?pretty", r#"{"x": 1}"#)).await;
    assert_eq!(answer.text, "{\n  \"allow\": 1\n}\n");
}

#[tokio::test]
async fn an_evaluation_that_ends_with_an_error_is_told_as_opa_tells_it() {
    let fixture = Fixture::new().with(define("in/out@1.0", ECHO));
    let answer = fixture.evaluate(get("/v1/data/in/out")).await;
    assert_error(&answer, 500, "internal_error");
    let json = answer.json();
    assert_eq!(json["message"], "error(s) occurred while evaluating query");
    let error = &json["errors"][0];
    assert_eq!(error["code"], "eval_conflict_error", "{error}");
    assert_eq!(
        error["location"],
        json!({"file": "policy.rego", "row": 6, "col": 1})
    );
    assert_eq!(json["decision_id"].as_str().map(str::len), Some(36));
}

#[rstest]
#[case("?strict-builtin-errors", 500)]
#[case("?strict-builtin-errors=false", 200)]
#[case("", 200)]
#[tokio::test]
async fn builtin_errors_are_errors_for_who_wants_it(#[case] query: &str, #[case] status: u16) {
    let path = format!("/v1/data/in/out/allow{query}");
    let answer = echo().evaluate(post(&path, r#"{"input": {"z": 0}}"#)).await;
    assert_eq!(answer.status, status, "{}", answer.text);
    if status == 500 {
        let error = &answer.json()["errors"][0];
        assert_eq!(error["code"], "eval_builtin_error");
        assert_eq!(error["message"], "div: divide by zero");
    }
}

#[tokio::test]
async fn tells_what_answered_and_how_long_it_took() {
    let fixture = echo();
    let plain = fixture.evaluate(get("/v1/data/in/out/allow")).await.json();
    assert_eq!(plain.as_object().unwrap().len(), 2, "{plain}");
    let path = "/v1/data/in/out/allow?metrics&provenance&pretty";
    let answer = fixture.evaluate(post(path, r#"{"input": {}}"#)).await;
    assert!(
        answer.text.starts_with("{\n  \"decision_id\": \""),
        "{}",
        answer.text
    );
    let json = answer.json();
    let metrics = json["metrics"].as_object().unwrap();
    assert_eq!(metrics["counter_server_query_cache_hit"], 1);
    for timer in ["server_handler", "rego_query_eval", "rego_input_parse"] {
        assert!(
            metrics[&format!("timer_{timer}_ns")].as_u64() > Some(0),
            "{json}"
        );
    }
    assert_eq!(json["provenance"]["version"], env!("CARGO_PKG_VERSION"));
    let revision = &json["provenance"]["bundles"]["in/out@1.0"]["revision"];
    assert!(revision.as_str().unwrap().starts_with("sha256:"), "{json}");
}

#[tokio::test]
async fn shows_what_policies_note() {
    let source = "package in.out\nallow if {\n\ttrace(\"looked\")\n\tvia\n}\nvia if trace(\"saw \\\"it\\\"\")\n\
                  other if trace(\"elsewhere\")\nquiet := 1";
    let fixture = Fixture::new().with(define("in/out@1.0", source));
    let ask = async |path: &str| fixture.evaluate(get(path)).await.json()["explanation"].clone();
    assert_eq!(
        ask("/v1/data/in/out/allow?explain=notes").await,
        json!([
            "query:1           Enter data.in.out.allow = _",
            "policy.rego:2     | Enter data.in.out.allow",
            "policy.rego:3     | | Note \"looked\"",
            "policy.rego:6     | | Enter data.in.out.via",
            "policy.rego:6     | | | Note \"saw \\\"it\\\"\"",
        ])
    );
    let all = ask("/v1/data/in/out?explain=notes").await.to_string();
    assert!(all.contains("elsewhere"), "{all}");
    assert_eq!(
        ask("/v1/data/in/out/quiet?explain=notes").await,
        json!([""])
    );
    for other in ["explain=full", "explain=fails", "explain=debug", "explain"] {
        let path = format!("/v1/data/in/out/allow?{other}");
        assert_eq!(ask(&path).await, Json::Null, "data would be shown: {other}");
    }
}

fn zip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn with(
    mut request: axum::http::Request<axum::body::Body>,
    headers: &[(&'static str, &'static str)],
) -> axum::http::Request<axum::body::Body> {
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    request
}

#[tokio::test]
async fn reads_what_is_compressed() {
    let fixture = echo();
    let ask = async |path: &str, body: Vec<u8>| {
        let request = with(post(path, body), &[("content-encoding", "gzip")]);
        fixture.evaluate(request).await
    };
    let body = zip(r#"{"input": {"n": 4}}"#);
    assert_result(&ask("/v1/data/in/out/double", body).await, Some(json!(8)));
    assert_eq!(
        ask("/v0/data/in/out/double", zip(r#"{"n": 4}"#)).await.text,
        "8\n"
    );
    let query = zip(r#"{"query": "input.n = x", "input": {"n": 4}}"#);
    assert_eq!(
        ask("/v1/query", query).await.json(),
        json!({"result": [{"x": 4}]})
    );
    let plain = ask("/v1/data/in/out/double", b"{}".to_vec()).await;
    assert_error(&plain, 400, "invalid_parameter");
    let bomb = zip(&" ".repeat((4 << 20) + 1));
    ask("/v1/data/in/out/double", bomb)
        .await
        .assert_problem(413, "POLICY.INPUT_INVALID");
}

#[tokio::test]
async fn reads_yaml_for_who_says_so() {
    let fixture = echo();
    let ask = async |path: &str, body: &'static str| {
        let request = with(post(path, body), &[("content-type", "application/x-yaml")]);
        fixture.evaluate(request).await
    };
    let answer = ask("/v1/data/in/out/double", "input:\n  n: 4\n").await;
    assert_result(&answer, Some(json!(8)));
    assert_eq!(
        ask("/v0/data/in/out/seen", "- 1\n- a: b\n").await.json(),
        json!([1, {"a": "b"}])
    );
    assert_error(
        &ask("/v1/data/in/out/seen", "a: [").await,
        400,
        "invalid_parameter",
    );
}

#[tokio::test]
async fn compresses_what_is_long_for_who_accepts_it() {
    let long = format!(
        r#"{{"input": {{"n": 1, "text": "{}"}}}}"#,
        "x".repeat(2_000)
    );
    let ask = async |path: &str, body: &str, accepted: &'static str| {
        let request = with(
            post(path, body.to_owned()),
            &[("accept-encoding", accepted)],
        );
        echo().ask_bytes(request).await
    };
    let (headers, zipped) = ask("/v1/data/in/out/seen", &long, "deflate, gzip").await;
    assert_eq!(headers["content-encoding"], "gzip");
    assert_eq!(headers["vary"], "Accept-Encoding");
    let mut text = String::new();
    GzDecoder::new(&*zipped).read_to_string(&mut text).unwrap();
    let json: Json = serde_json::from_str(&text).unwrap();
    assert_eq!(json["result"]["n"], 1);
    for (path, body, accepted) in [
        ("/v1/data/in/out/seen", long.as_str(), "identity"),
        ("/v1/data/in/out/seen", long.as_str(), "gzip;q=0"),
        ("/v1/data/in/out/double", r#"{"input": {"n": 1}}"#, "gzip"),
    ] {
        let (headers, plain) = ask(path, body, accepted).await;
        assert_eq!(headers.get("content-encoding"), None);
        assert!(plain.ends_with(b"}\n"));
    }
    let (headers, _) = ask("/policy/in/out/1.0/evaluation", &long, "gzip").await;
    assert_eq!(headers.get("vary"), None);
}
