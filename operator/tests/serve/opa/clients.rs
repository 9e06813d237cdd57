//! Libraries that services use to ask OPA, as they are published, against `portcullis serve`.

use std::{fs, os::unix::fs::symlink, path::PathBuf, process::Command};

use tempfile::TempDir;

use super::comparison::serve;
use crate::process::cache;

/// Where `make clients` installs them.
fn installed() -> PathBuf {
    let clients = cache().join("clients");
    assert!(
        clients.join("node_modules").is_dir(),
        "the clients must be there: `make clients` installs them"
    );
    clients
}

#[track_caller]
fn assert_done(command: &mut Command) {
    let ran = command.output().unwrap();
    let printed = String::from_utf8_lossy(&ran.stdout);
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(
        ran.status.success() && printed == "done\n",
        "{printed}{said}"
    );
}

#[test]
fn the_client_of_npm_works() {
    let folder = TempDir::new().unwrap();
    let (_, server) = serve(folder.path());
    let clients = installed();
    // Modules are looked for beside the script.
    symlink(
        clients.join("node_modules"),
        folder.path().join("node_modules"),
    )
    .unwrap();
    let script = folder.path().join("client.mjs");
    fs::write(&script, include_str!("clients/client.mjs")).unwrap();
    let mut node = Command::new(clients.join("bin/node"));
    assert_done(
        node.arg(script)
            .arg(format!("http://{}", server.evaluation)),
    );
}

#[test]
fn the_client_of_pypi_works() {
    let folder = TempDir::new().unwrap();
    let (_, server) = serve(folder.path());
    let (host, port) = server.evaluation.split_once(':').unwrap();
    let mut python = Command::new(installed().join("bin/python"));
    assert_done(python.args(["-c", include_str!("clients/client.py"), host, port]));
}
