//! A file of lines that is rotated: `log`, `log.1`, `log.2`, the newest first, so many bytes each, and
//! so many files.
//!
//! A line is whole or not there. It is written by one call at the end of the file; what is written of it
//! when the disk is full is taken back. A file that somebody has moved or removed is left, and another
//! one opened in its place, so that other programs may rotate it, too.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

/// Who may read a log: its owner. Entries tell who asks for what.
const MODE: u32 = 0o600;

/// A file that is rotated.
#[derive(Debug)]
pub(super) struct Rotation {
    path: PathBuf,
    /// Most bytes of a file; a longer line has one of its own.
    size: u64,
    /// Files, the one that is written to among them.
    count: u32,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    file: File,
    bytes: u64,
    /// What the file is on its disk.
    place: (u64, u64),
}

impl Rotation {
    /// Nothing is opened before the first line.
    pub(super) fn new(path: PathBuf, size: u64, count: u32) -> Self {
        Self {
            path,
            size,
            count,
            open: None,
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens the file, to see whether that works.
    pub(super) fn check(&mut self) -> io::Result<()> {
        self.current().map(drop)
    }

    /// Writes a line, with its end. Where that fails, nothing of it stays.
    pub(super) fn append(&mut self, line: &[u8]) -> io::Result<()> {
        let length = u64::try_from(line.len()).unwrap_or(u64::MAX);
        let size = self.size;
        let open = self.current()?;
        if open.bytes > 0 && open.bytes.saturating_add(length) > size {
            self.rotate()?;
        }
        let open = self.current()?;
        match open.file.write_all(line) {
            Ok(()) => {
                open.bytes += length;
                Ok(())
            }
            Err(error) => {
                // If that fails as well, the next one to open the file ends the line.
                let taken_back = open.file.set_len(open.bytes);
                if taken_back.is_err() {
                    self.open = None;
                }
                Err(error)
            }
        }
    }

    /// The file that has the name now.
    fn current(&mut self) -> io::Result<&mut Open> {
        let has_name = self.open.as_ref().is_some_and(|open| {
            fs::metadata(&self.path).is_ok_and(|found| place_of(&found) == open.place)
        });
        if !has_name {
            self.open = None;
        }
        match &mut self.open {
            Some(open) => Ok(open),
            closed => Ok(closed.insert(Open::at(&self.path)?)),
        }
    }

    /// Moves each file to the next number, from the last on, so that whatever stops it half-way loses
    /// none but the last.
    fn rotate(&mut self) -> io::Result<()> {
        self.open = None;
        if self.count <= 1 {
            return fs::remove_file(&self.path);
        }
        for number in (1..self.count).rev() {
            let from = match number {
                1 => self.path.clone(),
                _ => self.numbered(number - 1),
            };
            match fs::rename(&from, self.numbered(number)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    fn numbered(&self, number: u32) -> PathBuf {
        let mut path = self.path.clone().into_os_string();
        path.push(format!(".{number}"));
        path.into()
    }
}

impl Open {
    fn at(path: &Path) -> io::Result<Self> {
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .read(true)
            .mode(MODE)
            .open(path)?;
        let found = file.metadata()?;
        if !found.is_file() {
            let why = "it is no file: a log that is rotated has to be one";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        }
        let mut bytes = found.len();
        if bytes > 0 {
            let mut last = [0];
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut last)?;
            if last != *b"\n" {
                // A process ended in the middle of a line, which ends here.
                file.write_all(b"\n")?;
                bytes += 1;
            }
        }
        Ok(Self {
            place: place_of(&found),
            file,
            bytes,
        })
    }
}

fn place_of(found: &fs::Metadata) -> (u64, u64) {
    (found.dev(), found.ino())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use tempfile::TempDir;

    use super::*;

    fn read(folder: &TempDir) -> Vec<(String, String)> {
        let mut files: Vec<_> = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| {
                let path = entry.unwrap().path();
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                (name, fs::read_to_string(&path).unwrap())
            })
            .collect();
        files.sort();
        files
    }

    fn expected(files: &[(&str, &str)]) -> Vec<(String, String)> {
        let own = files.iter();
        own.map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
            .collect()
    }

    #[rstest]
    #[case::three(3, &[("log", "7\n"), ("log.1", "5\n6\n"), ("log.2", "3\n4\n")])]
    #[case::two(2, &[("log", "7\n"), ("log.1", "5\n6\n")])]
    #[case::one(1, &[("log", "7\n")])]
    fn so_many_files_of_so_many_bytes_are_kept(#[case] count: u32, #[case] files: &[(&str, &str)]) {
        let folder = TempDir::new().unwrap();
        let mut rotation = Rotation::new(folder.path().join("log"), 5, count);
        for line in 1..=7 {
            rotation.append(format!("{line}\n").as_bytes()).unwrap();
        }
        assert_eq!(read(&folder), expected(files));
    }

    #[test]
    fn a_longer_line_has_a_file_of_its_own() {
        let folder = TempDir::new().unwrap();
        let mut rotation = Rotation::new(folder.path().join("log"), 5, 9);
        for line in ["1\n", "longer than a file\n", "2\n"] {
            rotation.append(line.as_bytes()).unwrap();
        }
        let files = [
            ("log", "2\n"),
            ("log.1", "longer than a file\n"),
            ("log.2", "1\n"),
        ];
        assert_eq!(read(&folder), expected(&files));
    }

    #[test]
    fn a_file_that_is_moved_or_removed_is_left() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("log");
        let mut rotation = Rotation::new(path.clone(), 100, 2);
        rotation.append(b"1\n").unwrap();
        fs::rename(&path, folder.path().join("moved")).unwrap();
        rotation.append(b"2\n").unwrap();
        fs::remove_file(&path).unwrap();
        rotation.append(b"3\n").unwrap();
        assert_eq!(read(&folder), expected(&[("log", "3\n"), ("moved", "1\n")]));
    }

    #[test]
    fn what_was_there_is_gone_on_with() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("log");
        fs::write(&path, "1\n{\"half").unwrap();
        let mut rotation = Rotation::new(path.clone(), 100, 2);
        rotation.append(b"2\n").unwrap();
        assert_eq!(read(&folder), expected(&[("log", "1\n{\"half\n2\n")]));
        let mut another = Rotation::new(path, 12, 2);
        another.append(b"3\n").unwrap();
        assert_eq!(read(&folder).len(), 2);
    }

    #[test]
    fn others_may_not_read_it() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("log");
        Rotation::new(path.clone(), 9, 1).append(b"1\n").unwrap();
        assert_eq!(fs::metadata(path).unwrap().mode() & 0o777, MODE);
    }

    #[test]
    fn what_is_no_file_is_refused() {
        let folder = TempDir::new().unwrap();
        assert!(Rotation::new(folder.path().into(), 9, 1).check().is_err());
        assert!(Rotation::new("/dev/null".into(), 9, 1).check().is_err());
        let within = folder.path().join("no/log");
        assert!(Rotation::new(within, 9, 1).check().is_err());
    }

    /// A device that is always full.
    #[test]
    fn nothing_stays_of_a_line_that_finds_no_room() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("log");
        let mut rotation = Rotation::new(path.clone(), 100, 2);
        rotation.append(b"1\n").unwrap();
        let full = File::options().write(true).open("/dev/full").unwrap();
        let open = rotation.open.as_mut().unwrap();
        let file = std::mem::replace(&mut open.file, full);
        assert!(rotation.append(b"2\n").is_err());
        drop(file);
        rotation.append(b"3\n").unwrap();
        assert_eq!(read(&folder), expected(&[("log", "1\n3\n")]));
    }
}
