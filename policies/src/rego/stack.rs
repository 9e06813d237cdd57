//! Threads with room for what the passes and the executor do recursively.

use std::thread;

use crate::{Diagnostic, Diagnostics};

/// The stack of such a thread, for which the executor's limits are made.
pub(crate) const SIZE: usize = 64 * 1024 * 1024;

/// Does a piece of work on a thread of its own with a large stack. The error is a sentence.
pub(crate) fn large<T: Send>(name: &str, work: impl FnOnce() -> T + Send) -> Result<T, String> {
    thread::scope(|scope| {
        let thread = thread::Builder::new()
            .stack_size(SIZE)
            .name(name.to_owned())
            .spawn_scoped(scope, work)
            .map_err(|error| format!("there is no thread to {name} on: {error}"))?;
        let failed = |_| format!("failed unexpectedly to {name}");
        thread.join().map_err(failed)
    })
}

/// As [`large`], of work that can fail.
pub(crate) fn apart<T: Send>(
    name: &str,
    work: impl FnOnce() -> Result<T, Diagnostics> + Send,
) -> Result<T, Diagnostics> {
    large(name, work).unwrap_or_else(|why| Err(Diagnostic::new("internal_error", why).into()))
}
