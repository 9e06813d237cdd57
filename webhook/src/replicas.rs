//! The other replicas of an installation, each of which keeps for itself what it was asked to keep.

use std::sync::Arc;

use axum::{body::Bytes, http::HeaderName};
use futures::future::BoxFuture;
use portcullis_policies::Timestamp;

/// When a result was kept, told to a replica that asks for it, in the format of RFC 3339.
pub const KEPT_AT: HeaderName = HeaderName::from_static("x-kept-at");

/// Asks the other replicas.
pub trait OtherReplicas: Send + Sync {
    /// The result that was kept last under an id, by any of them, within a few seconds.
    fn newest_result(&self, id: Arc<str>) -> BoxFuture<'_, Result<Elsewhere, ReplicasFault>>;
}

/// What the others keep under an id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Elsewhere {
    /// The newest result, with the time at which it was kept.
    pub newest: Option<(Timestamp, Bytes)>,
    /// Those that did not answer, each of which may keep one as well.
    pub silent: usize,
}

/// Why the others were not asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplicasFault {
    /// As many questions as are allowed at a time are under way.
    #[error("too many results are looked for on other replicas")]
    Busy,
    /// It is not known where they are, or who this one is; with the reason.
    #[error("the other replicas cannot be asked: {0}")]
    Unavailable(String),
}
