//! A `.tar.gz` that unpacks to far more than it is.
//!
//! Nothing is compressed for it, which would take longer than what is tested: what DEFLATE makes of
//! noughts repeats itself every thirteen bytes, and is written down.

/// Bytes of a block of `tar`.
const BLOCK: usize = 512;

/// Noughts that one copy of DEFLATE stands for, at most.
const LONGEST: u64 = 258;

/// A `.tar.gz` of one file that has so many noughts (rounded down to whole copies), without the
/// checksum at its end, which nobody who has a limit comes to.
pub fn of_noughts(name: &str, size: u64) -> Vec<u8> {
    let header = header(name, size);
    // Magic, DEFLATE, no flags, no time, no extra flags, no system.
    let mut bytes = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    // A block that is stored as it is, and not the last one: its length, and its complement.
    let length = u16::try_from(header.len()).unwrap_or_default();
    bytes.push(0);
    bytes.extend(length.to_le_bytes());
    bytes.extend((!length).to_le_bytes());
    bytes.extend(header);
    let mut bits = Bits::default();
    // The last block, with the codes that are fixed: one nought, and copies of what is before.
    bits.push(0b1, 1);
    bits.push(0b01, 2);
    bits.push(0b0000_1100, 8);
    for _ in 0..size / LONGEST {
        // Code 285, which is the longest copy, from one byte before.
        bits.push(0b1010_0011, 8);
        bits.push(0, 5);
    }
    // The end of the block, and as many bits as fill its last byte.
    bits.push(0, 7);
    bits.push(0, 7);
    bytes.extend(bits.bytes);
    bytes
}

/// The header of a file, as `tar` has had it since 1988.
fn header(name: &str, size: u64) -> [u8; BLOCK] {
    let mut header = [0; BLOCK];
    let mut put = |at: usize, text: &str| {
        header[at..at + text.len()].copy_from_slice(text.as_bytes());
    };
    put(0, name);
    put(100, "0000644");
    put(108, "0000000");
    put(116, "0000000");
    put(124, &format!("{size:011o}"));
    put(136, "00000000000");
    // The checksum is of a header that has blanks in its place.
    put(148, "        ");
    put(156, "0");
    put(257, "ustar");
    put(263, "00");
    let sum: u32 = header.iter().copied().map(u32::from).sum();
    header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    header
}

/// Bits, the first one lowest in its byte.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    open: u32,
    count: u32,
}

impl Bits {
    fn push(&mut self, bits: u32, count: u32) {
        self.open |= bits << self.count;
        self.count += count;
        while self.count >= 8 {
            let [low, ..] = self.open.to_le_bytes();
            self.bytes.push(low);
            self.open >>= 8;
            self.count -= 8;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Write as _, process::Command};

    use super::*;

    #[test]
    fn is_an_archive_that_others_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("noughts.tar.gz");
        let archive = of_noughts("a/data.json", 1 << 20);
        assert!(archive.len() < 10_000, "{}", archive.len());
        std::fs::File::create(&path)
            .unwrap()
            .write_all(&archive)
            .unwrap();
        let listed = Command::new("tar").arg("tzvf").arg(path).output().unwrap();
        let listed = String::from_utf8(listed.stdout).unwrap();
        assert!(listed.contains("1048576"), "{listed}");
        assert!(listed.contains("a/data.json"), "{listed}");
    }
}
