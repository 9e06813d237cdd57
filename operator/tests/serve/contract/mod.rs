//! The description of the API, and what is so.

mod examples;
mod schemathesis;

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::process::Server;

/// A server of which the description's examples speak: of the shipped policies and a few more, with what
/// exports, imports and subscriptions need.
fn serve(folder: &Path) -> Server {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR"));
    let policies = folder.join("policies");
    copy(&sources.join("../policies/library"), &policies);
    copy(&sources.join("tests/serve/contract/policies"), &policies);
    for arguments in [
        &["genpkey", "-algorithm", "ed25519", "-out", "key.pem"][..],
        &["pkey", "-in", "key.pem", "-pubout", "-out", "public.pem"],
    ] {
        let ran = Command::new("openssl")
            .args(arguments)
            .current_dir(folder)
            .output();
        assert!(ran.unwrap().status.success());
    }
    let arguments = [
        "serve",
        "policies",
        "--export-key=key.pem",
        "--import-keys=public.pem",
        "--import-hosts=policies.example.com",
        "--notify-hosts=shop.example.com",
        "--default-decision=/services/authorization/allow",
    ];
    Server::start(&arguments.map(OsStr::new), folder)
}

fn copy(from: &Path, to: &Path) {
    let mut open = vec![PathBuf::new()];
    while let Some(at) = open.pop() {
        fs::create_dir_all(to.join(&at)).unwrap();
        for entry in fs::read_dir(from.join(&at)).unwrap() {
            let entry = entry.unwrap();
            let path = at.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                open.push(path);
            } else {
                fs::copy(entry.path(), to.join(&path)).unwrap();
            }
        }
    }
}
