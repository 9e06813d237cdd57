//! Everything that watches and writes, and the command line.
//!
//! ```text
//! a directory ─ directory ─┐                       ┌─▶ webhook's doors
//!                          ├─ convert ──▶ Cache ──┤
//! a cluster ─── cluster ───┘                       └─▶ review: is this object sound?
//!                 └──────── reconcile ──▶ status, registration, certificates, Events
//! ```
//!
//! | room | what is in it |
//! |---|---|
//! | [`cli`], [`commands`] | the command line: what was typed, then what is usable |
//! | [`convert`] | objects of the API become policies and locks; nowhere else |
//! | [`archive`] | policies as signed archives: what is exported, and what is taken in |
//! | [`load`], `files` | policies and data from files, directories and bundles, within bounds |
//! | [`directory`] | the source of `portcullis serve`: files, their changes, and locks on disk |
//! | `presentation` | what commands print: JSON as OPA writes it, tables |
//! | [`cluster`] | the source of `portcullis webhook`: watches |
//! | [`reconcile`], [`leader`] | what the one leading operator writes |
//! | [`review`] | judges our own resources when they are applied |
//! | [`decision_log`] | where decisions are logged |
//! | [`access`] | those who know callers of the evaluation API |
//! | `subscriptions` | tells others that a policy changed |
//! | `refresh` | documents that are fetched for policies |
//! | [`https`] | asks one URL, with bounds |
//! | `client` | a server's API, as commands ask it |
//! | [`network`] | what policies reach, as far as the administrator allows |

pub mod access;
pub mod archive;
pub mod cli;
mod client;
pub mod cluster;
pub mod commands;
pub mod convert;
pub mod decision_log;
mod deep;
pub mod directory;
mod files;
pub mod https;
pub mod leader;
pub mod load;
pub mod network;
mod places;
mod presentation;
pub mod reconcile;
mod refresh;
pub mod review;
mod subscriptions;
