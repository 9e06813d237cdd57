//! Where the decision log goes: standard output, a file that is rotated, or a receiver over HTTP.
//!
//! ```text
//! Feed ─┬─▶ console  lines, to standard output
//!       ├─▶ file     lines, to a file of bounded size, of which a bounded number is kept
//!       └─▶ upload   gzipped arrays, sent until they are taken
//! ```
//!
//! Each has a thread of its own and a bounded buffer in front of it, so that it may block.

mod backoff;
mod chunk;
mod console;
mod file;
mod receiver;
mod rotation;
mod upload;

use std::{path::PathBuf, str::FromStr};

pub use console::Console;
pub use file::FileSink;
pub use receiver::Receiver;
pub use upload::Upload;

use crate::network::Target;

/// Where entries go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// Standard output.
    Stdout,
    /// A file.
    File(PathBuf),
    /// A receiver, by its URL.
    Http(String),
}

impl FromStr for Destination {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "stdout" {
            return Ok(Self::Stdout);
        }
        if let Some(path) = text.strip_prefix("file:").filter(|path| !path.is_empty()) {
            return Ok(Self::File(path.into()));
        }
        if text.starts_with("http://") || text.starts_with("https://") {
            let target = Target::parse(text).map_err(|fault| fault.to_string())?;
            return Ok(Self::Http(target.url()));
        }
        Err("write `stdout`, `file:PATH`, or the URL of a receiver".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("stdout", Some(Destination::Stdout))]
    #[case("file:/var/log/d.json", Some(Destination::File("/var/log/d.json".into())))]
    #[case("file:d.json", Some(Destination::File("d.json".into())))]
    #[case("https://logs.example.com", Some(Destination::Http("https://logs.example.com/".to_owned())))]
    #[case("http://127.0.0.1:1/logs?a=b", Some(Destination::Http("http://127.0.0.1:1/logs?a=b".to_owned())))]
    #[case("file:", None)]
    #[case("stderr", None)]
    #[case("/var/log/d.json", None)]
    #[case("ftp://example.com", None)]
    #[case("https://", None)]
    #[case("https://user:pw@example.com", None)]
    #[case("", None)]
    fn destinations_are_read(#[case] text: &str, #[case] expected: Option<Destination>) {
        assert_eq!(text.parse().ok(), expected);
    }
}
