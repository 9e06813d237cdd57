//! The stage on which the end-to-end tests play: a real cluster, the real `helm` and `kubectl`, our
//! chart installed from this checkout.
//!
//! ```text
//! on_stage ─ one at a time ─ Cluster ─ install ─ a namespace of its own ─ the test
//!                                                        │
//!             diagnosis, when it fails ◀─────────────────┴──▶ everything is put away
//! ```
//!
//! | room | what is in it |
//! |---|---|
//! | [`cluster`], [`programs`] | which cluster, and the programs that act on it |
//! | [`stage`], [`installation`] | what a test has: the chart, a namespace, cleaning up |
//! | [`waiting`] | waits for a named condition, with a limit; nothing ever sleeps |
//! | [`manifests`], [`samples`], [`moments`] | what tests apply |
//! | [`admissions`] | one admission, and streams of them |
//! | [`replicas`] | our own processes: their Pods, logs, metrics and ends |
//! | [`toolbox`], [`sidecar`], [`local`] | asking over HTTP, from a Pod and from this machine |
//! | [`console`], [`golden`] | the commands that a document shows, and files of what is printed |
//! | [`plugin`] | `kubectl portcullis`, for a user with a token |
//! | [`hostile`] | hostile policies and inputs, of which no cluster is needed |
//! | [`overload`] | more load than can be served, neither |
//! | [`diagnosis`] | what is worth knowing when a test fails |
//!
//! `make e2e` brings a cluster up and runs the tests; `E2E_KUBECONFIG` names another one. Without a
//! cluster every test fails and says what is missing.

pub mod accounts;
pub mod admissions;
pub mod cluster;
pub mod console;
pub mod diagnosis;
pub mod golden;
pub mod hostile;
pub mod installation;
pub mod local;
pub mod manifests;
pub mod moments;
pub mod overload;
pub mod plugin;
pub mod programs;
pub mod replicas;
pub mod samples;
pub mod sidecar;
pub mod stage;
pub mod toolbox;
pub mod waiting;

pub use admissions::{Admission, Stream};
pub use cluster::Cluster;
pub use programs::Ran;
pub use stage::{Stage, on_stage};
pub use waiting::{MINUTE, until};
