//! What went wrong with a request, as every door tells it: problem details of RFC 9457, with the
//! code, the decision's id and the remedy, and with `id`, `kind` and `message` for clients of the
//! Gaia-X TSA policy service.

use std::sync::Arc;

use axum::{
    http::{
        HeaderValue, StatusCode,
        header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
    },
    response::{IntoResponse, Response},
};
use portcullis_policies::{Breach, Code, Decision};
use serde::Serialize;
use utoipa::ToSchema;

use crate::identity::decision_id;

/// Seconds after which a caller that found no room may come again: the queue is worth a quarter of
/// a second of usual work.
const RETRY_SECONDS: HeaderValue = HeaderValue::from_static("1");

/// The code of a replica that may not be asked.
const NOT_READY: &str = "SERVICE.NOT_READY";

/// Why a request is not answered as it was meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    pub(crate) code: String,
    pub(crate) detail: String,
    pub(crate) remedy: Option<String>,
    pub(crate) id: Arc<str>,
    /// Where a result breaks its schema.
    pub(crate) breaches: Vec<Breach>,
}

/// A problem, as `application/problem+json`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Problem)]
pub(crate) struct ProblemDocument<'a> {
    /// The kind of problem is told by `code`.
    #[schema(example = "about:blank")]
    r#type: &'static str,
    /// The status in words.
    #[schema(example = "Forbidden")]
    title: &'a str,
    /// The status.
    #[schema(example = 403)]
    status: u16,
    /// What is wrong, in one sentence.
    detail: &'a str,
    /// A stable name for programs.
    #[schema(example = "POLICY.LOCKED")]
    code: &'a str,
    /// The decision, or the refused request, as logs name it.
    decision_id: &'a str,
    /// The same as `decisionId`.
    id: &'a str,
    /// The kind of problem, as the Gaia-X TSA policy service numbers it: 1 bad request,
    /// 2 unauthorized, 3 forbidden, 4 exists, 5 not found, 6 timeout, 7 internal, 8 unavailable.
    #[schema(example = 3)]
    kind: u8,
    /// The same as `detail`.
    message: &'a str,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<&'a str>,
    /// Where the result breaks the policy's `outputSchema`, the first twenty places.
    #[serde(skip_serializing_if = "<[Breach]>::is_empty")]
    #[schema(value_type = Vec<BreachDocument>, required = false)]
    breaches: &'a [Breach],
}

/// Where a result breaks a schema. Its description; the policies find it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Breach)]
pub(crate) struct BreachDocument {
    /// A JSON pointer into the result; empty for the whole.
    #[schema(example = "/did")]
    path: String,
    /// What is wrong there.
    #[schema(example = "value is not of type \"string\"")]
    message: String,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, code: &str, detail: impl Into<String>) -> Self {
        Self {
            status,
            code: code.to_owned(),
            detail: detail.into(),
            remedy: None,
            id: decision_id(),
            breaches: Vec::new(),
        }
    }

    #[must_use]
    pub(crate) fn with_remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// The same problem of a request that has a decision's id.
    #[must_use]
    pub(crate) fn of(mut self, id: &Arc<str>) -> Self {
        self.id = id.clone();
        self
    }

    /// The input cannot be read.
    pub(crate) fn input_invalid(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, Code::InputInvalid.as_str(), detail)
    }

    /// No policy has the address.
    pub(crate) fn policy_not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, Code::NotFound.as_str(), detail)
            .with_remedy("`GET /v1/policies` lists the policies")
    }

    /// There is no room for the request.
    pub(crate) fn overloaded(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            Code::Overloaded.as_str(),
            detail,
        )
        .with_remedy("try again; if it stays so, run more replicas")
    }

    /// What was to be done for the request ended unexpectedly.
    pub(crate) fn failed(detail: impl Into<String>) -> Self {
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Self::new(status, Code::EvaluationFailed.as_str(), detail)
            .with_remedy("see the log of the server, and report what it says")
    }

    /// This replica does not know yet which policies there are.
    pub(crate) fn not_read_yet() -> Self {
        Self::not_ready("this replica has not read its policies yet")
            .with_remedy("try again; another replica may answer")
    }

    /// This replica may not be asked.
    pub(crate) fn not_ready(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, NOT_READY, detail)
    }

    /// A policy that was not evaluated, or whose evaluation failed.
    pub(crate) fn of_decision(decision: &Decision) -> Self {
        let message = decision.messages.first();
        let (code, detail, remedy) = match (message, &decision.lock) {
            (Some(message), _) => (
                message.code.clone(),
                message.message.clone(),
                message.remedy.clone(),
            ),
            (None, Some(lock)) => (
                Code::Locked,
                format!("locked by {}: {}", lock.name, lock.reason),
                None,
            ),
            (None, None) => (
                Code::EvaluationFailed,
                "the policy was not evaluated".to_owned(),
                None,
            ),
        };
        Self {
            status: status_of(&code),
            code: code.as_str().to_owned(),
            detail,
            remedy,
            id: decision.id.clone(),
            breaches: Vec::new(),
        }
    }

    fn document(&self) -> ProblemDocument<'_> {
        ProblemDocument {
            r#type: "about:blank",
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            detail: &self.detail,
            code: &self.code,
            decision_id: &self.id,
            id: &self.id,
            kind: kind_of(self.status),
            message: &self.detail,
            remedy: self.remedy.as_deref(),
            breaches: &self.breaches,
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body =
            serde_json::to_vec(&self.document()).expect("a document of texts must serialise");
        let mut response = (self.status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, RETRY_SECONDS);
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// The status that tells a code.
fn status_of(code: &Code) -> StatusCode {
    match code {
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::InputInvalid => StatusCode::BAD_REQUEST,
        Code::Timeout => StatusCode::GATEWAY_TIMEOUT,
        Code::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
        Code::Locked | Code::NotInForce | Code::DeniedAdmission | Code::DeniedEvaluation => {
            StatusCode::FORBIDDEN
        }
        Code::CompileFailed
        | Code::EvaluationFailed
        | Code::MemoryExceeded
        | Code::OutputInvalid
        | Code::Warning
        | Code::Skipped
        | Code::Custom(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// The number of `errors.Kind` in the TSA policy service's library.
fn kind_of(status: StatusCode) -> u8 {
    match status {
        StatusCode::UNAUTHORIZED => 2,
        StatusCode::FORBIDDEN => 3,
        StatusCode::CONFLICT => 4,
        StatusCode::NOT_FOUND => 5,
        StatusCode::REQUEST_TIMEOUT | StatusCode::GATEWAY_TIMEOUT => 6,
        StatusCode::SERVICE_UNAVAILABLE => 8,
        status if status.is_client_error() => 1,
        _ => 7,
    }
}
