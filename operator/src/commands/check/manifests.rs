//! The manifests that are judged: files, directories, patterns and standard input.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use portcullis_policies::{Diagnostic, Labels, Location};
use serde_json::Value as Json;

use crate::{
    directory::{
        document::{self, Node},
        namespace,
    },
    files::{MAX_ENTRIES, MAX_TOTAL, read_at_most, read_bounded},
};

/// Deepest folder below a directory that is named.
const MAX_DEPTH: usize = 16;

/// The names of files that are read in directories.
const ENDINGS: [&str; 3] = ["yaml", "yml", "json"];

/// How standard input is called in messages.
const STANDARD_INPUT: &str = "<stdin>";

/// An object, and where it stands.
#[derive(Clone, Debug)]
pub(in crate::commands) struct Manifest {
    /// The file as it was named.
    pub(super) file: Arc<str>,
    /// The object with the places of its parts.
    pub(super) node: Node,
    /// The object.
    pub(super) object: Json,
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub(super) struct Found {
    /// The objects, in the order of the paths, and of files in a directory by name.
    pub(super) manifests: Vec<Manifest>,
    /// What was passed over, and why.
    pub(super) notes: Vec<String>,
    /// What cannot be read. Nothing can be said then: an object may be missing.
    pub(super) faults: Vec<Diagnostic>,
}

impl Manifest {
    /// Where a part of the object stands, such as `spec.containers[0].image`, or the last part of the
    /// path that is there.
    pub(in crate::commands) fn locate(&self, path: Option<&str>) -> Location {
        let place = path.map_or_else(|| self.node.place(), |path| self.node.locate_key(path));
        place.of(&self.file)
    }
}

impl Found {
    /// The namespaces among the objects whose labels can be read.
    pub(super) fn namespaces(&self) -> impl Iterator<Item = (&str, Labels)> {
        let objects = self.manifests.iter().map(|manifest| &manifest.object);
        let is_namespace =
            |object: &&Json| object["apiVersion"] == "v1" && object["kind"] == "Namespace";
        objects.filter(is_namespace).filter_map(namespace)
    }
}

/// Reads all that is named.
pub(super) fn read(paths: &[String]) -> Found {
    let mut reader = Reader::default();
    for path in paths {
        reader.path(path);
    }
    if reader.found.manifests.is_empty() && reader.found.faults.is_empty() {
        let fault = Diagnostic::new("nothing_to_check", "there is no manifest in what was named")
            .with_remedy("name files or directories of YAML or JSON with `-f`");
        reader.found.faults.push(fault);
    }
    reader.found
}

#[derive(Default)]
struct Reader {
    found: Found,
    /// Files that were read: patterns and directories overlap.
    seen: BTreeSet<PathBuf>,
    entries: usize,
    bytes: u64,
}

impl Reader {
    fn path(&mut self, path: &str) {
        if path == "-" {
            let read = read_at_most(io::stdin().lock(), MAX_TOTAL);
            self.bytes(STANDARD_INPUT, read);
        } else if Path::new(path).exists() || !path.contains(['*', '?', '[']) {
            self.local(Path::new(path), 0);
        } else {
            self.pattern(path);
        }
    }

    fn pattern(&mut self, pattern: &str) {
        // As a shell does: hidden files are named as such.
        let options = glob::MatchOptions {
            require_literal_leading_dot: true,
            ..glob::MatchOptions::default()
        };
        let paths = match glob::glob_with(pattern, options) {
            Ok(paths) => paths,
            Err(error) => return self.fault("pattern_invalid", pattern, &error.to_string()),
        };
        let before = self.seen.len();
        for path in paths {
            match path {
                // What is below a directory has to be named by the pattern itself.
                Ok(path) if path.is_file() => self.file(&path),
                Ok(_) => {}
                Err(error) => self.fault("file_unreadable", pattern, &error.to_string()),
            }
        }
        if self.seen.len() == before && self.found.faults.is_empty() {
            self.fault("file_unreadable", pattern, "no file matches");
        }
    }

    fn local(&mut self, path: &Path, depth: usize) {
        self.entries += 1;
        let shown = path.display().to_string();
        if self.entries > MAX_ENTRIES {
            if self.entries == MAX_ENTRIES + 1 {
                let message = format!("there are more than {MAX_ENTRIES} files and folders");
                self.fault("too_many_files", &shown, &message);
            }
            return;
        }
        match fs::metadata(path) {
            Err(error) => self.fault("file_unreadable", &shown, &error.to_string()),
            Ok(metadata) if metadata.is_dir() && depth >= MAX_DEPTH => {
                let message = format!("folders are more than {MAX_DEPTH} deep");
                self.fault("too_many_files", &shown, &message);
            }
            Ok(metadata) if metadata.is_dir() => self.folder(path, depth),
            Ok(metadata) if metadata.is_file() => self.file(path),
            Ok(_) => self.fault(
                "file_unreadable",
                &shown,
                "it is neither a file nor a folder",
            ),
        }
    }

    fn folder(&mut self, folder: &Path, depth: usize) {
        let listed = fs::read_dir(folder).and_then(|entries| {
            let entries = entries.map(|entry| entry.map(|entry| entry.path()));
            entries.collect::<io::Result<BTreeSet<PathBuf>>>()
        });
        let paths = match listed {
            Ok(paths) => paths,
            Err(error) => {
                let shown = folder.display().to_string();
                return self.fault("file_unreadable", &shown, &error.to_string());
            }
        };
        for path in paths {
            let hidden = path
                .file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with('.'));
            let ending = path.extension().and_then(|ending| ending.to_str());
            let read = ending.is_some_and(|ending| ENDINGS.contains(&ending));
            if !hidden && (read || path.is_dir()) {
                self.local(&path, depth + 1);
            }
        }
    }

    fn file(&mut self, path: &Path) {
        let canonical = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        if self.seen.insert(canonical) {
            self.bytes(&path.display().to_string(), read_bounded(path));
        }
    }

    fn bytes(&mut self, file: &str, read: io::Result<Vec<u8>>) {
        let text = read.and_then(|bytes| {
            String::from_utf8(bytes).map_err(|_| io::Error::other("it is not UTF-8"))
        });
        let text = match text {
            Ok(text) => text,
            Err(error) => return self.fault("file_unreadable", file, &error.to_string()),
        };
        self.bytes += text.len() as u64;
        if self.bytes > MAX_TOTAL {
            let message = format!("all files together are larger than {} MiB", MAX_TOTAL >> 20);
            return self.fault("too_many_files", file, &message);
        }
        let nodes = match document::read(&text) {
            Ok(nodes) => nodes,
            Err(fault) => {
                let mut diagnostic = Diagnostic::new("yaml_invalid", fault.message);
                diagnostic = match fault.place {
                    Some(place) => diagnostic.at(place.of(file), &text),
                    None => Diagnostic {
                        message: format!("{file}: {}", diagnostic.message),
                        ..diagnostic
                    },
                };
                return self.found.faults.push(diagnostic);
            }
        };
        let file: Arc<str> = file.into();
        for node in nodes {
            self.document(&file, node);
        }
    }

    /// An object, or each of a list.
    fn document(&mut self, file: &Arc<str>, node: Node) {
        let object = node.to_json();
        let text = |name: &str| object[name].as_str().unwrap_or_default();
        if text("apiVersion").is_empty() || text("kind").is_empty() {
            let line = node.place().line;
            let note = format!("{file}:{line}: passed over: it has no `apiVersion` or no `kind`");
            return self.found.notes.push(note);
        }
        if text("kind").ends_with("List") && object["items"].is_array() {
            for item in node.items("items") {
                self.document(file, item.clone());
            }
            return;
        }
        self.found.manifests.push(Manifest {
            file: file.clone(),
            node,
            object,
        });
    }

    fn fault(&mut self, code: &str, path: &str, message: &str) {
        let fault = Diagnostic::new(code, format!("{path}: {message}"));
        self.found.faults.push(fault);
    }
}
