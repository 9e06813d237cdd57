//! Schemathesis makes requests of the description, and of what it forbids, and looks whether the answers
//! are what it says.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

use super::serve;
use crate::process::cache;

/// Where `make schemathesis` installs it.
fn installed() -> PathBuf {
    let program = cache().join("schemathesis/bin/schemathesis");
    assert!(
        program.is_file(),
        "schemathesis must be there: `make schemathesis` installs it"
    );
    program
}

/// The same requests each time, some four thousand.
#[test]
fn schemathesis_finds_nothing() {
    let folder = TempDir::new().unwrap();
    let server = serve(folder.path());
    let url = format!("http://{}", server.evaluation);
    let folder_of_test = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/serve/contract");
    let ran = Command::new(installed())
        .arg("--config-file")
        .arg(folder_of_test.join("schemathesis.toml"))
        .arg("run")
        .arg(format!("{url}/openapi.json"))
        .args(["--url", &url, "--phases", "examples,coverage,fuzzing"])
        .args(["--max-examples", "10", "--seed", "1", "--no-color"])
        .args(["--generation-database", "none"])
        .current_dir(folder.path())
        .env("SCHEMATHESIS_HOOKS", folder_of_test.join("hooks.py"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&ran.stdout);
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{printed}{said}");
    assert!(printed.contains("Examples"), "{printed}");
}
