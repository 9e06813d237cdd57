//! `/v1/status` and `/v1/config`: what this replica is and has, in OPA's shapes.

use std::{collections::BTreeMap, sync::LazyLock};

use axum::{extract::State, http::Uri, response::Response};
use portcullis_policies::Entry;
use serde::Serialize;
use utoipa::ToSchema;

use super::{answer::json, fault::Fault, health, options::Options};
use crate::{Doors, identity::decision_id, parameters::Parameters};

/// The name of this process, as OPA gives each of its own one.
static INSTANCE: LazyLock<String> = LazyLock::new(|| decision_id().to_string());

/// An answer in OPA's shape.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StatusAnswer {
    result: Status,
}

/// The state of this replica.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OpaStatus)]
pub(super) struct Status {
    labels: Labels,
    /// The policies, by their addresses.
    bundles: BTreeMap<String, Bundle>,
    /// The parts of this replica.
    plugins: BTreeMap<&'static str, Plugin>,
}

/// Which server answers.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OpaLabels)]
pub(super) struct Labels {
    /// This process' own name.
    id: &'static str,
    /// This server's version.
    version: &'static str,
}

/// A policy.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OpaBundle)]
pub(super) struct Bundle {
    /// Its address.
    #[schema(example = "services/authorization@1.0")]
    name: String,
    /// Its digest; absent where it is broken.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "sha256:…")]
    active_revision: Option<String>,
    /// `bundle_error` where it is broken.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    code: Option<&'static str>,
    /// What is wrong with it first.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

/// The state of a part.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OpaPlugin)]
pub(super) struct Plugin {
    /// `OK` or `ERROR`
    #[schema(value_type = String, example = "OK")]
    state: &'static str,
}

/// An answer in OPA's shape.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ConfigAnswer {
    result: Config,
}

/// What this server was told.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OpaConfig)]
pub(super) struct Config {
    /// The path that `POST /` answers.
    #[schema(example = "/system/main")]
    default_decision: String,
    labels: Labels,
}

/// Tells what this replica has, as OPA does
#[utoipa::path(
    get,
    path = "/v1/status",
    tag = "opa",
    params(("pretty" = Option<String>, Query, description = "Alone or `true`: over several lines")),
    responses((status = 200, description = "What it has", body = StatusAnswer))
)]
pub(super) async fn status(State(doors): State<Doors>, uri: Uri) -> Result<Response, Fault> {
    let options = Options::of(&Parameters::of(&uri)?);
    let snapshot = doors.snapshot()?;
    let bundles = snapshot.entries().map(|entry| bundle(entry)).collect();
    let plugins = health::parts(&doors).into_iter();
    let result = Status {
        labels: labels(),
        bundles,
        plugins: plugins
            .map(|(name, part)| {
                (
                    name,
                    Plugin {
                        state: part.state(),
                    },
                )
            })
            .collect(),
    };
    Ok(json(&StatusAnswer { result }, options))
}

/// Tells what this server was told, as OPA does
#[utoipa::path(
    get,
    path = "/v1/config",
    tag = "opa",
    params(("pretty" = Option<String>, Query, description = "Alone or `true`: over several lines")),
    responses((status = 200, description = "What it was told", body = ConfigAnswer))
)]
pub(super) async fn config(State(doors): State<Doors>, uri: Uri) -> Result<Response, Fault> {
    let options = Options::of(&Parameters::of(&uri)?);
    let result = Config {
        default_decision: doors.settings().default_decision.to_string(),
        labels: labels(),
    };
    Ok(json(&ConfigAnswer { result }, options))
}

fn labels() -> Labels {
    Labels {
        id: &INSTANCE,
        version: env!("CARGO_PKG_VERSION"),
    }
}

fn bundle(entry: &Entry) -> (String, Bundle) {
    let name = entry.address().to_string();
    let first = entry
        .policy
        .faults()
        .and_then(|faults| faults.iter().next());
    let bundle = Bundle {
        name: name.clone(),
        active_revision: first.is_none().then(|| entry.policy.digest().to_string()),
        code: first.map(|_| "bundle_error"),
        message: first.map(|fault| fault.message.clone()),
    };
    (name, bundle)
}
