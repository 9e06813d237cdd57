//! PEM, as Go's `encoding/pem` finds it in a text.

use crate::rego::builtins::bytes::{STANDARD, decode};

/// A block of a text.
#[derive(Debug)]
pub(in crate::rego::builtins) struct Block<'t> {
    pub(in crate::rego::builtins) label: &'t [u8],
    pub(in crate::rego::builtins) bytes: Vec<u8>,
}

const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"\n-----END ";
const DASHES: &[u8] = b"-----";

/// The first block of a text, and what follows it. What is no block is passed over.
pub(in crate::rego::builtins) fn next(text: &[u8]) -> Option<(Block<'_>, &[u8])> {
    let mut rest = text;
    loop {
        let end = find(rest, END)?;
        match block(rest, end) {
            Read::Block(block, rest) => return Some((block, rest)),
            Read::Nothing => return None,
            Read::From(next) => rest = next,
        }
    }
}

enum Read<'t> {
    Block(Block<'t>, &'t [u8]),
    From(&'t [u8]),
    Nothing,
}

/// Reads the block whose end begins at a place.
fn block(text: &[u8], end: usize) -> Read<'_> {
    let behind = &text[end + END.len()..];
    let again = Read::From(behind);
    let Some(begin) = rfind(&text[..end], BEGIN) else {
        return again;
    };
    if begin > 0 && text[begin - 1] != b'\n' {
        return again;
    }
    let (line, mut rest) = line(&text[begin + BEGIN.len()..]);
    let Some(label) = line.strip_suffix(DASHES) else {
        return again;
    };
    // Lines with colons are headers, which nobody asks for.
    let mut has_headers = false;
    loop {
        if rest.is_empty() {
            return Read::Nothing;
        }
        let (header, next) = self::line(rest);
        if !header.contains(&b':') {
            break;
        }
        has_headers = true;
        rest = next;
    }
    // Headers may have gone beyond the end; without any, the end may be the end of the first line.
    let length = rest.len().checked_sub(text.len() - end);
    let length = match length {
        Some(length) => length,
        None if has_headers && rest.len() < behind.len() => return Read::Nothing,
        None if has_headers => return again,
        None => 0,
    };
    let Some(tail) = behind
        .strip_prefix(label)
        .and_then(|tail| tail.strip_prefix(DASHES))
    else {
        return again;
    };
    let (surplus, after) = self::line(tail);
    if !surplus.is_empty() {
        return again;
    }
    let letters = rest[..length].iter().copied();
    let letters: Vec<u8> = letters.filter(|byte| !b" \t".contains(byte)).collect();
    match decode(&letters, STANDARD) {
        Ok(bytes) => Read::Block(Block { label, bytes }, after),
        Err(_) => again,
    }
}

/// The first line, without white space at its end, and what follows it.
fn line(text: &[u8]) -> (&[u8], &[u8]) {
    let (line, rest) = match find(text, b"\n") {
        Some(at) => {
            let line = &text[..at];
            (line.strip_suffix(b"\r").unwrap_or(line), &text[at + 1..])
        }
        None => (text, &text[text.len()..]),
    };
    let end = line.iter().rposition(|byte| !b" \t".contains(byte));
    (&line[..end.map_or(0, |at| at + 1)], rest)
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

fn rfind(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).rposition(|window| window == part)
}
