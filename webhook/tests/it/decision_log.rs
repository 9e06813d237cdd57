//! The decision log: what an entry says of a request at each door, what it hides, and what becomes of
//! it where nobody takes it.

use std::{
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, Sender, channel},
    },
    time::Duration,
};

use portcullis_policies::{Action, Definition, Effect, Lock, ObjectKey, Points, Reach, Target};
use portcullis_webhook::{
    DecisionLog, DecisionLogSettings, DecisionSink, Feed, Identity, LogEntry, Method,
};
use rstest::rstest;
use serde_json::{Value as Json, json};

use crate::fixture::{
    Fixture, LIMITS, TASKS, define, get, ignored, judging, mask, owned_by, pod, post, request,
    with_header,
};

/// Longest wait for an entry: the machine may be busy.
const PATIENCE: Duration = Duration::from_mins(1);

/// Hands entries to the test.
struct Sink(Sender<Arc<LogEntry>>);

impl DecisionSink for Sink {
    fn name(&self) -> String {
        "test".to_owned()
    }

    fn run(self: Box<Self>, feed: Feed) {
        while let Some(entry) = feed.next() {
            feed.written(1);
            if self.0.send(entry).is_err() {
                return;
            }
        }
    }
}

/// Doors with a log, and its entries.
struct Logged {
    fixture: Fixture,
    entries: Receiver<Arc<LogEntry>>,
}

impl Logged {
    fn new(fixture: Fixture) -> Self {
        Self::with(fixture, DecisionLogSettings::default())
    }

    fn with(mut fixture: Fixture, settings: DecisionLogSettings) -> Self {
        let (sender, entries) = channel();
        let settings = DecisionLogSettings {
            buffer: 1 << 20,
            ..settings
        };
        let sinks: Vec<Box<dyn DecisionSink>> = vec![Box::new(Sink(sender))];
        let log = DecisionLog::start(settings, fixture.cache.clone(), sinks).unwrap();
        fixture.decision_log = Some(log);
        Self { fixture, entries }
    }

    fn entry(&self) -> Arc<LogEntry> {
        self.entries.recv_timeout(PATIENCE).unwrap()
    }

    /// The next entry, as it is uploaded.
    fn json(&self) -> Json {
        serde_json::from_str(&self.entry().object()).unwrap()
    }

    /// Asks a policy, and gives the entry about it.
    async fn evaluate(&self, path: &str, body: &str) -> Json {
        self.fixture.evaluate(post(path, body.to_owned())).await;
        self.json()
    }

    async fn admit(&self, review: &Json) -> Json {
        self.fixture.admit("/admission/cluster/fail", review).await;
        self.json()
    }

    /// Ends the log, and gives what of it nobody has asked for.
    fn rest(self) -> Vec<Json> {
        let Self { fixture, entries } = self;
        fixture.decision_log.as_ref().unwrap().close(PATIENCE);
        let rest = entries.try_iter();
        rest.map(|entry| serde_json::from_str(&entry.object()).unwrap())
            .collect()
    }
}

const EVALUATION: &str = "/policy/tasks/authz/1.0/evaluation";

fn rules(source: &str) -> Definition {
    define("system/log@1", &format!("package system.log\n{source}"))
}

/// An entry without what differs each time.
fn masked(mut entry: Json) -> Json {
    mask(&mut entry);
    entry["labels"]["id"] = "<id>".into();
    assert!(entry["timestamp"].as_str().unwrap().ends_with('Z'));
    entry["timestamp"] = "<time>".into();
    for (name, value) in entry["metrics"].as_object_mut().unwrap() {
        assert!(value.is_u64(), "{name}");
        *value = "<number>".into();
    }
    entry
}

#[tokio::test]
async fn an_evaluation_is_logged_as_opa_does_it() {
    let log = Logged::new(Fixture::usual());
    let body = r#"{"subject":"ann","task":{"owner":"ann"}}"#;
    let answer = log.fixture.evaluate(post(EVALUATION, body)).await;
    let entry = log.json();
    assert_eq!(entry["decision_id"], answer.header("etag"));
    assert_eq!(entry["result"], answer.json());
    insta::assert_json_snapshot!("evaluation", masked(entry));
}

#[tokio::test]
async fn a_review_is_logged_once_with_all_who_judged_it() {
    let fixture = Fixture::usual()
        .with(judging(
            define("a/audit@1", &LIMITS.replace("platform.limits", "a.audit")),
            Action::Deny,
        ))
        .with(judging(
            define(
                "b/elsewhere@1",
                &LIMITS.replace("platform.limits", "b.elsewhere"),
            ),
            Action::Warn,
        ));
    let log = Logged::new(fixture);
    let denied = pod("web:latest", None);
    let answer = log.fixture.admit("/admission/cluster/fail", &denied).await;
    let entry = log.json();
    assert_eq!(
        entry["decision_id"],
        answer.json()["response"]["auditAnnotations"]["decision"]
    );
    assert_eq!(entry["input"]["request"], denied["request"]);
    let mut shown = masked(entry);
    shown["input"] = "<input>".into();
    insta::assert_json_snapshot!("review", shown);

    let allowed = log.admit(&pod("web:1", Some("1Gi"))).await;
    assert_eq!(allowed["result"]["allowed"], true);
    assert_eq!(
        allowed["custom"]["portcullis"]["decisions"][0]["outcome"],
        "allowed"
    );
    assert_eq!(allowed["error"], Json::Null);
    assert!(log.rest().is_empty());
}

/// Whom a review concerns nobody is asked about it, and nothing is decided.
#[tokio::test]
async fn what_no_policy_judges_is_no_decision() {
    let log = Logged::new(Fixture::new().with(define("tasks/authz@1.0", TASKS)));
    let review = pod("web:1", None);
    log.fixture.admit("/admission/cluster/fail", &review).await;
    let unknown = get("/policy/tasks/unknown/1.0/evaluation");
    log.fixture.evaluate(unknown).await;
    let unreadable = post(EVALUATION, "{");
    log.fixture.evaluate(unreadable).await;
    assert!(log.rest().is_empty());
}

#[rstest]
#[case::post("/v1/data/tasks/authz/owners/1", r#"{"input":{"subject":"ann"},"more":1}"#, "tasks/authz/owners/1", json!({"subject":"ann"}), json!("bob"))]
#[case::without_input("/v1/data/tasks/authz/allow", "{}", "tasks/authz/allow", Json::Null, json!(false))]
#[case::null("/v1/data/tasks/authz/allow", r#"{"input":null}"#, "tasks/authz/allow", Json::Null, json!(false))]
#[case::undefined("/v1/data/tasks/authz/nothing", r#"{"input":7}"#, "tasks/authz/nothing", json!(7), Json::Null)]
#[case::set("/v1/data/tasks/authz/roles", r#"{"input":[]}"#, "tasks/authz/roles", json!([]), json!(["admin", "user"]))]
#[case::decision("/policy/tasks/authz/1.0/decision", r#""text""#, "tasks/authz", json!("text"), json!({"allow":false,"header":"","owners":["ann","bob"],"roles":["admin","user"]}))]
#[tokio::test]
async fn what_a_service_asks_is_logged_as_it_is_written(
    #[case] path: &str,
    #[case] body: &str,
    #[case] expected: &str,
    #[case] input: Json,
    #[case] result: Json,
) {
    let log = Logged::new(Fixture::usual());
    let entry = log.evaluate(path, body).await;
    assert_eq!(entry["path"], expected);
    assert_eq!((&entry["input"], &entry["result"]), (&input, &result));
    let keys = entry.as_object().unwrap();
    assert_eq!(keys.contains_key("input"), !input.is_null());
    assert_eq!(keys.contains_key("result"), !result.is_null());
}

/// As OPA does it.
#[rstest]
#[case(
    "/v1/data/nobody/knows/this",
    r#"{"input":{"a":1}}"#,
    "nobody/knows/this"
)]
#[case("/v1/data/nobody", r#"{"input":{"a":1}}"#, "nobody")]
#[case("/v0/data/nobody/knows", r#"{"a":1}"#, "nobody/knows")]
#[tokio::test]
async fn a_document_that_nobody_has_is_logged_without_a_result(
    #[case] path: &str,
    #[case] body: &str,
    #[case] expected: &str,
) {
    let log = Logged::new(Fixture::usual());
    let entry = log.evaluate(path, body).await;
    assert_eq!(entry["path"], expected);
    assert_eq!(entry["input"], json!({"a": 1}));
    let members = entry.as_object().unwrap();
    assert!(!members.contains_key("result") && !members.contains_key("bundles"));
    let facts = json!({"point": "evaluation", "decisions": []});
    assert_eq!(entry["custom"]["portcullis"], facts);
}

/// Of several policies each has an entry, and all have the id of the answer.
#[tokio::test]
async fn what_asks_several_policies_has_an_entry_for_each() {
    let log =
        Logged::new(Fixture::usual().with(define("tasks/more@1", "package tasks.more\nx := 1")));
    let answer = log
        .fixture
        .evaluate(post("/v1/data/tasks", r#"{"input":{}}"#))
        .await;
    let query = log
        .fixture
        .evaluate(post("/v1/query", r#"{"query":"data.tasks.more.x == 1"}"#))
        .await;
    assert_eq!(query.status, 200, "{}", query.text);
    let entries = log.rest();
    let seen: Vec<&str> = entries
        .iter()
        .map(|entry| entry["path"].as_str().unwrap())
        .collect();
    assert_eq!(seen, ["tasks/authz", "tasks/more", "tasks/more"]);
    for entry in &entries[..2] {
        assert_eq!(entry["decision_id"], answer.json()["decision_id"]);
    }
}

/// A body that is compressed, or YAML, is logged as the JSON that the policies read.
#[tokio::test]
async fn a_body_of_yaml_is_logged_as_json() {
    let log = Logged::new(Fixture::usual());
    let asked = post(
        "/v1/data/tasks/authz/allow",
        "input:\n  subject: ann\n  token: s3cret\n",
    );
    log.fixture
        .evaluate(with_header(asked, "content-type", "application/x-yaml"))
        .await;
    assert_eq!(
        log.json()["input"],
        json!({"subject": "ann", "token": "REDACTED"})
    );
}

#[tokio::test]
async fn who_asks_is_logged_where_it_is_known() {
    let log = Logged::new(Fixture::usual());
    let path = "/policy/tasks/authz/1.0/evaluation";
    for (identity, expected) in [
        (
            Identity::new(Method::Jwt, "alice", []).unwrap(),
            json!({"name": "alice", "by": "jwt"}),
        ),
        (Identity::anonymous(), Json::Null),
    ] {
        let mut asked = post(path, "{}");
        asked.extensions_mut().insert(Arc::new(identity));
        log.fixture.evaluate(asked).await;
        assert_eq!(log.json()["custom"]["portcullis"]["caller"], expected);
    }
}

#[tokio::test]
async fn the_input_of_a_get_is_logged() {
    let log = Logged::new(Fixture::usual());
    let path = "/v1/data/tasks/authz/allow?input=%7B%22subject%22%3A%22ann%22%7D";
    log.fixture.evaluate(get(path)).await;
    assert_eq!(log.json()["input"], json!({"subject": "ann"}));
}

/// A review that a service sends by a policy's address is asked about as at admission, and answered
/// with the policy's document.
#[tokio::test]
async fn a_review_by_address_has_the_policys_document() {
    let log = Logged::new(Fixture::usual());
    let path = "/policy/platform/limits/1.0/decision?point=admission";
    let review = pod("web:1", None);
    let entry = log.evaluate(path, &review.to_string()).await;
    assert_eq!(entry["path"], "platform/limits");
    assert_eq!(entry["input"]["request"], review["request"]);
    assert_eq!(entry["result"]["deny"][0]["severity"], "high");
    assert_eq!(entry["custom"]["portcullis"]["point"], "admission");
}

#[tokio::test]
async fn what_could_not_be_answered_has_an_error() {
    let broken = judging(
        define("a/broken@1", "package a.broken\nallow if {"),
        Action::Deny,
    );
    let log = Logged::new(Fixture::new().with(ignored(broken)).with(define(
        "tasks/authz@1.0",
        "package tasks.authz\nallow := 1 if input.a\nallow := 2 if input.a",
    )));
    let review = pod("web:1", None);
    log.fixture
        .admit("/admission/cluster/ignore", &review)
        .await;
    let entry = log.json();
    assert_eq!(entry["error"]["code"], "POLICY.COMPILE_FAILED");
    assert_eq!(entry["result"]["allowed"], true);
    let entry = log.evaluate(EVALUATION, r#"{"a":1}"#).await;
    assert_eq!(entry["error"]["code"], "POLICY.EVALUATION_FAILED");
    assert_eq!(entry["result"], Json::Null);
    log.fixture.evaluate(post(EVALUATION, r#"{"a":1}"#)).await;
    let line: Json = serde_json::from_str(log.entry().line().trim_end()).unwrap();
    let error = line["error"].as_str().unwrap();
    assert!(error.starts_with("POLICY.EVALUATION_FAILED: "), "{error}");
    assert_eq!(line["msg"], "Decision Log");
    assert_eq!(line["type"], "openpolicyagent.org/decision_logs");

    let log = Logged::new(Fixture::usual().locked(Effect::Refuse));
    let entry = log.evaluate(EVALUATION, "{}").await;
    assert_eq!(entry["error"]["code"], "POLICY.LOCKED");
    let told = &entry["custom"]["portcullis"]["decisions"][0];
    assert_eq!(told["lock"], "ClusterLock incident-4711");
}

/// The values of Secrets, and what is called or looks like a credential, are in no entry, wherever a
/// policy has put them.
#[tokio::test]
async fn what_is_secret_is_in_no_entry() {
    let quoting = r#"
package a.quoting

deny contains sprintf("%v", [input.request.object.data]) if input.request

deny contains input.request.object.data.password if input.request

seen := [input.token, input.nested.http.headers.cookie, {input.token: 1}] if input.token

said := concat(" ", ["it is", input.token])

allow if count(input.token) == 6
"#;
    let mut secrets = judging(define("a/quoting@1", quoting), Action::Deny);
    let rule = &mut secrets.admission.as_mut().unwrap().matches;
    rule.rules[0].resources = vec!["secrets".to_owned()];
    let log = Logged::new(Fixture::new().with(secrets));
    let mut review = pod("web:1", None);
    review["request"]["resource"]["resource"] = "secrets".into();
    review["request"]["kind"]["kind"] = "Secret".into();
    review["request"]["object"] = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s", "annotations": {"last": "s3cret"}},
        "data": {"password": "czNjcmV0"},
        "stringData": {"password": "s3cret"},
    });
    let entry = log.admit(&review).await;
    let text = entry.to_string();
    assert!(
        !text.contains("s3cret") && !text.contains("czNjcmV0"),
        "{text}"
    );
    assert_eq!(
        entry["input"]["request"]["object"]["data"]["password"],
        "REDACTED"
    );
    assert_eq!(entry["erased"], json!(["/result/policies"]));
    assert_eq!(
        entry["masked"],
        json!([
            "/input/request/object/data/password",
            "/input/request/object/metadata/annotations/last",
            "/input/request/object/stringData/password"
        ])
    );

    let body = json!({
        "token": "s3cret",
        "nested": {"http": {"headers": {"cookie": "c00kie", "accept": "*/*"}}},
        "as": "Bearer t0ken",
    });
    let path = "/policy/a/quoting/1/evaluation";
    let asked = with_header(
        post(path, body.to_string()),
        "authorization",
        "Bearer h3ader",
    );
    log.fixture.evaluate(asked).await;
    let entry = log.json();
    let text = entry.to_string();
    for secret in ["s3cret", "c00kie", "t0ken", "h3ader"] {
        assert!(!text.contains(secret), "{text}");
    }
    assert_eq!(entry["result"]["said"], "it is REDACTED");
    assert_eq!(entry["result"]["allow"], true);
    assert_eq!(entry["input"]["nested"]["http"]["headers"]["accept"], "*/*");
}

#[tokio::test]
async fn an_administrator_hides_more() {
    let settings = DecisionLogSettings {
        redact: vec!["task".to_owned()],
        labels: [("cluster".to_owned(), "prod".to_owned())].into(),
        ..DecisionLogSettings::default()
    };
    let log = Logged::with(Fixture::usual(), settings);
    let entry = log
        .evaluate(EVALUATION, r#"{"task":{"owner":"ann"}}"#)
        .await;
    assert_eq!(entry["input"], json!({"task": {"owner": "REDACTED"}}));
    assert_eq!(entry["labels"]["cluster"], "prod");
}

#[tokio::test]
async fn rules_mask_and_drop() {
    let log = Logged::new(Fixture::usual().with(rules(
        r#"
mask contains "/input/a b"

mask contains {"op": "upsert", "path": "/input/seen", "value": input.input.token}

mask contains {"op": "upsert", "path": "/result/owners", "value": "***"}

mask contains "/input/subject" if input.path == "tasks/authz"

drop if input.input.subject == "probe"

drop if input.result.allow == "never"
"#,
    )));
    log.fixture
        .evaluate(post(EVALUATION, r#"{"subject":"probe"}"#))
        .await;
    let body = r#"{"subject":"ann","a b":1,"token":"s3cret"}"#;
    let entry = log.evaluate(EVALUATION, body).await;
    // What the rules read has nothing secret in it.
    assert_eq!(
        entry["input"],
        json!({"seen": "REDACTED", "token": "REDACTED"})
    );
    assert_eq!(entry["result"]["owners"], "***");
    assert_eq!(entry["erased"], json!(["/input/a%20b", "/input/subject"]));
    assert_eq!(
        entry["masked"],
        json!(["/input/token", "/input/seen", "/result/owners"])
    );
    let metrics = log.fixture.administer("/metrics").await.text;
    assert!(
        metrics.contains("portcullis_decision_log_dropped_total 1\n"),
        "{metrics}"
    );
    assert!(metrics.contains("portcullis_decision_log_entries_total{sink=\"test\"} 1\n"));
    assert!(log.rest().is_empty());
}

/// Rules that are there and say nothing hide everything, and the entry says why.
#[rstest]
#[case::broken("mask contains {", "gave no answer: POLICY.COMPILE_FAILED")]
#[case::no_set("mask := 1", "neither a set nor an array")]
#[case::unknown(r#"mask contains "/labels/id""#, "begins with none of")]
#[case::contradiction(
    "mask := 1 if input.path\nmask := 2 if input.path",
    "gave no answer: POLICY.EVALUATION_FAILED"
)]
#[case::slow(
    "mask contains x if { some a in numbers.range(1, 100000); some b in numbers.range(1, 100000); a * b == 7; x := a }",
    "gave no answer: POLICY.TIMEOUT"
)]
#[tokio::test]
async fn rules_without_an_answer_hide_everything(#[case] source: &str, #[case] why: &str) {
    let mut definition = rules(source);
    definition.limits.timeout = Duration::from_millis(50);
    let log = Logged::new(Fixture::usual().with(definition));
    let entry = log.evaluate(EVALUATION, r#"{"subject":"ann"}"#).await;
    assert_hidden(&entry, why);
    let metrics = log.fixture.administer("/metrics").await.text;
    assert!(
        metrics.contains("portcullis_decision_log_erased_total 1\n"),
        "{metrics}"
    );
}

#[track_caller]
fn assert_hidden(entry: &Json, why: &str) {
    let members = entry.as_object().unwrap();
    assert!(!members.contains_key("input") && !members.contains_key("result"));
    assert_eq!(entry["erased"], json!(["/input", "/result"]));
    let notes = entry["custom"]["portcullis"]["notes"].to_string();
    assert!(notes.contains(why), "{notes}");
    assert_eq!(entry["path"], "tasks/authz");
}

/// An error of the policy can quote what the rules would have hidden.
#[tokio::test]
async fn an_error_is_hidden_with_the_rest() {
    let source = "package tasks.authz\nallow := 1 if input.a\nallow := 2 if input.a";
    let contradicting = define("tasks/authz@1.0", source);
    let log = Logged::new(Fixture::new().with(contradicting).with(rules("mask := 1")));
    let entry = log.evaluate(EVALUATION, r#"{"a":1}"#).await;
    let error = json!({"code": "POLICY.EVALUATION_FAILED", "message": "erased"});
    assert_eq!(entry["error"], error);
}

#[tokio::test]
async fn rules_that_are_locked_or_missing_hide_everything() {
    let fixture = Fixture::usual().with(rules(r#"mask contains "/input/a""#));
    let lock = Lock {
        key: ObjectKey::new("ClusterLock", None, "l"),
        reach: Reach::Cluster { namespaces: None },
        target: Target::Policy {
            group: "system".to_owned(),
            name: Some("log".to_owned()),
            version: None,
        },
        points: Points::ALL,
        effect: Effect::Bypass,
        reason: "r".to_owned(),
        expires_at: None,
    };
    fixture.cache.update(|state| state.apply_lock(lock));
    let log = Logged::new(fixture);
    assert_hidden(&log.evaluate(EVALUATION, "{}").await, "gave no answer");

    let settings = DecisionLogSettings {
        rules_required: true,
        ..DecisionLogSettings::default()
    };
    let log = Logged::with(Fixture::usual(), settings);
    let entry = log.evaluate(EVALUATION, "{}").await;
    assert_hidden(&entry, "there is no policy `system/log`");
    let log = Logged {
        fixture: log.fixture.with(rules("drop := false")),
        ..log
    };
    let entry = log.evaluate(EVALUATION, "{}").await;
    assert_eq!(entry["input"], json!({}));
}

/// Rules are the cluster's: who owns a namespace hides nothing and drops nothing.
#[tokio::test]
async fn rules_of_a_namespace_are_no_rules() {
    let own = owned_by("team-a", rules("drop := true"));
    let log = Logged::new(Fixture::usual().with(own));
    let entry = log.evaluate(EVALUATION, "{}").await;
    assert_eq!(entry["input"], json!({}));
}

#[tokio::test]
async fn what_is_too_long_is_erased_and_that_is_said() {
    let log = Logged::new(Fixture::usual().with(define(
        "a/long@1",
        "package a.long\nx := [i | some i in numbers.range(1, 150000)] if input.long\n",
    )));
    let body = json!({"text": "x".repeat(300 << 10)}).to_string();
    let entry = log.evaluate(EVALUATION, &body).await;
    assert_eq!(entry["erased"], json!(["/input"]));
    assert_eq!(entry["input"], Json::Null);
    assert_eq!(
        entry["custom"]["portcullis"]["notes"],
        json!(["the input is too long to be logged"])
    );
    let path = "/policy/a/long/1/evaluation";
    let entry = log.evaluate(path, r#"{"long":true}"#).await;
    assert_eq!(entry["erased"], json!(["/result"]));
    assert_eq!(entry["input"], json!({"long": true}));
    // What a receiver takes that takes little.
    let body = json!({"text": "x".repeat(10 << 10)}).to_string();
    log.fixture.evaluate(post(EVALUATION, body)).await;
    let short = log.entry().short_object().unwrap();
    let entry: Json = serde_json::from_str(&short).unwrap();
    assert_eq!(entry["erased"], json!(["/input", "/result"]));
    assert!(short.len() < 2_048, "{short}");
}

/// Whoever asks is answered while the log takes nothing at all; what it missed is counted.
#[tokio::test]
async fn a_sink_that_takes_nothing_delays_nobody() {
    struct Stuck(Mutex<Receiver<()>>);
    impl DecisionSink for Stuck {
        fn name(&self) -> String {
            "stuck".to_owned()
        }

        fn run(self: Box<Self>, feed: Feed) {
            let _ = self.0.lock().unwrap().recv();
            drop(feed);
        }
    }
    let (release, held) = channel();
    let mut fixture = Fixture::usual();
    let settings = DecisionLogSettings {
        buffer: 16 << 10,
        ..DecisionLogSettings::default()
    };
    let (sender, entries) = channel();
    let sinks: Vec<Box<dyn DecisionSink>> =
        vec![Box::new(Stuck(Mutex::new(held))), Box::new(Sink(sender))];
    let log = DecisionLog::start(settings, fixture.cache.clone(), sinks).unwrap();
    fixture.decision_log = Some(log.clone());
    for _ in 0..100 {
        let answer = fixture.evaluate(post(EVALUATION, "{}")).await;
        assert_eq!(answer.status, 200);
    }
    // The other one has them all.
    for _ in 0..100 {
        entries.recv_timeout(PATIENCE).unwrap();
    }
    let metrics = fixture.administer("/metrics").await.text;
    let number = |name: &str| -> u64 {
        let line = metrics.lines().find_map(|line| line.strip_prefix(name));
        let line = line.unwrap_or_else(|| panic!("{name} in {metrics}"));
        line.trim().parse().unwrap()
    };
    let lost = number("portcullis_decision_log_lost_total{sink=\"stuck\",reason=\"buffer_full\"}");
    let waiting = number("portcullis_decision_log_waiting_entries{sink=\"stuck\"}");
    assert_eq!(lost + waiting, 100);
    assert!(number("portcullis_decision_log_waiting_bytes{sink=\"stuck\"}") <= 16 << 10);
    drop(release);
    log.close(PATIENCE);
}

#[tokio::test]
async fn bodies_of_no_method_are_no_input() {
    let log = Logged::new(Fixture::usual());
    let asked = request(axum::http::Method::GET, EVALUATION, "");
    log.fixture.evaluate(asked).await;
    let entry = log.json();
    assert!(!entry.as_object().unwrap().contains_key("input"));
}
