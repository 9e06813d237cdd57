//! The one lock that the HTTP endpoints and the command line make for a policy, as an object of the
//! cluster: made and deleted with the rights of whoever has the client.

use std::{future::Future, time::Duration};

use jiff::Timestamp;
use kube::{
    Api, Client,
    api::{DeleteParams, PostParams},
    core::{ApiResource, DynamicObject},
};
use portcullis_crds as crds;
use portcullis_policies::{Address, ObjectKey};
use portcullis_webhook::LockFault;
use tokio::time::timeout;

use crate::convert::{LockObject, kind, lock_name, lock_object};

/// Time for each request to the API server.
const REQUEST: Duration = Duration::from_secs(5);

/// The object of the lock that is made over HTTP for a policy.
pub(crate) fn key(address: &Address) -> ObjectKey {
    let kind = if address.namespace().is_some() {
        kind::LOCK
    } else {
        kind::CLUSTER_LOCK
    };
    ObjectKey::new(kind, address.namespace(), &lock_name(address))
}

/// Makes that lock. One of the same name that has expired makes room for it.
pub(crate) async fn make(
    client: &Client,
    address: &Address,
    reason: &str,
    expires_at: Option<Timestamp>,
    has_expired: bool,
) -> Result<(), LockFault> {
    if has_expired {
        delete(client, address).await?;
    }
    let params = PostParams::default();
    match lock_object(address, Some(reason), expires_at) {
        LockObject::Lock(lock) => {
            let namespace = address.namespace().unwrap_or_default();
            let api: Api<crds::Lock> = Api::namespaced(client.clone(), namespace);
            ask(api.create(&params, &lock)).await.map(drop)
        }
        LockObject::ClusterLock(lock) => {
            let api: Api<crds::ClusterLock> = Api::all(client.clone());
            ask(api.create(&params, &lock)).await.map(drop)
        }
    }
}

/// Deletes the lock that was made over HTTP. Whether there was one.
pub(crate) async fn delete(client: &Client, address: &Address) -> Result<bool, LockFault> {
    // What the deleted object said does not matter, and need not be readable.
    let api: Api<DynamicObject> = match address.namespace() {
        Some(namespace) => {
            let resource = ApiResource::erase::<crds::Lock>(&());
            Api::namespaced_with(client.clone(), namespace, &resource)
        }
        None => Api::all_with(
            client.clone(),
            &ApiResource::erase::<crds::ClusterLock>(&()),
        ),
    };
    match ask(api.delete(&lock_name(address), &DeleteParams::default())).await {
        Ok(_) => Ok(true),
        Err(LockFault::NotLocked) => Ok(false),
        Err(fault) => Err(fault),
    }
}

/// Asks the API server, and reads what it answers as a fault of a lock.
pub(super) async fn ask<T>(request: impl Future<Output = kube::Result<T>>) -> Result<T, LockFault> {
    let late = || {
        format!(
            "the API server did not answer within {} s",
            REQUEST.as_secs()
        )
    };
    let answer = timeout(REQUEST, request)
        .await
        .map_err(|_| LockFault::Unavailable(late()))?;
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
