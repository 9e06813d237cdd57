//! The server: TLS, its certificate, and its end.

use std::{net::SocketAddr, sync::Arc};

use axum::{Router, body::Body, http::Request, response::Response, routing::get};
use http_body_util::BodyExt as _;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use portcullis_webhook::{
    Certificate, CertificateFault, Phase, ServeFault, Shutdown, Transport, Trigger, serve,
};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::{
    ClientConfig, RootCertStore, SupportedProtocolVersion,
    pki_types::{CertificateDer, ServerName},
    version::{TLS12, TLS13},
};
use tokio::{
    io::AsyncReadExt as _,
    net::{TcpListener, TcpStream},
    sync::{Notify, Semaphore},
    task::JoinHandle,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

struct Server {
    address: SocketAddr,
    trigger: Trigger,
    shutdown: Shutdown,
    running: JoinHandle<Result<(), ServeFault>>,
}

impl Server {
    async fn start(router: Router, transport: Transport) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (trigger, shutdown) = Shutdown::new();
        let running = tokio::spawn(serve(listener, router, transport, shutdown.clone()));
        Self {
            address,
            trigger,
            shutdown,
            running,
        }
    }

    async fn end(self) {
        self.trigger.close();
        self.running.await.unwrap().unwrap();
        assert!(
            TcpStream::connect(self.address).await.is_err(),
            "it still accepts"
        );
    }
}

fn hello() -> Router {
    Router::new().route("/", get(async || "hello"))
}

fn issue() -> (CertificateDer<'static>, String, String) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    (cert.der().clone(), cert.pem(), signing_key.serialize_pem())
}

/// Connects with this version and protocol, and trusts these certificates.
async fn connect(
    address: SocketAddr,
    trusted: &[&CertificateDer<'static>],
    version: &'static SupportedProtocolVersion,
    protocol: &str,
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    for certificate in trusted {
        roots.add((*certificate).clone()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
}

async fn http1<S>(stream: S) -> http1::SendRequest<Body>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

async fn plain(address: SocketAddr) -> http1::SendRequest<Body> {
    http1(TcpStream::connect(address).await.unwrap()).await
}

fn request(path: &str) -> Request<Body> {
    Request::builder()
        .uri(path)
        .header("host", "localhost")
        .body(Body::empty())
        .unwrap()
}

async fn ask(sender: &mut http1::SendRequest<Body>, path: &str) -> Response<String> {
    sender.ready().await.unwrap();
    read(sender.send_request(request(path)).await.unwrap()).await
}

async fn read(response: hyper::Response<hyper::body::Incoming>) -> Response<String> {
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    Response::from_parts(parts, String::from_utf8(bytes.to_vec()).unwrap())
}

fn closes(response: &Response<String>) -> bool {
    response
        .headers()
        .get("connection")
        .is_some_and(|value| value == "close")
}

#[tokio::test]
async fn speaks_tls_1_3_and_nothing_older() {
    let (der, chain, key) = issue();
    let certificate = Certificate::empty();
    certificate
        .install(chain.as_bytes(), key.as_bytes())
        .unwrap();
    let server = Server::start(hello(), Transport::Tls(certificate)).await;
    let stream = connect(server.address, &[&der], &TLS13, "http/1.1")
        .await
        .unwrap();
    assert_eq!(ask(&mut http1(stream).await, "/").await.body(), "hello");
    let older = connect(server.address, &[&der], &TLS12, "http/1.1").await;
    assert!(older.unwrap_err().to_string().contains("ProtocolVersion"));
    server.end().await;
}

#[tokio::test]
async fn speaks_http_2() {
    let (der, chain, key) = issue();
    let certificate = Certificate::empty();
    certificate
        .install(chain.as_bytes(), key.as_bytes())
        .unwrap();
    let server = Server::start(hello(), Transport::Tls(certificate)).await;
    let stream = connect(server.address, &[&der], &TLS13, "h2")
        .await
        .unwrap();
    let (mut sender, connection) =
        http2::handshake::<_, _, Body>(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .unwrap();
    let connection = tokio::spawn(connection);
    let request = Request::builder()
        .uri("https://localhost/")
        .body(Body::empty())
        .unwrap();
    let answer = read(sender.send_request(request).await.unwrap()).await;
    assert_eq!(answer.body(), "hello");
    // Its connections are told to go elsewhere as soon as it drains.
    server.trigger.drain();
    connection.await.unwrap().unwrap();
    server.end().await;
}

#[tokio::test]
async fn a_new_certificate_drops_no_connection() {
    let ((first, chain, key), (second, next_chain, next_key)) = (issue(), issue());
    let certificate = Certificate::empty();
    assert!(!certificate.is_installed());
    let server = Server::start(hello(), Transport::Tls(certificate.clone())).await;
    connect(server.address, &[&first], &TLS13, "http/1.1")
        .await
        .unwrap_err();
    certificate
        .install(chain.as_bytes(), key.as_bytes())
        .unwrap();

    let stream = connect(server.address, &[&first], &TLS13, "http/1.1")
        .await
        .unwrap();
    let mut old = http1(stream).await;
    assert_eq!(ask(&mut old, "/").await.body(), "hello");
    certificate
        .install(next_chain.as_bytes(), next_key.as_bytes())
        .unwrap();
    assert_eq!(ask(&mut old, "/").await.body(), "hello");
    let stream = connect(server.address, &[&second], &TLS13, "http/1.1")
        .await
        .unwrap();
    assert_eq!(stream.get_ref().1.peer_certificates().unwrap(), [second]);
    assert_eq!(ask(&mut http1(stream).await, "/").await.body(), "hello");
    server.end().await;
}

#[test]
fn a_certificate_that_cannot_be_used_leaves_the_one_in_use() {
    let ((_, chain, key), (_, _, other_key)) = (issue(), issue());
    let certificate = Certificate::empty();
    certificate
        .install(chain.as_bytes(), key.as_bytes())
        .unwrap();
    let end = certificate.expires_at();
    assert!(end.is_some());
    let broken = b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n";
    let fault = |chain: &[u8], key: &[u8]| certificate.install(chain, key).unwrap_err();
    assert!(matches!(
        fault(b"", key.as_bytes()),
        CertificateFault::Empty
    ));
    assert!(matches!(
        fault(broken, key.as_bytes()),
        CertificateFault::Chain(_)
    ));
    assert!(matches!(
        fault(chain.as_bytes(), b""),
        CertificateFault::Key(_)
    ));
    let mixed = fault(chain.as_bytes(), other_key.as_bytes());
    assert!(matches!(mixed, CertificateFault::Unusable(_)), "{mixed}");
    assert!(certificate.is_installed());
    assert_eq!(certificate.expires_at(), end);
    assert!(!format!("{certificate:?}").contains("KEY"));
}

#[tokio::test]
async fn a_draining_server_answers_and_ends_each_connection_after_its_answer() {
    let server = Server::start(hello(), Transport::Plain).await;
    let (mut busy, mut idle) = (plain(server.address).await, plain(server.address).await);
    assert!(!closes(&ask(&mut busy, "/").await));
    assert!(!closes(&ask(&mut idle, "/").await));
    server.trigger.drain();
    assert!(closes(&ask(&mut busy, "/").await));
    assert!(
        closes(&ask(&mut plain(server.address).await, "/").await),
        "it accepts until it closes"
    );
    assert!(
        closes(&ask(&mut idle, "/").await),
        "an idle connection is left to its client"
    );
    server.end().await;
}

#[tokio::test]
async fn requests_under_way_are_answered_before_the_end() {
    let (begun, go) = (Arc::new(Semaphore::new(0)), Arc::new(Notify::new()));
    let (noted, awaited) = (begun.clone(), go.clone());
    let slow = get(async move || {
        noted.add_permits(1);
        awaited.notified().await;
        "at last"
    });
    let server = Server::start(Router::new().route("/", slow), Transport::Plain).await;
    let mut sender = plain(server.address).await;
    let answer = tokio::spawn(async move { ask(&mut sender, "/").await });
    begun.acquire().await.unwrap().forget();
    server.trigger.close();
    let mut shutdown = server.shutdown.clone();
    shutdown.reached(Phase::Closing).await;
    // The listener goes while the request is still under way.
    while TcpStream::connect(server.address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert!(!server.running.is_finished());
    go.notify_one();
    let answer = answer.await.unwrap();
    assert_eq!(answer.body(), "at last");
    assert!(closes(&answer));
    server.running.await.unwrap().unwrap();
}

/// A client as the API server is one: it keeps its connection, opens another where it was told to,
/// and repeats nothing.
#[tokio::test]
async fn no_request_fails_while_a_server_drains_under_traffic() {
    let server = Server::start(hello(), Transport::Plain).await;
    let (address, mut shutdown) = (server.address, server.shutdown.clone());
    let asked = Arc::new(Semaphore::new(0));
    let counter = asked.clone();
    let client = tokio::spawn(async move {
        let (mut sender, mut reconnected) = (plain(address).await, 0);
        // It goes elsewhere once it was told three times, as when the endpoint is gone.
        while reconnected < 3 {
            let answer = ask(&mut sender, "/").await;
            assert_eq!(answer.body(), "hello");
            counter.add_permits(1);
            if closes(&answer) {
                sender = plain(address).await;
                reconnected += 1;
            }
        }
    });
    asked.acquire_many(100).await.unwrap().forget();
    server.trigger.drain();
    shutdown.reached(Phase::Draining).await;
    client.await.unwrap();
    server.end().await;
}

#[tokio::test]
async fn a_silent_connection_does_not_keep_a_server_from_ending() {
    let certificate = Certificate::empty();
    let tls = Server::start(hello(), Transport::Tls(certificate)).await;
    let plain = Server::start(hello(), Transport::Plain).await;
    let silent = (
        TcpStream::connect(tls.address).await,
        TcpStream::connect(plain.address).await,
    );
    tls.end().await;
    plain.end().await;
    drop(silent);
}

#[tokio::test(start_paused = true)]
async fn who_connects_and_says_nothing_has_to_leave() {
    let certificate = Certificate::empty();
    for transport in [Transport::Plain, Transport::Tls(certificate)] {
        let server = Server::start(hello(), transport).await;
        let mut silent = TcpStream::connect(server.address).await.unwrap();
        let begin = tokio::time::Instant::now();
        assert_eq!(silent.read(&mut [0]).await.unwrap(), 0);
        assert!(begin.elapsed().as_secs() <= 10);
        server.end().await;
    }
}
