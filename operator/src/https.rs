//! Asks one URL and reads its answer: `portcullis probe`, `portcullis why`, the commands that ask a
//! server, and the operator that asks the webhook's replicas what they enforce.
//!
//! One connection a question, HTTP/1.1, TLS 1.3 for `https`, the certificate always checked, and
//! every wait and every byte bounded.

mod call;
mod tls;

use std::{error::Error, net::SocketAddr, time::Duration};

use hyper::{
    HeaderMap, Method, Response, StatusCode,
    body::Bytes,
    header::{AUTHORIZATION, HeaderValue, InvalidHeaderValue},
};

pub(crate) use call::{Call, answered};
pub(crate) use tls::{Identity, authorities, client};

use crate::presentation::time;

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
    /// The client certificate cannot be used.
    #[error("the client certificate cannot be used: {0}")]
    Identity(String),
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
    #[error("{address} did not answer within {}", time(*.patience))]
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

impl<'q> Question<'q> {
    /// Asks over a connection of its own.
    pub async fn ask(self) -> Result<(StatusCode, Bytes), HttpsFault> {
        self.call()?.ask(None).await.map(told)
    }

    /// Asks over a connection to this address, in the place of the URL's own: the certificate is
    /// checked for the URL's host, so that one replica behind a name is asked.
    pub async fn ask_at(self, address: SocketAddr) -> Result<(StatusCode, Bytes), HttpsFault> {
        let answer = self.call()?.ask(Some(address.to_string())).await;
        answer.map(told)
    }

    /// An authority that cannot be read is told whether anybody is there or not.
    fn call(self) -> Result<Call<'q>, HttpsFault> {
        let tls = match self.authority {
            Some(pem) => Some(client(authorities(pem)?, None)?),
            None => None,
        };
        let mut headers = HeaderMap::new();
        if let Some(authorization) = self.authorization {
            headers.insert(AUTHORIZATION, authorization.clone());
        }
        Ok(Call {
            url: self.url,
            method: Method::GET,
            headers,
            body: Bytes::new(),
            tls,
            patience: self.patience,
            limit: self.limit,
        })
    }
}

/// How a request says who asks, by a bearer token. It is never shown.
pub(crate) fn bearer(token: &str) -> Result<HeaderValue, InvalidHeaderValue> {
    let mut header = HeaderValue::from_str(&format!("Bearer {token}"))?;
    header.set_sensitive(true);
    Ok(header)
}

/// What most questions are about.
fn told(answer: Response<Bytes>) -> (StatusCode, Bytes) {
    (answer.status(), answer.into_body())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::{TcpListener, TcpStream},
    };

    use super::{call::Target, *};

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
                question.call().unwrap().ask_over(stream).await.map(told)
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
