//! How much a namespace may have that judges.

use portcullis_policies::{Bytes, Definition, Diagnostic, ObjectKey, Snapshot, TenantLimits};

/// What a namespace has, one object left out.
struct Usage {
    judges: usize,
    bytes: u64,
}

/// Why a policy that is applied is more than its namespace may have, if it is. What is there already may
/// always be made smaller.
pub(super) fn policy_fault(
    key: &ObjectKey,
    definition: &Definition,
    snapshot: &Snapshot,
    most: TenantLimits,
) -> Option<Diagnostic> {
    let namespace = key.namespace.as_deref()?;
    let usage = usage(namespace, key, snapshot);
    let mut entries = snapshot.entries();
    let before = entries.find(|entry| entry.object == *key);
    let before = before.map(|entry| bytes(entry.policy.definition()));
    let own = bytes(definition);
    if before.is_none() && usage.judges >= most.judges {
        return Some(too_many(namespace, most));
    }
    let grows = before.is_none_or(|before| own > before);
    (grows && usage.bytes + own > most.bytes).then(|| {
        let text = format!(
            "the policies of the namespace {namespace} would have {} bytes of Rego and data, and {} \
             are what the administrator allows",
            usage.bytes + own,
            Bytes(most.bytes)
        );
        Diagnostic::new("namespace_full", text)
            .with_remedy("remove what is not needed, or import a ClusterPolicy")
    })
}

/// Why a binding that is applied is one too many for its namespace, if it is.
pub(super) fn binding_fault(
    key: &ObjectKey,
    snapshot: &Snapshot,
    most: TenantLimits,
) -> Option<Diagnostic> {
    let namespace = key.namespace.as_deref()?;
    let is_new = !snapshot.bindings().any(|binding| binding.key == *key);
    let is_full = usage(namespace, key, snapshot).judges >= most.judges;
    (is_new && is_full).then(|| too_many(namespace, most))
}

fn too_many(namespace: &str, most: TenantLimits) -> Diagnostic {
    let most = most.judges;
    let text = format!(
        "the namespace {namespace} has {most} policies and bindings, which is what the administrator \
         allows"
    );
    Diagnostic::new("namespace_full", text)
        .with_remedy("remove one, or have `--max-namespace-policies` raised")
}

fn usage(namespace: &str, but: &ObjectKey, snapshot: &Snapshot) -> Usage {
    let is_own = |key: &&ObjectKey| key.namespace.as_deref() == Some(namespace) && *key != but;
    let bindings = snapshot.bindings().map(|binding| &binding.key);
    let policies = snapshot
        .entries()
        .filter(|entry| is_own(&&entry.object))
        .map(|entry| bytes(entry.policy.definition()));
    let policies: Vec<u64> = policies.collect();
    Usage {
        judges: policies.len() + bindings.filter(is_own).count(),
        bytes: policies.iter().sum(),
    }
}

/// The Rego and the data of a policy.
fn bytes(definition: &Definition) -> u64 {
    let modules = definition.modules.values().map(String::len);
    let data = serde_json::to_string(&definition.data).map_or(0, |text| text.len());
    u64::try_from(modules.sum::<usize>() + data).unwrap_or(u64::MAX)
}
