//! Rego: compiled once, evaluated within a budget.
//!
//! ```text
//! source ─ brackets ─ parse ─ calls, references ─▶ Program (a prepared engine, shared)
//!                                                     │ input, clock, headers, time limit
//!                                                     ▼
//!                                                  Value, or a Failure
//! ```
//!
//! regorus's engine evaluates. What would hurt the process is refused before it is reached:
//! brackets so deep that parsing takes exponential time, recursion, and chains of rules so long
//! that they would exhaust the stack, and calls that would build more than there is room for.
//!
//! The compiler and the executor that are to take the engine's place stand beside it, each pass a
//! pure function; they are put in when they give OPA's answer to all of OPA's own suites:
//!
//! ```text
//! source ─ lex ─ parse ─ resolve ─ check ─ order ─ plan ─▶ Plan ─ execute ─▶ Value
//! ```

mod ambient;
pub mod ast;
mod bounds;
mod brackets;
pub mod builtins;
pub mod check;
pub mod compile;
pub mod core;
pub mod execute;
mod faults;
pub mod findings;
mod graph;
pub mod lex;
pub mod order;
pub mod parse;
pub mod plan;
mod program;
mod references;
pub mod resolve;
pub mod source;
pub mod value;

pub(crate) use program::Program;

#[cfg(test)]
mod tests;
