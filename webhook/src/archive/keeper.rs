//! What the endpoints of archives need of whoever makes archives and takes them in.

use std::sync::Arc;

use axum::body::Bytes;
use futures::future::{BoxFuture, FutureExt as _};
use portcullis_policies::{Address, Digest, Entry, Timestamp};

use crate::Caller;

/// Makes archives of policies, and takes archives in: as objects of the cluster with the caller's own
/// rights, or into a directory.
pub trait ArchiveKeeper: Send + Sync {
    /// Whether whoever can reach the endpoint may import, without a token.
    fn is_open(&self) -> bool {
        false
    }

    /// An archive of a policy, which is locked or not. The signed part is the same bytes as long as
    /// the policy, its lock and the key are.
    fn export(
        &self,
        entry: Arc<Entry>,
        is_locked: bool,
    ) -> BoxFuture<'_, Result<Exported, ArchiveFault>>;

    /// The key that verifies what is exported now.
    fn key(&self) -> Result<VerifyingKey, ArchiveFault>;

    /// Verifies an archive and puts its policy in force.
    fn import(
        &self,
        caller: Caller,
        request: ImportRequest,
    ) -> BoxFuture<'_, Result<Imported, ArchiveFault>>;
}

/// An archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// The bytes of a ZIP archive.
    pub archive: Vec<u8>,
    /// SHA-256 of its signed part and the signer's key, in hexadecimal digits.
    pub tag: String,
}

/// A key that verifies archives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyingKey {
    /// As a JSON Web Key (RFC 7517, RFC 8037) with `kid` and `alg`.
    pub jwk: serde_json::Value,
    /// As `PUBLIC KEY` in PEM (RFC 7468).
    pub pem: String,
}

/// An archive that somebody wants to be taken in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportRequest {
    /// The archive.
    pub archive: Bytes,
    /// The namespace that is to own the policy; the cluster where there is none.
    pub namespace: Option<String>,
    /// The digest of the policy that is in force and is to be replaced, where the caller says so.
    pub replaces: Option<Digest>,
}

/// What was taken in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// Where the policy is found.
    pub address: Address,
    /// Its digest here.
    pub digest: Digest,
    /// What was done.
    pub action: ImportAction,
    /// When the policy was changed last where it comes from, as the signer says.
    pub last_update: Timestamp,
    /// The key that signed the archive, by its thumbprint (RFC 7638).
    pub signer: String,
    /// Files of the archive that mean nothing here.
    pub ignored: Vec<String>,
    /// Whether this replica has it in force already.
    pub in_force: bool,
}

/// What an import did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportAction {
    /// The address was free.
    Created,
    /// An older content took its leave.
    Replaced,
    /// The same policy was in force.
    Unchanged,
}

impl ImportAction {
    /// The name in answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Replaced => "replaced",
            Self::Unchanged => "unchanged",
        }
    }
}

/// Why there is no archive, or none was taken in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArchiveFault {
    /// The caller does not say who it is.
    #[error("a bearer token is required")]
    Unauthenticated,
    /// The caller may not; with what the API server says.
    #[error("{0}")]
    Forbidden(String),
    /// The administrator has configured no key that it takes; with what is missing.
    #[error("{0}")]
    NoKey(String),
    /// Nothing can be written here; with the reason.
    #[error("{0}")]
    Closed(String),
    /// It is no archive of a policy.
    #[error("the archive cannot be read: {0}")]
    Invalid(String),
    /// It has more than is taken.
    #[error("{0}")]
    TooLarge(String),
    /// Nobody whom the administrator trusts has signed it for this address.
    #[error("{0}")]
    Untrusted(String),
    /// The policy would not work here.
    #[error("the policy would be broken here: {0}")]
    Broken(String),
    /// Another content holds the address, and the archive does not take its place.
    #[error("{reason}")]
    Conflict {
        /// Why not.
        reason: String,
        /// What to do about it.
        remedy: String,
    },
    /// Whatever is needed cannot be reached.
    #[error("{0}")]
    Unavailable(String),
}

impl ArchiveFault {
    /// What to do about it.
    pub fn remedy(&self) -> Option<String> {
        let text = match self {
            Self::Conflict { remedy, .. } => return Some(remedy.clone()),
            Self::Unauthenticated => "send `Authorization: Bearer` with a token",
            Self::NoKey(_) => {
                "have the administrator configure a key: `--export-key`, `--import-keys`"
            }
            Self::Closed(_) => "ask a server that owns its policies",
            Self::Invalid(_) => "send a ZIP archive as `…/export` gives it, unchanged",
            Self::TooLarge(_) => "split the policy, or take the data out of it",
            Self::Untrusted(_) => {
                "have the administrator add the signer's key with `--import-keys`; the archive says \
                 nothing about whom to trust"
            }
            Self::Broken(_) => {
                "mend the policy where it comes from, and import first what it imports"
            }
            Self::Unavailable(_) => "try again",
            Self::Forbidden(_) => return None,
        };
        Some(text.to_owned())
    }
}

/// Where there are no archives: a sidecar, whose policies are somebody else's.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoArchives;

impl NoArchives {
    fn closed() -> ArchiveFault {
        ArchiveFault::Closed("this server neither exports nor imports policies".to_owned())
    }
}

impl ArchiveKeeper for NoArchives {
    fn export(
        &self,
        _entry: Arc<Entry>,
        _is_locked: bool,
    ) -> BoxFuture<'_, Result<Exported, ArchiveFault>> {
        async { Err(Self::closed()) }.boxed()
    }

    fn key(&self) -> Result<VerifyingKey, ArchiveFault> {
        Err(Self::closed())
    }

    fn import(
        &self,
        _caller: Caller,
        _request: ImportRequest,
    ) -> BoxFuture<'_, Result<Imported, ArchiveFault>> {
        async { Err(Self::closed()) }.boxed()
    }
}
