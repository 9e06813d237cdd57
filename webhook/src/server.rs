//! Serves a router on a listener: plain or TLS 1.3, every wait bounded, with an end in phases.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    http::{HeaderValue, Request, Version, header::CONNECTION},
    response::Response,
};
use hyper::{body::Incoming, server::conn::http1, server::conn::http2, service::Service};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinSet,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt as _;

use crate::{Certificate, Phase, Shutdown};

/// Connections at a time. The API server keeps 25 idle ones for each host and opens more under
/// load; with 1,024 open files, a usual default, two listeners of this size leave room for the
/// rest.
const MAX_CONNECTIONS: usize = 400;

/// Time for a handshake: what the API server waits for a whole call.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Time until the next request's head must have been read, idle time included. Clients written in
/// Go close idle connections after 90 seconds; a server that is faster closes some of them in the
/// moment in which they are used, which fails an admission.
const IDLE_TIMEOUT: Duration = Duration::from_mins(2);

/// Time for requests under way when a server closes: more than the deadline of any of them.
const FINISH_TIMEOUT: Duration = Duration::from_secs(15);

/// Pause after a failed accept, which is most often a lack of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Bytes that a connection buffers, and so the longest head of a request. Bearer tokens take some
/// kilobytes at most.
const MAX_BUFFER: usize = 64 << 10;

/// Requests at a time on one connection of HTTP/2: what one connection should be able to queue
/// without keeping others out.
const MAX_STREAMS: u32 = 100;

/// How a connection is protected.
#[derive(Clone, Debug)]
pub enum Transport {
    /// Not at all, and HTTP/1.1 only: for loopback and the administrator's port.
    Plain,
    /// TLS 1.3 with this certificate, HTTP/1.1 or HTTP/2.
    Tls(Arc<Certificate>),
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
    let acceptor = match transport {
        Transport::Plain => None,
        Transport::Tls(certificate) => Some(acceptor(certificate).map_err(ServeFault::Tls)?),
    };
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut connections = JoinSet::new();
    let mut closing = shutdown.clone();
    loop {
        // The place comes first: who has none waits in the kernel's backlog, which is bounded.
        let next = async {
            let place = room
                .clone()
                .acquire_owned()
                .await
                .expect("the semaphore is never closed");
            (listener.accept().await, place)
        };
        let (accepted, place) = tokio::select! {
            () = closing.reached(Phase::Closing) => break,
            next = next => next,
        };
        while connections.try_join_next().is_some() {}
        match accepted {
            Ok((stream, _)) => {
                let connection =
                    connect(stream, acceptor.clone(), router.clone(), shutdown.clone());
                connections.spawn(async move {
                    connection.await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "failed to accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
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

fn acceptor(certificate: Arc<Certificate>) -> Result<TlsAcceptor, rustls::Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_no_client_auth()
        .with_cert_resolver(certificate);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

async fn connect(
    stream: TcpStream,
    acceptor: Option<TlsAcceptor>,
    router: Router,
    mut shutdown: Shutdown,
) {
    // An answer is small and whole; waiting for more to send with it only makes it late.
    let _ = stream.set_nodelay(true);
    let Some(acceptor) = acceptor else {
        return converse_http1(stream, router, shutdown).await;
    };
    let handshake = timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream));
    let accepted = tokio::select! {
        accepted = handshake => accepted,
        () = shutdown.reached(Phase::Closing) => return,
    };
    match accepted {
        Ok(Ok(stream)) if stream.get_ref().1.alpn_protocol() == Some(b"h2") => {
            converse_http2(stream, router, shutdown).await;
        }
        Ok(Ok(stream)) => converse_http1(stream, router, shutdown).await,
        Ok(Err(error)) => tracing::debug!(%error, "handshake failed"),
        Err(_) => tracing::debug!("handshake took too long"),
    }
}

async fn converse_http1<S>(stream: S, router: Router, mut shutdown: Shutdown)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE_TIMEOUT)
        .max_buf_size(MAX_BUFFER)
        .serve_connection(TokioIo::new(stream), service(router, shutdown.clone()));
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        // Closing an idle connection earlier could cross a request on its way. While it drains,
        // each answer says that the connection ends, which the client reads before it asks again.
        () = shutdown.reached(Phase::Closing) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "connection ended");
    }
}

async fn converse_http2<S>(stream: S, router: Router, mut shutdown: Shutdown)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .keep_alive_interval(IDLE_TIMEOUT)
        .max_concurrent_streams(MAX_STREAMS)
        .serve_connection(TokioIo::new(stream), service(router, shutdown.clone()));
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        // HTTP/2 says which request was the last one taken, so nothing can cross.
        () = shutdown.reached(Phase::Draining) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "connection ended");
    }
}

fn service(
    router: Router,
    shutdown: Shutdown,
) -> impl Service<Request<Incoming>, Response = Response, Error = Infallible, Future: Send + 'static>
+ Clone {
    hyper::service::service_fn(move |request: Request<Incoming>| {
        let (router, shutdown) = (router.clone(), shutdown.clone());
        async move {
            let version = request.version();
            let mut response = router.oneshot(request.map(Body::new)).await?;
            if version != Version::HTTP_2 && shutdown.phase() > Phase::Running {
                response
                    .headers_mut()
                    .insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Ok(response)
        }
    })
}
