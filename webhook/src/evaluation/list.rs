//! `/v1/policies`: what is there, in the shapes of the TSA policy service and of OPA.

use axum::{Json, extract::State};
use portcullis_policies::{Digest, Entry, Point, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    Doors,
    parameters::Parameters,
    problem::{Problem, ProblemDocument},
};

/// All policies, twice.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PolicyList {
    /// The policies, as the Gaia-X TSA policy service lists them.
    policies: Vec<ListedPolicy>,
    /// Their modules, as OPA lists them.
    result: Vec<ListedModule>,
}

/// A policy.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListedPolicy {
    /// The repository's name.
    #[schema(example = "policies")]
    repository: String,
    /// The first part of the address.
    #[schema(example = "platform")]
    group: String,
    /// The second part of the address.
    #[schema(example = "required_labels")]
    policy_name: String,
    /// The same as `policyName`.
    name: String,
    /// The third part of the address.
    #[schema(example = "1.0")]
    version: String,
    /// The namespace that owns the policy, if one does.
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<String>,
    /// The digest of its sources, data and settings.
    #[schema(value_type = String, example = "sha256:…")]
    digest: Digest,
    /// Whether a lock keeps it from being evaluated.
    locked: bool,
    /// Whether it cannot be evaluated.
    broken: bool,
}

/// A module of a policy.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ListedModule {
    /// The policy's address and the file's name.
    #[schema(example = "platform/required_labels@1.0/policy.rego")]
    id: String,
    /// Its source.
    raw: String,
}

/// Lists policies
///
/// In the order of their addresses; those of namespaces come last.
#[utoipa::path(
    get,
    path = "/v1/policies",
    tag = "policies",
    params(
        ("locked" = Option<bool>, Query, description = "Only those that are locked, or are not"),
        ("policyName" = Option<String>, Query, description = "Only those of this name"),
    ),
    responses(
        (status = 200, description = "The policies", body = PolicyList),
        (
            status = 400,
            description = "`POLICY.INPUT_INVALID`: a filter cannot be read",
            content_type = "application/problem+json",
            body = ProblemDocument
        ),
        (
            status = 503,
            description = "`SERVICE.NOT_READY`: try again after `Retry-After` seconds",
            content_type = "application/problem+json",
            body = ProblemDocument
        ),
    )
)]
pub(super) async fn list(
    State(doors): State<Doors>,
    parameters: Parameters,
) -> Result<Json<PolicyList>, Problem> {
    let locked = parameters.get_bool("locked")?;
    let name = parameters.get("policyName");
    let now = Timestamp::now();
    let is_locked = |entry: &Entry| entry.active_lock(Point::Evaluation, now).is_some();
    let snapshot = doors.snapshot()?;
    let entries = snapshot.entries().filter(|entry| {
        locked.is_none_or(|wanted| wanted == is_locked(entry))
            && name.is_none_or(|name| name == entry.address().name())
    });
    let mut list = PolicyList {
        policies: Vec::new(),
        result: Vec::new(),
    };
    for entry in entries {
        let address = entry.address();
        list.policies.push(ListedPolicy {
            repository: doors.settings().repository.clone(),
            group: address.group().to_owned(),
            policy_name: address.name().to_owned(),
            name: address.name().to_owned(),
            version: address.version().to_string(),
            namespace: address.namespace().map(str::to_owned),
            digest: entry.policy.digest(),
            locked: is_locked(entry),
            broken: entry.policy.faults().is_some(),
        });
        let owner = address.namespace().map(|namespace| format!("{namespace}/"));
        let owner = owner.unwrap_or_default();
        let modules = entry.policy.definition().modules.iter();
        list.result
            .extend(modules.map(|(file, source)| ListedModule {
                id: format!("{owner}{}/{file}", address.path()),
                raw: source.clone(),
            }));
    }
    Ok(Json(list))
}
