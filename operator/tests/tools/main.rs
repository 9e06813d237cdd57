//! `portcullis eval`, `portcullis test` and `portcullis check` as processes, beside the real `opa`.
//!
//! `opa` has to be on the PATH: `make opa` builds the version that is compared with, and the targets
//! of the Makefile that run these tests put it there.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a panic fails the test and says where"
)]

mod checking;
#[path = "../shared/document.rs"]
mod document;
mod documented;
mod endings;
mod loading;
mod process;
mod queries;
mod suites;
mod watching;
