//! What the endpoints of subscriptions need of whoever keeps them.

use futures::future::{BoxFuture, FutureExt as _};
use portcullis_policies::{Address, Timestamp};

use crate::Caller;

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
    ) -> BoxFuture<'_, Result<Subscribed, SubscriptionFault>>;

    /// The subscriptions of a policy, which may be gone, in the order in which they were made.
    fn list(
        &self,
        caller: Caller,
        address: Address,
    ) -> BoxFuture<'_, Result<Vec<Subscribed>, SubscriptionFault>>;

    /// Removes a subscription of a policy, which may be gone.
    fn unsubscribe(
        &self,
        caller: Caller,
        address: Address,
        id: String,
    ) -> BoxFuture<'_, Result<(), SubscriptionFault>>;
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

/// Why there is no subscription.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubscriptionFault {
    /// The caller does not say who it is.
    #[error("a bearer token is required")]
    Unauthenticated,
    /// The caller may not; with what the API server says.
    #[error("{0}")]
    Forbidden(String),
    /// Nobody is told of anything here; with the reason.
    #[error("{0}")]
    Closed(String),
    /// The administrator does not allow this host.
    #[error("{0}")]
    HostForbidden(String),
    /// It is no URL.
    #[error("{0}")]
    Invalid(String),
    /// The subscriber is told at this URL already.
    #[error("subscriber already exist")]
    Exists,
    /// There are as many as are kept.
    #[error("there are {0} subscriptions already")]
    Full(usize),
    /// There is no such subscription.
    #[error("the policy has no such subscription")]
    NotFound,
    /// The subscriptions cannot be reached; with the reason.
    #[error("{0}")]
    Unavailable(String),
}

/// Where nobody is told of anything: a sidecar, whose policies are somebody else's.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoSubscriptions;

fn closed<T: Send + 'static>() -> BoxFuture<'static, Result<T, SubscriptionFault>> {
    let why = "this server tells nobody of changes";
    async { Err(SubscriptionFault::Closed(why.to_owned())) }.boxed()
}

impl SubscriptionKeeper for NoSubscriptions {
    fn subscribe(
        &self,
        _caller: Caller,
        _asked: NewSubscription,
    ) -> BoxFuture<'_, Result<Subscribed, SubscriptionFault>> {
        closed()
    }

    fn list(
        &self,
        _caller: Caller,
        _address: Address,
    ) -> BoxFuture<'_, Result<Vec<Subscribed>, SubscriptionFault>> {
        closed()
    }

    fn unsubscribe(
        &self,
        _caller: Caller,
        _address: Address,
        _id: String,
    ) -> BoxFuture<'_, Result<(), SubscriptionFault>> {
        closed()
    }
}
