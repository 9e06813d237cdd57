//! Judges our own resources when somebody applies them.
//!
//! | what is wrong | answer |
//! |---|---|
//! | a policy or a lock that cannot work by itself | refused, with all that is wrong with it |
//! | an address that another object holds, a lock without a target, an import that is not to be had | a warning |
//!
//! A fault between objects is never a refusal: tools that apply a repository apply before they
//! prune, so an address may be taken for a moment and a lock may come before its policy. And what
//! does not touch the spec passes: an object that is broken already can still be labelled, locked,
//! and deleted.

use std::sync::Arc;

use portcullis_crds::{Manifest, ManifestError};
use portcullis_policies::{
    Bytes, Cache, Diagnostic, Diagnostics, Effect, FAULTS_BETWEEN_POLICIES, Limits, ObjectKey,
    Snapshot, Timestamp,
};
use portcullis_webhook::{ResourceAnswer, ResourceReview, ResourceReviewer};
use serde_json::{Value as Json, json};

use crate::convert::{Draft, LockDraft};

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
        let object = draft.compile(&|address| snapshot.policy(address), self.cache.allowance());
        let found = object
            .policy
            .faults()
            .into_iter()
            .flat_map(Diagnostics::iter);
        let (between, own): (Vec<_>, Vec<_>) = found
            .cloned()
            .partition(|fault| FAULTS_BETWEEN_POLICIES.contains(&fault.code.as_str()));
        faults.extend(own);
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
        Ok(held
            .into_iter()
            .chain(limited)
            .chain(between.into_iter().map(until))
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

#[cfg(test)]
mod tests {
    use portcullis_policies::{Operation, State};
    use rstest::rstest;

    use super::*;

    fn now() -> Timestamp {
        Timestamp::from_second(1_000_000_000).unwrap()
    }

    /// A cluster with the ClusterPolicy `held`, a guardrail, of the address `a/held@1`.
    fn reviewer() -> Reviewer {
        let cache = Arc::new(Cache::new());
        let Ok(Manifest::ClusterPolicy(object)) = Manifest::read(policy(
            "held",
            &json!({
                "name": "held", "modules": {"p.rego": "package a.held\nallow := true"},
                "guardrail": true,
            }),
        )) else {
            panic!("the fixture must be a policy")
        };
        let object = Draft::try_from(object.as_ref())
            .unwrap()
            .compile(&|_| None, Cache::new().allowance());
        cache.update(|state: &mut State| state.apply_policy(object));
        Reviewer { cache, clock: now }
    }

    /// A ClusterPolicy of the address `a/b@1`, with other fields of its spec.
    fn policy(name: &str, fields: &Json) -> Json {
        let mut object = json!({
            "apiVersion": "portcullis.dev/v1alpha1",
            "kind": "ClusterPolicy",
            "metadata": {"name": name, "creationTimestamp": "2026-01-01T00:00:00Z"},
            "spec": {
                "group": "a", "name": "b", "version": "1",
                "modules": {"p.rego": "package a.b\nallow := true"},
            },
        });
        for (field, value) in fields.as_object().unwrap() {
            object["spec"][field] = value.clone();
        }
        object
    }

    /// A ClusterLock of the group `a`, with other fields of its spec.
    fn lock(fields: &Json) -> Json {
        let mut object = json!({
            "apiVersion": "portcullis.dev/v1alpha1",
            "kind": "ClusterLock",
            "metadata": {"name": "incident"},
            "spec": {"policy": {"group": "a"}, "reason": "incident"},
        });
        for (field, value) in fields.as_object().unwrap() {
            object["spec"][field] = value.clone();
        }
        object
    }

    fn review(object: &Json, old: Option<&Json>) -> ResourceAnswer {
        reviewer().review(reviewed(object, old))
    }

    fn reviewed(object: &Json, old: Option<&Json>) -> ResourceReview {
        ResourceReview {
            kind: object["kind"].as_str().unwrap().to_owned(),
            operation: if old.is_some() {
                Operation::Update
            } else {
                Operation::Create
            },
            name: object["metadata"]["name"].as_str().unwrap().to_owned(),
            namespace: None,
            object: Some(object.clone()),
            old: old.cloned(),
        }
    }

    #[rstest]
    #[case(json!({}), None)]
    #[case(json!({"timeout": "1s", "memory": "32Mi"}), None)]
    #[case(json!({"timeout": "2s"}), Some("`limits.timeout` is 1s here: the administrator allows no more"))]
    #[case(json!({"timeout": "5s", "memory": "128Mi"}),
        Some("`limits.timeout` is 1s and `limits.memory` is 32 MiB here: the administrator allows no more"))]
    fn warns_of_limits_beyond_the_administrators(
        #[case] limits: Json,
        #[case] expected: Option<&str>,
    ) {
        let limits = policy("it", &json!({"limits": limits}));
        let allowance = portcullis_policies::Allowance {
            limits: Limits {
                timeout: std::time::Duration::from_secs(1),
                memory: 32 << 20,
            },
            ..Default::default()
        };
        let reviewer = Reviewer::new(Arc::new(Cache::allowing(allowance)));
        let answer = reviewer.review(reviewed(&limits, None));
        assert_eq!(answer.refusal, None);
        assert_eq!(answer.warnings.first().map(String::as_str), expected);
    }

    const PASSES: &[&str] = &[];

    /// What a refusal has to say, in this order; nothing where the object passes.
    #[rstest]
    #[case::sound(json!({}), PASSES)]
    #[case::parse(json!({"modules": {"p.rego": "package a.b\n\nallow := "}}), &["ClusterPolicy b cannot work:\np.rego:3:"])]
    #[case::builtin(json!({"modules": {"p.rego": "package a.b\nallow if nothing.known(1)\n"}}), &["p.rego:2:", "nothing.known"])]
    #[case::package(json!({"modules": {"p.rego": "package a.c\nallow := true"}}), &["a.b"])]
    #[case::parameters(
        json!({"parameters": {"n": "x"}, "parametersSchema": {"properties": {"n": {"type": "integer"}}}}),
        &["parameters_invalid", "/n"]
    )]
    #[case::address(json!({"group": "A"}), &["address_invalid", "`A`"])]
    #[case::import(json!({"imports": [{"group": "a", "name": "held", "version": "1"}]}), PASSES)]
    #[case::circle(json!({"imports": [{"group": "a", "name": "b", "version": "1"}]}), &["import_cycle"])]
    #[case::import_and_parse(
        json!({"imports": [{"group": "a", "name": "z", "version": "1"}], "modules": {"p.rego": "package a.b\n\nallow := "}}),
        &["p.rego:3:"]
    )]
    #[case::reserved(
        json!({
            "imports": [{"group": "a", "name": "held", "version": "1"}],
            "modules": {"p.rego": "package a.b\nx := 1", "q.rego": "package a.held\nx := 1"}, "entrypoint": "data.a.b",
        }),
        &["q.rego:1:", "package_reserved", "a/held@1"]
    )]
    #[case::pin(json!({"sha256": format!("sha256:{}", "0".repeat(64))}), &["digest_mismatch", "and the digest of the policy is sha256:"])]
    #[case::pin_shape(json!({"sha256": "0000"}), &["digest_invalid"])]
    #[case::time(json!({"notBefore": "soon"}), &["time_invalid", "`notBefore`"])]
    #[case::past(json!({"notAfter": "2001-09-09T01:46:40Z"}), &["time_past", "`notAfter` is in the past", "→ set `notAfter`"])]
    #[case::future(json!({"notAfter": "2001-09-09T01:46:41Z"}), PASSES)]
    #[case::unknown_field(json!({"failurePolcy": "Fail"}), &["field_unknown", "spec.failurePolcy"])]
    #[case::wrong_type(json!({"guardrail": "yes"}), &["object_invalid", "boolean"])]
    #[case::several(
        json!({"notAfter": "2001-01-01T00:00:00Z", "modules": {"p.rego": "package a.b\nallow := ", "q.rego": "package"}}),
        &["time_past", "p.rego:2:"]
    )]
    fn policies(#[case] fields: Json, #[case] says: &[&str]) {
        check(&policy("b", &fields), None, says);
    }

    #[rstest]
    #[case::sound(json!({}), PASSES)]
    #[case::past(json!({"expiresAt": "2001-09-09T01:46:40Z"}), &["ClusterLock incident cannot work", "time_past"])]
    #[case::future(json!({"expiresAt": "2001-09-09T01:46:41Z"}), PASSES)]
    #[case::two_targets(json!({"all": true}), &["target_invalid", "→ set one of"])]
    #[case::selector(json!({"policy": null, "selector": {}}), &["selector_empty"])]
    #[case::unknown_field(json!({"until": "x"}), &["field_unknown", "spec.until"])]
    #[case::reason(json!({"reason": ""}), &["reason_missing"])]
    fn locks(#[case] fields: Json, #[case] says: &[&str]) {
        check(&lock(&fields), None, says);
    }

    /// What is wrong already may stay; what is made wrong is refused.
    #[rstest]
    #[case::untouched(json!({"notAfter": "2001-01-01T00:00:00Z"}), json!({"notAfter": "2001-01-01T00:00:00Z"}), PASSES)]
    #[case::past_untouched(
        json!({"notAfter": "2001-01-01T00:00:00Z"}),
        json!({"notAfter": "2001-01-01T00:00:00Z", "guardrail": true}),
        PASSES
    )]
    #[case::past_changed(
        json!({"notAfter": "2001-01-01T00:00:00Z"}),
        json!({"notAfter": "2001-01-02T00:00:00Z"}),
        &["time_past"]
    )]
    #[case::still_broken(
        json!({"modules": {"p.rego": "package a.b\nallow := "}}),
        json!({"modules": {"p.rego": "package a.b\nallow := "}, "guardrail": true}),
        &["p.rego:2:"]
    )]
    fn updates(#[case] old: Json, #[case] new: Json, #[case] says: &[&str]) {
        let mut new = policy("b", &new);
        new["metadata"]["labels"] = json!({"team": "a"});
        check(&new, Some(&policy("b", &old)), says);
    }

    #[rstest]
    #[case::taken(policy("other", &json!({"name": "held", "modules": {"p.rego": "package a.held"}})), "held by ClusterPolicy held")]
    #[case::missing_import(policy("b", &json!({"imports": [{"group": "a", "name": "z", "version": "1"}]})), "imports a/z@1, which is not there: until that is mended, this policy is broken")]
    #[case::changed_import(
        policy("b", &json!({"imports": [{
            "group": "a", "name": "held", "version": "1", "sha256": format!("sha256:{}", "0".repeat(64)),
        }]})),
        "imports a/held@1 at sha256:0000"
    )]
    #[case::no_target(lock(&json!({"policy": {"group": "z"}})), "ClusterLock incident covers no policy now")]
    #[case::guardrail(lock(&json!({"effect": "Bypass"})), "guardrails")]
    fn faults_between_objects_are_warnings(#[case] object: Json, #[case] says: &str) {
        let answer = review(&object, None);
        assert_eq!(answer.refusal, None);
        assert!(
            answer.warnings.len() == 1 && answer.warnings[0].contains(says),
            "{answer:?}"
        );
    }

    #[test]
    fn a_policy_does_not_stand_in_its_own_way() {
        let object = policy(
            "held",
            &json!({"name": "held", "modules": {"p.rego": "package a.held"}}),
        );
        assert_eq!(
            review(&object, Some(&policy("held", &json!({})))),
            ResourceAnswer::default()
        );
    }

    #[test]
    fn a_review_without_an_object_passes() {
        let review = ResourceReview {
            kind: "ClusterPolicy".to_owned(),
            operation: Operation::Delete,
            name: "b".to_owned(),
            namespace: None,
            object: None,
            old: Some(policy("b", &json!({}))),
        };
        assert_eq!(reviewer().review(review), ResourceAnswer::default());
    }

    #[test]
    fn a_name_that_is_made_up_later_is_no_fault() {
        let mut object = policy("b", &json!({}));
        object["metadata"] = json!({"generateName": "b-"});
        let answer = reviewer().review(ResourceReview {
            kind: "ClusterPolicy".to_owned(),
            operation: Operation::Create,
            name: String::new(),
            namespace: None,
            object: Some(object),
            old: None,
        });
        assert_eq!(answer, ResourceAnswer::default());
    }

    #[track_caller]
    fn check(object: &Json, old: Option<&Json>, says: &[&str]) {
        let answer = review(object, old);
        let Some(refusal) = answer.refusal else {
            assert!(says.is_empty(), "it must be refused for {says:?}");
            assert_eq!(answer.warnings, [] as [&str; 0]);
            return;
        };
        assert!(!says.is_empty(), "{refusal}");
        let mut rest = refusal.as_str();
        for part in says {
            let found = rest.find(part);
            assert!(
                found.is_some(),
                "{part:?} is not in {rest:?}, the end of {refusal}"
            );
            rest = &rest[found.unwrap()..];
        }
    }
}
