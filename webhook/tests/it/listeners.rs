//! Both versions of HTTP on both kinds of listeners, heads that are too long, and client certificates, on
//! real sockets.

use std::{net::SocketAddr, sync::Arc};

use axum::{Extension, Router, body::Body, http::Request, response::Response, routing::get};
use http_body_util::BodyExt as _;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use portcullis_webhook::{
    Access, Certificate, CertificateReader, ClientAuthorities, Identity, Method, ServeFault,
    Shutdown, Transport, Trigger, admin_router, evaluation_router, serve,
};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair,
};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName},
    version::TLS13,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::fixture::Fixture;

const EVALUATION: &str = "/policy/tasks/authz/1.0/evaluation";

pub(crate) struct Server {
    address: SocketAddr,
    trigger: Trigger,
    running: JoinHandle<Result<(), ServeFault>>,
}

impl Server {
    pub(crate) async fn start(router: Router, transport: Transport) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (trigger, shutdown) = Shutdown::new();
        let running = tokio::spawn(serve(listener, router, transport, shutdown));
        Self {
            address,
            trigger,
            running,
        }
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    pub(crate) async fn end(self) {
        self.trigger.close();
        self.running.await.unwrap().unwrap();
    }
}

/// An authority, and what it signs.
struct Authority(CertifiedIssuer<'static, KeyPair>);

type Pair = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn sign(&self, name: &str, purpose: ExtendedKeyUsagePurpose) -> (String, String) {
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![purpose];
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    fn server(&self) -> Arc<Certificate> {
        let (chain, key) = self.sign("server", ExtendedKeyUsagePurpose::ServerAuth);
        let certificate = Certificate::empty();
        certificate
            .install(chain.as_bytes(), key.as_bytes())
            .unwrap();
        certificate
    }

    fn client(&self, name: &str, purpose: ExtendedKeyUsagePurpose) -> Pair {
        use rustls::pki_types::pem::PemObject as _;
        let (chain, key) = self.sign(name, purpose);
        let chain = CertificateDer::pem_slice_iter(chain.as_bytes());
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
        (chain.map(Result::unwrap).collect(), key)
    }

    /// Connects to a server of this authority, with a certificate or without.
    async fn connect(
        &self,
        server: &Server,
        protocol: &str,
        certificate: Option<Pair>,
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match certificate {
            Some((chain, key)) => builder.with_client_auth_cert(chain, key).unwrap(),
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        let name = ServerName::try_from("localhost").unwrap();
        let connector = TlsConnector::from(Arc::new(config));
        connector.connect(name, server.connect().await).await
    }
}

fn request(path: &str) -> Request<Body> {
    let uri = format!("http://localhost{path}");
    Request::builder().uri(uri).body(Body::empty()).unwrap()
}

async fn read(response: hyper::Response<hyper::body::Incoming>) -> Response<String> {
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    Response::from_parts(parts, String::from_utf8(bytes.to_vec()).unwrap())
}

/// Asks several times over one connection of HTTP/1.1.
pub(crate) async fn over_http1<S>(stream: S, paths: &[&str]) -> Vec<u16>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let mut statuses = Vec::new();
    for path in paths {
        sender.ready().await.unwrap();
        let mut request = request(path);
        *request.uri_mut() = path.parse().unwrap();
        request
            .headers_mut()
            .insert("host", "localhost".parse().unwrap());
        let answer = read(sender.send_request(request).await.unwrap()).await;
        assert_eq!(answer.version(), axum::http::Version::HTTP_11);
        statuses.push(answer.status().as_u16());
    }
    statuses
}

/// Asks all at once over one connection of HTTP/2.
async fn over_http2<S>(stream: S, requests: Vec<Request<Body>>) -> Vec<Response<String>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let stream = TokioIo::new(stream);
    let handshake = http2::handshake::<_, _, Body>(TokioExecutor::new(), stream);
    let (sender, connection) = handshake.await.unwrap();
    tokio::spawn(connection);
    let asked = requests.into_iter().map(|request| {
        let mut sender = sender.clone();
        async move { read(sender.send_request(request).await.unwrap()).await }
    });
    let answers = futures::future::join_all(asked).await;
    for answer in &answers {
        assert_eq!(answer.version(), axum::http::Version::HTTP_2);
    }
    answers
}

fn statuses(answers: &[Response<String>]) -> Vec<u16> {
    answers.iter().map(|it| it.status().as_u16()).collect()
}

#[tokio::test]
async fn both_versions_on_every_listener() {
    let fixture = Fixture::usual();
    let authority = Authority::new();
    let evaluation = || evaluation_router(fixture.doors());
    let paths = [EVALUATION, "/health", EVALUATION];
    let many = || (0..50).map(|_| request(EVALUATION)).collect();
    for transport in [Transport::Plain, Transport::Tls(authority.server())] {
        let is_plain = matches!(transport, Transport::Plain);
        let server = Server::start(evaluation(), transport).await;
        if is_plain {
            assert_eq!(over_http1(server.connect().await, &paths).await, [200; 3]);
            let answers = over_http2(server.connect().await, many()).await;
            assert_eq!(statuses(&answers), [200; 50]);
        } else {
            let stream = authority.connect(&server, "http/1.1", None).await.unwrap();
            assert_eq!(over_http1(stream, &paths).await, [200; 3]);
            let stream = authority.connect(&server, "h2", None).await.unwrap();
            assert_eq!(statuses(&over_http2(stream, many()).await), [200; 50]);
        }
        server.end().await;
    }
    let server = Server::start(admin_router(fixture.doors()), Transport::Plain).await;
    let paths = ["/livez", "/readyz", "/metrics"];
    assert_eq!(over_http1(server.connect().await, &paths).await, [200; 3]);
    let requests = paths.map(request).into();
    let answers = over_http2(server.connect().await, requests).await;
    assert_eq!(statuses(&answers), [200; 3]);
    server.end().await;
}

/// A head that is too long is refused in both versions, and the next request is served.
#[tokio::test]
async fn a_head_has_a_bound() {
    let fixture = Fixture::usual();
    let server = Server::start(evaluation_router(fixture.doors()), Transport::Plain).await;
    let mut stream = server.connect().await;
    let head = format!("GET {EVALUATION} HTTP/1.1\r\nhost: localhost\r\nx: ");
    stream.write_all(head.as_bytes()).await.unwrap();
    // What is refused need not be read to its end.
    let _ = stream.write_all(&vec![b'x'; 80 << 10]).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");

    let mut long = request(EVALUATION);
    let value = "x".repeat(80 << 10).parse().unwrap();
    long.headers_mut().insert("x", value);
    let answers = over_http2(server.connect().await, vec![long, request(EVALUATION)]).await;
    assert_eq!(statuses(&answers), [431, 200]);

    let long = format!("{EVALUATION}?{}", "x".repeat(70 << 10));
    let line = format!("GET {long} HTTP/1.1\r\nhost: localhost\r\n\r\n");
    let mut stream = server.connect().await;
    let _ = stream.write_all(line.as_bytes()).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");

    assert_eq!(
        over_http1(server.connect().await, &[EVALUATION]).await,
        [200]
    );
    server.end().await;
}

/// Names every certificate by its issuer's word, `web` alone among them.
struct Names;

impl CertificateReader for Names {
    fn identify(&self, certificate: &CertificateDer<'_>) -> Result<Identity, String> {
        // The common name as it stands in the DER.
        let has = |name: &str| {
            certificate
                .windows(name.len())
                .any(|it| it == name.as_bytes())
        };
        if has("web-client") {
            Identity::new(Method::Certificate, "web-client", []).map_err(|it| it.to_string())
        } else {
            Err("it may not ask here".to_owned())
        }
    }
}

#[tokio::test]
async fn client_certificates_say_who_asks() {
    let fixture = Fixture::usual();
    let (authority, stranger) = (Authority::new(), Authority::new());
    let clients = ClientAuthorities::empty();
    let who = async |Extension(caller): Extension<Arc<Identity>>| {
        format!("{} by {}", caller.name(), caller.method())
    };
    let access = Access {
        certificates: Some(Arc::new(Names)),
        ..Access::default()
    };
    let router = evaluation_router(fixture.doors()).route("/who", get(who));
    let router = access.guard(&fixture.doors(), router);
    let transport = Transport::MutualTls(authority.server(), clients.clone());
    let server = Server::start(router, transport).await;
    let ask = async |certificate: Option<Pair>, path: &str| {
        let stream = authority.connect(&server, "h2", certificate).await?;
        let stream = TokioIo::new(stream);
        let handshake = http2::handshake::<_, _, Body>(TokioExecutor::new(), stream);
        let (mut sender, connection) = handshake.await.map_err(std::io::Error::other)?;
        tokio::spawn(connection);
        let answer = sender.send_request(request(path)).await;
        Ok::<_, std::io::Error>(read(answer.map_err(std::io::Error::other)?).await)
    };
    let web = |of: &Authority| of.client("web-client", ExtendedKeyUsagePurpose::ClientAuth);

    // Nobody has said yet whom to trust.
    assert!(ask(Some(web(&authority)), "/who").await.is_err());
    clients.install(authority.0.pem().as_bytes()).unwrap();
    let answer = ask(Some(web(&authority)), "/who").await.unwrap();
    assert_eq!(answer.body(), "web-client by mtls");
    let answer = ask(Some(web(&authority)), EVALUATION).await.unwrap();
    assert_eq!(answer.status(), 200);

    let nobody = ask(None, "/who").await.unwrap();
    assert_eq!(nobody.status(), 401);
    assert!(
        nobody.body().contains("REQUEST.UNAUTHENTICATED"),
        "{}",
        nobody.body()
    );
    assert_eq!(nobody.headers()["www-authenticate"], "Certificate");
    assert_eq!(
        ask(None, "/health").await.unwrap().status(),
        200,
        "probes have none"
    );
    let other = authority.client("other", ExtendedKeyUsagePurpose::ClientAuth);
    let other = ask(Some(other), "/who").await.unwrap();
    assert_eq!(other.status(), 403);
    assert!(
        other.body().contains("REQUEST.FORBIDDEN"),
        "{}",
        other.body()
    );

    assert!(
        ask(Some(web(&stranger)), "/health").await.is_err(),
        "another authority"
    );
    let server_only = authority.client("web-client", ExtendedKeyUsagePurpose::ServerAuth);
    assert!(
        ask(Some(server_only), "/health").await.is_err(),
        "another purpose"
    );

    // What is no authority changes nothing, and another one takes over.
    assert!(clients.install(b"").is_err());
    assert!(
        clients
            .install(b"-----BEGIN CERTIFICATE-----\n!\n")
            .is_err()
    );
    assert_eq!(
        ask(Some(web(&authority)), "/who").await.unwrap().status(),
        200
    );
    clients.install(stranger.0.pem().as_bytes()).unwrap();
    assert!(ask(Some(web(&authority)), "/who").await.is_err());
    assert_eq!(
        ask(Some(web(&stranger)), "/who").await.unwrap().status(),
        200
    );
    server.end().await;
}

/// A policy is shown the caller's certificates as OPA shows them.
#[tokio::test]
async fn a_policy_reads_client_certificates() {
    let source = "package system.authz\n\
        allow if input.client_certificates[0].Subject.CommonName == \"web-client\"";
    let fixture = Fixture::usual().with(crate::fixture::define("system/authz@1.0", source));
    let authority = Authority::new();
    let clients = ClientAuthorities::empty();
    clients.install(authority.0.pem().as_bytes()).unwrap();
    let access = Access {
        by_policy: true,
        ..Access::default()
    };
    let router = access.guard(&fixture.doors(), evaluation_router(fixture.doors()));
    let transport = Transport::MutualTls(authority.server(), clients);
    let server = Server::start(router, transport).await;
    let web = authority.client("web-client", ExtendedKeyUsagePurpose::ClientAuth);
    let stream = authority
        .connect(&server, "http/1.1", Some(web))
        .await
        .unwrap();
    assert_eq!(over_http1(stream, &[EVALUATION]).await, [200]);
    let other = authority.client("other", ExtendedKeyUsagePurpose::ClientAuth);
    let stream = authority
        .connect(&server, "http/1.1", Some(other))
        .await
        .unwrap();
    assert_eq!(over_http1(stream, &[EVALUATION]).await, [403]);
    let stream = authority.connect(&server, "http/1.1", None).await.unwrap();
    assert_eq!(over_http1(stream, &[EVALUATION]).await, [403]);
    server.end().await;
}
