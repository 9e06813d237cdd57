//! What is not started, and what it says about that.

use std::net::TcpListener;

use tempfile::TempDir;

use crate::process::{run, write};

/// Runs the binary, which has to fail with this status and say all of this.
#[track_caller]
fn refused(arguments: &[&str], status: i32, says: &[&str]) {
    let ended = run(arguments);
    let text = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(status), "{text}");
    for part in says {
        assert!(text.contains(part), "{part:?} is not in {text:?}");
    }
    assert!(!text.contains("panicked"), "{text}");
}

#[test]
fn directories_that_cannot_be_served() {
    let root = TempDir::new().unwrap();
    let path = root.path().to_str().unwrap();
    let absent = format!("{path}/absent");
    refused(
        &["serve", &absent],
        1,
        &["error: cannot read the directory", "No such file"],
    );
    refused(
        &["serve", path],
        1,
        &["error: the directory holds no policy", "<group>/<name>"],
    );
    write(
        root.path(),
        "a/b/1.0/policy.rego",
        "package a.b\nallow := true\n",
    );
    write(
        root.path(),
        "lock.yaml",
        "apiVersion: portcullis.dev/v1alpha1\nkind: ClusterLock\nmetadata: {name: x}\nspec:\n  policies: {}\n  reason: x\n",
    );
    refused(
        &["serve", path],
        1,
        &[
            "error: `lock.yaml` cannot be read, so what is in force is not known",
            "lock.yaml:5:3: field_unknown: unknown field `spec.policies`",
            "→ correct the name or remove the field",
        ],
    );
    write(root.path(), "lock.yaml", "");
    write(root.path(), "locks/x.yaml", "a: [");
    refused(
        &["serve", path],
        1,
        &["error: cannot read all locks", "x.yaml:1:"],
    );
}

#[test]
fn addresses_that_cannot_be_served() {
    let root = TempDir::new().unwrap();
    write(
        root.path(),
        "a/b/1.0/policy.rego",
        "package a.b\nallow := true\n",
    );
    let path = root.path().to_str().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    refused(
        &[
            "serve",
            path,
            "--listen",
            &address,
            "--admin",
            "127.0.0.1:0",
        ],
        1,
        &["error: failed to listen on", &address, "in use"],
    );
    refused(
        &["serve", path, "--listen", "0.0.0.0:8181"],
        1,
        &[
            "other machines can reach 0.0.0.0:8181",
            "--tls-cert",
            "--insecure",
        ],
    );
    refused(&["serve", path, "--listen", "localhost"], 2, &["--listen"]);
    refused(&["serve", path, "--tls-cert", "x"], 2, &["--tls-key"]);
    refused(
        &[
            "serve",
            path,
            "--tls-cert",
            "/absent",
            "--tls-key",
            "/absent",
        ],
        1,
        &["error: failed to read `/absent`"],
    );
    refused(
        &["sidecar", "--policies", path, "--listen", "0.0.0.0:1"],
        1,
        &["not on loopback"],
    );
    refused(&["serve", path, "--threads", "0"], 2, &["--threads"]);
    refused(
        &["serve", path, "--log", "a=b=c"],
        1,
        &["`--log a=b=c` is not a filter"],
    );
}

#[test]
fn probes_that_fail() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = format!("http://{}/", free.local_addr().unwrap());
    drop(free);
    refused(
        &["probe", &closed],
        1,
        &["error: failed to ask", "failed to connect to", "refused"],
    );
    refused(&["probe", "ftp://127.0.0.1/"], 1, &["is not a URL"]);
    refused(&["probe", "127.0.0.1"], 1, &["is not a URL"]);
    refused(&["probe", "https://127.0.0.1/"], 1, &["add `--ca FILE`"]);
    refused(
        &["probe", "https://127.0.0.1/", "--ca", "/absent"],
        1,
        &["failed to read the authority"],
    );
    refused(
        &["probe", "https://127.0.0.1/", "--ca", "/dev/null"],
        1,
        &["no certificate in it"],
    );
}

#[test]
fn the_version_is_the_crates() {
    let printed = run(&["--version"]);
    assert!(printed.status.success());
    let expected = concat!("portcullis ", env!("CARGO_PKG_VERSION"), "\n");
    assert_eq!(String::from_utf8(printed.stdout).unwrap(), expected);
}
