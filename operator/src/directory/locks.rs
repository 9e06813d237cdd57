//! Locks on disk: one manifest a lock, written so that a lock that was confirmed survives the end
//! of the process and of the machine.
//!
//! The folder belongs to the lock endpoints: `POST …/lock` writes a file, `DELETE …/lock` removes
//! that one. Manifests of `Lock` and `ClusterLock` that a person puts there hold too, and are
//! removed by that person.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use portcullis_policies::{
    Address, Cache, Diagnostic, Diagnostics, Effect, Lock, ObjectKey, Point, State, Timestamp,
};
use portcullis_webhook::{LockFault, LockRequest};

use super::{
    manifest,
    reading::{Item, Reading},
    report::{Meanwhile, Problem},
    tree::Stamp,
};
use crate::{
    convert::{self, LockObject},
    files::replace,
};

/// Most files in the folder: a lock of each policy of a tree that is as large as it may be.
const MAX_FILES: usize = 20_000;

/// Largest file. A lock has a reason of at most 1,024 characters and little else.
const MAX_FILE: u64 = 64 << 10;

/// The locks of a folder, and those that the directory of the policies holds.
#[derive(Debug)]
pub struct LockStore {
    folder: PathBuf,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    /// By file name.
    files: BTreeMap<String, LockFile>,
    /// Files that were not there at the last look, and hold until the next.
    missing: BTreeSet<String>,
    /// Locks of the directory of the policies.
    elsewhere: BTreeMap<ObjectKey, Lock>,
    fault: Option<Diagnostic>,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct LockFile {
    stamp: Stamp,
    locks: BTreeMap<ObjectKey, Lock>,
    problems: Vec<Problem>,
}

/// Why the locks cannot be read at the start. Without them it is not known what is locked.
#[derive(Debug, thiserror::Error)]
pub enum LockStoreFault {
    /// The folder.
    #[error("cannot read the locks in `{}`", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Files in it.
    #[error(
        "cannot read all locks in `{}`, so what is locked is not known\n{}",
        folder.display(),
        super::problem_table(problems).trim_end()
    )]
    Files {
        /// The folder.
        folder: PathBuf,
        /// What is wrong with each.
        problems: Vec<Problem>,
    },
}

impl LockStore {
    /// Reads the locks of a folder, which need not exist yet.
    pub fn open(folder: PathBuf) -> Result<Self, LockStoreFault> {
        let store = Self {
            folder,
            held: Mutex::default(),
        };
        let mut held = store.held();
        store
            .read_folder(&mut held)
            .map_err(|source| LockStoreFault::Folder {
                folder: store.folder.clone(),
                source,
            })?;
        let lost: Vec<Problem> = held
            .problems()
            .filter(|problem| problem.meanwhile == Meanwhile::Nothing)
            .cloned()
            .collect();
        drop(held);
        if lost.is_empty() {
            Ok(store)
        } else {
            Err(LockStoreFault::Files {
                folder: store.folder,
                problems: lost,
            })
        }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Reads the folder again and puts what changed in force. Tells whether anything did.
    pub fn refresh(&self, cache: &Cache) -> bool {
        let mut held = self.held();
        let before = held.files.clone();
        let fault = self.read_folder(&mut held).err().map(|error| {
            let message = format!("{}: {error}", self.folder.display());
            Diagnostic::new("locks_unreadable", message)
                .with_remedy("make the folder of the locks readable again")
        });
        let changed = before != held.files || fault != held.fault;
        held.fault = fault;
        if changed {
            held.publish(cache, |_| {});
        }
        changed
    }

    /// Puts `change` and the locks of the policies' directory in force, in one step with the locks
    /// of the folder.
    pub fn publish_with(
        &self,
        cache: &Cache,
        elsewhere: BTreeMap<ObjectKey, Lock>,
        change: impl FnOnce(&mut State),
    ) {
        let mut held = self.held();
        held.elsewhere = elsewhere;
        held.publish(cache, change);
    }

    /// What is wrong with the files.
    pub fn problems(&self) -> Vec<Problem> {
        let held = self.held();
        let fault = held.fault.iter().map(|fault| Problem {
            origin: "locks".to_owned(),
            diagnostic: fault.clone(),
            meanwhile: Meanwhile::LastGood,
        });
        fault.chain(held.problems().cloned()).collect()
    }

    /// Writes a lock and puts it in force.
    pub(super) fn lock(
        &self,
        cache: &Cache,
        request: &LockRequest,
        now: Timestamp,
    ) -> Result<(), LockFault> {
        let object = convert::lock_object(
            &request.address,
            request.reason.as_deref(),
            request.expires_at,
        );
        let file = file_name(&request.address);
        let mut held = self.held();
        let active = |lock: &Lock| lock.is_active(now);
        if held
            .files
            .get(&file)
            .is_some_and(|own| own.locks.values().any(active))
        {
            return Err(LockFault::AlreadyLocked);
        }
        let text = yaml(&object).map_err(|error| LockFault::Unavailable(error.to_string()))?;
        let stamp = self
            .write(&file, &text)
            .map_err(|error| self.unavailable(&error))?;
        let read = LockFile::of(&file, stamp, manifest::read(&file, &text), None);
        held.files.insert(file, read);
        held.publish(cache, |_| {});
        Ok(())
    }

    /// Removes the file of a lock, and tells which locks hold the policy all the same.
    pub(super) fn unlock(
        &self,
        cache: &Cache,
        address: &Address,
        now: Timestamp,
    ) -> Result<(), LockFault> {
        let file = file_name(address);
        let mut held = self.held();
        let own = held.files.contains_key(&file);
        if own {
            self.remove(&file)
                .map_err(|error| self.unavailable(&error))?;
            held.files.remove(&file);
            held.publish(cache, |_| {});
        }
        let snapshot = cache.snapshot();
        let locks = snapshot
            .find(address)
            .map(|entry| entry.locks.as_slice())
            .unwrap_or_default();
        let others: Vec<String> = locks
            .iter()
            .filter(|lock| lock.holds(Point::Evaluation, now))
            .map(|lock| lock.key.to_string())
            .collect();
        match (own, others.is_empty()) {
            (true, true) => Ok(()),
            (false, true) => Err(LockFault::NotLocked),
            (_, false) => Err(LockFault::HeldByOthers(others)),
        }
    }

    /// Writes a file so that it is whole or absent, whatever ends meanwhile.
    fn write(&self, name: &str, text: &str) -> io::Result<Stamp> {
        fs::create_dir_all(&self.folder)?;
        let path = self.folder.join(name);
        replace(&path, text.as_bytes())?;
        Ok(Stamp::of(&fs::metadata(path)?))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        match fs::remove_file(self.folder.join(name)) {
            // Somebody else was faster, and the folder may be gone with it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed.and_then(|()| self.sync_folder()),
        }
    }

    fn sync_folder(&self) -> io::Result<()> {
        File::open(&self.folder)?.sync_all()
    }

    /// Reads what changed. On an error everything is as it was.
    fn read_folder(&self, held: &mut Held) -> io::Result<()> {
        let Some(listed) = self.list()? else {
            return if held.files.is_empty() {
                Ok(())
            } else {
                Err(io::Error::other("the folder is gone"))
            };
        };
        for (name, (stamp, size)) in &listed {
            if held.files.get(name).is_none_or(|file| file.stamp != *stamp) {
                let before = held.files.remove(name);
                let file = LockFile::of(name, *stamp, self.read(name, *size), before);
                held.files.insert(name.clone(), file);
            }
        }
        let Held { files, missing, .. } = held;
        missing.retain(|name| !listed.contains_key(name));
        // Some editors remove a file before they write it anew: it is gone at the second look.
        files.retain(|name, _| listed.contains_key(name) || missing.insert(name.clone()));
        Ok(())
    }

    /// The files of the folder, each with its size; `None` where there is no folder.
    fn list(&self) -> io::Result<Option<BTreeMap<String, (Stamp, u64)>>> {
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            entries => entries?,
        };
        let mut listed = BTreeMap::new();
        for entry in entries {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            let extension = Path::new(&name)
                .extension()
                .and_then(|extension| extension.to_str());
            let matters = matches!(extension, Some("yaml" | "yml" | "json"));
            if !matters || name.starts_with('.') {
                continue;
            }
            let metadata = match fs::metadata(entry.path()) {
                // It went away while we looked.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                metadata => metadata?,
            };
            if metadata.is_file() {
                listed.insert(name, (Stamp::of(&metadata), metadata.len()));
            }
            if listed.len() > MAX_FILES {
                return Err(io::Error::other(format!("more than {MAX_FILES} files")));
            }
        }
        Ok(Some(listed))
    }

    fn read(&self, name: &str, size: u64) -> Reading {
        let text = if size > MAX_FILE {
            Err(io::Error::other(format!(
                "larger than {} KiB",
                MAX_FILE >> 10
            )))
        } else {
            fs::read_to_string(self.folder.join(name))
        };
        match text {
            Ok(text) => manifest::read(name, &text),
            Err(error) => {
                let message = format!("{name}: {error}");
                Reading::lost(Diagnostic::new("file_unreadable", message))
            }
        }
    }

    fn unavailable(&self, error: &io::Error) -> LockFault {
        let folder = self.folder.display();
        LockFault::Unavailable(format!(
            "the lock cannot be kept in {folder}: {error}; start with `--locks` and a folder that \
             can be written"
        ))
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        // Each change of the map is one insertion or removal, so a panic leaves a valid state.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn publish(&self, cache: &Cache, change: impl FnOnce(&mut State)) {
        let mut locks: BTreeMap<&ObjectKey, &Lock> = self.elsewhere.iter().collect();
        locks.extend(self.files.values().flat_map(|file| &file.locks));
        cache.update(|state| {
            state.retain_locks(|key| locks.contains_key(key));
            locks
                .values()
                .for_each(|lock| state.apply_lock((*lock).clone()));
            change(state);
        });
    }

    fn problems(&self) -> impl Iterator<Item = &Problem> {
        self.files.values().flat_map(|file| &file.problems)
    }
}

impl LockFile {
    /// What holds of a file that was read. What cannot be read holds as it did, as long as it
    /// refuses: one that is mistyped or cut short must neither unlock nor go on bypassing.
    fn of(name: &str, stamp: Stamp, reading: Reading, before: Option<Self>) -> Self {
        let mut file = Self {
            stamp,
            ..Self::default()
        };
        let mut before = before.map(|before| before.locks).unwrap_or_default();
        before.retain(|_, lock| lock.effect == Effect::Refuse);
        let mut lost = reading.lost;
        let foreign = reading.foreign.into_iter().map(|foreign| foreign.note);
        lost.extend(reading.notes.into_iter().chain(foreign).map(passed_over));
        for item in reading.items {
            let Item::Lock(draft) = item else {
                let message = format!("{name}: {} is not a lock", item.key());
                let fault = Diagnostic::new("kind_unexpected", message)
                    .with_remedy("put policies into the directory of the policies");
                lost.push(fault);
                continue;
            };
            let old = before.remove(&draft.key);
            let kept = old.filter(|_| draft.faults.is_some());
            let meanwhile = if kept.is_some() {
                Meanwhile::LastGood
            } else {
                Meanwhile::Denies
            };
            let faults = draft.faults.iter().flat_map(Diagnostics::iter);
            file.problems
                .extend(faults.map(|fault| problem(name, fault, meanwhile)));
            if let Some(lock) = kept.or(draft.lock) {
                file.locks.insert(draft.key, lock);
            }
        }
        if file.locks.is_empty() && lost.is_empty() {
            let fault = Diagnostic::new("lock_missing", format!("{name}: the file holds no lock"));
            lost.push(fault.with_remedy(REMOVE));
        }
        if !lost.is_empty() {
            let kept = !before.is_empty();
            let meanwhile = if kept {
                Meanwhile::LastGood
            } else {
                Meanwhile::Nothing
            };
            let lost = lost.iter();
            file.problems
                .extend(lost.map(|fault| problem(name, fault, meanwhile)));
            file.locks.append(&mut before);
        }
        file
    }
}

/// What to do about a file of this folder that does not say what it locks.
const REMOVE: &str = "write the lock, or remove the file if nothing is to be locked by it";

/// A document that is none of ours: in this folder, a lock whose `apiVersion` is mistyped.
fn passed_over(note: String) -> Diagnostic {
    Diagnostic::new("lock_missing", note).with_remedy(REMOVE)
}

fn problem(file: &str, fault: &Diagnostic, meanwhile: Meanwhile) -> Problem {
    Problem {
        origin: file.to_owned(),
        diagnostic: fault.clone(),
        meanwhile,
    }
}

/// One file an address: a version is digits and dots, so `.in.` begins no version.
fn file_name(address: &Address) -> String {
    let name = convert::lock_name(address);
    match address.namespace() {
        Some(namespace) => format!("{name}.in.{namespace}.yaml"),
        None => format!("{name}.yaml"),
    }
}

fn yaml(object: &LockObject) -> Result<String, serde_saphyr::SerializeError> {
    match object {
        LockObject::Lock(lock) => serde_saphyr::to_string(lock),
        LockObject::ClusterLock(lock) => serde_saphyr::to_string(lock),
    }
}
