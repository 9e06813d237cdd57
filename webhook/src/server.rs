//! Serves a router on a listener: plain or TLS 1.3, every wait bounded, with an end in phases.

use std::{convert::Infallible, fmt, net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    http::{HeaderValue, Request, Version, header::CONNECTION},
    response::Response,
};
use hyper::{body::Incoming, server::conn::http1, server::conn::http2, service::Service};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulConnection},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt as _;

use crate::{
    Certificate, ClientAuthorities, Phase, Shutdown,
    access::Peer,
    body::Room,
    connections::{Connections, IDLE, Place},
    exchange::{self, Asking},
    whence::Whence,
};

/// Connections at a time. The API server keeps 25 idle ones for each host and opens more under
/// load; with 1,024 open files, a usual default, two listeners of this size leave room for the
/// rest. Beyond it, idle ones make room.
const MAX_CONNECTIONS: usize = 400;

/// Time for requests under way when a server closes: more than the deadline of any of them.
const FINISH_TIMEOUT: Duration = Duration::from_secs(15);

/// Pause after a failed accept, which is most often a lack of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Bytes that a connection buffers, and so the longest head of a request. Bearer tokens take some
/// kilobytes at most.
const MAX_BUFFER: usize = 64 << 10;

/// The same over HTTP/2, as it counts them: each with 32 bytes beside its name and its value.
const MAX_HEADERS: u32 = 64 << 10;

/// Requests at a time on one connection of HTTP/2: what one connection should be able to queue
/// without keeping others out.
const MAX_STREAMS: u32 = 100;

/// How a connection is protected.
#[derive(Clone, Debug)]
pub enum Transport {
    /// Not at all, HTTP/1.1 or, for a client that knows it beforehand, HTTP/2: for loopback and the
    /// administrator's port.
    Plain,
    /// TLS 1.3 with this certificate, HTTP/1.1 or HTTP/2.
    Tls(Arc<Certificate>),
    /// The same, where a client may show a certificate that one of these authorities has signed.
    MutualTls(Arc<Certificate>, Arc<ClientAuthorities>),
}

/// Why a server cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum ServeFault {
    /// TLS cannot be set up.
    #[error("failed to set up TLS")]
    Tls(#[source] rustls::Error),
}

/// Serves until `shutdown` closes and the requests under way are answered, which takes fifteen
/// seconds at most.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    transport: Transport,
    shutdown: Shutdown,
) -> Result<(), ServeFault> {
    serve_at_most(MAX_CONNECTIONS, listener, router, transport, shutdown).await
}

async fn serve_at_most(
    limit: usize,
    listener: TcpListener,
    router: Router,
    transport: Transport,
    shutdown: Shutdown,
) -> Result<(), ServeFault> {
    let acceptor = match transport {
        Transport::Plain => None,
        Transport::Tls(certificate) => Some(acceptor(certificate, None).map_err(ServeFault::Tls)?),
        Transport::MutualTls(certificate, clients) => {
            Some(acceptor(certificate, Some(clients)).map_err(ServeFault::Tls)?)
        }
    };
    let (places, answers) = (Connections::new(limit), Room::for_answers());
    let mut connections = JoinSet::new();
    let mut closing = shutdown.clone();
    loop {
        let accepted = tokio::select! {
            () = closing.reached(Phase::Closing) => break,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "failed to accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        // Whoever comes next waits in the kernel's backlog, which is bounded.
        let place = tokio::select! {
            () = closing.reached(Phase::Closing) => break,
            place = places.enter(peer.ip()) => place,
        };
        while connections.try_join_next().is_some() {}
        let visit = Visit {
            place,
            address: peer,
            peer: Peer::new(peer.ip()),
            router: router.clone(),
            answers: answers.clone(),
            shutdown: shutdown.clone(),
        };
        connections.spawn(visit.of(stream, acceptor.clone()));
    }
    drop(listener);
    let finished = timeout(FINISH_TIMEOUT, async {
        while connections.join_next().await.is_some() {}
    });
    if finished.await.is_err() {
        tracing::warn!(
            connections = connections.len(),
            "ended with requests under way"
        );
    }
    Ok(())
}

fn acceptor(
    certificate: Arc<Certificate>,
    clients: Option<Arc<ClientAuthorities>>,
) -> Result<TlsAcceptor, rustls::Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?;
    let builder = match clients {
        Some(clients) => builder.with_client_cert_verifier(clients),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_cert_resolver(certificate);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// One connection, from its beginning to its end.
struct Visit {
    place: Arc<Place>,
    address: SocketAddr,
    peer: Peer,
    router: Router,
    answers: Room,
    shutdown: Shutdown,
}

impl Visit {
    async fn of(mut self, stream: TcpStream, acceptor: Option<TlsAcceptor>) {
        // An answer is small and whole; waiting for more to send with it only makes it late.
        let _ = stream.set_nodelay(true);
        let Some(acceptor) = acceptor else {
            return self.converse_either(stream).await;
        };
        let accepted = tokio::select! {
            accepted = acceptor.accept(stream) => accepted,
            () = self.place.overstayed() => return,
            () = self.shutdown.reached(Phase::Closing) => return,
        };
        if let Ok(stream) = &accepted {
            let certificates = stream.get_ref().1.peer_certificates();
            self.peer = self.peer.with_certificates(certificates);
        }
        match accepted {
            Ok(stream) if stream.get_ref().1.alpn_protocol() == Some(b"h2") => {
                self.converse_http2(stream).await;
            }
            Ok(stream) => self.converse_http1(stream).await,
            Err(error) => tracing::debug!(%error, "handshake failed"),
        }
    }

    /// A client says by its first bytes which of the two it speaks (RFC 9113, section 3.3).
    async fn converse_either<S: AsyncRead + AsyncWrite + Unpin + 'static>(self, stream: S) {
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(IDLE)
            .max_buf_size(MAX_BUFFER);
        builder
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(IDLE)
            .max_concurrent_streams(MAX_STREAMS)
            .max_header_list_size(MAX_HEADERS);
        let connection = builder.serve_connection(TokioIo::new(stream), self.service());
        self.converse(connection.into_owned(), Phase::Closing).await;
    }

    async fn converse_http1<S: AsyncRead + AsyncWrite + Unpin + 'static>(self, stream: S) {
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(IDLE)
            .max_buf_size(MAX_BUFFER)
            .serve_connection(TokioIo::new(stream), self.service());
        // Closing an idle connection earlier could cross a request on its way. While it drains,
        // each answer says that the connection ends, which the client reads before it asks again.
        self.converse(connection, Phase::Closing).await;
    }

    async fn converse_http2<S: AsyncRead + AsyncWrite + Unpin + 'static>(self, stream: S) {
        let connection = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .keep_alive_interval(IDLE)
            .max_concurrent_streams(MAX_STREAMS)
            .max_header_list_size(MAX_HEADERS)
            .serve_connection(TokioIo::new(stream), self.service());
        // HTTP/2 says which request was the last one taken, so nothing can cross.
        self.converse(connection, Phase::Draining).await;
    }

    /// Answers until the client ends, the connection has to leave, or the server is in the phase
    /// `last`.
    async fn converse<E: fmt::Display>(
        mut self,
        connection: impl GracefulConnection<Error = E>,
        last: Phase,
    ) {
        let mut connection = std::pin::pin!(connection);
        let leaves = tokio::select! {
            ended = connection.as_mut() => return tell(ended),
            () = self.place.overstayed() => true,
            () = self.shutdown.reached(last) => false,
        };
        connection.as_mut().graceful_shutdown();
        tokio::select! {
            // One that is idle ends by itself.
            biased;
            ended = connection => tell(ended),
            () = self.place.abandoned(), if leaves => {}
        }
    }

    fn service(
        &self,
    ) -> impl Service<
        Request<Incoming>,
        Response = Response,
        Error = Infallible,
        Future: Send + 'static,
    > + Clone
    + use<> {
        let Self {
            place,
            address,
            peer,
            router,
            answers,
            shutdown,
        } = self;
        let (place, peer, router) = (place.clone(), peer.clone(), router.clone());
        let address = *address;
        let (answers, shutdown) = (answers.clone(), shutdown.clone());
        hyper::service::service_fn(move |mut request: Request<Incoming>| {
            let under_way = place.begin();
            let (router, answers) = (router.clone(), answers.clone());
            let (peer, shutdown) = (peer.clone(), shutdown.clone());
            async move {
                let version = request.version();
                request.extensions_mut().insert(peer);
                request.extensions_mut().insert(Whence::next_of(address));
                let request = request.map(|body| Body::new(Asking::new(body, &under_way)));
                let response = router.oneshot(request).await?;
                let mut response = exchange::answer(response, under_way, &answers);
                if version != Version::HTTP_2 && shutdown.phase() > Phase::Running {
                    response
                        .headers_mut()
                        .insert(CONNECTION, HeaderValue::from_static("close"));
                }
                Ok(response)
            }
        })
    }
}

fn tell(ended: Result<(), impl fmt::Display>) {
    if let Err(error) = ended {
        tracing::debug!(%error, "connection ended");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::get;
    use std::net::Ipv4Addr;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    const ASK: &[u8] = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n";

    /// Asks, and reads an answer that ends with `end`.
    async fn ask(stream: &mut TcpStream, end: &[u8]) {
        stream.write_all(ASK).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(end) {
            assert!(stream.read_buf(&mut answer).await.unwrap() > 0, "it ended");
        }
    }

    #[tokio::test]
    async fn idle_connections_make_room_for_new_ones() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (trigger, shutdown) = Shutdown::new();
        let router = Router::new().route("/", get(async || "hello"));
        let server = serve_at_most(2, listener, router, Transport::Plain, shutdown);
        let server = tokio::spawn(server);
        let mut idle = Vec::new();
        for _ in 0..10 {
            let mut stream = TcpStream::connect(address).await.unwrap();
            ask(&mut stream, b"hello").await;
            idle.push(stream);
        }
        for mut stream in idle.drain(..8) {
            assert_eq!(
                stream.read(&mut [0]).await.unwrap(),
                0,
                "it was told to leave"
            );
        }
        for mut stream in idle {
            ask(&mut stream, b"hello").await;
        }
        trigger.close();
        server.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn half_sent_requests_and_unread_answers_make_room_for_new_ones() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (trigger, shutdown) = Shutdown::new();
        let long = async || "x".repeat(32 << 20);
        let router = Router::new()
            .route("/", get(async || "hello").post(async |body: String| body))
            .route("/long", get(long));
        let server = serve_at_most(4, listener, router, Transport::Plain, shutdown);
        let server = tokio::spawn(server);
        let mut slow = Vec::new();
        for start in [
            "GET / HT",
            "POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\nhalf",
            "GET /long HTTP/1.1\r\nhost: localhost\r\n\r\n",
        ] {
            for _ in 0..4 {
                let mut stream = TcpStream::connect(address).await.unwrap();
                stream.write_all(start.as_bytes()).await.unwrap();
                slow.push(stream);
            }
            let mut stream = TcpStream::connect(address).await.unwrap();
            ask(&mut stream, b"hello").await;
        }
        trigger.close();
        server.await.unwrap().unwrap();
        drop(slow);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_does_not_read_its_answer_is_not_waited_for() {
        let (mut client, stream) = tokio::io::duplex(1024);
        client.write_all(ASK).await.unwrap();
        let (_trigger, shutdown) = Shutdown::new();
        let visit = Visit {
            place: Connections::new(1).enter(Ipv4Addr::LOCALHOST.into()).await,
            address: (Ipv4Addr::LOCALHOST, 1).into(),
            peer: Peer::new(Ipv4Addr::LOCALHOST.into()),
            router: Router::new().route("/", get(async || "x".repeat(1 << 20))),
            answers: Room::for_answers(),
            shutdown,
        };
        visit.converse_either(stream).await;
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).await.unwrap();
        assert!(answer.starts_with(b"HTTP/1.1 200 OK") && answer.len() <= 1024);
    }
}
