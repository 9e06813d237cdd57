//! What policies reach outside of an evaluation. Expected answers are OPA's, of a server that says
//! the same.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use rstest::rstest;
use serde_json::{Value as Json, json};

use super::{Action, Decision, Definition, FailurePolicy, Input, at, pods, policy};
use crate::{
    Document, Entry, Hosts, ObjectKey, Outcome, Policy, Request,
    outside::{HttpRequest, HttpResponse, Outside, OutsideFault},
};

/// Allows `example.com` and all below it, writes down what it is asked, and answers as a test wants.
#[derive(Debug)]
struct Script {
    hosts: Hosts,
    answer: Result<HttpResponse, OutsideFault>,
    asked: Mutex<Vec<HttpRequest>>,
}

impl Script {
    fn new(answer: Result<HttpResponse, OutsideFault>) -> Arc<Self> {
        Arc::new(Self {
            hosts: hosts(&["example.com", "*.example.com"]),
            answer,
            asked: Mutex::default(),
        })
    }

    fn ok(body: &str) -> Arc<Self> {
        Self::new(Ok(response(200, "application/json", body.as_bytes())))
    }

    fn asked(&self) -> Vec<HttpRequest> {
        self.asked.lock().unwrap().clone()
    }
}

impl Outside for Script {
    fn hosts(&self) -> &Hosts {
        &self.hosts
    }

    fn send(&self, request: &HttpRequest, _: &Hosts) -> Result<HttpResponse, OutsideFault> {
        self.asked.lock().unwrap().push(request.clone());
        self.answer.clone()
    }

    fn lookup(&self, name: &str, _: &Hosts, _: Duration) -> Result<BTreeSet<String>, OutsideFault> {
        match name {
            "example.com" => Ok(["192.0.2.1".to_owned(), "2001:db8::1".to_owned()].into()),
            "gone.example.com" => Err(OutsideFault::Network("no such host".to_owned())),
            _ => Err(OutsideFault::Refused(format!("`{name}` is not allowed"))),
        }
    }
}

fn hosts(patterns: &[&str]) -> Hosts {
    let patterns = patterns.iter().map(|pattern| pattern.parse().unwrap());
    patterns.collect()
}

fn response(status_code: u16, kind: &str, body: &[u8]) -> HttpResponse {
    HttpResponse {
        status: format!("{status_code} Something"),
        status_code,
        headers: vec![
            ("content-type".to_owned(), kind.to_owned()),
            ("x-two".to_owned(), "1".to_owned()),
            ("x-two".to_owned(), "2".to_owned()),
        ],
        body: body.to_vec(),
    }
}

/// A policy that may ask `api.example.com`.
fn asking(rules: &str) -> Definition {
    Definition {
        hosts: hosts(&["api.example.com"]),
        timeout: Duration::from_secs(5),
        ..policy(&format!("package a.b\n{rules}"))
    }
}

fn entry(definition: Definition, outside: Arc<dyn Outside>) -> Entry {
    Entry {
        object: ObjectKey::new("ClusterPolicy", None, "it"),
        policy: Arc::new(Policy::compile_within(definition, &|_| None, outside)),
        locks: Vec::new(),
        imported_locks: Vec::new(),
    }
}

fn decided(entry: &Entry, input: &Json) -> Decision {
    let request = Request {
        id: Arc::from("id"),
        now: at(1_000),
        headers: Arc::default(),
        budget: Duration::from_secs(5),
    };
    entry.decide(&Input::Evaluation(Some(Document::from(input))), &request)
}

/// The document of a policy; what is wrong where there is none.
fn document(entry: &Entry, input: &Json) -> Result<Json, String> {
    let decision = decided(entry, input);
    match (decision.outcome, decision.result) {
        (_, Some(result)) => Ok(serde_json::to_value(result).unwrap()),
        (Outcome::Error, None) => Err(decision.messages[0].message.clone()),
        (outcome, None) => Err(format!("{outcome:?}")),
    }
}

/// What `http.send` gives for options.
fn sent(outside: &Arc<Script>, options: &Json) -> Result<Json, String> {
    let entry = entry(asking("answer := http.send(input)"), outside.clone());
    let document = document(&entry, options)?;
    Ok(document.get("answer").cloned().unwrap_or(Json::Null))
}

fn faults(definition: Definition) -> String {
    let policy = Policy::compile_within(definition, &|_| None, Script::ok("1"));
    policy.faults().map(ToString::to_string).unwrap_or_default()
}

const CALLS: [&str; 3] = [
    r#"answer := http.send({"method": "get", "url": "http://api.example.com"})"#,
    r#"answer := net.lookup_ip_addr("api.example.com")"#,
    "answer := opa.runtime()",
];

#[test]
fn who_names_no_host_is_refused() {
    for call in CALLS {
        let definition = policy(&format!("package a.b\n{call}"));
        let text = faults(definition);
        assert!(text.contains("`network.hosts` names no host"), "{text}");
        assert_eq!(faults(asking(call)), "");
    }
}

#[test]
fn who_judges_at_admission_is_refused() {
    let cache = [
        r#"answer := cache.get("a", "b", "c")"#,
        r#"answer := cache.set("a", "b", "c", 1)"#,
    ];
    for call in CALLS.iter().chain(&cache) {
        let definition = Definition {
            admission: Some(pods(Action::Audit, FailurePolicy::Ignore)),
            ..policy(&format!("package a.b\n{call}"))
        };
        let text = faults(definition);
        assert!(text.contains("a policy that judges at admission"), "{text}");
    }
}

#[test]
fn hosts_are_nothing_for_admission() {
    let definition = Definition {
        admission: Some(pods(Action::Deny, FailurePolicy::Fail)),
        ..asking("allow := true")
    };
    let text = faults(definition);
    assert!(text.contains("network_invalid"), "{text}");
}

#[rstest]
#[case(&["api.example.com", "*.api.example.com:443"], "")]
#[case(&["*.example.com"], "")]
#[case(&["api.example.com", "evil.io"], "does not allow `evil.io`")]
#[case(&["*.io"], "does not allow `*.io`")]
fn the_administrator_allows_every_host(#[case] named: &[&str], #[case] expected: &str) {
    let definition = Definition {
        hosts: hosts(named),
        ..policy("package a.b\nallow := true")
    };
    let text = faults(definition);
    assert!(text.contains(expected), "{text}");
    assert_eq!(text.is_empty(), expected.is_empty());
}

#[test]
fn without_an_administrator_nothing_is_reached() {
    let text = Policy::compile(asking("allow := true"))
        .faults()
        .unwrap()
        .to_string();
    assert!(text.contains("host_not_allowed"), "{text}");
}

#[test]
fn what_stands_in_for_a_function_reaches_nothing() {
    let rules = "answer := 1 if {\n\tx with http.send as {\"status_code\": 200}\n}\n\
                 x if http.send({}).status_code == 200";
    let definition = policy(&format!("package a.b\n{rules}"));
    let outside = Script::ok("1");
    let found = document(&entry(definition, outside.clone()), &json!({}));
    // The rule by itself is evaluated too, and has no stand-in.
    let text = found.unwrap_err();
    assert!(text.contains("no hosts are allowed here"), "{text}");
    assert_eq!(outside.asked(), []);
}

#[test]
fn a_question_as_at_admission_reaches_nothing() {
    for call in CALLS {
        let outside = Script::ok("1");
        let entry = entry(asking(call), outside.clone());
        let review = Input::Admission(Document::from(&json!({"operation": "CREATE"})));
        let request = Request {
            id: Arc::from("id"),
            now: at(1_000),
            headers: Arc::default(),
            budget: Duration::from_secs(5),
        };
        assert_eq!(entry.decide(&review, &request).outcome, Outcome::Error);
        assert_eq!(outside.asked(), []);
    }
}

#[test]
fn an_answer_is_a_document() {
    let answer = sent(
        &Script::ok(r#"{"a":[1,1.50]}"#),
        &json!({"method": "get", "url": "http://api.example.com/json"}),
    );
    let expected = json!({
        "status": "200 Something",
        "status_code": 200,
        "body": {"a": [1, 1.5]},
        "raw_body": "{\"a\":[1,1.50]}",
        "headers": {"content-type": ["application/json"], "x-two": ["1", "2"]},
    });
    assert_eq!(answer.unwrap(), expected);
}

#[rstest]
#[case("application/json", "{\"a\":1}", json!({"a": 1}))]
#[case("application/json; charset=utf-8", "{\"a\":1}", json!({"a": 1}))]
#[case("application/json;", "{\"a\":1}", json!({"a": 1}))]
#[case("application/json; charset", "{\"a\":1}", Json::Null)]
#[case("application/ld+json", "{\"a\":1}", json!({"a": 1}))]
#[case("Application/JSON", "{\"a\":1}", json!({"a": 1}))]
#[case("text/json", "{\"a\":1}", Json::Null)]
#[case("text/plain", "hi", Json::Null)]
#[case("application/json", "{\"a\":1} x", json!({"a": 1}))]
#[case("application/json", "1x", json!(1))]
#[case("application/json", "{", Json::Null)]
#[case("application/json", "", Json::Null)]
fn bodies(#[case] kind: &str, #[case] body: &str, #[case] expected: Json) {
    let outside = Script::new(Ok(response(200, kind, body.as_bytes())));
    let options = json!({"method": "get", "url": "http://api.example.com"});
    let answer = sent(&outside, &options).unwrap();
    assert_eq!(answer["body"], expected);
    assert_eq!(answer["raw_body"], json!(body));
}

#[test]
fn a_body_can_be_read_as_json_whatever_its_type() {
    let outside = Script::new(Ok(response(200, "text/plain", b"[1]")));
    let options = json!({
        "method": "get",
        "url": "http://api.example.com",
        "force_json_decode": true,
    });
    assert_eq!(sent(&outside, &options).unwrap()["body"], json!([1]));
}

#[rstest]
#[case(response(200, "application/json", b"\xff"), "not UTF-8")]
#[case(response(200, "application/x-yaml", b"a: 1"), "YAML is not supported")]
#[case(response(200, "application/json", "[1e9999999]".as_bytes()), "digits")]
fn answers_that_cannot_be_given(#[case] answer: HttpResponse, #[case] expected: &str) {
    let options = json!({
        "method": "get",
        "url": "http://api.example.com",
        "raise_error": false,
    });
    let text = sent(&Script::new(Ok(answer)), &options).unwrap_err();
    assert!(text.contains(expected), "{text}");
}

/// Options, and what differs in the request.
#[rstest]
#[case(json!({}), |_: &mut HttpRequest| {})]
#[case(json!({"method": "pOst"}), |request: &mut HttpRequest| request.method = "POST".to_owned())]
#[case(json!({"url": "\"http://x\""}), |request: &mut HttpRequest| request.url = "http://x".to_owned())]
#[case(
    json!({"body": {"b": "<x>", "a": [1]}}),
    |request: &mut HttpRequest| request.body = br#"{"a":[1],"b":"\u003cx\u003e"}"#.to_vec()
)]
#[case(
    json!({"body": 1, "raw_body": "raw"}),
    |request: &mut HttpRequest| request.body = b"raw".to_vec()
)]
#[case(
    json!({"headers": {"X-A": "1", "content-type": "t"}}),
    |request: &mut HttpRequest| request.headers = vec![
        ("x-a".to_owned(), "1".to_owned()),
        ("content-type".to_owned(), "t".to_owned()),
    ]
)]
#[case(json!({"timeout": "2s"}), |request: &mut HttpRequest| request.time = Duration::from_secs(2))]
#[case(json!({"timeout": 7}), |request: &mut HttpRequest| request.time = Duration::from_nanos(7))]
#[case(json!({"timeout": "7"}), |request: &mut HttpRequest| request.time = Duration::from_nanos(7))]
#[case(json!({"enable_redirect": true}), |request: &mut HttpRequest| request.follows_redirects = true)]
#[case(json!({"enable_redirect": 1}), |request: &mut HttpRequest| request.follows_redirects = true)]
#[case(
    json!({"tls_ca_cert": "a\\nb"}),
    |request: &mut HttpRequest| {
        request.authorities = Some("a\nb".to_owned());
        request.trusts_system = false;
    }
)]
#[case(
    json!({"tls_ca_cert": "a", "tls_use_system_certs": true}),
    |request: &mut HttpRequest| request.authorities = Some("a".to_owned())
)]
#[case(
    json!({
        "cache": false, "force_cache": false, "caching_mode": "x", "force_cache_duration_seconds": 1,
        "force_yaml_decode": false, "tls_insecure_skip_verify": false, "max_retry_attempts": 0,
        "tls_use_system_certs": false, "cache_ignored_headers": ["x"], "raise_error": true,
    }),
    |_: &mut HttpRequest| {}
)]
fn requests(#[case] options: Json, #[case] change: fn(&mut HttpRequest)) {
    let outside = Script::ok("1");
    let mut all = json!({"method": "get", "url": "http://api.example.com"});
    all.as_object_mut()
        .unwrap()
        .extend(options.as_object().unwrap().clone());
    sent(&outside, &all).unwrap();
    let mut expected = HttpRequest {
        method: "GET".to_owned(),
        url: "http://api.example.com".to_owned(),
        headers: Vec::new(),
        body: Vec::new(),
        follows_redirects: false,
        authorities: None,
        trusts_system: true,
        time: Duration::from_secs(5),
    };
    change(&mut expected);
    let [mut request] = <[HttpRequest; 1]>::try_from(outside.asked()).unwrap();
    request.headers.sort_by(|left, right| right.cmp(left));
    // Of the evaluation's time something is gone.
    if expected.time == Duration::from_secs(5) {
        assert!(request.time > Duration::ZERO && request.time <= expected.time);
        request.time = expected.time;
    }
    assert_eq!(request, expected);
}

/// Options that OPA takes and this does not end the evaluation, raised or not.
#[rstest]
#[case(json!({"cache": true}), "`cache` is not supported")]
#[case(json!({"force_cache": true}), "`force_cache` is not supported")]
#[case(json!({"force_yaml_decode": true}), "`force_yaml_decode` is not supported")]
#[case(json!({"tls_insecure_skip_verify": true}), "certificates are checked")]
#[case(json!({"tls_server_name": "x"}), "`tls_server_name` is not supported")]
#[case(json!({"tls_ca_cert_file": "/x"}), "as `tls_ca_cert`")]
#[case(json!({"tls_ca_cert_env_variable": "X"}), "as `tls_ca_cert`")]
#[case(json!({"tls_client_cert": "x"}), "`tls_client_cert` is not supported")]
#[case(json!({"tls_client_key_file": "/x"}), "`tls_client_key_file` is not supported")]
#[case(json!({"tls_client_cert_env_variable": "X"}), "is not supported")]
#[case(json!({"max_retry_attempts": 1}), "a request is sent once")]
#[case(json!({"headers": {"hOst": "x"}}), "`Host` is not supported")]
#[case(json!({"raw_body": "x".repeat((1 << 20) + 1)}), "at most 1048576 bytes")]
fn options_that_are_not_supported(#[case] options: Json, #[case] expected: &str) {
    let outside = Script::ok("1");
    for raises in [true, false] {
        let mut all = json!({
            "method": "get", "url": "http://api.example.com", "raise_error": raises,
        });
        all.as_object_mut()
            .unwrap()
            .extend(options.as_object().unwrap().clone());
        let text = sent(&outside, &all).unwrap_err();
        assert!(text.contains(expected), "{text}");
    }
    assert_eq!(outside.asked(), []);
}

/// Options that OPA does not take are an error of the function: undefined, or told.
#[rstest]
#[case(json!({"nonsense": 1}), "invalid request parameters(s): {\"nonsense\"}")]
#[case(json!({"method": null}), "\"method\" must be a string")]
#[case(json!({"url": 1}), "\"url\" must be a string")]
#[case(json!({"headers": 1}), "invalid type for headers key")]
#[case(json!({"headers": {"a": 1}}), "invalid type for headers value 1")]
#[case(json!({"timeout": 1.5}), "invalid timeout value 1.5")]
#[case(json!({"timeout": "1x"}), "invalid timeout value \"1x\"")]
#[case(json!({"timeout": "1d"}), "invalid timeout value \"1d\"")]
#[case(json!({"enable_redirect": "true"}), "enable_redirect")]
#[case(json!({"force_json_decode": 1}), "force_json_decode")]
#[case(json!({"cache": 1}), "\"cache\"")]
#[case(json!({"max_retry_attempts": -1}), "max_retry_attempts")]
#[case(json!({"cache_ignored_headers": "x"}), "cache_ignored_headers must be an array")]
fn options_that_are_wrong(#[case] options: Json, #[case] expected: &str) {
    let outside = Script::ok("1");
    let mut all = json!({"method": "get", "url": "http://api.example.com"});
    all.as_object_mut()
        .unwrap()
        .extend(options.as_object().unwrap().clone());
    assert_eq!(sent(&outside, &all), Ok(Json::Null));
    all["raise_error"] = json!(false);
    let answer = sent(&outside, &all).unwrap();
    assert_eq!(answer["status_code"], json!(0));
    assert_eq!(
        answer["error"]["code"],
        json!("eval_http_send_internal_error")
    );
    let message = answer["error"]["message"].as_str().unwrap();
    assert!(message.contains(expected), "{message}");
    assert_eq!(outside.asked(), []);
}

#[test]
fn options_that_are_missing() {
    let options = json!({"url": "http://api.example.com", "raise_error": false});
    let answer = sent(&Script::ok("1"), &options).unwrap();
    assert_eq!(
        answer["error"]["message"],
        json!("missing required request parameters(s): {\"method\"}")
    );
    let options = json!({"method": "get", "url": "http://api.example.com", "raise_error": 1});
    assert_eq!(sent(&Script::ok("1"), &options), Ok(Json::Null));
}

#[test]
fn a_network_that_fails_is_told_or_undefined() {
    let outside = Script::new(Err(OutsideFault::Network("refused".to_owned())));
    let mut options = json!({"method": "get", "url": "http://api.example.com"});
    assert_eq!(sent(&outside, &options), Ok(Json::Null));
    options["raise_error"] = json!(false);
    let expected = json!({
        "status_code": 0,
        "error": {"code": "eval_http_send_network_error", "message": "refused"},
    });
    assert_eq!(sent(&outside, &options), Ok(expected));
}

#[test]
fn a_host_that_is_not_allowed_ends_the_evaluation() {
    let outside = Script::new(Err(OutsideFault::Refused(
        "`evil.io` is not allowed".to_owned(),
    )));
    let options = json!({"method": "get", "url": "http://evil.io", "raise_error": false});
    let text = sent(&outside, &options).unwrap_err();
    assert!(
        text.contains("http.send: `evil.io` is not allowed"),
        "{text}"
    );
}

/// How often the network is asked for two requests.
#[rstest]
#[case(200, json!({}), 1)]
#[case(404, json!({}), 1)]
#[case(500, json!({}), 2)]
#[case(302, json!({}), 2)]
#[case(200, json!({"method": "post"}), 2)]
#[case(200, json!({"url": "http://api.example.com/x"}), 2)]
#[case(200, json!({"headers": {"x-a": "2"}}), 2)]
#[case(200, json!({"headers": {"x-a": "1", "x-id": "2"}}), 1)]
#[case(200, json!({"headers": {"x-a": "1", "x-id": "2"}, "cache_ignored_headers": []}), 2)]
fn the_same_request_is_sent_once(
    #[case] status: u16,
    #[case] change: Json,
    #[case] expected: usize,
) {
    let outside = Script::new(Ok(response(status, "text/plain", b"")));
    let rules =
        "answers := [http.send(input.first).status_code, http.send(input.second).status_code]";
    let first = json!({
        "method": "get",
        "url": "http://api.example.com",
        "headers": {"x-a": "1", "x-id": "1"},
        "cache_ignored_headers": ["x-id"],
    });
    let mut second = first.clone();
    second
        .as_object_mut()
        .unwrap()
        .extend(change.as_object().unwrap().clone());
    let entry = entry(asking(rules), outside.clone());
    let found = document(&entry, &json!({"first": first, "second": second})).unwrap();
    assert_eq!(found["answers"], json!([status, status]));
    assert_eq!(outside.asked().len(), expected);
}

#[test]
fn the_same_failure_is_met_once() {
    let outside = Script::new(Err(OutsideFault::Network("refused".to_owned())));
    let rules = "answers := [http.send(input).error.message, http.send(input).error.message]";
    let options = json!({"method": "get", "url": "http://api.example.com", "raise_error": false});
    let entry = entry(asking(rules), outside.clone());
    document(&entry, &options).unwrap();
    assert_eq!(outside.asked().len(), 1);
    // Another evaluation asks anew.
    document(&entry, &options).unwrap();
    assert_eq!(outside.asked().len(), 2);
}

#[test]
fn an_evaluation_makes_so_many_calls() {
    let rules = "answers := [answer.status_code |\n\tsome at in numbers.range(1, input.count)\n\t\
                 answer := http.send({\"method\": \"get\", \"url\": sprintf(\"http://api.example.com/%d\", [at])})\n]";
    let outside = Script::ok("1");
    let entry = entry(asking(rules), outside.clone());
    let found = document(&entry, &json!({"count": 16})).unwrap();
    assert_eq!(found["answers"].as_array().unwrap().len(), 16);
    let text = document(&entry, &json!({"count": 17})).unwrap_err();
    assert!(text.contains("no more than 16 calls"), "{text}");
    assert_eq!(outside.asked().len(), 16 + 16);
}

#[test]
fn addresses_of_hosts() {
    let entry = entry(
        asking("answer := net.lookup_ip_addr(input)"),
        Script::ok("1"),
    );
    let found = document(&entry, &json!("example.com")).unwrap();
    assert_eq!(found, json!({"answer": ["192.0.2.1", "2001:db8::1"]}));
    assert_eq!(document(&entry, &json!("gone.example.com")), Ok(json!({})));
    let text = document(&entry, &json!("evil.io")).unwrap_err();
    assert!(
        text.contains("net.lookup_ip_addr: `evil.io` is not allowed"),
        "{text}"
    );
}

#[test]
fn nothing_is_known_of_the_process() {
    let entry = entry(asking("answer := opa.runtime()"), Script::ok("1"));
    assert_eq!(document(&entry, &json!({})), Ok(json!({"answer": {}})));
}

const REMEMBERING: &str = r#"
before := cache.get(input.key, "n", "s")
now := cache.set(input.key, "n", "s", input.value)
"#;

#[test]
fn what_is_set_is_there_for_the_next_evaluation() {
    let it = entry(
        policy(&format!("package a.b\n{REMEMBERING}")),
        Script::ok("1"),
    );
    let set = |value: Json| document(&it, &json!({"key": "k", "value": value})).unwrap();
    assert_eq!(set(json!({"a": [1.50, "<"]})), json!({"now": "success"}));
    assert_eq!(
        set(json!(null)),
        json!({"before": {"a": [1.5, "<"]}, "now": "success"})
    );
    assert_eq!(set(json!(1)), json!({"before": null, "now": "success"}));

    let other = entry(
        policy(&format!("package a.b\n{REMEMBERING}")),
        Script::ok("1"),
    );
    let found = document(&other, &json!({"key": "k", "value": 1})).unwrap();
    assert_eq!(found, json!({"now": "success"}));
}

#[test]
fn what_has_no_answer_sets_nothing() {
    let rules = r#"
before := cache.get("k", "n", "s") if not input.fails
conflict := object.get(input, "fails", false) if cache.set("k", "n", "s", 1)
conflict := false if true
"#;
    let it = entry(policy(&format!("package a.b\n{rules}")), Script::ok("1"));
    assert!(document(&it, &json!({"fails": true})).is_err());
    assert_eq!(document(&it, &json!({})), Ok(json!({"conflict": false})));
    assert_eq!(
        document(&it, &json!({})),
        Ok(json!({"before": 1, "conflict": false}))
    );
}

#[test]
fn what_is_too_large_is_not_remembered() {
    let it = entry(
        policy(&format!("package a.b\n{REMEMBERING}")),
        Script::ok("1"),
    );
    let large = json!("x".repeat(1 << 16));
    assert_eq!(
        document(&it, &json!({"key": "k", "value": large})),
        Ok(json!({}))
    );
    assert_eq!(
        document(&it, &json!({"key": "k".repeat(1024), "value": 1})),
        Ok(json!({}))
    );
}

/// The example of docs/rego.md, which looks a document up once.
#[test]
fn a_document_is_asked_for_once() {
    let page = include_str!("../../../docs/rego.md");
    let block = page
        .split("```rego\n")
        .find(|block| block.starts_with("document :="));
    let example = block.unwrap().split("```").next().unwrap();
    let outside = Script::ok(r#"{"id": "did:web:api.example.com"}"#);
    let it = entry(asking(example), outside.clone());
    let input = json!({"did": "did:web:api.example.com"});
    for _ in 0..2 {
        let found = document(&it, &input).unwrap();
        assert_eq!(
            found,
            json!({"document": {"id": "did:web:api.example.com"}})
        );
    }
    let asked = outside.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].url, "https://api.example.com/.well-known/did.json");
}
