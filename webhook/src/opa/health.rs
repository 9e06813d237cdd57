//! `/health` and `/health/…`: whether this replica may be asked, as OPA's clients ask it.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    extract::State,
    http::{StatusCode, Uri},
    response::Response,
};
use portcullis_policies::{Document, Point};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::{
    answer::json as written,
    asked::Asked,
    body::Source,
    fault::{ErrorDocument, Fault},
    options::{Options, flag},
    path::DataPath,
};
use crate::{
    Doors,
    evaluation::ask,
    parameters::Parameters,
    problem::{Problem, ProblemDocument},
    whence::Asker,
};

/// What every path begins with.
const PREFIX: &str = "/health";

/// Where the rules of `/health/…` are.
const RULES: &str = "/system/health";

/// An answer in OPA's shape.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = OpaHealth)]
pub(super) struct HealthAnswer {
    /// What is wrong; absent where nothing is.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// Tells whether this replica may be asked, as OPA does
///
/// A replica may be asked as soon as it has read all policies once. With `bundles`, none of them may be
/// broken; with `plugins`, nothing may have to be told to the administrator. What `exclude-plugin` names
/// does not count.
#[utoipa::path(
    get,
    path = "/health",
    tag = "probes",
    params(
        ("bundles" = Option<String>, Query, description = "Alone or `true`: whether every policy can be asked"),
        ("plugins" = Option<String>, Query, description = "Alone or `true`: whether every part is well"),
        ("exclude-plugin" = Option<String>, Query, description = "A part that does not count: `bundle` or `sources`")
    ),
    responses(
        (status = 200, description = "It may", body = HealthAnswer),
        (status = 500, description = "What was asked for is not so", body = HealthAnswer),
        (
            status = 503,
            description = "It may not, and why",
            content_type = "application/problem+json",
            body = ProblemDocument
        ),
    )
)]
pub(super) async fn health(State(doors): State<Doors>, uri: Uri) -> Result<Response, Problem> {
    doors.is_ready().map_err(Problem::not_ready)?;
    let parameters = Parameters::of(&uri)?;
    let parts = parts(&doors);
    if (flag(&parameters, "bundles") || flag(&parameters, "bundle")) && !parts["bundle"].is_well() {
        let broken = broken(&doors).join(", ");
        return Ok(unwell(format!(
            "one or more bundles are not activated: {broken}"
        )));
    }
    let excluded: Vec<&str> = parameters.all("exclude-plugin").collect();
    let mut counted = parts.iter().filter(|(name, _)| !excluded.contains(name));
    if flag(&parameters, "plugins") && counted.any(|(_, part)| !part.is_well()) {
        return Ok(unwell("one or more plugins are not up".to_owned()));
    }
    Ok(well())
}

/// Asks a policy whether this replica is healthy, as OPA does
///
/// The rule of that name in the policy `system/health` has to be `true`. Its `input` has
/// `plugin_state` and `plugins_ready`.
#[utoipa::path(
    get,
    path = "/health/{*rule}",
    operation_id = "health_rule",
    tag = "probes",
    responses(
        (status = 200, description = "The rule is `true`", body = HealthAnswer),
        (status = 400, description = "`invalid_parameter`: the path cannot be read", body = ErrorDocument),
        (status = 500, description = "It is not, or cannot be asked", body = HealthAnswer),
        (
            status = 503,
            description = "This replica may not be asked, and why",
            content_type = "application/problem+json",
            body = ProblemDocument
        ),
    )
)]
pub(super) async fn rule(
    State(doors): State<Doors>,
    uri: Uri,
    asker: Asker,
) -> Result<Response, Fault> {
    let snapshot = doors.snapshot()?;
    let rest = uri.path().strip_prefix(PREFIX).unwrap_or_default();
    let path = DataPath::read(&format!("{RULES}{rest}"))?;
    let reference = path.reference();
    let question = ask::question(Point::Evaluation, &asker)?;
    let states: BTreeMap<&str, &str> = parts(&doors)
        .into_iter()
        .map(|(name, part)| (name, part.state()))
        .collect();
    let input = json!({"plugin_state": states, "plugins_ready": doors.is_ready().is_ok()});
    let source = Arc::new(Source::Made(Document::from(&input)));
    let asked = Asked::find(&snapshot, path, &Parameters::default(), &question)?;
    let found = asked.ask(&doors, &question, &snapshot, &source).await?;
    Ok(match found.document.map(|document| document.as_bool()) {
        Some(Some(true)) => well(),
        Some(_) => unwell(format!(
            "health check ({reference}) returned unexpected value"
        )),
        None => unwell(format!("health check ({reference}) was undefined")),
    })
}

/// Whether a part of this replica is well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Well,
    Unwell,
}

impl Part {
    fn of(is_well: bool) -> Self {
        if is_well { Self::Well } else { Self::Unwell }
    }

    fn is_well(self) -> bool {
        self == Self::Well
    }

    /// OPA's name of the state.
    pub(super) fn state(self) -> &'static str {
        match self {
            Self::Well => "OK",
            Self::Unwell => "ERROR",
        }
    }
}

/// The parts of this replica, as OPA has plugins: the policies, and where they come from.
pub(super) fn parts(doors: &Doors) -> BTreeMap<&'static str, Part> {
    BTreeMap::from([
        (
            "bundle",
            Part::of(doors.is_synced() && broken(doors).is_empty()),
        ),
        ("sources", Part::of(doors.remarks().is_empty())),
    ])
}

/// The policies that cannot be asked.
fn broken(doors: &Doors) -> Vec<String> {
    let snapshot = doors.snapshot_so_far();
    let broken = snapshot
        .entries()
        .filter(|entry| entry.policy.faults().is_some());
    broken.map(|entry| entry.address().to_string()).collect()
}

fn well() -> Response {
    written(&HealthAnswer::default(), Options::default())
}

fn unwell(error: String) -> Response {
    let mut response = written(&HealthAnswer { error: Some(error) }, Options::default());
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response
}
