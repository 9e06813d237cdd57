//! What OPA's routes say of themselves alike, in the description of the API.

use std::collections::BTreeMap;

use utoipa::{
    IntoParams, IntoResponses, ToSchema,
    openapi::{
        ContentBuilder, Ref, RefOr, Required, Response, ResponseBuilder,
        path::{Parameter, ParameterBuilder, ParameterIn},
    },
};

const JSON: &str = "application/json";
const PROBLEM: &str = "application/problem+json";

/// What a document is asked with.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes what `Source` reads")]
pub(super) struct DataBody {
    /// The policies' `input`; `null` and nothing are none.
    input: Option<serde_json::Value>,
}

/// What a query is asked with.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes what `Query` reads")]
pub(super) struct QueryBody {
    /// The query, of at most 64 KiB.
    #[schema(min_length = 1, max_length = 65536)]
    query: String,
    /// The policies' `input`; `null` and nothing are none.
    input: Option<serde_json::Value>,
}

/// `?input=`
pub(super) struct InputParameter;

impl IntoParams for InputParameter {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let content = ContentBuilder::new().schema(Some(utoipa::schema!(serde_json::Value)));
        let parameter = ParameterBuilder::new()
            .name("input")
            .parameter_in(ParameterIn::Query)
            .required(Required::False)
            .description(Some("The policies' `input`"))
            .content(JSON, content.build());
        vec![parameter.build()]
    }
}

/// Why there is no document, where policies are named.
pub(super) struct NoDocument;

impl IntoResponses for NoDocument {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let mut responses = NoAnswer::responses();
        let mut describe = |status: &str, description: &str, shapes: &[(&str, &str)]| {
            responses.insert(status.to_owned(), response(description, shapes));
        };
        describe(
            "403",
            "`POLICY.LOCKED` or `POLICY.NOT_IN_FORCE`: the policy was not evaluated",
            &[(PROBLEM, "Problem")],
        );
        describe(
            "500",
            "`internal_error` of an evaluation that ended with an error; `POLICY.COMPILE_FAILED` or \
             `POLICY.MEMORY_EXCEEDED`",
            &[(JSON, "OpaError"), (PROBLEM, "Problem")],
        );
        responses
    }
}

/// Why there is no answer, whatever was asked.
pub(super) struct NoAnswer;

impl IntoResponses for NoAnswer {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let invalid = response(
            "`invalid_parameter`, or `POLICY.INPUT_INVALID`: the request cannot be read",
            &[(JSON, "OpaError"), (PROBLEM, "Problem")],
        );
        let busy = response(
            "`POLICY.OVERLOADED` or `SERVICE.NOT_READY`: try again after `Retry-After` seconds",
            &[(PROBLEM, "Problem")],
        );
        [("400", invalid), ("503", busy)]
            .map(|(status, response)| (status.to_owned(), response))
            .into()
    }
}

fn response(description: &str, shapes: &[(&str, &str)]) -> RefOr<Response> {
    let response = ResponseBuilder::new().description(description);
    let response = shapes.iter().fold(response, |response, (kind, schema)| {
        let schema = Ref::from_schema_name(*schema);
        let content = ContentBuilder::new().schema(Some(schema)).build();
        response.content(*kind, content)
    });
    response.build().into()
}
