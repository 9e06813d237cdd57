//! From sources to a result, within a small budget; with what is read of the documents and with all
//! of them, the result is the same.
//!
//! ```text
//! flags data NUL input NUL query NUL module NUL module…
//! ```
#![no_main]

use libfuzzer_sys::fuzz_target;
use portcullis_fuzz::rego::{Case, let_builtins_panic, question};
use portcullis_policies::rego::execute::evaluate;

fuzz_target!(|bytes: &[u8]| {
    let_builtins_panic();
    let Some((flags, Case { plan, data, input })) = Case::read(bytes) else {
        return;
    };
    if flags & 4 != 0 {
        return;
    }
    let entry = &plan.entries[0];
    let read = question(plan.reads.input.prune(&input), plan.reads.data.prune(&data));
    let read = evaluate(&plan, entry, read);
    let all = evaluate(&plan, entry, question(input, data));
    match (all, read) {
        (Ok(all), Ok(read)) => assert_eq!(all, read, "what is read makes a difference"),
        // A message may show a value, and a larger document costs more.
        (Err(all), Err(read)) if all.kind.code() == read.kind.code() => {}
        (Err(error), _) | (_, Err(error)) => assert!(
            error.kind.code() == "eval_cancel_error",
            "what is read makes a difference: {error:?}"
        ),
    }
});
