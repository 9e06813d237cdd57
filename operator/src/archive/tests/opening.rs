//! What is taken in, and what is not.

use std::{fs, process::Command};

use portcullis_policies::{Allowance, DataSource};
use rstest::rstest;
use serde_json::{Value as Json, json};

use super::*;
use crate::{
    archive::{contents, zip},
    directory::{Loader, LockStore, Tree},
};

/// The outer archive of a bundle of these files, signed by a key as the TSA policy service signs.
fn signed(files: &[(&str, &[u8])], key: &SigningKey) -> Vec<u8> {
    let bundle = zip::write(files);
    let sum = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &bundle);
    let signature = key.sign(sum.as_ref()).unwrap();
    zip::write(&[
        ("policy_bundle.zip", &bundle),
        ("signature.raw", &signature),
    ])
}

fn metadata(changes: Json) -> Vec<u8> {
    let mut metadata = json!({
        "policy": {"name": "b", "group": "a", "version": "1.0", "repository": "elsewhere",
            "locked": false, "lastUpdate": "2023-11-07T01:00:00Z"},
        "publicKeyURL": "https://attacker.example/policy/elsewhere/a/b/1.0/key",
    });
    if let Json::Object(changes) = changes {
        for (field, value) in changes {
            metadata["policy"][field] = value;
        }
    }
    serde_json::to_vec(&metadata).unwrap()
}

/// A folder and a clerk that trusts the key of Ed25519 for the group `a`.
fn trusting() -> (tempfile::TempDir, Clerk) {
    let folder = tempfile::tempdir().unwrap();
    let clerk = clerk(folder.path(), &p256_pem(), &[("a/*", &ed25519_key())]);
    (folder, clerk)
}

const SOURCE: &str = "package a.b\n\nallow := data.x == 1\n";
const POLICY: &[u8] = SOURCE.as_bytes();

#[tokio::test]
async fn every_policy_of_the_library_comes_back_as_the_same_policy() {
    let folder = tempfile::tempdir().unwrap();
    let clerk = clerk(folder.path(), &p256_pem(), &[("*", &p256_key())]);
    let cache = Arc::new(Cache::new());
    let loader = Loader::start(Tree::Shipped, cache.allowance(), &|_, _| {}).unwrap();
    let locks = LockStore::open(folder.path().join("locks")).unwrap();
    loader.publish(&cache, &locks);
    let snapshot = cache.snapshot();
    assert!(snapshot.entries().count() > 5);
    for entry in snapshot.entries() {
        let archive = exported(&clerk, &entry.policy, 7).await;
        let opened = clerk.open(archive, Scope::Cluster, cache.clone()).await;
        let (candidate, policy) = opened.unwrap();
        assert_eq!(candidate.address, *entry.address());
        assert_eq!(
            policy.digest(),
            entry.policy.digest(),
            "{}",
            candidate.address
        );
        assert_eq!(candidate.ignored, [""; 0]);
    }
}

/// A policy whose data is fetched is no worse for not being here yet.
#[tokio::test]
async fn data_is_fetched_for_policies_that_are_imported() {
    let folder = tempfile::tempdir().unwrap();
    let clerk = clerk(folder.path(), &ed25519_pem(), &[("a/b", &ed25519_key())]);
    let network = crate::network::reaching(&["example.com"]);
    let allowance = Allowance {
        outside: Arc::new(network),
        ..Allowance::default()
    };
    let source = json!({"url": "https://example.com/data"});
    let source = serde_json::from_value(source).unwrap();
    let http = crate::convert::http_source(&source, &Scope::Cluster).unwrap();
    let address = "a/b@1.0".parse().unwrap();
    let mut definition = Definition::new(address, "package a.b\n\nroles := data.roles\n");
    definition.data_from = vec![DataSource::fetched(http, Vec::new())];
    let policy = Policy::compile_within(definition.clone(), &(), allowance.clone());
    let archive = exported(&clerk, &Arc::new(policy), 7).await;
    let cache = Arc::new(Cache::allowing(allowance));
    let taken = clerk.open(archive.clone(), Scope::Cluster, cache).await;
    let (candidate, policy) = taken.unwrap();
    assert_eq!(policy.definition().data_from, definition.data_from);
    assert_eq!(candidate.ignored, [""; 0]);
    let elsewhere = opened(&clerk, archive).await;
    let fault = elsewhere.err().unwrap().to_string();
    assert!(
        fault.contains("the administrator does not allow"),
        "{fault}"
    );
}

/// The TSA policy service asks for the data of this policy every ten hours.
#[rstest]
#[case::allowed("example.com", &[], true)]
#[case::not_allowed("example.org", &["data-config.json"], false)]
#[tokio::test]
async fn data_that_the_tsa_policy_service_refreshes_is_refreshed_where_that_is_allowed(
    #[case] host: &str,
    #[case] ignored: &[&str],
    #[case] is_fetched: bool,
) {
    let folder = tempfile::tempdir().unwrap();
    let clerk = clerk(folder.path(), &ed25519_pem(), &[("a/b", &ed25519_key())]);
    let config = br#"{"url": "https://example.com/data", "method": "GET", "period": "10h"}"#;
    let archive = signed(
        &[
            ("metadata.json", &metadata(json!({}))),
            ("policy.rego", POLICY),
            ("data.json", b"{\"x\": 1}"),
            ("data-config.json", config),
        ],
        &ed25519_key(),
    );
    let cache = Cache::allowing(Allowance {
        outside: Arc::new(crate::network::reaching(&[host])),
        ..Allowance::default()
    });
    let taken = clerk.open(archive, Scope::Cluster, Arc::new(cache)).await;
    let (candidate, policy) = taken.unwrap();
    assert_eq!(candidate.ignored, ignored);
    let definition = policy.definition();
    assert_eq!(definition.data.is_empty(), is_fetched);
    let urls = definition.data_from.iter().map(ToString::to_string);
    let expected = ["https://example.com/data"]
        .into_iter()
        .filter(|_| is_fetched);
    assert!(urls.eq(expected), "{:?}", definition.data_from);
}

/// What the service writes, by other hands: deflated, sizes behind the files, signed by openssl.
#[rstest]
#[case(ed25519_pem(), ed25519_key(), &["pkeyutl", "-sign", "-inkey", "key.pem", "-rawin", "-in", "sum",
    "-out", "signature.raw"])]
#[case(p256_pem(), p256_key(), &["dgst", "-sha256", "-sign", "key.pem", "-out", "signature.raw", "sum"])]
#[tokio::test]
async fn an_archive_of_the_tsa_policy_service_is_taken(
    #[case] pem: String,
    #[case] key: SigningKey,
    #[case] sign: &[&str],
) {
    let folder = tempfile::tempdir().unwrap();
    let clerk = clerk(folder.path(), &p256_pem(), &[("a/b", &key)]);
    fs::write(folder.path().join("key.pem"), pem).unwrap();
    fs::write(folder.path().join("metadata.json"), metadata(json!({}))).unwrap();
    fs::write(folder.path().join("policy.rego"), POLICY).unwrap();
    fs::write(folder.path().join("data.json"), "{\"x\": 1}").unwrap();
    fs::write(folder.path().join("export-config.json"), "{}").unwrap();
    let run = |program: &str, arguments: &[&str]| {
        let ran = Command::new(program)
            .args(arguments)
            .current_dir(folder.path())
            .output()
            .unwrap();
        assert!(ran.status.success(), "{ran:?}");
        ran.stdout
    };
    let pack = |names: &str| {
        format!(
            "
import sys, zipfile
class Stream:
    def write(self, data): return sys.stdout.buffer.write(data)
    def flush(self): sys.stdout.buffer.flush()
with zipfile.ZipFile(Stream(), 'w', zipfile.ZIP_DEFLATED) as z:
    for name in '{names}'.split():
        z.writestr(name, open(name, 'rb').read())
"
        )
    };
    let names = "metadata.json policy.rego data.json export-config.json";
    let bundle = run("python3", &["-c", &pack(names)]);
    fs::write(folder.path().join("policy_bundle.zip"), bundle).unwrap();
    run(
        "openssl",
        &[
            "dgst",
            "-sha256",
            "-binary",
            "-out",
            "sum",
            "policy_bundle.zip",
        ],
    );
    run("openssl", sign);
    let archive = run("python3", &["-c", &pack("policy_bundle.zip signature.raw")]);

    let (candidate, policy) = opened(&clerk, archive).await.unwrap();
    assert_eq!(candidate.address.to_string(), "a/b@1.0");
    assert_eq!(candidate.mark.signer, key.public().id());
    let time = candidate.mark.moment.last_update.to_string();
    assert_eq!(time, "2023-11-07T01:00:00Z");
    assert_eq!(candidate.ignored, ["export-config.json"]);
    assert_eq!(policy.definition().data["x"], 1);
}

/// The archive names a key, and that key has signed it: whoever makes archives can do that.
#[tokio::test]
async fn a_key_that_an_archive_names_does_not_count() {
    let (_folder, clerk) = trusting();
    let archive = signed(
        &[
            ("metadata.json", &metadata(json!({}))),
            ("policy.rego", POLICY),
        ],
        &p256_key(),
    );
    let fault = opened(&clerk, archive).await.unwrap_err();
    assert!(matches!(fault, ArchiveFault::Untrusted(_)), "{fault:?}");
}

#[tokio::test]
async fn a_signer_signs_only_its_addresses() {
    let (_folder, clerk) = trusting();
    let take = async |group: &str| {
        let metadata = metadata(json!({"group": group}));
        let source = format!("package {group}.b");
        let files: &[(&str, &[u8])] = &[
            ("metadata.json", &metadata),
            ("policy.rego", source.as_bytes()),
        ];
        opened(&clerk, signed(files, &ed25519_key())).await
    };
    assert!(take("a").await.is_ok());
    let fault = take("other").await.unwrap_err();
    assert!(matches!(fault, ArchiveFault::Untrusted(_)), "{fault:?}");
    assert!(fault.to_string().contains("other/b"), "{fault}");
}

#[tokio::test]
async fn what_changed_under_way_is_not_taken() {
    let (_folder, clerk) = trusting();
    let files: &[(&str, &[u8])] = &[
        ("metadata.json", &metadata(json!({}))),
        ("policy.rego", POLICY),
    ];
    let archive = signed(files, &ed25519_key());
    assert!(opened(&clerk, archive.clone()).await.is_ok());
    let mut taken = 0;
    // Every tenth byte, so that no part of either layer is left out.
    for at in (0..archive.len()).step_by(10) {
        let mut changed = archive.clone();
        changed[at] ^= 0x40;
        taken += usize::from(contents::open(&changed, &clerk.keyring().trust()).is_ok());
    }
    // Some bytes of the outer layer mean nothing: its times.
    assert!(taken < archive.len() / 100, "{taken}");
    let mut swapped = zip::read(
        &archive,
        zip::Bounds {
            files: 2,
            bytes: 1 << 20,
        },
    )
    .unwrap();
    let bundle = zip::write(&[("metadata.json", &metadata(json!({})))]);
    swapped[0].1 = bundle;
    let swapped: Vec<_> = swapped
        .iter()
        .map(|(name, it)| (name.as_str(), it.as_slice()))
        .collect();
    let fault = opened(&clerk, zip::write(&swapped)).await.unwrap_err();
    assert!(matches!(fault, ArchiveFault::Untrusted(_)), "{fault:?}");
}

#[rstest]
#[case::locked_there(json!({"locked": true}), &[("policy.rego", SOURCE)], "is locked")]
#[case::no_address(json!({"group": "A"}), &[("policy.rego", SOURCE)], "may not sign")]
#[case::no_version(json!({"version": "v1"}), &[("policy.rego", SOURCE)], "version")]
#[case::no_module(json!({}), &[("data.json", "{}")], "")]
#[case::broken(json!({}), &[("policy.rego", "package a.b\n\nallow := ")], "broken here")]
#[case::another_package(json!({}), &[("policy.rego", "package x")], "broken here")]
#[case::bad_data(json!({}), &[("policy.rego", SOURCE), ("data.json", "[]")], "broken here")]
#[case::unknown_settings(json!({}), &[("policy.rego", SOURCE), ("policy.yaml", "gard: true")], "gard")]
#[case::another_address(json!({}), &[("policy.rego", SOURCE), ("policy.yaml", "group: x")], "layout")]
#[case::misnamed_settings(json!({}), &[("policy.rego", SOURCE), ("policy.yml", "guardrail: true")], "policy.yaml")]
#[tokio::test]
async fn signed_archives_that_are_refused(
    #[case] changes: Json,
    #[case] files: &[(&str, &str)],
    #[case] expected: &str,
) {
    let (_folder, clerk) = trusting();
    let metadata = metadata(changes);
    let files: Vec<(&str, &[u8])> = [("metadata.json", metadata.as_slice())]
        .into_iter()
        .chain(files.iter().map(|(name, text)| (*name, text.as_bytes())))
        .collect();
    let fault = opened(&clerk, signed(&files, &ed25519_key()))
        .await
        .unwrap_err();
    assert!(fault.to_string().contains(expected), "{fault}");
    assert!(fault.remedy().is_some());
}

#[rstest]
#[case::no_zip(b"package a.b".to_vec())]
#[case::one_layer(zip::write(&[("policy.rego", POLICY)]))]
#[case::other_names(zip::write(&[("bundle.zip", POLICY), ("signature.raw", b"")]))]
#[case::three_files(zip::write(&[("policy_bundle.zip", POLICY), ("signature.raw", b""), ("x", b"")]))]
#[case::metadata_last(signed(&[("policy.rego", POLICY), ("metadata.json", &metadata(json!({})))], &ed25519_key()))]
#[case::no_text(signed(&[("metadata.json", &metadata(json!({}))), ("policy.rego", &[0xff])], &ed25519_key()))]
#[case::no_metadata(signed(&[], &ed25519_key()))]
#[case::bad_metadata(signed(&[("metadata.json", b"{}")], &ed25519_key()))]
#[tokio::test]
async fn what_is_no_archive_is_refused(#[case] archive: Vec<u8>) {
    let (_folder, clerk) = trusting();
    let fault = opened(&clerk, archive).await.unwrap_err();
    let is_told = matches!(fault, ArchiveFault::Invalid(_) | ArchiveFault::TooLarge(_));
    assert!(is_told, "{fault:?}");
}

#[tokio::test]
async fn what_expands_to_more_than_is_taken_is_refused() {
    let (_folder, clerk) = trusting();
    let archive = vec![0; contents::MAX_ARCHIVE + 1];
    let fault = opened(&clerk, archive).await.unwrap_err();
    assert!(matches!(fault, ArchiveFault::TooLarge(_)), "{fault:?}");
    // Many files of a signer that is trusted.
    let names: Vec<String> = (0..140).map(|at| format!("m{at}.rego")).collect();
    let metadata = metadata(json!({}));
    let mut files: Vec<(&str, &[u8])> = vec![("metadata.json", &metadata)];
    files.extend(names.iter().map(|name| (name.as_str(), POLICY)));
    let fault = opened(&clerk, signed(&files, &ed25519_key()))
        .await
        .unwrap_err();
    assert!(matches!(fault, ArchiveFault::TooLarge(_)), "{fault:?}");
}

#[tokio::test]
async fn without_keys_nothing_is_imported() {
    let clerk = ArchiveArguments::default().clerk("policies");
    let fault = opened(&clerk, Vec::new()).await.unwrap_err();
    assert!(matches!(fault, ArchiveFault::NoKey(_)), "{fault:?}");
    assert!(fault.remedy().unwrap().contains("--import-keys"));
}

#[tokio::test]
async fn a_namespace_owns_what_is_imported_for_it() {
    let (_folder, clerk) = trusting();
    let files: &[(&str, &[u8])] = &[
        ("metadata.json", &metadata(json!({}))),
        ("policy.rego", POLICY),
    ];
    let scope = Scope::Namespace("team".to_owned());
    let opened = clerk.open(signed(files, &ed25519_key()), scope, Arc::new(Cache::new()));
    let (candidate, policy) = opened.await.unwrap();
    assert_eq!(candidate.address.to_string(), "a/b@1.0 in team");
    assert_eq!(policy.address(), &candidate.address);
}
