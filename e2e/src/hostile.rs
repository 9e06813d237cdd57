//! Hostile policies and inputs, and what becomes of them.
//!
//! ```text
//! e2e/hostile/*/*.txt ─ entry ─┬─▶ served ─ POST …/decision ─┐
//!                              │      ▲                      ├─ outcome ─▶ row ─▶ table
//!                              │   neighbour                 │
//!                              └─▶ command ─ its own process ┘
//! ```
//!
//! All policies are served by one process, which has to survive all of them. While an entry is at
//! work, a neighbour asks an ordinary policy at a steady pace, and the process's memory is watched.
//! What is no request but a file is given to the command that reads it.

pub mod archive;
pub mod command;
pub mod connection;
pub mod entry;
pub mod neighbour;
pub mod outcome;
pub mod process;
pub mod row;
pub mod served;
pub mod table;
pub mod text;

pub use entry::Entry;
pub use row::Row;
