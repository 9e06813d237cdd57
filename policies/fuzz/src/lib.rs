//! What the fuzz targets share.

use std::sync::Once;

use portcullis_policies::rego::builtins::Surroundings;
use portcullis_policies::rego::execute::{Limits, Question};
use portcullis_policies::rego::source::{Fault, Sources};
use portcullis_policies::rego::value::Value;

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

/// The panic of a builtin function is an error of the evaluation, and not of the process.
pub fn let_builtins_panic() {
    static ONCE: Once = Once::new();
    // The hook of libfuzzer-sys ends the process; other panics end it when they have unwound.
    ONCE.call_once(|| drop(std::panic::take_hook()));
}

/// A small evaluation.
pub fn question(input: Value, data: Value) -> Question<'static> {
    Question {
        input,
        data,
        surroundings: Surroundings::new(1_700_000_000_000_000_000, None, 1),
        limits: Limits {
            steps: 20_000,
            depth: 200,
            memory: 4 << 20,
            time: None,
        },
        strict: false,
    }
}
