//! `/v1/data/{path}`: what OPA's clients speak.
//!
//! The path is a group, a name, and then what is looked up in the entrypoint's document:
//! `platform/required_labels/allow`. The newest version that is in force answers, or the one that
//! `?version=` names. What is undefined or unknown is an answer without `result`, as OPA gives it;
//! what is locked or broken is never that, because clients read an absent result as "no".

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Json,
    body::{Body, Bytes},
    extract::{FromRequestParts, Path, State},
    http::request::Parts,
};
use portcullis_policies::{
    Address, Document, Entry, Input, Interest, Point, Scope, Snapshot, Timestamp, text::clean,
};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::{
    ask::{self, read_json},
    evaluate::result_of,
};
use crate::{
    Doors,
    body::{Held, MAX_INPUT},
    parameters::Parameters,
    problem::{Problem, ProblemDocument},
    question::Question,
    whence::Asker,
};

/// An answer in OPA's shape.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DataAnswer {
    /// The document; absent where it is undefined.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<serde_json::Value>)]
    result: Option<Document>,
    /// The decision's id.
    #[schema(value_type = String)]
    decision_id: Arc<str>,
    /// What is odd about the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    warning: Option<Warning>,
}

/// What is odd about a request, in OPA's shape.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub(super) struct Warning {
    code: &'static str,
    message: &'static str,
}

/// What a body without `input` is answered with, in OPA's words.
const INPUT_MISSING: Warning = Warning {
    code: "api_usage_warning",
    message: "'input' key missing from the request",
};

/// The path that follows `/v1/data/`.
#[derive(Debug)]
pub(super) struct Asked(String);

impl<S: Send + Sync> FromRequestParts<S> for Asked {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::from_request_parts(parts, state).await;
        path.map(|Path(path)| Self(path))
            .map_err(|_| Problem::policy_not_found("the path is not UTF-8"))
    }
}

/// A document that OPA's client asks for.
struct Query {
    entry: Option<Arc<Entry>>,
    rest: Vec<String>,
}

/// Evaluates a policy, as OPA does with `?input=`
///
/// The path is a group, a name, and then a path in the entrypoint's document. The newest version
/// in force answers, or that of `?version=`.
#[utoipa::path(
    get,
    path = "/v1/data/{*path}",
    tag = "opa",
    params(
        ("input" = Option<String>, Query, description = "The policy's `input` as JSON"),
        ("version" = Option<String>, Query, description = "The policy's version"),
        ("namespace" = Option<String>, Query, description = "The namespace that owns the policy"),
        ask::TimeoutHeader
    ),
    responses(
        (status = 200, description = "The document, if it is defined", body = DataAnswer),
        (
            status = 403,
            description = "`POLICY.LOCKED` or `POLICY.NOT_IN_FORCE`: the policy was not evaluated",
            content_type = "application/problem+json",
            body = ProblemDocument
        ),
        (
            status = 500,
            description = "`POLICY.COMPILE_FAILED`, `POLICY.EVALUATION_FAILED` or \
                           `POLICY.MEMORY_EXCEEDED`",
            content_type = "application/problem+json",
            body = ProblemDocument
        ),
        (
            status = 503,
            description = "`POLICY.OVERLOADED` or `SERVICE.NOT_READY`: try again after \
                           `Retry-After` seconds",
            content_type = "application/problem+json",
            body = ProblemDocument
        ),
    )
)]
pub(super) async fn get(
    State(doors): State<Doors>,
    Asked(path): Asked,
    parameters: Parameters,
    asker: Asker,
) -> Result<Json<DataAnswer>, Problem> {
    let question = ask::question(Point::Evaluation, &asker)?;
    let snapshot = doors.snapshot()?;
    let query = Query::new(&snapshot, &path, &parameters, question.now());
    let text = parameters.get("input").map(str::to_owned);
    let logged = doors.decision_log().and_then(|_| text.clone());
    let logged = logged.map(Bytes::from);
    let read = move |interest: &Interest<'_>| match text {
        None => Ok(Input::Evaluation(None)),
        Some(text) => {
            read_json(&text, interest, "`input`").map(|input| Input::Evaluation(Some(input)))
        }
    };
    query
        .answer(&doors, &question, &snapshot, logged, read)
        .await
        .map(Json)
}

/// Evaluates a policy, as OPA does
///
/// The body is an object with `input`, or nothing. The path is a group, a name, and then a path in
/// the entrypoint's document. The newest version in force answers, or that of `?version=`.
#[utoipa::path(
    post,
    path = "/v1/data/{*path}",
    tag = "opa",
    params(
        ("version" = Option<String>, Query, description = "The policy's version"),
        ("namespace" = Option<String>, Query, description = "The namespace that owns the policy"),
        ask::TimeoutHeader
    ),
    request_body(
        content = Option<serde_json::Value>,
        content_type = "application/json",
        description = "An object with `input`, at most 4 MiB"
    ),
    responses(
        (status = 200, description = "The document, if it is defined", body = DataAnswer),
        (
            status = 403,
            description = "`POLICY.LOCKED` or `POLICY.NOT_IN_FORCE`: the policy was not evaluated",
            content_type = "application/problem+json",
            body = ProblemDocument
        ),
        (
            status = 500,
            description = "`POLICY.COMPILE_FAILED`, `POLICY.EVALUATION_FAILED` or \
                           `POLICY.MEMORY_EXCEEDED`",
            content_type = "application/problem+json",
            body = ProblemDocument
        ),
        (
            status = 503,
            description = "`POLICY.OVERLOADED` or `SERVICE.NOT_READY`: try again after \
                           `Retry-After` seconds",
            content_type = "application/problem+json",
            body = ProblemDocument
        ),
    )
)]
pub(super) async fn post(
    State(doors): State<Doors>,
    Asked(path): Asked,
    parameters: Parameters,
    asker: Asker,
    body: Body,
) -> Result<Json<DataAnswer>, Problem> {
    let question = ask::question(Point::Evaluation, &asker)?;
    let snapshot = doors.snapshot()?;
    let query = Query::new(&snapshot, &path, &parameters, question.now());
    let held = doors
        .input_room()
        .read(body, MAX_INPUT, question.deadline)
        .await
        .map_err(|problem| problem.of(&question.id))?;
    let request = DataRequest::read(held).map_err(|problem| problem.of(&question.id))?;
    let warning = request.warning();
    let logged = doors.decision_log().and_then(|_| request.text());
    let answer = query
        .answer(&doors, &question, &snapshot, logged, move |interest| {
            request.input(interest)
        })
        .await?;
    Ok(Json(DataAnswer { warning, ..answer }))
}

/// A body of OPA's client.
struct DataRequest {
    held: Held,
    /// Whether the body is there and lacks `input`.
    lacks_input: bool,
    has_input: bool,
}

impl DataRequest {
    fn read(held: Held) -> Result<Self, Problem> {
        if held.bytes.iter().all(u8::is_ascii_whitespace) {
            return Ok(Self {
                held,
                lacks_input: false,
                has_input: false,
            });
        }
        let members = Self::members(&held)?;
        // As OPA reads it, a null is no input.
        let has_input = members
            .get("input")
            .is_some_and(|input| input.get() != "null");
        let lacks_input = !members.contains_key("input");
        Ok(Self {
            held,
            lacks_input,
            has_input,
        })
    }

    fn members(held: &Held) -> Result<BTreeMap<String, &RawValue>, Problem> {
        serde_json::from_slice(&held.bytes).map_err(|error| {
            Problem::input_invalid(clean(&format!("the body is no JSON object: {error}")))
                .with_remedy("send `{\"input\": …}`, or nothing")
        })
    }

    fn warning(&self) -> Option<Warning> {
        self.lacks_input.then_some(INPUT_MISSING)
    }

    /// The text of the input, if there is one.
    fn text(&self) -> Option<Bytes> {
        let members = Self::members(&self.held).ok().filter(|_| self.has_input)?;
        let input = members.get("input")?;
        Some(self.held.bytes.slice_ref(input.get().as_bytes()))
    }

    /// Work of the processor.
    fn input(&self, interest: &Interest<'_>) -> Result<Input, Problem> {
        if !self.has_input {
            return Ok(Input::Evaluation(None));
        }
        let members = Self::members(&self.held)?;
        let text = members.get("input").map_or("null", |input| input.get());
        read_json(text, interest, "`input`").map(|input| Input::Evaluation(Some(input)))
    }
}

impl Query {
    fn new(snapshot: &Snapshot, path: &str, parameters: &Parameters, now: Timestamp) -> Self {
        let mut parts = path.trim_end_matches('/').split('/');
        let group = parts.next().unwrap_or_default();
        let name = parts.next().unwrap_or_default();
        let scope = match parameters.get("namespace") {
            Some(namespace) => Scope::Namespace(namespace.to_owned()),
            None => Scope::Cluster,
        };
        let entry = match parameters.get("version") {
            Some(version) => Address::new(scope, group, name, version)
                .ok()
                .and_then(|address| snapshot.find(&address)),
            None => newest_in_force(snapshot, &scope, group, name, now),
        };
        Self {
            entry: entry.cloned(),
            rest: parts.map(str::to_owned).collect(),
        }
    }

    async fn answer(
        self,
        doors: &Doors,
        question: &Question,
        snapshot: &Snapshot,
        text: Option<Bytes>,
        read: impl FnOnce(&Interest<'_>) -> Result<Input, Problem> + Send + 'static,
    ) -> Result<DataAnswer, Problem> {
        let result = match self.entry {
            None => None,
            Some(entry) => {
                let decision = ask::about(
                    doors,
                    question,
                    snapshot,
                    vec![entry],
                    &self.rest,
                    text,
                    read,
                )
                .await?;
                result_of(&decision)?.and_then(|document| document.at(&self.rest))
            }
        };
        Ok(DataAnswer {
            result,
            decision_id: question.id.clone(),
            warning: None,
        })
    }
}

/// The newest version in force; where none is, the newest of all, which says why it is not.
fn newest_in_force<'a>(
    snapshot: &'a Snapshot,
    scope: &Scope,
    group: &str,
    name: &str,
    now: Timestamp,
) -> Option<&'a Arc<Entry>> {
    snapshot
        .entries()
        .filter(|entry| {
            let address = entry.address();
            address.scope() == scope && address.group() == group && address.name() == name
        })
        .max_by_key(|entry| {
            let in_force = entry.policy.definition().window.contains(now);
            (in_force, entry.address().version())
        })
}
