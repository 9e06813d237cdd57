//! Why this server does not ask others on somebody's behalf: what subscriptions and periodic imports
//! have in common.

use axum::http::StatusCode;
use futures::future::BoxFuture;
use portcullis_policies::text::clean;

use crate::{deadline::DEFAULT_TIMEOUT, problem::Problem};

/// Longest URL: what browsers and proxies take, and nobody's endpoint needs.
const MAX_URL: usize = 2048;

/// Why something is not kept, or not to be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutboundFault {
    /// The caller does not say who it is.
    #[error("a bearer token is required")]
    Unauthenticated,
    /// The caller may not; with what the API server says.
    #[error("{0}")]
    Forbidden(String),
    /// Nobody is asked here; with the reason.
    #[error("{0}")]
    Closed(String),
    /// The administrator does not allow this host.
    #[error("{0}")]
    HostForbidden(String),
    /// It is no URL.
    #[error("{0}")]
    Invalid(String),
    /// It is there already.
    #[error("subscriber already exist")]
    Exists,
    /// There are as many as are kept.
    #[error("there are {0} already, and no more are kept")]
    Full(usize),
    /// There is no such one.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// They cannot be reached; with the reason.
    #[error("{0}")]
    Unavailable(String),
}

/// What is kept, as callers are told of it.
pub(crate) struct Kind {
    /// What they are called.
    name: &'static str,
    /// What codes begin with.
    code: &'static str,
    /// What an administrator has to do so that anything is done here.
    open: &'static str,
    /// What an administrator has to do for a host.
    host: &'static str,
    /// Where those that there are can be seen.
    list: &'static str,
}

/// Subscriptions.
pub(crate) const SUBSCRIPTION: Kind = Kind {
    name: "subscriptions",
    code: "SUBSCRIPTION",
    open: "have the administrator allow hosts with `--notify-hosts`, and sign with `--export-key`",
    host: "have the administrator allow the host with `--notify-hosts`, by its own name if it is on a \
           private address",
    list: "`GET …/notifychange` lists the subscriptions of a policy",
};

/// Periodic imports.
pub(crate) const IMPORT: Kind = Kind {
    name: "schedules",
    code: "IMPORT",
    open: "have the administrator allow hosts with `--import-hosts`, and trust keys with \
           `--import-keys`",
    host: "have the administrator allow the host with `--import-hosts`, by its own name if it is on a \
           private address",
    list: "`GET /v1/policy/import/config` lists what is fetched",
};

/// Whether a text can be a URL at all.
pub(crate) fn check_url(field: &str, url: &str) -> Result<(), Problem> {
    let is_printable = url.chars().all(|character| character.is_ascii_graphic());
    if url.len() <= MAX_URL && is_printable {
        return Ok(());
    }
    let detail = format!("`{field}` is longer than {MAX_URL} characters, or not printable");
    Err(Problem::input_invalid(detail).with_remedy("write a URL with its escapes"))
}

/// Waits as long as anybody waits for an answer here.
pub(crate) async fn in_time<T>(
    kind: &Kind,
    answer: BoxFuture<'_, Result<T, OutboundFault>>,
) -> Result<T, Problem> {
    let answered = tokio::time::timeout(DEFAULT_TIMEOUT, answer).await;
    let late = || OutboundFault::Unavailable(format!("the {} did not answer in time", kind.name));
    answered
        .unwrap_or_else(|_| Err(late()))
        .map_err(|fault| problem_of(&fault, kind))
}

/// A fault as callers are told it.
fn problem_of(fault: &OutboundFault, kind: &Kind) -> Problem {
    let detail = clean(&fault.to_string());
    let own = |what: &str| format!("{}.{what}", kind.code);
    let (status, code, remedy) = match fault {
        OutboundFault::Unauthenticated => (
            StatusCode::UNAUTHORIZED,
            "REQUEST.UNAUTHENTICATED".to_owned(),
            "send `Authorization: Bearer` with a token",
        ),
        OutboundFault::Forbidden(_) => {
            return Problem::new(StatusCode::FORBIDDEN, "REQUEST.FORBIDDEN", detail);
        }
        OutboundFault::Closed(_) => (StatusCode::FORBIDDEN, own("CLOSED"), kind.open),
        OutboundFault::HostForbidden(_) => {
            (StatusCode::FORBIDDEN, own("HOST_FORBIDDEN"), kind.host)
        }
        OutboundFault::Invalid(_) => (
            StatusCode::BAD_REQUEST,
            "POLICY.INPUT_INVALID".to_owned(),
            "send a URL such as https://example.com/path",
        ),
        OutboundFault::Exists => (
            StatusCode::CONFLICT,
            own("EXISTS"),
            "nothing is left to do: it is there",
        ),
        OutboundFault::Full(_) => (
            StatusCode::CONFLICT,
            own("FULL"),
            "remove those that nobody needs",
        ),
        OutboundFault::NotFound(_) => (StatusCode::NOT_FOUND, own("NOT_FOUND"), kind.list),
        OutboundFault::Unavailable(_) => (
            StatusCode::SERVICE_UNAVAILABLE,
            own("UNAVAILABLE"),
            "try again",
        ),
    };
    Problem::new(status, &code, detail).with_remedy(remedy)
}
