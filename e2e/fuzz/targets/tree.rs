//! A directory of policies: nothing outside of it is read, whatever its links are; what is broken
//! never allows; who looks again and finds the same files has the same policies.
//!
//! ```text
//! kind path NEWLINE content NUL kind path NEWLINE content…
//! ```
//!
//! The kind is `-` for a file and `>` for a symbolic link to what the content says. What stands
//! behind `=` is written when the directory has been read once.
#![no_main]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use libfuzzer_sys::fuzz_target;
use portcullis_fuzz::decisions::decide;
use portcullis_fuzz::rego::let_builtins_panic;
use portcullis_operator::directory::{Loader, LockStore, Tree};
use portcullis_policies::{Allowance, Cache, Document, Headers, Input, Point};
use tempfile::TempDir;

/// What stands in files beside the directory.
const SECRET: &str = "zanzibar";

/// Most files and links that are made: each costs several system calls.
const MOST: usize = 16;

struct Part<'t> {
    kind: u8,
    path: &'t str,
    content: &'t str,
}

fn parts(text: &str) -> Vec<Part<'_>> {
    let part = |part| {
        let part: &str = part;
        let (path, content) = part.split_once('\n')?;
        let kind = *path.as_bytes().first().filter(|kind| kind.is_ascii())?;
        Some(Part {
            kind,
            path: &path[1..],
            content,
        })
    };
    text.split('\0').filter_map(part).take(MOST).collect()
}

fn outside() -> [(&'static str, String); 3] {
    [
        (
            "secret.yaml",
            format!("apiVersion: {SECRET}\nkind: {SECRET}\n"),
        ),
        ("secret.json", format!("{{\"{SECRET}\": [1]}}")),
        (
            "secret/a/b/1/policy.rego",
            format!("package a.b\n# {SECRET}\nallow := true\n"),
        ),
    ]
}

fn write(part: &Part<'_>, root: &Path) {
    // A path of the fuzzer's own never leads out.
    if !part
        .path
        .split('/')
        .all(|name| !matches!(name, "" | "." | ".."))
        || part.path.len() > 200
    {
        return;
    }
    let path = root.join(part.path);
    let Some(folder) = path.parent() else {
        return;
    };
    // A link that was made before may be among its folders.
    let inside = || fs::canonicalize(folder).is_ok_and(|real| real.starts_with(root));
    if fs::create_dir_all(folder).is_err() || !inside() {
        return;
    }
    // What cannot be written is not there.
    match part.kind {
        b'>' => drop(symlink(part.content.trim_end(), path)),
        _ if path.is_symlink() => {}
        _ => drop(fs::write(path, part.content)),
    }
}

fn published(loader: &Loader, cache: &Cache, locks: &LockStore) -> Vec<String> {
    loader.publish(cache, locks);
    let snapshot = cache.snapshot();
    let status = loader.status();
    let told = format!("{:?} {:?}", status.problems, status.notes);
    assert!(!told.contains(SECRET), "what is outside is told: {told}");
    let mut entries = Vec::new();
    for entry in snapshot.entries() {
        let definition = entry.policy.definition();
        let holds = format!("{definition:?}");
        assert!(!holds.contains(SECRET), "what is outside is read: {holds}");
        let input = Input::Evaluation(Some(Document::default()));
        let decision = decide(entry, Some(&input), Point::Evaluation, &Headers::default());
        assert!(
            !decision.allowed || entry.policy.faults().is_none() || decision.lock.is_some(),
            "what is broken allows: {decision:?}"
        );
        entries.push(format!("{} {}", entry.address(), entry.policy.digest()));
    }
    for lock in snapshot.locks() {
        assert!(!format!("{lock:?}").contains(SECRET));
        entries.push(format!("{lock:?}"));
    }
    entries
}

fuzz_target!(|text: &str| {
    let_builtins_panic();
    let room = TempDir::new().expect("there is room");
    let room = fs::canonicalize(room.path()).map(|path| (room, path));
    let (_room, room) = room.expect("the room is there");
    let root = room.join("policies");
    fs::create_dir(&root).expect("there is room");
    for (path, content) in outside() {
        let path = room.join(path);
        fs::create_dir_all(path.parent().expect("it is in the room")).expect("there is room");
        fs::write(path, content).expect("there is room");
    }
    let (before, after) = text.split_once("\0=\0").unwrap_or((text, ""));
    parts(before).iter().for_each(|part| write(part, &root));
    let tree = Tree::Disk {
        root: root.clone(),
        except: Some(root.join("locks")),
    };
    let started = Loader::start(tree.clone(), Allowance::default(), &|_, _| {});
    let mut loader = match started {
        Ok(loader) => loader,
        Err(fault) => {
            let told = fault.to_string();
            assert!(!told.is_empty() && !told.contains(SECRET), "{told}");
            return;
        }
    };
    let cache = Cache::new();
    let Ok(locks) = LockStore::open(root.join("locks")) else {
        return;
    };
    let first = published(&loader, &cache, &locks);
    let _ = loader.look();
    assert_eq!(
        first,
        published(&loader, &cache, &locks),
        "the same files are other policies"
    );
    if after.is_empty() {
        return;
    }
    parts(after).iter().for_each(|part| write(part, &root));
    for _ in 0..2 {
        let _ = loader.look();
    }
    let _ = published(&loader, &cache, &locks);
    assert!(
        !cache.snapshot().entries().next().is_none(),
        "nothing is in force any more"
    );
});
