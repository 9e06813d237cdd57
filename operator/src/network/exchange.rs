//! One request to one server, and its answer.

use std::{error::Error, net::SocketAddr, sync::Arc};

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{
    HeaderMap, Method, Request, Response,
    body::{Bytes, Incoming},
    client::conn::http1,
    ext::ReasonPhrase,
    header::{
        CONNECTION, CONTENT_LENGTH, HOST, HeaderName, HeaderValue, TRAILER, TRANSFER_ENCODING,
        USER_AGENT,
    },
};
use hyper_util::rt::TokioIo;
use portcullis_policies::outside::{HttpRequest, HttpResponse, OutsideFault};
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

use super::{Result, target::Target};
use crate::https::answered;

/// Bytes of the head of an answer, from which on no more is read: twice as many may have come. Servers
/// send some hundred, and cookies of some KiB.
const MAX_HEAD: usize = 64 << 10;

/// What is sent to one server.
#[derive(Clone, Debug)]
pub(super) struct Hop {
    pub(super) target: Target,
    pub(super) method: Method,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// Bytes that are read of the answer's body.
    pub(super) limit: usize,
}

impl Hop {
    /// The first one.
    pub(super) fn of(request: &HttpRequest, limit: usize) -> Result<Self> {
        let invalid = |message: String| OutsideFault::Invalid(message);
        let method = Method::from_bytes(request.method.as_bytes())
            .map_err(|_| invalid(format!("invalid method \"{}\"", request.method)))?;
        let mut headers = HeaderMap::new();
        for (name, value) in &request.headers {
            let read = HeaderName::from_bytes(name.as_bytes())
                .ok()
                .zip(HeaderValue::from_str(value).ok());
            let (name, value) =
                read.ok_or_else(|| invalid(format!("invalid header \"{name}\"")))?;
            if [CONTENT_LENGTH, TRANSFER_ENCODING, TRAILER, CONNECTION].contains(&name) {
                let message = format!("the header `{name}` is not supported: it is the client's");
                return Err(OutsideFault::Refused(message));
            }
            headers.insert(name, value);
        }
        headers
            .entry(USER_AGENT)
            .or_insert(HeaderValue::from_static(concat!(
                "portcullis/",
                env!("CARGO_PKG_VERSION")
            )));
        Ok(Self {
            target: Target::parse(&request.url)?,
            method,
            headers,
            body: Bytes::from(request.body.clone()),
            limit,
        })
    }
}

/// Asks the first of the addresses that answers.
pub(super) async fn ask(
    hop: &Hop,
    addresses: &[SocketAddr],
    tls: &Arc<ClientConfig>,
) -> Result<HttpResponse> {
    let failed = |error: &dyn Error| {
        let url = hop.target.url();
        OutsideFault::Network(format!("{} \"{url}\": {}", hop.method, chain(error)))
    };
    let stream = TcpStream::connect(addresses)
        .await
        .map_err(|error| failed(&error))?;
    let response = if hop.target.tls {
        let name = ServerName::try_from(hop.target.bare_host().to_owned());
        let name = name.map_err(|error| failed(&error))?;
        let stream = TlsConnector::from(tls.clone()).connect(name, stream).await;
        exchange(stream.map_err(|error| failed(&error))?, hop).await
    } else {
        exchange(stream, hop).await
    };
    response.map_err(|fault| match fault {
        Fault::Failed(error) => failed(&*error),
        Fault::Refused(message) => OutsideFault::Refused(message),
    })
}

/// Why there is no answer.
enum Fault {
    Failed(Box<dyn Error + Send + Sync>),
    Refused(String),
}

impl<E: Into<Box<dyn Error + Send + Sync>>> From<E> for Fault {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    hop: &Hop,
) -> std::result::Result<HttpResponse, Fault> {
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(MAX_HEAD)
        .handshake(TokioIo::new(stream))
        .await?;
    let mut request = Request::new(Full::new(hop.body.clone()));
    *request.method_mut() = hop.method.clone();
    *request.uri_mut() = hop.target.path.parse()?;
    *request.headers_mut() = hop.headers.clone();
    let host = HeaderValue::from_str(&hop.target.authority)?;
    request.headers_mut().insert(HOST, host);
    request
        .headers_mut()
        .insert(CONNECTION, HeaderValue::from_static("close"));
    let answer = async { read(sender.send_request(request).await?, hop.limit).await };
    answered(answer, connection).await
}

async fn read(
    response: Response<Incoming>,
    limit: usize,
) -> std::result::Result<HttpResponse, Fault> {
    let (parts, body) = response.into_parts();
    let body = Limited::new(body, limit).collect().await.map_err(|error| {
        if error.is::<http_body_util::LengthLimitError>() {
            Fault::Refused(format!("the answer has more than {limit} bytes"))
        } else {
            Fault::Failed(error)
        }
    })?;
    let mut headers = Vec::new();
    for (name, value) in &parts.headers {
        // They are about the connection and not about the answer; Go leaves them out, too.
        if [TRANSFER_ENCODING, TRAILER].contains(name) {
            continue;
        }
        let value = std::str::from_utf8(value.as_bytes());
        let value =
            value.map_err(|_| Fault::Refused(format!("the header `{name}` is not UTF-8")))?;
        headers.push((name.as_str().to_owned(), value.to_owned()));
    }
    let said = parts.extensions.get::<ReasonPhrase>();
    let said = said.map(|phrase| String::from_utf8_lossy(phrase.as_bytes()).into_owned());
    let usual = || {
        parts
            .status
            .canonical_reason()
            .unwrap_or_default()
            .to_owned()
    };
    let reason = said.unwrap_or_else(usual);
    let status = format!("{} {reason}", parts.status.as_str());
    let status = status.trim_end().to_owned();
    Ok(HttpResponse {
        status,
        status_code: parts.status.as_u16(),
        headers,
        body: body.to_bytes().into(),
    })
}

/// An error with its causes, each once.
fn chain(error: &dyn Error) -> String {
    crate::cluster::chain(error)
}
