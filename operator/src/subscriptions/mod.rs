//! Telling others that a policy changed: `CloudEvents` over HTTP.
//!
//! ```text
//! Snapshot ─ state ─┐
//!                   ├─ differs? ─▶ event ─ signed ─▶ Courier ─ Network ─▶ subscriber
//! Ledger ── told ───┘                                   │ 2xx
//!    ▲──────────────────────── told, sequence ──────────┘
//! ```
//!
//! What was told is kept with each subscription, and compared with what is: no queue can overflow or be
//! lost, a restart tells what changed meanwhile, and what changes twice before somebody can be reached
//! is told once, as it is then. An event comes at least once, under the same id. Whoever cannot be
//! reached is tried again with growing waits, and after [`dispatch`]'s last attempt the event is given up
//! and the next change told.

mod courier;
mod dispatch;
mod event;
mod state;

pub(crate) use courier::Courier;
pub(crate) use dispatch::{Dispatcher, Ledger};
pub(crate) use state::{Progress, Subscription, Told, identify, told_of};

/// Most subscriptions: each is compared once a second, and kept in one file or as one object.
pub(crate) const MAX_SUBSCRIPTIONS: usize = 1_000;

#[cfg(test)]
mod tests;
