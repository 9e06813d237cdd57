//! Shadows at the API server's door: they act on nothing, and tell where they differ.

use std::sync::atomic::Ordering;

use portcullis_policies::{Action, Definition};
use serde_json::{Value as Json, json};

use crate::fixture::{Fixture, LIMITS, define, get, judging, pod, with_header};

const FAIL: &str = "/admission/cluster/fail?timeout=10s";
const IGNORE: &str = "/admission/cluster/ignore?timeout=10s";

const TAGS: &str = r#"
package platform.limits

deny contains {"msg": sprintf("the image %s has a tag", [container.image]), "code": "TAG"} if {
    some container in input.request.object.spec.containers
    contains(container.image, ":")
}
"#;

fn shadow(source: &str) -> Definition {
    Definition {
        shadow: true,
        ..judging(define("platform/limits@2.0", source), Action::Deny)
    }
}

fn fixture(source: &str) -> Fixture {
    let in_force = judging(define("platform/limits@1.0", LIMITS), Action::Deny);
    let fixture = Fixture::new().with(in_force).with(shadow(source));
    fixture.keeper.open.store(true, Ordering::Relaxed);
    fixture
}

/// What this replica tells of the shadow when it has compared so many requests; a test that waits in
/// vain is ended by its runner.
async fn counts(fixture: &Fixture, compared: u64) -> Json {
    loop {
        let told = fixture.evaluate(get("/v1/enforcement")).await.json();
        let shadow = told["policies"][1]["shadow"].clone();
        if shadow["compared"] == compared {
            return shadow;
        }
        tokio::task::yield_now().await;
    }
}

async fn examples(fixture: &Fixture) -> Json {
    let own = with_header(get("/v1/shadows"), "host", "localhost");
    let told = fixture.evaluate(own).await;
    assert_eq!(told.status, 200, "{}", told.text);
    let mut examples = told.json()["shadows"][0]["examples"].clone();
    for example in examples.as_array_mut().into_iter().flatten() {
        assert!(example["time"].take().is_string());
    }
    examples
}

#[tokio::test]
async fn a_shadow_acts_on_nothing_and_tells_where_it_differs() {
    let fixture = fixture(TAGS);
    let allowed = fixture.admit(FAIL, &pod("web:1", Some("1Gi"))).await;
    assert_eq!(
        allowed.json()["response"]["allowed"],
        true,
        "{}",
        allowed.text
    );
    assert_eq!(allowed.json()["response"]["warnings"], Json::Null);
    counts(&fixture, 1).await;
    let refused = fixture.admit(FAIL, &pod("web", None)).await;
    assert_eq!(refused.json()["response"]["allowed"], false);
    assert!(
        !refused.text.contains("platform/limits@2.0"),
        "{}",
        refused.text
    );
    // Where the version in force is not asked, it is not compared with.
    let ignored = fixture.admit(IGNORE, &pod("web:1", None)).await;
    assert_eq!(ignored.json()["response"]["allowed"], true);
    let counts = counts(&fixture, 2).await;
    assert_eq!(
        counts,
        json!({
            "compares": "1.0", "compared": 2, "missed": 0,
            "stricter": 1, "looser": 1, "failed": 0, "messages": 0,
        })
    );
    assert_eq!(
        examples(&fixture).await,
        json!([
            {
                "time": null, "request": "CREATE pods team-a/web", "user": "ann",
                "difference": "looser",
                "inForce": "denied: POLICY.DENIED_ADMISSION: container \"web\" has no memory limit",
                "shadow": "allowed",
            },
            {
                "time": null, "request": "CREATE pods team-a/web", "user": "ann",
                "difference": "stricter", "inForce": "allowed",
                "shadow": "denied: TAG: the image web:1 has a tag",
            },
        ])
    );
    let metrics = fixture.administer("/metrics").await.text;
    let counted = r#"portcullis_shadow_requests_total{policy="platform/limits@2.0",namespace="",result="stricter"} 1"#;
    assert!(metrics.contains(counted), "{metrics}");
    assert!(
        !metrics.contains(r#"point="admission",policy="platform/limits@2.0""#),
        "{metrics}"
    );
}

#[tokio::test]
async fn what_is_secret_is_not_told() {
    let mut fixture = fixture(TAGS);
    fixture.journal.redact = vec!["image".to_owned()];
    fixture.admit(FAIL, &pod("web:1", Some("1Gi"))).await;
    counts(&fixture, 1).await;
    let told = examples(&fixture).await;
    assert_eq!(told[0]["shadow"], "denied", "{told}");
}

#[tokio::test]
async fn counts_begin_anew_with_another_shadow() {
    let fixture = fixture(TAGS);
    fixture.admit(FAIL, &pod("web:1", Some("1Gi"))).await;
    counts(&fixture, 1).await;
    let fixture = fixture.with(shadow(LIMITS));
    counts(&fixture, 0).await;
    fixture.admit(FAIL, &pod("web:1", Some("1Gi"))).await;
    let counts = counts(&fixture, 1).await;
    assert_eq!(counts["stricter"], 0);
}

#[tokio::test]
async fn who_is_not_the_operator_is_told_nothing() {
    let fixture = fixture(TAGS);
    fixture.keeper.open.store(false, Ordering::Relaxed);
    let answer = fixture.evaluate(get("/v1/shadows")).await;
    answer.assert_problem(403, "SHADOW.FORBIDDEN");
}
