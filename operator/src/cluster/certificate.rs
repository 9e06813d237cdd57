//! The certificate that a kubelet mounts from the Secret which the operator fills.
//!
//! The files are read every few seconds: a kubelet replaces them by moving a symbolic link, which
//! no watch of a file sees reliably. Until they are there nobody can be answered, and the process
//! is not ready.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use portcullis_webhook::{Certificate, CertificateFault, Readiness};

use super::chain;

/// The name of the source, for the readiness probe.
pub const SOURCE: &str = "certificate";

/// Time between two looks. A kubelet needs a minute or more to bring a change; this adds little.
const PERIOD: Duration = Duration::from_secs(3);

/// Largest file that is read: some certificates of a kilobyte each are one chain.
const LARGEST: u64 = 1 << 20;

/// Why a certificate was not taken over. The one in use stays.
#[derive(Debug, thiserror::Error)]
enum MountFault {
    #[error("failed to read `{path}`", path = .0.display())]
    Read(PathBuf, #[source] io::Error),
    #[error("`{path}` is larger than {LARGEST} bytes", path = .0.display())]
    Large(PathBuf),
    #[error("failed to use the certificate in `{path}`", path = .0.display())]
    Use(PathBuf, #[source] CertificateFault),
}

/// Chain and key, as they are in the files.
#[derive(Clone, PartialEq, Eq)]
struct Files {
    chain: Vec<u8>,
    key: Vec<u8>,
}

/// Installs what is in `tls.crt` and `tls.key` of `directory`, now and whenever it changes, until
/// it is dropped.
pub async fn follow_certificate(
    directory: PathBuf,
    certificate: Arc<Certificate>,
    readiness: Readiness,
) {
    let mut installed: Option<Files> = None;
    let mut said: Option<String> = None;
    loop {
        match look(&directory, &certificate, installed.as_ref()).await {
            Ok(changed) => {
                if let Some(files) = changed {
                    tracing::info!(directory = %directory.display(), "a certificate is installed");
                    installed = Some(files);
                }
                said = None;
                readiness.set_synced(SOURCE);
            }
            Err(fault) => {
                let fault = chain(&fault);
                if said.as_ref() != Some(&fault) {
                    tracing::warn!(fault, "there is no new certificate");
                    said = Some(fault);
                }
            }
        }
        tokio::time::sleep(PERIOD).await;
    }
}

/// Reads the files, and installs them where they have changed.
async fn look(
    directory: &Path,
    certificate: &Certificate,
    installed: Option<&Files>,
) -> Result<Option<Files>, MountFault> {
    let (chain, key) = (directory.join("tls.crt"), directory.join("tls.key"));
    let read = tokio::task::spawn_blocking(move || {
        Ok(Files {
            chain: contents(chain)?,
            key: contents(key)?,
        })
    });
    let files: Files = read.await.unwrap_or_else(|error| {
        Err(MountFault::Read(
            directory.to_owned(),
            io::Error::other(error),
        ))
    })?;
    if installed == Some(&files) {
        return Ok(None);
    }
    certificate
        .install(&files.chain, &files.key)
        .map_err(|fault| MountFault::Use(directory.to_owned(), fault))?;
    Ok(Some(files))
}

fn contents(path: PathBuf) -> Result<Vec<u8>, MountFault> {
    let size = std::fs::metadata(&path).map(|metadata| metadata.len());
    match size {
        Ok(size) if size > LARGEST => Err(MountFault::Large(path)),
        Ok(_) => std::fs::read(&path).map_err(|error| MountFault::Read(path, error)),
        Err(error) => Err(MountFault::Read(path, error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reconcile::sample_certificate;

    fn write(directory: &Path, chain: &str, key: &str) {
        std::fs::write(directory.join("tls.crt"), chain).unwrap();
        std::fs::write(directory.join("tls.key"), key).unwrap();
    }

    #[tokio::test]
    async fn what_is_usable_is_installed_once_and_what_is_not_changes_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let (path, certificate) = (directory.path(), Certificate::empty());
        assert!(look(path, &certificate, None).await.is_err());
        assert!(!certificate.is_installed());

        let (chain, key) = sample_certificate();
        write(path, &chain, &key);
        let installed = look(path, &certificate, None).await.unwrap();
        assert!(installed.is_some() && certificate.is_installed());
        assert!(
            look(path, &certificate, installed.as_ref())
                .await
                .unwrap()
                .is_none()
        );

        let (_, another) = sample_certificate();
        write(path, &chain, &another);
        assert!(look(path, &certificate, installed.as_ref()).await.is_err());
        assert!(certificate.is_installed());

        let (chain, key) = sample_certificate();
        write(path, &chain, &key);
        assert!(
            look(path, &certificate, installed.as_ref())
                .await
                .unwrap()
                .is_some()
        );
    }
}
