//! `portcullis serve` as a process: what it prints, answers, keeps and says.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a panic fails the test and says where"
)]

mod decision_log;
mod authentication;
mod crowd;
#[path = "../shared/document.rs"]
mod document;
mod documented;
mod endings;
mod help;
<<<<<<< HEAD
mod notify;
mod opa_log;
=======
#[expect(dead_code, reason = "other tests use all of it")]
>>>>>>> 19b1b3d (docs: what is bounded of callers, what operators watch; malformed requests by kind)
#[path = "../../src/access/jwt/tests/issuer.rs"]
mod issuer;
mod process;
mod receiver;
mod refusals;
mod reload;
mod tls;
