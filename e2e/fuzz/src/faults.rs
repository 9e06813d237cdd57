//! What every fault has, whoever found it.

use portcullis_policies::Diagnostic;
use portcullis_policies::rego::source::{Fault, Sources};

/// Faults are never empty, lie within their source, and can be shown.
pub fn check_faults(sources: &Sources, faults: &[Fault]) {
    assert!(!faults.is_empty(), "refused without a fault");
    for fault in faults {
        let text = sources.text(fault.span.file);
        let (start, end) = (fault.span.start as usize, fault.span.end as usize);
        assert!(
            start <= end && end <= text.len(),
            "{fault:?} is outside of its source"
        );
        assert!(
            text.get(start..end).is_some(),
            "{fault:?} begins or ends within a character"
        );
        assert!(!fault.message.is_empty(), "{fault:?} says nothing");
        let _ = sources.diagnostic(fault).to_string();
    }
}

/// A diagnostic has a code and says something, in a text that can be shown.
pub fn check_diagnostic(diagnostic: &Diagnostic) {
    assert!(!diagnostic.code.is_empty(), "{diagnostic:?} has no code");
    assert!(
        !diagnostic.message.is_empty(),
        "{diagnostic:?} says nothing"
    );
    let _ = diagnostic.to_string();
}
