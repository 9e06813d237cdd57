//! `did:web` and URLs. The first cases of each table are those of the TSA policy service's tests, the
//! others what its functions answer on Go 1.26's `net/url`.

use rstest::rstest;
use serde_json::json;

use super::apply;

/// The result, or nothing where there is none.
fn applied(name: &str, operand: &str) -> Option<String> {
    let result = apply(name, &json!([operand]).to_string());
    serde_json::from_str(&result).ok()
}

#[rstest]
#[case(
    "did:web:w3c-ccg.github.io",
    Some("https://w3c-ccg.github.io/.well-known/did.json")
)]
#[case(
    "did:web:w3c-ccg.github.io:user:alice",
    Some("https://w3c-ccg.github.io/user/alice/did.json")
)]
#[case(
    "did:web:example.com%3A3000:user:alice",
    Some("https://example.com:3000/user/alice/did.json")
)]
#[case(
    "did:web:example.com%3a3000",
    Some("https://example.com:3000/.well-known/did.json")
)]
#[case("did:web:example.com:", Some("https://example.com//did.json"))]
#[case("did:web:example.com::a", Some("https://example.com//a/did.json"))]
#[case(
    "did:web:example.com:a%41b:?x#y z",
    Some("https://example.com/a%2541b/%3Fx%23y%20z/did.json")
)]
#[case(
    "did:web:EXAMPLE.com",
    Some("https://EXAMPLE.com/.well-known/did.json")
)]
#[case(
    "did:web:ex%2Fample.com",
    Some("https://ex%2Fample.com/.well-known/did.json")
)]
#[case("did:web:ex%zz", None)]
#[case(
    "did:web:exämple.com:ü",
    Some("https://ex%C3%A4mple.com/%C3%BC/did.json")
)]
#[case("did:web:a b", Some("https://a%20b/.well-known/did.json"))]
#[case("did:web:a@b", Some("https://a%40b/.well-known/did.json"))]
#[case("DID:web:a", None)]
#[case("did:web", None)]
#[case("invalid-did", None)]
#[case("did:sov:123", None)]
#[case("did:web:a:..:b", Some("https://a/../b/did.json"))]
#[case("did:web:[::1]", Some("https://[//1%5D/did.json"))]
#[case("did:web:%5B::1%5D", Some("https://[//1%255D/did.json"))]
#[case(
    "did:web:%5B%3A%3A1%5D%3A80",
    Some("https://[::1]:80/.well-known/did.json")
)]
#[case("did:web:a:b/c", Some("https://a/b/c/did.json"))]
#[case("did:web:a?x=1", Some("https://a%3Fx=1/.well-known/did.json"))]
#[case("did:web:%00a", Some("https://%00a/.well-known/did.json"))]
#[case(
    "did:web:a:!$&'()*+,;=@-._~",
    Some("https://a/%21$&%27%28%29%2A+,;=@-._~/did.json")
)]
fn documents_of_identifiers(#[case] operand: &str, #[case] expected: Option<&str>) {
    assert_eq!(applied("did_to_url", operand).as_deref(), expected);
}

#[rstest]
#[case(
    "https://w3c-ccg.github.io/.well-known/did.json",
    Some("did:web:w3c-ccg.github.io")
)]
#[case(
    "https://w3c-ccg.github.io/user/alice/did.json",
    Some("did:web:w3c-ccg.github.io:user:alice")
)]
#[case(
    "https://example.com:3000/user/alice/did.json",
    Some("did:web:example.com%3A3000:user:alice")
)]
#[case("HTTPS://EXAMPLE.com/A/did.json", Some("did:web:EXAMPLE.com:A"))]
#[case("https://example.com", Some("did:web:example.com"))]
#[case("https://example.com/", Some("did:web:example.com"))]
#[case("https://example.com/did.json", Some("did:web:example.com"))]
#[case("https://example.com/a/b", Some("did:web:example.com:a:b"))]
#[case("https://example.com/a/b/", Some("did:web:example.com:a:b"))]
#[case("https://example.com/a/xdid.json", Some("did:web:example.com:a:x"))]
#[case(
    "https://example.com/a/.well-known/b/did.json",
    Some("did:web:example.com:a")
)]
#[case("https://example.com/a%20b/did.json", Some("did:web:example.com:a+b"))]
#[case("https://example.com/a:b/did.json", Some("did:web:example.com:a%3Ab"))]
#[case("https://example.com/a%2Fb/did.json", Some("did:web:example.com:a:b"))]
#[case(
    "https://user:pw@example.com/did.json?x=1#f",
    Some("did:web:example.com")
)]
#[case("https://example.com?x=1", Some("did:web:example.com"))]
#[case("https://example.com#f%zz", None)]
#[case("https://example.com/%zz", None)]
#[case("https://exa mple.com/", None)]
#[case("https://example.com:abc/", None)]
#[case("https://example.com:/", Some("did:web:example.com%3A"))]
#[case("https://[::1]:80/a/did.json", Some("did:web:%5B%3A%3A1%5D%3A80:a"))]
#[case("https://[::1/a", None)]
#[case("https://a:b:80/", Some("did:web:a%3Ab%3A80"))]
#[case("https://ex%41mple.com/", None)]
#[case("https://ex%C3%A4mple.com/", Some("did:web:ex%C3%A4mple.com"))]
#[case(
    "https://exämple.com/ü/did.json",
    Some("did:web:ex%C3%A4mple.com:%C3%BC")
)]
#[case("https://ex<ample/", Some("did:web:ex%3Cample"))]
#[case("https://ex\"ample/", Some("did:web:ex%22ample"))]
#[case("https://ex{ample/", None)]
#[case("https://u ser@example.com/", None)]
#[case("https:example.com", None)]
#[case("https:///a", None)]
#[case("https://", None)]
#[case("http://example.com/", None)]
#[case("example.com", None)]
#[case("//example.com/a", None)]
#[case("example.com\nH1234", None)]
#[case("https://example.com/a b", Some("did:web:example.com:a+b"))]
#[case("https://example.com/a+b/did.json", Some("did:web:example.com:a%2Bb"))]
#[case(" https://example.com/", None)]
#[case("1https://example.com/", None)]
#[case("https://example.com/", None)]
#[case("https://@example.com/", Some("did:web:example.com"))]
#[case("https://a@b@example.com/", Some("did:web:example.com"))]
#[case("https://[fe80::1%25en0]/", None)]
#[case("https://[fe80::1%25en%20x]:80/", None)]
#[case("https://x[::1]/", None)]
#[case("https://[::1]x/", None)]
#[case("https://[zz]/", None)]
#[case(":", None)]
#[case("https://%/", None)]
#[case("https://a%25b/", Some("did:web:a%25b"))]
fn identifiers_of_documents(#[case] operand: &str, #[case] expected: Option<&str>) {
    assert_eq!(applied("url_to_did", operand).as_deref(), expected);
}

#[test]
fn an_identifier_without_a_host_has_no_document() {
    // The service answers `https://.well-known/did.json` and `https:///a/did.json`.
    for operand in ["did:web:", "did:web::a"] {
        assert_eq!(applied("did_to_url", operand), None);
    }
}

#[test]
fn what_is_no_text_is_a_fault() {
    for name in ["did_to_url", "url_to_did"] {
        assert!(apply(name, "[1]").starts_with("Type("));
    }
}
