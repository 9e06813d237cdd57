//! A server's evaluation API, as commands ask it for a person.
//!
//! ```text
//! ServerArguments ── open ──▶ Server ──────────────── ask ──▶ answer
//!        Installation ── open ──▶ Replicas ─ port-forward ─┘  └─▶ Failure: refused, with its code and
//!                                                                 remedy, or not known
//! ```
//!
//! Every wait and every byte is bounded, redirects are not followed, and a token is sent to nobody who
//! could be read on the way. What a server says is shown to a terminal by `presentation` alone.

mod arguments;
mod failure;
mod installation;
mod place;
mod replicas;

use std::{io, sync::Arc, time::Duration};

use anyhow::anyhow;
use hyper::{
    HeaderMap, Method, Response, StatusCode,
    body::Bytes,
    header::{AUTHORIZATION, HeaderValue},
};
use rustls::ClientConfig;
use serde_json::Value as Json;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    runtime::Builder,
};

pub(crate) use arguments::{ASKED, ServerArguments, Timeout, patience};
pub(crate) use failure::{Failure, end};
pub(crate) use installation::{Installation, Own, parse_installation};
pub(crate) use place::{parse_address, parse_namespace, path, within};
pub(crate) use replicas::Replicas;

use crate::{
    cluster::chain,
    https::{Call, HttpsFault},
};

/// A server that is asked.
#[derive(Debug)]
pub(crate) struct Server {
    /// Without a slash at its end.
    url: String,
    tls: Option<Arc<ClientConfig>>,
    authorization: Option<HeaderValue>,
    patience: Duration,
}

/// What is asked.
#[derive(Clone, Debug)]
pub(crate) struct Ask<'a> {
    pub(crate) method: Method,
    /// With its query.
    pub(crate) path: &'a str,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// Bytes that are read of the answer.
    pub(crate) limit: usize,
}

impl<'a> Ask<'a> {
    /// A question without a body.
    pub(crate) fn of(method: Method, path: &'a str, limit: usize) -> Self {
        Self {
            method,
            path,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            limit,
        }
    }
}

impl Server {
    /// Where it is.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Asks, and reads the answer as JSON.
    pub(crate) async fn ask_json(&self, ask: Ask<'_>) -> Result<Json, Failure> {
        let body = self.ask(ask).await?;
        serde_json::from_slice(&body).map_err(|error| {
            Failure::Unknown(anyhow!(
                "{} answers no JSON, so it is no server of policies: {error}",
                self.url
            ))
        })
    }

    /// Asks, and reads the body of an answer that is 200.
    pub(crate) async fn ask(&self, ask: Ask<'_>) -> Result<Bytes, Failure> {
        let limit = ask.limit;
        self.read(self.exchange(ask).await, limit)
    }

    /// Asks, and gives the answer, whatever it says.
    pub(crate) async fn exchange(&self, ask: Ask<'_>) -> Result<Response<Bytes>, HttpsFault> {
        let url = format!("{}{}", self.url, ask.path);
        self.call(&url, ask).ask(None).await
    }

    /// The same over a stream that somebody has led to it.
    async fn exchange_over(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        ask: Ask<'_>,
    ) -> Result<Response<Bytes>, HttpsFault> {
        let url = format!("{}{}", self.url, ask.path);
        self.call(&url, ask).ask_over(stream).await
    }

    fn call<'u>(&self, url: &'u str, ask: Ask<'_>) -> Call<'u> {
        let mut headers = ask.headers;
        if let Some(authorization) = &self.authorization {
            headers.insert(AUTHORIZATION, authorization.clone());
        }
        Call {
            url,
            method: ask.method,
            headers,
            body: ask.body,
            tls: self.tls.clone(),
            patience: self.patience,
            limit: ask.limit,
        }
    }

    fn read(
        &self,
        answer: Result<Response<Bytes>, HttpsFault>,
        limit: usize,
    ) -> Result<Bytes, Failure> {
        let answer = answer.map_err(|fault| self.unreachable(&fault, limit))?;
        let status = answer.status();
        if status == StatusCode::OK {
            return Ok(answer.into_body());
        }
        Err(Failure::of_answer(&self.url, status, answer.body()))
    }

    fn unreachable(&self, fault: &HttpsFault, limit: usize) -> Failure {
        let remedy = match fault {
            HttpsFault::Tls { source, .. } => of_tls(source).map(str::to_owned),
            HttpsFault::Answer { source, .. }
                if source.is::<http_body_util::LengthLimitError>() =>
            {
                Some(format!("at most {} MiB are read of an answer", limit >> 20))
            }
            HttpsFault::Answer { .. } if self.tls.is_none() => {
                Some("if it speaks TLS, ask it with `https://`".to_owned())
            }
            HttpsFault::Late { .. } => Some("`--timeout TIME` waits longer".to_owned()),
            _ => None,
        };
        let told = format!("failed to ask {}: {}", self.url, chain(fault));
        Failure::unreachable(told, remedy.as_deref())
    }
}

/// Waits for what somebody else does. Nobody waits for what is still under way then, such as a name that
/// is looked up.
pub(crate) fn wait<T>(work: impl Future<Output = T>) -> io::Result<T> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let done = runtime.block_on(work);
    runtime.shutdown_background();
    Ok(done)
}

/// What to do where a server's certificate is not what it has to be.
fn of_tls(source: &std::io::Error) -> Option<&'static str> {
    use rustls::CertificateError as Wrong;

    let rustls::Error::InvalidCertificate(wrong) = source.get_ref()?.downcast_ref()? else {
        return None;
    };
    match wrong {
        Wrong::UnknownIssuer => Some(
            "if it is the right server, `--ca FILE` names the authority that signs its certificate",
        ),
        Wrong::NotValidForName | Wrong::NotValidForNameContext { .. } => {
            Some("`--url` has to name the server as its certificate does")
        }
        _ => None,
    }
}
