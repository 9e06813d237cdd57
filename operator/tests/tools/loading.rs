//! Files, directories and bundles are loaded as OPA loads them.

use std::{fs, path::Path};

use flate2::{Compression, write::GzEncoder};
use rstest::rstest;
use tempfile::TempDir;

use crate::process::{opa, portcullis, write};

const FILES: &[(&str, &str)] = &[
    // A tree of files.
    ("d/a/b/x.json", r#"{"x": 1}"#),
    (
        "d/a/y.yaml",
        "y: [1, two, 1.0, yes, 0x1f, ~, 2001-01-01]\nz: {a: b}\n",
    ),
    ("d/top.json", r#"{"t": {"u": 1}}"#),
    ("d/t/v.json", r#"{"v": 2}"#),
    ("d/p.rego", "package p\nq := data.a.b.x"),
    ("d/ignored.txt", "hello"),
    ("d/.hidden/h.json", r#"{"h": 1}"#),
    // A bundle.
    ("b/data.json", r#"{"a": 1}"#),
    ("b/foo/bar/data.json", r#"{"c": 3}"#),
    ("b/foo/other.json", r#"{"no": 1}"#),
    ("b/foo/data.yml", "y: 1"),
    ("b/p.rego", "package p\nq := data.foo.bar.c"),
    ("b/sub/q.rego", "package s\nr if true"),
    // Bundles with manifests.
    (
        "m/.manifest",
        r#"{"roots": ["foo", "p"], "revision": "r", "metadata": {"k": [1]}}"#,
    ),
    ("m/foo/data.json", r#"{"c": 3}"#),
    ("m/p.rego", "package p\nq := 1"),
    ("outside/.manifest", r#"{"roots": ["foo"]}"#),
    ("outside/bar/data.json", r#"{"c": 3}"#),
    ("named/of-it.manifest", r#"{"roots": ["foo"]}"#),
    ("named/bar/data.json", r#"{"c": 3}"#),
    ("module/.manifest", r#"{"roots": ["foo"]}"#),
    ("module/p.rego", "package p\nq := 1"),
    ("deep/.manifest", r#"{"roots": ["bar/baz"]}"#),
    ("deep/bar/baz/data.json", r#"{"c": 3}"#),
    ("deep/x.rego", "package bar.baz.x\nq := 1"),
    ("overlap/.manifest", r#"{"roots": ["a", "a/b"]}"#),
    ("v0/.manifest", r#"{"rego_version": 0}"#),
    ("v0/p.rego", "package p\nq[x] { x := 1 }"),
    (
        "mixed/.manifest",
        r#"{"rego_version": 1, "file_rego_versions": {"*/v0/*.rego": 0}}"#,
    ),
    ("mixed/v0/p.rego", "package p\nq[x] { x := 1 }"),
    ("mixed/v1.rego", "package v1\nq contains 1"),
    ("v7/.manifest", r#"{"rego_version": 7}"#),
    ("signed/.signatures.json", "{}"),
    ("signed/data.json", r#"{"g": 1}"#),
    // Single files.
    ("old.rego", "package p\nq[x] { x := 1 }"),
    ("one.json", r#"{"one": 1}"#),
    ("array.json", "[1]"),
    ("bad.json", r#"{"a":"#),
    ("bad.yaml", "a: [1"),
    ("json", r#"{"n": 1}"#),
    ("rego", "package n\nx := 1"),
    ("yaml", "a: b"),
    ("nothing", "{{{"),
    ("x1.json", r#"{"k": {"l": 1}}"#),
    ("x2.json", r#"{"k": {"m": 2}}"#),
    ("x3.json", r#"{"k": {"l": 3}}"#),
    ("conflict/p.rego", "package a.b\nx := 1"),
    ("conflict/data.json", r#"{"a": {"b": {"x": 2}}}"#),
    ("beside/p.rego", "package a.b\nx := 1"),
    ("beside/data.json", r#"{"a": {"b": {"y": 2}}}"#),
];

fn tree() -> TempDir {
    let root = TempDir::new().unwrap();
    write(root.path(), FILES);
    std::os::unix::fs::symlink("../one.json", root.path().join("d/link.json")).unwrap();
    fs::create_dir(root.path().join("links")).unwrap();
    std::os::unix::fs::symlink("../b", root.path().join("links/b")).unwrap();
    fs::write(root.path().join("links/data.json"), r#"{"link": 1}"#).unwrap();
    let bundle = [
        ("/data.json", r#"{"a": 1}"#),
        ("/foo/data.json", r#"{"b": 2}"#),
        ("/p.rego", "package p\nq := data.foo.b"),
        (
            "/.manifest",
            r#"{"revision": "r", "roots": ["a", "foo", "p"]}"#,
        ),
    ];
    archive(&root.path().join("bundle.tar.gz"), &bundle);
    let hostile = [
        ("data.json", r#"{"a": 1}"#),
        ("./foo/data.json", r#"{"b": 2}"#),
        ("../../etc/evil.rego", "package evil\nx := 1"),
    ];
    archive(&root.path().join("hostile.tar.gz"), &hostile);
    // Paths of an archive are matched as they are.
    let versions = r#"{"file_rego_versions": {"*/old.rego": 0}}"#;
    let old = "package p\nq[x] { x := 1 }";
    let rooted = [("/.manifest", versions), ("/old.rego", old)];
    archive(&root.path().join("rooted.tar.gz"), &rooted);
    let bare = [(".manifest", versions), ("old.rego", old)];
    archive(&root.path().join("bare.tar.gz"), &bare);
    fs::write(root.path().join("broken.tar.gz"), "no archive").unwrap();
    root
}

/// Writes an archive; paths are taken as they are, and there is a link that leads out.
fn archive(path: &Path, files: &[(&str, &str)]) {
    let gzip = GzEncoder::new(fs::File::create(path).unwrap(), Compression::fast());
    let mut archive = tar::Builder::new(gzip);
    for (name, text) in files {
        let mut header = tar::Header::new_gnu();
        header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        archive.append(&header, text.as_bytes()).unwrap();
    }
    let mut link = tar::Header::new_gnu();
    link.set_entry_type(tar::EntryType::Symlink);
    link.set_size(0);
    link.set_cksum();
    archive
        .append_link(&mut link, "link.rego", "/etc/passwd")
        .unwrap();
    archive.into_inner().unwrap().finish().unwrap();
}

/// Where a file lands in `data`.
#[rstest]
#[case(&["-d", "d"])]
#[case(&["-d", "./d/"])]
#[case(&["-d", "d/a"])]
#[case(&["-d", "foo.bar:d"])]
#[case(&["-d", "d/top.json"])]
#[case(&["-d", "d", "-d", "d/top.json"])]
#[case(&["-d", "b"])]
#[case(&["-d", "x1.json", "-d", "x2.json"])]
#[case(&["-d", "a:array.json"])]
#[case(&["-d", "json"])]
#[case(&["-d", "rego"])]
#[case(&["-d", "yaml"])]
#[case(&["-d", "links"])]
#[case(&["-d", "beside"])]
#[case(&["-d", "d", "--ignore", ".*"])]
#[case(&["-d", "d", "--ignore", "b"])]
#[case(&["-d", "d", "--ignore", "x.*,y*"])]
#[case(&["-d", "old.rego", "--v0-compatible"])]
#[case(&["-d", "bundle.tar.gz"])]
#[case(&["-d", "one.json", "-d", "bundle.tar.gz"])]
#[case(&["-d", "hostile.tar.gz"])]
#[case(&["-b", "b"])]
#[case(&["-b", "./b/"])]
#[case(&["-b", "b", "-b", "b"])]
#[case(&["-b", "b", "--ignore", "foo"])]
#[case(&["-b", "b", "--ignore", "*.rego"])]
#[case(&["-b", "m"])]
#[case(&["-b", "deep"])]
#[case(&["-b", "m", "-b", "deep"])]
#[case(&["-b", "v0"])]
#[case(&["-b", "mixed"])]
#[case(&["-b", "signed"])]
#[case(&["-b", "links"])]
#[case(&["-b", "bundle.tar.gz"])]
#[case(&["-b", "hostile.tar.gz"])]
#[case(&["-b", "rooted.tar.gz"])]
#[case(&["-d", "one.json", "-b", "m"])]
#[case(&["-d", "x1.json", "-d", "one.json", "-b", "b"])]
fn data_is_where_opa_puts_it(#[case] arguments: &[&str]) {
    let root = tree();
    let arguments = [&["eval", "data"], arguments].concat();
    let theirs = opa(root.path(), &arguments);
    assert_eq!(theirs.code, 0, "{theirs:?}");
    let ours = portcullis(root.path(), &arguments);
    assert_eq!(ours.json(), theirs.json(), "{arguments:?}");
}

/// What OPA refuses is refused. The messages, where they are not of a parser, are the same.
#[rstest]
#[case(&["-d", "array.json"], true)]
#[case(&["-d", "bad.json"], false)]
#[case(&["-d", "bad.yaml"], false)]
#[case(&["-d", "nothing"], true)]
#[case(&["-d", "x1.json", "-d", "x3.json"], true)]
#[case(&["-d", "no-such"], true)]
#[case(&["-d", "http://example.com/x"], true)]
#[case(&["-d", "//host/share"], true)]
#[case(&["-d", "old.rego"], false)]
#[case(&["-d", "conflict"], false)]
#[case(&["-d", "broken.tar.gz"], false)]
#[case(&["-b", "outside"], false)]
#[case(&["-b", "named"], false)]
#[case(&["-b", "module"], false)]
#[case(&["-b", "overlap"], false)]
#[case(&["-b", "v7"], false)]
#[case(&["-b", "bare.tar.gz"], false)]
#[case(&["-b", "b", "-b", "m"], false)]
#[case(&["-b", "one.json"], false)]
#[case(&["-b", "no-such"], false)]
fn what_opa_refuses_is_refused(#[case] arguments: &[&str], #[case] same: bool) {
    let root = tree();
    let arguments = [&["eval", "data"], arguments].concat();
    let theirs = opa(root.path(), &arguments);
    let ours = portcullis(root.path(), &arguments);
    assert_eq!((ours.code, theirs.code), (2, 2), "{ours:?} {theirs:?}");
    if same {
        let message = |json: serde_json::Value| json["errors"][0]["message"].clone();
        assert_eq!(message(ours.json()), message(theirs.json()));
    }
}

/// The input is JSON or YAML, from a file or from standard input.
#[rstest]
#[case("one.json")]
#[case("yaml")]
#[case("array.json")]
fn inputs(#[case] file: &str) {
    let root = tree();
    let arguments = ["eval", "input", "-i", file];
    let (theirs, ours) = (
        opa(root.path(), &arguments),
        portcullis(root.path(), &arguments),
    );
    assert_eq!(ours, theirs);
}
