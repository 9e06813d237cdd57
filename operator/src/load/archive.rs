//! Compressed archives, within bounds.

use std::{
    fs::File,
    io::{self, Read as _},
    path::Path,
};

use flate2::read::MultiGzDecoder;
use tar::{Archive, EntryType};

use super::{Ignore, Result, fault, unreadable};
use crate::files::{MAX_ENTRIES, MAX_FILE, MAX_TOTAL, read_at_most};

/// Files of a bundle, by their paths.
pub(super) type Files = Vec<(String, Vec<u8>)>;

/// The files of a `.tar.gz`. Folders and links are no files, as in OPA: nothing is written anywhere,
/// so a path cannot lead out of the archive.
pub(super) fn files(path: &Path, ignore: &Ignore) -> Result<Files> {
    let file = File::open(path).map_err(|error| unreadable("open", path, &error))?;
    // What is read of a file that claims to be small is bounded as well.
    let unpacked = MultiGzDecoder::new(file).take(2 * MAX_TOTAL);
    let failed =
        |error: io::Error| fault(format!("bundle read failed: archive read failed: {error}"));
    let mut archive = Archive::new(unpacked);
    let mut files = Files::new();
    let mut skipped: Vec<String> = Vec::new();
    let (mut count, mut bytes) = (0, 0);
    for entry in archive.entries().map_err(failed)? {
        let entry = entry.map_err(failed)?;
        count += 1;
        if count > MAX_ENTRIES {
            return Err(fault(format!(
                "the archive has more than {MAX_ENTRIES} files"
            )));
        }
        let name = String::from_utf8(entry.path_bytes().into_owned())
            .map_err(|_| fault("a name in the archive is not UTF-8"))?;
        let trimmed = name.trim_matches('/').to_owned();
        let last = trimmed.rsplit('/').next().unwrap_or_default();
        match entry.header().entry_type() {
            EntryType::Directory if ignore.covers(last) => skipped.push(trimmed),
            EntryType::Regular | EntryType::Continuous => {
                let folder = trimmed.rsplit_once('/').map_or(".", |(folder, _)| folder);
                if ignore.covers(last) || skipped.iter().any(|prefix| folder.starts_with(prefix)) {
                    continue;
                }
                let content = read_at_most(entry, MAX_FILE)
                    .map_err(|error| fault(format!("bundle file {name}: {error}")))?;
                bytes += content.len() as u64;
                if bytes > MAX_TOTAL {
                    let message = format!("the archive has more than {} MiB", MAX_TOTAL >> 20);
                    return Err(fault(message));
                }
                files.push((name, content));
            }
            _ => {}
        }
    }
    Ok(files)
}
