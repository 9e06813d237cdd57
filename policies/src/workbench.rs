//! Rego on a workbench: queries asked by hand, and tests, as `opa eval` and `opa test` have them.
//!
//! ```text
//! Source… ─┐
//!          ├─ Material::read ─▶ Material ─┬─ ask ──────▶ Answer: solutions, what was printed
//! Base ────┘                              └─ suite ─▶ Suite ─ run ─▶ Outcome of each test
//! ```
//!
//! An [`Inquiry`] is a query of somebody who asks a server, about what its policies answer.
//!
//! Nothing here reads a file or prints; the same sources give the same answers. What a policy costs
//! at the doors does not change: an evaluation is watched where somebody asks for it, by the
//! observers of the executor ([`Look`]).

mod base;
mod cases;
mod inquiry;
mod look;
mod material;
mod outcome;
mod profile;
mod query;
mod suite;
mod swallowed;
mod trial;

pub use base::{Base, Overlap};
pub use inquiry::{Bindings, Inquiry, InquiryFault};
pub use look::{Look, Seen};
pub use material::{Material, Source, glob};
pub use outcome::{Case, Failure, Outcome, Verdict};
pub use profile::{Cost, Order, Profile};
pub use query::{Answer, Expression, QUERY, Query, Setting, Solution};
pub use suite::{Filter, Suite, Test};
pub use trial::{Bench, Trial};

pub use crate::rego::execute::{Explanation, Kept, Named, Note, Report as CoverageReport, Tried};
#[doc(no_inline)]
pub use crate::rego::execute::{FileReport, Range};

#[cfg(test)]
mod tests;
