//! What there is to say of a policy. Pure.

use portcullis_crds::{
    ConditionType, EffectiveRegoVersion, Finding, PolicyStatus, Replicas as Counted,
    conditions::{holds, merged, reason},
};
use portcullis_policies::{
    Code, Conflict, Diagnostics, Effect, Entry, Lock, ObjectKey, Policy, RegoVersion,
};

use super::{World, versions::superseded_by};
use crate::{cluster::Record, reconcile::registration::Registered};

impl World<'_> {
    /// The status of the policy that an object holds.
    pub(crate) fn policy(
        &self,
        key: &ObjectKey,
        record: &Record,
        before: &PolicyStatus,
    ) -> PolicyStatus {
        let policy = record.policy.as_deref();
        let entry = self.holders.get(key).map(AsRef::as_ref);
        let replicas = entry.map(|entry| self.counted(entry));
        let compiled = compiled(record, policy);
        let enforced = self.enforced(key, entry, replicas, record);
        let healthy = self.healthy(entry);
        let in_place_of = self.in_place_of(entry, [&compiled, &enforced], before);
        let superseded_by = superseded_by(entry, &enforced);
        let findings = [
            ready([&compiled, &enforced, &healthy]),
            compiled,
            enforced,
            healthy,
            self.locked(entry, before),
        ];
        let findings = findings.into_iter().chain(self.data_refreshed(policy));
        PolicyStatus {
            observed_generation: record.generation,
            address: policy.map(|policy| policy.address().path()),
            digest: policy.map(|policy| policy.digest().to_string()),
            rego_version: policy
                .and_then(Policy::rego_version)
                .map(|version| match version {
                    RegoVersion::V0 => EffectiveRegoVersion::V0,
                    RegoVersion::V1 | RegoVersion::Auto => EffectiveRegoVersion::V1,
                }),
            enforced_on: self
                .stands_back(entry, superseded_by.as_deref())
                .or(replicas.map(Counted::enforced_on)),
            shadow: self.shadow(entry, before),
            replicas,
            in_place_of,
            superseded_by,
            locks: self.locks(entry).map(reference).collect(),
            conditions: merged(&before.conditions, findings, record.generation, self.now),
        }
    }

    fn counted(&self, entry: &Entry) -> Counted {
        let count = |count: usize| i32::try_from(count).unwrap_or(i32::MAX);
        Counted {
            enforcing: count(
                self.replicas
                    .enforcing(entry.address(), entry.policy.digest()),
            ),
            total: count(self.replicas.ready),
        }
    }

    fn enforced(
        &self,
        key: &ObjectKey,
        entry: Option<&Entry>,
        replicas: Option<Counted>,
        record: &Record,
    ) -> Finding {
        use ConditionType::Enforced;

        let (Some(entry), Some(counted)) = (entry, replicas) else {
            if let Some(Conflict {
                address, holder, ..
            }) = self
                .view
                .snapshot
                .conflicts()
                .iter()
                .find(|conflict| conflict.other == *key)
            {
                let message = format!(
                    "{holder} holds the address {}: delete one of the two, or give this one \
                     another address",
                    address.path()
                );
                return Enforced.fails(reason::ADDRESS_TAKEN, message);
            }
            let fault = record.fault.as_deref().unwrap_or("it is not known yet");
            return Enforced.fails(reason::INVALID, fault);
        };
        let on = format!(
            "on {} of {} ready replicas",
            counted.enforcing, counted.total
        );
        if !entry.policy.definition().window.contains(self.now) {
            return Enforced.fails(
                reason::NOT_IN_FORCE,
                "the time is outside the policy's `notBefore` and `notAfter`",
            );
        }
        if let Some(namespace) = self.exempt(entry) {
            let message = format!(
                "admission does not ask in the exempt namespace {namespace}: apply the policy in \
                 another one, or leave `admission` out if it is for evaluation"
            );
            return Enforced.fails(reason::EXEMPT_NAMESPACE, message);
        }
        if let Some(finding) = self.shadowing(entry, counted) {
            return finding;
        }
        if let Some(newer) = self.superseded(entry, counted) {
            let message = format!(
                "version {newer} judges in its place: this one judges again when that one is gone, or \
                 supersedes it no more"
            );
            return Enforced.fails(reason::SUPERSEDED, message);
        }
        if !self.is_registered(entry) {
            return Enforced.fails(reason::NOT_REGISTERED, self.unregistered());
        }
        if counted.total == 0 {
            return Enforced.fails(reason::NO_REPLICA, "no replica of the webhook is ready");
        }
        if counted.enforcing < counted.total || !self.judges_everywhere(entry) {
            return Enforced.fails(reason::PENDING, on);
        }
        let on = match self.view.snapshot.guardrail_before(&entry.policy) {
            Some(older) => format!(
                "{on}; {} is a guardrail, which a guardrail only supersedes, and judges too",
                older.address().path()
            ),
            None => on,
        };
        Enforced.holds(reason::ON_EVERY_REPLICA, on)
    }

    fn healthy(&self, entry: Option<&Entry>) -> Finding {
        use ConditionType::Healthy;

        let Some((count, code)) = entry.and_then(|entry| self.replicas.exhausting(entry.address()))
        else {
            return Healthy.holds(reason::WITHIN_LIMITS, "evaluations end within their limits");
        };
        let setting = if code == Code::MemoryExceeded.as_str() {
            "limits.memory"
        } else {
            "limits.timeout"
        };
        let ready = self.replicas.ready;
        let message = format!(
            "on {count} of {ready} ready replicas, evaluations used up `{setting}` several times in \
             a row, and the failure policy answers for a while ({code}): make the policy cheaper, or \
             raise `{setting}`"
        );
        Healthy.fails(reason::LIMITS_EXHAUSTED, message)
    }

    /// The namespace where a policy is asked, if admission never asks there.
    pub(super) fn exempt<'a>(&self, entry: &'a Entry) -> Option<&'a str> {
        let namespace = entry.reach().namespace()?;
        entry.admission()?;
        self.target.exempt.contains(namespace).then_some(namespace)
    }

    pub(super) fn unregistered(&self) -> String {
        match &self.registration.registered {
            Registered::Gone => "the ValidatingWebhookConfiguration is gone, and admission is \
                                 switched off: `helm upgrade` restores it"
                .to_owned(),
            Registered::Empty(why) => {
                format!("the ValidatingWebhookConfiguration is empty: {why}")
            }
            Registered::Unknown | Registered::Filled(_) => {
                "the ValidatingWebhookConfiguration does not ask about it yet".to_owned()
            }
        }
    }

    fn locked(&self, entry: Option<&Entry>, before: &PolicyStatus) -> Finding {
        let locks: Vec<&Lock> = self.locks(entry).collect();
        let refuses = |lock: &&&Lock| lock.effect == Effect::Refuse;
        // Of several, one that refuses wins, as it does in a decision.
        let Some(lock) = locks.iter().find(refuses).or(locks.first()) else {
            return ConditionType::Locked.fails(reason::NOT_LOCKED, "no lock holds it");
        };
        let (reason, does) = match lock.effect {
            Effect::Refuse => (reason::REFUSED, "refuses what it would judge"),
            Effect::Bypass => (reason::BYPASSED, "bypasses it"),
        };
        let points = match (lock.points.admission, lock.points.evaluation) {
            (true, true) => "at admission and evaluation",
            (true, false) => "at admission",
            (false, _) => "at evaluation",
        };
        let end = lock
            .expires_at
            .map(|end| format!(" until {end}"))
            .unwrap_or_default();
        let note = lock.note();
        let message = format!("{} {does} {points}{end}: {}", note.name, note.reason);
        let address = entry.map(Entry::address);
        let on = address.map_or(0, |address| self.replicas.locking(address, &lock.key));
        let ready = self.replicas.ready;
        if ready > 0 && on == ready {
            return ConditionType::Locked.holds(reason, message);
        }
        // Who waits for a lock must not go on while a replica judges as before; and one that is
        // slow to answer about a lock that was everywhere has not lost it.
        Finding {
            condition: ConditionType::Locked,
            holds: Some(holds(&before.conditions, ConditionType::Locked) == Some(true)),
            reason: reason::REPLICAS_PENDING,
            message: format!("on {on} of {ready} ready replicas, {message}"),
        }
    }

    fn locks<'a>(&self, entry: Option<&'a Entry>) -> impl Iterator<Item = &'a Lock> {
        let now = self.now;
        let locks = entry.into_iter().flat_map(|entry| &entry.locks);
        locks
            .map(AsRef::as_ref)
            .filter(move |lock: &&Lock| lock.is_active(now))
    }
}

fn compiled(record: &Record, policy: Option<&Policy>) -> Finding {
    use ConditionType::Compiled;

    let Some(policy) = policy else {
        let fault = record.fault.as_deref().unwrap_or("it is not compiled yet");
        return Compiled.fails(reason::INVALID, fault);
    };
    if let Some(faults) = policy.faults() {
        return Compiled.fails(reason_of(faults), faults.to_string());
    }
    let version = policy.rego_version().map_or("auto", RegoVersion::as_str);
    Compiled.holds(reason::COMPILED, format!("compiled as Rego {version}"))
}

/// Faults at a place in the source are the compiler's; the others are of imports or settings.
fn reason_of(faults: &Diagnostics) -> &'static str {
    if faults.iter().any(|fault| fault.code.starts_with("import_")) {
        return reason::IMPORT_FAILED;
    }
    let of_rego = faults
        .iter()
        .any(|fault| fault.location.is_some() || fault.code.starts_with("rego_"));
    if of_rego {
        reason::COMPILE_FAILED
    } else {
        reason::INVALID
    }
}

/// Sums up. A lock is somebody's decision and no fault of the policy; a policy outside its window, one
/// in whose place a newer one judges, and a shadow do what the specs say.
fn ready([compiled, enforced, healthy]: [&Finding; 3]) -> Finding {
    use ConditionType::Ready;

    for finding in [compiled, enforced, healthy] {
        if finding.holds != Some(true) && !is_as_it_says(finding) {
            return Ready.fails(finding.reason, finding.message.clone());
        }
    }
    if is_as_it_says(enforced) {
        return Ready.holds(enforced.reason, enforced.message.clone());
    }
    Ready.holds(reason::IN_FORCE, enforced.message.clone())
}

fn is_as_it_says(finding: &Finding) -> bool {
    [reason::NOT_IN_FORCE, reason::SUPERSEDED, reason::SHADOW].contains(&finding.reason)
}

/// `ClusterLock/incident-4711`
fn reference(lock: &Lock) -> String {
    format!("{}/{}", lock.key.kind, lock.key.name)
}
