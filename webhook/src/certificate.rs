//! The certificate that the doors show, and how it changes while they are open.
//!
//! The server asks for the certificate at each handshake, so that a new one is used from the next
//! connection on and no connection is dropped for it.

use std::{fmt, sync::Arc};

use arc_swap::ArcSwapOption;
use portcullis_policies::Timestamp;
use rustls::{
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{self, PemObject},
    },
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

use crate::{
    pass::{is_same, pass_of},
    validity::not_after,
};

/// A certificate chain with its key, which can be replaced at any time.
#[derive(Default)]
pub struct Certificate {
    current: ArcSwapOption<Installed>,
}

struct Installed {
    key: Arc<CertifiedKey>,
    pass: String,
    expires_at: Option<Timestamp>,
}

/// Why a certificate cannot be used. The one in use stays.
#[derive(Debug, thiserror::Error)]
pub enum CertificateFault {
    /// The chain is not PEM.
    #[error("failed to read the certificate chain")]
    Chain(#[source] pem::Error),
    /// There is no certificate in the chain.
    #[error("the certificate chain is empty")]
    Empty,
    /// The key is not PEM, or there is none.
    #[error("failed to read the private key")]
    Key(#[source] pem::Error),
    /// The key is of no known kind, or is another certificate's.
    #[error("the certificate and its private key cannot be used")]
    Unusable(#[source] rustls::Error),
}

impl Certificate {
    /// Without a certificate every handshake fails, until one is installed.
    pub fn empty() -> Arc<Self> {
        Arc::new(Self::default())
    }

    /// Uses this chain, the server's own certificate first, and this key from the next connection
    /// on.
    pub fn install(&self, chain_pem: &[u8], key_pem: &[u8]) -> Result<(), CertificateFault> {
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(chain_pem)
            .collect::<Result<_, _>>()
            .map_err(CertificateFault::Chain)?;
        if chain.is_empty() {
            return Err(CertificateFault::Empty);
        }
        let key = PrivateKeyDer::from_pem_slice(key_pem).map_err(CertificateFault::Key)?;
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let expires_at = chain.first().and_then(|own| not_after(own));
        let certified =
            CertifiedKey::from_der(chain, key, &provider).map_err(CertificateFault::Unusable)?;
        self.current.store(Some(Arc::new(Installed {
            key: Arc::new(certified),
            pass: pass_of(key_pem),
            expires_at,
        })));
        Ok(())
    }

    /// What who holds the key shows to others that hold it, if there is one.
    pub fn pass(&self) -> Option<String> {
        let current = self.current.load();
        current.as_ref().map(|installed| installed.pass.clone())
    }

    /// Whether this is the pass of who holds the same key: the operator, or another replica.
    pub(crate) fn admits(&self, pass: &str) -> bool {
        let current = self.current.load();
        current
            .as_ref()
            .is_some_and(|installed| is_same(&installed.pass, pass))
    }

    /// Whether there is a certificate to show.
    pub fn is_installed(&self) -> bool {
        self.current.load().is_some()
    }

    /// When the certificate ends, if there is one.
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.current
            .load()
            .as_ref()
            .and_then(|installed| installed.expires_at)
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.current
            .load()
            .as_ref()
            .map(|installed| installed.key.clone())
    }
}

/// Tells whether there is a certificate; a key is never shown.
impl fmt::Debug for Certificate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Certificate")
            .field("installed", &self.is_installed())
            .finish_non_exhaustive()
    }
}
