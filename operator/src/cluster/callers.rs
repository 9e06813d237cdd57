//! Clients with the rights of callers, for endpoints that keep what callers ask for as objects.

use std::{fmt, future::Future, time::Duration};

use kube::{Client, Config};
use portcullis_webhook::{Caller, OutboundFault};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::timeout,
};

use super::connect::{ConnectFault, connect_as};

/// Time for each request to the API server.
const REQUEST: Duration = Duration::from_secs(5);

/// Calls at once. Each has a connection of its own to the API server.
const AT_ONCE: usize = 16;

/// Makes a client with the rights of a bearer token.
type Connect = dyn Fn(&str) -> Result<Client, ConnectFault> + Send + Sync;

/// Reaches the API server for who asks.
pub(super) struct Callers {
    connect: Box<Connect>,
    room: Semaphore,
}

impl Callers {
    /// Reaches it as `config` says, but with the caller's token and nothing else.
    pub(super) fn new(config: Config) -> Self {
        Self::connecting(move |bearer| connect_as(&config, bearer))
    }

    pub(super) fn connecting(
        connect: impl Fn(&str) -> Result<Client, ConnectFault> + Send + Sync + 'static,
    ) -> Self {
        Self {
            connect: Box::new(connect),
            room: Semaphore::new(AT_ONCE),
        }
    }

    /// A client of a caller, and its place until that is dropped.
    pub(super) fn client(
        &self,
        caller: &Caller,
    ) -> Result<(Client, SemaphorePermit<'_>), OutboundFault> {
        let bearer = caller.bearer().ok_or(OutboundFault::Unauthenticated)?;
        let full = "too many callers ask at once: try again";
        let place = self
            .room
            .try_acquire()
            .map_err(|_| OutboundFault::Unavailable(full.to_owned()))?;
        let client = (self.connect)(bearer).map_err(|fault| match fault {
            ConnectFault::Token => OutboundFault::Unauthenticated,
            fault => OutboundFault::Unavailable(super::chain(&fault)),
        })?;
        Ok((client, place))
    }
}

/// Asks the API server, and reads what it answers. `what` is what is not there.
pub(super) async fn ask<T>(
    what: &'static str,
    request: impl Future<Output = kube::Result<T>>,
) -> Result<T, OutboundFault> {
    let answer = timeout(REQUEST, request).await.map_err(|_| {
        OutboundFault::Unavailable(format!(
            "the API server did not answer within {} s",
            REQUEST.as_secs()
        ))
    })?;
    answer.map_err(|error| match error {
        kube::Error::Api(status) => match status.code {
            401 => OutboundFault::Unauthenticated,
            403 => OutboundFault::Forbidden(status.message),
            404 => OutboundFault::NotFound(what),
            409 => OutboundFault::Exists,
            400 | 422 => OutboundFault::Invalid(status.message),
            _ => OutboundFault::Unavailable(status.message),
        },
        error => OutboundFault::Unavailable(super::chain(&error)),
    })
}

impl fmt::Debug for Callers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Callers").finish_non_exhaustive()
    }
}
