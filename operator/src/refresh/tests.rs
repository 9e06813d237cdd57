//! A keeper in memory, and documents that are fetched from a server on loopback.

use std::{collections::BTreeMap, sync::Mutex, time::Duration};

use futures::{FutureExt as _, future::BoxFuture};
use portcullis_policies::{HeaderValue, HttpMethod, HttpSource};
use rstest::rstest;

use super::{
    ask::{Answer, ask},
    *,
};
use crate::network::{Origin, reaching};

/// A source of the cluster.
pub(super) fn source(url: &str) -> HttpSource {
    HttpSource {
        namespace: None,
        url: url.to_owned(),
        host: "127.0.0.1".to_owned(),
        port: 80,
        method: HttpMethod::Get,
        body: String::new(),
        headers: Vec::new(),
        authorities: None,
        period: Duration::from_mins(5),
        timeout: Duration::from_secs(5),
    }
}

/// Keeps what it is told to.
#[derive(Default)]
pub(super) struct Memory {
    pub(super) wanted: Mutex<Vec<HttpSource>>,
    pub(super) documents: Mutex<BTreeMap<String, String>>,
    pub(super) progress: Mutex<Progress>,
    pub(super) secrets: Mutex<BTreeMap<String, String>>,
    pub(super) fault: Mutex<Option<String>>,
}

impl Keeper for Memory {
    fn wanted(&self) -> Vec<HttpSource> {
        self.wanted.lock().unwrap().clone()
    }

    fn kept(&self) -> BoxFuture<'_, Result<Progress, String>> {
        let progress = self.progress.lock().unwrap().clone();
        async { Ok(progress) }.boxed()
    }

    fn is_gone(&self, source: &HttpSource) -> bool {
        let documents = self.documents.lock().unwrap();
        !documents.contains_key(&source.object_name())
    }

    fn secret<'a>(
        &'a self,
        namespace: &'a str,
        name: &'a str,
        key: &'a str,
    ) -> BoxFuture<'a, Result<String, String>> {
        let path = format!("{namespace}/{name}/{key}");
        let found = self.secrets.lock().unwrap().get(&path).cloned();
        async move { found.ok_or_else(|| format!("{path} is not there")) }.boxed()
    }

    fn keep<'a>(
        &'a self,
        source: &'a HttpSource,
        document: Option<String>,
        attempts: &'a Attempts,
    ) -> BoxFuture<'a, Result<(), String>> {
        if let Some(fault) = self.fault.lock().unwrap().clone() {
            return async { Err(fault) }.boxed();
        }
        let name = source.object_name();
        let document = document.map(|document| (name.clone(), document));
        self.documents.lock().unwrap().extend(document);
        self.progress.lock().unwrap().insert(name, attempts.clone());
        async { Ok(()) }.boxed()
    }

    fn discard<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<(), String>> {
        self.documents.lock().unwrap().remove(name);
        async { Ok(()) }.boxed()
    }
}

async fn asked(origin: &Origin, source: &HttpSource) -> Result<Answer, String> {
    let network = reaching(&["127.0.0.1"]);
    let answer = ask(&network, &Memory::default(), source, None).await;
    assert_eq!(origin.asked().len(), 1, "it is asked once");
    answer
}

#[rstest]
#[case::of_json("200 OK", "{\"a\": 1}", Ok("{\"a\": 1}"))]
#[case::of_yaml("200 OK", "a: 1", Ok("a: 1"))]
#[case::a_page(
    "200 OK",
    "<html>Sign in</html>",
    Err("the answer is not taken: it is no document")
)]
#[case::nothing("204 No Content", "", Err("the server answered 204 No Content"))]
#[case::a_failure(
    "503 Secret!",
    "{}",
    Err("the server answered 503 Service Unavailable")
)]
#[case::an_answer_to_nobody("304 Not Modified", "", Err("the server answered 304"))]
#[tokio::test]
async fn only_documents_are_taken(
    #[case] status: &str,
    #[case] body: &str,
    #[case] expected: Result<&str, &str>,
) {
    let origin = Origin::start().await;
    origin.answer(status, "", body.as_bytes());
    let answer = asked(&origin, &source(&origin.url("/it"))).await;
    match (answer, expected) {
        (Ok(Answer::Document(text, None)), Ok(expected)) => assert_eq!(text, expected),
        (Err(why), Err(says)) => assert!(why.starts_with(says), "{why}"),
        (answer, _) => panic!("{answer:?}"),
    }
}

#[tokio::test]
async fn a_document_that_is_too_large_is_not_taken() {
    let origin = Origin::start().await;
    let body = format!("[{}1]", "1,".repeat(MAX_DOCUMENT / 2));
    origin.answer("200 OK", "", body.as_bytes());
    let why = asked(&origin, &source(&origin.url("/it")))
        .await
        .unwrap_err();
    assert!(why.contains("more than 524288 bytes"), "{why}");
}

/// Whoever answers decides how deep a document is; this thread's stack is not theirs.
#[rstest]
#[case::of_json("[", "]")]
#[case::of_yaml("{a: ", "}")]
#[tokio::test]
async fn a_document_that_is_too_deep_is_a_failure(#[case] open: &str, #[case] close: &str) {
    let origin = Origin::start().await;
    let depth = 100_000;
    let body = format!("{}1{}", open.repeat(depth), close.repeat(depth));
    origin.answer("200 OK", "", body.as_bytes());
    let why = asked(&origin, &source(&origin.url("/it"))).await;
    let why = why.unwrap_err();
    assert!(why.starts_with("the answer is"), "{why}");
}

#[tokio::test]
async fn what_a_policy_says_is_sent() {
    let origin = Origin::start().await;
    origin.answer("200 OK", "etag: \"1\"\r\n", b"[]");
    let keeper = Memory::default();
    let secret = ("platform/token/it".to_owned(), "Bearer abc\n".to_owned());
    keeper.secrets.lock().unwrap().extend([secret]);
    let value = HeaderValue::Secret {
        namespace: "platform".to_owned(),
        name: "token".to_owned(),
        key: "it".to_owned(),
    };
    let source = HttpSource {
        method: HttpMethod::Post,
        body: "{\"all\":true}".to_owned(),
        headers: vec![
            ("authorization".to_owned(), value),
            ("x-team".to_owned(), HeaderValue::Text("web".to_owned())),
        ],
        ..source(&origin.url("/it?page=1"))
    };
    let network = reaching(&["127.0.0.1"]);
    let answer = ask(&network, &keeper, &source, None).await;
    let tag = Some("\"1\"".to_owned());
    assert_eq!(answer, Ok(Answer::Document("[]".to_owned(), tag)));
    let asked = &origin.asked()[0];
    for part in [
        "POST /it?page=1 HTTP/1.1\r\n",
        "authorization: Bearer abc\r\n",
        "x-team: web\r\n",
        "content-type: application/json\r\n",
        "accept: application/json, application/yaml\r\n",
        "\r\n\r\n{\"all\":true}",
    ] {
        assert!(asked.contains(part), "no {part:?} in {asked}");
    }
}

/// What is secret is for the server that the policy names.
#[tokio::test]
async fn a_secret_is_sent_nowhere_else() {
    let origin = Origin::start().await;
    let keeper = Memory::default();
    let secret = ("a/b/c".to_owned(), "sesame".to_owned());
    keeper.secrets.lock().unwrap().extend([secret]);
    let value = HeaderValue::Secret {
        namespace: "a".to_owned(),
        name: "b".to_owned(),
        key: "c".to_owned(),
    };
    let secret = HttpSource {
        headers: vec![("x-key".to_owned(), value)],
        ..source(&origin.url("/it"))
    };
    let plain = source(&origin.url("/it"));
    let network = reaching(&["127.0.0.1"]);
    for _ in 0..2 {
        let location = format!("location: {}\r\n", origin.url("/there"));
        origin.answer("302 Found", &location, b"");
    }
    let why = ask(&network, &keeper, &secret, None).await.unwrap_err();
    assert_eq!(why, "the server answered 302 Found");
    assert_eq!(origin.asked().len(), 1);
    // The second answer leads to one that is there.
    origin.answer("200 OK", "", b"[]");
    let answer = ask(&network, &keeper, &plain, None).await;
    assert_eq!(answer, Ok(Answer::Document("[]".to_owned(), None)));
    assert!(origin.asked()[2].starts_with("GET /there "));
}

#[rstest]
#[case::that_is_not_there(None, "a/b/c is not there")]
#[case::of_two_lines(
    Some("sesame\nx-other: 1"),
    "`c` of Secret a/b is no value of a header"
)]
#[tokio::test]
async fn a_secret_that_is_none_is_told_without_it(
    #[case] text: Option<&str>,
    #[case] expected: &str,
) {
    let keeper = Memory::default();
    let secret = text.map(|text| ("a/b/c".to_owned(), text.to_owned()));
    keeper.secrets.lock().unwrap().extend(secret);
    let value = HeaderValue::Secret {
        namespace: "a".to_owned(),
        name: "b".to_owned(),
        key: "c".to_owned(),
    };
    let source = HttpSource {
        headers: vec![("x-key".to_owned(), value)],
        ..source("http://127.0.0.1:9/it")
    };
    let why = ask(&reaching(&["127.0.0.1"]), &keeper, &source, None).await;
    assert_eq!(why.unwrap_err(), expected);
}

#[rstest]
#[case::another_host(&["example.com"], "http://127.0.0.1:9/it?token=x", "does not allow")]
#[case::a_private_one(&["*"], "http://127.0.0.1:9/it?token=x", "which is not public")]
#[case::nobody(&["127.0.0.1"], "http://127.0.0.1:9/it?token=x", "GET \"http://127.0.0.1:9/it\"")]
#[tokio::test]
async fn only_hosts_that_are_allowed_are_asked(
    #[case] hosts: &[&str],
    #[case] url: &str,
    #[case] says: &str,
) {
    let why = ask(&reaching(hosts), &Memory::default(), &source(url), None).await;
    let why = why.unwrap_err();
    assert!(why.contains(says), "{why}");
    assert!(!why.contains("token"), "{why}");
}
