//! What a policy is, and how it decides.
//!
//! ```text
//! Definition ── compile ──▶ Policy ── apply ──▶ Cache ── publish ──▶ Snapshot (immutable, shared)
//!                                                                       │ find, select
//!               input, clock, headers, budget ──────────────────────▶ Entry::decide ──▶ Decision
//! ```
//!
//! [`workbench`] evaluates queries and runs tests, as `opa eval` and `opa test` do.
//!
//! This crate knows no Kubernetes, no HTTP, no async and no network. Time and request headers are
//! arguments, so that the same input gives the same decision wherever it is asked. `regorus` is
//! named here only; every document is a [`Document`].

pub mod address;
pub mod allowance;
pub mod binding;
mod breaker;
pub mod cache;
pub mod code;
pub mod decision;
pub mod definition;
pub mod diagnostic;
pub mod digest;
pub mod document;
pub mod entry;
pub mod exemption;
mod gate;
pub mod go_json;
pub mod hosts;
pub mod imports;
pub mod index;
pub mod input;
pub mod interest;
pub mod lock;
pub mod masking;
pub mod matching;
pub mod memory;
pub mod message;
pub mod normalise;
pub mod object;
pub mod output;
pub mod outside;
pub mod panel;
pub mod policy;
pub mod redaction;
pub mod rego;
mod seal;
pub mod selector;
pub mod shadow;
pub mod snapshot;
pub mod sources;
pub mod text;
pub mod versions;
pub mod workbench;

pub use jiff::Timestamp;

pub use address::{Address, Scope, Version};
pub use allowance::{Allowance, Bytes, Extent, Limits, TenantLimits};
pub use binding::{
    Binding, BindingDefinition, Bound, NotFound, Parameter, ParameterKey, ParameterKind,
    ParameterSource, Selected, Selection, Which,
};
pub use cache::{Cache, State};
pub use code::Code;
pub use decision::{Decision, Outcome};
pub use definition::{
    Action, ActionAt, Admission, DecisionSettings, DefaultDecision, Definition, FailurePolicy,
    Output, RegoVersion, Tool, Window,
};
pub use diagnostic::{Diagnostic, Diagnostics, Location};
pub use digest::Digest;
pub use document::{Document, Step};
pub use entry::{Entry, Part};
pub use exemption::{
    ExemptedObjects, ExemptedPolicies, Exemption, ExemptionDefinition, ExemptionNote,
    ExemptionReach, Exemptions, Stance,
};
pub use hosts::{HostPattern, Hosts};
pub use imports::{Among, FAULTS_BETWEEN_OBJECTS, Find, Import, Lookup, outdated};
pub use index::{Operation, Owner, Route};
pub use input::{Headers, Input, Point, Request};
pub use interest::Interest;
pub use lock::{Effect, Lock, Points, Reach, Target};
pub use masking::{Maskable, Masks};
pub use matching::{Condition, Match, Objects, ResourceRule, ResourceScope, Subject, Workload};
pub use message::{Message, Severity};
pub use object::{Object, ObjectKey};
pub use output::Breach;
pub use outside::Outside;
pub use panel::Panel;
pub use policy::{Explained, Policy};
pub use redaction::{REDACTED, Redacted, Redaction};
pub use seal::OUTPUT_SCHEMA_VIOLATION;
pub use selector::{LabelSelector, Labels, Requirement};
pub use shadow::Comparison;
pub use snapshot::{Conflict, Snapshot};
pub use sources::{DataSource, HeaderValue, HttpMethod, HttpSource, check_document};
pub use versions::InPlaceOf;

#[cfg(test)]
mod tests;
