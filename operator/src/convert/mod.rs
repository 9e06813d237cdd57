//! Objects of the API become policies, bindings, locks and exemptions. No other room knows both.
//!
//! ```text
//! crds::Policy, crds::ClusterPolicy ──▶ Draft ── compile ──▶ policies::Object
//! crds::Lock, crds::ClusterLock ──────▶ LockDraft ──────────▶ policies::Lock
//! crds::{Cluster,}PolicyBinding ──────▶ BindingDraft ─ compile ▶ policies::Binding
//! crds::Exemption, ClusterExemption ──▶ ExemptionDraft ─────▶ policies::Exemption
//! ```
//!
//! The API server has checked most of what is checked here; a directory, or an object that was
//! stored under an older schema, has not been. Whatever is wrong becomes a diagnostic, and never a
//! default in silence: a policy whose address can be had answers as a broken one at its own match,
//! a lock that refuses goes on refusing, and an exemption that is not known in full is none.

mod binding;
mod exemption;
mod http;
mod lock;
mod parameter;
mod policy;
mod settings;
mod spec;
mod versions;

pub use binding::BindingDraft;
pub use exemption::ExemptionDraft;
pub(crate) use http::http_source;
pub(crate) use lock::object_name;
pub use lock::{LockDraft, LockObject, lock_name, lock_object};
pub use parameter::parameter;
pub use policy::{Draft, kind};
pub(crate) use settings::group_and_version;
pub use settings::label_selector;
pub(crate) use spec::spec;
pub(crate) use versions::{in_place_of, in_place_of_object};
