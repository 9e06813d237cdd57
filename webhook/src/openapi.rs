//! The evaluation API as an OpenAPI document.
//!
//! Handlers document themselves; what follows from a path alone is added by [`paths`], and [`examples`]
//! adds requests and their answers.

mod examples;
mod paths;

use serde::Serialize;
use utoipa::{
    Modify, OpenApi, ToSchema,
    openapi::{
        OpenApi as Document,
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
        (name = "namespaces", description = "The same, of a Policy of a namespace"),
        (name = "repositories", description = "The same, with the repository in front"),
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
pub(crate) struct LockDocument {
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
    paths::complete(&mut document.paths);
    examples::add(&mut document.paths);
    let mut text = document
        .to_pretty_json()
        .expect("a document of texts must serialise");
    text.push('\n');
    text
}
