//! What the log of the process says of decisions: who asked for what, and nothing of what it says.

use std::{
    io,
    sync::{Arc, Mutex},
};

use portcullis_policies::Action;
use serde_json::Value as Json;
use tracing_subscriber::fmt::MakeWriter;

use crate::fixture::{Fixture, LIMITS, define, judging, pod, post, with_header};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Log {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    /// The fields of the decisions, with their level.
    fn decisions(&self) -> Vec<Json> {
        let text = self.text();
        let events = text
            .lines()
            .map(|line| serde_json::from_str::<Json>(line).unwrap());
        let decisions = events.filter(|event| event["target"] == "decision");
        decisions
            .map(|mut event| {
                let level = event["level"].take();
                let mut fields = event["fields"].take();
                fields["level"] = level;
                fields
            })
            .collect()
    }
}

#[tokio::test]
async fn what_denies_warns_or_is_audited_is_logged_without_content() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .json()
        .with_max_level(tracing::Level::DEBUG)
        .with_writer(log.clone())
        .finish();
    let guard = tracing::subscriber::set_default(subscriber);
    let fixture = Fixture::usual().with(judging(
        define("a/audit@1", &LIMITS.replace("platform.limits", "a.audit")),
        Action::Audit,
    ));
    let mut secret = pod("s3cret-image:1", None);
    secret["request"]["object"]["metadata"]["annotations"] = "s3cret".into();
    let response = fixture
        .admit("/admission/cluster/fail", &secret)
        .await
        .json();
    fixture.admit("/admission/cluster/ignore", &secret).await;
    fixture
        .admit("/admission/cluster/fail", &pod("web:1", Some("1Gi")))
        .await;
    let asked = post(
        "/policy/tasks/authz/1.0/evaluation",
        r#"{"subject": "s3cret"}"#,
    );
    fixture
        .evaluate(with_header(asked, "authorization", "Bearer s3cret"))
        .await;
    drop(guard);

    assert!(!log.text().contains("s3cret"), "{}", log.text());
    let decisions = log.decisions();
    let seen: Vec<[&str; 6]> = decisions
        .iter()
        .map(|decision| {
            ["level", "point", "policy", "action", "outcome", "user"]
                .map(|field| decision[field].as_str().unwrap_or_default())
        })
        .collect();
    assert_eq!(
        seen,
        [
            [
                "INFO",
                "admission",
                "platform/limits@1.0",
                "Deny",
                "denied",
                "ann"
            ],
            ["INFO", "admission", "a/audit@1", "Audit", "denied", "ann"],
            [
                "DEBUG",
                "admission",
                "platform/limits@1.0",
                "Deny",
                "allowed",
                "ann"
            ],
            ["INFO", "evaluation", "tasks/authz@1.0", "", "denied", ""],
        ]
    );
    let denial = &decisions[0];
    assert_eq!(
        denial["id"],
        response["response"]["auditAnnotations"]["decision"]
    );
    assert_eq!(denial["resource"], "CREATE pods team-a/web");
    assert_eq!(denial["uid"], secret["request"]["uid"]);
    assert_eq!(denial["code"], "POLICY.DENIED_ADMISSION");
    assert!(denial["digest"].as_str().unwrap().starts_with("sha256:"));
}
