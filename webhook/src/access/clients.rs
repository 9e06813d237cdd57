//! Whose client certificates a server takes, and how that changes while it is open.
//!
//! A client need not have one: probes have none, and who has to have one is told so by an answer,
//! which a client reads more easily than the end of a handshake. One that is shown has to be good.

use std::{fmt, sync::Arc};

use arc_swap::ArcSwapOption;
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore,
    SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{
        CertificateDer, UnixTime,
        pem::{self, PemObject as _},
    },
    server::{
        VerifierBuilderError, WebPkiClientVerifier,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
};

/// The authorities that sign client certificates. They can be replaced at any time.
pub struct ClientAuthorities {
    current: ArcSwapOption<Arc<dyn ClientCertVerifier>>,
    provider: Arc<CryptoProvider>,
}

/// Why authorities cannot be used. Those in use stay.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityFault {
    /// They are not PEM.
    #[error("failed to read the authorities of client certificates")]
    Pem(#[source] pem::Error),
    /// One is none.
    #[error("a certificate of the authorities of client certificates cannot be read")]
    Certificate(#[source] rustls::Error),
    /// There is none.
    #[error("there is no authority of client certificates")]
    Empty,
    /// They cannot be used together.
    #[error("the authorities of client certificates cannot be used")]
    Unusable(#[source] VerifierBuilderError),
}

impl ClientAuthorities {
    /// Without authorities no client certificate is good, until some are installed.
    pub fn empty() -> Arc<Self> {
        Arc::new(Self {
            current: ArcSwapOption::empty(),
            provider: Arc::new(rustls::crypto::aws_lc_rs::default_provider()),
        })
    }

    /// Takes certificates that these authorities have signed, from the next connection on.
    pub fn install(&self, pem: &[u8]) -> Result<(), AuthorityFault> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(AuthorityFault::Pem)?;
            roots
                .add(certificate)
                .map_err(AuthorityFault::Certificate)?;
        }
        if roots.is_empty() {
            return Err(AuthorityFault::Empty);
        }
        let builder =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), self.provider.clone());
        let verifier = builder.build().map_err(AuthorityFault::Unusable)?;
        self.current.store(Some(Arc::new(verifier)));
        Ok(())
    }
}

impl ClientCertVerifier for ClientAuthorities {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    /// Without hints a client shows what it has; which authorities there are may change meanwhile.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        match self.current.load().as_ref() {
            Some(verifier) => verifier.verify_client_cert(end_entity, intermediates, now),
            None => Err(CertificateError::UnknownIssuer.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

impl fmt::Debug for ClientAuthorities {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ClientAuthorities")
            .field("installed", &self.current.load().is_some())
            .finish_non_exhaustive()
    }
}
