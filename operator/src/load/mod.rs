//! Policies and data from files, directories and bundles, where OPA finds them.
//!
//! ```text
//! --data PATH   ─ paths ──┬─ .rego ─▶ Source
//!                         ├─ .json, .yaml ─▶ a place in `data`: the folders below PATH
//!                         └─ .tar.gz ─┐
//! --bundle PATH ─ bundle ─┬─ archive ─┴─▶ sources, `data.json` and `data.yaml` at their folders
//!                         └─ a directory
//! ```
//!
//! Trees, files and archives are bounded by the constants of `files`, and by `MAX_DEPTH`.

mod archive;
mod bundle;
mod ignore;
mod manifest;
mod paths;

use std::{io, path::Path};

use portcullis_policies::{
    Diagnostic, Document, RegoVersion,
    workbench::{Base, Source},
};

pub use ignore::Ignore;

/// Deepest folder. Nobody's packages have fifty parts.
const MAX_DEPTH: usize = 50;

/// What is to be loaded.
#[derive(Clone, Debug, Default)]
pub struct Load {
    /// Files and directories, each with or without a place: `a.b:file.json`.
    pub data: Vec<String>,
    /// Directories and archives that are bundles.
    pub bundles: Vec<String>,
    /// What is passed over.
    pub ignore: Ignore,
    /// The version that modules are written in, if they do not say otherwise.
    pub version: RegoVersion,
}

/// What was loaded.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// The modules.
    pub sources: Vec<Source>,
    /// Base data.
    pub data: Document,
}

impl Load {
    /// Loads all of it. The faults are never empty.
    pub fn run(&self) -> std::result::Result<Loaded, Vec<Diagnostic>> {
        let mut found = self.found().map_err(|faults| {
            let diagnostics = faults.into_iter().map(Diagnostic::from);
            diagnostics.collect::<Vec<_>>()
        })?;
        // The same module, by whatever way it was found, is one.
        found
            .sources
            .sort_by(|left, right| left.name.cmp(&right.name));
        found
            .sources
            .dedup_by(|left, right| left.name == right.name);
        Ok(Loaded {
            sources: found.sources,
            data: found.base.document(),
        })
    }
}

impl Load {
    fn found(&self) -> std::result::Result<Found, Vec<Fault>> {
        let mut found = paths::load(&self.data, &self.ignore, self.version)?;
        bundle::add(&self.bundles, &self.ignore, self.version, &mut found)
            .map_err(|fault| vec![fault])?;
        Ok(found)
    }
}

/// What was found until now.
#[derive(Debug, Default)]
struct Found {
    sources: Vec<Source>,
    base: Base,
}

/// What loading gives.
type Result<T> = std::result::Result<T, Fault>;

/// Why something cannot be loaded, in OPA's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    remedy: Option<&'static str>,
}

impl From<Fault> for Diagnostic {
    fn from(fault: Fault) -> Self {
        let diagnostic = Self::new("load_error", fault.message);
        match fault.remedy {
            Some(remedy) => diagnostic.with_remedy(remedy),
            None => diagnostic,
        }
    }
}

fn fault(message: impl Into<String>) -> Fault {
    Fault {
        message: message.into(),
        remedy: None,
    }
}

/// A fault with what to do about it.
fn mendable(message: impl Into<String>, remedy: &'static str) -> Fault {
    Fault {
        remedy: Some(remedy),
        ..fault(message)
    }
}

impl Fault {
    /// The same fault, of something within a bundle.
    fn of_bundle(self, path: &str) -> Self {
        Self {
            message: format!("bundle {path}: {}", self.message),
            ..self
        }
    }
}

/// A file that cannot be read, as OPA says it.
fn unreadable(what: &str, path: &Path, error: &io::Error) -> Fault {
    let why = match error.kind() {
        io::ErrorKind::NotFound => "no such file or directory".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    };
    fault(format!("{what} {}: {why}", path.display()))
}

/// Text that has to be UTF-8.
fn text(path: &str, bytes: Vec<u8>) -> Result<String> {
    let text = String::from_utf8(bytes);
    text.map_err(|_| fault(format!("{path}: the file is not UTF-8")))
}

/// Reads JSON.
fn json(path: &str, text: &str) -> Result<Document> {
    Document::read(text).map_err(|why| fault(format!("{path}: {why}")))
}

/// Reads YAML.
fn yaml(path: &str, text: &str) -> Result<Document> {
    Document::read_yaml(text)
        .map_err(|why| fault(format!("{path}: error converting YAML to JSON: {why}")))
}

/// Reads JSON, or else YAML.
pub fn json_or_yaml(path: &str, text: &str) -> std::result::Result<Document, Fault> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    Document::read(text).or_else(|_| yaml(path, text))
}

/// A path without `.` and doubled slashes, and with `..` taken back where that is possible, as Go's
/// `filepath.Clean` has it.
fn clean(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if rooted => {}
            part => parts.push(part),
        }
    }
    match (rooted, parts.is_empty()) {
        (true, _) => format!("/{}", parts.join("/")),
        (false, true) => ".".to_owned(),
        (false, false) => parts.join("/"),
    }
}

/// Two paths, one after the other.
fn join(left: &str, right: &str) -> String {
    if left.is_empty() {
        return clean(right);
    }
    clean(&format!("{left}/{right}"))
}

/// A path that may be a `file://` URL, and is on no other machine.
fn local(path: &str) -> Result<String> {
    let path = match path.split_once("://") {
        Some(("file", rest)) => {
            // A host stands before the path.
            let at = rest.find('/').unwrap_or(rest.len());
            &rest[at..]
        }
        Some(_) => return Err(fault(format!("unsupported URL scheme: {path}"))),
        None => path,
    };
    let slash = |c: u8| c == b'/' || c == b'\\';
    match path.as_bytes() {
        [first, second, ..] if slash(*first) && slash(*second) => {
            Err(fault(format!("UNC path read is not allowed: {path}")))
        }
        _ => Ok(path.to_owned()),
    }
}

#[cfg(test)]
mod tests;
