//! What the door needs of whoever knows callers.

use std::{sync::Arc, time::Duration};

use futures::future::{BoxFuture, FutureExt as _, ready};
use rustls::pki_types::CertificateDer;

use super::{Action, Identity};

/// Knows whose bearer tokens these are, and what those may do whom it knows.
pub trait Authenticator: Send + Sync {
    /// Whose token it is.
    fn identify(&self, token: Arc<str>) -> BoxFuture<'static, Result<Identified, AccessFault>>;

    /// Longest time for which an answer may be remembered: what was taken away meanwhile is in force
    /// until then. Not at all where asking costs nothing.
    fn memory(&self) -> Duration;

    /// Whether it knows what those may do whom it has identified. Otherwise they may do everything.
    fn knows_rights(&self) -> bool {
        false
    }

    /// Whether one that it has identified may do something.
    fn may(
        &self,
        _caller: Arc<Identity>,
        _action: Action,
    ) -> BoxFuture<'static, Result<Verdict, AccessFault>> {
        ready(Ok(Verdict::allowed())).boxed()
    }
}

/// Knows who has a client certificate that is signed by a trusted authority.
pub trait CertificateReader: Send + Sync {
    /// Who has it, or in a sentence why it is nobody who may ask.
    fn identify(&self, certificate: &CertificateDer<'_>) -> Result<Identity, String>;
}

/// What became of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identified {
    /// It is this one's.
    As(Identity),
    /// It is not known here; another one may know it.
    Unknown,
    /// It is for whoever was asked, and it is not good; with the reason, which the caller may read.
    Refused(String),
}

/// Whether somebody may do something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// It may.
    pub allowed: bool,
    /// How long this may be remembered.
    pub memory: Duration,
}

/// Nobody can say at the moment who somebody is or what it may do; with the reason.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct AccessFault(pub String);

impl Verdict {
    /// It may, and nobody needs to be asked again.
    pub fn allowed() -> Self {
        Self {
            allowed: true,
            memory: Duration::ZERO,
        }
    }
}
