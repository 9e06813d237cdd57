//! Asks one URL and reads its answer: `portcullis probe`, `portcullis why`, and the operator that asks
//! the webhook's replicas what they enforce.
//!
//! One connection a question, HTTP/1.1, TLS 1.3 for `https`, the certificate always checked, and
//! every wait and every byte bounded.

use std::{error::Error, net::SocketAddr, sync::Arc, time::Duration};

use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::{
    Request, StatusCode, Uri,
    body::Bytes,
    client::conn::http1,
    header::{AUTHORIZATION, CONNECTION, HOST, HeaderValue, USER_AGENT},
};
use hyper_util::rt::TokioIo;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;

/// Time for the whole question. A replica answers within milliseconds; what takes seconds is a
/// connection to an address that is gone, which a cluster's network gives up after three.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// Why a URL has no answer.
#[derive(Debug, thiserror::Error)]
pub enum HttpsFault {
    /// It is no URL of a server.
    #[error("`{0}` is not a URL: write it like http://127.0.0.1:8080/readyz")]
    Url(String),
    /// Without it nothing tells who answers.
    #[error("`{0}` is asked with TLS, for which the certificate of its authority is needed")]
    AuthorityMissing(String),
    /// The certificates of the authority cannot be read.
    #[error("the certificate of the authority is not PEM: {0}")]
    Authority(String),
    /// Nobody listens, or the address is not known.
    #[error("failed to connect to {address}")]
    Connect {
        /// Host and port.
        address: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The server does not prove who it is, or speaks no TLS 1.3.
    #[error("failed to establish TLS 1.3 with {address}")]
    Tls {
        /// Host and port.
        address: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The connection broke, or the answer is not HTTP.
    #[error("failed to read the answer of {address}")]
    Answer {
        /// Host and port.
        address: String,
        /// Why.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// There was no answer in time.
    #[error("{address} did not answer within {} s", .patience.as_secs())]
    Late {
        /// Host and port.
        address: String,
        /// How long it was waited for.
        patience: Duration,
    },
}

/// Asks `url` with GET and reads at most `limit` bytes of the answer; a longer one is a fault.
///
/// `authority` are the PEM certificates that an `https` server's certificate is checked against.
pub async fn get(
    url: &str,
    authority: Option<&[u8]>,
    limit: usize,
) -> Result<(StatusCode, Bytes), HttpsFault> {
    let question = Question {
        url,
        authority,
        authorization: None,
        patience: PATIENCE,
        limit,
    };
    question.ask().await
}

/// A question that says who asks, and may take its time.
#[derive(Clone, Copy, Debug)]
pub struct Question<'q> {
    /// The URL to ask with GET.
    pub url: &'q str,
    /// PEM certificates that an `https` server's certificate is checked against.
    pub authority: Option<&'q [u8]>,
    /// Who asks, as the header `Authorization` says it.
    pub authorization: Option<&'q HeaderValue>,
    /// Time for the whole question.
    pub patience: Duration,
    /// Bytes that are read of the answer; a longer one is a fault.
    pub limit: usize,
}

impl Question<'_> {
    /// Asks over a connection of its own.
    pub async fn ask(self) -> Result<(StatusCode, Bytes), HttpsFault> {
        let target = self.target()?;
        let address = target.address();
        self.connect_and_ask(&target, &address).await
    }

    /// Asks over a connection to this address, in the place of the URL's own: the certificate is
    /// checked for the URL's host, so that one replica behind a name is asked.
    pub async fn ask_at(self, address: SocketAddr) -> Result<(StatusCode, Bytes), HttpsFault> {
        self.connect_and_ask(&self.target()?, &address.to_string())
            .await
    }

    /// Asks over a stream that somebody has led to the server.
    pub async fn ask_over(
        self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    ) -> Result<(StatusCode, Bytes), HttpsFault> {
        let target = self.target()?;
        let config = target.config(self.url, self.authority)?;
        let address = target.address();
        let asked = speak(stream, &target, config, &address, self.limit);
        self.in_time(&target, asked).await
    }

    fn target(&self) -> Result<Target, HttpsFault> {
        let mut target = Target::parse(self.url)?;
        target.authorization = self.authorization.cloned();
        Ok(target)
    }

    /// An authority that cannot be read is told whether anybody is there or not.
    async fn connect_and_ask(
        &self,
        target: &Target,
        address: &str,
    ) -> Result<(StatusCode, Bytes), HttpsFault> {
        let config = target.config(self.url, self.authority)?;
        let asked = async {
            let stream = connect(address).await?;
            speak(stream, target, config, address, self.limit).await
        };
        self.in_time(target, asked).await
    }

    async fn in_time<T>(
        &self,
        target: &Target,
        asked: impl Future<Output = Result<T, HttpsFault>>,
    ) -> Result<T, HttpsFault> {
        let answered = timeout(self.patience, asked).await;
        answered.unwrap_or_else(|_| {
            Err(HttpsFault::Late {
                address: target.address(),
                patience: self.patience,
            })
        })
    }
}

/// What a URL says.
struct Target {
    tls: bool,
    /// As the URL writes it: an IPv6 address in brackets.
    host: String,
    port: u16,
    path: String,
    name: ServerName<'static>,
    authorization: Option<HeaderValue>,
}

impl Target {
    fn parse(url: &str) -> Result<Self, HttpsFault> {
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
            authorization: None,
        })
    }

    fn address(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// How TLS is spoken with it, if it is.
    fn config(
        &self,
        url: &str,
        authority: Option<&[u8]>,
    ) -> Result<Option<ClientConfig>, HttpsFault> {
        match (self.tls, authority) {
            (false, _) => Ok(None),
            (true, Some(pem)) => client_config(pem).map(Some),
            (true, None) => Err(HttpsFault::AuthorityMissing(url.to_owned())),
        }
    }
}

async fn connect(address: &str) -> Result<TcpStream, HttpsFault> {
    let connected = TcpStream::connect(address).await;
    connected.map_err(|source| HttpsFault::Connect {
        address: address.to_owned(),
        source,
    })
}

async fn speak(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    target: &Target,
    config: Option<ClientConfig>,
    address: &str,
    limit: usize,
) -> Result<(StatusCode, Bytes), HttpsFault> {
    let answer = match config {
        None => exchange(stream, target, limit).await,
        Some(config) => {
            let connector = TlsConnector::from(Arc::new(config));
            let tls = connector.connect(target.name.clone(), stream).await;
            let stream = tls.map_err(|source| HttpsFault::Tls {
                address: address.to_owned(),
                source,
            })?;
            exchange(stream, target, limit).await
        }
    };
    answer.map_err(|source| HttpsFault::Answer {
        address: address.to_owned(),
        source,
    })
}

/// One request and its answer.
async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    target: &Target,
    limit: usize,
) -> Result<(StatusCode, Bytes), Box<dyn Error + Send + Sync>> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let mut request = Request::get(target.path.as_str())
        .header(HOST, format!("{}:{}", target.host, target.port))
        .header(
            USER_AGENT,
            concat!("portcullis/", env!("CARGO_PKG_VERSION")),
        )
        .header(CONNECTION, "close")
        .body(Empty::<Bytes>::new())?;
    if let Some(authorization) = &target.authorization {
        let headers = request.headers_mut();
        headers.insert(AUTHORIZATION, authorization.clone());
    }
    let answer = async {
        let response = sender.send_request(request).await?;
        let status = response.status();
        let body = Limited::new(response.into_body(), limit).collect().await?;
        Ok((status, body.to_bytes()))
    };
    answered(answer, connection).await
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

fn client_config(pem: &[u8]) -> Result<ClientConfig, HttpsFault> {
    let unusable = |error: &dyn std::fmt::Display| HttpsFault::Authority(error.to_string());
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| unusable(&error))?;
        roots.add(certificate).map_err(|error| unusable(&error))?;
    }
    if roots.is_empty() {
        return Err(unusable(&"there is no certificate in it"));
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|error| unusable(&error))?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };

    use super::*;

    /// A server that answers one request with `answer`, and nothing where that is empty. Resolves
    /// to its address and to what it was asked.
    async fn server(answer: &'static str) -> (SocketAddr, tokio::task::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            stream.write_all(answer.as_bytes()).await.unwrap();
            if answer.is_empty() {
                std::future::pending::<()>().await;
            }
            String::from_utf8(head).unwrap()
        });
        (address, asked)
    }

    #[tokio::test]
    async fn asks_the_url_at_another_address() {
        let answer = "HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\nno";
        let (address, asked) = server(answer).await;
        let question = Question {
            url: "http://example.test:81/a?b=c",
            authority: None,
            authorization: None,
            patience: PATIENCE,
            limit: 2,
        };
        let answered = question.ask_at(address).await;
        let (status, body) = answered.unwrap();
        assert_eq!((status.as_u16(), body.as_ref()), (404, &b"no"[..]));
        let head = asked.await.unwrap();
        assert!(head.starts_with("GET /a?b=c HTTP/1.1\r\n"), "{head}");
        assert!(head.contains("host: example.test:81\r\n"), "{head}");
    }

    #[tokio::test]
    async fn a_question_says_who_asks() {
        let authorization = HeaderValue::from_static("Bearer abc");
        for is_led in [false, true] {
            let (address, asked) = server("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
            let url = format!("http://{address}/a");
            let question = Question {
                url: &url,
                authority: None,
                authorization: Some(&authorization),
                patience: PATIENCE,
                limit: 2,
            };
            let answer = if is_led {
                let stream = TcpStream::connect(address).await.unwrap();
                question.ask_over(stream).await
            } else {
                question.ask().await
            };
            assert_eq!(answer.unwrap().1.as_ref(), b"ok");
            let head = asked.await.unwrap();
            assert!(head.contains("authorization: Bearer abc\r\n"), "{head}");
        }
    }

    #[rstest]
    #[case::too_long("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc")]
    #[case::too_long_without_a_length("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nabc")]
    #[case::cut_off("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\na")]
    #[case::another_protocol("220 mail.example ESMTP\r\n\r\n")]
    #[tokio::test]
    async fn an_answer_that_cannot_be_read_is_a_fault(#[case] answer: &'static str) {
        let (address, _) = server(answer).await;
        let answered = get(&format!("http://{address}/"), None, 2).await;
        assert!(
            matches!(answered, Err(HttpsFault::Answer { .. })),
            "{answered:?}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_is_silent_is_left() {
        let (address, _) = server("").await;
        let answered = get(&format!("http://{address}/"), None, 2).await;
        assert!(
            matches!(answered, Err(HttpsFault::Late { .. })),
            "{answered:?}"
        );
    }

    #[rstest]
    #[case("", false)]
    #[case("http://", false)]
    #[case("/readyz", false)]
    #[case("127.0.0.1:80", false)]
    #[case("ftp://127.0.0.1/", false)]
    #[case("http://a b/", false)]
    #[case("http://127.0.0.1", true)]
    #[case("http://[::1]:80/a", true)]
    #[case("https://portcullis.svc:8181/readiness", true)]
    fn urls(#[case] url: &str, #[case] expected: bool) {
        assert_eq!(Target::parse(url).is_ok(), expected);
    }
}
