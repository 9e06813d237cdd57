//! What the lock endpoints need of whoever keeps the locks.

use futures::future::BoxFuture;
use portcullis_policies::{Address, Timestamp};

use crate::Caller;

/// Makes and removes locks: as objects of the cluster with the caller's own rights, or in files.
pub trait LockKeeper: Send + Sync {
    /// Whether whoever can reach the lock endpoints may lock, without a token.
    fn is_open(&self) -> bool {
        false
    }

    /// Locks a policy at evaluation.
    fn lock(&self, caller: Caller, request: LockRequest) -> BoxFuture<'_, Result<(), LockFault>>;

    /// Makes the same lock of a policy that was sealed here, where that is this process' to do.
    /// Elsewhere the operator does it, who asks what is sealed.
    fn lock_sealed(&self, _address: Address) -> BoxFuture<'_, Result<(), LockFault>> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// Removes the lock that [`LockKeeper::lock`] made.
    fn unlock(&self, caller: Caller, address: Address) -> BoxFuture<'_, Result<(), LockFault>>;
}

/// A lock that somebody asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockRequest {
    /// The policy, which exists.
    pub address: Address,
    /// Why, if the caller says so; printable and bounded.
    pub reason: Option<String>,
    /// When the lock ends, if it does; not in the past.
    pub expires_at: Option<Timestamp>,
}

/// Why a lock was not made or not removed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LockFault {
    /// The caller does not say who it is.
    #[error("a bearer token is required")]
    Unauthenticated,
    /// The caller may not; with what the API server says.
    #[error("{0}")]
    Forbidden(String),
    /// The policy is locked.
    #[error("policy is already locked")]
    AlreadyLocked,
    /// The policy is not locked.
    #[error("policy is unlocked")]
    NotLocked,
    /// Locks that were not made over HTTP hold the policy; their names.
    #[error("the policy is held by {}", .0.join(", "))]
    HeldByOthers(Vec<String>),
    /// The locks cannot be reached; with the reason.
    #[error("{0}")]
    Unavailable(String),
}

impl LockFault {
    /// A stable name for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unauthenticated => "REQUEST.UNAUTHENTICATED",
            Self::Forbidden(_) => "REQUEST.FORBIDDEN",
            Self::AlreadyLocked | Self::HeldByOthers(_) => "POLICY.LOCKED",
            Self::NotLocked => "POLICY.UNLOCKED",
            Self::Unavailable(_) => "LOCKS.UNAVAILABLE",
        }
    }
}
