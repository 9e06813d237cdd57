//! Who may not reach anything.

use super::*;

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
            namespace: None,
            tool: None,
            strict: false,
        };
        assert_eq!(entry.decide(&review, &request).outcome, Outcome::Error);
        assert_eq!(outside.asked(), []);
    }
}
