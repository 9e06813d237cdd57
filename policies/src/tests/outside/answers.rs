//! What comes of a call.

use super::*;

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
