//! Judges our own resources when somebody applies them.
//!
//! | what is wrong | answer |
//! |---|---|
//! | a policy, a binding, a lock or an exemption that cannot work by itself | refused, with all that is wrong with it |
//! | an address that another object holds, a lock or an exemption without a target, a binding without its policy or parameters, an import that is not to be had, importers that would break, a version to supersede that is not there or may not be, a shadow of nothing | a warning |
//!
//! A fault between objects is never a refusal: tools that apply a repository apply before they
//! prune, so an address may be taken for a moment and a lock may come before its policy. And what
//! does not touch the spec passes: an object that is broken already can still be labelled, locked,
//! and deleted.

mod binding;
mod exemption;
mod importers;
mod tenant;
#[cfg(test)]
mod tests;
mod versions;

use std::sync::Arc;

use portcullis_crds::{Manifest, ManifestError};
use portcullis_policies::{
    Bytes, Cache, Conflict, Diagnostic, Diagnostics, Effect, FAULTS_BETWEEN_OBJECTS, Limits,
    Object, ObjectKey, Snapshot, Timestamp,
};
use portcullis_webhook::{ResourceAnswer, ResourceReview, ResourceReviewer};
use serde_json::{Value as Json, json};

use crate::convert::{BindingDraft, Draft, ExemptionDraft, LockDraft};
use importers::Changes;

/// Most faults that a refusal tells: a person mends a few and applies again.
const MAX_FAULTS: usize = 20;

/// Judges our own resources against what the cache knows.
#[derive(Clone, Debug)]
pub struct Reviewer {
    cache: Arc<Cache>,
    clock: fn() -> Timestamp,
}

impl Reviewer {
    /// A reviewer that compares with this cache.
    pub fn new(cache: Arc<Cache>) -> Self {
        Self {
            cache,
            clock: Timestamp::now,
        }
    }

    fn judge(&self, review: &ResourceReview) -> Result<Vec<String>, Diagnostics> {
        let Some(object) = &review.object else {
            return Ok(Vec::new());
        };
        let old = review.old.as_ref();
        if old.is_some_and(|old| old.get("spec") == object.get("spec")) {
            return Ok(Vec::new());
        }
        let (now, snapshot) = ((self.clock)(), self.cache.snapshot());
        match read(review, object)? {
            Manifest::Policy(object) => self.policy(Draft::try_from(object.as_ref())?, old, now),
            Manifest::ClusterPolicy(object) => {
                self.policy(Draft::try_from(object.as_ref())?, old, now)
            }
            Manifest::Lock(object) => {
                lock(LockDraft::try_from(object.as_ref())?, old, now, &snapshot)
            }
            Manifest::ClusterLock(object) => {
                lock(LockDraft::try_from(object.as_ref())?, old, now, &snapshot)
            }
            Manifest::PolicyBinding(object) => {
                self.binding(BindingDraft::try_from(object.as_ref())?, &snapshot)
            }
            Manifest::ClusterPolicyBinding(object) => {
                self.binding(BindingDraft::try_from(object.as_ref())?, &snapshot)
            }
            Manifest::Exemption(object) => {
                let draft = ExemptionDraft::try_from(object.as_ref())?;
                self.exemption(draft, old, now, &snapshot)
            }
            Manifest::ClusterExemption(object) => {
                let draft = ExemptionDraft::try_from(object.as_ref())?;
                self.exemption(draft, old, now, &snapshot)
            }
        }
    }

    fn binding(
        &self,
        draft: BindingDraft,
        snapshot: &Snapshot,
    ) -> Result<Vec<String>, Diagnostics> {
        let most = self.cache.allowance().tenant;
        match tenant::binding_fault(&draft.definition.key, snapshot, most) {
            Some(fault) => Err(fault.into()),
            None => binding::judge(draft, snapshot),
        }
    }

    fn policy(
        &self,
        draft: Draft,
        old: Option<&Json>,
        now: Timestamp,
    ) -> Result<Vec<String>, Diagnostics> {
        let end = draft.definition.window.not_after;
        let mut faults = Vec::new();
        if end.is_some_and(|end| end <= now) && changed(old, "notAfter", end) {
            faults.push(past("notAfter", "the policy would never be in force"));
        }
        let snapshot = self.cache.snapshot();
        let object = draft.compile(&*snapshot, self.cache.allowance());
        let found = object
            .policy
            .faults()
            .into_iter()
            .flat_map(Diagnostics::iter);
        let (between, own): (Vec<_>, Vec<_>) = found
            .cloned()
            .partition(|fault| FAULTS_BETWEEN_OBJECTS.contains(&fault.code.as_str()));
        faults.extend(own);
        let most = self.cache.allowance().tenant;
        let definition = object.policy.definition();
        faults.extend(tenant::policy_fault(
            &object.key,
            definition,
            &snapshot,
            most,
        ));
        if let Some(faults) = Diagnostics::collect(faults) {
            return Err(faults);
        }
        let holder = snapshot
            .find(object.policy.address())
            .filter(|e| e.object != object.key);
        let held = holder.map(|holder| {
            format!(
                "the address {} is held by {}: this policy takes over when that one is gone",
                object.policy.address(),
                holder.object
            )
        });
        let most = self.cache.allowance().limits;
        let limited = beyond(object.policy.definition().limits, most);
        let until = |fault: Diagnostic| {
            format!(
                "{}: until that is mended, this policy is broken",
                fault.message
            )
        };
        let changes = changes(&object, held.is_some(), &snapshot);
        Ok(held
            .into_iter()
            .chain(limited)
            .chain(versions::warnings(&object.policy, &snapshot))
            .chain(between.into_iter().map(until))
            .chain(importers::warnings(changes, &snapshot, &self.cache))
            .collect())
    }
}

/// What of the limits that a policy sets for itself is more than the administrator allows.
fn beyond(wanted: Limits, most: Limits) -> Option<String> {
    // Where the default is more, nobody has asked for it.
    let Limits { timeout, memory } = Limits::DEFAULT;
    let timeout = (wanted.timeout > most.timeout && wanted.timeout != timeout)
        .then(|| format!("`limits.timeout` is {:?}", most.timeout));
    let memory = (wanted.memory > most.memory && wanted.memory != memory)
        .then(|| format!("`limits.memory` is {}", Bytes(most.memory)));
    let limits: Vec<String> = timeout.into_iter().chain(memory).collect();
    let which = limits.join(" and ");
    (!limits.is_empty()).then(|| format!("{which} here: the administrator allows no more"))
}

/// What will be at the addresses that an object has and had: nothing at the one that it leaves, and
/// nothing new where another object stays.
fn changes(object: &Object, is_held: bool, snapshot: &Snapshot) -> Changes {
    let mut changes = Changes::new();
    let before = snapshot.entries().find(|entry| entry.object == object.key);
    let left = before.map(|entry| entry.address()).filter(|left| {
        let waits = |conflict: &Conflict| conflict.address == **left;
        *left != object.policy.address() && !snapshot.conflicts().iter().any(waits)
    });
    if let Some(left) = left {
        changes.insert(left.clone(), None);
    }
    if !is_held {
        let address = object.policy.address().clone();
        changes.insert(address, Some(object.policy.clone()));
    }
    changes
}

impl ResourceReviewer for Reviewer {
    fn review(&self, review: ResourceReview) -> ResourceAnswer {
        match self.judge(&review) {
            Ok(warnings) => ResourceAnswer {
                refusal: None,
                warnings,
            },
            Err(faults) => {
                let refusal = Some(refusal(&review, &faults));
                ResourceAnswer {
                    refusal,
                    warnings: Vec::new(),
                }
            }
        }
    }
}

/// Reads the object as strictly as a file: a field that this version does not know would otherwise
/// be a rule that is not kept.
fn read(review: &ResourceReview, object: &Json) -> Result<Manifest, Diagnostics> {
    let mut object = object.clone();
    // The API server makes a name up after this review where only a prefix is given.
    if let Some(metadata) = object.get_mut("metadata").and_then(Json::as_object_mut) {
        let name = if review.name.is_empty() {
            "new"
        } else {
            review.name.as_str()
        };
        metadata.entry("name").or_insert_with(|| json!(name));
        if let Some(namespace) = &review.namespace {
            metadata
                .entry("namespace")
                .or_insert_with(|| json!(namespace));
        }
    }
    Manifest::read(object).map_err(|error| {
        let fault = match &error {
            ManifestError::UnknownFields { .. } => Diagnostic::new("field_unknown", chain(&error))
                .with_remedy("correct or remove the field"),
            _ => Diagnostic::new("object_invalid", chain(&error)),
        };
        fault.into()
    })
}

fn lock(
    draft: LockDraft,
    old: Option<&Json>,
    now: Timestamp,
    snapshot: &Snapshot,
) -> Result<Vec<String>, Diagnostics> {
    let LockDraft { key, lock, faults } = draft;
    let mut faults: Vec<Diagnostic> = faults.iter().flat_map(|f| f.iter().cloned()).collect();
    let end = lock.as_ref().and_then(|lock| lock.expires_at);
    if end.is_some_and(|end| end <= now) && changed(old, "expiresAt", end) {
        faults.push(past("expiresAt", "the lock would have no effect"));
    }
    if let Some(faults) = Diagnostics::collect(faults) {
        return Err(faults);
    }
    Ok(lock
        .and_then(|lock| warning(&key, &lock, snapshot))
        .into_iter()
        .collect())
}

/// What is odd about a lock, as far as the policies are known.
fn warning(
    key: &ObjectKey,
    lock: &portcullis_policies::Lock,
    snapshot: &Snapshot,
) -> Option<String> {
    // Labels of namespaces are not known here, so a lock by them is taken to refuse, which covers.
    let as_if = portcullis_policies::Lock {
        effect: Effect::Refuse,
        ..lock.clone()
    };
    let mut within = snapshot
        .entries()
        .filter(|entry| as_if.covers(&entry.policy, None))
        .peekable();
    if within.peek().is_none() {
        return Some(format!(
            "{key} covers no policy now: it holds as soon as one is there"
        ));
    }
    let spared = |entry: &Arc<portcullis_policies::Entry>| entry.policy.definition().guardrail;
    let only_guardrails = lock.effect == Effect::Bypass && within.all(spared);
    only_guardrails.then(|| {
        format!("{key} has no effect: all policies that it covers are guardrails, which no lock bypasses")
    })
}

/// Whether a time of the spec is another than it was.
fn changed(old: Option<&Json>, field: &str, now: Option<Timestamp>) -> bool {
    let before = old.and_then(|old| old.pointer(&format!("/spec/{field}")));
    let before = before.and_then(Json::as_str);
    before.and_then(|text| portcullis_crds::time::moment(text).ok()) != now
}

fn past(field: &str, consequence: &str) -> Diagnostic {
    Diagnostic::new(
        "time_past",
        format!("`{field}` is in the past: {consequence}"),
    )
    .with_remedy(format!("set `{field}` to a later time, or leave it out"))
}

fn refusal(review: &ResourceReview, faults: &Diagnostics) -> String {
    use std::fmt::Write as _;
    let mut text = format!("{} {} cannot work:", review.kind, review.name);
    let count = faults.iter().count();
    for fault in faults.iter().take(MAX_FAULTS) {
        // Writing to a String cannot fail.
        let _ = write!(text, "\n{fault}");
    }
    if count > MAX_FAULTS {
        let _ = write!(text, "\nand {} more", count - MAX_FAULTS);
    }
    text
}

/// An error with its causes in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
