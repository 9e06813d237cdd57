//! Archives into and out of a directory.

use std::{fs, os::unix::fs::PermissionsExt as _, sync::Arc};

use portcullis_policies::{Cache, Digest};
use portcullis_webhook::{ArchiveFault, ArchiveKeeper as _, Caller, ImportAction, ImportRequest};
use rstest::rstest;

use super::{ALLOWS, Started, directory, start, tree};
use crate::{
    archive::{
        Clerk,
        tests::{clerk, ed25519_key, ed25519_pem, exported, p256_key, p256_pem, policy},
    },
    directory::{Access, DirectoryArchives, Tree},
};

/// A directory that is followed, and the way in.
struct Served {
    started: Started,
    cache: Arc<Cache>,
    archives: DirectoryArchives,
    /// Signs what is imported.
    elsewhere: Clerk,
    _keys: tempfile::TempDir,
}

fn served(files: &[(&str, &str)], access: Access) -> Served {
    let started = start(directory(files)).unwrap();
    let keys = tempfile::tempdir().unwrap();
    let trusted: &[_] = &[("*", &ed25519_key()), ("*", &p256_key())];
    let own = clerk(keys.path(), &p256_pem(), trusted);
    let elsewhere = clerk(keys.path(), &ed25519_pem(), &[]);
    let (cache, tree) = (started.cache.clone(), tree(started.root.path()));
    let archives = DirectoryArchives::new(Arc::new(own), cache.clone(), access, &tree);
    Served {
        started,
        cache,
        archives,
        elsewhere,
        _keys: keys,
    }
}

impl Served {
    /// Imports a policy of `a/b@1.0` of this source and age, and lets the directory be looked at.
    async fn import(
        &mut self,
        source: &str,
        second: i64,
        replaces: Option<Digest>,
    ) -> Result<ImportAction, ArchiveFault> {
        let archive = exported(&self.elsewhere, &policy("a/b@1.0", source), second).await;
        self.take(archive, replaces).await
    }

    async fn take(
        &mut self,
        archive: Vec<u8>,
        replaces: Option<Digest>,
    ) -> Result<ImportAction, ArchiveFault> {
        let request = ImportRequest {
            archive: archive.into(),
            namespace: None,
            replaces,
        };
        let imported = self.archives.import(Caller::default(), request).await;
        self.started.look();
        Ok(imported?.action)
    }

    /// The source and the digest in force at `a/b@1.0`.
    fn in_force(&self) -> (String, Digest) {
        let address = "a/b@1.0".parse().unwrap();
        let snapshot = self.cache.snapshot();
        let policy = &snapshot.find(&address).unwrap().policy;
        (
            policy.definition().modules["policy.rego"].clone(),
            policy.digest(),
        )
    }
}

const OTHER: (&str, &str) = (
    "a/other/1.0/policy.rego",
    "package a.other\n\nallow := true\n",
);
const FIRST: &str = "package a.b\n\nallow := 1 == 1\n";
const SECOND: &str = "package a.b\n\nallow := 2 == 2\n";

#[tokio::test(start_paused = true)]
async fn a_policy_is_created_replaced_by_a_newer_one_and_never_by_an_older_one() {
    let mut served = served(&[OTHER], Access::Open);
    assert_eq!(
        served.import(FIRST, 10, None).await,
        Ok(ImportAction::Created)
    );
    assert_eq!(served.in_force().0, FIRST);
    assert_eq!(
        served.import(FIRST, 10, None).await,
        Ok(ImportAction::Unchanged)
    );
    assert_eq!(
        served.import(SECOND, 20, None).await,
        Ok(ImportAction::Replaced)
    );
    assert_eq!(served.in_force().0, SECOND);
    // A replay of what was there before.
    let fault = served.import(FIRST, 10, None).await.unwrap_err();
    assert!(fault.to_string().contains("not newer"), "{fault}");
    assert_eq!(served.in_force().0, SECOND);
    // Nothing is left over beside the folder.
    let below = fs::read_dir(served.started.root.path().join("a/b")).unwrap();
    assert_eq!(below.count(), 1);
    let named = served.in_force().1;
    assert_eq!(
        served.import(FIRST, 10, Some(named)).await,
        Ok(ImportAction::Replaced)
    );
    assert_eq!(served.in_force().0, FIRST);
    let fault = served.import(SECOND, 30, Some(named)).await.unwrap_err();
    assert!(matches!(fault, ArchiveFault::Conflict { .. }), "{fault:?}");
}

#[tokio::test(start_paused = true)]
async fn another_signer_takes_no_address() {
    let mut served = served(&[OTHER], Access::Open);
    served.import(FIRST, 10, None).await.unwrap();
    let keys = tempfile::tempdir().unwrap();
    let other = clerk(keys.path(), &p256_pem(), &[]);
    let archive = exported(&other, &policy("a/b@1.0", SECOND), 20).await;
    let fault = served.take(archive, None).await.unwrap_err();
    assert!(fault.to_string().contains("signed by the key"), "{fault}");
}

/// What somebody wrote or changed is theirs.
#[rstest]
#[case::written_by_hand(None)]
#[case::changed_since(Some("policy.rego"))]
#[case::added_since(Some("more.rego"))]
#[tokio::test(start_paused = true)]
async fn what_somebody_changed_is_not_replaced(#[case] changed: Option<&str>) {
    let mut served = match changed {
        None => served(&[("a/b/1.0/policy.rego", ALLOWS)], Access::Open),
        Some(file) => {
            let mut served = served(&[OTHER], Access::Open);
            served.import(FIRST, 10, None).await.unwrap();
            served.started.write(&format!("a/b/1.0/{file}"), ALLOWS);
            served
        }
    };
    let before = served.in_force();
    let fault = served.import(SECOND, 20, None).await.unwrap_err();
    assert!(matches!(fault, ArchiveFault::Conflict { .. }), "{fault:?}");
    assert_eq!(served.in_force(), before);
    let replaced = served.import(SECOND, 20, Some(before.1)).await;
    assert_eq!(replaced, Ok(ImportAction::Replaced));
    assert_eq!(served.in_force().0, SECOND);
}

#[tokio::test(start_paused = true)]
async fn an_address_in_a_file_of_manifests_is_not_taken() {
    let manifest = "\
apiVersion: portcullis.dev/v1alpha1
kind: ClusterPolicy
metadata: {name: b}
spec: {group: a, name: b, version: \"1.0\", modules: {policy.rego: \"package a.b\"}}
";
    let mut served = served(&[("policies.yaml", manifest)], Access::Open);
    let named = served.in_force().1;
    let fault = served.import(FIRST, 10, Some(named)).await.unwrap_err();
    assert!(fault.to_string().contains("manifests"), "{fault}");
    assert!(!served.started.root.path().join("a").exists());
}

#[tokio::test(start_paused = true)]
async fn what_is_imported_keeps_its_age_when_it_is_exported() {
    let mut served = served(&[OTHER], Access::Open);
    served.import(FIRST, 10, None).await.unwrap();
    let entry = served
        .cache
        .snapshot()
        .find(&"a/b@1.0".parse().unwrap())
        .cloned();
    let archive = served.archives.export(entry.unwrap(), false).await.unwrap();
    let keys = tempfile::tempdir().unwrap();
    let reader = clerk(keys.path(), &ed25519_pem(), &[("*", &p256_key())]);
    let (candidate, _) = crate::archive::tests::opened(&reader, archive.archive)
        .await
        .unwrap();
    assert_eq!(candidate.mark.moment.last_update.as_second(), 10);
}

#[rstest]
#[case(Access::Closed, None, ArchiveFault::Forbidden(String::new()))]
#[case(Access::Token("right".into()), None, ArchiveFault::Unauthenticated)]
#[case(Access::Token("right".into()), Some("wrong"), ArchiveFault::Forbidden(String::new()))]
#[tokio::test]
async fn who_may_not_lock_may_not_import(
    #[case] access: Access,
    #[case] token: Option<&str>,
    #[case] expected: ArchiveFault,
) {
    let served = served(&[OTHER], access);
    let request = ImportRequest {
        archive: exported(&served.elsewhere, &policy("a/b@1.0", FIRST), 1)
            .await
            .into(),
        namespace: None,
        replaces: None,
    };
    let caller = token.map_or_else(Caller::default, Caller::with_bearer);
    let fault = served.archives.import(caller, request).await.unwrap_err();
    assert_eq!(
        std::mem::discriminant(&fault),
        std::mem::discriminant(&expected)
    );
    assert!(!served.started.root.path().join("a/b").exists());
}

#[tokio::test(start_paused = true)]
async fn nothing_is_written_outside_of_the_directory() {
    let mut served = served(&[OTHER], Access::Open);
    let outside = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(outside.path(), served.started.root.path().join("a/b")).unwrap();
    let fault = served.import(FIRST, 10, None).await.unwrap_err();
    assert!(fault.to_string().contains("leads out"), "{fault}");
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn what_has_no_directory_takes_nothing() {
    let served = served(&[OTHER], Access::Open);
    let keys = tempfile::tempdir().unwrap();
    let own = clerk(keys.path(), &p256_pem(), &[("*", &ed25519_key())]);
    let shipped = DirectoryArchives::new(
        Arc::new(own),
        served.cache.clone(),
        Access::Open,
        &Tree::Shipped,
    );
    let import = async |archives: &DirectoryArchives, namespace: Option<&str>| {
        let request = ImportRequest {
            archive: exported(&served.elsewhere, &policy("a/b@1.0", FIRST), 1)
                .await
                .into(),
            namespace: namespace.map(str::to_owned),
            replaces: None,
        };
        archives
            .import(Caller::default(), request)
            .await
            .unwrap_err()
    };
    assert!(matches!(
        import(&shipped, None).await,
        ArchiveFault::Closed(_)
    ));
    assert!(matches!(
        import(&served.archives, Some("team")).await,
        ArchiveFault::Closed(_)
    ));
}

/// Root may write everywhere, so that only others see it refused.
#[tokio::test(start_paused = true)]
async fn a_directory_that_cannot_be_written_is_told() {
    let mut served = served(&[OTHER], Access::Open);
    let folder = served.started.root.path().join("a");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o555)).unwrap();
    let is_root = fs::write(folder.join("probe"), "").is_ok();
    let imported = served.import(FIRST, 10, None).await;
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
    match imported {
        Ok(_) => assert!(is_root),
        Err(fault) => assert!(matches!(fault, ArchiveFault::Closed(_)), "{fault:?}"),
    }
}

/// The policy reads a Secret, and its archive says which, and not what is in it.
#[tokio::test]
async fn an_archive_carries_no_secret() {
    let secret = "\
apiVersion: v1
kind: Secret
metadata: {name: limits, namespace: platform}
stringData: {limits.json: '{\"most\": \"hidden\"}'}
";
    let settings = "\
dataFrom:
- path: limits
  secret: {name: limits, namespace: platform, key: limits.json}
";
    let served = served(
        &[
            (
                "a/b/1.0/policy.rego",
                "package a.b\n\nmost := data.limits.most\n",
            ),
            ("a/b/1.0/policy.yaml", settings),
            ("secret.yaml", secret),
        ],
        Access::Open,
    );
    let snapshot = served.cache.snapshot();
    let entry = snapshot.find(&"a/b@1.0".parse().unwrap()).unwrap();
    assert!(entry.policy.faults().is_none());
    let archive = served.archives.export(entry.clone(), false).await.unwrap();
    // Files are archived as they are, so that a text of theirs is found.
    let holds = |text: &str| {
        let mut parts = archive.archive.windows(text.len());
        parts.any(|part| part == text.as_bytes())
    };
    assert!(holds("limits.json"));
    assert!(!holds("hidden"));
}
