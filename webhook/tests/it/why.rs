//! `/decisions/{id}`.

use portcullis_policies::{Action, Definition, Effect, Operation};
use portcullis_webhook::{JournalSettings, ReaderFault};
use rstest::rstest;
use serde_json::{Value as Json, json};

use crate::fixture::{
    Answer, Fixture, LIMITS, TASKS, define, get, ignored, judging, owned_by, pod, post, review,
    with_header,
};

/// Asks the API server's door, and answers the decision's id.
async fn admit(fixture: &Fixture, review: &Json) -> String {
    admit_at(fixture, "fail", review).await
}

async fn admit_at(fixture: &Fixture, failure_policy: &str, review: &Json) -> String {
    let path = format!("/admission/cluster/{failure_policy}?timeout=10s");
    let answer = fixture.admit(&path, review).await.json();
    let id = &answer["response"]["auditAnnotations"]["decision"];
    id.as_str().expect("somebody was asked").to_owned()
}

/// Evaluates, and answers the decision's id.
async fn evaluate(fixture: &Fixture, path: &str, body: &str) -> String {
    let request = with_header(post(path, body.to_owned()), "x-location", "here");
    let request = with_header(request, "x-api-key", "s3cret");
    fixture.evaluate(request).await.header("etag").to_owned()
}

async fn why(fixture: &Fixture, id: &str) -> Answer {
    let request = get(&format!("/decisions/{id}"));
    fixture
        .evaluate(with_header(request, "authorization", "Bearer abc"))
        .await
}

fn texts(answer: &Json) -> Vec<&str> {
    let decisions = answer["decisions"].as_array().unwrap();
    decisions
        .iter()
        .filter_map(|decision| decision["explanation"]["text"].as_str())
        .collect()
}

#[tokio::test]
async fn a_refusal_is_told_with_its_reason() {
    let fixture = Fixture::usual();
    let id = admit(&fixture, &pod("nginx:1.29", None)).await;
    let answer = why(&fixture, &id).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let json = answer.json();
    assert_eq!(json["id"], id.as_str());
    assert_eq!(json["point"], "admission");
    assert_eq!(json["user"], "ann");
    assert_eq!(json["resource"], "CREATE pods team-a/web");
    assert_eq!(json["namespace"], "team-a");
    assert_eq!(json["judged"], 1);
    assert_eq!(
        json["input"]["object"]["spec"]["containers"],
        json!([{"name": "web", "image": "nginx:1.29"}])
    );
    let decision = &json["decisions"][0];
    assert_eq!(decision["action"], "Deny");
    assert_eq!(decision["cut"], false);
    assert_eq!(decision["decision"]["policy"], "platform/limits@1.0");
    assert_eq!(decision["decision"]["outcome"], "denied");
    assert_eq!(decision["explanation"]["outcome"], "denied");
    assert!(decision["explanationNote"].is_null(), "{decision}");
    let text = texts(&json)[0];
    assert!(
        text.contains("policy.rego:4:1: data.platform.limits.deny holds")
            && text.contains(r#"container = {"image": "nginx:1.29", "name": "web"}"#),
        "{text}"
    );
    let readers = fixture.keeper.readers.lock().unwrap();
    assert_eq!(
        *readers,
        [(Some("team-a".to_owned()), Some("abc".to_owned()))]
    );
}

fn limits(source: &str) -> Definition {
    judging(define("platform/limits@1.0", source), Action::Deny)
}

fn audited() -> Fixture {
    Fixture::new().with(judging(
        define("platform/limits@1.0", LIMITS),
        Action::Audit,
    ))
}

#[tokio::test]
async fn what_allows_is_not_remembered() {
    let fixture = Fixture::usual();
    let id = admit(&fixture, &pod("nginx:1.29", Some("1Gi"))).await;
    why(&fixture, &id)
        .await
        .assert_problem(404, "DECISION.NOT_FOUND");
}

#[rstest]
#[case::warns(Fixture::usual(), "fail", "allowed")]
#[case::audits(audited(), "ignore", "denied")]
#[case::fails(Fixture::new().with(limits("package platform.limits\ndeny := 1")), "fail", "error")]
#[case::is_broken(Fixture::new().with(limits("package")), "fail", "error")]
#[case::is_broken_and_ignored(Fixture::new().with(ignored(limits("package"))), "ignore", "error")]
#[case::is_locked(Fixture::usual().locked(Effect::Refuse), "fail", "locked")]
#[case::is_bypassed(Fixture::usual().locked(Effect::Bypass), "fail", "bypassed")]
#[tokio::test]
async fn whatever_does_not_just_allow_is_remembered(
    #[case] fixture: Fixture,
    #[case] failure_policy: &str,
    #[case] outcome: &str,
) {
    let memory = (outcome == "allowed").then_some("1Gi");
    let id = admit_at(&fixture, failure_policy, &pod("nginx:latest", memory)).await;
    let json = why(&fixture, &id).await.json();
    assert_eq!(json["decisions"][0]["decision"]["outcome"], outcome);
}

#[rstest]
#[case::locked(Fixture::usual().locked(Effect::Refuse), "the policy was not evaluated")]
#[case::broken(Fixture::new().with(limits("package")), "the policy is broken")]
#[tokio::test]
async fn what_cannot_be_explained_says_so(#[case] fixture: Fixture, #[case] expected: &str) {
    let id = admit(&fixture, &pod("nginx", None)).await;
    let json = why(&fixture, &id).await.json();
    let note = json["decisions"][0]["explanationNote"].as_str().unwrap();
    assert!(note.contains(expected), "{note}");
    assert!(texts(&json).is_empty());
}

#[tokio::test]
async fn a_policy_that_has_changed_is_not_asked_again() {
    let fixture = Fixture::usual();
    let id = admit(&fixture, &pod("nginx", None)).await;
    let changed = format!("{LIMITS}\nallow := true\n");
    let fixture = fixture.with(judging(
        define("platform/limits@1.0", &changed),
        Action::Deny,
    ));
    let json = why(&fixture, &id).await.json();
    let decision = &json["decisions"][0];
    assert_eq!(
        decision["explanationNote"],
        "the policy has changed since, or is gone"
    );
    assert_eq!(
        decision["decision"]["messages"][0]["message"],
        "container \"web\" has no memory limit"
    );
}

/// A policy that denies each Secret, and says all that it knows.
const SECRETS: &str = r#"
package platform.secrets

deny contains {"msg": sprintf("no: %s", [input.request.object.data.password]), "found": input.request.object.data, "details": input.request.object} if {
    input.request.object.data.password != ""
}

everything := input.request
"#;

fn secret() -> Json {
    review(json!({
        "uid": "7d1c6a2e-0000-4000-8000-000000000002",
        "kind": {"group": "", "version": "v1", "kind": "Secret"},
        "resource": {"group": "", "version": "v1", "resource": "secrets"},
        "name": "db",
        "namespace": "team-a",
        "operation": "UPDATE",
        "userInfo": {"username": "ann"},
        "object": {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "db", "annotations": {
                "kubectl.kubernetes.io/last-applied-configuration": "{\"data\":{\"password\":\"s3cret\"}}",
            }},
            "data": {"password": "s3cret"},
        },
        "oldObject": {"kind": "Secret", "stringData": {"password": "s3cret"}},
    }))
}

#[tokio::test]
async fn nothing_of_a_secret_is_remembered() {
    let mut definition = judging(define("platform/secrets@1.0", SECRETS), Action::Deny);
    let rule = &mut definition.admission.as_mut().unwrap().matches.rules[0];
    rule.resources = vec!["secrets".to_owned()];
    rule.operations = vec![Operation::Update];
    let fixture = Fixture::new().with(definition);
    let id = admit(&fixture, &secret()).await;
    let answer = why(&fixture, &id).await;
    assert!(!answer.text.contains("s3cret"), "{}", answer.text);
    let json = answer.json();
    assert_eq!(json["input"]["object"]["data"]["password"], "REDACTED");
    let note = json["inputNote"].as_str().unwrap();
    assert!(note.contains("what is secret was replaced"), "{note}");
    let decision = &json["decisions"][0];
    let message = &decision["decision"]["messages"][0]["message"];
    assert_eq!(message, "no: REDACTED");
    assert_eq!(decision["cut"], true);
    let note = decision["explanationNote"].as_str().unwrap();
    assert!(note.contains("without what is secret"), "{note}");
    assert!(texts(&json)[0].contains("data.platform.secrets.deny holds"));
}

#[tokio::test]
async fn an_evaluation_is_told_without_its_credentials() {
    let fixture = Fixture::new().with(owned_by("team-a", define("tasks/authz@1.0", TASKS)));
    let path = "/namespaces/team-a/policy/tasks/authz/1.0/evaluation";
    let body = r#"{"subject": "ann", "task": {"owner": "bob"}, "token": "s3cret"}"#;
    let id = evaluate(&fixture, path, body).await;
    let answer = why(&fixture, &id).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert!(!answer.text.contains("s3cret"), "{}", answer.text);
    let json = answer.json();
    assert_eq!(json["point"], "evaluation");
    assert_eq!(json["namespace"], "team-a");
    let text = texts(&json)[0];
    assert!(text.contains("data.tasks.authz.allow"), "{text}");
    assert!(text.contains("value = \"here\""), "headers: {text}");
}

#[tokio::test]
async fn a_long_input_is_not_kept_and_that_is_said() {
    let fixture = Fixture::usual();
    let long = format!("nginx:{}", "1".repeat(200_000));
    let id = admit(&fixture, &pod(&long, None)).await;
    let json = why(&fixture, &id).await.json();
    assert!(json["input"].is_null());
    assert_eq!(json["inputNote"], "the input was too long to be kept");
    assert_eq!(
        json["decisions"][0]["explanationNote"],
        "the input was too long to be kept"
    );
}

#[tokio::test]
async fn a_request_that_was_not_evaluated_is_remembered_without_its_input() {
    let fixture = Fixture::usual();
    let mut review = pod("nginx", None);
    let deep = (0..200).fold(json!(1), |inner, _| json!([inner]));
    review["request"]["object"]["spec"]["deep"] = deep;
    let id = admit(&fixture, &review).await;
    let json = why(&fixture, &id).await.json();
    assert_eq!(json["inputNote"], "the input was not read");
    let messages = &json["decisions"][0]["decision"]["messages"];
    assert_eq!(messages[0]["code"], "POLICY.INPUT_INVALID");
}

#[tokio::test]
async fn who_may_not_is_told_what_is_told_of_what_is_unknown() {
    let fixture = Fixture::usual();
    let id = admit(&fixture, &pod("nginx", None)).await;
    *fixture.keeper.readable.lock().unwrap() = Some("team-b".to_owned());
    let other = "7d1c6a2e-0000-4000-8000-000000000009";
    let mut told = Vec::new();
    for id in [id.as_str(), other] {
        let answer = why(&fixture, id).await;
        answer.assert_problem(404, "DECISION.NOT_FOUND");
        told.push(answer.masked().to_string().replace(id, "<it>"));
    }
    assert_eq!(told[0], told[1]);
    let asked = fixture.keeper.readers.lock().unwrap().len();
    assert_eq!(asked, 2, "the same is done for both");
}

#[rstest]
#[case(ReaderFault::Unauthenticated, 401, "REQUEST.UNAUTHENTICATED")]
#[case(
    ReaderFault::Unavailable("away".to_owned()),
    503,
    "DECISIONS.UNAVAILABLE"
)]
#[tokio::test]
async fn what_the_api_server_says_is_told_of_every_id(
    #[case] fault: ReaderFault,
    #[case] status: u16,
    #[case] code: &str,
) {
    let fixture = Fixture::usual();
    let id = admit(&fixture, &pod("nginx", None)).await;
    *fixture.keeper.reader_fault.lock().unwrap() = Some(fault);
    for id in [id.as_str(), "unknown", "%ff"] {
        why(&fixture, id).await.assert_problem(status, code);
    }
}

#[tokio::test]
async fn pages_of_other_sites_read_nothing_where_no_token_is_asked_for() {
    let fixture = Fixture::usual();
    let id = admit(&fixture, &pod("nginx", None)).await;
    fixture
        .keeper
        .open
        .store(true, std::sync::atomic::Ordering::Relaxed);
    let asked = |host: &str| with_header(get(&format!("/decisions/{id}")), "host", host);
    let answer = fixture.evaluate(asked("evil.example:8181")).await;
    answer.assert_problem(403, "REQUEST.FORBIDDEN");
    let answer = fixture.evaluate(asked("localhost:8181")).await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn nothing_is_remembered_where_nothing_is_to_be() {
    let mut fixture = Fixture::usual();
    fixture.journal = JournalSettings {
        requests: 0,
        ..JournalSettings::default()
    };
    let id = admit(&fixture, &pod("nginx", None)).await;
    why(&fixture, &id)
        .await
        .assert_problem(404, "DECISION.NOT_FOUND");
}
