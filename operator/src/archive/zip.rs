//! ZIP archives (PKWARE's APPNOTE), as little of them as a policy needs, read strictly.
//!
//! Written: files as they are, without compression, with one time for all, so that the same files are
//! the same bytes in every version of this program. Read: plain and deflated files. Refused: whatever
//! readers understand differently, so that nobody sees another archive than who signed it: comments,
//! several disks, 64-bit sizes, encryption, two files of one name, files that lie over each other, and
//! headers that contradict each other. Folders, links and devices are refused, and so is every path
//! that leads elsewhere.

use std::io::Read as _;

use flate2::{Crc, read::DeflateDecoder};

/// Most that is read of an archive.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Files.
    pub files: usize,
    /// Bytes of all of them, expanded.
    pub bytes: usize,
}

/// A file: its path and its content.
pub(super) type File = (String, Vec<u8>);

/// Why an archive is not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ZipFault {
    #[error("it is not a ZIP archive, or it is cut short")]
    NotZip,
    #[error("the ZIP archive contradicts itself: {0}")]
    Contradiction(&'static str),
    #[error("the ZIP archive has {0}, which is not supported")]
    Unsupported(&'static str),
    #[error("`{0}` is not the path of a file of a policy")]
    Path(String),
    #[error("`{0}` is there twice")]
    Twice(String),
    #[error("`{0}` is damaged")]
    Damaged(String),
    #[error("it has more than {0} files")]
    Many(usize),
    #[error("its files have more than {0} bytes")]
    Large(usize),
}

const LOCAL: u32 = 0x0403_4b50;
const CENTRAL: u32 = 0x0201_4b50;
const END: u32 = 0x0605_4b50;

/// Bytes of each record without what is of variable length.
const LOCAL_BYTES: usize = 30;
const CENTRAL_BYTES: usize = 46;
const END_BYTES: usize = 22;

/// Version 2.0, which deflation and folders need.
const VERSION: u16 = 20;
/// The 1st of January 1980, midnight: the first moment that a ZIP archive can tell.
const TIME: [u8; 4] = [0, 0, 0x21, 0];
/// Names are UTF-8.
const UTF8: u16 = 1 << 11;
/// Sizes stand behind the content.
const DESCRIPTOR: u16 = 1 << 3;
/// How hard the compressor tried.
const EFFORT: u16 = 0b110;

const STORED: u16 = 0;
const DEFLATED: u16 = 8;

/// Longest path, the longest name of a file on Linux.
const MAX_PATH: usize = 255;

/// Archives files in this order. Their sizes are bounded by whoever made them, far below what a ZIP
/// archive can tell.
pub(super) fn write(files: &[(&str, &[u8])]) -> Vec<u8> {
    let size = |length: usize| u32::try_from(length).expect("an archive must be below 4 GiB");
    let mut archive = Vec::new();
    let mut directory = Vec::new();
    for (path, content) in files {
        let mut sum = Crc::new();
        sum.update(content);
        let mut shared = Vec::new();
        shared.extend(VERSION.to_le_bytes());
        shared.extend(UTF8.to_le_bytes());
        shared.extend(STORED.to_le_bytes());
        shared.extend(TIME);
        shared.extend(sum.sum().to_le_bytes());
        shared.extend(size(content.len()).to_le_bytes());
        shared.extend(size(content.len()).to_le_bytes());
        let length = u16::try_from(path.len()).expect("a path must be short");
        shared.extend(length.to_le_bytes());
        // No extra field.
        shared.extend([0; 2]);

        directory.extend(CENTRAL.to_le_bytes());
        directory.extend(VERSION.to_le_bytes());
        directory.extend(&shared);
        // No comment; the first disk; no attributes within and without.
        directory.extend([0; 10]);
        directory.extend(size(archive.len()).to_le_bytes());
        directory.extend(path.as_bytes());

        archive.extend(LOCAL.to_le_bytes());
        archive.extend(&shared);
        archive.extend(path.as_bytes());
        archive.extend(*content);
    }
    let count = u16::try_from(files.len()).expect("a policy must have few files");
    let (start, length) = (size(archive.len()), size(directory.len()));
    archive.append(&mut directory);
    archive.extend(END.to_le_bytes());
    archive.extend([0; 4]);
    archive.extend(count.to_le_bytes());
    archive.extend(count.to_le_bytes());
    archive.extend(length.to_le_bytes());
    archive.extend(start.to_le_bytes());
    archive.extend([0; 2]);
    archive
}

/// The files of an archive, in the order of its directory.
pub(super) fn read(archive: &[u8], bounds: Bounds) -> Result<Vec<File>, ZipFault> {
    let end_at = archive
        .len()
        .checked_sub(END_BYTES)
        .ok_or(ZipFault::NotZip)?;
    let end = Record::at(archive, end_at, END, END_BYTES)?;
    if end.short(20) != 0 {
        return Err(ZipFault::Unsupported("a comment"));
    }
    let count = end.short(10);
    if (end.short(4), end.short(6), end.short(8)) != (0, 0, count) {
        return Err(ZipFault::Unsupported("several disks"));
    }
    let count = usize::from(count);
    if count > bounds.files {
        return Err(ZipFault::Many(bounds.files));
    }
    let directory = end.long(16);
    if directory.checked_add(end.long(12)) != Some(end_at) {
        return Err(ZipFault::Contradiction("its directory is not at its end"));
    }
    let mut files: Vec<File> = Vec::with_capacity(count);
    let (mut at, mut free) = (directory, 0);
    let mut room = bounds.bytes;
    for _ in 0..count {
        let entry = Entry::read(&archive[..end_at], at)?;
        at = entry.next;
        if files.iter().any(|(path, _)| *path == entry.path) {
            return Err(ZipFault::Twice(entry.path));
        }
        if entry.expanded > room {
            return Err(ZipFault::Large(bounds.bytes));
        }
        let start = entry.content_start(&archive[..directory])?;
        if entry.offset < free {
            return Err(ZipFault::Contradiction(
                "two of its files share their bytes",
            ));
        }
        let stop = start
            .checked_add(entry.packed)
            .filter(|stop| *stop <= directory);
        let stop = stop.ok_or(ZipFault::Contradiction("a file is longer than it"))?;
        let content = entry.expand(&archive[start..stop])?;
        (room, free) = (room - content.len(), stop);
        files.push((entry.path, content));
    }
    if at != end_at {
        return Err(ZipFault::Contradiction(
            "its directory is longer than it says",
        ));
    }
    Ok(files)
}

/// What the directory says of a file.
struct Entry {
    path: String,
    method: u16,
    flags: u16,
    sum: u32,
    packed: usize,
    expanded: usize,
    /// Where its own header is.
    offset: usize,
    /// Where the next entry is.
    next: usize,
}

impl Entry {
    fn read(archive: &[u8], at: usize) -> Result<Self, ZipFault> {
        let record = Record::at(archive, at, CENTRAL, CENTRAL_BYTES)?;
        let [name, extra, comment] = [28, 30, 32].map(|field| usize::from(record.short(field)));
        let path = bytes(archive, at + CENTRAL_BYTES, name)?;
        let path = path_of(path)?;
        let flags = record.short(8);
        if flags & !(UTF8 | DESCRIPTOR | EFFORT) != 0 {
            return Err(ZipFault::Unsupported("encrypted or patched files"));
        }
        // The upper half of the attributes is the mode of a file on Unix, if that made it.
        let attributes = record.long(38);
        let kind = attributes >> 28;
        if attributes & 0x10 != 0 || (kind != 0 && kind != 0o10) {
            return Err(ZipFault::Unsupported("folders, links or devices"));
        }
        if record.short(34) != 0 {
            return Err(ZipFault::Unsupported("several disks"));
        }
        let sizes = [record.long(20), record.long(24), record.long(42)];
        if sizes.contains(&(u32::MAX as usize)) {
            return Err(ZipFault::Unsupported("64-bit sizes"));
        }
        let [packed, expanded, offset] = sizes;
        Ok(Self {
            path,
            method: record.short(10),
            flags,
            sum: u32::try_from(record.long(16)).expect("a field of four bytes must fit"),
            packed,
            expanded,
            offset,
            next: at + CENTRAL_BYTES + name + extra + comment,
        })
    }

    /// Where the content begins: behind a header of its own that says the same.
    fn content_start(&self, archive: &[u8]) -> Result<usize, ZipFault> {
        let record = Record::at(archive, self.offset, LOCAL, LOCAL_BYTES)?;
        let [name, extra] = [26, 28].map(|field| usize::from(record.short(field)));
        let path = bytes(archive, self.offset + LOCAL_BYTES, name)?;
        let sizes = [record.long(14), record.long(18), record.long(22)];
        let known = [self.sum as usize, self.packed, self.expanded];
        let is_behind = self.flags & DESCRIPTOR != 0 && sizes == [0; 3];
        let is_same = path == self.path.as_bytes()
            && (record.short(6), record.short(8)) == (self.flags, self.method)
            && (sizes == known || is_behind);
        if !is_same {
            return Err(ZipFault::Contradiction(
                "a file's header is not as its directory",
            ));
        }
        Ok(self.offset + LOCAL_BYTES + name + extra)
    }

    fn expand(&self, packed: &[u8]) -> Result<Vec<u8>, ZipFault> {
        let damaged = || ZipFault::Damaged(self.path.clone());
        let content = match self.method {
            STORED => packed.to_vec(),
            DEFLATED => {
                let mut content = Vec::new();
                // One byte more than it says: what expands to more is not what was announced.
                let limit = self.expanded as u64 + 1;
                let mut decoder = DeflateDecoder::new(packed).take(limit);
                decoder.read_to_end(&mut content).map_err(|_| damaged())?;
                content
            }
            _ => return Err(ZipFault::Unsupported("another compression than deflation")),
        };
        let mut sum = Crc::new();
        sum.update(&content);
        if content.len() != self.expanded || sum.sum() != self.sum {
            return Err(damaged());
        }
        Ok(content)
    }
}

/// A record of fixed length; all of its fields are in it.
struct Record<'a>(&'a [u8]);

impl<'a> Record<'a> {
    fn at(archive: &'a [u8], at: usize, mark: u32, length: usize) -> Result<Self, ZipFault> {
        let record = Self(bytes(archive, at, length)?);
        if record.long(0) == mark as usize {
            Ok(record)
        } else {
            Err(ZipFault::NotZip)
        }
    }

    fn short(&self, at: usize) -> u16 {
        u16::from_le_bytes([self.0[at], self.0[at + 1]])
    }

    fn long(&self, at: usize) -> usize {
        let field = [0, 1, 2, 3].map(|byte| self.0[at + byte]);
        u32::from_le_bytes(field) as usize
    }
}

fn bytes(archive: &[u8], at: usize, length: usize) -> Result<&[u8], ZipFault> {
    let end = at.checked_add(length).ok_or(ZipFault::NotZip)?;
    archive.get(at..end).ok_or(ZipFault::NotZip)
}

/// A path below the policy's folder: of names that are no way elsewhere on any system.
fn path_of(bytes: &[u8]) -> Result<String, ZipFault> {
    let shown = || String::from_utf8_lossy(bytes).into_owned();
    let path = std::str::from_utf8(bytes).map_err(|_| ZipFault::Path(shown()))?;
    let is_plain = |character: char| {
        !character.is_control()
            && !matches!(character, '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|')
    };
    let is_name =
        |name: &str| !name.is_empty() && !name.starts_with('.') && name.chars().all(is_plain);
    if path.len() <= MAX_PATH && path.split('/').all(is_name) {
        Ok(path.to_owned())
    } else {
        Err(ZipFault::Path(shown()))
    }
}

#[cfg(test)]
mod tests;
