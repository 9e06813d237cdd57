//! Chunks: gzipped arrays of entries, of a bounded length.

use std::{
    io::{self, Write as _},
    sync::Arc,
};

use flate2::{Compression, write::GzEncoder};
use portcullis_webhook::LogEntry;

/// What one upload carries.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Chunk {
    /// A JSON array, gzipped.
    pub(super) bytes: Vec<u8>,
    /// Entries in it.
    pub(super) entries: usize,
}

/// Packs entries into chunks of `limit` bytes at most, in their order. An entry that alone is longer is
/// packed without its input and its result; the number of those that are longer even so comes with them.
pub(super) fn pack(entries: &[Arc<LogEntry>], limit: usize) -> (Vec<Chunk>, usize) {
    let mut chunks = Vec::new();
    let mut too_long = 0;
    split(entries, limit, &mut chunks, &mut too_long);
    (chunks, too_long)
}

/// As one chunk, or else each half by itself.
fn split(entries: &[Arc<LogEntry>], limit: usize, chunks: &mut Vec<Chunk>, too_long: &mut usize) {
    if entries.is_empty() {
        return;
    }
    let objects = entries.iter().map(|entry| entry.object());
    if let Some(bytes) = gzip(objects, limit) {
        let entries = entries.len();
        chunks.push(Chunk { bytes, entries });
        return;
    }
    if let [entry] = entries {
        let short = entry.short_object();
        match short.and_then(|short| gzip([short].into_iter(), limit)) {
            Some(bytes) => chunks.push(Chunk { bytes, entries: 1 }),
            None => *too_long += 1,
        }
        return;
    }
    let (first, second) = entries.split_at(entries.len() / 2);
    split(first, limit, chunks, too_long);
    split(second, limit, chunks, too_long);
}

/// The array of these objects, if it has `limit` bytes at most.
fn gzip(objects: impl Iterator<Item = String>, limit: usize) -> Option<Vec<u8>> {
    let pack = || -> io::Result<Vec<u8>> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        let mut between = b"[";
        for object in objects {
            encoder.write_all(between)?;
            encoder.write_all(object.as_bytes())?;
            between = b",";
        }
        encoder.write_all(b"]")?;
        encoder.finish()
    };
    // Writing to a Vec cannot fail.
    pack().ok().filter(|bytes| bytes.len() <= limit)
}
