//! Who may read decisions.

use futures::future::BoxFuture;

use crate::Caller;

/// Knows who may read decisions: whom the API server lets, or whoever can reach a door on loopback.
pub trait DecisionReaders: Send + Sync {
    /// Whether whoever can reach the endpoint may read, without a token.
    fn is_open(&self) -> bool {
        false
    }

    /// Whether the caller may read decisions about objects of a namespace, or without one, about those
    /// of the whole cluster.
    fn may_read(
        &self,
        caller: Caller,
        namespace: Option<String>,
    ) -> BoxFuture<'_, Result<bool, ReaderFault>>;
}

/// Why it is not known whether a caller may read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReaderFault {
    /// The caller does not say who it is.
    #[error("a bearer token is required")]
    Unauthenticated,
    /// Who decides about it cannot be reached; with the reason.
    #[error("{0}")]
    Unavailable(String),
}
