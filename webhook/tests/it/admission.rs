//! `/admission/{cluster|namespace}/{fail|ignore}`.

use portcullis_policies::{
    Action, Condition, Definition, Effect, LabelSelector, Match, ResourceScope, Timestamp, Workload,
};
use portcullis_webhook::admission_router;
use rstest::rstest;
use serde_json::{Value as Json, json};

use crate::fixture::{
    Fixture, LIMITS, define, ignored, judging, owned_by, pod, post, request, review, send,
};

const FAIL: &str = "/admission/cluster/fail?timeout=10s";
const IGNORE: &str = "/admission/cluster/ignore?timeout=10s";

fn broken() -> Definition {
    define(
        "platform/limits@1.0",
        "package platform.limits\n\ndeny contains msg if {",
    )
}

async fn response(fixture: &Fixture, path: &str, review: &Json) -> Json {
    let answer = fixture.admit(path, review).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let json = answer.json();
    assert_eq!(json["apiVersion"], "admission.k8s.io/v1");
    assert_eq!(json["kind"], "AdmissionReview");
    assert_eq!(json["response"]["uid"], review["request"]["uid"]);
    json["response"].clone()
}

#[tokio::test]
async fn denies_with_message_remedy_and_id() {
    let answer = Fixture::usual().admit(FAIL, &pod("web:latest", None)).await;
    insta::assert_json_snapshot!(answer.masked());
}

#[tokio::test]
async fn allows_with_a_warning() {
    let answer = Fixture::usual()
        .admit(FAIL, &pod("web:latest", Some("1Gi")))
        .await;
    insta::assert_json_snapshot!(answer.masked());
}

#[tokio::test]
async fn allows_what_nobody_judges() {
    let mut deletion = pod("web:1", None);
    deletion["request"]["operation"] = json!("DELETE");
    let answer = Fixture::usual().admit(FAIL, &deletion).await;
    insta::assert_json_snapshot!(answer.json());
}

#[tokio::test]
async fn many_policies_give_one_answer_with_the_worst_first() {
    let say = |severity: &str, text: &str| {
        format!(
            "package a.{text}\ndeny contains {{\"msg\": \"{text}\", \"severity\": \"{severity}\"}}"
        )
    };
    let fixture = Fixture::new()
        .with(judging(
            define("a/mild@1", &say("low", "mild")),
            Action::Deny,
        ))
        .with(judging(
            define("a/worst@1", &say("critical", "worst")),
            Action::Deny,
        ))
        .with(judging(
            define("a/fine@1", "package a.fine\ndefault allow := true"),
            Action::Deny,
        ))
        .with(judging(
            define("a/bad@1", &say("high", "bad")),
            Action::Deny,
        ));
    let response = response(&fixture, FAIL, &pod("web:1", None)).await;
    let message = response["status"]["message"].as_str().unwrap();
    let lines: Vec<&str> = message.lines().collect();
    assert_eq!(
        lines[..4],
        [
            "3 violations:",
            "- POLICY.DENIED_ADMISSION: worst [a/worst@1, rule deny, critical]",
            "- POLICY.DENIED_ADMISSION: bad [a/bad@1, rule deny, high]",
            "- POLICY.DENIED_ADMISSION: mild [a/mild@1, rule deny, low]",
        ]
    );
    assert!(lines[4].starts_with("decision "));
    let policies = response["auditAnnotations"]["policies"].as_str().unwrap();
    assert_eq!(policies.matches("=sha256:").count(), 4, "{policies}");
}

/// What happens to an offending Pod, by the policy's action, its failure policy and its state.
#[rstest]
#[case::deny(
    judging(define("platform/limits@1.0", LIMITS), Action::Deny),
    FAIL,
    false,
    0
)]
#[case::warn(
    judging(define("platform/limits@1.0", LIMITS), Action::Warn),
    IGNORE,
    true,
    1
)]
#[case::audit(
    judging(define("platform/limits@1.0", LIMITS), Action::Audit),
    IGNORE,
    true,
    0
)]
#[case::broken_fail(judging(broken(), Action::Deny), FAIL, false, 0)]
#[case::broken_ignore(ignored(judging(broken(), Action::Deny)), IGNORE, true, 1)]
#[case::broken_warn(judging(broken(), Action::Warn), IGNORE, true, 1)]
#[case::broken_audit(judging(broken(), Action::Audit), IGNORE, true, 0)]
#[case::of_another_route(
    judging(define("platform/limits@1.0", LIMITS), Action::Deny),
    IGNORE,
    true,
    0
)]
#[tokio::test]
async fn action_and_failure_policy_decide(
    #[case] definition: portcullis_policies::Definition,
    #[case] path: &str,
    #[case] allowed: bool,
    #[case] warnings: usize,
) {
    let fixture = Fixture::new().with(definition);
    let response = response(&fixture, path, &pod("web:1", None)).await;
    assert_eq!(response["allowed"], allowed, "{response}");
    let warned = response["warnings"].as_array().map_or(0, Vec::len);
    assert_eq!(warned, warnings, "{response}");
    assert_eq!(response["status"].is_object(), !allowed);
}

#[rstest]
#[case::refuse(
    judging(define("platform/limits@1.0", LIMITS), Action::Deny),
    FAIL,
    Effect::Refuse,
    false
)]
#[case::refuse_ignore(
    ignored(judging(define("platform/limits@1.0", LIMITS), Action::Deny)),
    IGNORE,
    Effect::Refuse,
    false
)]
#[case::refuse_warn(
    judging(define("platform/limits@1.0", LIMITS), Action::Warn),
    IGNORE,
    Effect::Refuse,
    true
)]
#[case::refuse_audit(
    judging(define("platform/limits@1.0", LIMITS), Action::Audit),
    IGNORE,
    Effect::Refuse,
    true
)]
#[case::bypass(
    judging(define("platform/limits@1.0", LIMITS), Action::Deny),
    FAIL,
    Effect::Bypass,
    true
)]
#[tokio::test]
async fn locks_decide_before_the_policy(
    #[case] definition: portcullis_policies::Definition,
    #[case] path: &str,
    #[case] effect: Effect,
    #[case] allowed: bool,
) {
    let fixture = Fixture::new().with(definition).locked(effect);
    let response = response(&fixture, path, &pod("web:1", Some("1Gi"))).await;
    assert_eq!(response["allowed"], allowed, "{response}");
    if !allowed {
        let message = response["status"]["message"].as_str().unwrap();
        assert!(
            message
                .starts_with("POLICY.LOCKED: locked by ClusterLock incident-4711: incident 4711"),
            "{message}"
        );
    }
}

#[tokio::test]
async fn a_namespaced_policy_judges_its_own_namespace_only() {
    let policy = owned_by(
        "team-a",
        judging(define("platform/limits@1.0", LIMITS), Action::Deny),
    );
    let fixture = Fixture::new().with(policy);
    let path = "/admission/namespace/fail";
    let mut elsewhere = pod("web:1", None);
    elsewhere["request"]["namespace"] = json!("team-b");
    assert_eq!(
        response(&fixture, path, &pod("web:1", None)).await["allowed"],
        false
    );
    assert_eq!(response(&fixture, path, &elsewhere).await["allowed"], true);
    assert_eq!(
        response(&fixture, FAIL, &pod("web:1", None)).await["allowed"],
        true
    );
}

#[tokio::test]
async fn a_policy_outside_its_window_is_not_asked() {
    let mut definition = judging(define("platform/limits@1.0", LIMITS), Action::Deny);
    definition.window.not_after = Some(Timestamp::UNIX_EPOCH);
    let fixture = Fixture::new().with(definition);
    assert_eq!(
        response(&fixture, FAIL, &pod("web:1", None)).await["allowed"],
        true
    );
}

#[tokio::test]
async fn a_subresource_is_another_resource() {
    let mut exec = pod("web:1", None);
    exec["request"]["subResource"] = json!("exec");
    assert_eq!(
        response(&Fixture::usual(), FAIL, &exec).await["allowed"],
        true
    );
    exec["request"]["subResource"] = json!("");
    assert_eq!(
        response(&Fixture::usual(), FAIL, &exec).await["allowed"],
        false
    );
}

#[rstest]
#[case::empty("", "the body is no AdmissionReview: EOF")]
#[case::cut("{\"apiVersion\":", "the body is no AdmissionReview: EOF")]
#[case::no_object("[]", "the body is no AdmissionReview: it is no object")]
#[case::not_utf8("\"\u{fffd}", "the body is no AdmissionReview")]
#[case::no_version("{}", "`apiVersion` is ``, not `admission.k8s.io/v1`")]
#[case::old_version(
    "{\"apiVersion\":\"admission.k8s.io/v1beta1\",\"kind\":\"AdmissionReview\"}",
    "`apiVersion` is `admission.k8s.io/v1beta1`, not `admission.k8s.io/v1`"
)]
#[case::other_kind(
    "{\"apiVersion\":\"admission.k8s.io/v1\",\"kind\":\"Pod\"}",
    "`kind` is `Pod`, not `AdmissionReview`"
)]
#[case::no_request(
    "{\"apiVersion\":\"admission.k8s.io/v1\",\"kind\":\"AdmissionReview\",\"request\":null}",
    "`request` is missing"
)]
#[case::two_requests(
    "{\"apiVersion\":\"admission.k8s.io/v1\",\"kind\":\"AdmissionReview\",\"request\":{},\"request\":{}}",
    "the body is no AdmissionReview: duplicate field"
)]
#[tokio::test]
async fn refuses_what_is_no_review(#[case] body: &'static str, #[case] detail: &str) {
    let router = admission_router(Fixture::usual().doors());
    let answer = send(router, post(FAIL, body)).await;
    answer.assert_problem(400, "POLICY.INPUT_INVALID");
    let said = answer.json();
    assert!(
        said["detail"].as_str().unwrap().starts_with(detail),
        "{said}"
    );
    assert!(
        said["remedy"].as_str().unwrap().contains("AdmissionReview"),
        "{said}"
    );
}

#[rstest]
#[case::no_uid("uid", None, "missing field `uid`")]
#[case::no_resource("resource", None, "missing field `resource`")]
#[case::no_operation("operation", None, "missing field `operation`")]
#[case::odd_operation("operation", Some("PATCH".into()), "`request.operation` is `PATCH`")]
#[case::odd_namespace("namespace", Some(5.into()), "invalid type")]
#[tokio::test]
async fn refuses_a_request_without_a_head(
    #[case] field: &str,
    #[case] value: Option<Json>,
    #[case] detail: &str,
) {
    let mut request = pod("web:1", None)["request"].clone();
    match value {
        Some(value) => request[field] = value,
        None => drop(request.as_object_mut().unwrap().remove(field)),
    }
    let answer = Fixture::usual().admit(FAIL, &review(request)).await;
    answer.assert_problem(400, "POLICY.INPUT_INVALID");
    assert!(
        answer.json()["detail"].as_str().unwrap().contains(detail),
        "{}",
        answer.text
    );
}

/// The API server takes objects that are nested deeper than this process reads.
#[rstest]
#[case::fail(
    judging(define("platform/limits@1.0", LIMITS), Action::Deny),
    FAIL,
    None,
    false
)]
#[case::ignore(
    ignored(judging(define("platform/limits@1.0", LIMITS), Action::Deny)),
    IGNORE,
    None,
    true
)]
#[case::warn(
    judging(define("platform/limits@1.0", LIMITS), Action::Warn),
    IGNORE,
    None,
    true
)]
#[case::locked(
    ignored(judging(define("platform/limits@1.0", LIMITS), Action::Deny)),
    IGNORE,
    Some(Effect::Refuse),
    false
)]
#[case::bypassed(
    judging(define("platform/limits@1.0", LIMITS), Action::Deny),
    FAIL,
    Some(Effect::Bypass),
    true
)]
#[tokio::test]
async fn what_cannot_be_read_is_decided_by_locks_and_the_failure_policy(
    #[case] definition: portcullis_policies::Definition,
    #[case] path: &str,
    #[case] lock: Option<Effect>,
    #[case] allowed: bool,
) {
    let fixture = Fixture::new().with(definition);
    let fixture = match lock {
        Some(effect) => fixture.locked(effect),
        None => fixture,
    };
    for depth in [200, 100_000] {
        let deep = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let body = pod("web:1", None)
            .to_string()
            .replace("\"oldObject\":null", &format!("\"oldObject\":{deep}"));
        let answer = send(admission_router(fixture.doors()), post(path, body)).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert_eq!(
            answer.json()["response"]["allowed"],
            allowed,
            "{}",
            answer.text
        );
        let told = answer.text.contains("POLICY.INPUT_INVALID");
        assert_eq!(told, lock.is_none(), "{}", answer.text);
    }
}

#[tokio::test]
async fn takes_objects_as_large_as_the_api_server_does() {
    let mut review = pod("web:1", Some("1Gi"));
    let padding = "x".repeat(3 << 20);
    review["request"]["object"]["metadata"]["annotations"] = json!({"padding": padding});
    review["request"]["oldObject"] = json!({"padding": padding});
    assert_eq!(
        response(&Fixture::usual(), FAIL, &review).await["allowed"],
        true
    );
    review["request"]["options"] = json!({"padding": padding});
    let answer = Fixture::usual().admit(FAIL, &review).await;
    answer.assert_problem(413, "POLICY.INPUT_INVALID");
}

#[rstest]
#[case("?timeout=10")]
#[case("?timeout=soon")]
#[case("?timeout=-1s")]
#[case("?timeout=")]
#[tokio::test]
async fn refuses_an_unreadable_timeout(#[case] query: &str) {
    let path = format!("/admission/cluster/fail{query}");
    let answer = Fixture::usual().admit(&path, &pod("web:1", None)).await;
    answer.assert_problem(400, "POLICY.INPUT_INVALID");
}

#[rstest]
#[case("POST", "/admission/cluster/never", 404, "REQUEST.UNKNOWN_ROUTE")]
#[case("POST", "/admission/team/fail", 404, "REQUEST.UNKNOWN_ROUTE")]
#[case("POST", "/admission/cluster/%b7", 404, "REQUEST.UNKNOWN_ROUTE")]
#[case("POST", "/admission/cluster", 404, "REQUEST.UNKNOWN_ROUTE")]
#[case("POST", "/", 404, "REQUEST.UNKNOWN_ROUTE")]
#[case("GET", "/admission/cluster/fail", 405, "REQUEST.METHOD_NOT_ALLOWED")]
#[case("PUT", "/resources", 405, "REQUEST.METHOD_NOT_ALLOWED")]
#[tokio::test]
async fn tells_what_it_does_not_know(
    #[case] method: &str,
    #[case] path: &str,
    #[case] status: u16,
    #[case] code: &str,
) {
    let router = admission_router(Fixture::usual().doors());
    let answer = send(router, request(method.parse().unwrap(), path, "{}")).await;
    answer.assert_problem(status, code);
    if status == 405 {
        assert_eq!(answer.header("allow"), "POST");
    }
}

/// The policy that denies every Pod, with another match.
fn matching(change: impl FnOnce(&mut Match)) -> Definition {
    let mut definition = judging(define("platform/limits@1.0", LIMITS), Action::Deny);
    change(&mut definition.admission.as_mut().unwrap().matches);
    definition
}

fn label(key: &str, value: &str) -> LabelSelector {
    LabelSelector {
        match_labels: [(key.to_owned(), value.to_owned())].into(),
        ..LabelSelector::default()
    }
}

/// Each part of a match is read from the review; a Pod `web` in `team-a`.
#[rstest]
#[case::its_labels(matching(|it| it.objects = label("app", "web")), json!({"app": "web"}), true)]
#[case::other_labels(matching(|it| it.objects = label("app", "web")), json!({"app": "db"}), false)]
#[case::no_labels(matching(|it| it.objects = label("app", "web")), json!(null), false)]
#[case::unreadable_labels(matching(|it| it.objects = label("app", "web")), json!(7), true)]
#[case::its_namespace(matching(|it| it.namespaces = label("env", "prod")), json!({}), true)]
#[case::another_namespace(matching(|it| it.namespaces = label("env", "test")), json!({}), false)]
#[case::its_name(matching(|it| it.rules[0].names = vec!["web".to_owned()]), json!({}), true)]
#[case::another_name(matching(|it| it.rules[0].names = vec!["db".to_owned()]), json!({}), false)]
#[case::its_scope(matching(|it| it.rules[0].scope = ResourceScope::Namespaced), json!({}), true)]
#[case::another_scope(matching(|it| it.rules[0].scope = ResourceScope::Cluster), json!({}), false)]
#[case::excluded(matching(|it| it.excluded = it.rules.clone()), json!({}), false)]
#[case::excluded_at_another_version(
    matching(|it| {
        it.excluded = it.rules.clone();
        it.excluded[0].versions = vec!["v2".to_owned()];
    }),
    json!({}),
    true
)]
#[tokio::test]
async fn a_match_chooses_what_is_judged(
    #[case] definition: Definition,
    #[case] labels: Json,
    #[case] denied: bool,
) {
    let fixture = Fixture::new()
        .with(definition)
        .with_namespace("team-a", "env", "prod");
    let mut pod = pod("web:1", None);
    pod["request"]["object"]["metadata"]["labels"] = labels;
    let response = response(&fixture, FAIL, &pod).await;
    assert_eq!(response["allowed"], !denied, "{response}");
}

#[tokio::test]
async fn a_namespace_that_is_not_known_is_selected() {
    let fixture = Fixture::new().with(matching(|it| it.namespaces = label("env", "test")));
    let response = response(&fixture, FAIL, &pod("web:1", None)).await;
    assert_eq!(response["allowed"], false, "{response}");
}

/// A Deployment is judged as the Pod that comes of it: at admission, and by who asks for the decision.
#[rstest]
#[case::creation(json!({}), Some("container \"web\" has no memory limit"))]
#[case::sound(
    json!({"/object/spec/template/spec/containers/0/resources": {"limits": {"memory": "1Gi"}}}),
    None
)]
#[case::without_a_template(json!({"/object/spec": {}}), Some("POLICY.INPUT_INVALID"))]
#[case::of_its_owner(json!({"/object/metadata/ownerReferences": [
    {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "controller": true},
]}), None)]
#[case::a_subresource(json!({"/subResource": "scale"}), None)]
#[tokio::test]
async fn templates_are_judged_as_pods(#[case] changes: Json, #[case] refused: Option<&str>) {
    let fixture = Fixture::new().with(matching(|it| {
        it.workloads = Workload::of_kubernetes().collect();
    }));
    let mut deployment = pod("web:1", None);
    let request = &mut deployment["request"];
    let pod = request["object"].clone();
    request["kind"] = json!({"group": "apps", "version": "v1", "kind": "Deployment"});
    request["resource"] = json!({"group": "apps", "version": "v1", "resource": "deployments"});
    request["object"] = json!({
        "metadata": {"name": "web"}, "spec": {"template": {"spec": pod["spec"]}},
    });
    for (pointer, value) in changes.as_object().unwrap() {
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        request.pointer_mut(parent).unwrap()[key] = value.clone();
    }
    let response = response(&fixture, FAIL, &deployment).await;
    assert_eq!(response["allowed"], refused.is_none(), "{response}");
    let message = response["status"]["message"].as_str().unwrap_or_default();
    assert!(message.contains(refused.unwrap_or_default()), "{message}");
    let path = "/policy/platform/limits/1.0/decision?point=admission";
    let decision = fixture.evaluate(post(path, deployment.to_string())).await;
    assert_eq!(decision.json()["allowed"], refused.is_none());
}

/// The version in which the API server asks, and the one that was requested, are both excluded.
#[tokio::test]
async fn what_was_requested_is_excluded_too() {
    let fixture = Fixture::new().with(matching(|it| {
        it.excluded = it.rules.clone();
        it.excluded[0].versions = vec!["v1beta1".to_owned()];
    }));
    let mut pod = pod("web:1", None);
    pod["request"]["requestResource"] =
        json!({"group": "", "version": "v1beta1", "resource": "pods"});
    let response = response(&fixture, FAIL, &pod).await;
    assert_eq!(response["allowed"], true, "{response}");
}

fn with_condition(expression: &str) -> Definition {
    matching(|it| {
        it.conditions = vec![Condition {
            name: "it".to_owned(),
            expression: expression.to_owned(),
        }];
    })
}

/// A Pod `web` in `team-a`, whose label `env` is `prod`.
#[rstest]
#[case::holds("object.metadata.name == 'web'", Some(true))]
#[case::does_not("request.operation == 'DELETE'", None)]
#[case::namespace("namespaceObject.metadata.labels.env == 'prod'", Some(true))]
#[case::another_namespace("namespaceObject.metadata.labels.env == 'test'", None)]
#[case::fails("object.spec.missing", Some(false))]
#[tokio::test]
async fn conditions_choose_what_is_judged(
    #[case] expression: &str,
    #[case] expected: Option<bool>,
) {
    let fixture = Fixture::new()
        .with(with_condition(expression))
        .with_namespace("team-a", "env", "prod");
    let response = response(&fixture, FAIL, &pod("web:1", None)).await;
    assert_eq!(response["allowed"], expected.is_none(), "{response}");
    // Who is not concerned is not named.
    assert_eq!(response["auditAnnotations"].is_null(), expected.is_none());
    let judged = expected == Some(true);
    let message = response["status"]["message"].as_str().unwrap_or_default();
    assert_eq!(message.contains("has no memory limit"), judged, "{message}");
    let failed = expected == Some(false);
    assert_eq!(
        message.contains("POLICY.EVALUATION_FAILED: the condition `it` cannot be evaluated"),
        failed,
        "{message}"
    );
}

/// Where one policy is concerned and another is not, the answer is the first one's alone.
#[tokio::test]
async fn who_is_not_concerned_says_nothing() {
    let mut other = with_condition("object.metadata.name == 'db'");
    other.address = "platform/limits@2.0".parse().unwrap();
    let fixture = Fixture::usual().with(other);
    let response = response(&fixture, FAIL, &pod("web:1", None)).await;
    let policies = response["auditAnnotations"]["policies"].as_str().unwrap();
    assert!(policies.contains("platform/limits@1.0"), "{policies}");
    assert!(!policies.contains("platform/limits@2.0"), "{policies}");
}
