//! Changes of a directory, and what stays in force when they break something.

use std::fs;

use rstest::rstest;

use super::{ALLOWS, BROKEN, Started, directory, start};

const OTHER: &str = "package a.c\n\nallow := true\n";

fn two_policies() -> Started {
    start(directory(&[
        ("a/b/1.0/policy.rego", ALLOWS),
        ("a/c/1.0/policy.rego", OTHER),
    ]))
    .unwrap()
}

fn digest(started: &Started, address: &str) -> String {
    let snapshot = started.cache.snapshot();
    snapshot
        .find(&address.parse().unwrap())
        .unwrap()
        .policy
        .digest()
        .to_string()
}

#[test]
fn a_change_counts_when_the_files_are_still() {
    let mut started = two_policies();
    assert!(!started.loader.look().unwrap());
    let before = digest(&started, "a/b@1.0");
    super::write(
        started.root.path(),
        "a/b/1.0/policy.rego",
        "package a.b\n\nallow := false\n",
    );
    assert!(
        !started.loader.look().unwrap(),
        "it was taken at first sight"
    );
    assert!(started.loader.look().unwrap());
    started.loader.publish(&started.cache, &started.locks);
    assert_ne!(digest(&started, "a/b@1.0"), before);
    assert!(!started.loader.look().unwrap(), "it was taken twice");
}

#[test]
fn files_that_come_and_go_are_policies_that_come_and_go() {
    let mut started = two_policies();
    started.write("a/d/1.0/policy.rego", "package a.d\nallow := true\n");
    assert_eq!(
        started.policies(),
        ["a/b@1.0 ok", "a/c@1.0 ok", "a/d@1.0 ok"]
    );
    started.remove("a/c/1.0/policy.rego");
    assert_eq!(started.policies(), ["a/b@1.0 ok", "a/d@1.0 ok"]);
    assert_eq!(started.faults(), [] as [&str; 0]);
}

const IMPORTER: &str = "package a.b\n\nallow if data.a.z.ok(1)\n";
const IMPORTS: &str = "imports: [{group: a, name: z, version: \"1.0\"}]\n";
const IMPORTED: &str = "package a.z\n\nok(_) := true\n";

/// `a/b@1.0`, which imports `a/z@1.0`: read before it, by name.
fn importer() -> Started {
    start(directory(&[
        ("a/b/1.0/policy.rego", IMPORTER),
        ("a/b/1.0/policy.yaml", IMPORTS),
        ("a/z/1.0/policy.rego", IMPORTED),
    ]))
    .unwrap()
}

#[test]
fn an_importer_follows_what_it_imports() {
    let mut started = importer();
    assert_eq!(started.policies(), ["a/b@1.0 ok", "a/z@1.0 ok"]);
    let before = digest(&started, "a/b@1.0");
    started.write("a/z/1.0/policy.rego", "package a.z\n\nok(_) := false\n");
    assert_ne!(digest(&started, "a/b@1.0"), before);
    assert_eq!(started.faults(), [] as [&str; 0]);
    started.remove("a/z/1.0/policy.rego");
    assert_eq!(started.policies(), ["a/b@1.0 broken"]);
    let faults = started.faults();
    assert!(
        faults[0].contains("imports a/z@1.0, which is not there"),
        "{faults:#?}"
    );
    started.write("a/z/1.0/policy.rego", IMPORTED);
    assert_eq!(digest(&started, "a/b@1.0"), before);
}

#[test]
fn what_breaks_is_not_imported_and_the_last_good_one_is() {
    let mut started = importer();
    let before = digest(&started, "a/b@1.0");
    started.write("a/z/1.0/policy.rego", "package a.z\n\nok(_) := \n");
    assert_eq!(started.policies(), ["a/b@1.0 ok", "a/z@1.0 ok"]);
    assert_eq!(digest(&started, "a/b@1.0"), before);
}

#[test]
fn an_importer_that_breaks_keeps_its_last_good_state_and_follows_its_import() {
    let mut started = importer();
    let before = digest(&started, "a/b@1.0");
    started.write("a/b/1.0/policy.rego", BROKEN);
    assert_eq!(digest(&started, "a/b@1.0"), before);
    started.write("a/z/1.0/policy.rego", "package a.z\n\nok(_) := false\n");
    assert_eq!(started.policies(), ["a/b@1.0 ok", "a/z@1.0 ok"]);
    assert_ne!(digest(&started, "a/b@1.0"), before);
    started.write("a/b/1.0/policy.rego", IMPORTER);
    assert_eq!(started.faults(), [] as [&str; 0]);
}

#[test]
fn an_older_state_never_stands_in_for_an_import_that_is_gone() {
    let mut started = start(directory(&[
        ("a/b/1.0/policy.rego", ALLOWS),
        ("a/z/1.0/policy.rego", IMPORTED),
    ]))
    .unwrap();
    started.write("a/b/1.0/policy.rego", IMPORTER);
    started.write("a/b/1.0/policy.yaml", IMPORTS);
    assert_eq!(started.faults(), [] as [&str; 0]);
    started.remove("a/z/1.0/policy.rego");
    assert_eq!(started.policies(), ["a/b@1.0 broken"]);
}

#[test]
fn a_change_that_breaks_a_policy_keeps_the_last_good_one() {
    let mut started = two_policies();
    let before = digest(&started, "a/b@1.0");
    for broken in [BROKEN, "package a.b\nallow if unknown_function(1)\n"] {
        started.write("a/b/1.0/policy.rego", broken);
        assert_eq!(started.policies(), ["a/b@1.0 ok", "a/c@1.0 ok"]);
        assert_eq!(digest(&started, "a/b@1.0"), before);
        let faults = started.faults();
        assert!(faults[0].starts_with("a/b/1.0/policy.rego:"), "{faults:#?}");
        assert!(
            faults[0].ends_with("the last good state stays in force"),
            "{faults:#?}"
        );
        assert_eq!(started.loader.status().stale.len(), 1);
    }
    started.write("a/b/1.0/policy.rego", "package a.b\n\nallow := false\n");
    assert_ne!(digest(&started, "a/b@1.0"), before);
    assert_eq!(started.faults(), [] as [&str; 0]);
}

#[test]
fn a_new_policy_that_is_broken_denies() {
    let mut started = two_policies();
    started.write("a/d/1.0/policy.rego", "package a.d\nallow := ");
    assert_eq!(
        started.policies(),
        ["a/b@1.0 ok", "a/c@1.0 ok", "a/d@1.0 broken"]
    );
}

#[test]
fn a_file_that_cannot_be_read_any_more_keeps_what_it_held() {
    let manifest = "\
apiVersion: portcullis.dev/v1alpha1
kind: ClusterLock
metadata: {name: incident}
spec: {all: true, reason: incident}
";
    let files = [("a/b/1.0/policy.rego", ALLOWS), ("locked.yaml", manifest)];
    let mut started = start(directory(&files)).unwrap();
    let locked = |started: &Started| started.cache.snapshot().locks().len();
    for wrong in [
        "a: [",
        "apiVersion: portcullis.dev/v1alpha1\nkind: ClusterLock\n",
        &manifest.replace("all: true", "all: false"),
        &manifest.replace("incident}\nspec", "incident}\nspce"),
    ] {
        started.write("locked.yaml", wrong);
        assert_eq!(locked(&started), 1, "{wrong}");
        let faults = started.faults();
        assert!(
            faults[0].ends_with("the last good state stays in force"),
            "{wrong} {faults:#?}"
        );
    }
    started.write("locked.yaml", "---\n");
    assert_eq!(locked(&started), 0);
}

#[test]
fn a_directory_that_is_suddenly_empty_keeps_everything() {
    let mut started = two_policies();
    let root = started.root.path().to_owned();
    fs::remove_dir_all(root.join("a")).unwrap();
    started.look();
    assert_eq!(started.policies(), ["a/b@1.0 ok", "a/c@1.0 ok"]);
    assert!(
        started.faults()[0].contains("directory_empty"),
        "{:?}",
        started.faults()
    );
    started.write("a/b/1.0/policy.rego", ALLOWS);
    assert_eq!(started.policies(), ["a/b@1.0 ok"]);
    assert_eq!(started.faults(), [] as [&str; 0]);
}

#[test]
fn a_directory_that_is_gone_keeps_everything() {
    let mut started = two_policies();
    let root = started.root.path().to_owned();
    let aside = root.with_extension("aside");
    fs::rename(&root, &aside).unwrap();
    assert!(started.loader.look().is_err());
    assert!(
        started.faults()[0].contains("directory_unreadable"),
        "{:?}",
        started.faults()
    );
    fs::rename(&aside, &root).unwrap();
    started.look();
    assert_eq!(started.policies(), ["a/b@1.0 ok", "a/c@1.0 ok"]);
    assert_eq!(started.faults(), [] as [&str; 0]);
}

/// What cannot be looked at is not gone. A path that is too long fails for root, too, whom no
/// permission stops. Behind a hidden name it is reached by the link alone.
#[rstest]
#[case::folder("x", &"n".repeat(255))]
#[case::link(".x", &format!(".{}", "n".repeat(254)))]
fn what_cannot_be_looked_at_keeps_everything(#[case] short: &str, #[case] long: &str) {
    let below = vec!["n".repeat(255); 15].join("/");
    let manifest = "\
apiVersion: portcullis.dev/v1alpha1
kind: ClusterPolicy
metadata: {name: deep}
spec: {group: a, name: deep, version: \"1\", modules: {p.rego: package a.deep}}
";
    let root = directory(&[
        ("a/b/1.0/policy.rego", ALLOWS),
        (&format!("{short}/{below}/p.yaml"), manifest),
    ]);
    let path = root.path().to_owned();
    let move_to = |from: &str, to: &str| {
        fs::rename(path.join(from), path.join(to)).unwrap();
        let _ = fs::remove_file(path.join("link"));
        if to.starts_with('.') {
            std::os::unix::fs::symlink(format!("{to}/{below}"), path.join("link")).unwrap();
        }
    };
    move_to(short, short);
    let mut started = start(root).unwrap();
    let policies = ["a/b@1.0 ok", "a/deep@1 ok"];
    assert_eq!(started.policies(), policies);
    move_to(short, long);
    assert!(started.loader.look().is_err());
    started.look();
    assert_eq!(started.policies(), policies);
    let faults = started.faults();
    assert!(faults[0].contains("directory_unreadable"), "{faults:?}");
    move_to(long, short);
    started.look();
    assert_eq!(started.policies(), policies);
    assert_eq!(started.faults(), [] as [&str; 0]);
}

/// The kubelet writes a mounted `ConfigMap` beside the old one and swaps a link.
#[test]
fn follows_the_links_of_a_mounted_config_map() {
    let manifest = |name: &str| {
        format!(
            "apiVersion: portcullis.dev/v1alpha1\nkind: ClusterPolicy\nmetadata: {{name: x}}\nspec:\n  group: a\n  name: {name}\n  version: \"1\"\n  modules: {{p.rego: \"package a.{name}\\nallow := true\"}}\n"
        )
    };
    let root = directory(&[
        ("..one/p.yaml", &manifest("b")),
        ("..two/p.yaml", &manifest("c")),
    ]);
    let link = |to: &str, from: &str| std::os::unix::fs::symlink(to, root.path().join(from));
    link("..one", "..data").unwrap();
    link("..data/p.yaml", "p.yaml").unwrap();
    let mut started = start(root).unwrap();
    assert_eq!(started.policies(), ["a/b@1 ok"]);
    let root = started.root.path();
    std::os::unix::fs::symlink("..two", root.join("..data_tmp")).unwrap();
    fs::rename(root.join("..data_tmp"), root.join("..data")).unwrap();
    started.look();
    assert_eq!(started.policies(), ["a/c@1 ok"]);
}

#[test]
fn an_object_moves_from_one_file_to_another() {
    let manifest = "\
apiVersion: portcullis.dev/v1alpha1
kind: ClusterLock
metadata: {name: incident}
spec: {all: true, reason: incident}
";
    let files = [("a/b/1.0/policy.rego", ALLOWS), ("x.yaml", manifest)];
    let mut started = start(directory(&files)).unwrap();
    started.write("w.yaml", manifest);
    assert!(started.faults()[0].contains("ClusterLock incident is in x.yaml too"));
    assert_eq!(started.cache.snapshot().locks().len(), 1);
    started.remove("x.yaml");
    started.look();
    assert_eq!(started.cache.snapshot().locks().len(), 1);
    assert_eq!(started.faults(), [] as [&str; 0]);
}
