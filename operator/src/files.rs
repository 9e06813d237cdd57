//! Files within bounds.

use std::{
    fs::{self, File},
    io::{self, Read, Write as _},
    path::{Path, PathBuf},
};

/// Most files and folders of a tree that are looked at. Where a tree is followed, each costs a system
/// call a second, so that one of this size keeps a tenth of a core busy at most.
pub(crate) const MAX_ENTRIES: usize = 20_000;

/// Largest file, in bytes. The API server takes objects of 3 MiB; a table in `data.json` may be
/// larger, and is held in memory several times while it is read.
pub(crate) const MAX_FILE: u64 = 16 << 20;

/// Most bytes in all files of a tree that are read, so that a wrong directory does not fill the
/// memory.
pub(crate) const MAX_TOTAL: u64 = 256 << 20;

/// Reads a file of at most [`MAX_FILE`] bytes.
pub(crate) fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    read_at_most(File::open(path)?, MAX_FILE)
}

/// Reads something that may grow while it is read.
pub(crate) fn read_at_most(from: impl Read, bound: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(bound + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > bound {
        return Err(io::Error::other(format!("larger than {} MiB", bound >> 20)));
    }
    Ok(bytes)
}

/// Reads a file of at most so many bytes on a thread that may wait for it.
pub(crate) async fn read_aside(path: PathBuf, bound: u64) -> io::Result<Vec<u8>> {
    let read = move || read_at_most(File::open(path)?, bound);
    let read = tokio::task::spawn_blocking(read).await;
    read.unwrap_or_else(|error| Err(io::Error::other(error)))
}

/// Writes a file so that it is whole or as it was, whatever ends meanwhile, and survives the end of the
/// machine.
pub(crate) fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::ErrorKind::InvalidFilename.into());
    };
    // A hidden name is not read; it is the same each time, so that a crash leaves one at most.
    let temporary = folder.join(format!(".{}.new", name.display()));
    let mut file = File::create(&temporary)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    File::open(folder)?.sync_all()
}
