//! Makes the locks of policies that replicas have sealed, because a result broke the policy's schema.
//!
//! A replica that sees the lock forgets its seal. So a lock is made where a replica tells of a seal
//! that it did not tell of before, and never because a lock is gone: whoever removed it meant that.

use std::sync::Arc;

use kube::{Api, Client, api::PostParams};
use portcullis_crds as crds;
use portcullis_policies::{Address, OUTPUT_SCHEMA_VIOLATION};
use tokio::sync::watch;

use super::{metrics::Metrics, replicas::Replicas, retry::Retry};
use crate::{
    cluster::Mirror,
    convert::{LockObject, lock_object},
    leader::{Leadership, WriteFault},
};

/// Makes the locks.
pub(crate) struct Sealer {
    pub(crate) client: Client,
    pub(crate) leadership: Leadership,
    pub(crate) metrics: Metrics,
    pub(crate) mirror: Arc<Mirror>,
    pub(crate) replicas: watch::Receiver<Option<Arc<Replicas>>>,
}

impl Sealer {
    /// Makes them for ever.
    pub(crate) async fn run(mut self) {
        let mut retry = Retry::new(
            "lock a policy whose result broke its schema",
            self.metrics.clone(),
        );
        loop {
            let replicas = self.replicas.borrow_and_update().clone();
            let snapshot = self.mirror.cache().snapshot();
            let known = snapshot.entries().map(|entry| entry.address());
            let sealed: Vec<&Address> = match &replicas {
                Some(replicas) => known.filter(|address| replicas.seal(address)).collect(),
                None => Vec::new(),
            };
            let mut failed = None;
            for address in sealed {
                match self.lock(address).await {
                    Ok(()) => {
                        tracing::warn!(policy = %address, "locked: a result broke its `outputSchema`");
                    }
                    // Another leader was first, or a replica tells of it still.
                    Err(fault) if fault.is_stale() => {}
                    Err(fault) => failed = Some(fault),
                }
            }
            if let Some(fault) = failed {
                retry.failed(&fault).await;
                continue;
            }
            retry.succeeded();
            if self.replicas.changed().await.is_err() {
                return;
            }
        }
    }

    async fn lock(&self, address: &Address) -> Result<(), WriteFault> {
        let params = PostParams::default();
        let operation = "lock a policy";
        match lock_object(address, Some(OUTPUT_SCHEMA_VIOLATION), None) {
            LockObject::Lock(lock) => {
                let namespace = address.namespace().unwrap_or_default();
                let api: Api<crds::Lock> = Api::namespaced(self.client.clone(), namespace);
                let made = self.leadership.write(operation, api.create(&params, &lock));
                made.await.map(drop)
            }
            LockObject::ClusterLock(lock) => {
                let api: Api<crds::ClusterLock> = Api::all(self.client.clone());
                let made = self.leadership.write(operation, api.create(&params, &lock));
                made.await.map(drop)
            }
        }
    }
}
