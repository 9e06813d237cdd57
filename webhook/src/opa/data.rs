//! `/v1/data/…`: the document at a path.

use std::sync::Arc;

use axum::{body::Body, extract::State, http::Uri, response::Response};
use portcullis_policies::Point;

use super::{
    answer::{DataAnswer, INPUT_MISSING, Provenance, Warning, json},
    asked::Asked,
    body::{self, Source},
    documented::{DataBody, InputParameter, NoDocument},
    fault::Fault,
    options::Options,
    path::DataPath,
};
use crate::{Doors, evaluation::ask, parameters::Parameters, question::Question, whence::Asker};

/// What every path begins with.
const PREFIX: &str = "/v1/data";

/// Which policy of a name is meant, as it is documented.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it describes what `Asked` reads")]
pub(super) struct VersionParameter {
    /// The policy's version; without it, the newest in force.
    version: Option<String>,
}

/// The parameters that change an answer, as they are documented.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it describes what `Options` reads")]
pub(super) struct AnswerParameters {
    /// The namespace that owns the policy; without it, the cluster.
    namespace: Option<String>,
    /// Alone or `true`: the answer over several lines.
    pretty: Option<String>,
    /// Alone or `true`: with times, in nanoseconds.
    metrics: Option<String>,
    /// As `metrics`.
    instrument: Option<String>,
    /// Alone or `true`: with this server's version and the digests of the policies that were asked.
    provenance: Option<String>,
    /// `notes`: with what the policies note by `trace`.
    explain: Option<String>,
    /// Alone or `true`: a builtin function's error ends the evaluation, instead of being undefined.
    #[param(rename = "strict-builtin-errors")]
    strict_builtin_errors: Option<String>,
}

/// Evaluates policies, as OPA does with `?input=`
///
/// The path is a group, a name, and then a path in the policy's document. The newest version in
/// force answers, or that of `?version=`. A shorter path gives the object of all that is there.
#[utoipa::path(
    get,
    path = "/v1/data/{*path}",
    operation_id = "data",
    tag = "opa",
    params(
        InputParameter,
        VersionParameter,
        AnswerParameters,
        ask::TimeoutHeader
    ),
    responses(
        (status = 200, description = "The document, if it is defined", body = DataAnswer),
        NoDocument,
    )
)]
pub(super) async fn get(
    State(doors): State<Doors>,
    uri: Uri,
    asker: Asker,
) -> Result<Response, Fault> {
    let request = Request::read(&uri, &asker)?;
    let input = request.parameters.all("input").next_back();
    let source = input.map_or(Source::Nothing, |text| Source::Parameter(text.to_owned()));
    request.answer(&doors, source, None).await
}

/// Evaluates policies, as OPA does
///
/// The body is an object with `input`, or nothing; as YAML where the content type says so, and
/// compressed where the content encoding is `gzip`. The path is a group, a name, and then a path in
/// the policy's document. The newest version in force answers, or that of `?version=`. A shorter path
/// gives the object of all that is there.
#[utoipa::path(
    post,
    path = "/v1/data/{*path}",
    operation_id = "data",
    tag = "opa",
    params(VersionParameter, AnswerParameters, ask::TimeoutHeader),
    request_body(
        content = Option<DataBody>,
        content_type = "application/json",
        description = "At most 4 MiB"
    ),
    responses(
        (status = 200, description = "The document, if it is defined", body = DataAnswer),
        NoDocument,
    )
)]
pub(super) async fn post(
    State(doors): State<Doors>,
    uri: Uri,
    asker: Asker,
    body: Body,
) -> Result<Response, Fault> {
    let request = Request::read(&uri, &asker)?;
    let held = body::read(&doors, &request.question, &asker, body).await?;
    let source = Source::member(held)?;
    let warning = matches!(source, Source::Nothing).then_some(INPUT_MISSING);
    request.answer(&doors, source, warning).await
}

/// A request for a document.
struct Request {
    path: DataPath,
    parameters: Parameters,
    options: Options,
    question: Question,
}

impl Request {
    fn read(uri: &Uri, asker: &Asker) -> Result<Self, Fault> {
        let parameters = Parameters::of(uri)?;
        let options = Options::of(&parameters);
        let question = ask::question(Point::Evaluation, asker)?;
        Ok(Self {
            path: DataPath::read(uri.path().strip_prefix(PREFIX).unwrap_or_default())?,
            parameters,
            options,
            question: question.strictly(options.strict),
        })
    }

    async fn answer(
        self,
        doors: &Doors,
        source: Source,
        warning: Option<Warning>,
    ) -> Result<Response, Fault> {
        let (question, options, source) = (self.question, self.options, Arc::new(source));
        let snapshot = doors
            .snapshot()
            .map_err(|problem| problem.of(&question.id))?;
        let asked = Asked::find(&snapshot, self.path, &self.parameters, &question)?;
        let found = asked.ask(doors, &question, &snapshot, &source).await?;
        let explanation = match found.document {
            // As of OPA, there is nothing to explain where there is nothing.
            Some(_) if options.notes => Some(asked.notes(doors, &question, &source).await?),
            _ => None,
        };
        let answer = DataAnswer {
            decision_id: question.id.clone(),
            provenance: options.provenance.then(|| Provenance::of(&asked.entries)),
            explanation,
            metrics: options
                .metrics
                .then(|| found.timing.of_document(source.is_given())),
            result: found.document,
            warning,
        };
        Ok(json(&answer, options))
    }
}
