//! The evaluation API, for any method, path, query, headers and body: it finds the policy that the
//! path names and no other, answers what the policy says, and asks for locks only as it may.
//!
//! ```text
//! METHOD path NEWLINE name: value NEWLINE… NEWLINE body
//! ```
#![no_main]

use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, Uri};
use libfuzzer_sys::fuzz_target;
use portcullis_fuzz::decisions::decide;
use portcullis_fuzz::doors::{Answer, HOUSE, REPOSITORY};
use portcullis_fuzz::rego::let_builtins_panic;
use portcullis_policies::text::is_hostile;
use portcullis_policies::{Address, Code, Decision, Document, Entry, Headers, Input, Point, Scope};
use serde_json::Value as Json;

/// Most of what a problem says of what was sent.
const LONGEST_DETAIL: usize = 4_096;

/// Reads a request; the body may be any bytes.
fn read(bytes: &[u8]) -> Option<(Request<Body>, Vec<(String, Vec<u8>)>, Vec<u8>)> {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let first = std::str::from_utf8(lines.next()?).ok()?;
    let (method, uri) = first.split_once(' ')?;
    let mut builder = Request::builder().method(method).uri(uri);
    let mut headers = Vec::new();
    let mut read = first.len() + 1;
    for line in lines {
        read += line.len() + 1;
        if line.is_empty() {
            break;
        }
        let colon = line.iter().position(|byte| *byte == b':')?;
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        builder = builder.header(name, value);
        headers.push((String::from_utf8_lossy(name).to_lowercase(), value.to_vec()));
    }
    let body = bytes.get(read..).unwrap_or_default().to_vec();
    let request = builder.body(Body::from(body.clone())).ok()?;
    Some((request, headers, body))
}

/// What stands between two slashes of a path, decoded.
fn decoded(part: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = part.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let digit = |at: usize| {
            after
                .get(at)
                .and_then(|byte| char::from(*byte).to_digit(16))
        };
        match (first, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push(u8::try_from(high * 16 + low).ok()?);
                rest = &after[2..];
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).ok()
}

/// The address and the last part of a path to a policy.
fn named(path: &str) -> Option<(Address, String)> {
    let parts: Option<Vec<String>> = path.strip_prefix('/')?.split('/').map(decoded).collect();
    let parts = parts?;
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let raw: Vec<&str> = path.strip_prefix('/')?.split('/').collect();
    let (scope, address, last) = match (parts.as_slice(), raw.as_slice()) {
        (["policy", rest @ .., last], ["policy", .., raw]) if last == raw => {
            (Scope::Cluster, rest, last)
        }
        (
            ["namespaces", namespace, "policy", rest @ .., last],
            ["namespaces", _, "policy", .., raw],
        ) if last == raw => (Scope::Namespace((*namespace).to_owned()), rest, last),
        _ => return None,
    };
    let is_cluster = scope == Scope::Cluster;
    let address = match address {
        [group, name, version] => Address::new(scope, group, name, version),
        [repository, group, name, version] if is_cluster && *repository == REPOSITORY => {
            Address::new(scope, group, name, version)
        }
        _ => return None,
    };
    Some((address.ok()?, (*last).to_owned()))
}

/// The value of a header as policies read it: of the first line that is text.
fn header(headers: &[(String, Vec<u8>)], name: &str) -> String {
    let is_text = |byte: &u8| matches!(byte, b'\t' | b' '..=b'~');
    headers
        .iter()
        .find(|(key, value)| key == name && value.iter().all(is_text))
        .map(|(_, value)| String::from_utf8_lossy(value).into_owned())
        .unwrap_or_default()
}

/// Routes that OPA's clients call, whose faults have OPA's shape where OPA has them.
fn is_of_opa(path: &str) -> bool {
    let prefixes = [
        "/v1/data",
        "/v0/data",
        "/v1/query",
        "/v1/policies/",
        "/health",
    ];
    path == "/" || prefixes.iter().any(|prefix| path.starts_with(prefix))
}

/// A fault as OPA writes it: a code and a message, or of its health an error alone.
fn check_opas_fault(answer: &Answer) {
    let fault: Json = serde_json::from_slice(&answer.body).expect("a fault is JSON");
    let text = |field: &str| fault[field].as_str().unwrap_or_default();
    let says = !text("code").is_empty() && !text("message").is_empty();
    assert!(says || !text("error").is_empty(), "{fault}");
}

/// What a request says of its evaluation, which can be wrong by itself.
const OF_EVALUATION: [&str; 3] = ["x-request-timeout", "x-evaluation-id", "x-cache-ttl"];

fn check_problem(answer: &Answer) {
    let problem: Json = serde_json::from_slice(&answer.body).expect("a problem is JSON");
    assert_eq!(answer.headers["content-type"], "application/problem+json");
    assert_eq!(problem["status"], answer.status.as_u16());
    let text = |field: &str| problem[field].as_str().unwrap_or_default();
    assert!(
        !text("code").is_empty() && !text("detail").is_empty(),
        "{problem}"
    );
    assert!(text("detail").len() <= LONGEST_DETAIL, "{problem}");
    assert!(!text("detail").chars().any(is_hostile), "{problem}");
}

/// What the policy decides about the whole body, `None` where that is no document.
fn expected(entry: &Entry, body: &[u8], headers: &Headers) -> Option<Decision> {
    let input = if body.iter().all(u8::is_ascii_whitespace) {
        None
    } else {
        Some(Document::read(std::str::from_utf8(body).ok()?).ok()?)
    };
    Some(decide(
        entry,
        Some(&Input::Evaluation(input)),
        Point::Evaluation,
        headers,
    ))
}

/// Locks are asked for by who is on this machine, and not by a page of another site.
fn check_locks(uri: &Uri, headers: &HeaderMap, address: Option<&Address>) {
    for (caller, locked, request) in HOUSE.keeper.asked() {
        assert_eq!(Some(&locked), address, "another policy is locked");
        let host = uri.host().map(str::to_owned).or_else(|| {
            let host = headers.get("host")?.to_str().ok()?;
            Some(
                host.parse::<axum::http::uri::Authority>()
                    .ok()?
                    .host()
                    .to_owned(),
            )
        });
        let host = host.expect("who locks says whom it asks").to_lowercase();
        let loopback =
            host == "localhost" || host == "[::1]" || host == "::1" || host.starts_with("127.");
        let literal = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
        assert!(
            loopback || literal.is_ok_and(|it| it.is_loopback()),
            "{host} may lock"
        );
        if let Some(origin) = headers.get("origin") {
            let origin = origin.to_str().expect("an origin is text").to_lowercase();
            let name = origin
                .rsplit(['/', '@'])
                .find(|part| !part.is_empty())
                .unwrap_or_default()
                .to_owned();
            assert!(
                origin.contains(&host),
                "a page of {origin} locks at {host}: {name}"
            );
        }
        if let Some(token) = caller.bearer() {
            assert!(
                !token.is_empty() && token.trim() == token,
                "a token is bare"
            );
        }
        let reason = request
            .and_then(|request| request.reason)
            .unwrap_or_default();
        assert!(!reason.chars().any(is_hostile), "{reason:?} is hostile");
    }
}

fuzz_target!(|bytes: &[u8]| {
    let_builtins_panic();
    let Some((request, lines, body)) = read(bytes) else {
        return;
    };
    let (method, uri, map) = (
        request.method().clone(),
        request.uri().clone(),
        request.headers().clone(),
    );
    // The page that shows the documentation is another crate's.
    if uri.path().starts_with("/swagger-ui") {
        return;
    }
    let answer = HOUSE.evaluate(request);
    assert!(
        answer.status.as_u16() != 500 || uri.path().contains("platform") || is_of_opa(uri.path()),
        "{answer:?}"
    );
    if answer.status.is_client_error() || answer.status.is_server_error() {
        let is_json = answer.headers["content-type"] == "application/json";
        if is_of_opa(uri.path()) && is_json && method != Method::HEAD {
            check_opas_fault(&answer);
        } else if method != Method::HEAD {
            check_problem(&answer);
        }
    }
    let named = named(uri.path());
    let found = named.as_ref().and_then(|(address, last)| {
        Some((HOUSE.cache.snapshot().find(address)?.clone(), last.clone()))
    });
    check_locks(&uri, &map, found.as_ref().map(|(entry, _)| entry.address()));
    let asks = method == Method::GET || method == Method::POST;
    let Some((entry, last)) = found else {
        let at_policy = uri.path().starts_with("/policy") || uri.path().starts_with("/namespaces");
        assert!(
            !at_policy || !answer.status.is_success(),
            "{uri} names no policy: {answer:?}"
        );
        return;
    };
    if last != "evaluation" || !asks {
        return;
    }
    let is_of_evaluation = |(name, _): &(String, Vec<u8>)| {
        let mut names = OF_EVALUATION.iter();
        names.any(|known| name.eq_ignore_ascii_case(known))
    };
    let refused = [400, 409].contains(&answer.status.as_u16());
    if refused && lines.iter().any(is_of_evaluation) {
        return;
    }
    let names = ["x-location", "x-other"];
    let headers = names.map(|name| (name, header(&lines, name)));
    let said = headers.iter().filter(|(_, value)| !value.is_empty());
    let headers = Headers::new(said.map(|(name, value)| (*name, value.as_str())));
    let Some(decision) = expected(&entry, &body, &headers) else {
        assert!(!answer.status.is_success(), "{answer:?}");
        return;
    };
    if answer.status != 200 {
        assert!(decision.result.is_none(), "{answer:?} {decision:?}");
        assert!(
            matches!(
                decision.code(),
                Some(Code::CompileFailed | Code::Locked | Code::EvaluationFailed)
            ) || !decision.outcome.as_str().starts_with("allow"),
            "{answer:?} {decision:?}"
        );
        return;
    }
    let said = Document::read(&String::from_utf8_lossy(&answer.body)).expect("an answer is JSON");
    let meant = decision.result.unwrap_or_default();
    assert_eq!(
        said.to_string(),
        meant.to_string(),
        "the result is another one"
    );
});
