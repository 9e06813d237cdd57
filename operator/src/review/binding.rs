//! Bindings, when somebody applies them.

use portcullis_policies::{Diagnostics, Snapshot};

use crate::convert::BindingDraft;

/// What is wrong with a binding by itself refuses it: its settings, conditions that do not compile,
/// and parameters that the policy's schema does not take. What is missing elsewhere is a warning: its
/// policy, or one that works. Objects to take parameters of are looked for when it is there.
pub(super) fn judge(draft: BindingDraft, snapshot: &Snapshot) -> Result<Vec<String>, Diagnostics> {
    let binding = draft.compile();
    if let Some(faults) = binding.faults() {
        return Err(faults.clone());
    }
    if let Some(fault) = snapshot.unfit_parameters(&binding) {
        return Err(fault.into());
    }
    let missing = snapshot.missing_for(&binding).map(|message| {
        let remedy = message
            .remedy
            .map_or_else(String::new, |it| format!(": {it}"));
        let (key, what) = (&binding.key, message.message);
        format!("{key} denies what it selects, because {what}{remedy}")
    });
    Ok(missing.into_iter().collect())
}
