//! Why something was not done, and how a command ends then.

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use anyhow::anyhow;
use hyper::StatusCode;
use portcullis_policies::{Code, Diagnostic};
use portcullis_webhook::LockFault;
use serde_json::Value as Json;

use crate::directory::printable;

/// Exit status of what is refused.
const REFUSED: u8 = 1;

/// Exit status of what cannot be told.
const UNKNOWN: u8 = 2;

/// What is said where nobody answers for policies, such as at the administrator's port.
const OF_NO_POLICY: [&str; 2] = ["REQUEST.UNKNOWN_ROUTE", "REQUEST.METHOD_NOT_ALLOWED"];

/// Why something was not done.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Whoever was asked refuses it, and says why.
    Refused(Box<Diagnostic>),
    /// It cannot be done now, and why.
    Unavailable(Box<Diagnostic>),
    /// What was typed, what was read, or what was said is of no use.
    Unknown(anyhow::Error),
}

impl Failure {
    /// An answer that is not 200. What a server cannot do now is not refused.
    pub(super) fn of_answer(url: &str, status: StatusCode, body: &[u8]) -> Self {
        let problem: Json = serde_json::from_slice(body).unwrap_or_default();
        let said = |name: &str| problem[name].as_str();
        let (Some(code), Some(detail)) = (said("code"), said("detail")) else {
            return Self::Unknown(anyhow!("{url} answers {status}, and does not say why"));
        };
        if OF_NO_POLICY.contains(&code) {
            let remedy =
                "check the URL: it is that of the evaluation API, without a path of its own";
            return Self::unavailable(Diagnostic::new(code, detail).with_remedy(remedy));
        }
        let fault = fault(code, detail, said("remedy"));
        if status.is_server_error() {
            Self::unavailable(fault)
        } else {
            Self::Refused(Box::new(fault))
        }
    }

    /// Something that cannot be done now.
    pub(crate) fn unavailable(fault: Diagnostic) -> Self {
        Self::Unavailable(Box::new(fault))
    }

    /// Nobody answers, and what to do about it.
    pub(crate) fn unreachable(told: impl Into<String>, remedy: Option<&str>) -> Self {
        let fault = Diagnostic::new("SERVER.UNREACHABLE", told);
        Self::unavailable(match remedy {
            Some(remedy) => fault.with_remedy(remedy),
            None => fault,
        })
    }

    /// No policy has the address.
    pub(crate) fn not_found(address: &portcullis_policies::Address) -> Self {
        let detail = format!("there is no policy {address}");
        Self::Refused(Box::new(fault(Code::NotFound.as_str(), &detail, None)))
    }

    /// What a person is told: the code, the sentence and the remedy.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Refused(fault) | Self::Unavailable(fault) => fault.to_string(),
            Self::Unknown(error) => format!("{error:#}"),
        }
    }

    /// The same for programs.
    pub(crate) fn fault(self) -> Diagnostic {
        match self {
            Self::Refused(fault) | Self::Unavailable(fault) => *fault,
            Self::Unknown(error) => Diagnostic::new("request_failed", format!("{error:#}")),
        }
    }

    fn status(&self) -> u8 {
        match self {
            Self::Refused(_) => REFUSED,
            Self::Unavailable(_) | Self::Unknown(_) => UNKNOWN,
        }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Unknown(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Unknown(error.into())
    }
}

/// The same as the evaluation API answers.
impl From<LockFault> for Failure {
    fn from(refused: LockFault) -> Self {
        let fault = fault(refused.code(), &refused.to_string(), None);
        match refused {
            LockFault::Unavailable(_) => Self::unavailable(fault),
            _ => Self::Refused(Box::new(fault)),
        }
    }
}

/// A fault as a command tells it. Where the API's remedy is about HTTP, the command's takes its place.
fn fault(code: &str, detail: &str, remedy: Option<&str>) -> Diagnostic {
    let own = match code {
        "POLICY.NOT_FOUND" => Some("`portcullis list` shows the policies"),
        "POLICY.UNLOCKED" => Some("`portcullis list --locked` shows what is locked, and by what"),
        "POLICY.LOCKED" if remedy.is_none() && detail.starts_with("the policy is held by") => {
            Some("have these locks removed where they were made")
        }
        "POLICY.LOCKED" if remedy.is_none() => Some("`portcullis unlock` removes the lock"),
        "REQUEST.UNAUTHENTICATED" => Some(
            "`--token-file FILE` sends a bearer token, and `--client-certificate FILE` shows a \
             certificate",
        ),
        _ => None,
    };
    let fault = Diagnostic::new(code, detail);
    match own.or(remedy) {
        Some(remedy) => fault.with_remedy(remedy),
        None => fault,
    }
}

/// The exit status of what was done, whose failure is told.
pub(crate) fn end(done: Result<(), Failure>) -> anyhow::Result<ExitCode> {
    let Err(failure) = done else {
        return Ok(ExitCode::SUCCESS);
    };
    // Standard output is for results.
    let text = printable(&format!("error: {}", failure.text()));
    write!(io::stderr(), "{text}")?;
    Ok(ExitCode::from(failure.status()))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::a_refusal(
        403,
        r#"{"code": "POLICY.LOCKED", "detail": "policy is already locked"}"#,
        1,
        "POLICY.LOCKED: policy is already locked\n  → `portcullis unlock` removes the lock"
    )]
    #[case::a_remedy_about_http(
        404,
        r#"{"code": "POLICY.NOT_FOUND", "detail": "no", "remedy": "`GET /v1/policies` lists"}"#,
        1,
        "POLICY.NOT_FOUND: no\n  → `portcullis list` shows the policies"
    )]
    #[case::a_remedy_of_the_server(
        409,
        r#"{"code": "POLICY.LOCKED", "detail": "the policy is held by ClusterLock x", "remedy": "ask"}"#,
        1,
        "POLICY.LOCKED: the policy is held by ClusterLock x\n  → ask"
    )]
    #[case::not_now(
        503,
        r#"{"code": "LOCKS.UNAVAILABLE", "detail": "late", "remedy": "try again"}"#,
        2,
        "LOCKS.UNAVAILABLE: late\n  → try again"
    )]
    #[case::another_port(
        404,
        r#"{"code": "REQUEST.UNKNOWN_ROUTE", "detail": "there is no route GET /v1/policies"}"#,
        2,
        "REQUEST.UNKNOWN_ROUTE: there is no route GET /v1/policies\n  → check the URL: it is that of \
         the evaluation API, without a path of its own"
    )]
    #[case::another_server(
        404,
        "<html>",
        2,
        "http://a answers 404 Not Found, and does not say why"
    )]
    #[case::a_redirect(302, "", 2, "http://a answers 302 Found, and does not say why")]
    fn answers_are_told_apart(
        #[case] status: u16,
        #[case] body: &str,
        #[case] exit: u8,
        #[case] text: &str,
    ) {
        let status = StatusCode::from_u16(status).unwrap();
        let failure = Failure::of_answer("http://a", status, body.as_bytes());
        assert_eq!((failure.text().as_str(), failure.status()), (text, exit));
    }

    #[rstest]
    #[case(
        LockFault::AlreadyLocked,
        1,
        "POLICY.LOCKED: policy is already locked\n"
    )]
    #[case(LockFault::NotLocked, 1, "POLICY.UNLOCKED: policy is unlocked\n")]
    #[case(
        LockFault::HeldByOthers(vec!["Lock a/b".to_owned()]),
        1,
        "POLICY.LOCKED: the policy is held by Lock a/b\n  → have these locks removed"
    )]
    #[case(LockFault::Forbidden("no".to_owned()), 1, "REQUEST.FORBIDDEN: no")]
    #[case(LockFault::Unavailable("late".to_owned()), 2, "LOCKS.UNAVAILABLE: late")]
    fn a_cluster_says_the_same(#[case] fault: LockFault, #[case] exit: u8, #[case] text: &str) {
        let failure = Failure::from(fault);
        assert!(failure.text().starts_with(text), "{}", failure.text());
        assert_eq!(failure.status(), exit);
    }
}
