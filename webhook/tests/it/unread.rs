//! What a replica answers that has not read everything once: nothing that could be a decision. Its
//! endpoint may still be listed, as when a container restarts in its Pod.

use portcullis_webhook::ResourceAnswer;
use rstest::rstest;
use serde_json::json;

use crate::fixture::{Fixture, Reviewer, get, pod, post};

const NOT_READ: &str = "this replica has not read its policies yet";

#[rstest]
#[case("/admission/cluster/fail")]
#[case("/admission/cluster/ignore")]
#[case("/admission/namespace/fail")]
#[tokio::test]
async fn admission_is_not_decided(#[case] path: &str) {
    for fixture in [Fixture::new().unread(), Fixture::usual().unread()] {
        let answer = fixture.admit(path, &pod("web:1", None)).await;
        answer.assert_problem(503, "SERVICE.NOT_READY");
        assert_eq!(answer.json()["detail"], NOT_READ);
        assert_eq!(answer.header("retry-after"), "1");
        fixture.readiness.set_synced("policies");
        let answer = fixture.admit(path, &pod("web:1", None)).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    }
}

#[rstest]
#[case::evaluation("/policy/tasks/authz/1.0/evaluation")]
#[case::unknown("/policy/tasks/unknown/1.0/evaluation")]
#[case::decision("/policy/tasks/authz/1.0/decision")]
#[case::data("/v1/data/tasks/authz/allow")]
#[case::unknown_data("/v1/data/tasks/unknown")]
#[case::list("/v1/policies")]
#[tokio::test]
async fn nothing_is_missing_that_is_only_not_read(#[case] path: &str) {
    let fixture = Fixture::usual().unread();
    let answer = fixture.evaluate(get(path)).await;
    answer.assert_problem(503, "SERVICE.NOT_READY");
    assert_eq!(answer.json()["detail"], NOT_READ);
}

#[rstest]
#[case::data("/v1/data/tasks/authz/allow")]
#[case::lock("/policy/tasks/authz/1.0/lock")]
#[tokio::test]
async fn nor_where_something_is_sent(#[case] path: &str) {
    let fixture = Fixture::usual().unread();
    let answer = fixture.evaluate(post(path, "{}")).await;
    answer.assert_problem(503, "SERVICE.NOT_READY");
    assert!(fixture.keeper.asked.lock().unwrap().is_empty());
}

/// A fault within a resource needs no other resource; what was made of the others is worth nothing.
#[tokio::test]
async fn resources_are_judged_alone() {
    let answer = ResourceAnswer {
        refusal: Some("rego_parse_error".to_owned()),
        warnings: vec!["it locks nothing".to_owned()],
    };
    let reviewer = Reviewer {
        answer,
        ..Reviewer::default()
    };
    let fixture = Fixture {
        reviewer: Some(std::sync::Arc::new(reviewer)),
        ..Fixture::usual().unread()
    };
    let answer = fixture.admit("/resources", &pod("web:1", None)).await;
    let response = answer.json()["response"].clone();
    assert_eq!(response["allowed"], false, "{response}");
    let warning = format!("the resource was not compared with others: {NOT_READ}");
    assert_eq!(response["warnings"], json!([warning]));
}
