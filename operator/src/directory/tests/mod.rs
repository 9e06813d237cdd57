//! Directories as people and accidents make them.

mod archives;
mod bindings;
mod data;
mod exemptions;
mod fetched;
mod hostile;
mod locks;
mod reading;
mod reload;
mod subscriptions;
mod versions;

use std::{fs, path::Path, sync::Arc};

use portcullis_policies::{Cache, Snapshot};
use tempfile::TempDir;

use super::{Loader, LockStore, SourceFault, Tree};

/// A policy that allows everything.
pub(super) const ALLOWS: &str = "package a.b\n\nallow := true\n";

/// A policy that does not compile: the fault is in line 3, column 10.
pub(super) const BROKEN: &str = "package a.b\n\nallow := \n";

/// A directory with these files.
pub(super) fn directory(files: &[(&str, &str)]) -> TempDir {
    let root = TempDir::new().unwrap();
    for (path, text) in files {
        write(root.path(), path, text);
    }
    root
}

pub(super) fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

pub(super) fn tree(root: &Path) -> Tree {
    Tree::Disk {
        root: root.to_owned(),
        except: Some(root.join("locks")),
    }
}

/// A directory that was started, with all that it needs.
pub(super) struct Started {
    pub root: TempDir,
    pub loader: Loader,
    pub cache: Arc<Cache>,
    pub locks: LockStore,
}

pub(super) fn start(root: TempDir) -> Result<Started, SourceFault> {
    let cache = Arc::new(Cache::new());
    let loader = Loader::start(tree(root.path()), cache.allowance(), &|_, _| {})?;
    let locks = LockStore::open(root.path().join("locks")).unwrap();
    loader.publish(&cache, &locks);
    Ok(Started {
        root,
        loader,
        cache,
        locks,
    })
}

/// Why a directory is not started.
pub(super) fn refused(root: TempDir) -> String {
    start(root)
        .err()
        .expect("the directory must be refused")
        .to_string()
}

impl Started {
    /// Looks until what was written is taken: once to see it, once to see that it is still.
    pub(super) fn look(&mut self) {
        for _ in 0..2 {
            if self.loader.look().is_ok_and(|changed| changed) {
                self.loader.publish(&self.cache, &self.locks);
            }
        }
    }

    pub(super) fn write(&mut self, path: &str, text: &str) {
        write(self.root.path(), path, text);
        self.look();
    }

    pub(super) fn remove(&mut self, path: &str) {
        fs::remove_file(self.root.path().join(path)).unwrap();
        self.look();
    }

    /// All policies: address, and `ok` or `broken`.
    pub(super) fn policies(&self) -> Vec<String> {
        policies(&self.cache.snapshot())
    }

    /// All faults, with their places.
    pub(super) fn faults(&self) -> Vec<String> {
        let status = self.loader.status();
        status.problems.iter().map(ToString::to_string).collect()
    }
}

pub(super) fn policies(snapshot: &Snapshot) -> Vec<String> {
    snapshot
        .entries()
        .map(|entry| {
            let state = if entry.policy.faults().is_some() {
                "broken"
            } else {
                "ok"
            };
            format!("{} {state}", entry.address())
        })
        .collect()
}
