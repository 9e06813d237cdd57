//! What is outside of an evaluation: hosts that a policy may ask.
//!
//! This crate knows no network. Whoever runs it gives policies an [`Outside`] when it compiles them,
//! or [`Nothing`], and an evaluation reaches what its policy's settings *and* the administrator allow.
//! At admission nothing is reached, whatever is allowed.

use std::{collections::BTreeSet, fmt, time::Duration};

use crate::Hosts;

/// Longest body of a request or an answer. Tokens, key sets and decisions of other services are
/// below 100 KiB; more belongs into `data`.
pub const MAX_BODY: usize = 1 << 20;

/// Time that an answer may take where the policy does not say: OPA's.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);

/// What is outside. Called on the thread of the evaluation, and may block until the time is over.
pub trait Outside: fmt::Debug + Send + Sync {
    /// The hosts that the administrator allows.
    fn hosts(&self) -> &Hosts;

    /// Sends a request to a host that the administrator and `hosts` allow, and reads the answer.
    fn send(&self, request: &HttpRequest, hosts: &Hosts) -> Result<HttpResponse, OutsideFault>;

    /// The addresses of a host that the administrator and `hosts` allow.
    fn lookup(
        &self,
        name: &str,
        hosts: &Hosts,
        time: Duration,
    ) -> Result<BTreeSet<String>, OutsideFault>;
}

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpRequest {
    /// In upper case.
    pub method: String,
    /// With `http` or `https`.
    pub url: String,
    /// Names and values, each name once.
    pub headers: Vec<(String, String)>,
    /// At most [`MAX_BODY`] bytes.
    pub body: Vec<u8>,
    /// Follows redirects.
    pub follows_redirects: bool,
    /// PEM certificates of authorities that sign servers' certificates.
    pub authorities: Option<String>,
    /// Trusts the system's authorities beside those.
    pub trusts_system: bool,
    /// From the name's look-up to the last byte.
    pub time: Duration,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpResponse {
    /// The status: `200 OK`.
    pub status: String,
    /// Its number.
    pub status_code: u16,
    /// Names in lower case and values, in the order in which they came.
    pub headers: Vec<(String, String)>,
    /// At most [`MAX_BODY`] bytes.
    pub body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutsideFault {
    /// It is not allowed or not supported. OPA has an answer there, so the evaluation ends.
    #[error("{0}")]
    Refused(String),
    /// The request is none.
    #[error("{0}")]
    Invalid(String),
    /// The network or the server failed.
    #[error("{0}")]
    Network(String),
}

/// Nothing is outside.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nothing;

static NO_HOSTS: std::sync::LazyLock<Hosts> = std::sync::LazyLock::new(Hosts::default);

impl Outside for Nothing {
    fn hosts(&self) -> &Hosts {
        &NO_HOSTS
    }

    fn send(&self, request: &HttpRequest, _: &Hosts) -> Result<HttpResponse, OutsideFault> {
        Err(not_allowed(&request.url))
    }

    fn lookup(&self, name: &str, _: &Hosts, _: Duration) -> Result<BTreeSet<String>, OutsideFault> {
        Err(not_allowed(name))
    }
}

fn not_allowed(host: &str) -> OutsideFault {
    OutsideFault::Refused(format!("`{host}` is not allowed: nothing is"))
}
