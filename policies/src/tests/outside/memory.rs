//! What policies remember.

use super::*;

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
    let page = include_str!("../../../../docs/rego.md");
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
