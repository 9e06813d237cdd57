//! `/v1/query`: conditions of Rego about what the policies answer.
//!
//! ```text
//! query ─ read ─▶ which policies it looks at ─ each is asked, as at /v1/data ─▶ their documents ─▶ solutions
//! ```

use std::{sync::Arc, time::Instant};

use axum::{body::Body, extract::State, http::Uri, response::Response};
use portcullis_policies::{
    Document, Entry, Input, Interest, Limits, Point,
    workbench::{Bindings, Inquiry, InquiryFault},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    answer::{Metrics, Timing, json},
    asked::{check_count, documents, grouped, scope},
    body::{self, Object, Source, unanswered},
    fault::{ErrorDocument, Fault},
    options::Options,
};
use crate::{
    Doors,
    evaluation::ask,
    parameters::Parameters,
    problem::{Problem, ProblemDocument},
    question::Question,
    whence::Asker,
};

/// Longest query, in bytes. One that people write takes some hundreds; compiling this much takes some
/// milliseconds.
const MAX_QUERY: usize = 16 << 10;

/// The solutions of a query.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct QueryAnswer {
    /// Times in nanoseconds, with `metrics` or `instrument`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<BTreeMap<String, u64>>)]
    metrics: Option<Metrics>,
    /// The variables of each solution; absent where there is none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Option<Vec<BTreeMap<String, serde_json::Value>>>)]
    result: Vec<Bindings>,
}

/// Asks a query, as OPA does
///
/// Conditions of Rego, in which `data.<group>.<name>` is the document that `/v1/data` gives, of the
/// newest version in force, without `input`.
#[utoipa::path(
    get,
    path = "/v1/query",
    operation_id = "query",
    tag = "opa",
    params(
        ("q" = String, Query, description = "The query, at most 16 KiB"),
        ("namespace" = Option<String>, Query, description = "The namespace that owns the policies"),
        ("pretty" = Option<String>, Query, description = "Alone or `true`: over several lines"),
        ("metrics" = Option<String>, Query, description = "Alone or `true`: with times"),
        ask::TimeoutHeader
    ),
    responses(
        (status = 200, description = "The solutions", body = QueryAnswer),
        (status = 400, description = "`invalid_parameter`: the query is wrong", body = ErrorDocument),
        (
            status = 403,
            description = "`POLICY.LOCKED` or `POLICY.NOT_IN_FORCE`: a policy was not evaluated",
            content_type = "application/problem+json",
            body = ProblemDocument
        ),
        (
            status = 500,
            description = "`internal_error` of an evaluation that ended with an error; \
                           `POLICY.COMPILE_FAILED` or `POLICY.MEMORY_EXCEEDED`",
            content((ErrorDocument = "application/json"), (ProblemDocument = "application/problem+json"))
        ),
    )
)]
pub(super) async fn get(
    State(doors): State<Doors>,
    uri: Uri,
    asker: Asker,
) -> Result<Response, Fault> {
    let parameters = Parameters::of(&uri)?;
    let question = ask::question(Point::Evaluation, &asker)?;
    let text = parameters.all("q").next_back();
    let text = text.ok_or_else(|| Fault::parameter("missing parameter 'q'"))?;
    let query = Query {
        text: text.to_owned(),
        source: Source::Nothing,
    };
    query.answer(&doors, &parameters, question).await
}

/// Asks a query about an input, as OPA does
///
/// The body is an object with `query` and, if there is one, `input`.
#[utoipa::path(
    post,
    path = "/v1/query",
    operation_id = "query",
    tag = "opa",
    params(
        ("namespace" = Option<String>, Query, description = "The namespace that owns the policies"),
        ("pretty" = Option<String>, Query, description = "Alone or `true`: over several lines"),
        ("metrics" = Option<String>, Query, description = "Alone or `true`: with times"),
        ask::TimeoutHeader
    ),
    request_body(
        content = serde_json::Value,
        content_type = "application/json",
        description = "An object with `query`, at most 16 KiB, and `input`; at most 4 MiB together"
    ),
    responses(
        (status = 200, description = "The solutions", body = QueryAnswer),
        (status = 400, description = "`invalid_parameter`: the query is wrong", body = ErrorDocument),
        (
            status = 403,
            description = "`POLICY.LOCKED` or `POLICY.NOT_IN_FORCE`: a policy was not evaluated",
            content_type = "application/problem+json",
            body = ProblemDocument
        ),
        (
            status = 500,
            description = "`internal_error` of an evaluation that ended with an error; \
                           `POLICY.COMPILE_FAILED` or `POLICY.MEMORY_EXCEEDED`",
            content((ErrorDocument = "application/json"), (ProblemDocument = "application/problem+json"))
        ),
    )
)]
pub(super) async fn post(
    State(doors): State<Doors>,
    uri: Uri,
    asker: Asker,
    body: Body,
) -> Result<Response, Fault> {
    let parameters = Parameters::of(&uri)?;
    let question = ask::question(Point::Evaluation, &asker)?;
    let held = body::read(&doors, &question, &asker, body).await?;
    let query = Query::read(held)?;
    query.answer(&doors, &parameters, question).await
}

/// A query, and where its input is.
struct Query {
    text: String,
    source: Source,
}

impl Query {
    fn read(held: crate::body::Held) -> Result<Self, Fault> {
        let undecoded = |why: String| {
            Fault::parameter(format!("error(s) occurred while decoding request: {why}"))
        };
        let object = Object::read(held).map_err(|problem| undecoded(problem.detail))?;
        let text = match object.member("query")? {
            None => String::new(),
            Some(text) => serde_json::from_str::<Option<String>>(text.get())
                .map_err(|_| undecoded("`query` is no text".to_owned()))?
                .unwrap_or_default(),
        };
        Ok(Self {
            text,
            source: Source::of(object)?,
        })
    }

    async fn answer(
        self,
        doors: &Doors,
        parameters: &Parameters,
        question: Question,
    ) -> Result<Response, Fault> {
        let options = Options::of(parameters);
        let of_request = |problem: Problem| problem.of(&question.id);
        let snapshot = doors.snapshot().map_err(of_request)?;
        let mut timing = Timing::since(question.begin);
        let begin = Instant::now();
        let (inquiry, source) = (self.compile(doors, &question).await?, Arc::new(self.source));
        timing.compile = begin.elapsed();

        let scope = scope(parameters);
        let all = snapshot.all_in_force(&scope, None, question.now());
        let asked = looked_at(&inquiry, all);
        check_count(&asked)?;
        check_modifiers(&inquiry, &asked)?;
        let found = documents(
            doors,
            &question,
            &snapshot,
            &asked,
            &[],
            &source,
            &mut timing,
        )
        .await?;
        let mut groups = grouped(found);
        // Whether a group is there can be asked as well.
        for entry in snapshot.all_in_force(&scope, None, question.now()) {
            let group = entry.address().group();
            if inquiry.looks_at(&[group]) {
                groups.entry(group.to_owned()).or_default();
            }
        }

        let begin = Instant::now();
        let result = solve(doors, &question, inquiry, source, Document::object(groups)).await?;
        timing.evaluate += begin.elapsed();
        let answer = QueryAnswer {
            metrics: options.metrics.then(|| timing.of_query()),
            result,
        };
        Ok(json(&answer, options))
    }

    /// Reads the query, on an evaluator's thread.
    async fn compile(&self, doors: &Doors, question: &Question) -> Result<Arc<Inquiry>, Fault> {
        if self.text.len() > MAX_QUERY {
            let message = format!("the query is longer than {} KiB", MAX_QUERY >> 10);
            return Err(Fault::parameter(message));
        }
        let text = self.text.clone();
        let evaluators = &doors.settings().evaluators;
        let read = evaluators.run(question.deadline, move || Inquiry::read(&text));
        let read = read.await.map_err(|why| unanswered(why).of(&question.id))?;
        read.map(Arc::new).map_err(|fault| match fault {
            InquiryFault::Empty => Fault::parameter("cannot evaluate empty query"),
            InquiryFault::Unread(errors) => {
                let message = "error(s) occurred while parsing query";
                Fault::query(message, &errors, Some(&self.text))
            }
            InquiryFault::Uncompiled(errors) => {
                Fault::query("error(s) occurred while compiling query", &errors, None)
            }
        })
    }
}

/// The policies that a query can look at.
fn looked_at(inquiry: &Inquiry, all: Vec<&Arc<Entry>>) -> Vec<Arc<Entry>> {
    let all = all.into_iter();
    all.filter(|entry| {
        let address = entry.address();
        inquiry.looks_at(&[address.group(), address.name()])
    })
    .cloned()
    .collect()
}

/// Policies are asked before the query, and so without what it replaces.
fn check_modifiers(inquiry: &Inquiry, asked: &[Arc<Entry>]) -> Result<(), Fault> {
    if inquiry.modifies() && !asked.is_empty() {
        return Err(Fault::parameter(
            "a query about policies has no `with`: send what they are to read as `input`",
        ));
    }
    Ok(())
}

/// Asks the query, on an evaluator's thread.
async fn solve(
    doors: &Doors,
    question: &Question,
    inquiry: Arc<Inquiry>,
    source: Arc<Source>,
    data: Document,
) -> Result<Vec<Bindings>, Fault> {
    let limits = Limits::DEFAULT.within(doors.settings().cache.allowance().limits);
    let asked = question.clone();
    let work = move || -> Result<_, Problem> {
        let Input::Evaluation(input) = source.read(&Interest::whole())? else {
            return Ok(Ok(Vec::new()));
        };
        Ok(inquiry.ask(
            &data,
            input.as_ref(),
            &asked.request_until_deadline(),
            limits,
        ))
    };
    let evaluators = &doors.settings().evaluators;
    let solved = evaluators.run(question.deadline, work).await;
    let solved = solved.map_err(|why| unanswered(why).of(&question.id))??;
    solved.map_err(|error| Fault::evaluation(&error, &question.id))
}
