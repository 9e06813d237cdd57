//! The administrator's keys, in files that change: those that a kubelet mounts, or those that `serve`
//! is given.
//!
//! A key to sign with that cannot be read leaves the last one in use. Keys to verify with that cannot
//! be read are no keys, for a key that was taken away must not go on counting.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use arc_swap::{ArcSwap, ArcSwapOption};

use super::{
    key::{KeyFault, PublicKey, SigningKey},
    trust::{Trust, TrustFile},
};
use crate::{cluster::chain, files::read_at_most};

/// Time between two looks. A kubelet needs a minute or more to bring a change; this adds little.
const PERIOD: Duration = Duration::from_secs(3);

/// Largest file. A key has some hundred bytes.
const MAX_FILE: u64 = 64 << 10;

/// Most keys to verify with: each costs every archive of a stranger one verification.
const MAX_KEYS: usize = 64;

/// Where the keys are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyFiles {
    /// The private key that signs.
    pub export: Option<PathBuf>,
    /// Public keys of those whose archives are taken in.
    pub import: Vec<TrustFile>,
}

/// The keys in use.
#[derive(Default)]
pub struct Keyring {
    files: KeyFiles,
    signing: ArcSwapOption<SigningKey>,
    trust: ArcSwap<Trust>,
}

/// Why keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileFault {
    /// The file cannot be read.
    #[error("failed to read `{}`", .0.display())]
    Read(PathBuf, #[source] io::Error),
    /// It holds no key.
    #[error("cannot use `{}`", .0.display())]
    Key(PathBuf, #[source] KeyFault),
    /// There are too many keys.
    #[error("there are more than {MAX_KEYS} keys to import with")]
    Many,
}

impl Keyring {
    /// No keys yet, of these files.
    pub fn new(files: KeyFiles) -> Self {
        Self {
            files,
            ..Self::default()
        }
    }

    /// The key that signs, if there is one.
    pub fn signing(&self) -> Option<Arc<SigningKey>> {
        self.signing.load_full()
    }

    /// Whose archives are taken in.
    pub fn trust(&self) -> Arc<Trust> {
        self.trust.load_full()
    }

    /// Whether the administrator has named keys whose archives are taken in, readable or not.
    pub fn may_import(&self) -> bool {
        !self.files.import.is_empty()
    }

    /// Reads the files. The faults are those of files that cannot be used.
    pub fn look(&self) -> Vec<KeyFileFault> {
        let mut faults = Vec::new();
        if let Some(path) = &self.files.export {
            match read(path, SigningKey::from_pem) {
                Ok(key) => {
                    let known = self.signing.load();
                    let is_known = known
                        .as_ref()
                        .is_some_and(|own| own.public() == key.public());
                    if !is_known {
                        tracing::info!(key = key.public().id(), "archives are signed with a key");
                        self.signing.store(Some(Arc::new(key)));
                    }
                }
                Err(fault) => faults.push(fault),
            }
        }
        let mut trust = Trust::default();
        for file in &self.files.import {
            match read(&file.path, PublicKey::read_all) {
                Ok(keys) => trust.add(file, keys),
                Err(fault) => faults.push(fault),
            }
        }
        if trust.len() > MAX_KEYS {
            faults.push(KeyFileFault::Many);
            trust = Trust::default();
        }
        self.trust.store(Arc::new(trust));
        faults
    }

    /// Follows the files until it is dropped. What is wrong is told in the log, once.
    pub async fn follow(self: Arc<Self>) {
        let mut said = Vec::new();
        loop {
            let keyring = self.clone();
            let looked = tokio::task::spawn_blocking(move || keyring.look()).await;
            let faults = looked.unwrap_or_default();
            let faults: Vec<String> = faults.iter().map(|fault| chain(fault)).collect();
            if faults != said {
                for fault in &faults {
                    tracing::warn!(fault, "a key cannot be used");
                }
                said = faults;
            }
            tokio::time::sleep(PERIOD).await;
        }
    }
}

fn read<T>(path: &Path, key: impl FnOnce(&[u8]) -> Result<T, KeyFault>) -> Result<T, KeyFileFault> {
    let bytes = std::fs::File::open(path).and_then(|file| read_at_most(file, MAX_FILE));
    let bytes = bytes.map_err(|error| KeyFileFault::Read(path.to_owned(), error))?;
    key(&bytes).map_err(|fault| KeyFileFault::Key(path.to_owned(), fault))
}

/// Shows no secret.
impl fmt::Debug for Keyring {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Keyring")
            .field("files", &self.files)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::tests::{ed25519_key, ed25519_pem, p256_key, p256_pem};
    use std::fs;

    #[test]
    fn a_signing_key_that_breaks_stays_and_trusted_keys_that_break_go() {
        let folder = tempfile::tempdir().unwrap();
        let (own, others) = (
            folder.path().join("own.pem"),
            folder.path().join("others.pem"),
        );
        let files = KeyFiles {
            export: Some(own.clone()),
            import: vec![others.display().to_string().parse().unwrap()],
        };
        let keyring = Keyring::new(files);
        assert_eq!(keyring.look().len(), 2);
        assert!(keyring.signing().is_none() && keyring.trust().is_empty());

        fs::write(&own, ed25519_pem()).unwrap();
        fs::write(&others, p256_key().public().pem()).unwrap();
        assert!(keyring.look().is_empty());
        let in_use = || keyring.signing().unwrap().public().clone();
        assert_eq!(in_use(), *ed25519_key().public());
        assert_eq!(keyring.trust().len(), 1);

        fs::write(&own, "").unwrap();
        fs::write(&others, "").unwrap();
        assert_eq!(keyring.look().len(), 2);
        assert_eq!(in_use(), *ed25519_key().public());
        assert!(keyring.trust().is_empty());

        fs::write(&own, p256_pem()).unwrap();
        let many = p256_key().public().pem().repeat(MAX_KEYS + 1);
        fs::write(&others, many).unwrap();
        assert!(matches!(keyring.look().as_slice(), [KeyFileFault::Many]));
        assert_eq!(in_use(), *p256_key().public());
        assert!(keyring.trust().is_empty());
    }
}
