//! Tokens: those that are published, and what OPA makes of good and of hostile ones.

use rstest::rstest;
use serde::Deserialize;
use serde_json::{Map, Value as Json};

use super::ALGORITHMS;
use crate::rego::{
    builtins::{
        Fault,
        tests::opa::{called, check},
    },
    value::{Value, json, text::literal},
};

/// What OPA 1.22.2 says.
#[test]
fn answers_as_opa_does() {
    check(include_str!("tests/opa.json"), |_, value| value);
}

/// A token that somebody has published with its key.
#[derive(Deserialize)]
struct Vector {
    source: String,
    algorithm: String,
    key: Map<String, Json>,
    token: String,
}

impl Vector {
    fn all() -> Vec<Self> {
        serde_json::from_str(include_str!("tests/vectors.json")).expect("the vectors are JSON")
    }

    /// Without what is private; a secret is always that.
    fn public_key(&self) -> String {
        let private = ["d", "p", "q", "dp", "dq", "qi"];
        let members = self.key.iter();
        let members = members.filter(|(name, _)| !private.contains(&name.as_str()));
        let key: Map<String, Json> = members
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        Json::from(key).to_string()
    }

    fn private_key(&self) -> String {
        Json::from(self.key.clone()).to_string()
    }

    fn verify(&self, token: &str) -> String {
        let function = format!("io.jwt.verify_{}", self.algorithm.to_lowercase());
        text(&called(&function, &texts(&[token, &self.public_key()]), 0))
    }

    /// Whether a token keeps to no constraint but that of the key, which can be one of octets.
    fn decode_verify(&self, token: &str) -> String {
        let constraints = serde_json::json!({"cert": self.public_key(), "time": 1});
        let operands = [Value::from(token), json::from_serde(&constraints)];
        let answer = called("io.jwt.decode_verify", &operands, 0);
        match answer {
            Ok(answer) => literal(&answer).chars().take(6).collect(),
            Err(fault) => format!("{fault:?}"),
        }
    }
}

fn texts(texts: &[&str]) -> Vec<Value> {
    texts.iter().map(|text| Value::from(*text)).collect()
}

fn text(answer: &super::Result<Value>) -> String {
    match answer {
        Ok(answer) => literal(answer),
        Err(fault) => format!("{fault:?}"),
    }
}

/// With another letter in the middle of a part.
fn altered(token: &str, part: usize) -> String {
    let mut parts: Vec<String> = token.split('.').map(str::to_owned).collect();
    let at = parts[part].len() / 2;
    let other = if parts[part].as_bytes()[at] == b'A' {
        "B"
    } else {
        "A"
    };
    parts[part].replace_range(at..=at, other);
    parts.join(".")
}

#[test]
fn published_tokens_are_verified() {
    for vector in Vector::all() {
        let Vector { source, token, .. } = &vector;
        if vector.algorithm.starts_with("HS") {
            // The secret is no text.
            assert_eq!(vector.decode_verify(token), "[true,", "{source}");
            assert_eq!(
                vector.decode_verify(&altered(token, 2)),
                "[false",
                "{source}"
            );
            continue;
        }
        assert_eq!(vector.verify(token), "true", "{source}");
        for part in [1, 2] {
            assert_eq!(vector.verify(&altered(token, part)), "false", "{source}");
        }
    }
}

/// Signatures of HMAC and PKCS #1 are not random, and so are those that are published.
#[rstest]
#[case("RFC 7515, A.1")]
#[case("RFC 7515, A.2")]
fn published_tokens_are_signed(#[case] source: &str) {
    let vectors = Vector::all();
    let vector = vectors.iter().find(|vector| vector.source == source);
    let vector = vector.expect("the vector is there");
    let parts: Vec<&str> = vector.token.split('.').collect();
    let decoded =
        |part: &str| called("base64url.decode", &texts(&[part]), 0).expect("a part is text");
    let key = Value::from(vector.private_key());
    let operands = [decoded(parts[0]), decoded(parts[1]), key];
    let signed = called("io.jwt.encode_sign_raw", &operands, 0);
    assert_eq!(signed.expect("a token"), Value::from(vector.token.as_str()));
}

/// By each algorithm.
#[test]
fn what_is_signed_is_verified() {
    let vectors = Vector::all();
    for (algorithm, _) in ALGORITHMS {
        let fits = |vector: &&Vector| {
            let kind = vector.key["kty"].as_str().expect("a key has a type");
            let curve = vector.key.get("crv").and_then(Json::as_str);
            match (algorithm, kind) {
                ("ES256", "EC") => curve == Some("P-256"),
                ("ES512", "EC") => curve == Some("P-521"),
                ("EdDSA", "OKP") | ("HS256" | "HS384" | "HS512", "oct") => true,
                (_, "RSA") => vector.key.contains_key("p") && !algorithm.starts_with(['E', 'H']),
                _ => false,
            }
        };
        // Nobody has published a key of P-384.
        let Some(vector) = vectors.iter().find(fits) else {
            assert_eq!(algorithm, "ES384");
            continue;
        };
        let header = format!("{{\"alg\":\"{algorithm}\"}}");
        let operands = texts(&[&header, "{\"a\":1}", &vector.private_key()]);
        let token = called("io.jwt.encode_sign_raw", &operands, 0).expect("a token");
        let Value::String(token) = &token else {
            unreachable!("a token is text");
        };
        assert_eq!(vector.decode_verify(token), "[true,", "{algorithm}");
        let altered = altered(token, 2);
        assert_eq!(vector.decode_verify(&altered), "[false", "{algorithm}");
    }
}

/// OPA panics, or does what depends on what is no JSON.
#[rstest]
#[case("io.jwt.decode", "[\"eyJjdHkiOjF9.e30.\"]")]
#[case(
    "io.jwt.encode_sign_raw",
    r#"["{\"alg\":\"HS256\",\"a\":01}", "{}", "{\"kty\":\"oct\",\"k\":\"YQ\"}"]"#
)]
#[case(
    "io.jwt.encode_sign_raw",
    r#"["{\"alg\":\"HS256\",\"alg\":\"x\"}", "{}", "{\"kty\":\"oct\",\"k\":\"YQ\"}"]"#
)]
fn what_opa_fails_at_is_an_error(#[case] function: &str, #[case] operands: &str) {
    let operands = json::read(operands).expect("JSON");
    let operands = crate::rego::value::elements(&operands).expect("an array");
    let answer = called(function, operands, 0);
    assert!(matches!(answer, Err(Fault::Ends(_))), "{answer:?}");
}

/// A key is in no message, whatever is wrong with it.
#[rstest]
#[case(r#"{"kty":"oct","k":"c2VjcmV0!"}"#)]
#[case(r#"{"kty":"oct","k":5,"x":"c2VjcmV0"}"#)]
#[case(r#"{"kty":"EC","crv":"P-256","x":"c2VjcmV0","y":"c2VjcmV0","d":"c2VjcmV0"}"#)]
#[case(r#"{"kty":"c2VjcmV0"}"#)]
fn keys_are_in_no_message(#[case] key: &str) {
    let answer = called("io.jwt.encode_sign_raw", &texts(&["{}", "{}", key]), 0);
    let Err(Fault::Value(message)) = answer else {
        unreachable!("the key is wrong: {answer:?}");
    };
    assert!(!message.contains("c2VjcmV0"), "{message}");
}
