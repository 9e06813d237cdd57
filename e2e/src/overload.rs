//! More load than can be served, and callers that keep a server waiting.
//!
//! ```text
//!            ┌─ load ────── callers at a rate ──────┐
//!  measure ──┼─ witness ─── probes, admissions ─────┼──▶ `portcullis serve` ──▶ seconds ─▶ plot
//!            └─ crowd ───── who keeps it waiting ───┘
//! ```
//!
//! First it is measured how much can be served. Then so many times more is asked for, and every
//! second is written down: what was offered, served and refused, how long that took, and the memory.
//! Afterwards thousands of connections say nothing, half of a request, or do not read their answers,
//! while somebody asks as usual.

pub mod crowd;
pub mod load;
pub mod plot;
pub mod policy;
pub mod second;
pub mod witness;

pub use load::Load;
pub use second::{Answered, Second, Seconds};
