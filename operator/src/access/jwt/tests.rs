//! Tokens that are signed here, and what becomes of them.

mod issuer;

use rstest::rstest;
use serde_json::{Value as Json, json};

use super::*;
use issuer::Issuer;

const ISSUER: &str = "https://issuer.example";

/// A time within which all tokens of these tests are good.
fn now() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}

fn expectations() -> Expectations {
    Expectations {
        issuer: ISSUER.to_owned(),
        audiences: vec!["portcullis".to_owned(), "other".to_owned()],
        algorithms: vec![Algorithm::Es256, Algorithm::Rs256, Algorithm::EdDsa],
        leeway: Duration::from_secs(30),
        name_claim: "sub".to_owned(),
        groups_claim: "groups".to_owned(),
    }
}

/// Callers with the keys of these issuers.
fn callers(issuers: &[&Issuer], expectations: Expectations) -> JwtCallers {
    let keys: Vec<Json> = issuers.iter().map(|issuer| issuer.key()).collect();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), json!({"keys": keys}).to_string()).unwrap();
    let place = KeyPlace::File(file.path().to_owned());
    let (callers, _follow) = JwtCallers::new(place, expectations).unwrap();
    callers
}

fn claims() -> Json {
    json!({
        "iss": ISSUER,
        "aud": "portcullis",
        "sub": "alice",
        "groups": ["staff", "builders"],
        "iat": 1_799_999_000,
        "nbf": 1_799_999_000,
        "exp": 1_800_000_600,
    })
}

/// The claims with some of them replaced, and those that are null left out.
fn with(changes: &Json) -> Json {
    let mut claims = claims();
    for (name, value) in changes.as_object().unwrap() {
        let members = claims.as_object_mut().unwrap();
        if value.is_null() {
            members.remove(name);
        } else {
            members.insert(name.clone(), value.clone());
        }
    }
    claims
}

/// `name of groups`, why it is refused, or `unknown`.
fn told(identified: Result<Identified, AccessFault>) -> String {
    match identified.unwrap() {
        Identified::As(caller) => format!("{} of {}", caller.name(), caller.groups().join(",")),
        Identified::Refused(why) => why,
        Identified::Unknown => "unknown".to_owned(),
    }
}

#[rstest]
#[case::es256(Issuer::es256("a"))]
#[case::es384(Issuer::es384("a"))]
#[case::es512(Issuer::es512("a"))]
#[case::rs256(Issuer::rsa("a", "RS256"))]
#[case::rs384(Issuer::rsa("a", "RS384"))]
#[case::rs512(Issuer::rsa("a", "RS512"))]
#[case::ps256(Issuer::rsa("a", "PS256"))]
#[case::ps384(Issuer::rsa("a", "PS384"))]
#[case::ps512(Issuer::rsa("a", "PS512"))]
#[case::eddsa(Issuer::ed25519("a"))]
fn each_algorithm(#[case] issuer: Issuer) {
    let algorithm = issuer.algorithm.parse().unwrap();
    let only = |algorithm| Expectations {
        algorithms: vec![algorithm],
        ..expectations()
    };
    let token = issuer.sign(&claims());
    let own = callers(&[&issuer], only(algorithm));
    assert_eq!(told(own.verify(&token, now())), "alice of staff,builders");
    // Any change of what is signed, or of the signature.
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let (header, _) = signed.split_once('.').unwrap();
    let other = issuer::encoded(with(&json!({"sub": "mallory"})).to_string().as_bytes());
    let forged = format!("{header}.{other}.{signature}");
    assert_eq!(
        told(own.verify(&forged, now())),
        "its signature is not its issuer's"
    );
    for cut in [1, 3] {
        let signature = issuer::decoded(signature);
        let cut = issuer::encoded(&signature[..signature.len() - cut]);
        let cut = format!("{signed}.{cut}");
        assert_eq!(
            told(own.verify(&cut, now())),
            "its signature is not its issuer's"
        );
    }
    let none = format!("{signed}.");
    assert_eq!(
        told(own.verify(&none, now())),
        "its signature is not its issuer's"
    );
    let another = if algorithm == Algorithm::Es256 {
        Algorithm::Rs256
    } else {
        Algorithm::Es256
    };
    let strict = callers(&[&issuer], only(another));
    assert_eq!(
        told(strict.verify(&token, now())),
        "its algorithm is not allowed"
    );
}

#[rstest]
#[case(json!({}), "alice of staff,builders")]
#[case(json!({"aud": ["x", "other"]}), "alice of staff,builders")]
#[case(json!({"groups": "staff"}), "alice of staff")]
#[case(json!({"groups": null}), "alice of ")]
#[case(json!({"nbf": null, "iat": null}), "alice of staff,builders")]
#[case(json!({"exp": 1_800_000_000.5}), "alice of staff,builders")]
// Clocks differ by 30 seconds at most.
#[case(json!({"exp": 1_799_999_971}), "alice of staff,builders")]
#[case(json!({"exp": 1_799_999_970}), "it has expired")]
#[case(json!({"nbf": 1_800_000_030}), "alice of staff,builders")]
#[case(json!({"nbf": 1_800_000_031}), "it is not in force yet")]
#[case(json!({"iat": 1_800_000_031}), "it was issued in the future")]
#[case(json!({"exp": null}), "it never ends: it has no `exp`")]
#[case(json!({"exp": "1800000600"}), "its `exp` is no time")]
#[case(json!({"exp": 1e300}), "its `exp` is no time")]
#[case(json!({"nbf": true}), "its `nbf` is no time")]
#[case(json!({"aud": "portcullis.example"}), "it is for others (`aud`)")]
#[case(json!({"aud": null}), "it is for others (`aud`)")]
#[case(json!({"aud": [1, "portcullis"]}), "its `aud` is neither a text nor a list of texts")]
#[case(json!({"sub": null}), "its `sub` is no text")]
#[case(json!({"sub": ""}), "it names nobody")]
#[case(json!({"sub": "a\nb"}), "its name or a group has characters that cannot be shown")]
#[case(json!({"sub": 4711}), "its `sub` is no text")]
#[case(json!({"groups": [1]}), "its `groups` is neither a text nor a list of texts")]
#[case(json!({"iss": "https://issuer.example/"}), "unknown")]
#[case(json!({"iss": null}), "unknown")]
fn what_a_token_has_to_say(#[case] changes: Json, #[case] expected: &str) {
    let issuer = Issuer::es256("a");
    let callers = callers(&[&issuer], expectations());
    let token = issuer.sign(&with(&changes));
    assert_eq!(told(callers.verify(&token, now())), expected);
}

#[rstest]
#[case(json!({}), "alice@example.com of staff,builders")]
#[case(json!({"email_verified": true}), "alice@example.com of staff,builders")]
#[case(json!({"email_verified": false}), "its `email` is not verified")]
#[case(json!({"email_verified": "true"}), "its `email` is not verified")]
fn a_mail_address_has_to_be_verified(#[case] changes: Json, #[case] expected: &str) {
    let issuer = Issuer::es256("a");
    let expectations = Expectations {
        name_claim: "email".to_owned(),
        ..expectations()
    };
    let callers = callers(&[&issuer], expectations);
    let mut claims = with(&changes);
    claims["email"] = json!("alice@example.com");
    assert_eq!(told(callers.verify(&issuer.sign(&claims), now())), expected);
}

/// The attacks of RFC 8725, section 2.
#[test]
fn tokens_that_are_no_proof() {
    let (issuer, stranger) = (Issuer::rsa("a", "RS256"), Issuer::rsa("a", "RS256"));
    let callers = callers(&[&issuer], expectations());
    let verify = |token: &str| told(callers.verify(token, now()));
    let unsigned = "it is not signed with a public key's algorithm";
    for header in [
        json!({"alg": "none"}),
        json!({"alg": "None", "kid": "a"}),
        json!({"alg": "HS256", "kid": "a"}),
    ] {
        // With the public key as the secret, as whoever has it could.
        let token = issuer.sign_as(&header, &claims());
        assert_eq!(verify(&token), unsigned, "{header}");
        let (bare, _) = token.rsplit_once('.').unwrap();
        assert_eq!(verify(&format!("{bare}.")), unsigned, "{header}");
    }
    let by_stranger = stranger.sign(&claims());
    assert_eq!(verify(&by_stranger), "its signature is not its issuer's");
    let with_own_key =
        json!({"alg": "RS256", "kid": "a", "jwk": stranger.key(), "jku": "https://evil"});
    let token = stranger.sign_as(&with_own_key, &claims());
    assert_eq!(verify(&token), "its signature is not its issuer's");
    let critical = json!({"alg": "RS256", "kid": "a", "crit": ["b64"], "b64": false});
    assert!(verify(&issuer.sign_as(&critical, &claims())).contains("`crit`"));
    let nested = json!({"alg": "RS256", "kid": "a", "cty": "JWT"});
    assert!(verify(&issuer.sign_as(&nested, &claims())).contains("`cty`"));
    let other = json!({"alg": "RS256", "kid": "b"});
    let token = issuer.sign_as(&other, &claims());
    assert_eq!(verify(&token), "no key of its issuer is for it");
    // A key that is for one algorithm is for no other, though it could.
    let other = json!({"alg": "ES256", "kid": "a"});
    assert_eq!(
        verify(&issuer.sign_as(&other, &claims())),
        "no key of its issuer is for it"
    );
    for text in [
        "",
        "a",
        "a.b",
        "a.b.c",
        "a.b.c.d",
        "a.b.c.d.e",
        "..",
        "0123456789abcdef",
    ] {
        assert_eq!(verify(text), "unknown", "{text}");
    }
    let twice = r#"{"alg":"RS256","alg":"none","kid":"a"}"#;
    assert_eq!(verify(&issuer.sign_text(twice, &claims())), "unknown");
    let long = with(&json!({"padding": "x".repeat(40_000)}));
    assert_eq!(verify(&issuer.sign(&long)), "unknown");
}

#[test]
fn a_token_that_names_no_key_may_be_signed_by_any() {
    let (one, other) = (Issuer::es256("a"), Issuer::ed25519("b"));
    let callers = callers(&[&one, &other], expectations());
    for issuer in [&one, &other] {
        let header = json!({"alg": issuer.algorithm});
        let token = issuer.sign_as(&header, &claims());
        assert_eq!(
            told(callers.verify(&token, now())),
            "alice of staff,builders"
        );
    }
}

#[rstest]
#[case(json!({"use": "enc"}))]
#[case(json!({"key_ops": ["sign"]}))]
#[case(json!({"alg": "ES384"}))]
#[case(json!({"alg": "HS256"}))]
#[case(json!({"kty": "oct", "k": "AAAA"}))]
#[case(json!({"crv": "secp256k1"}))]
#[case(json!({"x": "AAAA"}))]
#[case(json!({"x": "!"}))]
#[case(json!({"x": null}))]
fn keys_that_verify_nothing(#[case] changes: Json) {
    let issuer = Issuer::es256("a");
    let mut key = issuer.key();
    for (name, value) in changes.as_object().unwrap() {
        key[name] = value.clone();
    }
    let alone = json!({"keys": [key.clone()]}).to_string();
    let set = KeySet::read(alone.as_bytes());
    let is_for_another = key["alg"] == "ES384";
    assert_eq!(set.is_ok(), is_for_another, "{set:?}");
    // Beside another one it is left out.
    let both = json!({"keys": [key, Issuer::es256("b").key()]}).to_string();
    let set = KeySet::read(both.as_bytes()).unwrap();
    assert_eq!(set.candidates(None, Algorithm::Es256).count(), 1);
    assert_eq!(set.0.len(), 1 + usize::from(is_for_another));
}

#[test]
fn sets_that_are_none() {
    for text in [
        "",
        "{}",
        "[]",
        r#"{"keys":[]}"#,
        r#"{"keys":[1]}"#,
        r#"{"keys":{}}"#,
    ] {
        assert!(KeySet::read(text.as_bytes()).is_err(), "{text}");
    }
    let keys: Vec<Json> = (0..65).map(|_| json!({})).collect();
    let many = json!({"keys": keys}).to_string();
    assert!(matches!(
        KeySet::read(many.as_bytes()),
        Err(KeysFault::Many)
    ));
}

#[test]
fn small_keys_of_rsa_are_none() {
    let mut key = Issuer::rsa("a", "RS256").key();
    key["n"] = json!(issuer::encoded(&[0xff; 128]));
    let set = json!({"keys": [key]}).to_string();
    let fault = KeySet::read(set.as_bytes()).unwrap_err().to_string();
    assert!(fault.contains("1024 bits"), "{fault}");
}

#[rstest]
#[case("https://issuer.example/keys", true)]
#[case("https://10.0.0.1:8443/keys", true)]
#[case("http://127.0.0.1:1/keys", true)]
#[case("http://[::1]:1/keys", true)]
#[case("http://localhost:1/keys", true)]
#[case("http://issuer.example/keys", false)]
#[case("ftp://127.0.0.1/keys", false)]
#[case("/keys", false)]
#[case("", false)]
#[tokio::test]
async fn urls_of_keys(#[case] url: &str, #[case] expected: bool) {
    let place = KeyPlace::Url(url.to_owned(), None);
    assert_eq!(JwtCallers::new(place, expectations()).is_ok(), expected);
}

#[test]
fn the_end_that_a_token_of_others_claims() {
    let issuer = Issuer::es256("a");
    let end = claimed_end(&issuer.sign(&claims()));
    assert_eq!(end.map(Timestamp::as_second), Some(1_800_000_600));
    for none in ["", "a.b.c", "0123456789abcdef"] {
        assert_eq!(claimed_end(none), None, "{none}");
    }
}
