//! `/v1/policies`: what is there, in the shapes of the TSA policy service and of OPA.

use axum::{Json, extract::State};
use portcullis_policies::{
    Address, DataSource, Definition, Digest, Entry, Point, Scope, Snapshot, Timestamp, Which,
    lock::LockNote,
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    Doors,
    opa::module_id,
    openapi::LockDocument,
    parameters::Parameters,
    problem::{Problem, ProblemDocument},
};

/// All policies, twice.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(super) struct PolicyList {
    /// The policies, as the Gaia-X TSA policy service lists them.
    policies: Vec<ListedPolicy>,
    /// Their modules, as OPA lists them.
    result: Vec<ListedModule>,
    /// What to send as `continue` for those that come next; absent where these are the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "platform/required_labels@1.0")]
    r#continue: Option<String>,
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
    /// The lock that does; absent where none does.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<LockDocument>)]
    lock: Option<LockNote>,
    /// Whether it cannot be evaluated.
    broken: bool,
    /// When it was changed last, in seconds since 1970; 0 where that is not known.
    #[schema(example = 1_767_225_600)]
    last_update: i64,
    /// With `rego=true`: its modules, one after the other.
    #[serde(skip_serializing_if = "Option::is_none")]
    rego: Option<String>,
    /// With `data=true`: its static data, as JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "{}")]
    data: Option<String>,
    /// With `dataConfig=true`: where further data comes from, as JSON; absent where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    data_config: Option<String>,
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

/// Which policies are listed, and what is told of each.
struct Wanted {
    locked: Option<bool>,
    name: Option<String>,
    rego: bool,
    data: bool,
    data_config: bool,
    limit: usize,
    after: Option<Address>,
}

impl Wanted {
    fn of(parameters: &Parameters) -> Result<Self, Problem> {
        let flag = |name| Ok(parameters.get_bool(name)?.unwrap_or_default());
        Ok(Self {
            locked: parameters.get_bool("locked")?,
            name: parameters.get("policyName").map(str::to_owned),
            rego: flag("rego")?,
            data: flag("data")?,
            data_config: flag("dataConfig")?,
            limit: limit(parameters)?,
            after: after(parameters)?,
        })
    }
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
        ("rego" = Option<bool>, Query, description = "Whether `policies` tells their sources"),
        ("data" = Option<bool>, Query, description = "Whether `policies` tells their static data"),
        (
            "dataConfig" = Option<bool>,
            Query,
            description = "Whether `policies` tells where further data comes from"
        ),
        (
            "limit" = Option<u32>,
            Query,
            minimum = 1,
            description = "How many at the most; all where it is not said"
        ),
        (
            "continue" = Option<String>,
            Query,
            description = "What the list before said: where this one begins"
        ),
    ),
    responses(
        (status = 200, description = "The policies", body = PolicyList),
        (
            status = 400,
            description = "`POLICY.INPUT_INVALID`: a filter cannot be read",
            content_type = "application/problem+json",
            body = ProblemDocument
        ),
    )
)]
pub(super) async fn list(
    State(doors): State<Doors>,
    parameters: Parameters,
) -> Result<Json<PolicyList>, Problem> {
    let wanted = Wanted::of(&parameters)?;
    let snapshot = doors.snapshot()?;
    let list = page(
        &snapshot,
        &wanted,
        Timestamp::now(),
        &doors.settings().repository,
    );
    Ok(Json(list))
}

/// The policies that are wanted, from a place in the list on.
fn page(snapshot: &Snapshot, wanted: &Wanted, now: Timestamp, repository: &str) -> PolicyList {
    let lock = |entry: &Entry| Some(entry.active_lock(Point::Evaluation, now)?.note());
    let is_locked = |entry: &Entry| entry.active_lock(Point::Evaluation, now).is_some();
    let is_named = |entry: &Entry| {
        let name = wanted.name.as_ref();
        name.is_none_or(|name| name == entry.address().name())
    };
    let mut entries = snapshot
        .entries_after(wanted.after.as_ref())
        .filter(|entry| {
            let locked = wanted.locked;
            is_named(entry) && locked.is_none_or(|locked| locked == is_locked(entry))
        });
    let mut list = PolicyList::default();
    for entry in entries.by_ref().take(wanted.limit) {
        let namespace = entry.address().namespace();
        let owner = namespace.map_or_else(String::new, |name| format!("{name}/"));
        let place = format!("{owner}{}", entry.address().path());
        let modules = &entry.policy.definition().modules;
        list.result
            .extend(modules.iter().map(|(file, source)| ListedModule {
                id: module_id(entry.address(), file),
                raw: source.clone(),
            }));
        let updated = snapshot.updated(entry.address());
        let (lock, updated) = (lock(entry), updated.unwrap_or_default());
        let policy = ListedPolicy::of(entry, wanted, repository, lock, updated);
        list.policies.push(policy);
        list.r#continue = Some(place);
    }
    if entries.next().is_none() {
        list.r#continue = None;
    }
    list
}

impl ListedPolicy {
    fn of(
        entry: &Entry,
        wanted: &Wanted,
        repository: &str,
        lock: Option<LockNote>,
        updated: Timestamp,
    ) -> Self {
        let address = entry.address();
        let definition = entry.policy.definition();
        let sources = || {
            let modules = definition.modules.values().map(String::as_str);
            modules.collect::<Vec<_>>().join(
                "
",
            )
        };
        let data = || {
            let data = &definition.data;
            serde_json::to_string(data).expect("a document must serialise")
        };
        Self {
            repository: repository.to_owned(),
            group: address.group().to_owned(),
            policy_name: address.name().to_owned(),
            name: address.name().to_owned(),
            version: address.version().to_string(),
            namespace: address.namespace().map(str::to_owned),
            digest: entry.policy.digest(),
            locked: lock.is_some(),
            lock,
            broken: entry.policy.faults().is_some(),
            last_update: updated.as_second(),
            rego: wanted.rego.then(sources),
            data: wanted.data.then(data),
            data_config: data_config(definition).filter(|_| wanted.data_config),
        }
    }
}

/// Where further data comes from.
fn data_config(definition: &Definition) -> Option<String> {
    let sources: Vec<Source<'_>> = definition.data_from.iter().map(Source::of).collect();
    let written = serde_json::to_string(&sources).expect("texts must serialise");
    (!sources.is_empty()).then_some(written)
}

/// Where a document comes from.
#[derive(Serialize)]
struct Source<'a> {
    path: String,
    kind: &'a str,
    namespace: Option<&'a str>,
    name: &'a str,
    key: &'a str,
    /// What is fetched, without its query.
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
}

impl<'a> Source<'a> {
    fn of(source: &'a DataSource) -> Self {
        let selection = &source.selection;
        Self {
            path: source.path.join("."),
            kind: &selection.kind.kind,
            namespace: selection.namespace.as_deref(),
            name: match &selection.which {
                Which::Name(name) => name,
                Which::Selector(_) => "",
            },
            key: &source.key,
            url: source.http.as_ref().map(ToString::to_string),
        }
    }
}

/// How many policies are listed at the most.
fn limit(parameters: &Parameters) -> Result<usize, Problem> {
    let Some(text) = parameters.get("limit") else {
        return Ok(usize::MAX);
    };
    let limit: Option<i32> = text.parse().ok().filter(|&limit| limit > 0);
    let limit = limit.and_then(|limit| limit.try_into().ok());
    limit.ok_or_else(|| Problem::input_invalid("the parameter `limit` is not a number above 0"))
}

/// The last policy of the list before: `group/name@version`, with its namespace in front.
fn after(parameters: &Parameters) -> Result<Option<Address>, Problem> {
    let Some(text) = parameters.get("continue").filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let (scope, path) = match text.split_once('/') {
        Some((namespace, path)) if path.contains('/') => {
            (Scope::Namespace(namespace.to_owned()), path)
        }
        _ => (Scope::Cluster, text),
    };
    let address = path.parse::<Address>().and_then(|address| {
        let version = address.version().to_string();
        Address::new(scope, address.group(), address.name(), &version)
    });
    address.map(Some).map_err(|_| {
        Problem::input_invalid("the parameter `continue` is not what a list said")
            .with_remedy("begin the list anew, without `continue`")
    })
}
