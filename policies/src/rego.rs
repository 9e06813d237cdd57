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

mod ambient;
mod bounds;
mod brackets;
mod faults;
mod graph;
mod program;
mod references;

pub(crate) use program::Program;

#[cfg(test)]
mod tests;
