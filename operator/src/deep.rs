//! Work that follows the nesting of what others wrote: on a stack as evaluations have, and away from
//! threads that answer.

use std::thread;

use portcullis_webhook::STACK_BYTES;
use tokio::sync::oneshot;

use crate::cluster::chain;

/// Runs work on a thread of its own. The error is a sentence: there was no thread, or it ended.
pub(crate) async fn on_a_deep_stack<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, String> {
    let (done, answer) = oneshot::channel();
    let thread = thread::Builder::new()
        .name(name.to_owned())
        .stack_size(STACK_BYTES);
    // Whoever waited may have gone.
    let started = thread.spawn(move || drop(done.send(work())));
    started.map_err(|error| chain(&error))?;
    let ended = || format!("the work on the {name} ended unexpectedly");
    answer.await.map_err(|_| ended())
}
