//! `/v1/enforcement`: what this replica enforces, for the operator that reports it.

use axum::{Json, extract::State};
use portcullis_policies::{Address, Code, Digest, Snapshot, Timestamp, shadow::Difference};
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
    /// Since when this replica keeps it out of evaluation by itself, because a result broke its schema,
    /// until there is a lock; or null.
    #[schema(value_type = Option<String>, format = DateTime)]
    sealed_since: Option<Timestamp>,
    /// The newer version that is asked at admission in its place, or null.
    #[schema(example = "2.0")]
    superseded_by: Option<String>,
    /// Of a shadow: how often it differs from the version in force at this replica, or null.
    shadow: Option<ShadowCounts>,
}

/// How often a shadow differs from the version in force, since both are as they are.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ShadowCounts {
    /// The version that it is compared with.
    #[schema(example = "1.0")]
    compares: String,
    /// Requests on which both were asked.
    compared: u64,
    /// Requests on which the shadow was not asked, because there was no room or no time.
    missed: u64,
    /// Requests that it would refuse, and that are let through.
    stricter: u64,
    /// Requests that it would let through, and that are refused.
    looser: u64,
    /// Requests about which it cannot answer.
    failed: u64,
    /// Requests about which both decide alike, and say something else.
    messages: u64,
}

impl ShadowCounts {
    fn of(doors: &Doors, snapshot: &Snapshot, shadow: &Address) -> Option<Self> {
        let pair = snapshot.pair(shadow)?;
        let tally = doors.shadows().tally(snapshot, shadow)?;
        Some(Self {
            compares: pair.in_force.address().version().to_string(),
            compared: tally.compared,
            missed: tally.missed,
            stricter: tally.differing(Difference::Stricter),
            looser: tally.differing(Difference::Looser),
            failed: tally.differing(Difference::Failed),
            messages: tally.differing(Difference::Messages),
        })
    }
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
            .filter(|lock| !lock.is_seal())
            .map(|lock| lock.key.to_string())
            .collect(),
        sealed_since: snapshot.sealed_since(entry.address()),
        superseded_by: entry
            .superseded_by
            .as_ref()
            .map(|newer| newer.version().to_string()),
        shadow: ShadowCounts::of(&doors, &snapshot, entry.address()),
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
