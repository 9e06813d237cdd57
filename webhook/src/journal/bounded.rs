//! JSON of a bounded length.

use std::io::{self, Write};

use serde::Serialize;

/// The JSON of a value, if it has at most `limit` bytes. No more than that is written.
pub(super) fn json(value: &impl Serialize, limit: usize) -> Option<Box<str>> {
    let mut writer = Bounded {
        bytes: Vec::new(),
        limit,
    };
    serde_json::to_writer(&mut writer, value).ok()?;
    String::from_utf8(writer.bytes).ok().map(Into::into)
}

struct Bounded {
    bytes: Vec<u8>,
    limit: usize,
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > self.limit {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(5, Some("[1,2]"))]
    #[case(4, None)]
    #[case(0, None)]
    fn is_written_if_it_fits(#[case] limit: usize, #[case] expected: Option<&str>) {
        assert_eq!(json(&[1, 2], limit).as_deref(), expected);
    }
}
