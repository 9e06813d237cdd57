//! Locks over HTTP, as objects of the cluster, with the caller's own rights.
//!
//! The webhook may not write. Each call builds a client that has the caller's bearer token and
//! nothing else, so that the API server decides whether the caller may, and its audit log says who
//! did.

use std::{fmt, future::Future, sync::Arc, time::Duration};

use futures::future::{BoxFuture, FutureExt as _};
use jiff::Timestamp;
use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use kube::{
    Api, Client, Config,
    api::{DeleteParams, PostParams},
};
use portcullis_crds as crds;
use portcullis_policies::{Address, Lock, ObjectKey, Point};
use portcullis_webhook::{Caller, LockFault, LockKeeper, LockRequest};
use tokio::{sync::Semaphore, time::timeout};

use super::{
    Mirror,
    connect::{ConnectFault, connect_as},
};
use crate::convert::{LockObject, kind, lock_name, lock_object};

/// Time for each request to the API server.
const REQUEST: Duration = Duration::from_secs(5);

/// Time until a lock that was made or removed is seen here. It is there within milliseconds; who
/// waits longer is answered nevertheless, because the cluster has it.
const SEEN: Duration = Duration::from_secs(5);

/// Calls at once. Each has a connection of its own to the API server.
const AT_ONCE: usize = 16;

/// Keeps locks in the cluster.
pub struct ClusterLocks {
    connect: Box<dyn Fn(&str) -> Result<Client, ConnectFault> + Send + Sync>,
    mirror: Arc<Mirror>,
    room: Semaphore,
}

impl ClusterLocks {
    /// Reaches the API server as `config` says, but for who asks.
    pub fn new(config: Config, mirror: Arc<Mirror>) -> Self {
        Self::connecting(move |bearer| connect_as(&config, bearer), mirror)
    }

    pub(super) fn connecting(
        connect: impl Fn(&str) -> Result<Client, ConnectFault> + Send + Sync + 'static,
        mirror: Arc<Mirror>,
    ) -> Self {
        Self { connect: Box::new(connect), mirror, room: Semaphore::new(AT_ONCE) }
    }

    async fn make(&self, caller: Caller, request: LockRequest) -> Result<(), LockFault> {
        let _room = self.enter()?;
        let client = self.client(&caller)?;
        let reason = match request.reason {
            Some(reason) => reason,
            None => default_reason(&client).await,
        };
        let key = key(&request.address);
        if let Some(lock) = self.find(&key)
            && !lock.is_active(Timestamp::now())
        {
            // It has expired and is in the way of a new one of the same name.
            delete(&client, &request.address).await?;
        }
        let object = lock_object(&request.address, Some(&reason), request.expires_at);
        let params = PostParams::default();
        match object {
            LockObject::Lock(lock) => {
                let namespace = request.address.namespace().unwrap_or_default();
                let api: Api<crds::Lock> = Api::namespaced(client, namespace);
                ask(api.create(&params, &lock)).await.map(drop)?;
            }
            LockObject::ClusterLock(lock) => {
                let api: Api<crds::ClusterLock> = Api::all(client);
                ask(api.create(&params, &lock)).await.map(drop)?;
            }
        }
        self.wait_until(|locks| locks.find(&key).is_some()).await;
        Ok(())
    }

    async fn remove(&self, caller: Caller, address: Address) -> Result<(), LockFault> {
        let _room = self.enter()?;
        let client = self.client(&caller)?;
        let key = key(&address);
        let was_there = delete(&client, &address).await?;
        if was_there {
            self.wait_until(|locks| locks.find(&key).is_none()).await;
        }
        match self.others(&address, &key) {
            others if !others.is_empty() => Err(LockFault::HeldByOthers(others)),
            _ if was_there => Ok(()),
            _ => Err(LockFault::NotLocked),
        }
    }

    fn enter(&self) -> Result<tokio::sync::SemaphorePermit<'_>, LockFault> {
        let full = "too many locks are being made at once: try again";
        self.room.try_acquire().map_err(|_| LockFault::Unavailable(full.to_owned()))
    }

    fn client(&self, caller: &Caller) -> Result<Client, LockFault> {
        let bearer = caller.bearer().ok_or(LockFault::Unauthenticated)?;
        (self.connect)(bearer).map_err(|fault| match fault {
            ConnectFault::Token => LockFault::Unauthenticated,
            fault => LockFault::Unavailable(super::chain(&fault)),
        })
    }

    fn find(&self, key: &ObjectKey) -> Option<Arc<Lock>> {
        let snapshot = self.mirror.cache().snapshot();
        snapshot.locks().iter().find(|lock| lock.key == *key).cloned()
    }

    /// Locks that hold a policy at evaluation, but for the one that is made over HTTP.
    fn others(&self, address: &Address, own: &ObjectKey) -> Vec<String> {
        let snapshot = self.mirror.cache().snapshot();
        let now = Timestamp::now();
        let locks = snapshot.find(address).into_iter().flat_map(|entry| &entry.locks);
        locks
            .filter(|lock| lock.points.contain(Point::Evaluation) && lock.is_active(now))
            .filter(|lock| lock.key != *own)
            .map(|lock| lock.key.to_string())
            .collect()
    }

    /// Waits until this replica sees what the cluster has, so that its next answer shows it.
    async fn wait_until(&self, seen: impl Fn(&Self) -> bool) {
        let mut changes = self.mirror.changes();
        if timeout(SEEN, changes.wait_for(|_| seen(self))).await.is_err() {
            tracing::warn!("a lock was changed and is not seen yet");
        }
    }
}

impl LockKeeper for ClusterLocks {
    fn lock(&self, caller: Caller, request: LockRequest) -> BoxFuture<'_, Result<(), LockFault>> {
        self.make(caller, request).boxed()
    }

    fn unlock(&self, caller: Caller, address: Address) -> BoxFuture<'_, Result<(), LockFault>> {
        self.remove(caller, address).boxed()
    }
}

impl fmt::Debug for ClusterLocks {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ClusterLocks").finish_non_exhaustive()
    }
}

/// The object of the lock that is made over HTTP for a policy.
fn key(address: &Address) -> ObjectKey {
    let kind = if address.namespace().is_some() { kind::LOCK } else { kind::CLUSTER_LOCK };
    ObjectKey::new(kind, address.namespace(), &lock_name(address))
}

/// Deletes the lock that was made over HTTP. Whether there was one.
async fn delete(client: &Client, address: &Address) -> Result<bool, LockFault> {
    let (client, name, params) = (client.clone(), lock_name(address), DeleteParams::default());
    let deleted = match address.namespace() {
        Some(namespace) => {
            let api: Api<crds::Lock> = Api::namespaced(client, namespace);
            ask(api.delete(&name, &params)).await.map(drop)
        }
        None => {
            let api: Api<crds::ClusterLock> = Api::all(client);
            ask(api.delete(&name, &params)).await.map(drop)
        }
    };
    match deleted {
        Ok(()) => Ok(true),
        Err(LockFault::NotLocked) => Ok(false),
        Err(fault) => Err(fault),
    }
}

/// Names the caller where the API server tells who it is.
async fn default_reason(client: &Client) -> String {
    let api: Api<SelfSubjectReview> = Api::all(client.clone());
    let review = ask(api.create(&PostParams::default(), &SelfSubjectReview::default())).await;
    let user = review.ok().and_then(|review| review.status?.user_info?.username);
    match user {
        Some(user) => format!("locked over HTTP by {user}"),
        None => "locked over HTTP".to_owned(),
    }
}

/// Asks the API server, and reads what it answers as a fault of a lock.
async fn ask<T>(request: impl Future<Output = kube::Result<T>>) -> Result<T, LockFault> {
    let late = || format!("the API server did not answer within {} s", REQUEST.as_secs());
    let answer = timeout(REQUEST, request).await.map_err(|_| LockFault::Unavailable(late()))?;
    answer.map_err(|error| match error {
        kube::Error::Api(status) => match status.code {
            401 => LockFault::Unauthenticated,
            403 => LockFault::Forbidden(status.message),
            404 => LockFault::NotLocked,
            409 => LockFault::AlreadyLocked,
            _ => LockFault::Unavailable(status.message),
        },
        error => LockFault::Unavailable(super::chain(&error)),
    })
}
