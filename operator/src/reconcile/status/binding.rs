//! What there is to say of a binding. Pure.

use std::sync::Arc;

use portcullis_crds::{
    BindingStatus, ConditionType, Finding,
    conditions::{merged, reason},
};
use portcullis_policies::{Binding, Bound, Code, Entry, ObjectKey, ParameterKey};

use super::World;
use crate::cluster::Record;

impl World<'_> {
    /// The status of a binding.
    pub(crate) fn binding(
        &self,
        key: &ObjectKey,
        record: &Record,
        before: &BindingStatus,
    ) -> BindingStatus {
        let mut bindings = self.view.snapshot.bindings();
        let binding = bindings.find(|binding| binding.key == *key);
        let entries = self.view.snapshot.bound_by(key);
        let bound = bound(binding, record, entries);
        let enforced = self.bound_everywhere(key, &bound, entries);
        let ready = [&bound, &enforced]
            .into_iter()
            .find(|finding| finding.holds != Some(true))
            .unwrap_or(&enforced);
        let ready = Finding {
            condition: ConditionType::Ready,
            reason: if ready.holds == Some(true) {
                reason::IN_FORCE
            } else {
                ready.reason
            },
            ..ready.clone()
        };
        let mut parameters: Vec<String> = bounds(entries)
            .filter_map(|bound| bound.parameter().map(name))
            .collect();
        parameters.sort_unstable();
        let findings = [ready, bound, enforced];
        BindingStatus {
            observed_generation: record.generation,
            policy: binding.map(|binding| binding.policy.path()),
            parameters,
            conditions: merged(&before.conditions, findings, record.generation, self.now),
        }
    }

    fn bound_everywhere(
        &self,
        key: &ObjectKey,
        bound: &Finding,
        entries: &[Arc<Entry>],
    ) -> Finding {
        use ConditionType::Enforced;

        if bound.reason == reason::INVALID && entries.is_empty() {
            return Enforced.fails(reason::INVALID, bound.message.clone());
        }
        if let Some(namespace) = entries.iter().find_map(|entry| self.exempt(entry)) {
            let message = format!(
                "admission does not ask in the exempt namespace {namespace}: bind the policy in \
                 another one"
            );
            return Enforced.fails(reason::EXEMPT_NAMESPACE, message);
        }
        if !entries.iter().all(|entry| self.is_registered(entry)) {
            return Enforced.fails(reason::NOT_REGISTERED, self.unregistered());
        }
        let ready = self.replicas.ready;
        if ready == 0 {
            return Enforced.fails(reason::NO_REPLICA, "no replica of the webhook is ready");
        }
        let on = self.replicas.binding(&self.view.snapshot, key);
        let message = format!("on {on} of {ready} ready replicas");
        if on < ready {
            return Enforced.fails(reason::PENDING, message);
        }
        Enforced.holds(reason::ON_EVERY_REPLICA, message)
    }
}

fn bound(binding: Option<&Arc<Binding>>, record: &Record, entries: &[Arc<Entry>]) -> Finding {
    use ConditionType::Bound;

    let Some(binding) = binding else {
        let fault = record.fault.as_deref().unwrap_or("it is not known yet");
        return Bound.fails(reason::INVALID, fault);
    };
    if let Some(faults) = binding.faults() {
        return Bound.fails(reason::INVALID, faults.to_string());
    }
    for entry in entries {
        let is_missing = entry.address() != &binding.policy || entry.object == binding.key;
        if let Some(fault) = entry.binding.as_ref().and_then(|bound| bound.fault()) {
            let reason = match (is_missing, fault.code == Code::NotFound) {
                (true, _) => reason::POLICY_MISSING,
                (false, true) => reason::PARAMETERS_MISSING,
                (false, false) => reason::PARAMETERS_INVALID,
            };
            let remedy = fault.remedy.as_ref();
            let remedy = remedy.map_or_else(String::new, |remedy| format!(": {remedy}"));
            return Bound.fails(reason, format!("{}{remedy}", fault.message));
        }
        if let Some(faults) = entry.policy.faults() {
            let message = format!("the policy is broken: {faults}");
            return Bound.fails(reason::COMPILE_FAILED, message);
        }
    }
    if entries.is_empty() {
        let message = "there is no object to take parameters of, and `notFound` is `Allow`";
        return Bound.holds(reason::PARAMETERS_MISSING, message);
    }
    Bound.holds(reason::BOUND, format!("it binds {}", binding.policy))
}

fn bounds(entries: &[Arc<Entry>]) -> impl Iterator<Item = &Arc<Bound>> {
    entries.iter().filter_map(|entry| entry.binding.as_ref())
}

/// `<namespace>/<name>`, or `<name>` where there is no namespace.
fn name(parameter: &ParameterKey) -> String {
    match &parameter.namespace {
        Some(namespace) => format!("{namespace}/{}", parameter.name),
        None => parameter.name.clone(),
    }
}
