//! Two servers: what one exports, the other fetches and imports.

use std::{ffi::OsStr, path::Path, process::Command};

use tempfile::TempDir;

use crate::process::{Server, write};

fn serve(root: &Path, arguments: &[&str]) -> Server {
    let arguments: Vec<&OsStr> = arguments.iter().map(OsStr::new).collect();
    Server::start(&arguments, root)
}

fn importing(root: &Path) -> Server {
    let keys = "shop/*=key.pem";
    serve(
        root,
        &[
            "serve",
            "here",
            "--import-keys",
            keys,
            "--import-hosts",
            "127.0.0.1",
        ],
    )
}

#[test]
fn an_archive_is_fetched_verified_and_imported_and_what_fails_is_told() {
    let root = TempDir::new().unwrap();
    write(
        root.path(),
        "there/shop/discount/1.0/policy.rego",
        "package shop.discount\n\nallow := true\n",
    );
    write(
        root.path(),
        "there/web/other/1.0/policy.rego",
        "package web.other\n",
    );
    write(
        root.path(),
        "here/shop/own/1.0/policy.rego",
        "package shop.own\n",
    );
    for arguments in [
        &["genpkey", "-algorithm", "ed25519", "-out", "export.pem"][..],
        &["pkey", "-in", "export.pem", "-pubout", "-out", "key.pem"],
    ] {
        let ran = Command::new("openssl")
            .args(arguments)
            .current_dir(root.path())
            .output();
        assert!(ran.unwrap().status.success());
    }
    let there = serve(
        root.path(),
        &["serve", "there", "--export-key", "export.pem"],
    );
    let here = importing(root.path());
    let config = "/v1/policy/import/config";
    let schedule = |path: &str| {
        let url = format!("http://{}{path}", there.evaluation);
        format!(r#"{{"policyURL": "{url}", "interval": "1h"}}"#)
    };
    let set = here.ask(
        "POST",
        config,
        &schedule("/policy/shop/discount/1.0/export"),
    );
    assert_eq!(set.status, 200, "{set:?}");
    here.await_log("an archive was imported");
    let answer = here.ask("GET", "/policy/shop/discount/1.0/evaluation", "");
    assert!(answer.body.contains(r#""allow":true"#), "{answer:?}");
    let listed = here.ask("GET", config, "").body;
    assert!(
        listed.contains(r#""policy":"shop/discount@1.0""#),
        "{listed}"
    );
    assert!(listed.contains(r#""failures":0"#), "{listed}");

    // Its signer may not sign this one, and says nothing else for it.
    let set = here.ask("POST", config, &schedule("/policy/web/other/1.0/export"));
    assert_eq!(set.status, 200, "{set:?}");
    here.await_log("an archive was not imported");
    let listed = here.ask("GET", config, "").body;
    assert!(
        listed.contains("may not sign policies of web/other"),
        "{listed}"
    );
    let absent = here.ask("GET", "/policy/web/other/1.0/evaluation", "");
    assert_eq!(absent.status, 404, "{absent:?}");
    let other = r#"{"policyURL": "http://169.254.169.254/export", "interval": "1h"}"#;
    let refused = here.ask("POST", config, other);
    assert_eq!(refused.status, 403, "{refused:?}");

    // It goes on after a restart, and what was imported stays while nobody can be asked.
    assert!(here.stop().success());
    assert!(there.stop().success());
    let here = importing(root.path());
    let answer = here.ask("GET", "/policy/shop/discount/1.0/evaluation", "");
    assert!(answer.body.contains(r#""allow":true"#), "{answer:?}");
    let listed = here.ask("GET", config, "");
    assert!(
        listed.body.contains("/policy/shop/discount/1.0/export"),
        "{listed:?}"
    );
}
