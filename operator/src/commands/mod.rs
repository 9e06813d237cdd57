//! The subcommands, one room each: its arguments, what is usable of them, and what it does.

pub mod access;
pub mod allowance;
pub mod audit;
pub mod check;
pub mod decision_log;
pub(crate) mod door;
pub mod eval;
pub mod exchange;
mod inventory;
pub mod journal;
mod judging;
pub(crate) mod language;
pub mod list;
pub mod lock;
pub mod operator;
pub mod probe;
mod process;
pub mod serve;
pub mod sidecar;
mod size;
pub mod test;
pub mod webhook;
pub mod why;
