//! One request to one server, and its answer: over a connection of its own, or over a stream that leads
//! there.

use std::{error::Error, sync::Arc, time::Duration};

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{
    HeaderMap, Method, Request, Response, Uri,
    body::Bytes,
    client::conn::http1,
    header::{CONNECTION, HOST, HeaderValue, USER_AGENT},
};
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;

use super::HttpsFault;

/// What is asked of one server.
#[derive(Debug)]
pub(crate) struct Call<'c> {
    /// The URL.
    pub(crate) url: &'c str,
    /// The method.
    pub(crate) method: Method,
    /// Headers, beside those of the connection.
    pub(crate) headers: HeaderMap,
    /// The body; empty for none.
    pub(crate) body: Bytes,
    /// How TLS is spoken with an `https` server.
    pub(crate) tls: Option<Arc<ClientConfig>>,
    /// Time for the whole call.
    pub(crate) patience: Duration,
    /// Bytes that are read of the answer; a longer one is a fault.
    pub(crate) limit: usize,
}

impl Call<'_> {
    /// Asks over a connection of its own, to the URL's address or to another one.
    pub(crate) async fn ask(self, at: Option<String>) -> Result<Response<Bytes>, HttpsFault> {
        let target = Target::parse(self.url)?;
        let address = at.unwrap_or_else(|| target.address());
        let patience = self.patience;
        let asked = async {
            let stream = connect(&address).await?;
            self.speak(stream, &target, &address).await
        };
        in_time(&target, patience, asked).await
    }

    /// Asks over a stream that somebody has led to the server.
    pub(crate) async fn ask_over(
        self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    ) -> Result<Response<Bytes>, HttpsFault> {
        let target = Target::parse(self.url)?;
        let patience = self.patience;
        let address = target.address();
        let asked = self.speak(stream, &target, &address);
        in_time(&target, patience, asked).await
    }

    async fn speak(
        self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        target: &Target,
        address: &str,
    ) -> Result<Response<Bytes>, HttpsFault> {
        let answer = match (target.tls, self.tls.clone()) {
            (false, _) => self.exchange(stream, target).await,
            (true, None) => return Err(HttpsFault::AuthorityMissing(self.url.to_owned())),
            (true, Some(config)) => {
                let connector = TlsConnector::from(config);
                let tls = connector.connect(target.name.clone(), stream).await;
                let stream = tls.map_err(|source| HttpsFault::Tls {
                    address: address.to_owned(),
                    source,
                })?;
                self.exchange(stream, target).await
            }
        };
        answer.map_err(|source| HttpsFault::Answer {
            address: address.to_owned(),
            source,
        })
    }

    /// One request and its answer.
    async fn exchange(
        self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        target: &Target,
    ) -> Result<Response<Bytes>, Box<dyn Error + Send + Sync>> {
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let mut request = Request::new(Full::new(self.body));
        *request.method_mut() = self.method;
        *request.uri_mut() = target.path.parse()?;
        *request.headers_mut() = self.headers;
        let agent = concat!("portcullis/", env!("CARGO_PKG_VERSION"));
        let headers = request.headers_mut();
        headers.insert(HOST, format!("{}:{}", target.host, target.port).parse()?);
        headers.insert(USER_AGENT, HeaderValue::from_static(agent));
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        let limit = self.limit;
        let answer = async {
            let (head, body) = sender.send_request(request).await?.into_parts();
            let body = Limited::new(body, limit).collect().await?;
            Ok(Response::from_parts(head, body.to_bytes()))
        };
        answered(answer, connection).await
    }
}

/// What a URL says.
pub(super) struct Target {
    tls: bool,
    /// As the URL writes it: an IPv6 address in brackets.
    host: String,
    port: u16,
    path: String,
    name: ServerName<'static>,
}

impl Target {
    pub(super) fn parse(url: &str) -> Result<Self, HttpsFault> {
        let invalid = || HttpsFault::Url(url.to_owned());
        let uri: Uri = url.parse().map_err(|_| invalid())?;
        let tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(invalid()),
        };
        let host = uri
            .host()
            .filter(|host| !host.is_empty())
            .ok_or_else(invalid)?
            .to_owned();
        let bare = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        let name = ServerName::try_from(bare).map_err(|_| invalid())?;
        let port = uri.port_u16().unwrap_or(if tls { 443 } else { 80 });
        let path = uri
            .path_and_query()
            .map_or("/", |path| path.as_str())
            .to_owned();
        Ok(Self {
            tls,
            host,
            port,
            path,
            name,
        })
    }

    fn address(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}

async fn connect(address: &str) -> Result<TcpStream, HttpsFault> {
    let connected = TcpStream::connect(address).await;
    connected.map_err(|source| HttpsFault::Connect {
        address: address.to_owned(),
        source,
    })
}

async fn in_time<T>(
    target: &Target,
    patience: Duration,
    asked: impl Future<Output = Result<T, HttpsFault>>,
) -> Result<T, HttpsFault> {
    let answered = timeout(patience, asked).await;
    answered.unwrap_or_else(|_| {
        Err(HttpsFault::Late {
            address: target.address(),
            patience,
        })
    })
}

/// An answer, while a connection moves its bytes. That may end before the answer is read to its end:
/// a server that was asked to closes behind its last byte.
pub(crate) async fn answered<T, E: From<hyper::Error>>(
    answer: impl Future<Output = Result<T, E>>,
    connection: impl Future<Output = hyper::Result<()>>,
) -> Result<T, E> {
    tokio::pin!(answer);
    tokio::pin!(connection);
    tokio::select! {
        answered = &mut answer => answered,
        ended = &mut connection => {
            ended?;
            answer.await
        }
    }
}
