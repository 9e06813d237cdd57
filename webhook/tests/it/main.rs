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
<<<<<<< HEAD
mod metrics;
mod notices;
mod opa;
=======
mod malformed;
>>>>>>> 19b1b3d (docs: what is bounded of callers, what operators watch; malformed requests by kind)
mod overload;
mod query;
mod resources;
mod server;
mod shadows;
mod subscriptions;
mod unread;
mod validation;
mod why;
