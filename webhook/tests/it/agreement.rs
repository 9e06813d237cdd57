//! The same policy and the same review give the same decision at every door.

use portcullis_policies::{Action, Condition, Definition, Effect, Match};
use rstest::rstest;
use serde_json::Value as Json;

use crate::fixture::{Fixture, LIMITS, define, ignored, judging, pod, post};

fn limits(action: Action) -> Definition {
    judging(define("platform/limits@1.0", LIMITS), action)
}

async fn decision(fixture: &Fixture, review: &Json) -> Json {
    let path = "/policy/platform/limits/1.0/decision?point=admission";
    let answer = fixture.evaluate(post(path, review.to_string())).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()
}

/// The texts that the API server shows of messages or warnings of a decision.
fn texts(decision: &Json, field: &str) -> Vec<String> {
    let text = |message: &Json| {
        let mut notes = vec![decision["policy"].as_str().unwrap().to_owned()];
        notes.extend(message["rule"].as_str().map(|rule| format!("rule {rule}")));
        notes.extend(message["severity"].as_str().map(str::to_owned));
        let remedy = message["remedy"]
            .as_str()
            .map(|remedy| format!(" → {remedy}"));
        format!(
            "{}: {} [{}]{}",
            message["code"].as_str().unwrap(),
            message["message"].as_str().unwrap(),
            notes.join(", "),
            remedy.unwrap_or_default()
        )
    };
    decision[field]
        .as_array()
        .unwrap()
        .iter()
        .map(text)
        .collect()
}

#[rstest]
#[case::denied(Fixture::new().with(limits(Action::Deny)), pod("web:latest", None))]
#[case::allowed(Fixture::new().with(limits(Action::Deny)), pod("web:1", Some("1Gi")))]
#[case::warned(Fixture::new().with(limits(Action::Deny)), pod("web:latest", Some("1Gi")))]
#[case::warn_only(Fixture::new().with(limits(Action::Warn)), pod("web:1", None))]
#[case::ignored(Fixture::new().with(ignored(limits(Action::Deny))), pod("web:1", None))]
#[case::locked(Fixture::new().with(limits(Action::Deny)).locked(Effect::Refuse), pod("web:1", None))]
#[case::bypassed(Fixture::new().with(limits(Action::Deny)).locked(Effect::Bypass), pod("web:1", None))]
#[case::exempt(Fixture::new().with(limits(Action::Deny)).exempting("web:*"), pod("web:1", None))]
#[case::not_exempt(Fixture::new().with(limits(Action::Deny)).exempting("db:*"), pod("web:1", None))]
#[case::exempt_and_locked(Fixture::new().with(limits(Action::Deny)).exempting("web:*").locked(Effect::Refuse), pod("web:1", None))]
#[tokio::test]
async fn admission_and_the_evaluation_api_agree(#[case] fixture: Fixture, #[case] review: Json) {
    let decision = decision(&fixture, &review).await;
    let mut answered = 0;
    for route in ["/admission/cluster/fail", "/admission/cluster/ignore"] {
        let response = fixture.admit(route, &review).await.json()["response"].clone();
        let Some(policies) = response["auditAnnotations"]["policies"].as_str() else {
            continue;
        };
        answered += 1;
        assert_eq!(response["allowed"], decision["allowed"]);
        let digest = decision["digest"].as_str().unwrap();
        assert_eq!(policies, format!("platform/limits@1.0={digest}"));
        if decision["allowed"] == false {
            let message = response["status"]["message"].as_str().unwrap();
            let (said, id) = message.rsplit_once("; decision ").unwrap();
            assert_eq!(texts(&decision, "messages"), [said]);
            assert_eq!(response["auditAnnotations"]["decision"], id);
        }
        let shown: Vec<String> =
            serde_json::from_value(response["warnings"].clone()).unwrap_or_default();
        assert_eq!(shown, texts(&decision, "warnings"));
    }
    assert_eq!(answered, 1, "one route must ask the policy");
}

#[tokio::test]
async fn headers_of_the_caller_do_not_change_a_decision_at_admission() {
    let source = "package platform.limits\nallow if get_header(\"X-Location\") == \"\"";
    let fixture = Fixture::new().with(judging(define("platform/limits@1.0", source), Action::Deny));
    let review = pod("web:1", None);
    let path = "/policy/platform/limits/1.0/decision?point=admission";
    let request = post(path, review.to_string());
    let request = crate::fixture::with_header(request, "x-location", "here");
    assert_eq!(fixture.evaluate(request).await.json()["allowed"], true);
}

/// A review that the API server would not ask the policy about is none that it decides about.
#[rstest]
#[case::rule(|it: &mut Match| it.rules[0].resources = vec!["services".to_owned()])]
#[case::selector(|it: &mut Match| {
    it.objects.match_labels = [("app".to_owned(), "db".to_owned())].into();
})]
#[case::condition(|it: &mut Match| it.conditions = vec![Condition {
    name: "db".to_owned(),
    expression: "object.metadata.name == 'db'".to_owned(),
}])]
#[tokio::test]
async fn a_review_that_is_not_matched_is_allowed(#[case] change: fn(&mut Match)) {
    let mut definition = limits(Action::Deny);
    change(&mut definition.admission.as_mut().unwrap().matches);
    let fixture = Fixture::new().with(definition).locked(Effect::Refuse);
    let decision = decision(&fixture, &pod("web:1", None)).await;
    assert_eq!(decision["outcome"], "unmatched");
    assert_eq!(decision["allowed"], true);
    assert_eq!(decision["messages"], serde_json::json!([]));
}

#[tokio::test]
async fn what_is_exempt_is_allowed_and_told() {
    let fixture = Fixture::usual().exempting("web:*");
    let review = pod("web:latest", None);
    let decision = decision(&fixture, &review).await;
    assert_eq!(decision["outcome"], "exempted");
    assert_eq!(decision["exemption"]["name"], "ClusterExemption legacy");
    let response = fixture.admit("/admission/cluster/fail", &review).await;
    let response = &response.json()["response"];
    assert_eq!(response["allowed"], true);
    assert_eq!(
        response["auditAnnotations"]["exemptions"],
        "platform/limits@1.0=ClusterExemption legacy"
    );
    let metrics = fixture.administer("/metrics").await.text;
    assert!(metrics.contains("outcome=\"exempted\""), "{metrics}");
    assert!(metrics.contains("portcullis_exemptions 1"), "{metrics}");
}
