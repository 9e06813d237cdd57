//! A certificate in files that change: those that a kubelet mounts from the Secret which the
//! operator fills, or those that `serve` is given.
//!
//! The files are read every few seconds: a kubelet replaces them by moving a symbolic link, which
//! no watch of a file sees reliably. What cannot be used changes nothing.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use portcullis_webhook::{Certificate, CertificateFault};

use super::chain;

/// The name of the source, for the readiness probe.
pub const SOURCE: &str = "certificate";

/// Time between two looks. A kubelet needs a minute or more to bring a change; this adds little.
const PERIOD: Duration = Duration::from_secs(3);

/// Largest file that is read: some certificates of a kilobyte each are one chain.
const LARGEST: u64 = 1 << 20;

/// Why a certificate was not taken over. The one in use stays.
#[derive(Debug, thiserror::Error)]
enum FileFault {
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

/// Where a certificate is, in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The chain.
    pub chain: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

impl CertificateFiles {
    /// `tls.crt` and `tls.key`, as a mounted Secret has them.
    pub fn mounted(directory: &Path) -> Self {
        Self {
            chain: directory.join("tls.crt"),
            key: directory.join("tls.key"),
        }
    }
}

/// Installs what is in the files, now and whenever it changes, until it is dropped. Says after each
/// look at which the files were as they should be that they are `current`.
pub async fn follow_certificate(
    files: CertificateFiles,
    certificate: Arc<Certificate>,
    current: impl Fn(),
) {
    let mut installed: Option<Files> = None;
    let mut said: Option<String> = None;
    loop {
        match look(&files, &certificate, installed.as_ref()).await {
            Ok(changed) => {
                if let Some(contents) = changed {
                    tracing::info!(chain = %files.chain.display(), "a certificate is installed");
                    installed = Some(contents);
                }
                said = None;
                current();
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
    files: &CertificateFiles,
    certificate: &Certificate,
    installed: Option<&Files>,
) -> Result<Option<Files>, FileFault> {
    let CertificateFiles { chain, key } = files.clone();
    let read = tokio::task::spawn_blocking(move || {
        Ok(Files {
            chain: contents(chain)?,
            key: contents(key)?,
        })
    });
    let found: Files = read.await.unwrap_or_else(|error| {
        let error = io::Error::other(error);
        Err(FileFault::Read(files.chain.clone(), error))
    })?;
    if installed == Some(&found) {
        return Ok(None);
    }
    certificate
        .install(&found.chain, &found.key)
        .map_err(|fault| FileFault::Use(files.chain.clone(), fault))?;
    Ok(Some(found))
}

fn contents(path: PathBuf) -> Result<Vec<u8>, FileFault> {
    let size = std::fs::metadata(&path).map(|metadata| metadata.len());
    match size {
        Ok(size) if size > LARGEST => Err(FileFault::Large(path)),
        Ok(_) => std::fs::read(&path).map_err(|error| FileFault::Read(path, error)),
        Err(error) => Err(FileFault::Read(path, error)),
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
        let files = &CertificateFiles::mounted(path);
        assert!(look(files, &certificate, None).await.is_err());
        assert!(!certificate.is_installed());

        let (chain, key) = sample_certificate();
        write(path, &chain, &key);
        let installed = look(files, &certificate, None).await.unwrap();
        assert!(installed.is_some() && certificate.is_installed());
        assert!(
            look(files, &certificate, installed.as_ref())
                .await
                .unwrap()
                .is_none()
        );

        let (_, another) = sample_certificate();
        write(path, &chain, &another);
        assert!(look(files, &certificate, installed.as_ref()).await.is_err());
        assert!(certificate.is_installed());

        let (chain, key) = sample_certificate();
        write(path, &chain, &key);
        assert!(
            look(files, &certificate, installed.as_ref())
                .await
                .unwrap()
                .is_some()
        );
    }
}
