//! `portcullis serve` as a process: what it prints, answers, keeps and says.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a panic fails the test and says where"
)]

#[path = "../shared/document.rs"]
mod document;
mod documented;
mod endings;
mod help;
mod opa;
mod process;
mod refusals;
mod reload;
mod tls;
