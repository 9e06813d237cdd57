//! Why a request is not let in, and what its caller is told.

use std::time::Duration;

use axum::{
    http::{
        HeaderValue, StatusCode,
        header::{RETRY_AFTER, WWW_AUTHENTICATE},
    },
    response::{IntoResponse as _, Response},
};
use portcullis_policies::text::clean;

use super::{AccessFault, Action, Identity};
use crate::problem::Problem;

/// Where a caller learns what it has to send.
const HOW: &str = "see docs/authentication.md";

/// Why a request is not let in.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) reason: Reason,
    problem: Box<Problem>,
    wait: Option<Duration>,
    challenge: Option<&'static str>,
}

/// The kinds of refusals, as they are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    Unauthenticated,
    Forbidden,
    RateLimited,
    Unavailable,
    Invalid,
}

impl Reason {
    pub(crate) const ALL: [Self; 5] = [
        Self::Unauthenticated,
        Self::Forbidden,
        Self::RateLimited,
        Self::Unavailable,
        Self::Invalid,
    ];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Unauthenticated => "unauthenticated",
            Self::Forbidden => "forbidden",
            Self::RateLimited => "rate_limited",
            Self::Unavailable => "unavailable",
            Self::Invalid => "invalid",
        }
    }
}

impl Refusal {
    /// Nobody says who asks. `takes` names what would.
    pub(super) fn nobody(challenge: &'static str, takes: &str) -> Self {
        let detail = format!("the request does not say who asks: send {takes}");
        Self::unauthenticated(challenge, &detail)
    }

    /// What was sent proves nothing.
    pub(super) fn bad_token(why: Option<&str>) -> Self {
        // RFC 6750, section 3.1.
        let challenge = "Bearer error=\"invalid_token\"";
        let detail = match why {
            Some(why) => format!("the bearer token is not good: {why}"),
            None => "the bearer token is not known".to_owned(),
        };
        Self::unauthenticated(challenge, &detail)
    }

    /// What was shown has ended.
    pub(super) fn ended(challenge: &'static str) -> Self {
        Self::unauthenticated(challenge, "what proves who asks has expired")
    }

    fn unauthenticated(challenge: &'static str, detail: &str) -> Self {
        let problem = Problem::new(
            StatusCode::UNAUTHORIZED,
            "REQUEST.UNAUTHENTICATED",
            clean(detail),
        );
        Self {
            reason: Reason::Unauthenticated,
            problem: problem.with_remedy(HOW).into(),
            wait: None,
            challenge: Some(challenge),
        }
    }

    /// The caller may not do this.
    pub(super) fn not_granted(caller: &Identity, action: &Action) -> Self {
        let Action {
            verb,
            subresource,
            namespace,
            name,
        } = action;
        let resource = action.resource();
        let place = match namespace {
            Some(namespace) => format!(" in the namespace `{namespace}`"),
            None => String::new(),
        };
        let which = match name.as_str() {
            "" => "of any name".to_owned(),
            name => format!("`{name}`"),
        };
        let detail = format!(
            "`{}` does not have the verb `{verb}` on `{resource}/{subresource}` {which} of \
             portcullis.dev{place}",
            caller.name()
        );
        let remedy = "bind the ClusterRole `portcullis-evaluator`, or one like it, to the caller";
        Self::forbidden(&detail, remedy)
    }

    /// The caller is known, and none of those who may ask.
    pub(super) fn not_admitted(why: &str) -> Self {
        Self::forbidden(why, HOW)
    }

    /// The administrator's policy does not let the caller in.
    pub(super) fn by_policy(reason: Option<&str>) -> Self {
        let detail = reason.unwrap_or("the policy `system/authz` does not allow the request");
        Self::forbidden(detail, "ask whoever looks after the policy `system/authz`")
    }

    fn forbidden(detail: &str, remedy: &str) -> Self {
        let problem = Problem::new(StatusCode::FORBIDDEN, "REQUEST.FORBIDDEN", clean(detail));
        Self {
            reason: Reason::Forbidden,
            problem: problem.with_remedy(remedy).into(),
            wait: None,
            challenge: None,
        }
    }

    /// The caller has asked too often, and may come again then.
    pub(super) fn too_often(wait: Duration) -> Self {
        let problem = Problem::new(
            StatusCode::TOO_MANY_REQUESTS,
            "REQUEST.RATE_LIMITED",
            "the caller asks more often than it may",
        );
        Self {
            reason: Reason::RateLimited,
            problem: problem
                .with_remedy("ask again after `Retry-After` seconds")
                .into(),
            wait: Some(wait),
            challenge: None,
        }
    }

    /// Nobody can say at the moment who asks or what it may do.
    pub(super) fn unavailable(fault: &AccessFault) -> Self {
        let detail = format!("it cannot be found out who may ask: {fault}");
        let problem = Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "ACCESS.UNAVAILABLE",
            clean(&detail),
        );
        Self {
            reason: Reason::Unavailable,
            problem: problem.with_remedy("try again").into(),
            wait: None,
            challenge: None,
        }
    }

    /// The policy that decides who may ask cannot decide about this.
    pub(super) fn undecided(problem: Problem) -> Self {
        let reason = if problem.status.is_client_error() {
            Reason::Invalid
        } else {
            Reason::Unavailable
        };
        Self {
            reason,
            problem: problem.into(),
            wait: None,
            challenge: None,
        }
    }

    pub(super) fn into_response(self) -> Response {
        let mut response = self.problem.into_response();
        let headers = response.headers_mut();
        if let Some(wait) = self.wait {
            // Whole seconds, and never before it may.
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(challenge) = self.challenge {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        response
    }
}
