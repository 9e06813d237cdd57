//! Subscriptions of `serve`, in a file beside the locks.

use std::{path::Path, sync::Arc};

use futures::{FutureExt as _, future::BoxFuture};
use portcullis_policies::{Address, Cache, Timestamp};
use portcullis_webhook::{Caller, NewSubscription, OutboundFault, Subscribed, SubscriptionKeeper};

use super::{
    Access,
    kept::{KeptList, KeptListFault},
};
use crate::subscriptions::{
    Courier, Ledger, MAX_SUBSCRIPTIONS, Progress, Subscription, identify, told_of,
};

/// The file.
const FILE: &str = ".subscriptions.json";

/// The way of the endpoints, and of whoever tells subscribers. Clones have the same subscriptions.
#[derive(Clone, Debug)]
pub struct DirectorySubscriptions {
    list: KeptList<Subscription>,
    cache: Arc<Cache>,
    access: Access,
    courier: Arc<Courier>,
}

impl DirectorySubscriptions {
    /// Reads the subscriptions of a folder, which need not exist yet.
    pub(crate) fn open(
        folder: &Path,
        cache: Arc<Cache>,
        access: Access,
        courier: Arc<Courier>,
    ) -> Result<Self, KeptListFault> {
        Ok(Self {
            list: KeptList::open(folder, FILE, MAX_SUBSCRIPTIONS)?,
            cache,
            access,
            courier,
        })
    }

    async fn add(&self, asked: NewSubscription) -> Result<Subscribed, OutboundFault> {
        self.courier.check(&asked.url)?;
        let NewSubscription {
            address,
            subscriber,
            url,
        } = asked;
        let now = Timestamp::now();
        let told = told_of(&self.cache.snapshot(), &address, now);
        let made = Subscription {
            id: identify(&address, &subscriber, &url),
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
                return Err(OutboundFault::Exists);
            }
            if held.len() >= MAX_SUBSCRIPTIONS {
                return Err(OutboundFault::Full(MAX_SUBSCRIPTIONS));
            }
            held.push(added);
            Ok(())
        };
        self.list.change(add).await?;
        Ok(made.into())
    }
}

impl SubscriptionKeeper for DirectorySubscriptions {
    fn is_open(&self) -> bool {
        self.access == Access::Open
    }

    fn subscribe(
        &self,
        caller: Caller,
        asked: NewSubscription,
    ) -> BoxFuture<'_, Result<Subscribed, OutboundFault>> {
        async move {
            self.access.admit_outbound(&caller)?;
            self.add(asked).await
        }
        .boxed()
    }

    fn list(
        &self,
        caller: Caller,
        address: Address,
    ) -> BoxFuture<'_, Result<Vec<Subscribed>, OutboundFault>> {
        let found = self.access.admit_outbound(&caller).map(|()| {
            let mut all = self.list.all();
            all.retain(|own| own.address == address);
            all.into_iter().map(Subscribed::from).collect()
        });
        async { found }.boxed()
    }

    fn unsubscribe(
        &self,
        caller: Caller,
        address: Address,
        id: String,
    ) -> BoxFuture<'_, Result<(), OutboundFault>> {
        async move {
            self.access.admit_outbound(&caller)?;
            let remove = move |held: &mut Vec<Subscription>| {
                let before = held.len();
                held.retain(|own| own.id != id || own.address != address);
                if held.len() == before {
                    return Err(OutboundFault::NotFound("subscription"));
                }
                Ok(())
            };
            self.list.change(remove).await
        }
        .boxed()
    }
}

impl Ledger for DirectorySubscriptions {
    fn all(&self) -> BoxFuture<'_, Result<Vec<Subscription>, String>> {
        let all = self.list.all();
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
            let kept = self.list.change(keep).await;
            kept.map_err(|fault| fault.to_string())
        }
        .boxed()
    }
}
