//! `portcullis serve` as a process: what it prints, answers, keeps and says.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a panic fails the test and says where"
)]

mod authentication;
mod contract;
mod crowd;
mod data;
mod decision_log;
#[path = "../shared/document.rs"]
mod document;
mod documented;
mod endings;
mod exchange;
mod help;
#[expect(dead_code, reason = "other tests use all of it")]
#[path = "../../src/access/jwt/tests/issuer.rs"]
mod issuer;
mod notify;
mod opa;
mod opa_log;
mod process;
mod receiver;
mod refusals;
mod reload;
mod remote;
mod tls;
