//! The rest of what OPA's clients ask: health, status, configuration, modules, and what they may not.

use portcullis_policies::Effect;
use rstest::rstest;
use serde_json::json;

use crate::fixture::{Fixture, TASKS, define, get, owned_by, request};

const HEALTH: &str = "package system.health\nlive := input.plugins_ready\nready if {\n\
                      every state in input.plugin_state { state == \"OK\" }\n}\nodd := 1\n\
                      never if input.x";

fn healthy() -> Fixture {
    Fixture::usual().with(define("system/health@1.0", HEALTH))
}

fn broken() -> Fixture {
    healthy().with(define("odd/broken@1.0", "package odd.broken\nallow if {"))
}

#[rstest]
#[case("/health", None)]
#[case("/health?bundles", None)]
#[case("/health?bundle=true&plugins", None)]
#[case("/health/live", None)]
#[case("/health/ready", None)]
#[case(
    "/health/odd",
    Some("health check (data.system.health.odd) returned unexpected value")
)]
#[case(
    "/health/never",
    Some("health check (data.system.health.never) was undefined")
)]
#[case(
    "/health/a/b",
    Some("health check (data.system.health.a.b) was undefined")
)]
#[tokio::test]
async fn tells_its_health(#[case] path: &str, #[case] error: Option<&str>) {
    let answer = healthy().evaluate(get(path)).await;
    match error {
        None => assert_eq!(
            (answer.status.as_u16(), answer.text.as_str()),
            (200, "{}\n")
        ),
        Some(error) => {
            assert_eq!(answer.status, 500, "{}", answer.text);
            assert_eq!(answer.json(), json!({ "error": error }));
        }
    }
}

#[rstest]
#[case("/health", None)]
#[case("/health?plugins&exclude-plugin=bundle", None)]
#[case("/health/live", None)]
#[case(
    "/health?bundles",
    Some("one or more bundles are not activated: odd/broken@1.0")
)]
#[case(
    "/health?bundles&exclude-plugin=bundle",
    Some("one or more bundles are not activated: odd/broken@1.0")
)]
#[case("/health?plugins", Some("one or more plugins are not up"))]
#[case(
    "/health?plugins&exclude-plugin=sources",
    Some("one or more plugins are not up")
)]
#[case(
    "/health/ready",
    Some("health check (data.system.health.ready) was undefined")
)]
#[tokio::test]
async fn a_broken_policy_is_unhealthy_for_who_asks_for_it(
    #[case] path: &str,
    #[case] error: Option<&str>,
) {
    let answer = broken().evaluate(get(path)).await;
    assert_eq!(
        answer.status,
        if error.is_some() { 500 } else { 200 },
        "{}",
        answer.text
    );
    let expected = error.map_or(json!({}), |error| json!({ "error": error }));
    assert_eq!(answer.json(), expected);
}

#[rstest]
#[case("/health")]
#[case("/health?bundles")]
#[case("/health/live")]
#[case("/v1/status")]
#[case("/v1/policies/a/b@1.0/policy.rego")]
#[case("/v1/query?q=data.a")]
#[case("/v1/data")]
#[tokio::test]
async fn before_the_policies_are_read_nothing_is_told_of_them(#[case] path: &str) {
    let answer = healthy().unread().evaluate(get(path)).await;
    answer.assert_problem(503, "SERVICE.NOT_READY");
}

#[tokio::test]
async fn a_locked_health_policy_is_no_health() {
    let answer = healthy()
        .locked(Effect::Refuse)
        .evaluate(get("/health/live"))
        .await;
    answer.assert_problem(403, "POLICY.LOCKED");
}

#[tokio::test]
async fn tells_its_status() {
    let answer = broken().evaluate(get("/v1/status")).await;
    let result = answer.json()["result"].clone();
    let bundles = result["bundles"].as_object().unwrap();
    let names: Vec<&String> = bundles.keys().collect();
    assert_eq!(
        names,
        [
            "odd/broken@1.0",
            "platform/limits@1.0",
            "system/health@1.0",
            "tasks/authz@1.0"
        ]
    );
    let well = &bundles["tasks/authz@1.0"];
    assert!(
        well["active_revision"]
            .as_str()
            .unwrap()
            .starts_with("sha256:"),
        "{well}"
    );
    assert_eq!(well.get("code"), None);
    let odd = &bundles["odd/broken@1.0"];
    assert_eq!(
        (&odd["code"], odd.get("active_revision")),
        (&json!("bundle_error"), None)
    );
    assert!(odd["message"].is_string(), "{odd}");
    assert_eq!(
        result["plugins"],
        json!({"bundle": {"state": "ERROR"}, "sources": {"state": "OK"}})
    );
    assert_eq!(result["labels"]["version"], env!("CARGO_PKG_VERSION"));
}

#[tokio::test]
async fn tells_its_configuration() {
    let fixture = Fixture {
        default_decision: "/tasks/authz/allow",
        ..Fixture::usual()
    };
    let answer = fixture.evaluate(get("/v1/config?pretty")).await;
    assert!(
        answer.text.starts_with("{\n  \"result\": {\n"),
        "{}",
        answer.text
    );
    let result = answer.json()["result"].clone();
    assert_eq!(result["default_decision"], "/tasks/authz/allow");
    let again = fixture.evaluate(get("/v1/config")).await.json()["result"].clone();
    assert_eq!(result, again, "a process keeps its name");
    assert_eq!(result["labels"]["id"].as_str().map(str::len), Some(36));
}

#[tokio::test]
async fn gives_a_module_by_its_id() {
    let fixture =
        Fixture::usual().with(owned_by("team-a", define("own/one@1.0", "package own.one")));
    let ask = async |id: &str| fixture.evaluate(get(&format!("/v1/policies/{id}"))).await;
    let found = ask("tasks/authz@1.0/policy.rego").await.json();
    assert_eq!(
        found,
        json!({"result": {"id": "tasks/authz@1.0/policy.rego", "raw": TASKS}})
    );
    let encoded = ask("team-a%2Fown/one%401.0/policy.rego").await.json();
    assert_eq!(encoded["result"]["raw"], "package own.one");
    for id in [
        "tasks/authz@2.0/policy.rego",
        "tasks/authz@1.0/",
        "own/one@1.0/policy.rego",
    ] {
        let missing = ask(id).await;
        assert_eq!(missing.status, 404, "{}", missing.text);
        let message = format!("storage_not_found_error: policy id {id:?}");
        assert_eq!(
            missing.json(),
            json!({"code": "resource_not_found", "message": message})
        );
    }
}

#[rstest]
#[case("PUT", "/v1/policies/mine", "apply a ClusterPolicy")]
#[case(
    "DELETE",
    "/v1/policies/tasks/authz@1.0/policy.rego",
    "apply a ClusterPolicy"
)]
#[case("PUT", "/v1/data", "`data`")]
#[case("PUT", "/v1/data/servers", "`data`")]
#[case("PATCH", "/v1/data/servers", "`data`")]
#[case("DELETE", "/v1/data/servers", "`data`")]
#[case("PUT", "/v1/query", "`Allow`")]
#[tokio::test]
async fn nothing_is_written_and_why(
    #[case] method: &str,
    #[case] path: &str,
    #[case] remedy: &str,
) {
    let request = request(method.parse().unwrap(), path, "{}");
    let answer = Fixture::usual().evaluate(request).await;
    answer.assert_problem(405, "REQUEST.METHOD_NOT_ALLOWED");
    assert!(!answer.header("allow").is_empty());
    let found = answer.json()["remedy"].as_str().unwrap().to_owned();
    assert!(found.contains(remedy), "{found}");
}
