//! The description of the API, and what is so.

mod examples;
mod schemathesis;

use std::{ffi::OsStr, path::Path, process::Command};

use crate::process::{Server, copy};

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
