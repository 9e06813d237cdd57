//! Subscriptions of `serve`: one file in the folder of the locks, with a hidden name, so that nobody
//! reads it as a lock.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures::{FutureExt as _, future::BoxFuture};
use portcullis_policies::{Address, Cache, Scope, Timestamp};
use portcullis_webhook::{
    Caller, LockFault, NewSubscription, Subscribed, SubscriptionFault, SubscriptionKeeper,
};
use serde::{Deserialize, Serialize};

use super::Access;
use crate::{
    files::{read_bounded, replace},
    subscriptions::{
        Courier, Ledger, MAX_SUBSCRIPTIONS, Progress, Subscription, identify, told_of,
    },
};

/// The file.
const FILE: &str = ".subscriptions.json";

/// Subscriptions in a file.
#[derive(Debug)]
pub struct DirectorySubscriptions {
    path: PathBuf,
    held: Mutex<Vec<Subscription>>,
    cache: Arc<Cache>,
    access: Access,
    courier: Arc<Courier>,
}

/// Why the subscriptions cannot be read at the start. Without them nobody would be told.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the subscriptions in `{}`: mend the file, or remove it to forget them", path.display())]
pub struct SubscriptionFileFault {
    path: PathBuf,
    #[source]
    source: io::Error,
}

/// A subscription in the file.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Kept {
    group: String,
    name: String,
    version: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    namespace: Option<String>,
    subscriber: String,
    url: String,
    created: Timestamp,
    #[serde(default)]
    progress: Progress,
}

impl DirectorySubscriptions {
    /// Reads the subscriptions of a folder, which need not exist yet.
    pub(crate) fn open(
        folder: &Path,
        cache: Arc<Cache>,
        access: Access,
        courier: Arc<Courier>,
    ) -> Result<Self, SubscriptionFileFault> {
        let path = folder.join(FILE);
        let held = read(&path).map_err(|source| SubscriptionFileFault {
            path: path.clone(),
            source,
        })?;
        Ok(Self {
            path,
            held: Mutex::new(held),
            cache,
            access,
            courier,
        })
    }

    /// Changes what is kept, in the file first, away from the reactor.
    async fn change<T: Send + 'static>(
        self: &Arc<Self>,
        change: impl FnOnce(&mut Vec<Subscription>) -> Result<T, SubscriptionFault> + Send + 'static,
    ) -> Result<T, SubscriptionFault> {
        let own = self.clone();
        let work = move || {
            let mut held = own.held();
            let mut changed = held.clone();
            let value = change(&mut changed)?;
            if changed != *held {
                write(&own.path, &changed).map_err(|error| {
                    let path = own.path.display();
                    let text = format!(
                        "the subscription cannot be kept in `{path}`: {error}; start with `--locks` \
                         and a folder that can be written"
                    );
                    SubscriptionFault::Unavailable(text)
                })?;
                *held = changed;
            }
            Ok(value)
        };
        let done = tokio::task::spawn_blocking(work).await;
        done.unwrap_or_else(|_| {
            let text = "the work of the disk ended unexpectedly";
            Err(SubscriptionFault::Unavailable(text.to_owned()))
        })
    }

    fn held(&self) -> MutexGuard<'_, Vec<Subscription>> {
        // It is replaced as a whole, so a panic leaves a valid state.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn admit(&self, caller: &Caller) -> Result<(), SubscriptionFault> {
        self.access.admit(caller).map_err(|fault| match fault {
            LockFault::Unauthenticated => SubscriptionFault::Unauthenticated,
            fault => SubscriptionFault::Forbidden(fault.to_string()),
        })
    }
}

/// The way of the endpoints, and of whoever tells subscribers.
#[derive(Clone, Debug)]
pub struct SubscriptionDesk(pub(crate) Arc<DirectorySubscriptions>);

impl SubscriptionKeeper for SubscriptionDesk {
    fn is_open(&self) -> bool {
        self.0.access == Access::Open
    }

    fn subscribe(
        &self,
        caller: Caller,
        asked: NewSubscription,
    ) -> BoxFuture<'_, Result<Subscribed, SubscriptionFault>> {
        async move {
            self.0.admit(&caller)?;
            self.0.courier.check(&asked.url)?;
            let NewSubscription {
                address,
                subscriber,
                url,
            } = asked;
            let now = Timestamp::now();
            let id = identify(&address, &subscriber, &url);
            let told = told_of(&self.0.cache.snapshot(), &address, now);
            let made = Subscription {
                id,
                address,
                subscriber,
                url,
                created: now,
                progress: Progress {
                    told: Some(told),
                    ..Progress::default()
                },
            };
            let added = made.clone();
            let add = move |held: &mut Vec<Subscription>| {
                if held.iter().any(|own| own.id == added.id) {
                    return Err(SubscriptionFault::Exists);
                }
                if held.len() >= MAX_SUBSCRIPTIONS {
                    return Err(SubscriptionFault::Full(MAX_SUBSCRIPTIONS));
                }
                held.push(added);
                Ok(())
            };
            self.0.change(add).await?;
            Ok(made.into())
        }
        .boxed()
    }

    fn list(
        &self,
        caller: Caller,
        address: Address,
    ) -> BoxFuture<'_, Result<Vec<Subscribed>, SubscriptionFault>> {
        let found = self.0.admit(&caller).map(|()| {
            let held = self.0.held();
            let own = held.iter().filter(|own| own.address == address);
            own.cloned().map(Subscribed::from).collect()
        });
        async { found }.boxed()
    }

    fn unsubscribe(
        &self,
        caller: Caller,
        address: Address,
        id: String,
    ) -> BoxFuture<'_, Result<(), SubscriptionFault>> {
        async move {
            self.0.admit(&caller)?;
            let remove = move |held: &mut Vec<Subscription>| {
                let before = held.len();
                held.retain(|own| own.id != id || own.address != address);
                if held.len() == before {
                    return Err(SubscriptionFault::NotFound);
                }
                Ok(())
            };
            self.0.change(remove).await
        }
        .boxed()
    }
}

impl Ledger for SubscriptionDesk {
    fn all(&self) -> BoxFuture<'_, Result<Vec<Subscription>, String>> {
        let all = self.0.held().clone();
        async { Ok(all) }.boxed()
    }

    fn keep<'a>(
        &'a self,
        subscription: &'a Subscription,
        progress: Progress,
    ) -> BoxFuture<'a, Result<(), String>> {
        let id = subscription.id.clone();
        async move {
            let keep = move |held: &mut Vec<Subscription>| {
                if let Some(own) = held.iter_mut().find(|own| own.id == id) {
                    own.progress = progress;
                }
                Ok(())
            };
            self.0.change(keep).await.map_err(|fault| fault.to_string())
        }
        .boxed()
    }
}

fn read(path: &Path) -> io::Result<Vec<Subscription>> {
    let text = match read_bounded(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        text => text?,
    };
    let kept: Vec<Kept> = serde_json::from_slice(&text)?;
    if kept.len() > MAX_SUBSCRIPTIONS {
        return Err(io::Error::other(format!("more than {MAX_SUBSCRIPTIONS}")));
    }
    let read = |kept: Kept| {
        let scope = kept.namespace.map_or(Scope::Cluster, Scope::Namespace);
        let address = Address::new(scope, &kept.group, &kept.name, &kept.version);
        let address = address.map_err(io::Error::other)?;
        Ok(Subscription {
            id: identify(&address, &kept.subscriber, &kept.url),
            address,
            subscriber: kept.subscriber,
            url: kept.url,
            created: kept.created,
            progress: kept.progress,
        })
    };
    kept.into_iter().map(read).collect()
}

fn write(path: &Path, subscriptions: &[Subscription]) -> io::Result<()> {
    let keep = |own: &Subscription| Kept {
        group: own.address.group().to_owned(),
        name: own.address.name().to_owned(),
        version: own.address.version().to_string(),
        namespace: own.address.namespace().map(str::to_owned),
        subscriber: own.subscriber.clone(),
        url: own.url.clone(),
        created: own.created,
        progress: own.progress.clone(),
    };
    let kept: Vec<Kept> = subscriptions.iter().map(keep).collect();
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    replace(path, &serde_json::to_vec(&kept)?)
}
