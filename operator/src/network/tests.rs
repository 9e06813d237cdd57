//! Policies that ask a real server on loopback. What is sent and answered is what OPA sends and
//! answers, but for the name of the client.

mod server;

use std::{sync::Arc, time::Duration};

use portcullis_policies::{
    Allowance, Definition, Document, Entry, Hosts, Input, Limits, ObjectKey, Outside as _, Part,
    Policy, Request, Timestamp,
    outside::{HttpRequest, HttpResponse, MAX_BODY, OutsideFault},
};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rstest::rstest;
use rustls::{ServerConfig, pki_types::PrivateKeyDer};
use serde_json::{Value as Json, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use self::server::Server;
use super::Network;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

fn hosts(patterns: &[&str]) -> Hosts {
    let patterns = patterns.iter().map(|pattern| pattern.parse().unwrap());
    patterns.collect()
}

fn get(url: &str) -> HttpRequest {
    HttpRequest {
        method: "GET".to_owned(),
        url: url.to_owned(),
        headers: Vec::new(),
        body: Vec::new(),
        follows_redirects: false,
        authorities: None,
        trusts_system: false,
        time: PATIENCE,
    }
}

/// Does what an evaluator thread does, which is not the reactor's.
async fn off_the_reactor<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, result) = tokio::sync::oneshot::channel();
    std::thread::Builder::new()
        .stack_size(64 << 20)
        .spawn(move || done.send(work()).ok())
        .unwrap();
    result.await.unwrap()
}

/// Sends where both the administrator and the policy allow `allowed`.
async fn send(allowed: &[&str], request: HttpRequest) -> Result<HttpResponse, OutsideFault> {
    send_by(hosts(allowed), hosts(allowed), request).await
}

async fn send_by(
    administrator: Hosts,
    policy: Hosts,
    request: HttpRequest,
) -> Result<HttpResponse, OutsideFault> {
    let network = Network::new(administrator);
    off_the_reactor(move || network.send(&request, &policy)).await
}

const LOOPBACK: [&str; 1] = ["127.0.0.1"];

#[tokio::test]
async fn a_policy_asks_a_server() {
    let server = Server::start(None).await;
    let network = Network::new(hosts(&["127.0.0.1"]));
    let source = "package a.b\nanswer := http.send(input)";
    let definition = Definition {
        hosts: hosts(&["127.0.0.1"]),
        limits: Limits {
            timeout: Duration::from_secs(5),
            ..Limits::DEFAULT
        },
        ..Definition::new("a/b@1".parse().unwrap(), source)
    };
    let input = json!({
        "method": "post",
        "url": server.url("/json"),
        "body": {"b": "<x>", "a": [1]},
        "headers": {"X-A": "1"},
    });
    let decision = off_the_reactor(move || {
        let entry = Entry {
            object: ObjectKey::new("ClusterPolicy", None, "it"),
            policy: Arc::new(Policy::compile_within(
                definition,
                &(),
                Allowance {
                    outside: Arc::new(network),
                    ..Allowance::default()
                },
            )),
            locks: Vec::new(),
            imported_locks: Vec::new(),
            exemptions: Arc::default(),
            binding: None,
            part: Part::Object,
            superseded_by: None,
        };
        let request = Request {
            id: Arc::from("id"),
            now: Timestamp::now(),
            headers: Arc::default(),
            budget: PATIENCE,
            namespace: None,
            tool: None,
            strict: false,
        };
        entry.decide(&Input::Evaluation(Some(Document::from(&input))), &request)
    })
    .await;
    let result: Json = serde_json::to_value(decision.result.unwrap()).unwrap();
    let expected = json!({
        "status": "200 OK",
        "status_code": 200,
        "body": {"a": [1, 1.5]},
        "raw_body": "{\"a\":[1,1.50]}",
        "headers": {
            "content-type": ["application/json"],
            "content-length": ["14"],
            "x-two": ["1", "2"],
        },
    });
    assert_eq!(result["answer"], expected);
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        server.asked(),
        [format!(
            "POST /json HTTP/1.1\r\nx-a: 1\r\nuser-agent: portcullis/{version}\r\n\
             host: 127.0.0.1:PORT\r\nconnection: close\r\ncontent-length: 29\r\n\r\n\
             {{\"a\":[1],\"b\":\"\\u003cx\\u003e\"}}"
        )]
    );
}

#[rstest]
#[case("/teapot", "418 I am one", "{}")]
#[case("/plain", "200", "{}")]
#[case("/301", "301 Moved Permanently", "{}")]
#[case("/chunked", "200 OK", "[1,2]")]
#[case("/close", "200 OK", "[3]")]
#[tokio::test]
async fn answers(#[case] path: &str, #[case] status: &str, #[case] body: &str) {
    let server = Server::start(None).await;
    let response = send(&LOOPBACK, get(&server.url(path))).await.unwrap();
    assert_eq!(response.status, status);
    assert_eq!(String::from_utf8(response.body).unwrap(), body);
    let names: Vec<&str> = response
        .headers
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    assert!(!names.contains(&"transfer-encoding"));
}

#[tokio::test]
async fn an_answer_has_a_bound() {
    let server = Server::start(None).await;
    let response = send(&LOOPBACK, get(&server.url("/most"))).await.unwrap();
    assert_eq!(response.body.len(), MAX_BODY);
    let fault = send(&LOOPBACK, get(&server.url("/more")))
        .await
        .unwrap_err();
    let expected = OutsideFault::Refused(format!("the answer has more than {MAX_BODY} bytes"));
    assert_eq!(fault, expected);
    let fault = send(&LOOPBACK, get(&server.url("/head")))
        .await
        .unwrap_err();
    assert!(matches!(fault, OutsideFault::Network(_)), "{fault}");
}

#[rstest]
#[case("/short")]
#[case("/smtp")]
#[tokio::test]
async fn answers_that_cannot_be_read(#[case] path: &str) {
    let server = Server::start(None).await;
    let fault = send(&LOOPBACK, get(&server.url(path))).await.unwrap_err();
    assert!(matches!(fault, OutsideFault::Network(_)), "{fault}");
}

#[tokio::test]
async fn a_server_that_is_silent_is_left() {
    let server = Server::start(None).await;
    let request = HttpRequest {
        time: Duration::from_millis(50),
        ..get(&server.url("/silent"))
    };
    let fault = send(&LOOPBACK, request).await.unwrap_err();
    assert!(
        matches!(&fault, OutsideFault::Network(text) if text.contains("timed out")),
        "{fault}"
    );
}

#[tokio::test]
async fn where_nobody_listens_the_network_fails() {
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", server.local_addr().unwrap());
    drop(server);
    let fault = send(&LOOPBACK, get(&url)).await.unwrap_err();
    assert!(
        matches!(&fault, OutsideFault::Network(text) if text.contains("refused")),
        "{fault}"
    );
}

/// What the first request turns into.
#[rstest]
#[case("/302", "GET /final?x=1", true, false, false)]
#[case("/307", "POST /final", true, true, true)]
#[tokio::test]
async fn redirects_are_followed(
    #[case] path: &str,
    #[case] line: &str,
    #[case] with_secret: bool,
    #[case] with_type: bool,
    #[case] with_body: bool,
) {
    let server = Server::start(None).await;
    let request = HttpRequest {
        method: "POST".to_owned(),
        headers: vec![
            ("authorization".to_owned(), "secret".to_owned()),
            ("content-type".to_owned(), "text/plain".to_owned()),
        ],
        body: b"raw".to_vec(),
        follows_redirects: true,
        ..get(&server.url(path))
    };
    let response = send(&LOOPBACK, request).await.unwrap();
    assert_eq!(response.status_code, 200);
    let [_, second] = <[String; 2]>::try_from(server.asked()).unwrap();
    assert!(
        second.starts_with(&format!("{line} HTTP/1.1\r\n")),
        "{second}"
    );
    let referer = format!("referer: http://127.0.0.1:PORT{path}\r\n");
    assert!(second.contains(&referer), "{second}");
    assert_eq!(second.contains("authorization: secret"), with_secret);
    assert_eq!(second.contains("content-type: text/plain"), with_type);
    assert_eq!(second.ends_with("\r\n\r\nraw"), with_body);
}

#[tokio::test]
async fn secrets_are_for_the_first_host() {
    let other = Server::start(None).await;
    let port = other.address.port();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        let answer = format!(
            "HTTP/1.1 307 There\r\nLocation: http://localhost:{port}/json\r\nContent-Length: 0\r\n\r\n"
        );
        stream.write_all(answer.as_bytes()).await.unwrap();
    });
    let request = HttpRequest {
        headers: vec![
            ("authorization".to_owned(), "secret".to_owned()),
            ("cookie".to_owned(), "secret".to_owned()),
            ("x-a".to_owned(), "1".to_owned()),
        ],
        follows_redirects: true,
        ..get(&format!("http://{address}/"))
    };
    send(&["127.0.0.1", "localhost"], request).await.unwrap();
    let [asked] = <[String; 1]>::try_from(other.asked()).unwrap();
    assert!(!asked.contains("secret"), "{asked}");
    assert!(asked.contains("x-a: 1"), "{asked}");
}

#[tokio::test]
async fn a_redirect_without_a_place_is_the_answer() {
    let server = Server::start(None).await;
    let request = HttpRequest {
        follows_redirects: true,
        ..get(&server.url("/nowhere"))
    };
    assert_eq!(send(&LOOPBACK, request).await.unwrap().status_code, 301);
}

#[rstest]
#[case("/evil", "does not allow `evil.example:80`")]
#[case("/metadata", "does not allow `169.254.169.254:80`")]
#[case("/round", "more than 10 redirects")]
#[tokio::test]
async fn redirects_that_are_not_followed(#[case] path: &str, #[case] expected: &str) {
    let server = Server::start(None).await;
    let request = HttpRequest {
        follows_redirects: true,
        ..get(&server.url(path))
    };
    let fault = send(&LOOPBACK, request).await.unwrap_err();
    assert!(
        matches!(&fault, OutsideFault::Refused(text) if text.contains(expected)),
        "{fault}"
    );
}

/// Both lists have to name the host, with its port.
#[rstest]
#[case(&[], &["127.0.0.1"], "the administrator does not allow")]
#[case(&["127.0.0.1"], &[], "the policy's `network.hosts` does not allow")]
#[case(&["127.0.0.1:1"], &["127.0.0.1"], "the administrator does not allow")]
#[case(&["127.0.0.1"], &["127.0.0.1:1"], "the policy's `network.hosts` does not allow")]
#[case(&["localhost"], &["localhost"], "the administrator does not allow")]
#[case(&["*.0.0.1"], &["*.0.0.1"], "which is not public, and the administrator does not name it")]
#[tokio::test]
async fn hosts_that_are_not_allowed(
    #[case] administrator: &[&str],
    #[case] policy: &[&str],
    #[case] expected: &str,
) {
    let server = Server::start(None).await;
    let fault = send_by(
        hosts(administrator),
        hosts(policy),
        get(&server.url("/json")),
    )
    .await;
    let fault = fault.unwrap_err();
    assert!(
        matches!(&fault, OutsideFault::Refused(text) if text.contains(expected)),
        "{fault}"
    );
    assert_eq!(server.asked(), Vec::<String>::new());
}

#[rstest]
#[case("G T", "http://127.0.0.1/", &[], "invalid method")]
#[case("GET", "127.0.0.1", &[], "is no URL")]
#[case("GET", "http://127.0.0.1/", &[("x a", "1")], "invalid header")]
#[case("GET", "http://127.0.0.1/", &[("x-a", "1\r\nx-b: 2")], "invalid header")]
#[case("GET", "http://127.0.0.1/", &[("content-length", "1")], "is not supported")]
#[case("GET", "http://127.0.0.1/", &[("transfer-encoding", "chunked")], "is not supported")]
#[tokio::test]
async fn requests_that_are_none(
    #[case] method: &str,
    #[case] url: &str,
    #[case] headers: &[(&str, &str)],
    #[case] expected: &str,
) {
    let headers = headers.iter();
    let request = HttpRequest {
        method: method.to_owned(),
        headers: headers
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        ..get(url)
    };
    let fault = send(&LOOPBACK, request).await.unwrap_err();
    assert!(fault.to_string().contains(expected), "{fault}");
}

/// An authority and a server's certificate for `localhost` that it signed.
fn certificates() -> (String, Arc<ServerConfig>) {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let certificate = authority.self_signed(&key).unwrap();
    let issuer = Issuer::new(authority, key);
    let own = KeyPair::generate().unwrap();
    let server = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let server = server.signed_by(&own, &issuer).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let key = PrivateKeyDer::try_from(own.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![server.der().clone()], key)
        .unwrap();
    (certificate.pem(), Arc::new(config))
}

#[tokio::test]
async fn a_server_proves_its_name() {
    let (authority, config) = certificates();
    let server = Server::start(Some(config)).await;
    let port = server.address.port();
    let request = |host: &str, authorities: Option<&str>| HttpRequest {
        authorities: authorities.map(str::to_owned),
        ..get(&format!("https://{host}:{port}/json"))
    };
    let allowed = ["localhost", "127.0.0.1"];
    let response = send(&allowed, request("localhost", Some(&authority)))
        .await
        .unwrap();
    assert_eq!(response.status_code, 200);
    // For another name, of another authority, and of nobody whom the system trusts.
    let (other, _) = certificates();
    for request in [
        request("127.0.0.1", Some(&authority)),
        request("localhost", Some(&other)),
        request("localhost", None),
    ] {
        let fault = send(&allowed, request).await.unwrap_err();
        assert!(
            matches!(&fault, OutsideFault::Network(text) if text.contains("certificate")),
            "{fault}"
        );
    }
    let fault = send(&allowed, request("localhost", Some("nonsense"))).await;
    assert!(matches!(fault.unwrap_err(), OutsideFault::Invalid(_)));
    assert_eq!(server.asked().len(), 1);

    // Of the administrator's file, as it is now, unless the request names its own.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.crt");
    let network = super::reaching(&allowed).trusting(Some(file.clone()));
    let ask = async |authorities| network.ask(&request("localhost", authorities), 100).await;
    let fault = ask(None).await.unwrap_err().to_string();
    assert!(fault.contains("ca.crt` cannot be read"), "{fault}");
    std::fs::write(&file, "nonsense").unwrap();
    let fault = ask(None).await.unwrap_err().to_string();
    assert!(
        fault.contains("ca.crt` is no certificate in PEM"),
        "{fault}"
    );
    std::fs::write(&file, &authority).unwrap();
    assert_eq!(ask(None).await.unwrap().status_code, 200);
    ask(Some(&other)).await.unwrap_err();
    assert_eq!(server.asked().len(), 2);
}

#[tokio::test]
async fn names_are_looked_up() {
    let network = Network::new(hosts(&["localhost", "127.0.0.1", "*.0.0.2", "*.invalid"]));
    let found = off_the_reactor(move || {
        let policy = hosts(&["localhost", "127.0.0.1", "*.0.0.2", "gone.invalid"]);
        let lookup = |name: &str| network.lookup(name, &policy, PATIENCE);
        [
            lookup("127.0.0.1"),
            lookup("127.0.0.2"),
            lookup("other.invalid"),
            lookup("evil.example"),
            lookup("localhost").map(|found| {
                let is_loopback = |text: &String| text == "127.0.0.1" || text == "::1";
                found
                    .into_iter()
                    .filter(|text| !is_loopback(text))
                    .collect()
            }),
        ]
    })
    .await;
    let [address, private, policy, administrator, name] = found;
    assert_eq!(address.unwrap(), ["127.0.0.1".to_owned()].into());
    assert!(
        private
            .unwrap_err()
            .to_string()
            .contains("which is not public")
    );
    assert!(
        policy
            .unwrap_err()
            .to_string()
            .contains("`network.hosts` does not allow")
    );
    assert!(
        administrator
            .unwrap_err()
            .to_string()
            .contains("the administrator does not allow")
    );
    assert_eq!(name.unwrap(), [].into());
}
