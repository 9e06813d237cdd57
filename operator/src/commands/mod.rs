//! The subcommands, one room each: its arguments, what is usable of them, and what it does.

pub mod access;
pub mod allowance;
pub mod audit;
pub mod check;
pub mod decision_log;
pub mod eval;
pub mod journal;
mod judging;
mod language;
pub mod operator;
pub mod probe;
mod process;
pub mod serve;
pub mod sidecar;
pub mod test;
pub mod webhook;
pub mod why;
