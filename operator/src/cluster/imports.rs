//! Compiles again what imports a policy that has changed, on its way through importers of
//! importers. Until it has, the importer answers with what it was compiled with.

use std::sync::Arc;

use futures::{StreamExt as _, stream};
use portcullis_policies::{Object, Policy};
use portcullis_webhook::Evaluators;

use super::{COMPILERS, Mirror, feed};
use crate::convert::Draft;

/// Follows the changes of `mirror` until it is dropped; it never ends by itself.
pub(super) async fn follow(mirror: Arc<Mirror>, compilers: Evaluators) {
    let mut changes = mirror.changes();
    loop {
        changes.borrow_and_update();
        let outdated = mirror.cache().outdated();
        if outdated.is_empty() {
            // The sender lives as long as the mirror.
            let _ = changes.changed().await;
            continue;
        }
        let jobs = outdated
            .into_iter()
            .map(|object| again(&mirror, &compilers, object));
        stream::iter(jobs)
            .buffer_unordered(COMPILERS)
            .for_each(|(before, object)| {
                mirror.replace(&before, object);
                std::future::ready(())
            })
            .await;
    }
}

async fn again(mirror: &Mirror, compilers: &Evaluators, object: Object) -> (Arc<Policy>, Object) {
    let draft = Draft::of(&object);
    let compiled = feed::compile(compilers.clone(), mirror.cache(), draft).await;
    (object.policy, compiled)
}
