//! A list that is kept in one file of the folder of the locks, with a hidden name, so that nobody reads
//! it as a lock.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use portcullis_webhook::OutboundFault;
use serde::{Serialize, de::DeserializeOwned};

use crate::files::{read_bounded, replace};

/// The list. Clones are the same one.
#[derive(Debug)]
pub(super) struct KeptList<T> {
    path: PathBuf,
    held: Arc<Mutex<Vec<T>>>,
}

/// Why a list cannot be read at the start. Without it nobody would do what it says.
#[derive(Debug, thiserror::Error)]
#[error("cannot read `{}`: mend the file, or remove it to forget what it holds", path.display())]
pub struct KeptListFault {
    path: PathBuf,
    #[source]
    source: io::Error,
}

impl<T: Clone + PartialEq + Serialize + DeserializeOwned + Send + 'static> KeptList<T> {
    /// Reads the list of a folder, which need not exist yet, of at most so many.
    pub(super) fn open(folder: &Path, file: &str, most: usize) -> Result<Self, KeptListFault> {
        let path = folder.join(file);
        let held = read(&path, most).map_err(|source| KeptListFault {
            path: path.clone(),
            source,
        })?;
        let held = Arc::new(Mutex::new(held));
        Ok(Self { path, held })
    }

    /// What it holds.
    pub(super) fn all(&self) -> Vec<T> {
        held(&self.held).clone()
    }

    /// Changes it, in the file first, away from the reactor. What was begun is done, whoever waits.
    pub(super) async fn change<V: Send + 'static>(
        &self,
        change: impl FnOnce(&mut Vec<T>) -> Result<V, OutboundFault> + Send + 'static,
    ) -> Result<V, OutboundFault> {
        let (path, list) = (self.path.clone(), self.held.clone());
        let work = move || {
            let mut held = held(&list);
            let mut changed = held.clone();
            let value = change(&mut changed)?;
            if changed != *held {
                write(&path, &changed).map_err(|error| {
                    OutboundFault::Unavailable(format!(
                        "it cannot be kept in `{}`: {error}; start with `--locks` and a folder that \
                         can be written",
                        path.display()
                    ))
                })?;
                *held = changed;
            }
            Ok(value)
        };
        let done = tokio::task::spawn_blocking(work).await;
        done.unwrap_or_else(|_| {
            let text = "the work of the disk ended unexpectedly";
            Err(OutboundFault::Unavailable(text.to_owned()))
        })
    }
}

impl<T> Clone for KeptList<T> {
    fn clone(&self) -> Self {
        Self {
            path: self.path.clone(),
            held: self.held.clone(),
        }
    }
}

fn held<T>(list: &Mutex<Vec<T>>) -> MutexGuard<'_, Vec<T>> {
    // It is replaced as a whole, so a panic leaves a valid state.
    list.lock().unwrap_or_else(PoisonError::into_inner)
}

fn read<T: DeserializeOwned>(path: &Path, most: usize) -> io::Result<Vec<T>> {
    let text = match read_bounded(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        text => text?,
    };
    let kept: Vec<T> = serde_json::from_slice(&text)?;
    if kept.len() > most {
        return Err(io::Error::other(format!("it holds more than {most}")));
    }
    Ok(kept)
}

fn write<T: Serialize>(path: &Path, list: &[T]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    replace(path, &serde_json::to_vec(list)?)
}
