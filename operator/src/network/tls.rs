//! Whom a client trusts.

use std::{fmt::Display, path::Path, sync::Arc};

use portcullis_policies::outside::{HttpRequest, OutsideFault};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject as _},
};

use super::Result;
use crate::files::read_aside;

/// A client that trusts the system's authorities, and nobody where nobody is asked.
pub(crate) fn system(nobody: bool) -> Arc<ClientConfig> {
    let roots = if nobody {
        RootCertStore::empty()
    } else {
        system_roots()
    };
    Arc::new(client(roots))
}

/// Longest file of authorities, in bytes. Those of a system have 250 KiB.
const MAX_FILE: u64 = 1 << 20;

/// A client that trusts the authorities of a request, or else those of a file beside the system's, as
/// they are now.
pub(super) async fn of(
    request: &HttpRequest,
    file: Option<&Path>,
    system: &Arc<ClientConfig>,
) -> Result<Arc<ClientConfig>> {
    match (&request.authorities, file) {
        (Some(pem), _) => trusting("`tls_ca_cert`", pem.as_bytes(), request.trusts_system),
        (None, Some(file)) => {
            let name = format!("`{}`", file.display());
            let pem = read_aside(file.to_owned(), MAX_FILE).await;
            let pem =
                pem.map_err(|why| OutsideFault::Invalid(format!("{name} cannot be read: {why}")))?;
            trusting(&name, &pem, true)
        }
        (None, None) => Ok(system.clone()),
    }
}

/// A client that trusts authorities in PEM, which have this `name` where they are none, and the
/// system's if it is to.
pub(super) fn trusting(name: &str, pem: &[u8], system: bool) -> Result<Arc<ClientConfig>> {
    let unusable = |why: &dyn Display| {
        OutsideFault::Invalid(format!("{name} is no certificate in PEM: {why}"))
    };
    let mut roots = if system {
        system_roots()
    } else {
        RootCertStore::empty()
    };
    let before = roots.len();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| unusable(&error))?;
        roots.add(certificate).map_err(|error| unusable(&error))?;
    }
    if roots.len() == before {
        return Err(unusable(&"there is none in it"));
    }
    Ok(Arc::new(client(roots)))
}

/// Those that this machine or this image has. One that cannot be read is left out, as everywhere.
pub(crate) fn system_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let errors = found.errors.iter().map(ToString::to_string);
        let errors: Vec<String> = errors.collect();
        tracing::warn!(
            errors = errors.join("; "),
            "no authorities are known here, so no host is reached with `https`"
        );
    }
    roots
}

fn client(roots: RootCertStore) -> ClientConfig {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider has TLS 1.2 and 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth()
}
