//! Who may ask the evaluation API.
//!
//! A layer around the router ([`Access::guard`]) finds out who asks, how often it may, and whether it
//! may do this, before anything of the request is looked at. Whoever knows callers implements
//! [`Authenticator`] and [`CertificateReader`]; what they said is remembered here, within bounds and
//! for a short time, and where they cannot be asked beyond that, nobody is let in. The doors behind
//! find an `Arc<Identity>` in the extensions of each request.
//!
//! Probes and the API's description are open. `…/lock`, `…/notifychange`, `/decisions/…` and
//! `/v1/policy/import` ask about their callers themselves, with the caller's own token, unless they are
//! open to whoever can reach them.

mod action;
mod authenticator;
mod clients;
mod gate;
mod identity;
mod limiter;
mod peer;
mod policy;
mod refusal;
mod remembered;
mod tally;

pub use action::Action;
pub use authenticator::{AccessFault, Authenticator, CertificateReader, Identified, Verdict};
pub use clients::{AuthorityFault, ClientAuthorities};
pub use gate::Access;
pub(crate) use gate::shows_pass;
pub use identity::{Identity, Method, NameFault};
pub use limiter::Rate;
pub(crate) use peer::Peer;
use refusal::Refusal;
pub(crate) use tally::Refusals;
