//! `/v1/enforcement`: what this replica enforces, for the operator that reports it.

use axum::{Json, extract::State};
use portcullis_policies::{Address, Code, Digest};
use serde::Serialize;
use utoipa::ToSchema;

use crate::Doors;

/// What this replica enforces.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Enforcement {
    /// Whether this replica may be asked.
    ready: bool,
    /// The policies in force or broken.
    policies: Vec<EnforcedPolicy>,
    /// The bindings.
    bindings: Vec<EnforcedBinding>,
}

/// A binding at this replica.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EnforcedBinding {
    /// The object.
    #[schema(example = "ClusterPolicyBinding prod-limits")]
    name: String,
    /// What it asks with, one digest for each object that it takes parameters of, sorted.
    #[schema(value_type = Vec<String>, example = json!(["sha256:…"]))]
    digests: Vec<Digest>,
}

/// A policy at this replica.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct EnforcedPolicy {
    /// The policy's address.
    #[schema(value_type = String, example = "platform/required_labels@1.0")]
    address: Address,
    /// The namespace that owns it, or null.
    namespace: Option<String>,
    /// The digest of its sources, data and settings.
    #[schema(value_type = String, example = "sha256:…")]
    digest: Digest,
    /// Whether it cannot be evaluated.
    broken: bool,
    /// What its evaluations use up again and again, so that it is not run for a while, or null.
    #[schema(value_type = Option<String>, example = "POLICY.TIMEOUT")]
    exhausts: Option<Code>,
    /// The locks that cover it, those that have expired among them.
    #[schema(example = json!(["ClusterLock incident-4711"]))]
    locks: Vec<String>,
    /// The newer version that is asked at admission in its place, or null.
    #[schema(example = "2.0")]
    superseded_by: Option<String>,
}

/// Tells what this replica enforces
#[utoipa::path(
    get,
    path = "/v1/enforcement",
    tag = "policies",
    responses((status = 200, description = "The policies of this replica", body = Enforcement))
)]
pub(super) async fn enforcement(State(doors): State<Doors>) -> Json<Enforcement> {
    let snapshot = doors.snapshot_so_far();
    let policies = snapshot.entries().map(|entry| EnforcedPolicy {
        address: entry.address().clone(),
        namespace: entry.address().namespace().map(str::to_owned),
        digest: entry.policy.digest(),
        broken: entry.policy.faults().is_some(),
        exhausts: entry.policy.exhausts(),
        locks: entry
            .locks
            .iter()
            .map(|lock| lock.key.to_string())
            .collect(),
        superseded_by: entry
            .superseded_by
            .as_ref()
            .map(|newer| newer.version().to_string()),
    });
    let bindings = snapshot.bindings().map(|binding| EnforcedBinding {
        name: binding.key.to_string(),
        digests: snapshot.digests_of(&binding.key),
    });
    Json(Enforcement {
        ready: doors.is_ready().is_ok(),
        policies: policies.collect(),
        bindings: bindings.collect(),
    })
}
