//! The headers of a request to the evaluation API: a policy reads of each the first value that is
//! text, by its name in whatever letters, and nothing where there is none. Beyond that they decide
//! nothing: the answer is that of a request without them, and the decision has an id of its own, but
//! where one header gives it another. Of `authorization`, what asks for a lock hands on a bearer token, bare, or none. How
//! long a caller waits is the one thing that they say of the answer.
//!
//! ```text
//! the name that the policy asks for NEWLINE name: value NEWLINE…
//! ```
#![no_main]

use axum::body::Body;
use axum::http::Request;
use libfuzzer_sys::fuzz_target;
use portcullis_fuzz::doors::{Answer, HOUSE};
use portcullis_fuzz::rego::let_builtins_panic;
use serde_json::Value as Json;

/// Whose answer is what it reads of the header that its input names.
const READER: &str = "/policy/tasks/headers/1.0";

/// Who reads no header.
const OTHER: &str = "/policy/platform/names/1.0/evaluation";

/// Says how long the caller waits.
const TIMEOUT: &str = "x-request-timeout";

/// Names the evaluation.
const NAME: &str = "x-evaluation-id";

/// Says how long the result is kept.
const TTL: &str = "x-cache-ttl";

/// A request on this machine, whose port nobody else's page shares.
const LOCK: &str = "http://127.0.0.1/policy/tasks/headers/1.0/lock";

/// Names and values, as they came.
type Lines = Vec<(String, Vec<u8>)>;

/// Reads the name that is asked for, and headers.
fn read(bytes: &[u8]) -> Option<(String, Lines)> {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let asked = std::str::from_utf8(lines.next()?).ok()?.to_owned();
    let mut headers = Lines::new();
    for line in lines.filter(|line| !line.is_empty()) {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let name = std::str::from_utf8(&line[..colon]).ok()?;
        headers.push((name.to_owned(), line[colon + 1..].trim_ascii().to_vec()));
    }
    Some((asked, headers))
}

/// Nothing where a name or a value can be in no request.
fn request(uri: &str, body: &Json, headers: &Lines) -> Option<Request<Body>> {
    let mut builder = Request::builder().method("POST").uri(uri);
    for (name, value) in headers {
        builder = builder.header(name, value.as_slice());
    }
    builder.body(Body::from(body.to_string())).ok()
}

fn ask(uri: &str, body: &Json, headers: &Lines) -> Answer {
    let request = request(uri, body, headers).expect("these headers were in a request already");
    HOUSE.evaluate(request)
}

fn json(answer: &Answer) -> Json {
    serde_json::from_slice(&answer.body).expect("an answer is JSON")
}

fn is_text(value: &[u8]) -> bool {
    value.iter().all(|byte| matches!(byte, b'\t' | b' '..=b'~'))
}

/// The first value that is text.
fn first<'h>(headers: &'h Lines, name: &str) -> Option<&'h str> {
    headers
        .iter()
        .filter(|(known, _)| known.eq_ignore_ascii_case(name))
        .find(|(_, value)| is_text(value))
        .and_then(|(_, value)| std::str::from_utf8(value).ok())
}

/// The policy reads what came.
fn check_reader(asked: &str, headers: &Lines) {
    let answer = ask(&format!("{READER}/evaluation"), &Json::from(asked), headers);
    assert_eq!(answer.status, 200, "{answer:?}");
    let document = json(&answer);
    let expected = first(headers, asked).unwrap_or_default();
    for read in ["header", "other"] {
        assert_eq!(document[read], expected, "{asked:?} of {headers:?}");
    }
}

/// No other header than [`NAME`] chooses the id of a decision, with which it is found in the log.
fn check_id(asked: &str, headers: &Lines) {
    let answer = ask(&format!("{READER}/decision"), &Json::from(asked), headers);
    assert_eq!(answer.status, 200, "{answer:?}");
    let document = json(&answer);
    let id = document["id"].as_str().expect("a decision has an id");
    assert!(!id.is_empty(), "{document}");
    let is_id = |(_, value): &(String, Vec<u8>)| value.as_slice() == id.as_bytes();
    assert!(!headers.iter().any(is_id), "{id} was chosen");
}

/// Who reads no header decides without them.
fn check_other(headers: &Lines) {
    let body = serde_json::json!({"request": {"name": "a"}});
    let (with, without) = (ask(OTHER, &body, headers), ask(OTHER, &body, &Lines::new()));
    assert_eq!(with.status, without.status, "{with:?} {without:?}");
    assert_eq!(with.body, without.body, "{with:?} {without:?}");
}

/// The token, or none. Of several headers the first counts, and one that is no text is none.
fn token(headers: &Lines) -> Option<&str> {
    let is_it = |(name, _): &&(String, Vec<u8>)| name.eq_ignore_ascii_case("authorization");
    let (_, value) = headers.iter().find(is_it)?;
    let text = std::str::from_utf8(value).ok().filter(|_| is_text(value))?;
    let (scheme, token) = text.split_once(' ')?;
    let is_token = scheme.eq_ignore_ascii_case("bearer") && !token.trim().is_empty();
    is_token.then(|| token.trim())
}

fn check_token(headers: &Lines) {
    HOUSE.keeper.asked();
    let answer = ask(LOCK, &serde_json::json!({"reason": "fuzz"}), headers);
    let asked = HOUSE.keeper.asked();
    assert!(asked.len() <= 1, "one request locks once");
    assert_eq!(answer.status.is_success(), asked.len() == 1, "{answer:?}");
    for (caller, _, _) in asked {
        assert_eq!(caller.bearer(), token(headers), "{headers:?}");
    }
}

/// What is no duration is refused, and within a short one there may be no answer. A policy's own
/// answer is what it is without.
fn check_timeout(headers: &Lines) {
    let body = serde_json::json!({"request": {"name": "a"}});
    let (with, without) = (ask(OTHER, &body, headers), ask(OTHER, &body, &Lines::new()));
    if with.status == 200 {
        assert_eq!(with.body, without.body, "{with:?} {without:?}");
    } else {
        assert!([400, 503, 504].contains(&with.status.as_u16()), "{with:?}");
    }
}

/// An id is the first that was given, if that is a visible word, or else there is no answer. An id under
/// which another policy's result is kept is refused.
fn check_name(headers: &Lines) {
    let answer = ask(&format!("{READER}/evaluation"), &Json::Null, headers);
    if answer.status != 200 {
        assert!([400, 409].contains(&answer.status.as_u16()), "{answer:?}");
        return;
    }
    let id = answer.headers["etag"].as_bytes();
    let given = headers
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(NAME));
    match given.filter(|(_, value)| !value.is_empty()) {
        Some((_, given)) => assert_eq!(id, given.as_slice(), "{answer:?}"),
        None => assert_eq!(id.len(), 36, "{answer:?}"),
    }
    assert!(id.iter().all(u8::is_ascii_graphic), "{answer:?}");
}

fuzz_target!(|bytes: &[u8]| {
    let_builtins_panic();
    let Some((asked, headers)) = read(bytes) else {
        return;
    };
    if request(OTHER, &Json::Null, &headers).is_none() {
        return;
    }
    if headers
        .iter()
        .any(|(name, _)| name.eq_ignore_ascii_case(TIMEOUT))
    {
        return check_timeout(&headers);
    }
    let is_named = |(name, _): &(String, Vec<u8>)| {
        name.eq_ignore_ascii_case(NAME) || name.eq_ignore_ascii_case(TTL)
    };
    if headers.iter().any(is_named) {
        return check_name(&headers);
    }
    check_reader(&asked, &headers);
    check_id(&asked, &headers);
    check_other(&headers);
    check_token(&headers);
});
