//! Policies as signed archives: what is exported, and what is taken in.
//!
//! ```text
//! Definition ─ contents ─▶ files ─ zip ─▶ policy_bundle.zip ─ key ─▶ signature.raw ─ zip ─▶ archive
//! archive ─ zip ─▶ policy_bundle.zip ─ trust ─▶ who signed it ─ zip ─ contents ─▶ Draft ─ order ─▶ in
//! ```
//!
//! The archive is that of the Gaia-X TSA policy service (eclipse-xfsc, `policy/bundle.go`): a ZIP of
//! `policy_bundle.zip` and `signature.raw`, and in the bundle `metadata.json`, the modules, `data.json`
//! and what a policy of that service may have beside them. The rest of our spec is in `policy.yaml`, so
//! that the bundle's files are the folder of a policy in the repository layout.
//!
//! Nothing of an archive is looked at before its signature is verified, but the directory of the outer
//! ZIP, and nothing in it says whose signature counts: `publicKeyURL` is for people. Every count and
//! size is bounded.

mod clerk;
mod contents;
mod data_config;
mod files;
mod key;
mod keyring;
mod metadata;
mod order;
mod periodic;
mod schedule;
mod trust;
mod zip;

pub(crate) use clerk::Candidate;
pub use clerk::{ArchiveArguments, Clerk};
pub(crate) use files::{Files, hexadecimal};
pub use key::{KeyFault, PublicKey, SigningKey};
pub use keyring::{KeyFileFault, KeyFiles, Keyring};
pub(crate) use order::{Incumbent, Mark, Moment, Verdict, decide};
pub(crate) use periodic::{Fetcher, Importer, Shelf};
pub(crate) use schedule::{MAX_SCHEDULES, Outcome, Schedule};
pub use trust::{Trust, TrustFile};

#[cfg(test)]
pub(crate) mod tests;
