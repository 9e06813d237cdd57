//! Archives into and out of a cluster: imported with the caller's own rights.
//!
//! As with locks, the webhook may not write. An archive that is verified is applied with the caller's
//! bearer token, so that the API server's RBAC, our own admission, and every other policy decide about
//! it as about `kubectl apply`. Fields that another manager owns are not taken from it.

use std::{collections::BTreeMap, fmt, future::Future, sync::Arc, time::Duration};

use futures::future::{BoxFuture, FutureExt as _};
use kube::{
    Api, Client, Config,
    api::{Patch, PatchParams},
    core::{ApiResource, DynamicObject},
};
use portcullis_crds as crds;
use portcullis_policies::{Address, Digest, Entry, Scope, Timestamp};
use portcullis_webhook::{
    ArchiveFault, ArchiveKeeper, Caller, Exported, ImportAction, ImportRequest, Imported,
    VerifyingKey,
};
use serde_json::json;
use tokio::{sync::Semaphore, time::timeout};

use super::{
    Mirror,
    connect::{ConnectFault, connect_as},
};
use crate::{
    archive::{Candidate, Clerk, Incumbent, Mark, Moment, Verdict, decide},
    convert,
};

/// Time for each request to the API server.
const REQUEST: Duration = Duration::from_secs(5);

/// Time until a policy that was applied is seen here. It is there within milliseconds; who waits longer
/// is answered nevertheless, because the cluster has it.
const SEEN: Duration = Duration::from_secs(5);

/// Calls at once. Each has a connection of its own to the API server.
const AT_ONCE: usize = 16;

/// Who owns the fields of an imported policy, for the API server.
const FIELD_MANAGER: &str = "portcullis-import";

/// What is kept with an imported policy: annotations of its object.
const SIGNER: &str = "portcullis.dev/archive-signer";
const UPDATED: &str = "portcullis.dev/archive-updated";
const GENERATION: &str = "portcullis.dev/archive-generation";
const ARCHIVE: &str = "portcullis.dev/archive-sha256";

/// Makes a client with the rights of a bearer token.
type Connect = dyn Fn(&str) -> Result<Client, ConnectFault> + Send + Sync;

/// Keeps policies in the cluster.
pub struct ClusterArchives {
    clerk: Arc<Clerk>,
    connect: Box<Connect>,
    mirror: Arc<Mirror>,
    room: Semaphore,
}

impl ClusterArchives {
    /// Reaches the API server as `config` says, but for who asks.
    pub fn new(clerk: Arc<Clerk>, config: Config, mirror: Arc<Mirror>) -> Self {
        Self::connecting(clerk, move |bearer| connect_as(&config, bearer), mirror)
    }

    pub(super) fn connecting(
        clerk: Arc<Clerk>,
        connect: impl Fn(&str) -> Result<Client, ConnectFault> + Send + Sync + 'static,
        mirror: Arc<Mirror>,
    ) -> Self {
        Self {
            clerk,
            connect: Box::new(connect),
            mirror,
            room: Semaphore::new(AT_ONCE),
        }
    }

    async fn take_in(
        &self,
        caller: Caller,
        request: ImportRequest,
    ) -> Result<Imported, ArchiveFault> {
        let full = "too many archives are being imported at once";
        let _room = self
            .room
            .try_acquire()
            .map_err(|_| ArchiveFault::Unavailable(full.to_owned()))?;
        let bearer = caller.bearer().ok_or(ArchiveFault::Unauthenticated)?;
        let client = (self.connect)(bearer).map_err(|fault| match fault {
            ConnectFault::Token => ArchiveFault::Unauthenticated,
            fault => ArchiveFault::Unavailable(super::chain(&fault)),
        })?;
        let scope = request.namespace.map_or(Scope::Cluster, Scope::Namespace);
        let cache = self.mirror.cache().clone();
        let (candidate, policy) = self.clerk.open(request.archive, scope, cache).await?;
        let digest = policy.digest();
        let action = put(&self.mirror, &client, &candidate, digest, request.replaces).await?;
        let in_force = self.wait_for(&candidate.address, digest).await;
        Ok(candidate.imported(digest, action, in_force))
    }

    /// Waits until this replica sees what the cluster has, so that its next answer shows it.
    async fn wait_for(&self, address: &Address, digest: Digest) -> bool {
        let mut changes = self.mirror.changes();
        let is_there = |_: &u64| {
            let snapshot = self.mirror.cache().snapshot();
            let entry = snapshot.find(address);
            entry.is_some_and(|entry| entry.policy.digest() == digest)
        };
        timeout(SEEN, changes.wait_for(is_there)).await.is_ok()
    }

    /// When a policy's object was changed last, as the API server tells every replica.
    fn moment(&self, entry: &Entry) -> Moment {
        let updated = self.mirror.cache().snapshot().updated(entry.address());
        let record = self.mirror.record(&entry.object);
        Moment {
            last_update: updated.unwrap_or(Timestamp::UNIX_EPOCH),
            generation: record
                .and_then(|record| record.generation)
                .unwrap_or_default(),
        }
    }
}

impl ArchiveKeeper for ClusterArchives {
    fn export(
        &self,
        entry: Arc<Entry>,
        is_locked: bool,
    ) -> BoxFuture<'_, Result<Exported, ArchiveFault>> {
        let moment = self.moment(&entry);
        async move {
            self.clerk
                .export(entry.policy.clone(), is_locked, moment)
                .await
        }
        .boxed()
    }

    fn key(&self) -> Result<VerifyingKey, ArchiveFault> {
        self.clerk.key()
    }

    fn import(
        &self,
        caller: Caller,
        request: ImportRequest,
    ) -> BoxFuture<'_, Result<Imported, ArchiveFault>> {
        self.take_in(caller, request).boxed()
    }
}

impl fmt::Debug for ClusterArchives {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ClusterArchives")
            .field("clerk", &self.clerk)
            .finish_non_exhaustive()
    }
}

/// Applies a policy with a client's rights, where it is newer than what is there.
pub(crate) async fn put(
    mirror: &Mirror,
    client: &Client,
    candidate: &Candidate,
    digest: Digest,
    replaces: Option<Digest>,
) -> Result<ImportAction, ArchiveFault> {
    let address = &candidate.address;
    let held = mirror.cache().snapshot().find(address).cloned();
    let name = match &held {
        Some(entry) => entry.object.name.clone(),
        None => convert::object_name("imported", address),
    };
    let api = api(client, address);
    let object = ask(api.get_metadata_opt(&name)).await?;
    let incumbent = held.map(|entry| Incumbent {
        digest: entry.policy.digest(),
        mark: object
            .as_ref()
            .and_then(|object| read_mark(object.metadata.annotations.as_ref()?)),
    });
    if let (None, Some(_)) = (&incumbent, &object) {
        return Err(ArchiveFault::Conflict {
            reason: format!("an object `{name}` exists, and {address} is not in force"),
            remedy: "try again; if it stays so, mend the object or delete it".to_owned(),
        });
    }
    let action = match decide(incumbent.as_ref(), digest, &candidate.mark, replaces)? {
        Verdict::Nothing => return Ok(ImportAction::Unchanged),
        Verdict::Create => ImportAction::Created,
        Verdict::Replace => ImportAction::Replaced,
    };
    let version = object.and_then(|object| object.metadata.resource_version);
    let manifest = manifest(candidate, &name, version);
    let params = PatchParams::apply(FIELD_MANAGER);
    ask(api.patch(&name, &params, &Patch::Apply(&manifest))).await?;
    Ok(action)
}

fn api(client: &Client, address: &Address) -> Api<DynamicObject> {
    match address.namespace() {
        Some(namespace) => {
            let resource = ApiResource::erase::<crds::Policy>(&());
            Api::namespaced_with(client.clone(), namespace, &resource)
        }
        None => Api::all_with(
            client.clone(),
            &ApiResource::erase::<crds::ClusterPolicy>(&()),
        ),
    }
}

/// The object of an imported policy. At a resource version it takes the place of that state only.
fn manifest(candidate: &Candidate, name: &str, version: Option<String>) -> serde_json::Value {
    let Mark {
        signer,
        moment,
        archive,
    } = &candidate.mark;
    let mut metadata = json!({"name": name, "annotations": {
        SIGNER: signer,
        UPDATED: moment.last_update.to_string(),
        GENERATION: moment.generation.to_string(),
        ARCHIVE: archive,
    }});
    let mut kind = convert::kind::CLUSTER_POLICY;
    if let Some(namespace) = candidate.address.namespace() {
        metadata["namespace"] = json!(namespace);
        kind = convert::kind::POLICY;
    }
    if let Some(version) = version {
        metadata["resourceVersion"] = json!(version);
    }
    json!({
        "apiVersion": crds::API_VERSION,
        "kind": kind,
        "metadata": metadata,
        "spec": convert::spec(&candidate.draft.definition),
    })
}

fn read_mark(annotations: &BTreeMap<String, String>) -> Option<Mark> {
    Some(Mark {
        signer: annotations.get(SIGNER)?.clone(),
        moment: Moment {
            last_update: annotations.get(UPDATED)?.parse::<Timestamp>().ok()?,
            generation: annotations.get(GENERATION)?.parse().ok()?,
        },
        archive: annotations.get(ARCHIVE)?.clone(),
    })
}

/// Asks the API server, and reads what it answers as a fault of an archive.
async fn ask<T>(request: impl Future<Output = kube::Result<T>>) -> Result<T, ArchiveFault> {
    let answer = timeout(REQUEST, request).await.map_err(|_| {
        ArchiveFault::Unavailable(format!(
            "the API server did not answer within {} s",
            REQUEST.as_secs()
        ))
    })?;
    answer.map_err(|error| match error {
        kube::Error::Api(status) => match status.code {
            401 => ArchiveFault::Unauthenticated,
            403 => ArchiveFault::Forbidden(status.message),
            409 => ArchiveFault::Conflict {
                reason: status.message,
                remedy: "try again; fields that another manager owns have to be given up by it"
                    .to_owned(),
            },
            400 | 404 | 422 => ArchiveFault::Broken(status.message),
            _ => ArchiveFault::Unavailable(status.message),
        },
        error => ArchiveFault::Unavailable(super::chain(&error)),
    })
}

#[cfg(test)]
mod tests;
