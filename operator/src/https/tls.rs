//! Whom a client trusts, and as whom it comes. TLS is 1.3.

use std::{fmt::Display, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};

use super::HttpsFault;

/// A client certificate, with those that lead to its authority, and its key.
#[derive(Debug)]
pub(crate) struct Identity {
    certificates: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Identity {
    /// Reads both as PEM.
    pub(crate) fn read(certificates: &[u8], key: &[u8]) -> Result<Self, HttpsFault> {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificates).collect();
        let certificates = chain.map_err(|error| unusable(&error))?;
        if certificates.is_empty() {
            return Err(unusable(&"there is no certificate in it"));
        }
        let key = PrivateKeyDer::from_pem_slice(key);
        let key = key.map_err(|error| unusable(&format!("its key: {error}")))?;
        Ok(Self { certificates, key })
    }
}

/// The authorities of a PEM file.
pub(crate) fn authorities(pem: &[u8]) -> Result<RootCertStore, HttpsFault> {
    let unusable = |error: &dyn Display| HttpsFault::Authority(error.to_string());
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| unusable(&error))?;
        roots.add(certificate).map_err(|error| unusable(&error))?;
    }
    if roots.is_empty() {
        return Err(unusable(&"there is no certificate in it"));
    }
    Ok(roots)
}

/// A client that trusts these authorities, and shows a certificate if it has one.
pub(crate) fn client(
    roots: RootCertStore,
    identity: Option<Identity>,
) -> Result<Arc<ClientConfig>, HttpsFault> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("the provider has TLS 1.3")
        .with_root_certificates(roots);
    let config = match identity {
        None => builder.with_no_client_auth(),
        Some(Identity { certificates, key }) => builder
            .with_client_auth_cert(certificates, key)
            .map_err(|error| unusable(&error))?,
    };
    Ok(Arc::new(config))
}

fn unusable(error: &dyn Display) -> HttpsFault {
    HttpsFault::Identity(error.to_string())
}
