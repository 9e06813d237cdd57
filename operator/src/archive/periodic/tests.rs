//! Archives that are fetched from a server on loopback.

use std::sync::{Arc, Mutex};

use futures::FutureExt as _;
use portcullis_policies::{Definition, Object, ObjectKey, Policy};
use portcullis_webhook::ImportAction;
use rstest::rstest;

use super::*;
use crate::{
    archive::{
        KeyFiles,
        tests::{ed25519_key, policy},
    },
    network::{Origin, reaching},
};

/// Takes in what it is told to.
#[derive(Clone, Default)]
struct Memory {
    schedules: Arc<Mutex<Vec<Schedule>>>,
    taken: Arc<Mutex<Vec<Vec<u8>>>>,
    fault: Arc<Mutex<Option<ArchiveFault>>>,
}

impl Shelf for Memory {
    fn schedules(&self) -> BoxFuture<'_, Result<Vec<Schedule>, String>> {
        let all = self.schedules.lock().unwrap().clone();
        async { Ok(all) }.boxed()
    }

    fn keep<'a>(
        &'a self,
        schedule: &'a Schedule,
        outcome: Outcome,
    ) -> BoxFuture<'a, Result<(), String>> {
        let mut held = self.schedules.lock().unwrap();
        let own = held.iter_mut().find(|own| own.url == schedule.url);
        own.unwrap().outcome = outcome;
        async { Ok(()) }.boxed()
    }

    fn take_in(&self, archive: Vec<u8>) -> BoxFuture<'_, Result<Imported, ArchiveFault>> {
        self.taken.lock().unwrap().push(archive);
        let fault = self.fault.lock().unwrap().clone();
        let imported = Imported {
            address: "a/b@1.0".parse().unwrap(),
            digest: policy("a/b@1.0", "package a.b").digest(),
            action: ImportAction::Created,
            last_update: Timestamp::UNIX_EPOCH,
            signer: "key".to_owned(),
            ignored: Vec::new(),
            in_force: true,
        };
        async { fault.map_or(Ok(imported), Err) }.boxed()
    }
}

struct World {
    origin: Origin,
    shelf: Memory,
    cache: Arc<Cache>,
    importer: Importer<Memory>,
}

async fn world() -> World {
    let origin = Origin::start().await;
    let shelf = Memory::default();
    shelf.schedules.lock().unwrap().push(Schedule {
        object: String::new(),
        url: origin.url("/export"),
        interval_seconds: 3_600,
        outcome: Outcome::default(),
    });
    let cache = Arc::new(Cache::new());
    let fetcher = Arc::new(Fetcher::new(reaching(&["127.0.0.1"]), trusting()));
    World {
        importer: Importer::new(shelf.clone(), fetcher, cache.clone()),
        origin,
        shelf,
        cache,
    }
}

/// A keyring with a file of keys.
fn trusting() -> Arc<Keyring> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key.pem");
    std::fs::write(&file, ed25519_key().public().pem()).unwrap();
    Arc::new(Keyring::new(KeyFiles {
        export: None,
        import: vec![file.display().to_string().parse().unwrap()],
    }))
}

impl World {
    /// Looks at this second, and tells what became of the schedule.
    async fn look(&self, second: i64) -> Outcome {
        let now = Timestamp::from_second(second).unwrap();
        self.importer.round(now).await.unwrap();
        self.shelf.schedules.lock().unwrap()[0].outcome.clone()
    }

    fn asked(&self) -> usize {
        self.origin.asked().len()
    }

    /// What was imported is in force.
    fn hold(&self) {
        let definition = Definition::new("a/b@1.0".parse().unwrap(), "package a.b");
        let object = Object {
            key: ObjectKey::new("directory", None, "a/b/1.0"),
            created: Timestamp::UNIX_EPOCH,
            updated: Timestamp::UNIX_EPOCH,
            policy: Arc::new(Policy::compile(definition)),
        };
        self.cache.update(|state| state.apply_policy(object));
    }
}

#[tokio::test]
async fn an_archive_is_fetched_at_once_and_then_in_its_interval() {
    let world = world().await;
    world
        .origin
        .answer("200 OK", "etag: W/\"x\"\r\n", b"archive");
    let outcome = world.look(1_000_000).await;
    assert_eq!(outcome.policy.as_deref(), Some("a/b@1.0"));
    assert_eq!(
        (outcome.failures, outcome.tag.as_deref()),
        (0, Some("W/\"x\""))
    );
    assert_eq!(*world.shelf.taken.lock().unwrap(), [b"archive".to_vec()]);
    world.look(1_003_599).await;
    assert_eq!(world.asked(), 1);
    world.hold();
    world.origin.answer("304 Not Modified", "", b"");
    let outcome = world.look(1_003_600).await;
    assert!(world.origin.asked()[1].contains("if-none-match: W/\"x\"\r\n"));
    assert_eq!(
        outcome.succeeded,
        Some(Timestamp::from_second(1_003_600).unwrap())
    );
    assert_eq!(world.shelf.taken.lock().unwrap().len(), 1);
}

/// Somebody took the policy away: the server still has the same archive, and it is needed.
#[tokio::test]
async fn what_is_gone_here_is_fetched_again() {
    let world = world().await;
    world
        .origin
        .answer("200 OK", "etag: W/\"x\"\r\n", b"archive");
    world.look(1_000_000).await;
    world
        .origin
        .answer("200 OK", "etag: W/\"x\"\r\n", b"archive");
    world.look(1_003_600).await;
    assert!(!world.origin.asked()[1].contains("if-none-match"));
    assert_eq!(world.shelf.taken.lock().unwrap().len(), 2);
}

#[rstest]
#[case::a_server_that_fails("500 Oops", "", b"archive".to_vec(), "500")]
#[case::a_redirect(
    "302 Found",
    "location: http://169.254.169.254/\r\n",
    Vec::new(),
    "302"
)]
#[case::nothing_to_compare_with("304 Not Modified", "", Vec::new(), "304")]
#[case::too_much("200 OK", "", vec![0; MAX_ARCHIVE + 1], "more than")]
#[tokio::test]
async fn what_cannot_be_fetched_changes_nothing_and_is_told(
    #[case] status: &str,
    #[case] headers: &str,
    #[case] body: Vec<u8>,
    #[case] expected: &str,
) {
    let world = world().await;
    world.origin.answer(status, headers, &body);
    let outcome = world.look(1_000_000).await;
    let failure = outcome.failure.unwrap();
    assert!(failure.contains(expected), "{failure}");
    assert_eq!(outcome.failures, 1);
    assert_eq!(world.shelf.taken.lock().unwrap().len(), 0);
}

#[tokio::test]
async fn what_fails_is_tried_again_after_growing_waits_and_what_was_imported_is_remembered() {
    let world = world().await;
    world.origin.answer("200 OK", "", b"archive");
    let first = world.look(1_000_000).await;
    *world.shelf.fault.lock().unwrap() = Some(ArchiveFault::Untrusted("nobody".to_owned()));
    let mut second = 1_003_600;
    for (failures, wait) in [(1, 60), (2, 120), (3, 240)] {
        world.origin.answer("200 OK", "", b"another");
        let outcome = world.look(second).await;
        assert_eq!(outcome.failures, failures);
        assert_eq!(outcome.failure.as_deref(), Some("nobody"));
        assert_eq!(
            (&outcome.digest, outcome.succeeded),
            (&first.digest, first.succeeded)
        );
        world.look(second + wait - 1).await;
        assert_eq!(world.asked(), 1 + usize::try_from(failures).unwrap());
        second += wait;
    }
    *world.shelf.fault.lock().unwrap() = None;
    world.origin.answer("200 OK", "", b"archive");
    let outcome = world.look(second).await;
    assert_eq!((outcome.failures, outcome.failure), (0, None));
}

#[rstest]
#[case(&["127.0.0.1"], true, "http://127.0.0.1/x", None)]
#[case(&["*"], true, "http://127.0.0.1/x", Some(OutboundFault::HostForbidden(String::new())))]
#[case(&["*"], true, "http://[fd00:ec2::254]/x", Some(OutboundFault::HostForbidden(String::new())))]
#[case(&["*"], true, "x", Some(OutboundFault::Invalid(String::new())))]
#[case(&[], true, "https://example.com", Some(OutboundFault::Closed(String::new())))]
#[case(&["*"], false, "https://example.com", Some(OutboundFault::Closed(String::new())))]
#[tokio::test]
async fn urls_that_are_taken(
    #[case] hosts: &[&str],
    #[case] trusts: bool,
    #[case] url: &str,
    #[case] expected: Option<OutboundFault>,
) {
    let keyring = if trusts { trusting() } else { Arc::default() };
    let fetcher = Fetcher::new(reaching(hosts), keyring);
    let kind = |fault: &OutboundFault| std::mem::discriminant(fault);
    let checked = fetcher.check(url).err();
    assert_eq!(checked.as_ref().map(kind), expected.as_ref().map(kind));
}
