//! The doors, asked as their callers ask them: `Router::oneshot`, and TLS on loopback.

#![expect(
    clippy::needless_pass_by_value,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test ends where it cannot go on, and its cases are made for it"
)]

mod access;
mod admin;
mod admission;
mod agreement;
mod archives;
mod data;
mod decision_log;
mod evaluation;
mod fixture;
mod listeners;
mod listing;
mod locks;
mod malformed;
mod metrics;
mod notices;
mod opa;
mod overload;
mod query;
mod replicas;
mod resources;
mod schedules;
mod server;
mod shadows;
mod subscriptions;
mod unread;
mod validation;
mod why;
