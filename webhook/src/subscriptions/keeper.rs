//! What the endpoints of subscriptions need of whoever keeps them.

use futures::future::{BoxFuture, FutureExt as _};
use portcullis_policies::{Address, Timestamp};

use crate::{Caller, outbound::OutboundFault};

/// Keeps subscriptions: as objects of the cluster with the caller's own rights, or in a file.
pub trait SubscriptionKeeper: Send + Sync {
    /// Whether whoever can reach the endpoints may subscribe, without a token.
    fn is_open(&self) -> bool {
        false
    }

    /// Has somebody told of a policy's changes.
    fn subscribe(
        &self,
        caller: Caller,
        asked: NewSubscription,
    ) -> BoxFuture<'_, Result<Subscribed, OutboundFault>>;

    /// The subscriptions of a policy, which may be gone, in the order in which they were made.
    fn list(
        &self,
        caller: Caller,
        address: Address,
    ) -> BoxFuture<'_, Result<Vec<Subscribed>, OutboundFault>>;

    /// Removes a subscription of a policy, which may be gone.
    fn unsubscribe(
        &self,
        caller: Caller,
        address: Address,
        id: String,
    ) -> BoxFuture<'_, Result<(), OutboundFault>>;
}

/// A subscription that somebody asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSubscription {
    /// The policy, which exists.
    pub address: Address,
    /// The subscriber's name; printable and bounded.
    pub subscriber: String,
    /// Where events are to be sent; printable and bounded.
    pub url: String,
}

/// A subscription that there is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscribed {
    /// Names it.
    pub id: String,
    /// The policy.
    pub address: Address,
    /// The subscriber's name.
    pub subscriber: String,
    /// Where events are sent.
    pub url: String,
    /// When it was made.
    pub created: Timestamp,
    /// When an event was delivered last.
    pub delivered: Option<Timestamp>,
    /// Why the last event was not delivered, if it was not.
    pub failure: Option<String>,
}

/// Where nobody is told of anything: a sidecar, whose policies are somebody else's.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoSubscriptions;

fn closed<T: Send + 'static>() -> BoxFuture<'static, Result<T, OutboundFault>> {
    let why = "this server tells nobody of changes";
    async { Err(OutboundFault::Closed(why.to_owned())) }.boxed()
}

impl SubscriptionKeeper for NoSubscriptions {
    fn subscribe(
        &self,
        _caller: Caller,
        _asked: NewSubscription,
    ) -> BoxFuture<'_, Result<Subscribed, OutboundFault>> {
        closed()
    }

    fn list(
        &self,
        _caller: Caller,
        _address: Address,
    ) -> BoxFuture<'_, Result<Vec<Subscribed>, OutboundFault>> {
        closed()
    }

    fn unsubscribe(
        &self,
        _caller: Caller,
        _address: Address,
        _id: String,
    ) -> BoxFuture<'_, Result<(), OutboundFault>> {
        closed()
    }
}
