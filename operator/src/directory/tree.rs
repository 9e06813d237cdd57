//! The files of a directory, within bounds; or those of the library that is built in.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File, Metadata},
    io,
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use include_dir::{Dir, DirEntry, include_dir};
use portcullis_policies::{Diagnostic, Timestamp};
use rustix::fs::OFlags;

use crate::files::{MAX_ENTRIES, MAX_FILE, MAX_TOTAL, read_at_most};

/// The policies that come with the binary.
static SHIPPED: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/../policies/library");

/// Deepest folder: a policy of the layout is three deep, and a repository of several clusters'
/// manifests rarely eight.
const MAX_DEPTH: usize = 16;

/// Most notes that are kept: more are not read by anybody.
const MAX_NOTES: usize = 100;

/// Where policies are read from.
#[derive(Clone, Debug)]
pub enum Tree {
    /// The library that is built in.
    Shipped,
    /// A directory.
    Disk {
        /// The directory.
        root: PathBuf,
        /// A folder below it that belongs to somebody else: that of the locks.
        except: Option<PathBuf>,
    },
}

/// What a tree holds now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Listing {
    /// Files that matter, by path with `/` between its parts.
    pub files: BTreeMap<String, Entry>,
    /// What was passed over, and why.
    pub notes: Vec<String>,
}

/// A file that matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// One that can be read, as it is now.
    File(Stamp),
    /// One that is refused.
    Refused(Box<Diagnostic>),
}

/// Changes whenever a file does, or another one takes its place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// Why a tree cannot be looked at as a whole.
#[derive(Debug, thiserror::Error)]
pub enum TreeFault {
    /// The directory itself, or a folder in it.
    #[error("cannot read the directory `{}`", path.display())]
    Read {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is a file.
    #[error("`{}` is not a directory", .0.display())]
    NotADirectory(PathBuf),
    /// It is larger than what is served from a directory.
    #[error("the directory `{}` holds more than {what}", root.display())]
    TooLarge {
        /// The directory.
        root: PathBuf,
        /// The bound.
        what: String,
    },
}

impl Tree {
    /// Looks at all files.
    pub(super) fn list(&self) -> Result<Listing, TreeFault> {
        match self {
            Self::Shipped => Ok(shipped()),
            Self::Disk { root, except } => Walk::new(root, except.as_deref())?.run(),
        }
    }

    /// Reads a file of the listing, if it is still the one that was looked at.
    pub(super) fn read(&self, path: &str, seen: Stamp) -> Result<String, Box<Diagnostic>> {
        let bytes = match self {
            Self::Shipped => {
                let file = SHIPPED.get_file(path);
                Ok(file
                    .map(|file| file.contents().to_vec())
                    .unwrap_or_default())
            }
            Self::Disk { root, .. } => read_as_seen(&root.join(path), seen),
        };
        let bytes = bytes.map_err(|error| {
            Diagnostic::new("file_unreadable", format!("{path}: {error}"))
                .with_remedy("make the file readable, or take it out of the directory")
        })?;
        String::from_utf8(bytes).map_err(|_| {
            let message = format!("{path}: the file is not UTF-8");
            Diagnostic::new("file_not_text", message)
                .with_remedy("write the file as UTF-8")
                .into()
        })
    }
}

/// Reads a file that nobody has changed since it was looked at, and nobody changes meanwhile: another
/// one may have taken its place, or a link that leaves the directory. The next look finds what did.
fn read_as_seen(path: &Path, seen: Stamp) -> io::Result<Vec<u8>> {
    // A pipe would wait for somebody who writes to it.
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let mut options = File::options();
    let file = options.read(true).custom_flags(flags).open(path)?;
    let check = || {
        let is_seen = Stamp::of(&file.metadata()?) == seen;
        let changed = || io::Error::other("it changed while it was read");
        is_seen.then_some(()).ok_or_else(changed)
    };
    check()?;
    let bytes = read_at_most(&file, MAX_FILE)?;
    check()?;
    Ok(bytes)
}

fn shipped() -> Listing {
    let mut listing = Listing::default();
    let mut folders = vec![&SHIPPED];
    while let Some(folder) = folders.pop() {
        for entry in folder.entries() {
            match entry {
                DirEntry::Dir(below) => folders.push(below),
                DirEntry::File(file) => {
                    if let Some(path) = file.path().to_str().filter(|path| matters(path)) {
                        listing
                            .files
                            .insert(path.to_owned(), Entry::File(Stamp::default()));
                    }
                }
            }
        }
    }
    listing
}

/// Whether a file of this name is read at all.
fn matters(path: &str) -> bool {
    let extension = path.rsplit_once('.').map(|(_, extension)| extension);
    matches!(extension, Some("rego" | "yaml" | "yml" | "json"))
}

/// A folder, by whatever path: its device and its number there.
type FolderId = (u64, u64);

fn folder_id(metadata: &Metadata) -> FolderId {
    (metadata.dev(), metadata.ino())
}

/// One walk through a directory.
struct Walk<'a> {
    root: &'a Path,
    /// The root without symbolic links: nothing outside it is read.
    real_root: PathBuf,
    except: Option<FolderId>,
    /// Folders that were seen, so that a cycle of symbolic links ends.
    seen: BTreeSet<FolderId>,
    entries: usize,
    bytes: u64,
    listing: Listing,
}

impl<'a> Walk<'a> {
    fn new(root: &'a Path, except: Option<&Path>) -> Result<Self, TreeFault> {
        let fault = |source| TreeFault::Read {
            path: root.to_owned(),
            source,
        };
        let real_root = fs::canonicalize(root).map_err(fault)?;
        let metadata = fs::metadata(&real_root).map_err(fault)?;
        if !metadata.is_dir() {
            return Err(TreeFault::NotADirectory(root.to_owned()));
        }
        let except = except.and_then(|path| fs::metadata(path).ok());
        let except = except.as_ref().map(folder_id);
        let seen = BTreeSet::from([folder_id(&metadata)]);
        let listing = Listing::default();
        Ok(Self {
            root,
            real_root,
            except,
            seen,
            entries: 0,
            bytes: 0,
            listing,
        })
    }

    fn run(mut self) -> Result<Listing, TreeFault> {
        let mut folders = vec![(String::new(), 0)];
        while let Some((folder, depth)) = folders.pop() {
            for name in self.names(&folder)? {
                let path = if folder.is_empty() {
                    name
                } else {
                    format!("{folder}/{name}")
                };
                if self.look(&path)? {
                    if depth < MAX_DEPTH {
                        folders.push((path, depth + 1));
                    } else {
                        self.note(format!(
                            "{path}: passed over: deeper than {MAX_DEPTH} folders"
                        ));
                    }
                }
            }
        }
        Ok(self.listing)
    }

    /// The names in a folder, without hidden ones: `.git`, and the `..data` of a mounted
    /// `ConfigMap`, whose files are linked under their own names.
    fn names(&mut self, folder: &str) -> Result<Vec<String>, TreeFault> {
        let path = self.root.join(folder);
        let entries = match fs::read_dir(&path) {
            Ok(entries) => entries,
            // It went away while we looked; the next look tells what became of it.
            Err(error) if !folder.is_empty() && error.kind() == io::ErrorKind::NotFound => {
                return Ok(Vec::new());
            }
            Err(source) => return Err(TreeFault::Read { path, source }),
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|source| TreeFault::Read {
                path: path.clone(),
                source,
            })?;
            self.entries += 1;
            if self.entries > MAX_ENTRIES {
                return Err(self.too_large(format!("{MAX_ENTRIES} files and folders")));
            }
            match entry.file_name().into_string() {
                Ok(name) if name.starts_with('.') => {}
                Ok(name) => names.push(name),
                Err(name) => {
                    self.note(format!(
                        "{folder}/{}: passed over: not UTF-8",
                        name.display()
                    ));
                }
            }
        }
        names.sort();
        Ok(names)
    }

    /// Notes a file; tells whether it is a folder to look into.
    fn look(&mut self, path: &str) -> Result<bool, TreeFault> {
        let full = self.root.join(path);
        let own = match fs::symlink_metadata(&full) {
            Ok(own) => own,
            // It went away while we looked; the next look tells what became of it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(source) => return Err(TreeFault::Read { path: full, source }),
        };
        let metadata = if own.is_symlink() {
            match self.follow(&full)? {
                Ok(metadata) => metadata,
                Err(fault) => {
                    // A link that leads nowhere is a file only where its name says so.
                    if matters(path) || fault.code == OUTSIDE {
                        self.listing
                            .files
                            .insert(path.to_owned(), Entry::Refused(fault));
                    }
                    return Ok(false);
                }
            }
        } else {
            own
        };
        if metadata.is_dir() {
            let folder = folder_id(&metadata);
            return Ok(self.except != Some(folder) && self.seen.insert(folder));
        }
        if !matters(path) {
            return Ok(false);
        }
        if !metadata.is_file() {
            self.note(format!("{path}: passed over: not a regular file"));
            return Ok(false);
        }
        let entry = if metadata.len() > MAX_FILE {
            let message = format!("{path}: the file is larger than {} MiB", MAX_FILE >> 20);
            Entry::Refused(Box::new(Diagnostic::new("file_too_large", message)))
        } else {
            self.bytes += metadata.len();
            Entry::File(Stamp::of(&metadata))
        };
        self.listing.files.insert(path.to_owned(), entry);
        if self.bytes > MAX_TOTAL {
            return Err(self.too_large(format!("{} MiB of policies", MAX_TOTAL >> 20)));
        }
        Ok(false)
    }

    /// What a symbolic link leads to, as long as that is in the directory.
    fn follow(&self, full: &Path) -> Result<Result<Metadata, Box<Diagnostic>>, TreeFault> {
        let shown = full.strip_prefix(self.root).unwrap_or(full).display();
        let real = match fs::canonicalize(full) {
            Ok(real) => real,
            Err(error) if leads_nowhere(&error) => {
                let message = format!("{shown}: the symbolic link is broken: {error}");
                let fault = Diagnostic::new("link_broken", message);
                return Ok(Err(fault.with_remedy("remove the link").into()));
            }
            Err(source) => {
                let path = full.to_owned();
                return Err(TreeFault::Read { path, source });
            }
        };
        if !real.starts_with(&self.real_root) {
            let message = format!("{shown}: the symbolic link leaves the directory");
            let remedy = "copy what it leads to into the directory";
            return Ok(Err(Diagnostic::new(OUTSIDE, message)
                .with_remedy(remedy)
                .into()));
        }
        let read = |source| TreeFault::Read {
            path: real.clone(),
            source,
        };
        Ok(Ok(fs::metadata(&real).map_err(read)?))
    }

    fn note(&mut self, note: String) {
        if self.listing.notes.len() < MAX_NOTES {
            self.listing.notes.push(note);
        }
    }

    fn too_large(&self, what: String) -> TreeFault {
        TreeFault::TooLarge {
            root: self.root.to_owned(),
            what,
        }
    }
}

/// Whether a link is wrong in itself: what it names is not there, or is in a file, or is the link.
/// Anything else, such as a folder that may not be entered, hides what is there all the same.
fn leads_nowhere(error: &io::Error) -> bool {
    use io::ErrorKind::{NotADirectory, NotFound};

    matches!(error.kind(), NotFound | NotADirectory) || error.raw_os_error() == Some(ELOOP)
}

/// Too many symbolic links, for which the standard library has no stable name.
const ELOOP: i32 = if cfg!(target_os = "linux") { 40 } else { 62 };

const OUTSIDE: &str = "link_outside";

impl Stamp {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// When the file was written last; the epoch where that is not known.
    pub(super) fn modified(&self) -> Timestamp {
        Timestamp::from_second(self.modified.0).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::{os::unix::fs::symlink, process::Command};

    use super::*;

    /// What becomes of a file that is changed after it was looked at.
    fn changed(change: impl FnOnce(&Path)) -> Result<String, Box<Diagnostic>> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.yaml");
        fs::write(&file, "old").unwrap();
        let tree = Tree::Disk {
            root: folder.path().to_owned(),
            except: None,
        };
        let listing = tree.list().unwrap();
        let Some(Entry::File(seen)) = listing.files.get("a.yaml") else {
            panic!("{listing:?}")
        };
        change(&file);
        tree.read("a.yaml", *seen)
    }

    #[test]
    fn only_the_file_that_was_looked_at_is_read() {
        assert_eq!(changed(|_| {}).unwrap(), "old");
        let outside = tempfile::NamedTempFile::new().unwrap();
        let changes: [&dyn Fn(&Path); 4] = [
            &|file| fs::write(file, "other").unwrap(),
            &|file| fs::remove_file(file).unwrap(),
            &|file| {
                fs::remove_file(file).unwrap();
                symlink(outside.path(), file).unwrap();
            },
            // Nobody writes to it.
            &|file| {
                fs::remove_file(file).unwrap();
                let made = Command::new("mkfifo").arg(file).status().unwrap();
                assert!(made.success());
            },
        ];
        for change in changes {
            let fault = changed(change).unwrap_err();
            assert_eq!(fault.code, "file_unreadable", "{fault}");
        }
    }
}
