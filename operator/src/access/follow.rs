//! Files that change while they are in use.
//!
//! They are read every few seconds: a kubelet replaces mounted files by moving a symbolic link, which
//! no watch of a file sees reliably. What cannot be used changes nothing.

use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
    time::Duration,
};

use crate::cluster::chain;

/// Time between two looks. A kubelet needs a minute or more to bring a change; this adds little.
const PERIOD: Duration = Duration::from_secs(3);

/// Largest file that is read: ten thousand tokens, or some hundred certificates or keys.
const LARGEST: u64 = 1 << 20;

/// Reads a file as it is now.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?
        .take(LARGEST + 1)
        .read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > LARGEST) {
        let why = format!("it is larger than {LARGEST} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, why));
    }
    Ok(bytes)
}

/// Hands over what is in a file whenever it has changed, from what was `installed` on, until it is
/// dropped. What is refused is told in the log, once.
pub async fn follow<E: std::error::Error>(
    path: PathBuf,
    mut installed: Vec<u8>,
    install: impl Fn(&[u8]) -> Result<(), E>,
) {
    let mut said: Option<String> = None;
    loop {
        tokio::time::sleep(PERIOD).await;
        let at = path.clone();
        let found = tokio::task::spawn_blocking(move || read(&at)).await;
        let found = found.unwrap_or_else(|error| Err(io::Error::other(error)));
        let fault = match found {
            Ok(bytes) if bytes == installed => None,
            Ok(bytes) => match install(&bytes) {
                Ok(()) => {
                    tracing::info!(file = %path.display(), "a file has changed and is in use");
                    installed = bytes;
                    None
                }
                Err(fault) => Some(chain(&fault)),
            },
            Err(error) => Some(chain(&error)),
        };
        if let Some(fault) = &fault
            && said.as_ref() != Some(fault)
        {
            let file = path.display();
            tracing::warn!(%file, fault, "a file cannot be used; what it held stays in use");
        }
        said = fault;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn a_file_has_a_bound() {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(LARGEST).unwrap();
        assert_eq!(read(file.path()).unwrap().len() as u64, LARGEST);
        file.as_file().set_len(LARGEST + 1).unwrap();
        assert!(
            read(file.path())
                .unwrap_err()
                .to_string()
                .contains("larger")
        );
        // It has no size, and no end.
        assert!(read(Path::new("/dev/zero")).is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn what_changes_is_handed_over_and_what_cannot_be_used_is_not() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let (path, seen) = (file.path().to_owned(), Mutex::new(Vec::new()));
        let install = |bytes: &[u8]| {
            let text = String::from_utf8(bytes.to_vec()).unwrap();
            if text == "bad" {
                return Err(io::Error::other("bad"));
            }
            seen.lock().unwrap().push(text);
            Ok(())
        };
        std::fs::write(&path, "one").unwrap();
        let following = follow(path.clone(), b"one".to_vec(), install);
        let changing = async {
            // Never while it is read.
            tokio::time::sleep(PERIOD / 3).await;
            for text in ["one", "two", "bad", "two", "three"] {
                std::fs::write(&path, text).unwrap();
                tokio::time::sleep(3 * PERIOD).await;
            }
        };
        tokio::select! {
            () = following => {}
            () = changing => {}
        }
        assert_eq!(*seen.lock().unwrap(), ["two", "three"]);
    }
}
