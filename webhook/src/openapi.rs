//! The evaluation API as an OpenAPI document.
//!
//! Handlers document themselves; what follows from a path alone is added here: its parameters, an
//! operation's name, and the problem that any request can be answered with.

use serde::Serialize;
use utoipa::{
    Modify, OpenApi, ToSchema,
    openapi::{
        ContentBuilder, OpenApi as Document, Ref, ResponseBuilder,
        path::{Operation, ParameterBuilder, ParameterIn, PathItem},
        schema::{ObjectBuilder, Type},
        security::{Http, HttpAuthScheme, SecurityScheme},
    },
};

use crate::{evaluation, problem::ProblemDocument};

/// The document without its routes.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Portcullis evaluation API",
        description = "Evaluates policies by their address. Errors are problem details (RFC 9457) \
                       with a `code`; `docs/api.md` explains the statuses."
    ),
    tags(
        (name = "evaluation", description = "Ask a policy"),
        (name = "locks", description = "Take a policy out of evaluation, and back"),
        (name = "policies", description = "What is there"),
        (name = "archives", description = "Policies that go from one installation to another"),
        (name = "subscriptions", description = "Who is told of a policy's changes"),
        (name = "decisions", description = "Why something was decided"),
        (name = "opa", description = "What OPA's clients speak"),
        (name = "probes", description = "Whether this replica is there"),
    ),
    components(schemas(ProblemDocument)),
    modifiers(&BearerToken)
)]
struct Head;

struct BearerToken;

/// A decision. Its description; the decision itself is made by the policies.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Decision)]
pub(crate) struct DecisionDocument {
    /// Names the decision in answers and logs.
    id: String,
    /// Whether the request may go on.
    allowed: bool,
    /// What the policy made of it.
    outcome: OutcomeName,
    /// Why it is denied, or would be; the most severe first.
    messages: Vec<MessageDocument>,
    /// What the caller is warned of.
    warnings: Vec<MessageDocument>,
    /// Why the policy skipped it.
    skipped: Vec<MessageDocument>,
    /// The entrypoint's document, where it was evaluated and is defined.
    #[schema(value_type = Option<serde_json::Value>)]
    result: Option<()>,
    /// The policy that decided.
    #[schema(example = "platform/required_labels@1.0")]
    policy: String,
    /// The namespace that owns the policy, if one does.
    namespace: Option<String>,
    /// The policy's digest.
    #[schema(example = "sha256:…")]
    digest: String,
    /// The lock that shaped the decision.
    lock: Option<LockDocument>,
    /// The exemption that shaped the decision, at admission.
    exemption: Option<ExemptionDocument>,
    /// Time that it took, in nanoseconds.
    duration_ns: u64,
}

/// What a policy made of a request.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Outcome)]
#[expect(dead_code, reason = "it describes what another crate serialises")]
enum OutcomeName {
    Allowed,
    Denied,
    Skipped,
    Error,
    Locked,
    Bypassed,
    Exempted,
    NotInForce,
    Unmatched,
}

/// One thing that a decision says.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Message)]
struct MessageDocument {
    /// A stable name for programs.
    #[schema(example = "POLICY.DENIED_EVALUATION")]
    code: String,
    /// One sentence for people.
    message: String,
    /// What to do about it.
    remedy: Option<String>,
    /// `critical`, `high`, `medium`, `low` or `info`.
    severity: Option<String>,
    /// The rule of the policy that said it.
    rule: Option<String>,
    /// Where in the judged document it is.
    path: Option<String>,
    /// What is there; `null` is nothing.
    #[schema(value_type = Option<serde_json::Value>)]
    found: Option<()>,
    /// What has to be there: a value, or a text that describes it.
    #[schema(value_type = Option<serde_json::Value>)]
    wanted: Option<()>,
    /// What the policy adds for programs.
    #[schema(value_type = Option<serde_json::Value>)]
    details: Option<()>,
}

/// A lock.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = LockNote)]
struct LockDocument {
    /// The lock's object.
    #[schema(example = "ClusterLock incident-4711")]
    name: String,
    /// `Refuse` or `Bypass`.
    effect: String,
    /// Why it was made.
    reason: String,
    /// When it ends, if it does.
    expires_at: Option<String>,
}

/// An exemption.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ExemptionNote)]
struct ExemptionDocument {
    /// The exemption's object.
    #[schema(example = "ClusterExemption legacy-build")]
    name: String,
    /// Why it was made.
    reason: String,
    /// Who approved it.
    approver: String,
    /// When it ends.
    expires_at: String,
}

impl Modify for BearerToken {
    fn modify(&self, document: &mut Document) {
        let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("bearer", bearer);
    }
}

/// The evaluation API as an OpenAPI document, in readable JSON.
pub fn openapi() -> String {
    print(evaluation::documented().into_openapi())
}

/// The document without its routes.
pub(crate) fn head() -> Document {
    Head::openapi()
}

/// The whole document, in readable JSON.
pub(crate) fn print(mut document: Document) -> String {
    let paths = std::mem::take(&mut document.paths.paths);
    for (path, mut item) in paths {
        complete(&path, &mut item);
        // The router's notation for the rest of a path is none of OpenAPI's.
        document.paths.paths.insert(path.replace("{*", "{"), item);
    }
    let mut text = document
        .to_pretty_json()
        .expect("a document of texts must serialise");
    text.push('\n');
    text
}

fn complete(path: &str, item: &mut PathItem) {
    let prefix = if path.starts_with("/namespaces/") {
        "namespaced_"
    } else if path.contains("{repository}") {
        "repository_"
    } else {
        ""
    };
    let operations = [
        ("get", &mut item.get),
        ("post", &mut item.post),
        ("delete", &mut item.delete),
    ];
    for (method, operation) in operations {
        let Some(operation) = operation else { continue };
        let name = operation.operation_id.take().unwrap_or_default();
        operation.operation_id = Some(format!("{prefix}{method}_{name}"));
        add_parameters(path, operation);
        add_problem(operation);
    }
}

fn add_parameters(path: &str, operation: &mut Operation) {
    let names = path
        .split('{')
        .skip(1)
        .filter_map(|rest| rest.split('}').next());
    let mut parameters: Vec<_> = names
        .map(|name| {
            let name = name.trim_start_matches('*');
            let schema = ObjectBuilder::new().schema_type(Type::String).build();
            ParameterBuilder::new()
                .name(name)
                .parameter_in(ParameterIn::Path)
                .required(utoipa::openapi::Required::True)
                .description(describe(name))
                .schema(Some(schema))
                .build()
                .into()
        })
        .collect();
    parameters.append(&mut operation.parameters.take().unwrap_or_default());
    operation.parameters = (!parameters.is_empty()).then_some(parameters);
}

fn describe(parameter: &str) -> Option<&'static str> {
    match parameter {
        "repository" => Some("The repository's name; `policies` unless it is set otherwise"),
        "namespace" => Some("The namespace that owns the policy"),
        "group" => Some("The first part of the policy's address"),
        "name" => Some("The second part of the policy's address"),
        "version" => Some("The third part of the policy's address"),
        "id" => {
            Some("The id at the end of a refusal, in the `ETag`, in logs and audit annotations")
        }
        "module" => Some("The policy's address and the file's name"),
        "rule" => Some("The rule's name"),
        "path" => Some("Group, name, and a path in the document, with slashes between them"),
        _ => None,
    }
}

fn add_problem(operation: &mut Operation) {
    let content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name("Problem")))
        .build();
    let response = ResponseBuilder::new()
        .description("Any other fault: a request that cannot be read, an unknown address")
        .content("application/problem+json", content)
        .build();
    operation
        .responses
        .responses
        .insert("default".to_owned(), response.into());
}
