//! What is bounded, and paths. Where files land is compared with OPA in `tests/tools/loading.rs`.

use std::{fs, io::Write as _, path::Path};

use flate2::{Compression, write::GzEncoder};
use rstest::rstest;
use tempfile::TempDir;

use super::*;
use crate::files::{MAX_ENTRIES, MAX_FILE};

/// From the tests of Go's `path`, go1.26, `path_test.go`.
#[rstest]
#[case("abc/def", "abc/def")]
#[case("/abc", "/abc")]
#[case("", ".")]
#[case("abc/", "abc")]
#[case("abc//def//ghi", "abc/def/ghi")]
#[case("abc/./def", "abc/def")]
#[case("./abc", "abc")]
#[case("abc/def/ghi/../jkl", "abc/def/jkl")]
#[case("abc/def/../../../ghi/jkl/../../../mno", "../../mno")]
#[case("/../abc", "/abc")]
#[case("abc/../../././../def", "../../def")]
fn paths_are_cleaned(#[case] path: &str, #[case] expected: &str) {
    assert_eq!(clean(path), expected);
}

#[rstest]
#[case("a/b", Ok("a/b"))]
#[case("file:///a/b", Ok("/a/b"))]
#[case("file://host/a", Ok("/a"))]
#[case("http://host/a", Err("unsupported URL scheme: http://host/a"))]
#[case("//host/a", Err("UNC path read is not allowed: //host/a"))]
#[case("\\\\host\\a", Err("UNC path read is not allowed: \\\\host\\a"))]
fn paths_are_of_this_machine(
    #[case] path: &str,
    #[case] expected: std::result::Result<&str, &str>,
) {
    let found = local(path).map_err(|fault| fault.message);
    assert_eq!(found.as_deref().map_err(String::as_str), expected);
}

/// Loads a path as data and as a bundle, and gives the first fault of each.
fn faults(path: &Path) -> [String; 2] {
    let path = vec![path.to_str().unwrap().to_owned()];
    let (data, bundles) = (path.clone(), path);
    let loads = [
        Load {
            data,
            ..Load::default()
        },
        Load {
            bundles,
            ..Load::default()
        },
    ];
    loads.map(|load| match load.run() {
        Ok(loaded) => format!("{} modules, {}", loaded.sources.len(), loaded.data),
        Err(faults) => faults[0].message.clone(),
    })
}

#[track_caller]
fn refuses(path: &Path, why: &str) {
    for message in faults(path) {
        assert!(message.contains(why), "{message} does not say {why}");
    }
}

#[test]
fn folders_within_each_other() {
    let root = TempDir::new().unwrap();
    fs::create_dir_all(root.path().join(["d"; MAX_DEPTH - 1].join("/"))).unwrap();
    assert_eq!(faults(root.path()), ["0 modules, {}"; 2]);
    fs::create_dir_all(root.path().join(["d"; MAX_DEPTH + 1].join("/"))).unwrap();
    refuses(root.path(), "deeper than 50 folders");
}

#[test]
fn a_cycle_of_links_ends() {
    let root = TempDir::new().unwrap();
    std::os::unix::fs::symlink(".", root.path().join("self")).unwrap();
    let [data, bundle] = faults(root.path());
    assert!(data.contains("symbolic links"), "{data}");
    // Links in bundles are passed over.
    assert_eq!(bundle, "0 modules, {}");
}

#[test]
fn many_files() {
    let root = TempDir::new().unwrap();
    for name in 0..=MAX_ENTRIES {
        fs::write(root.path().join(format!("{name}.txt")), "").unwrap();
    }
    refuses(root.path(), "more than 20000 files and folders");
}

#[test]
fn a_large_file() {
    let root = TempDir::new().unwrap();
    let file = fs::File::create(root.path().join("data.json")).unwrap();
    file.set_len(MAX_FILE + 1).unwrap();
    refuses(root.path(), "larger than 16 MiB");
}

fn archive(path: &Path, files: &[(&str, u64)]) {
    let gzip = GzEncoder::new(fs::File::create(path).unwrap(), Compression::fast());
    let mut archive = tar::Builder::new(gzip);
    for (name, size) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(*size);
        let zeros = io::Read::take(io::repeat(b' '), *size);
        archive.append_data(&mut header, name, zeros).unwrap();
    }
    archive.into_inner().unwrap().finish().unwrap();
}

/// A small archive can hold much.
#[test]
fn a_large_file_in_an_archive() {
    let root = TempDir::new().unwrap();
    let path = root.path().join("bundle.tar.gz");
    archive(&path, &[("data.json", MAX_FILE + 1)]);
    assert!(fs::metadata(&path).unwrap().len() < MAX_FILE / 50);
    refuses(&path, "larger than 16 MiB");
}

#[test]
fn many_files_in_an_archive() {
    let root = TempDir::new().unwrap();
    let path = root.path().join("bundle.tar.gz");
    let names: Vec<String> = (0..=MAX_ENTRIES).map(|name| name.to_string()).collect();
    let files: Vec<(&str, u64)> = names.iter().map(|name| (name.as_str(), 0)).collect();
    archive(&path, &files);
    refuses(&path, "more than 20000 files");
}

#[test]
fn much_in_an_archive() {
    let root = TempDir::new().unwrap();
    let path = root.path().join("bundle.tar.gz");
    let names: Vec<String> = (0..17).map(|name| format!("{name}.rego")).collect();
    let files: Vec<(&str, u64)> = names.iter().map(|name| (name.as_str(), MAX_FILE)).collect();
    archive(&path, &files);
    refuses(&path, "more than 256 MiB");
}

#[test]
fn an_archive_that_is_cut() {
    let root = TempDir::new().unwrap();
    let path = root.path().join("bundle.tar.gz");
    archive(&path, &[("data.json", 100_000)]);
    let bytes = fs::read(&path).unwrap();
    let mut file = fs::File::create(&path).unwrap();
    file.write_all(&bytes[..bytes.len() - 20]).unwrap();
    refuses(&path, "");
    let [data, bundle] = faults(&path);
    assert!(data.starts_with("bundle "), "{data}");
    assert!(bundle.starts_with("bundle "), "{bundle}");
}

#[test]
fn names_that_are_not_utf_8() {
    use std::os::unix::ffi::OsStrExt as _;

    let root = TempDir::new().unwrap();
    let name = std::ffi::OsStr::from_bytes(b"\xff.json");
    fs::write(root.path().join(name), "{}").unwrap();
    refuses(root.path(), "the name is not UTF-8");
}

#[test]
fn text_that_is_not_utf_8() {
    let root = TempDir::new().unwrap();
    fs::write(root.path().join("data.json"), b"\"\xff\"").unwrap();
    refuses(root.path(), "the file is not UTF-8");
}
