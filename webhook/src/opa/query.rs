//! `/v1/query`: conditions of Rego about what the policies answer.
//!
//! ```text
//! query ─ read ─▶ which policies it looks at ─ each is asked, as at /v1/data ─▶ their documents ─▶ solutions
//! ```

use std::{sync::Arc, time::Instant};

use axum::{body::Body, extract::State, http::Uri, response::Response};
use portcullis_policies::{
    Document, Entry, Interest, Limits, Point, Scope, Snapshot,
    workbench::{Bindings, Inquiry, InquiryFault},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    answer::{Metrics, json},
    asked::{Gathering, check_count, grouped, scope},
    body::{self, Object, Source, unanswered},
    documented::{NoDocument, QueryBody},
    fault::Fault,
    options::Options,
};
use crate::{
    Doors, evaluation::ask, parameters::Parameters, problem::Problem, question::Question,
    whence::Asker,
};

/// Longest query, in bytes. One that people write takes some hundreds; clients that ask a rule about many
/// inputs put them all in. Compiling this much takes some ten milliseconds.
const MAX_QUERY: usize = 64 << 10;

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
        (
            "q" = String,
            Query,
            min_length = 1,
            description = "The query, of at most 64 KiB"
        ),
        ("namespace" = Option<String>, Query, description = "The namespace that owns the policies"),
        ("pretty" = Option<String>, Query, description = "Alone or `true`: over several lines"),
        ("metrics" = Option<String>, Query, description = "Alone or `true`: with times"),
        ask::TimeoutHeader
    ),
    responses(
        (status = 200, description = "The solutions", body = QueryAnswer),
        NoDocument,
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
    query.answer(&doors, &parameters, question, false).await
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
        content = QueryBody,
        content_type = "application/json",
        description = "At most 4 MiB"
    ),
    responses(
        (status = 200, description = "The solutions", body = QueryAnswer),
        NoDocument,
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
    query.answer(&doors, &parameters, question, true).await
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
        has_body: bool,
    ) -> Result<Response, Fault> {
        let options = Options::of(parameters);
        let of_request = |problem: Problem| problem.of(&question.id);
        let snapshot = doors.snapshot().map_err(of_request)?;
        let mut gathering = Gathering::for_request(&question);
        let begin = Instant::now();
        let (text, source) = (self.text, Arc::new(self.source));
        let prepared = prepare(
            doors,
            &question,
            &snapshot,
            scope(parameters),
            text,
            &source,
        );
        let (inquiry, parts) = prepared.await?;
        gathering.timing.compile = begin.elapsed();

        let mut documents = Vec::new();
        for part in &parts {
            let found =
                gathering.documents(doors, &question, &snapshot, &part.asked, &[], &part.source);
            documents.push(part.place(found.await?));
        }

        let begin = Instant::now();
        let result = solve(doors, &question, inquiry, source, documents).await?;
        gathering.timing.evaluate += begin.elapsed();
        let answer = QueryAnswer {
            metrics: options.metrics.then(|| gathering.timing.of_query(has_body)),
            result,
        };
        Ok(json(&answer, options))
    }
}

/// Reads a query and finds what it asks of the policies, on an evaluator's thread.
async fn prepare(
    doors: &Doors,
    question: &Question,
    snapshot: &Arc<Snapshot>,
    scope: Scope,
    text: String,
    source: &Arc<Source>,
) -> Result<(Inquiry, Vec<Part>), Fault> {
    if text.len() > MAX_QUERY {
        let message = format!("the query is longer than {} KiB", MAX_QUERY >> 10);
        return Err(Fault::parameter(message));
    }
    let (snapshot, source, now) = (snapshot.clone(), source.clone(), question.now());
    let work = move || {
        let inquiry = Inquiry::read(&text).map_err(|fault| wrong(fault, &text))?;
        let all = snapshot.all_in_force(&scope, None, now);
        let parts = parts(&inquiry, &all, &source)?;
        Ok((inquiry, parts))
    };
    let evaluators = &doors.settings().evaluators;
    let prepared = evaluators.run(question.deadline, work).await;
    prepared.map_err(|why| unanswered(why).of(&question.id))?
}

/// Why a query cannot be asked.
fn wrong(fault: InquiryFault, text: &str) -> Fault {
    match fault {
        InquiryFault::Empty => Fault::parameter("cannot evaluate empty query"),
        InquiryFault::Unread(errors) => {
            let message = "error(s) occurred while parsing query";
            Fault::query(message, &errors, Some(text))
        }
        InquiryFault::Uncompiled(errors) => {
            Fault::query("error(s) occurred while compiling query", &errors, None)
        }
    }
}

/// What a query asks of the policies with one input.
struct Part {
    source: Arc<Source>,
    asked: Vec<Arc<Entry>>,
    /// The groups that it can look at; whether one is there can be asked as well.
    groups: Vec<String>,
}

impl Part {
    fn new(
        inquiry: &Inquiry,
        all: &[&Arc<Entry>],
        input: Option<usize>,
        source: Arc<Source>,
    ) -> Self {
        let mut part = Self {
            source,
            asked: Vec::new(),
            groups: Vec::new(),
        };
        for entry in all {
            let (group, name) = (entry.address().group(), entry.address().name());
            if inquiry.looks_at(input, &[group, name]) {
                part.asked.push((*entry).clone());
            }
            if inquiry.looks_at(input, &[group]) {
                part.groups.push(group.to_owned());
            }
        }
        part
    }

    /// What it sees as `data`.
    fn place(&self, documents: Vec<(Arc<Entry>, Document)>) -> Document {
        let mut groups = grouped(documents);
        for group in &self.groups {
            groups.entry(group.clone()).or_default();
        }
        Document::object(groups)
    }
}

/// What a query asks of the policies: with the request's own input, and with each that it names.
fn parts(inquiry: &Inquiry, all: &[&Arc<Entry>], source: &Arc<Source>) -> Result<Vec<Part>, Fault> {
    let mut parts = vec![Part::new(inquiry, all, None, source.clone())];
    for (at, input) in inquiry.inputs().iter().enumerate() {
        let source = Arc::new(Source::Made(input.clone()));
        parts.push(Part::new(inquiry, all, Some(at), source));
    }
    let asked: usize = parts.iter().map(|part| part.asked.len()).sum();
    check_count(asked)?;
    if inquiry.modifies() && asked > 0 {
        return Err(Fault::parameter(
            "of what policies look at, a query about them replaces `input` only, and by a document: \
             `with input as {…}`",
        ));
    }
    Ok(parts)
}

/// Asks the query, on an evaluator's thread.
async fn solve(
    doors: &Doors,
    question: &Question,
    inquiry: Inquiry,
    source: Arc<Source>,
    documents: Vec<Document>,
) -> Result<Vec<Bindings>, Fault> {
    let limits = Limits::DEFAULT.within(doors.settings().cache.allowance().limits);
    let asked = question.clone();
    let work = move || -> Result<_, Problem> {
        let input = source.document(&Interest::whole())?;
        let request = asked.request_until_deadline();
        Ok(inquiry.ask(documents, input.as_ref(), &request, limits))
    };
    let evaluators = &doors.settings().evaluators;
    let solved = evaluators.run(question.deadline, work).await;
    let solved = solved.map_err(|why| unanswered(why).of(&question.id))??;
    solved.map_err(|error| Fault::evaluation(&error, &question.id))
}
