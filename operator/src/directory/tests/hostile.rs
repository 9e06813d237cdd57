//! Directories that are wrong on purpose.

use std::{fs, os::unix::fs::symlink, process::Command};

use portcullis_policies::Cache;

use super::{ALLOWS, directory, refused, start, tree};
use crate::directory::{Loader, printable};

fn with_policy() -> tempfile::TempDir {
    directory(&[("a/b/1.0/policy.rego", ALLOWS)])
}

#[test]
fn a_link_that_leaves_the_directory_is_refused() {
    let outside = directory(&[("secret.yaml", "a: 1\n")]);
    for to in [
        outside.path().join("secret.yaml"),
        outside.path().to_owned(),
    ] {
        let root = with_policy();
        symlink(to, root.path().join("link.yaml")).unwrap();
        let text = refused(root);
        assert!(
            text.contains("link_outside: link.yaml: the symbolic link leaves"),
            "{text}"
        );
    }
}

#[test]
fn a_link_that_leads_nowhere_is_refused_where_it_names_a_policy() {
    let root = with_policy();
    symlink("absent", root.path().join("ignored")).unwrap();
    assert_eq!(start(root).unwrap().policies(), ["a/b@1.0 ok"]);
    let root = with_policy();
    symlink("absent", root.path().join("link.yaml")).unwrap();
    assert!(refused(root).contains("link_broken"));
}

#[test]
fn a_cycle_of_links_ends() {
    let root = with_policy();
    symlink("..", root.path().join("a/up")).unwrap();
    symlink("loop", root.path().join("loop")).unwrap();
    assert_eq!(start(root).unwrap().policies(), ["a/b@1.0 ok"]);
}

#[test]
fn what_is_no_file_is_passed_over() {
    let root = with_policy();
    let pipe = root.path().join("pipe.yaml");
    assert!(
        Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    let started = start(root).unwrap();
    assert_eq!(started.policies(), ["a/b@1.0 ok"]);
    assert_eq!(
        started.loader.status().notes,
        ["pipe.yaml: passed over: not a regular file"]
    );
}

#[test]
fn a_file_that_is_too_large_is_refused() {
    let root = with_policy();
    let file = fs::File::create(root.path().join("large.yaml")).unwrap();
    file.set_len((16 << 20) + 1).unwrap();
    assert!(refused(root).contains("file_too_large: large.yaml"));
}

#[test]
fn a_tree_that_is_too_large_is_refused() {
    let root = with_policy();
    for number in 0..17 {
        let file = fs::File::create(root.path().join(format!("{number}.yaml"))).unwrap();
        file.set_len(16 << 20).unwrap();
    }
    assert!(refused(root).contains("holds more than 256 MiB"));
    let root = with_policy();
    for number in 0..20_000 {
        fs::File::create(root.path().join(number.to_string())).unwrap();
    }
    assert!(refused(root).contains("holds more than 20000 files and folders"));
}

#[test]
fn a_tree_that_is_too_deep_is_passed_over() {
    let root = with_policy();
    let deep = "d/".repeat(18);
    super::write(root.path(), &format!("{deep}x.yaml"), "a: [");
    let started = start(root).unwrap();
    assert!(started.loader.status().notes[0].contains("deeper than 16 folders"));
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    let root = with_policy();
    fs::write(root.path().join("x.yaml"), [0xff, 0xfe, 0x00]).unwrap();
    assert!(refused(root).contains("file_not_text: x.yaml: the file is not UTF-8"));
}

#[test]
fn a_path_that_is_no_directory_is_refused() {
    let root = with_policy();
    let file = root.path().join("a/b/1.0/policy.rego");
    for (path, text) in [
        (file, "is not a directory"),
        (root.path().join("absent"), "cannot read"),
    ] {
        let error = Loader::start(tree(&path), Cache::new().allowance(), &|_, _| {})
            .unwrap_err()
            .to_string();
        assert!(error.contains(text), "{error}");
    }
}

#[test]
fn what_files_say_cannot_forge_what_is_printed() {
    let root = directory(&[(
        "\u{1b}[2J.yaml",
        "\"\\u001b[31m\\nerror: forged\": {a: [}\n",
    )]);
    let printed = printable(&refused(root));
    let hostile = |c: char| c.is_control() && c != '\n';
    assert!(!printed.contains(hostile), "{printed:?}");
    assert!(
        !printed
            .lines()
            .any(|line| line.starts_with("error: forged")),
        "{printed:?}"
    );
    assert_eq!(printable("a\n  | b\u{1b}\n"), "a\n  | b\n");
}

#[test]
fn names_that_differ_in_case_only_are_two_files() {
    let root = directory(&[
        ("a/b/1.0/policy.rego", ALLOWS),
        (
            "a/b/1.0/Policy.rego",
            "package a.b\ndeny contains \"no\" if input.no",
        ),
    ]);
    assert_eq!(start(root).unwrap().policies(), ["a/b@1.0 ok"]);
    // No address has capital letters.
    let root = directory(&[
        ("a/b/1.0/policy.rego", ALLOWS),
        ("a/B/1.0/policy.rego", ALLOWS),
    ]);
    assert!(refused(root).contains("a/B/1.0"));
}

#[test]
fn a_manifest_may_have_a_thousand_documents() {
    let document = |number: u32| {
        format!(
            "apiVersion: portcullis.dev/v1alpha1\nkind: ClusterPolicy\nmetadata: {{name: p{number}}}\n\
             spec:\n  group: a\n  name: p{number}\n  version: \"1\"\n  modules:\n    \
             p.rego: |\n      package a.p{number}\n      allow := true\n"
        )
    };
    let documents: Vec<String> = (0..1_000).map(document).collect();
    let root = directory(&[("all.yaml", &documents.join("---\n"))]);
    assert_eq!(start(root).unwrap().policies().len(), 1_000);
}

#[test]
fn what_is_in_force_stays_when_the_directory_becomes_too_large() {
    let root = with_policy();
    let path = root.path().to_owned();
    let mut started = start(root).unwrap();
    let file = fs::File::create(path.join("a/b/1.0/data.json")).unwrap();
    file.set_len(1 << 30).unwrap();
    started.look();
    assert_eq!(started.policies(), ["a/b@1.0 ok"]);
    assert!(
        started.faults()[0].contains("file_too_large"),
        "{:?}",
        started.faults()
    );
}
