//! Bundles: an archive and a directory with the same files are the same bundle, what is loaded lies
//! below the bundle's roots, and nothing else is read or written.
//!
//! ```text
//! kind path NEWLINE content NUL kind path NEWLINE content…
//! ```
//!
//! The kind is `-` for a file, and else the type of an entry of an archive.
#![no_main]

use std::{borrow::Cow, fs, path::Path, sync::LazyLock};

use flate2::{Compression, write::GzEncoder};
use libfuzzer_sys::fuzz_target;
use portcullis_fuzz::faults::check_diagnostic;
use portcullis_operator::load::{Load, Loaded};
use portcullis_policies::{Diagnostic, RegoVersion, workbench::Source};
use serde_json::Value as Json;
use tempfile::TempDir;

static ROOM: LazyLock<TempDir> = LazyLock::new(|| TempDir::new().expect("there is room"));

/// The kinds that are files: our own, and those of archives.
const FILES: [u8; 3] = *b"-07";

struct Part<'t> {
    kind: u8,
    path: Cow<'t, str>,
    content: &'t [u8],
}

fn parts(bytes: &[u8]) -> Option<Vec<Part<'_>>> {
    let part = |part| {
        let (kind, rest) = <[u8]>::split_first(part)?;
        let end = rest.iter().position(|byte| *byte == b'\n')?;
        let path = std::str::from_utf8(&rest[..end]).ok()?;
        // The name of an entry ends there, or is cut, with a slash in front.
        (path.len() < 99).then_some(Part {
            kind: *kind,
            path: path.into(),
            content: &rest[end + 1..],
        })
    };
    bytes.split(|byte| *byte == 0).map(part).collect()
}

/// Writes the archive as it is, whatever its paths are.
fn pack(parts: &[Part<'_>], to: &Path) {
    let file = fs::File::create(to).expect("there is room");
    let mut archive = tar::Builder::new(GzEncoder::new(file, Compression::none()));
    for part in parts {
        let mut header = tar::Header::new_ustar();
        let name = &mut header.as_old_mut().name;
        name[..part.path.len()].copy_from_slice(part.path.as_bytes());
        let kind = if part.kind == b'-' { b'0' } else { part.kind };
        header.set_entry_type(tar::EntryType::new(kind));
        header.set_mode(0o644);
        header.set_size(part.content.len() as u64);
        header.set_cksum();
        archive
            .append(&header, part.content)
            .expect("there is room");
    }
    let gzip = archive.into_inner().expect("there is room");
    gzip.finish().expect("there is room");
}

/// Whether a path leads to a file within a folder, and is written in the one way to do so.
fn is_plain(path: &str) -> bool {
    let names = |part: &str| !matches!(part, "" | "." | "..") && !part.contains('\\');
    path.split('/').all(names)
}

/// Writes the files into a folder; not if two are at one place.
fn unpack(parts: &[Part<'_>], root: &Path) -> bool {
    parts.iter().all(|part| {
        let path = root.join(&*part.path);
        path.parent()
            .is_some_and(|folder| fs::create_dir_all(folder).is_ok())
            && !path.exists()
            && fs::write(path, part.content).is_ok()
    })
}

/// The same with the paths that `opa build` writes: from a slash on, as the patterns of a manifest see
/// those of a folder. Others match by what they are.
fn rooted<'t>(parts: &[Part<'t>]) -> Vec<Part<'t>> {
    let rooted = |part: &Part<'t>| Part {
        path: format!("/{}", part.path).into(),
        ..*part
    };
    parts.iter().map(rooted).collect()
}

/// The modules, by their paths below a folder.
fn modules<'t>(loaded: &'t Loaded, root: &str) -> Vec<(&'t str, &'t str, RegoVersion)> {
    let module = |source: &'t Source| {
        let path = source.name.strip_prefix(root).unwrap_or(&source.name);
        (path.trim_start_matches('/'), &*source.text, source.version)
    };
    let mut modules: Vec<_> = loaded.sources.iter().map(module).collect();
    modules.sort_by_key(|(path, ..)| *path);
    modules
}

fn load(data: &[&Path], bundles: &[&Path]) -> Result<Loaded, Vec<Diagnostic>> {
    let texts = |paths: &[&Path]| {
        paths
            .iter()
            .map(|path| path.display().to_string())
            .collect()
    };
    let load = Load {
        data: texts(data),
        bundles: texts(bundles),
        version: RegoVersion::V1,
        ..Load::default()
    };
    let loaded = load.run();
    if let Err(faults) = &loaded {
        assert!(!faults.is_empty(), "refused without a fault");
        faults.iter().for_each(check_diagnostic);
    }
    loaded
}

/// The roots of the one manifest.
fn roots(parts: &[Part<'_>]) -> Option<Vec<String>> {
    let is_file = |part: &&Part<'_>| FILES.contains(&part.kind);
    let mut files = parts.iter().filter(is_file);
    let manifest = files.find(|part| part.path.ends_with(".manifest"))?;
    let manifest: Json = serde_json::from_slice(manifest.content).ok()?;
    let roots = manifest.get("roots")?.as_array()?;
    let root = |root: &Json| Some(root.as_str()?.trim_matches('/').to_owned());
    roots.iter().map(root).collect()
}

/// The places of the values in a document.
fn places(value: &Json, at: &str, places: &mut Vec<String>) {
    match value {
        Json::Object(members) if !members.is_empty() => {
            for (key, value) in members {
                let at = if at.is_empty() {
                    key.clone()
                } else {
                    format!("{at}/{key}")
                };
                self::places(value, &at, places);
            }
        }
        _ => places.push(at.to_owned()),
    }
}

fn check(loaded: &Loaded, parts: &[Part<'_>]) {
    for source in &loaded.sources {
        let part = parts
            .iter()
            .find(|part| part.path == source.name && part.content == source.text.as_bytes());
        assert!(part.is_some(), "{} is no module of the bundle", source.name);
    }
    if let Some(roots) = roots(parts) {
        let mut found = Vec::new();
        let data: Json = serde_json::from_str(&loaded.data.to_string()).expect("data is JSON");
        if data != Json::Object(serde_json::Map::new()) {
            places(&data, "", &mut found);
        }
        for place in found {
            let within = |root: &String| {
                root.is_empty() || place == *root || place.starts_with(&format!("{root}/"))
            };
            assert!(roots.iter().any(within), "{place} is outside of {roots:?}");
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Some(parts) = parts(bytes) else {
        return;
    };
    let archive = ROOM.path().join("bundle.tar.gz");
    pack(&parts, &archive);
    let loaded = load(&[], &[&archive]);
    if let Ok(loaded) = &loaded {
        check(loaded, &parts);
    }
    let again = load(&[], &[&archive]);
    assert_eq!(
        format!("{loaded:?}"),
        format!("{again:?}"),
        "the same again is something else"
    );
    // Among other files a bundle is data as well, whatever its roots are.
    let _ = load(&[&archive], &[]);
    let left = fs::read_dir(ROOM.path())
        .expect("the room is there")
        .count();
    assert_eq!(left, 1, "a bundle wrote a file");

    let is_plain = |part: &Part<'_>| part.kind == b'-' && is_plain(&part.path);
    if !parts.iter().all(is_plain) {
        return;
    }
    let folder = TempDir::new().expect("there is room");
    if !unpack(&parts, folder.path()) {
        return;
    }
    pack(&rooted(&parts), &archive);
    match (load(&[], &[&archive]), load(&[], &[folder.path()])) {
        (Ok(archive), Ok(unpacked)) => {
            assert_eq!(archive.data, unpacked.data, "in a folder it is other data");
            let root = folder.path().display().to_string();
            assert_eq!(
                modules(&archive, ""),
                modules(&unpacked, &root),
                "in a folder it has other modules"
            );
        }
        (Err(_), Err(_)) => {}
        (archive, unpacked) => panic!("{archive:?} is {unpacked:?} in a folder"),
    }
    let _ = load(&[folder.path()], &[]);
});
