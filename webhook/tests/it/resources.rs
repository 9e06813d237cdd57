//! `/resources`: our own kinds.

use std::sync::Arc;

use portcullis_webhook::{ResourceAnswer, admission_router};
use rstest::rstest;
use serde_json::{Value as Json, json};

use crate::fixture::{Fixture, Reviewer, pod, post, review, send};

fn policy(operation: &str) -> Json {
    review(json!({
        "uid": "7d1c6a2e-0000-4000-8000-000000000002",
        "kind": {"group": "portcullis.dev", "version": "v1alpha1", "kind": "Policy"},
        "resource": {"group": "portcullis.dev", "version": "v1alpha1", "resource": "policies"},
        "name": "hosts",
        "namespace": "team-a",
        "operation": operation,
        "userInfo": {"username": "ann"},
        "object": {"metadata": {"name": "hosts"}, "spec": {"name": "hosts"}},
        "oldObject": {"metadata": {"name": "hosts"}, "spec": {}},
    }))
}

fn reviewed_by(reviewer: Reviewer) -> Fixture {
    Fixture {
        reviewer: Some(Arc::new(reviewer)),
        ..Fixture::usual()
    }
}

#[tokio::test]
async fn a_refusal_carries_its_text_and_the_id() {
    let refusal = "policy.rego:3:7: rego_parse_error: unexpected token\n  | allow if {";
    let warnings = vec!["the address is taken\nby another".to_owned()];
    let answer = ResourceAnswer {
        refusal: Some(refusal.to_owned()),
        warnings,
    };
    let fixture = reviewed_by(Reviewer {
        answer,
        ..Reviewer::default()
    });
    let answer = fixture
        .admit("/resources?timeout=10s", &policy("CREATE"))
        .await;
    insta::assert_json_snapshot!("resource_refused", answer.masked());
}

#[tokio::test]
async fn the_reviewer_is_told_what_is_applied() {
    let fixture = Fixture::usual();
    let answer = fixture.admit("/resources", &policy("UPDATE")).await.json();
    assert_eq!(answer["response"]["allowed"], true, "{answer}");
    let asked = fixture.reviewer.as_ref().unwrap().asked.lock().unwrap();
    let review = &asked[0];
    assert_eq!(
        (review.kind.as_str(), review.name.as_str()),
        ("Policy", "hosts")
    );
    assert_eq!(review.namespace.as_deref(), Some("team-a"));
    assert_eq!(review.object.as_ref().unwrap()["spec"]["name"], "hosts");
    assert_eq!(review.old.as_ref().unwrap()["spec"], json!({}));
}

#[rstest]
#[case("DELETE")]
#[case("CONNECT")]
#[tokio::test]
async fn a_deletion_takes_nobodys_leave(#[case] operation: &str) {
    let refusal = Some("never".to_owned());
    let answer = ResourceAnswer {
        refusal,
        warnings: Vec::new(),
    };
    let fixture = reviewed_by(Reviewer {
        answer,
        ..Reviewer::default()
    });
    let answer = fixture.admit("/resources", &policy(operation)).await.json();
    assert_eq!(answer["response"]["allowed"], true);
    assert!(fixture.reviewer.unwrap().asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn what_cannot_be_checked_goes_on_with_a_warning() {
    let fixture = reviewed_by(Reviewer {
        panics: true,
        ..Reviewer::default()
    });
    let response = fixture.admit("/resources", &policy("CREATE")).await.json()["response"].clone();
    assert_eq!(response["allowed"], true);
    assert_eq!(
        response["warnings"],
        json!(["the resource was not checked: the evaluation ended unexpectedly"])
    );
}

#[tokio::test]
async fn there_is_no_such_door_where_nobody_can_judge() {
    let fixture = Fixture {
        reviewer: None,
        ..Fixture::usual()
    };
    let answer = fixture.admit("/resources", &policy("CREATE")).await;
    answer.assert_problem(404, "REQUEST.UNKNOWN_ROUTE");
}

#[rstest]
#[case("", 400)]
#[case("{\"apiVersion\":\"v1\",\"kind\":\"Pod\"}", 400)]
#[tokio::test]
async fn refuses_what_is_no_review(#[case] body: &'static str, #[case] status: u16) {
    let router = admission_router(Fixture::usual().doors());
    let answer = send(router, post("/resources", body)).await;
    answer.assert_problem(status, "POLICY.INPUT_INVALID");
}

#[tokio::test]
async fn objects_of_others_are_the_reviewers_to_judge() {
    let fixture = Fixture::usual();
    let answer = fixture
        .admit("/resources", &pod("web:1", None))
        .await
        .json();
    assert_eq!(answer["response"]["allowed"], true);
    let asked = fixture.reviewer.unwrap();
    assert_eq!(asked.asked.lock().unwrap()[0].kind, "Pod");
}

/// Whoever watches our resources could not read it either, and would see no other.
#[tokio::test]
async fn an_object_that_cannot_be_read_is_refused_unless_it_is_the_old_one() {
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    for (field, allowed) in [("object", false), ("oldObject", true)] {
        let fixture = Fixture::usual();
        let mut review = policy("UPDATE");
        review["request"][field] = json!("deep");
        let body = review.to_string().replace("\"deep\"", &deep);
        let answer = send(admission_router(fixture.doors()), post("/resources", body)).await;
        let response = answer.json()["response"].clone();
        assert_eq!(response["allowed"], allowed, "{response}");
        let asked = fixture.reviewer.unwrap().asked.lock().unwrap().len();
        assert_eq!(asked == 1, allowed);
    }
}
