//! `…/validation`, ids of evaluations, and results that are kept.

use portcullis_policies::{Effect, Lock, ObjectKey, Output, Points, Reach, Target};
use rstest::rstest;
use serde_json::{Value as Json, json};

use crate::fixture::{Fixture, define, get, owned_by, post, request, with_header};

/// Answers what it is asked with.
const ECHO: &str = "package a.echo
did := input.did
allow if input.did";

const VALIDATION: &str = "/policy/a/echo/1/validation";
const EVALUATION: &str = "/policy/a/echo/1/evaluation";

fn echo(schema: Json, locks: bool) -> Fixture {
    let mut definition = define("a/echo@1", ECHO);
    definition.output = Some(Output { schema, locks });
    Fixture::new().with(definition)
}

fn of_did() -> Json {
    json!({"required": ["did"], "properties": {"did": {"type": "string", "pattern": "^did:"}}})
}

#[tokio::test]
async fn a_result_that_satisfies_the_schema_is_answered() {
    let fixture = echo(of_did(), true);
    for path in [VALIDATION, "/policy/policies/a/echo/1/validation"] {
        for method in ["GET", "POST"] {
            let body = r#"{"did": "did:web:example.com"}"#;
            let answer = fixture
                .evaluate(request(method.parse().unwrap(), path, body))
                .await;
            assert_eq!(answer.status, 200, "{}", answer.text);
            let expected = json!({"did": "did:web:example.com", "allow": true});
            assert_eq!(answer.json(), expected);
            assert_eq!(answer.header("etag").len(), 36);
        }
    }
}

#[rstest]
#[case(r#"{"did": 5}"#, "/did", "value is not of type \"string\"")]
#[case(r#"{"did": "web"}"#, "/did", "value does not match \"^did:\"")]
#[case("{}", "", "\"did\" is a required property")]
#[tokio::test]
async fn a_result_that_breaks_it_is_a_fault_that_says_where(
    #[case] body: &'static str,
    #[case] path: &str,
    #[case] message: &str,
) {
    let answer = echo(of_did(), false).evaluate(post(VALIDATION, body)).await;
    answer.assert_problem(500, "POLICY.OUTPUT_INVALID");
    let breaches = json!([{"path": path, "message": message}]);
    assert_eq!(answer.json()["breaches"], breaches);
    let detail = answer.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.ends_with(message), "{detail}");
}

#[tokio::test]
async fn there_has_to_be_a_schema_and_it_has_to_be_one() {
    let fixture = Fixture::new().with(define("a/echo@1", ECHO));
    fixture
        .evaluate(post(VALIDATION, "{}"))
        .await
        .assert_problem(400, "POLICY.NO_OUTPUT_SCHEMA");
    let fixture = echo(json!({"type": "text"}), false);
    for path in [VALIDATION, EVALUATION] {
        let answer = fixture.evaluate(post(path, "{}")).await;
        answer.assert_problem(500, "POLICY.COMPILE_FAILED");
    }
    let unknown = fixture
        .evaluate(post("/policy/a/echo/2/validation", "{}"))
        .await;
    unknown.assert_problem(404, "POLICY.NOT_FOUND");
    let locked = echo(of_did(), false).locked(Effect::Refuse);
    let locked = locked.evaluate(post(VALIDATION, "{}")).await;
    locked.assert_problem(403, "POLICY.LOCKED");
}

/// The lock that somebody makes who is told of a seal.
fn its_lock() -> Lock {
    Lock {
        key: ObjectKey::new("ClusterLock", None, "http-a.echo.1"),
        reach: Reach::Cluster { namespaces: None },
        target: Target::Policy {
            group: "a".to_owned(),
            name: Some("echo".to_owned()),
            version: Some("1".parse().unwrap()),
        },
        points: Points {
            admission: false,
            evaluation: true,
        },
        effect: Effect::Refuse,
        reason: "OutputSchemaViolation".to_owned(),
        expires_at: None,
    }
}

#[tokio::test]
async fn the_policy_is_out_of_evaluation_at_once_until_it_is_unlocked() {
    let fixture = echo(of_did(), true);
    let good = r#"{"did": "did:a"}"#;
    assert_eq!(fixture.evaluate(post(EVALUATION, "{}")).await.status, 200);
    assert!(
        fixture.keeper.sealed.lock().unwrap().is_empty(),
        "nobody validated"
    );
    let answer = fixture.evaluate(post(VALIDATION, "{}")).await;
    answer.assert_problem(500, "POLICY.OUTPUT_INVALID");
    assert_eq!(fixture.keeper.sealed.lock().unwrap().len(), 1);
    for path in [VALIDATION, EVALUATION, "/v1/data/a/echo"] {
        let answer = fixture.evaluate(post(path, good)).await;
        answer.assert_problem(403, "POLICY.LOCKED");
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(
            detail.contains("seal a/echo@1: OutputSchemaViolation"),
            "{detail}"
        );
    }
    let enforced = fixture.evaluate(get("/v1/enforcement")).await.json();
    assert!(enforced["policies"][0]["sealedSince"].is_string());
    assert_eq!(enforced["policies"][0]["locks"], json!([]));
    fixture.cache.update(|state| state.apply_lock(its_lock()));
    let enforced = fixture.evaluate(get("/v1/enforcement")).await.json();
    assert!(enforced["policies"][0]["sealedSince"].is_null());
    let answer = fixture.evaluate(post(EVALUATION, good)).await;
    answer.assert_problem(403, "POLICY.LOCKED");
    fixture
        .cache
        .update(|state| state.delete_lock(&its_lock().key));
    assert_eq!(fixture.evaluate(post(EVALUATION, good)).await.status, 200);
}

#[tokio::test]
async fn a_namespaced_policy_is_validated_under_its_namespace() {
    let mut definition = owned_by("team-a", define("a/echo@1", ECHO));
    definition.output = Some(Output {
        schema: of_did(),
        locks: true,
    });
    let fixture = Fixture::new().with(definition);
    let path = "/namespaces/team-a/policy/a/echo/1/validation";
    let answer = fixture.evaluate(post(path, "{}")).await;
    answer.assert_problem(500, "POLICY.OUTPUT_INVALID");
    let sealed = fixture.keeper.sealed.lock().unwrap().clone();
    assert_eq!(sealed[0].namespace(), Some("team-a"));
    let answer = fixture.evaluate(post(path, r#"{"did": "did:a"}"#)).await;
    answer.assert_problem(403, "POLICY.LOCKED");
}

#[rstest]
#[case("evaluation")]
#[case("validation")]
#[tokio::test]
async fn a_did_document_is_served_at_its_path(#[case] action: &str) {
    let mut definition = define(
        "a/did@1",
        "package a.did\n_ := {\"id\": \"did:web:example.com\"}",
    );
    definition.output = Some(Output {
        schema: json!({"required": ["id"]}),
        locks: false,
    });
    let fixture = Fixture::new().with(definition);
    let path = format!("/policy/policies/a/did/1/{action}/did.json");
    let answer = fixture.evaluate(get(&path)).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.json(), json!({"id": "did:web:example.com"}));
    let answer = fixture.evaluate(post(&path, "{}")).await;
    answer.assert_problem(405, "REQUEST.METHOD_NOT_ALLOWED");
}

#[tokio::test]
async fn an_evaluation_has_the_id_that_its_caller_gives_it() {
    let fixture = Fixture::usual();
    let path = "/policy/tasks/authz/1.0";
    let id = "did:web:example.com";
    for action in ["evaluation", "decision"] {
        let asked = with_header(get(&format!("{path}/{action}")), "x-evaluation-id", id);
        assert_eq!(fixture.evaluate(asked).await.header("etag"), id);
    }
    let review = crate::fixture::pod("web", None).to_string();
    let asked = post(
        "/policy/platform/limits/1.0/decision?point=admission",
        review,
    );
    let asked = fixture
        .evaluate(with_header(asked, "x-evaluation-id", id))
        .await;
    assert_eq!(
        asked.header("etag").len(),
        36,
        "the API server's decisions have other names"
    );
    let asked = with_header(get(&format!("{path}/evaluation")), "x-evaluation-id", "a b");
    fixture
        .evaluate(asked)
        .await
        .assert_problem(400, "POLICY.INPUT_INVALID");
}

#[tokio::test]
async fn a_result_is_kept_for_who_asks_for_it() {
    let fixture = Fixture::usual().with(define("a/echo@1", ECHO));
    let kept = |id: &str, path: &str, ttl: &str| {
        let asked = with_header(post(path, r#"{"did": 1}"#), "x-evaluation-id", id);
        with_header(asked, "x-cache-ttl", ttl)
    };
    let answer = fixture
        .evaluate(kept("https://a/b", EVALUATION, "60"))
        .await;
    assert_eq!(answer.header("x-cache-ttl"), "60");
    let found = fixture.evaluate(get("/v1/results/https:%2F%2Fa%2Fb")).await;
    assert_eq!((found.status.as_u16(), &found.text), (200, &answer.text));
    assert_eq!(found.header("etag"), "https://a/b");
    assert_eq!(found.header("content-type"), "application/json");
    let other = "/policy/tasks/authz/1.0/evaluation";
    let taken = fixture.evaluate(kept("https://a/b", other, "60")).await;
    assert_eq!(
        (taken.status.as_u16(), taken.json()["code"].as_str()),
        (409, Some("RESULT.EXISTS"))
    );
    for (id, ttl) in [("b", "0"), ("c", "00")] {
        let answer = fixture.evaluate(kept(id, EVALUATION, ttl)).await;
        assert_eq!(answer.header("x-cache-ttl"), "");
        let found = fixture.evaluate(get(&format!("/v1/results/{id}"))).await;
        found.assert_problem(404, "RESULT.NOT_FOUND");
    }
}

/// A policy with a rule `_` and nothing else answers its value alone.
#[rstest]
#[case("_ := [1, 2]", json!([1, 2]))]
#[case("_ := null", json!(null))]
#[case("_ := input.did", json!("x"))]
#[case("_ := 1 if input.other\nallow := true", json!({"allow": true}))]
#[case("x[\"$1\"] := 5", json!({"x": {"$1": 5}}))]
#[tokio::test]
async fn a_rule_without_a_name_is_the_whole_result(#[case] rules: &str, #[case] expected: Json) {
    let source = format!("package a.echo\n{rules}");
    let fixture = Fixture::new().with(define("a/echo@1", &source));
    let answer = fixture.evaluate(post(EVALUATION, r#"{"did": "x"}"#)).await;
    assert_eq!(answer.json(), expected, "{}", answer.text);
}
