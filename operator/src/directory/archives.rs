//! Archives into and out of a directory: a policy's folder in the repository layout.
//!
//! A folder is written beside its place and put there in one step, so that nobody reads half of it,
//! and the loader takes it up as any other change. What is kept with an imported policy is a hidden
//! file of its folder, which goes where the folder goes.

use std::{
    fmt,
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use futures::{FutureExt as _, future::BoxFuture};
use portcullis_policies::{Address, Cache, Digest, Entry, ObjectKey, Scope, Timestamp};
use portcullis_webhook::{
    ArchiveFault, ArchiveKeeper, Caller, Exported, ImportAction, ImportRequest, Imported,
    LockFault, VerifyingKey,
};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use super::{Access, Tree};
use crate::{
    archive::{Candidate, Clerk, Files, Incumbent, Mark, Moment, Verdict, decide},
    files::read_at_most,
};

/// What is kept with an imported policy.
const MARK: &str = ".archive.json";

/// Largest mark: two hashes and a time.
const MAX_MARK: u64 = 4 << 10;

/// Most files of a folder that is compared with an archive, and most bytes of them: more than an
/// archive has, so that whoever has more was changed.
const MAX_FILES: usize = 160;
const MAX_BYTES: u64 = 16 << 20;

/// Deepest folder below a policy's.
const MAX_DEPTH: usize = 8;

/// Time until a policy that was written is in force. The loader takes a change at the second look that
/// sees it, after a second or two; who waits longer is answered nevertheless.
const SEEN: Duration = Duration::from_secs(8);

/// Time between two looks whether it is.
const LOOK: Duration = Duration::from_millis(50);

/// The endpoints' way to a directory.
#[derive(Debug)]
pub struct DirectoryArchives {
    clerk: Arc<Clerk>,
    cache: Arc<Cache>,
    access: Access,
    place: Option<Place>,
    /// One import at a time: each decides by what the one before left.
    turn: Mutex<()>,
}

/// A directory, and the folder in it that is somebody else's.
#[derive(Clone, Debug)]
struct Place {
    root: PathBuf,
    except: Option<PathBuf>,
}

/// The mark of a folder.
#[derive(Serialize, Deserialize)]
struct FolderMark {
    #[serde(flatten)]
    mark: Mark,
    /// SHA-256 of the files as they were written.
    files: String,
}

/// What a folder holds.
#[derive(Default)]
struct Folder {
    /// What was kept with it, if it is as it was imported.
    mark: Option<Mark>,
    /// When one of its files was changed last.
    changed: Option<Timestamp>,
    exists: bool,
}

impl DirectoryArchives {
    /// A way into `tree` for who has `access`.
    pub fn new(clerk: Arc<Clerk>, cache: Arc<Cache>, access: Access, tree: &Tree) -> Self {
        let place = match tree {
            Tree::Shipped => None,
            Tree::Disk { root, except } => Some(Place {
                root: root.clone(),
                except: except.clone(),
            }),
        };
        Self {
            clerk,
            cache,
            access,
            place,
            turn: Mutex::new(()),
        }
    }

    async fn take_in(
        &self,
        caller: Caller,
        request: ImportRequest,
    ) -> Result<Imported, ArchiveFault> {
        self.access.admit(&caller).map_err(|fault| match fault {
            LockFault::Unauthenticated => ArchiveFault::Unauthenticated,
            fault => ArchiveFault::Forbidden(fault.to_string()),
        })?;
        self.take(request).await
    }

    /// Takes in what was fetched for this server itself.
    pub(super) async fn take_fetched(&self, archive: Vec<u8>) -> Result<Imported, ArchiveFault> {
        let request = ImportRequest {
            archive: archive.into(),
            namespace: None,
            replaces: None,
        };
        self.take(request).await
    }

    async fn take(&self, request: ImportRequest) -> Result<Imported, ArchiveFault> {
        if request.namespace.is_some() {
            let text =
                "a directory's layout holds policies of the cluster: import without `namespace`";
            return Err(ArchiveFault::Closed(text.to_owned()));
        }
        let place = self.place.clone().ok_or_else(|| {
            let text = "these are the policies that come with the program: serve a directory";
            ArchiveFault::Closed(text.to_owned())
        })?;
        let opened = self
            .clerk
            .open(request.archive, Scope::Cluster, self.cache.clone());
        let (candidate, policy) = opened.await?;
        let _turn = self.turn.lock().await;
        let (digest, address) = (policy.digest(), candidate.address.clone());
        let held = self.cache.snapshot().find(&address).cloned();
        let work = move || {
            let action = place.put(&candidate, held.as_deref(), digest, request.replaces)?;
            Ok((candidate, action))
        };
        let (candidate, action) = run(work).await?;
        let in_force = self.wait_for(&address, digest).await;
        Ok(candidate.imported(digest, action, in_force))
    }

    async fn hand_out(&self, entry: Arc<Entry>, is_locked: bool) -> Result<Exported, ArchiveFault> {
        let moment = match &self.place {
            Some(place) if is_of_layout(&entry.object) => {
                let folder = place.folder(entry.address());
                let look = move || Ok(look_into(&folder));
                let folder = run(look).await?;
                folder.moment()
            }
            _ => Moment {
                last_update: self
                    .cache
                    .snapshot()
                    .updated(entry.address())
                    .unwrap_or_default(),
                generation: 0,
            },
        };
        self.clerk
            .export(entry.policy.clone(), is_locked, moment)
            .await
    }

    async fn wait_for(&self, address: &Address, digest: Digest) -> bool {
        let is_there = || {
            let snapshot = self.cache.snapshot();
            let entry = snapshot.find(address);
            entry.is_some_and(|entry| entry.policy.digest() == digest)
        };
        let wait = async {
            while !is_there() {
                tokio::time::sleep(LOOK).await;
            }
        };
        tokio::time::timeout(SEEN, wait).await.is_ok()
    }
}

impl ArchiveKeeper for DirectoryArchives {
    fn is_open(&self) -> bool {
        self.access == Access::Open
    }

    fn export(
        &self,
        entry: Arc<Entry>,
        is_locked: bool,
    ) -> BoxFuture<'_, Result<Exported, ArchiveFault>> {
        self.hand_out(entry, is_locked).boxed()
    }

    fn key(&self) -> Result<VerifyingKey, ArchiveFault> {
        self.clerk.key()
    }

    fn import(
        &self,
        caller: Caller,
        request: ImportRequest,
    ) -> BoxFuture<'_, Result<Imported, ArchiveFault>> {
        self.take_in(caller, request).boxed()
    }
}

impl Place {
    fn folder(&self, address: &Address) -> PathBuf {
        let parts = [address.group(), address.name(), address.version().as_str()];
        parts
            .iter()
            .fold(self.root.clone(), |path, part| path.join(part))
    }

    /// Writes a policy where it is newer than what is there.
    fn put(
        &self,
        candidate: &Candidate,
        held: Option<&Entry>,
        digest: Digest,
        replaces: Option<Digest>,
    ) -> Result<ImportAction, ArchiveFault> {
        let target = self.folder(&candidate.address);
        let folder = look_into(&target);
        let incumbent = match held {
            Some(entry) if !is_of_layout(&entry.object) => {
                if entry.policy.digest() == digest {
                    return Ok(ImportAction::Unchanged);
                }
                return Err(ArchiveFault::Conflict {
                    reason: format!("{} holds the address, in a file of manifests", entry.object),
                    remedy: "take it out of that file, and import again".to_owned(),
                });
            }
            Some(entry) => Some(Incumbent {
                digest: entry.policy.digest(),
                mark: folder.mark,
            }),
            None if folder.exists => {
                return Err(ArchiveFault::Conflict {
                    reason: format!(
                        "`{}` exists, and no policy of it is in force",
                        target.display()
                    ),
                    remedy: "mend the folder, or take it away".to_owned(),
                });
            }
            None => None,
        };
        let action = match decide(incumbent.as_ref(), digest, &candidate.mark, replaces)? {
            Verdict::Nothing => return Ok(ImportAction::Unchanged),
            Verdict::Create => ImportAction::Created,
            Verdict::Replace => ImportAction::Replaced,
        };
        self.write(&target, candidate)
            .map_err(|error| unwritable(&self.root, &error))?;
        Ok(action)
    }

    fn write(&self, target: &Path, candidate: &Candidate) -> io::Result<()> {
        let parent = target.parent().unwrap_or(&self.root);
        fs::create_dir_all(parent)?;
        self.check(parent)?;
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        // A hidden name is not read; it is the same each time, so that a crash leaves one at most.
        let temporary = parent.join(format!(".{name}.new"));
        remove(&temporary)?;
        fs::create_dir(&temporary)?;
        for (path, text) in &candidate.files.0 {
            let file = temporary.join(path);
            if let Some(folder) = file.parent() {
                fs::create_dir_all(folder)?;
            }
            write(&file, text.as_bytes())?;
        }
        let mark = FolderMark {
            mark: candidate.mark.clone(),
            files: candidate.files.sum(),
        };
        write(&temporary.join(MARK), &serde_json::to_vec(&mark)?)?;
        File::open(&temporary)?.sync_all()?;
        if target.exists() {
            renameat_with(CWD, &temporary, CWD, target, RenameFlags::EXCHANGE)?;
            File::open(parent)?.sync_all()?;
            // The one before it, which now has the hidden name.
            remove(&temporary)
        } else {
            fs::rename(&temporary, target)?;
            File::open(parent)?.sync_all()
        }
    }

    /// A folder of the directory may be a link that leads out of it, or to the locks.
    fn check(&self, folder: &Path) -> io::Result<()> {
        let real = fs::canonicalize(folder)?;
        if !real.starts_with(fs::canonicalize(&self.root)?) {
            return Err(io::Error::other("a link leads out of the directory"));
        }
        let except = self
            .except
            .as_ref()
            .and_then(|path| fs::canonicalize(path).ok());
        if except.is_some_and(|except| real.starts_with(except)) {
            return Err(io::Error::other("the folder is that of the locks"));
        }
        Ok(())
    }
}

impl Folder {
    /// The age that its signer told, or that of its newest file.
    fn moment(self) -> Moment {
        let known = self.mark.map(|mark| mark.moment);
        let changed = self.changed.map(|last_update| Moment {
            last_update,
            generation: 0,
        });
        known.or(changed).unwrap_or(Moment::UNKNOWN)
    }
}

fn is_of_layout(object: &ObjectKey) -> bool {
    object.kind == "directory"
}

/// What is in a folder. What cannot be read, or is more than an archive has, has no mark.
fn look_into(path: &Path) -> Folder {
    let exists = path.symlink_metadata().is_ok();
    let Ok((files, changed)) = read_folder(path) else {
        return Folder {
            exists,
            ..Folder::default()
        };
    };
    let mark = File::open(path.join(MARK))
        .and_then(|file| read_at_most(file, MAX_MARK))
        .ok()
        .and_then(|text| serde_json::from_slice::<FolderMark>(&text).ok())
        .filter(|mark| mark.files == files.sum());
    Folder {
        mark: mark.map(|mark| mark.mark),
        changed: Timestamp::try_from(changed).ok(),
        exists,
    }
}

/// The files of a folder but for hidden ones, and when one of them was changed last.
fn read_folder(root: &Path) -> io::Result<(Files, SystemTime)> {
    let mut files = Files::default();
    let mut changed = SystemTime::UNIX_EPOCH;
    let mut room = MAX_BYTES;
    let mut folders = vec![(PathBuf::new(), 0)];
    while let Some((folder, depth)) = folders.pop() {
        for entry in fs::read_dir(root.join(&folder))? {
            let entry = entry?;
            let name = entry.file_name();
            let is_hidden = name.as_encoded_bytes().starts_with(b".");
            if is_hidden {
                continue;
            }
            let (path, kind) = (folder.join(&name), entry.file_type()?);
            if kind.is_dir() && depth < MAX_DEPTH {
                folders.push((path, depth + 1));
                continue;
            }
            if !kind.is_file() || files.0.len() == MAX_FILES {
                return Err(io::Error::other("it is not what an archive has"));
            }
            let file = File::open(root.join(&path))?;
            changed = changed.max(file.metadata()?.modified()?);
            let bytes = read_at_most(file, room)?;
            room -= bytes.len() as u64;
            let text = String::from_utf8(bytes).map_err(io::Error::other)?;
            let path = path.into_os_string().into_string();
            let path = path.map_err(|_| io::Error::other("a name is not UTF-8"))?;
            files.0.insert(path, text);
        }
    }
    Ok((files, changed))
}

fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    file.write_all(content)?;
    file.sync_all()
}

fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

fn unwritable(root: &Path, error: &io::Error) -> ArchiveFault {
    let text = format!(
        "the policy cannot be written into `{}`: {error}",
        root.display()
    );
    match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            ArchiveFault::Closed(text)
        }
        _ => ArchiveFault::Unavailable(text),
    }
}

/// Runs work of the disk away from the reactor. It is not given up when its caller goes: what was
/// begun is done.
async fn run<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ArchiveFault> + Send + 'static,
) -> Result<T, ArchiveFault> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|_| {
        let text = "the work of the disk ended unexpectedly";
        Err(ArchiveFault::Unavailable(text.to_owned()))
    })
}

/// The folder's mark has nothing to show.
impl fmt::Debug for FolderMark {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_tuple("FolderMark")
            .field(&self.mark)
            .finish()
    }
}
