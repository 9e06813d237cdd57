//! Tests of archives as a whole, and the keys of all tests.

mod opening;
mod sealing;

use std::{
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
    sync::{Arc, LazyLock},
};

use portcullis_policies::{Address, Cache, Definition, Policy, Scope, Timestamp};
use portcullis_webhook::ArchiveFault;

use super::{ArchiveArguments, Candidate, Clerk, Moment, SigningKey};

static ED25519: LazyLock<String> =
    LazyLock::new(|| openssl(&["genpkey", "-algorithm", "ed25519"], ""));
static P256: LazyLock<String> = LazyLock::new(|| {
    let curve = "ec_paramgen_curve:P-256";
    openssl(&["genpkey", "-algorithm", "EC", "-pkeyopt", curve], "")
});

/// What openssl prints.
fn openssl(arguments: &[&str], input: &str) -> String {
    let mut openssl = Command::new("openssl")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = openssl.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).unwrap();
    drop(stdin);
    let written = openssl.wait_with_output().unwrap();
    assert!(written.status.success());
    String::from_utf8(written.stdout).unwrap()
}

/// A private key of Ed25519, the same one for a test.
pub(crate) fn ed25519_pem() -> String {
    ED25519.clone()
}

/// A private key of P-256, the same one for a test.
pub(crate) fn p256_pem() -> String {
    P256.clone()
}

/// The same as `openssl ecparam -genkey` writes it: SEC 1, behind its parameters.
pub(crate) fn sec1_pem() -> String {
    let key = openssl(&["pkey", "-traditional"], &P256);
    let parameters = openssl(&["ecparam", "-name", "prime256v1"], "");
    assert!(key.contains("EC PRIVATE KEY"), "{key}");
    parameters + &key
}

pub(crate) fn ed25519_key() -> SigningKey {
    SigningKey::from_pem(ED25519.as_bytes()).unwrap()
}

pub(crate) fn p256_key() -> SigningKey {
    SigningKey::from_pem(P256.as_bytes()).unwrap()
}

/// A clerk that signs with a key and trusts those of `trusted`, each with what it may sign.
pub(crate) fn clerk(folder: &Path, key: &str, trusted: &[(&str, &SigningKey)]) -> Clerk {
    let export = folder.join("export.pem");
    std::fs::write(&export, key).unwrap();
    let mut import_keys = Vec::new();
    for (at, (addresses, key)) in trusted.iter().enumerate() {
        let file = folder.join(format!("trusted-{at}.pem"));
        std::fs::write(&file, key.public().pem()).unwrap();
        import_keys.push(format!("{addresses}={}", file.display()).parse().unwrap());
    }
    let arguments = ArchiveArguments {
        export_key: Some(export),
        import_keys,
        external_url: "https://policies.example/".to_owned(),
        ..ArchiveArguments::default()
    };
    let clerk = arguments.clerk("policies");
    assert_eq!(clerk.keyring().look().len(), 0);
    clerk
}

pub(crate) fn policy(address: &str, source: &str) -> Arc<Policy> {
    let address: Address = address.parse().unwrap();
    Arc::new(Policy::compile(Definition::new(address, source)))
}

/// A moment of this second.
pub(crate) fn at(second: i64) -> Moment {
    Moment {
        last_update: Timestamp::from_second(second).unwrap(),
        generation: 1,
    }
}

/// What a clerk exports.
pub(crate) async fn exported(clerk: &Clerk, policy: &Arc<Policy>, second: i64) -> Vec<u8> {
    let made = clerk.export(policy.clone(), false, at(second)).await;
    made.unwrap().archive
}

/// What a clerk makes of an archive.
pub(crate) async fn opened(
    clerk: &Clerk,
    archive: Vec<u8>,
) -> Result<(Candidate, Arc<Policy>), ArchiveFault> {
    let cache = Arc::new(Cache::new());
    clerk.open(archive, Scope::Cluster, cache).await
}
