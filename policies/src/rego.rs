//! Rego: compiled once, evaluated within a budget.
//!
//! ```text
//! source ─ lex ─ parse ─ resolve ─ check ─ order ─ plan ─▶ Plan (immutable, shared)
//!                                                           │ input, clock, headers, limits
//!                                                 execute ◀─┘
//!                                                    └─▶ Value, or a Failure
//! ```
//!
//! Each pass is a pure function. A policy gets OPA's answer, or is refused when it is compiled;
//! never another answer. regorus gives the representation of values.

pub mod ast;
mod bounds;
pub mod builtins;
pub mod check;
pub mod compile;
pub mod core;
mod entrypoint;
pub mod execute;
mod extent;
pub mod findings;
pub mod lex;
pub mod order;
pub mod parse;
pub mod plan;
mod program;
pub mod resolve;
pub(crate) mod shared;
pub mod source;
mod stack;
mod unit;
pub mod value;

pub(crate) use bounds::{MAX_WEIGHT, is_bounded, weight, weight_within};
pub(crate) use program::{Failure, Powers, Program, seed};
pub(crate) use stack::{SIZE as STACK_SIZE, apart, large as on_large_stack};
pub(crate) use unit::{check_modules, read_module, report, version};

#[cfg(test)]
mod tests;
