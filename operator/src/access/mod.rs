//! Those who know callers of the evaluation API: the API server, a file of tokens, an issuer of JSON
//! Web Tokens, and the names of client certificates.
//!
//! ```text
//! bearer token ─┬ TokenFile        a file                              `serve`, `sidecar --policies`
//!               ├ JwtCallers       keys of an issuer, in a file or at a URL
//!               └ ClusterCallers   TokenReview, SubjectAccessReview    `webhook`, `sidecar`
//! certificate ─── CertificateNames
//! ```

mod certificates;
mod cluster;
mod follow;
mod jwt;
mod tokens;

pub use certificates::{CertificateNames, NamePattern, PatternFault};
pub use cluster::ClusterCallers;
pub use follow::{follow, read};
pub use jwt::{Algorithm, Expectations, JwtCallers, KeyPlace, KeyPlaceFault, KeysFault};
pub use tokens::{TokenFault, TokenFile};
