//! What is exported: the same bytes, and a signature that others verify.

use std::{fs, io::Write as _, process::Command};

use rstest::rstest;
use serde_json::{Value as Json, json};

use super::*;
use crate::archive::zip::{self, Bounds};

const BOUNDS: Bounds = Bounds {
    files: 100,
    bytes: 1 << 20,
};

fn files(archive: &[u8]) -> Vec<(String, Vec<u8>)> {
    zip::read(archive, BOUNDS).unwrap()
}

fn names(files: &[(String, Vec<u8>)]) -> Vec<&str> {
    files.iter().map(|(name, _)| name.as_str()).collect()
}

/// Another implementation than ours verifies: SHA-256 of the bundle is what is signed.
#[rstest]
#[case(p256_pem(), &["dgst", "-sha256", "-verify", "key.pem", "-signature", "signature", "sum"])]
#[case(ed25519_pem(), &["pkeyutl", "-verify", "-pubin", "-inkey", "key.pem", "-rawin", "-in", "sum",
    "-sigfile", "signature"])]
#[tokio::test]
async fn openssl_verifies_the_signature(#[case] pem: String, #[case] arguments: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let clerk = clerk(folder.path(), &pem, &[]);
    let archive = exported(&clerk, &policy("a/b@1.0", "package a.b"), 7).await;
    let layers = files(&archive);
    assert_eq!(names(&layers), ["policy_bundle.zip", "signature.raw"]);
    let path = |name: &str| folder.path().join(name);
    fs::write(path("bundle"), &layers[0].1).unwrap();
    fs::write(path("signature"), &layers[1].1).unwrap();
    fs::write(path("key.pem"), clerk.key().unwrap().pem).unwrap();
    let openssl = |arguments: &[&str]| {
        let ran = Command::new("openssl")
            .args(arguments)
            .current_dir(folder.path())
            .output();
        ran.unwrap().status.success()
    };
    assert!(openssl(&[
        "dgst", "-sha256", "-binary", "-out", "sum", "bundle"
    ]));
    assert!(openssl(arguments));
    let mut changed = fs::File::options()
        .append(true)
        .open(path("bundle"))
        .unwrap();
    changed.write_all(b"x").unwrap();
    assert!(openssl(&[
        "dgst", "-sha256", "-binary", "-out", "sum", "bundle"
    ]));
    assert!(!openssl(arguments));
}

#[tokio::test]
async fn a_policy_is_the_same_bytes_until_it_changes() {
    let folder = tempfile::tempdir().unwrap();
    let clerk = clerk(folder.path(), &ed25519_pem(), &[]);
    let (one, other) = (
        policy("a/b@1.0", "package a.b"),
        policy("a/b@1.0", "package a.b\n"),
    );
    let first = exported(&clerk, &one, 7).await;
    assert_eq!(exported(&clerk, &one, 7).await, first);
    assert_ne!(exported(&clerk, &other, 7).await, first);
    let tag = async |policy: &Arc<Policy>, is_locked| {
        let made = clerk.export(policy.clone(), is_locked, at(7)).await;
        made.unwrap().tag
    };
    assert_eq!(tag(&one, false).await, tag(&one, false).await);
    assert_ne!(tag(&one, false).await, tag(&one, true).await);
    assert_ne!(tag(&one, false).await, tag(&other, false).await);
}

/// A signature of ECDSA is another one each time; what is signed is not.
#[tokio::test]
async fn what_is_signed_is_the_same_bytes_with_every_key() {
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (folder.path().join("1"), folder.path().join("2"));
    fs::create_dir(&one).unwrap();
    fs::create_dir(&other).unwrap();
    let clerks = [
        clerk(&one, &ed25519_pem(), &[]),
        clerk(&other, &p256_pem(), &[]),
    ];
    let policy = policy("a/b@1.0", "package a.b");
    let mut bundles = Vec::new();
    for clerk in &clerks {
        bundles.push(files(&exported(clerk, &policy, 7).await).remove(0).1);
    }
    assert_eq!(bundles[0], bundles[1]);
}

#[tokio::test]
async fn a_bundle_is_a_folder_of_the_layout_with_metadata() {
    let folder = tempfile::tempdir().unwrap();
    let clerk = clerk(folder.path(), &ed25519_pem(), &[]);
    let address: Address = "a/b@1.0".parse().unwrap();
    let mut definition = Definition::new(address, "package a.b");
    definition.data.insert("roles".to_owned(), json!(["admin"]));
    definition.guardrail = true;
    let policy = Arc::new(Policy::compile(definition));
    let made = clerk.export(policy.clone(), true, at(7)).await.unwrap();
    let files = files(&files(&made.archive).remove(0).1);
    assert_eq!(
        names(&files),
        ["metadata.json", "data.json", "policy.rego", "policy.yaml"]
    );
    let document = |at: usize| serde_json::from_slice::<Json>(&files[at].1).unwrap();
    assert_eq!(
        document(0),
        json!({
            "policy": {"name": "b", "group": "a", "version": "1.0", "repository": "policies",
                "locked": true, "lastUpdate": "1970-01-01T00:00:07Z"},
            "publicKeyURL": "https://policies.example/policy/policies/a/b/1.0/key",
            "portcullis": {"digest": policy.digest().to_string(), "generation": 1},
        })
    );
    assert_eq!(document(1), json!({"roles": ["admin"]}));
    assert_eq!(files[2].1, b"package a.b");
    assert_eq!(document(3)["guardrail"], true);
}

#[tokio::test]
async fn without_a_key_nothing_is_exported() {
    let clerk = ArchiveArguments::default().clerk("policies");
    let policy = policy("a/b@1.0", "package a.b");
    let fault = clerk.export(policy, false, at(7)).await.unwrap_err();
    assert!(matches!(fault, ArchiveFault::NoKey(_)), "{fault:?}");
    assert_eq!(clerk.key().unwrap_err(), fault);
    assert!(fault.remedy().unwrap().contains("--export-key"));
}

#[tokio::test]
async fn what_is_larger_than_an_archive_is_not_exported() {
    let folder = tempfile::tempdir().unwrap();
    let clerk = clerk(folder.path(), &ed25519_pem(), &[]);
    let mut definition = Definition::new("a/b@1.0".parse().unwrap(), "package a.b");
    definition
        .data
        .insert("large".to_owned(), json!("x".repeat(8 << 20)));
    let policy = Arc::new(Policy::compile(definition));
    let fault = clerk.export(policy, false, at(7)).await.unwrap_err();
    assert!(matches!(fault, ArchiveFault::TooLarge(_)), "{fault:?}");
}
