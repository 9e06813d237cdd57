//! Documents that are fetched for policies, again and again (`dataFrom.http`).
//!
//! ```text
//! policies ─ wanted ─▶ due? ─▶ ask ─▶ a document? ─ yes ─▶ kept ─▶ policies
//!                        ▲                 │ no              │
//!                        │                 ▼                 ▼
//!                        └──────────────  attempts ◀─────────┘
//! ```
//!
//! One process asks for all: the leading operator, or a server of a directory. What fails changes
//! nothing but the attempts, which say why; the last good document stays. An attempt is remembered where
//! the documents are, so that who leads next goes on and does not ask anew.

mod ask;
mod attempts;
mod refresher;
mod wanted;

use std::collections::BTreeMap;

use futures::future::BoxFuture;
use portcullis_policies::HttpSource;

pub(crate) use attempts::Attempts;
pub(crate) use refresher::Refresher;

/// Longest document. Escaped in the JSON of etcd it has up to twice as many bytes, and etcd takes 1.5
/// MiB; it is compiled into each policy that takes it, with each change.
pub(crate) const MAX_DOCUMENT: usize = 512 << 10;

/// How far each document has come, by the names of their objects.
pub(crate) type Progress = BTreeMap<String, Attempts>;

/// Knows what policies want, and keeps it.
pub(crate) trait Keeper: Send + Sync {
    /// What is asked for, as far as the administrator allows.
    fn wanted(&self) -> Vec<HttpSource>;

    /// How far the documents have come that are kept already. An error is a sentence.
    fn kept(&self) -> BoxFuture<'_, Result<Progress, String>>;

    /// Whether a document that was kept is known to be gone.
    fn is_gone(&self, source: &HttpSource) -> bool;

    /// The text of a Secret's key. An error is a sentence that shows nothing of it.
    fn secret<'a>(
        &'a self,
        namespace: &'a str,
        name: &'a str,
        key: &'a str,
    ) -> BoxFuture<'a, Result<String, String>>;

    /// Keeps a document, if there is a new one, and how far it has come. An error is a sentence.
    fn keep<'a>(
        &'a self,
        source: &'a HttpSource,
        document: Option<String>,
        attempts: &'a Attempts,
    ) -> BoxFuture<'a, Result<(), String>>;

    /// Forgets a document that nobody wants any more. An error is a sentence.
    fn discard<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<(), String>>;
}

#[cfg(test)]
mod tests;
