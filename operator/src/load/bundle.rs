//! Bundles: directories and archives with modules, `data.json` and `data.yaml`, and a manifest.

use std::{fs, path::Path};

use portcullis_policies::{
    RegoVersion,
    workbench::{Base, Source},
};

use super::{
    Fault, Found, Ignore, MAX_DEPTH, Result,
    archive::{self, Files},
    fault, join, json, json_or_yaml, local,
    manifest::{self, Manifest},
    mendable, text, unreadable,
};
use crate::files::{MAX_ENTRIES, MAX_TOTAL, read_bounded};

/// A bundle that was read.
#[derive(Debug)]
pub(super) struct Bundle {
    pub(super) manifest: Manifest,
    pub(super) sources: Vec<Source>,
    pub(super) data: Base,
}

/// Adds bundles to what was found. What lies below their roots is theirs: it takes the place of what
/// was found there.
pub(super) fn add(
    paths: &[String],
    ignore: &Ignore,
    version: RegoVersion,
    found: &mut Found,
) -> Result<()> {
    let mut bundles: Vec<(&String, Bundle)> = Vec::new();
    for path in paths {
        // The same one twice is one.
        if bundles.iter().any(|(other, _)| *other == path) {
            continue;
        }
        let about = |fault: Fault| fault.of_bundle(path);
        bundles.push((path, open(path, ignore, version).map_err(about)?));
    }
    check_roots(&bundles)?;
    for (_, bundle) in &bundles {
        for root in bundle.manifest.roots() {
            let parts: Vec<String> = root.split('/').map(str::to_owned).collect();
            found
                .base
                .remove(if root.is_empty() { &[] } else { &parts });
        }
    }
    for (path, bundle) in bundles {
        found.sources.extend(bundle.sources);
        found
            .base
            .put(&[], &bundle.data.document())
            .map_err(|overlap| fault(format!("bundle {path}: {overlap}")))?;
    }
    Ok(())
}

/// What one bundle has must not be another one's.
fn check_roots(bundles: &[(&String, Bundle)]) -> Result<()> {
    for (at, (left, bundle)) in bundles.iter().enumerate() {
        for (right, other) in &bundles[at + 1..] {
            for root in bundle.manifest.roots() {
                let mut others = other.manifest.roots().into_iter();
                if let Some(overlapped) = others.find(|other| manifest::overlap(&root, other)) {
                    let message = format!(
                        "bundle activation failed: detected overlapping roots in manifests for these \
                         bundles: [{left}, {right}] ('{root}' and '{overlapped}')"
                    );
                    let remedy = "let the manifest of each bundle name its own `roots`";
                    return Err(mendable(message, remedy));
                }
            }
        }
    }
    Ok(())
}

fn open(path: &str, ignore: &Ignore, version: RegoVersion) -> Result<Bundle> {
    let path = local(path)?;
    let file = Path::new(&path);
    let metadata = fs::metadata(file).map_err(|error| unreadable("error reading", file, &error))?;
    if metadata.is_dir() {
        let files = directory(&path, ignore)?;
        read(files, &path, version)
    } else {
        read(archive::files(file, ignore)?, "", version)
    }
}

/// The files of a directory, with paths from there on: `/a/data.json`. Symbolic links are passed
/// over, as OPA does, so nothing outside of it is read.
fn directory(root: &str, ignore: &Ignore) -> Result<Files> {
    let mut files = Files::new();
    let mut folders = vec![(String::new(), 0)];
    let (mut count, mut bytes) = (0, 0);
    while let Some((folder, depth)) = folders.pop() {
        let path = join(root, &format!("./{folder}"));
        let failed = |error| unreadable("open", Path::new(&path), &error);
        let mut below = Vec::new();
        for entry in fs::read_dir(&path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            count += 1;
            if count > MAX_ENTRIES {
                return Err(fault(format!("more than {MAX_ENTRIES} files and folders")));
            }
            let kind = entry.file_type().map_err(failed)?;
            let name = entry.file_name().into_string().map_err(|name| {
                fault(format!("{path}/{}: the name is not UTF-8", name.display()))
            })?;
            if !ignore.covers(&name) && (kind.is_dir() || kind.is_file()) {
                below.push((name, kind.is_dir()));
            }
        }
        below.sort();
        for (name, is_folder) in below {
            let inside = format!("{folder}/{name}");
            if is_folder {
                if depth == MAX_DEPTH {
                    let message = format!("{root}{inside}: deeper than {MAX_DEPTH} folders");
                    return Err(fault(message));
                }
                folders.push((inside, depth + 1));
            } else if is_of_bundle(&name) {
                let path = format!("{root}{inside}");
                let path = Path::new(&path);
                let content =
                    read_bounded(path).map_err(|error| unreadable("read", path, &error))?;
                bytes += content.len() as u64;
                if bytes > MAX_TOTAL {
                    let message = format!("{root}: more than {} MiB", MAX_TOTAL >> 20);
                    return Err(fault(message));
                }
                files.push((inside, content));
            }
        }
    }
    Ok(files)
}

/// Whether a file of this name is a part of a bundle.
fn is_of_bundle(name: &str) -> bool {
    is_rego(name)
        || name.ends_with(MANIFEST)
        || matches!(name, "data.json" | "data.yaml" | "data.yml" | PATCH)
}

fn is_rego(name: &str) -> bool {
    Path::new(name)
        .extension()
        .is_some_and(|extension| extension == "rego")
}

/// What the name of a manifest ends in: as in OPA, another name may end so too.
const MANIFEST: &str = ".manifest";
const PATCH: &str = "patch.json";

/// Makes a bundle of its files. Modules are called by their paths below `root`.
pub(super) fn read(files: Files, root: &str, version: RegoVersion) -> Result<Bundle> {
    let mut bundle = Bundle {
        manifest: Manifest::default(),
        sources: Vec::new(),
        data: Base::default(),
    };
    let mut modules = Vec::new();
    let mut manifest: Option<String> = None;
    for (path, content) in files {
        let name = path.rsplit('/').next().unwrap_or_default();
        if !is_of_bundle(name) {
            continue;
        }
        if name == PATCH {
            let message = "delta bundles are not supported";
            return Err(mendable(message, "take the whole bundle"));
        }
        let content = text(&path, content)?;
        if is_rego(name) {
            modules.push((path, content));
        } else if name.ends_with(MANIFEST) {
            if let Some(other) = manifest.replace(path.clone()) {
                return Err(fault(format!(
                    "bundle contains multiple manifest files: \"{other}\" and \"{path}\""
                )));
            }
            bundle.manifest = Manifest::read(&content)?;
        } else {
            let full = if root.is_empty() {
                path.clone()
            } else {
                join(root, &path)
            };
            let document = match name {
                "data.json" => json(&full, &content),
                _ => json_or_yaml(&full, &content),
            };
            let document = document
                .map_err(|error| fault(format!("bundle load failed on {}", error.message)))?;
            let place = place(&path);
            let put = bundle.data.put(&place, &document);
            put.map_err(|overlap| fault(format!("bundle load failed on {path}: {overlap}")))?;
        }
    }
    check_data(&bundle)?;
    for (path, text) in modules {
        let version = bundle.manifest.version_of(&path, version)?;
        let name = if root.is_empty() {
            path
        } else {
            join(root, &path)
        };
        bundle.sources.push(Source {
            name,
            text,
            version,
        });
    }
    check_modules(&bundle)?;
    Ok(bundle)
}

/// The place of a file's folder below `data`.
fn place(path: &str) -> Vec<String> {
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let folder = folder.trim_start_matches(['/', '.']);
    if folder.is_empty() {
        return Vec::new();
    }
    folder.split('/').map(str::to_owned).collect()
}

/// Data has to be at the roots or below them.
fn check_data(bundle: &Bundle) -> Result<()> {
    let outside = bundle.data.find_outside(&|path| bundle.manifest.owns(path));
    match outside {
        None => Ok(()),
        Some(path) => Err(fault(format!(
            "manifest roots {} do not permit data at path '/{}' (hint: check bundle directory \
             structure)",
            roots(bundle),
            path.join("/")
        ))),
    }
}

/// So have modules.
fn check_modules(bundle: &Bundle) -> Result<()> {
    for source in &bundle.sources {
        let package = source.package();
        if let Some(package) = package.filter(|package| !bundle.manifest.owns(package)) {
            return Err(fault(format!(
                "manifest roots {} do not permit 'package {}' in module '{}'",
                roots(bundle),
                package.join("."),
                source.name
            )));
        }
    }
    Ok(())
}

fn roots(bundle: &Bundle) -> String {
    format!("[{}]", bundle.manifest.roots().join(" "))
}
