//! What went wrong, for OPA's clients.
//!
//! What OPA can say too is said in its words and its shape: a request that cannot be read, an
//! evaluation that ended with an error, a document that is undefined. What OPA does not know, a policy
//! that is locked, broken, late or not in force, is the problem that every route answers, whose
//! `code` and `message` are where OPA's clients look; never a document without `result`.

use std::sync::Arc;

use axum::{
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use portcullis_policies::{Code, Decision, Diagnostic, Diagnostics, go_json};
use serde::Serialize;
use utoipa::ToSchema;

use crate::problem::Problem;

/// Why a request of OPA's client is not answered.
#[derive(Debug)]
pub(super) enum Fault {
    /// As OPA says it.
    Opa(StatusCode, Box<ErrorDocument>),
    /// What OPA does not know.
    Ours(Problem),
}

/// An error in OPA's shape.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = OpaError)]
pub(super) struct ErrorDocument {
    /// OPA's name for the kind of error.
    #[schema(value_type = String, example = "invalid_parameter")]
    code: &'static str,
    /// What is wrong.
    message: String,
    /// The errors of a query or an evaluation.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<ErrorItem>,
    /// Of an evaluation, the decision's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    decision_id: Option<Arc<str>>,
}

/// One error of a query or an evaluation, in OPA's shape.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = OpaErrorItem)]
pub(super) struct ErrorItem {
    /// OPA's name for the kind of error.
    #[schema(example = "eval_conflict_error")]
    code: String,
    /// What is wrong.
    message: String,
    /// Where.
    #[serde(skip_serializing_if = "Option::is_none")]
    location: Option<Place>,
    /// Of a query that is no Rego, the line.
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<Line>,
}

/// A place, in OPA's shape.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = OpaLocation)]
pub(super) struct Place {
    /// The module's file; of a query, empty.
    file: String,
    /// The line, from 1.
    row: u32,
    /// The column, from 1.
    col: u32,
}

/// A line that is no Rego, in OPA's shape.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = OpaLine)]
pub(super) struct Line {
    /// The line.
    line: String,
    /// Where in it the error is, in bytes.
    idx: usize,
}

impl Fault {
    /// The same in the shape of every other route.
    pub(super) fn into_problem(self) -> Problem {
        match self {
            Self::Opa(status, document) => {
                Problem::new(status, Code::InputInvalid.as_str(), document.message)
            }
            Self::Ours(problem) => problem,
        }
    }

    /// The request cannot be read.
    pub(super) fn parameter(message: impl Into<String>) -> Self {
        Self::opa(StatusCode::BAD_REQUEST, "invalid_parameter", message)
    }

    /// The path names no document.
    pub(super) fn path(why: &str) -> Self {
        Self::parameter(format!("invalid path: {why}"))
    }

    /// There is no such document.
    pub(super) fn undefined(message: String) -> Self {
        Self::opa(StatusCode::NOT_FOUND, "undefined_document", message)
    }

    /// There is no such module.
    pub(super) fn no_module(id: &str) -> Self {
        let message = format!("storage_not_found_error: policy id {id:?}");
        Self::opa(StatusCode::NOT_FOUND, "resource_not_found", message)
    }

    /// An evaluation ended with an error.
    pub(super) fn evaluation(error: &Diagnostic, id: &Arc<str>) -> Self {
        let message = "error(s) occurred while evaluating query";
        let mut fault = Self::opa(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", message);
        if let Self::Opa(_, document) = &mut fault {
            document.errors = vec![item(error)];
            document.decision_id = Some(id.clone());
        }
        fault
    }

    /// A query is wrong; `text` is the query where it cannot even be read.
    pub(super) fn query(message: &str, errors: &Diagnostics, text: Option<&str>) -> Self {
        let mut fault = Self::parameter(message);
        if let Self::Opa(_, document) = &mut fault {
            document.errors = errors.iter().map(item).collect();
            for error in &mut document.errors {
                error.details = text.and_then(|text| line(text, error.location.as_ref()?));
            }
        }
        fault
    }

    /// What a decision without a document says.
    pub(super) fn of_decision(decision: &Decision, problem: Problem) -> Self {
        let message = decision.messages.first();
        let error = message.filter(|message| message.code == Code::EvaluationFailed);
        match error.and_then(|message| message.error.as_deref()) {
            Some(error) => Self::evaluation(error, &decision.id),
            None => Self::Ours(problem),
        }
    }

    fn opa(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        let document = ErrorDocument {
            code,
            message: message.into(),
            errors: Vec::new(),
            decision_id: None,
        };
        Self::Opa(status, Box::new(document))
    }
}

/// What cannot be read is told as OPA tells it.
impl From<Problem> for Fault {
    fn from(problem: Problem) -> Self {
        if problem.status == StatusCode::BAD_REQUEST {
            Self::parameter(problem.detail)
        } else {
            Self::Ours(problem)
        }
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        match self {
            Self::Ours(problem) => problem.into_response(),
            Self::Opa(status, document) => {
                let text = go_json::pretty(&*document).expect("texts and numbers must serialise");
                (status, [(CONTENT_TYPE, "application/json")], text).into_response()
            }
        }
    }
}

fn item(error: &Diagnostic) -> ErrorItem {
    let location = error.location.as_ref();
    ErrorItem {
        code: error.code.clone(),
        message: error.message.clone(),
        location: location.map(|location| Place {
            file: location.file.clone(),
            row: location.line,
            col: location.column,
        }),
        details: None,
    }
}

fn line(text: &str, place: &Place) -> Option<Line> {
    let row = usize::try_from(place.row).ok()?.checked_sub(1)?;
    let column = usize::try_from(place.col).ok()?.checked_sub(1)?;
    let line = text.lines().nth(row)?;
    let idx = line
        .char_indices()
        .nth(column)
        .map_or(line.len(), |(at, _)| at);
    Some(Line {
        line: line.to_owned(),
        idx,
    })
}
