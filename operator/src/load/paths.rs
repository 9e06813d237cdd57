//! `--data`: files and directories, each file at the place of its folder.

use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
};

use portcullis_policies::{
    Document, RegoVersion, Step,
    workbench::{Overlap, Source},
};

use super::{
    Fault, Found, Ignore, MAX_DEPTH, Result, archive, bundle, clean, fault, join, json, local,
    text, unreadable, yaml,
};
use crate::files::{MAX_ENTRIES, MAX_TOTAL, read_bounded};

/// Loads paths, one after the other.
pub(super) fn load(
    paths: &[String],
    ignore: &Ignore,
    version: RegoVersion,
) -> std::result::Result<Found, Vec<Fault>> {
    let mut walk = Walk {
        ignore,
        version,
        found: Found::default(),
        seen: HashSet::new(),
        documents: Vec::new(),
        faults: Vec::new(),
        entries: 0,
        bytes: 0,
    };
    for path in paths {
        let (place, path) = split(path);
        match local(path) {
            Ok(path) => walk.look(&path, &place, 0),
            Err(fault) => walk.faults.push(fault),
        }
    }
    if walk.faults.is_empty() {
        Ok(walk.found)
    } else {
        Err(walk.faults)
    }
}

/// The place that stands before a path: `a.b` of `a.b:file.json`.
fn split(path: &str) -> (Vec<String>, &str) {
    let is_url = path.find("://") == path.find(':');
    match path.split_once(':') {
        Some((place, path)) if !is_url && !place.is_empty() => {
            (place.split('.').map(str::to_owned).collect(), path)
        }
        _ => (Vec::new(), path),
    }
}

struct Walk<'a> {
    ignore: &'a Ignore,
    version: RegoVersion,
    found: Found,
    /// Files that were read, with their places: the same one twice is one.
    seen: HashSet<(Vec<String>, String)>,
    /// The documents, to say which of them has what another one has too.
    documents: Vec<(String, Vec<String>, Document)>,
    faults: Vec<Fault>,
    entries: usize,
    bytes: u64,
}

impl Walk<'_> {
    /// Looks at a file or folder. `place` is where below `data` the folder is.
    fn look(&mut self, path: &str, place: &[String], depth: usize) {
        let metadata = match fs::metadata(path) {
            Ok(metadata) => metadata,
            Err(error) => {
                self.faults
                    .push(unreadable("stat", Path::new(path), &error));
                return;
            }
        };
        let name = Path::new(path).file_name().and_then(|name| name.to_str());
        let name = name.unwrap_or(path).to_owned();
        if depth > 0 && self.ignore.covers(&name) {
            return;
        }
        if !metadata.is_dir() {
            if self.seen.insert((place.to_vec(), clean(path)))
                && let Err(fault) = self.file(path, place, depth)
            {
                self.faults.push(fault);
            }
            return;
        }
        let mut place = place.to_vec();
        if depth > 0 {
            place.push(name);
        }
        if depth == MAX_DEPTH {
            let message = format!("{path}: deeper than {MAX_DEPTH} folders");
            self.faults.push(fault(message));
            return;
        }
        match self.names(path) {
            Ok(names) => {
                for name in names {
                    self.look(&join(path, &name), &place, depth + 1);
                }
            }
            Err(fault) => self.faults.push(fault),
        }
    }

    /// The names in a folder, in their order.
    fn names(&mut self, path: &str) -> Result<Vec<String>> {
        let folder = PathBuf::from(path);
        let failed = |error| unreadable("open", &folder, &error);
        let mut names = Vec::new();
        for entry in fs::read_dir(&folder).map_err(failed)? {
            self.entries += 1;
            if self.entries > MAX_ENTRIES {
                // What is left of the walk would say the same.
                let message = format!("more than {MAX_ENTRIES} files and folders");
                return Err(fault(message));
            }
            let name = entry.map_err(failed)?.file_name().into_string();
            names.push(name.map_err(|name| {
                fault(format!("{path}/{}: the name is not UTF-8", name.display()))
            })?);
        }
        names.sort();
        Ok(names)
    }

    fn read(&mut self, path: &str) -> Result<Vec<u8>> {
        let bytes = read_bounded(Path::new(path))
            .map_err(|error| unreadable("read", Path::new(path), &error))?;
        self.bytes += bytes.len() as u64;
        if self.bytes > MAX_TOTAL {
            return Err(fault(format!(
                "{path}: more than {} MiB in all",
                MAX_TOTAL >> 20
            )));
        }
        Ok(bytes)
    }

    /// Loads a file by its extension; one that was named itself, by whatever it can be read as.
    fn file(&mut self, path: &str, place: &[String], depth: usize) -> Result<()> {
        let extension = Path::new(path).extension().and_then(|part| part.to_str());
        match extension {
            Some("rego") => {
                let source = self.read(path)?;
                self.module(path, text(path, source)?);
                Ok(())
            }
            Some("json") => {
                let bytes = self.read(path)?;
                let document = json(path, &text(path, bytes)?)?;
                self.put(path, place, document)
            }
            Some("yaml" | "yml") => {
                let bytes = self.read(path)?;
                let document = yaml(path, &text(path, bytes)?)?;
                self.put(path, place, document)
            }
            _ if path.ends_with(".tar.gz") => self.archive(path, place),
            _ if depth > 0 => Ok(()),
            _ => {
                let bytes = self.read(path)?;
                self.any(path, place, &text(path, bytes)?)
            }
        }
    }

    fn module(&mut self, path: &str, text: String) {
        self.found.sources.push(Source {
            name: path.to_owned(),
            text,
            version: self.version,
        });
    }

    /// A file whose name does not say what it is.
    fn any(&mut self, path: &str, place: &[String], text: &str) -> Result<()> {
        let source = Source {
            name: path.to_owned(),
            text: text.to_owned(),
            version: self.version,
        };
        if source.is_rego() {
            self.found.sources.push(source);
            return Ok(());
        }
        let document = json(path, text).or_else(|_| yaml(path, text));
        match document {
            Ok(document) => self.put(path, place, document),
            Err(_) => Err(fault(format!("{path}: can't recognize file type"))),
        }
    }

    /// A bundle among other files: its data goes to the place of its folder.
    fn archive(&mut self, path: &str, place: &[String]) -> Result<()> {
        let about = |fault: Fault| fault.of_bundle(path);
        let files = archive::files(Path::new(path), &Ignore::default()).map_err(about)?;
        let bundle = bundle::read(files, "", self.version).map_err(about)?;
        self.found.sources.extend(bundle.sources);
        self.put(path, place, bundle.data.document())
    }

    fn put(&mut self, path: &str, place: &[String], document: Document) -> Result<()> {
        match self.found.base.put(place, &document) {
            Ok(()) => {
                self.documents
                    .push((path.to_owned(), place.to_vec(), document));
                Ok(())
            }
            Err(Overlap::NoObject) => {
                Err(fault(format!("{path}: document must be of type object")))
            }
            Err(overlap @ Overlap::At(_)) => {
                let other = match &overlap {
                    Overlap::At(at) => self.documents.iter().find(|(_, place, document)| {
                        let below = at.strip_prefix(&place[..]);
                        let below = below.map(|below| below.iter().cloned().map(Step::Name));
                        below.is_some_and(|below| document.at(&below.collect::<Vec<_>>()).is_some())
                            || place.starts_with(at)
                    }),
                    Overlap::NoObject => None,
                };
                let hint = match other {
                    Some((other, ..)) => format!("also defined in {other}"),
                    None => "data from multiple files must not overlap".to_owned(),
                };
                Err(fault(format!("{path}: merge error: {overlap}, {hint}")))
            }
        }
    }
}
