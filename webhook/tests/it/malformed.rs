//! What is no request, on real sockets: there is a clear answer or a closed connection, and the next
//! request is served.

use portcullis_webhook::{Transport, evaluation_router};
use rstest::rstest;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::{
    fixture::Fixture,
    listeners::{Server, over_http1},
};

const EVALUATION: &str = "/policy/tasks/authz/1.0/evaluation";

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
}

/// An evaluation with these headers, each with its line's end, and a body.
fn post(headers: &str, body: &str) -> String {
    format!(
        "POST {EVALUATION} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{headers}\r\n{body}"
    )
}

fn sized(body: &str) -> String {
    post(&format!("content-length: {}\r\n", body.len()), body)
}

/// Sends bytes, and no more, and reads what comes until the connection ends.
async fn say(server: &Server, bytes: &[u8], ends: bool) -> String {
    let mut stream = server.connect().await;
    // What is refused need not be read to its end.
    let _ = stream.write_all(bytes).await;
    if ends {
        let _ = stream.shutdown().await;
    }
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

/// Sends a text, whose answer has to be this status, and of problems a problem; none is a connection
/// that was closed.
async fn is_answered(text: &[u8], status: Option<u16>) {
    let fixture = Fixture::usual();
    let server = Server::start(evaluation_router(fixture.doors()), Transport::Plain).await;
    // Who waits for the rest is told that there is none.
    let ends = status.is_none() || text.starts_with(post("content-length: 100\r\n", "").as_bytes());
    let answer = say(&server, text, ends).await;
    match status {
        None => assert_eq!(answer, ""),
        Some(status) => assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{answer}"
        ),
    }
    if answer.contains("content-type") {
        assert!(answer.contains("application/problem+json"), "{answer}");
    }
    assert_eq!(
        over_http1(server.connect().await, &[EVALUATION]).await,
        [200]
    );
    server.end().await;
}

#[rstest]
#[case::nothing("", None)]
#[case::half_a_line("GET /", None)]
#[case::half_a_head("GET / HTTP/1.1\r\nhost: ", None)]
#[case::noise("x y z\r\n\r\n", Some(400))]
#[case::another_protocol("\u{16}\u{3}\u{1}\u{2}", Some(400))]
#[case::another_version("GET / HTTP/3.0\r\nhost: localhost\r\n\r\n", Some(400))]
#[tokio::test]
async fn what_is_no_http(#[case] text: &str, #[case] status: Option<u16>) {
    is_answered(text.as_bytes(), status).await;
}

#[rstest]
#[case::broken_header("a b: c\r\n", "", 400)]
#[case::two_lengths("content-length: 1\r\ncontent-length: 2\r\n", "ab", 400)]
#[case::no_length("content-length: -1\r\n", "", 400)]
#[case::no_chunks("transfer-encoding: chunked\r\n", "zz\r\n", 400)]
#[case::cut_off("content-length: 100\r\n", "{\"a\": ", 400)]
#[case::too_large("content-length: 999999999\r\n", "{", 413)]
#[case::no_duration("x-request-timeout: soon\r\n", "", 400)]
#[tokio::test]
async fn bodies_that_do_not_come(#[case] headers: &str, #[case] body: &str, #[case] status: u16) {
    is_answered(post(headers, body).as_bytes(), Some(status)).await;
}

#[rstest]
#[case::malformed("{\"a\": ".to_owned())]
#[case::two_documents("{} {}".to_owned())]
#[case::deep("[".repeat(100_000) + &"]".repeat(100_000))]
#[case::deep_and_open("{\"a\":".repeat(100_000))]
#[case::words("yes".to_owned())]
#[tokio::test]
async fn documents_that_are_none(#[case] body: String) {
    is_answered(sized(&body).as_bytes(), Some(400)).await;
}

/// A list of the members that an object would have is none.
#[rstest]
#[case::lock("/policy/tasks/authz/1.0/lock", "[\"incident\", null]")]
#[case::review(
    "/policy/tasks/authz/1.0/decision?point=admission",
    "[\"admission.k8s.io/v1\", \"AdmissionReview\", {}]"
)]
#[case::subscription(
    "/policy/tasks/authz/1.0/notifychange",
    "[\"https://example.com/\", \"shop\"]"
)]
#[case::schedule("/v1/policy/import/config", "[\"https://example.com/\", \"1h\"]")]
#[tokio::test]
async fn lists_that_are_no_objects(#[case] path: &str, #[case] body: &str) {
    let length = body.len();
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
         content-length: {length}\r\n\r\n{body}"
    );
    is_answered(request.as_bytes(), Some(400)).await;
}

#[tokio::test]
async fn a_body_that_is_no_text() {
    let mut sent = sized("12").into_bytes();
    let end = sent.len() - 2;
    sent[end..].copy_from_slice(&[b'"', 0xff]);
    is_answered(&sent, Some(400)).await;
}

#[rstest]
#[case::encoded_slash("/policy/tasks%2Fauthz/1.0/evaluation")]
#[case::encoded_slash_of_five("/policy/tasks%2Fauthz/x/1.0/evaluation")]
#[case::encoded_dots("/policy/%2e%2e/%2e%2e/1.0/evaluation")]
#[case::dots("/policy/../../etc/passwd")]
#[case::dots_of_five("/policy/../authz/1.0/evaluation")]
#[case::nul("/policy/tasks/authz%00/1.0/evaluation")]
#[case::no_text("/policy/%ff/authz/1.0/evaluation")]
#[case::half_an_escape("/policy/tasks/authz/1.0%2/evaluation")]
#[case::no_digits("/policy/tasks/authz/1.0%zz/evaluation")]
#[case::unknown_version("/policy/tasks/authz/9.9/evaluation")]
#[case::no_version("/policy/tasks/authz/latest/evaluation")]
#[case::empty_parts("/policy//authz/1.0/evaluation")]
#[case::doubled_slashes("//policy//tasks//authz//1.0//evaluation")]
#[case::backslashes("/policy\\tasks\\authz\\1.0\\evaluation")]
#[case::below("/policy/tasks/authz/1.0/evaluation/x")]
#[tokio::test]
async fn paths_that_name_nothing(#[case] path: &str) {
    is_answered(get(path).as_bytes(), Some(404)).await;
}

#[tokio::test]
async fn a_method_that_is_none() {
    let brewed = get(EVALUATION).replacen("GET", "BREW", 1);
    is_answered(brewed.as_bytes(), Some(405)).await;
}
