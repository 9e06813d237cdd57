//! What `http.send` sends.

use super::*;

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

/// A body whose parts are shared is small until it is written.
#[test]
fn a_body_without_end_is_not_written() {
    let outside = Script::ok("1");
    let doubled = |level: usize| format!("x{level} := array.concat([x{0}], [x{0}])\n", level - 1);
    let rules: String = (1..48).map(doubled).collect();
    let call =
        r#"answer := http.send({"method": "post", "url": "http://api.example.com", "body": x47})"#;
    let entry = entry(
        asking(&format!("x0 := [1, 1]\n{rules}{call}")),
        outside.clone(),
    );
    let text = document(&entry, &json!({})).unwrap_err();
    // Which of them is met first is a matter of the machine.
    let bounds = ["built more than", "took longer than"];
    assert!(bounds.iter().any(|bound| text.contains(bound)), "{text}");
    assert_eq!(outside.asked(), []);
}
