//! Locks on disk.

use std::{fs, sync::Arc};

use portcullis_policies::{Address, Cache, Effect, Point, Timestamp};
use portcullis_webhook::{Caller, LockFault, LockKeeper as _, LockRequest};
use rstest::rstest;

use super::{ALLOWS, Started, directory, start, write};
use crate::directory::{Access, LockGate, LockStore};

const MANIFEST: &str = "\
apiVersion: portcullis.dev/v1alpha1
kind: ClusterLock
metadata: {name: incident}
spec: {policy: {group: a}, reason: incident}
";

const POLICY: &str = "\
apiVersion: portcullis.dev/v1alpha1
kind: ClusterPolicy
metadata: {name: other}
spec: {group: a, name: other, version: \"1\", modules: {}}
";

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn address() -> Address {
    "a/b@1.0".parse().unwrap()
}

fn request(reason: Option<&str>, expires_at: Option<Timestamp>) -> LockRequest {
    LockRequest {
        address: address(),
        reason: reason.map(str::to_owned),
        expires_at,
    }
}

fn started() -> Started {
    start(directory(&[("a/b/1.0/policy.rego", ALLOWS)])).unwrap()
}

/// The reason of the lock that holds at evaluation.
fn locked(cache: &Cache, now: Timestamp) -> Option<String> {
    let snapshot = cache.snapshot();
    let entry = snapshot.find(&address()).unwrap();
    assert!(
        entry
            .active_lock(Point::Admission, now)
            .is_none_or(|lock| lock.reason == "incident")
    );
    entry
        .active_lock(Point::Evaluation, now)
        .map(|lock| lock.reason.clone())
}

impl Started {
    /// Everything ends and starts again.
    fn restart(self) -> Self {
        start(self.root).unwrap()
    }
}

#[test]
fn a_lock_holds_at_once_and_survives_a_restart() {
    let started = started();
    started
        .locks
        .lock(&started.cache, &request(Some("why"), None), at(1))
        .unwrap();
    assert_eq!(locked(&started.cache, at(1)).as_deref(), Some("why"));
    let started = started.restart();
    assert_eq!(locked(&started.cache, at(1)).as_deref(), Some("why"));
    assert_eq!(
        started
            .locks
            .lock(&started.cache, &request(None, None), at(1)),
        Err(LockFault::AlreadyLocked)
    );
    started
        .locks
        .unlock(&started.cache, &address(), at(1))
        .unwrap();
    assert_eq!(locked(&started.cache, at(1)), None);
    assert_eq!(
        started.locks.unlock(&started.cache, &address(), at(1)),
        Err(LockFault::NotLocked)
    );
    let started = started.restart();
    assert_eq!(locked(&started.cache, at(1)), None);
}

#[test]
fn a_lock_that_has_ended_is_replaced() {
    let started = started();
    started
        .locks
        .lock(&started.cache, &request(None, Some(at(5))), at(1))
        .unwrap();
    assert_eq!(
        locked(&started.cache, at(4)).as_deref(),
        Some("locked over HTTP")
    );
    assert_eq!(locked(&started.cache, at(5)), None);
    started
        .locks
        .lock(&started.cache, &request(Some("again"), None), at(6))
        .unwrap();
    assert_eq!(locked(&started.cache, at(6)).as_deref(), Some("again"));
}

#[test]
fn locks_of_others_stay_and_are_named() {
    let mut started = started();
    started.write("incident.yaml", MANIFEST);
    started
        .locks
        .lock(&started.cache, &request(None, None), at(1))
        .unwrap();
    let held = Err(LockFault::HeldByOthers(vec![
        "ClusterLock incident".to_owned(),
    ]));
    assert_eq!(
        started.locks.unlock(&started.cache, &address(), at(1)),
        held
    );
    assert_eq!(
        started.locks.unlock(&started.cache, &address(), at(1)),
        held
    );
    assert_eq!(locked(&started.cache, at(1)).as_deref(), Some("incident"));
    started.remove("incident.yaml");
    assert_eq!(locked(&started.cache, at(1)), None);
}

/// Whatever a caller writes comes back as it was, and as nothing else.
#[rstest]
#[case("")]
#[case("incident 4711, ask #platform")]
#[case("a\nspec:\n  all: true\n")]
#[case("\" ' : # & * ! | > % @ ` { } [ ] , ? - ~ null true 1.0")]
#[case("---\n...\n")]
#[case("\u{1b}[31mred\u{0}\u{85}\u{2028}é")]
#[case("  spaces  ")]
fn a_reason_survives_the_disk(#[case] reason: &str) {
    let started = started();
    let locked_with = started
        .locks
        .lock(&started.cache, &request(Some(reason), None), at(1));
    assert_eq!(locked_with, Ok(()));
    let expected = if reason.is_empty() {
        "locked over HTTP"
    } else {
        reason
    };
    assert_eq!(locked(&started.cache, at(1)).as_deref(), Some(expected));
    let started = started.restart();
    assert_eq!(locked(&started.cache, at(1)).as_deref(), Some(expected));
}

#[test]
fn manifests_that_a_person_puts_there_hold_and_end() {
    let started = started();
    let folder = started.root.path().join("locks");
    write(&folder, "incident.yaml", MANIFEST);
    assert!(started.locks.refresh(&started.cache));
    assert!(!started.locks.refresh(&started.cache));
    assert_eq!(locked(&started.cache, at(1)).as_deref(), Some("incident"));
    for wrong in [
        "a: [",
        "apiVersion: portcullis.dev/v1alpha1\nkind: ClusterLock\n",
        "",
        "---\n",
        &MANIFEST.replace("portcullis.dev", "portculis.dev"),
        &format!(
            "{POLICY}---\n{}",
            MANIFEST.replace("reason: incident", "reason: \"\"")
        ),
        POLICY,
    ] {
        write(&folder, "incident.yaml", wrong);
        assert!(started.locks.refresh(&started.cache));
        assert_eq!(
            locked(&started.cache, at(1)).as_deref(),
            Some("incident"),
            "{wrong}"
        );
        let problems = started.locks.problems();
        assert!(!problems.is_empty(), "{wrong}");
        for problem in problems {
            assert_eq!(problem.origin, "incident.yaml");
        }
    }
    fs::remove_file(folder.join("incident.yaml")).unwrap();
    assert!(!started.locks.refresh(&started.cache), "it may come back");
    assert_eq!(locked(&started.cache, at(1)).as_deref(), Some("incident"));
    assert!(started.locks.refresh(&started.cache));
    assert_eq!(locked(&started.cache, at(1)), None);
    assert_eq!(started.locks.problems(), []);
}

/// What bypasses has to be readable: where it is not, the policy judges again.
#[rstest]
#[case("a: [")]
#[case("")]
#[case(&MANIFEST.replace("reason: incident", "reason: \"\", effect: Bypass"))]
#[case(&MANIFEST.replace("{policy", "{effect: Bypas, policy"))]
fn a_bypass_that_breaks_ends(#[case] wrong: &str) {
    let bypass = MANIFEST.replace("{policy", "{effect: Bypass, policy");
    let mut started = started();
    let held = |started: &Started| {
        let snapshot = started.cache.snapshot();
        let locks = snapshot.locks().iter().map(|lock| lock.effect);
        locks.collect::<Vec<_>>()
    };
    let folder = started.root.path().join("locks");
    for (text, expected) in [(bypass.as_str(), &[Effect::Bypass][..]), (wrong, &[])] {
        write(&folder, "incident.yaml", text);
        started.locks.refresh(&started.cache);
        assert_eq!(held(&started), expected);
    }
    fs::remove_file(folder.join("incident.yaml")).unwrap();
    for (text, expected) in [(bypass.as_str(), &[Effect::Bypass][..]), (wrong, &[])] {
        started.write("incident.yaml", text);
        assert_eq!(held(&started), expected);
    }
}

#[rstest]
#[case("x.yaml", "a: [", "x.yaml:")]
#[case("x.yaml", "", "x.yaml: the file holds no lock")]
#[case("x.yaml", &MANIFEST.replace("portcullis.dev", "portculis.dev"), "x.yaml:1: passed over")]
#[case("x.yaml", POLICY, "kind_unexpected")]
#[case(
    "x.yaml",
    "apiVersion: portcullis.dev/v1alpha1\nkind: ClusterLock\nmetadata: {name: x}\nspec: {reason: x}\n",
    "target_invalid"
)]
fn what_is_locked_has_to_be_known_at_the_start(
    #[case] file: &str,
    #[case] text: &str,
    #[case] fault: &str,
) {
    let root = directory(&[(file, text)]);
    let error = LockStore::open(root.path().to_owned())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("what is locked is not known") && error.contains(fault),
        "{error}"
    );
}

#[test]
fn a_folder_that_is_gone_keeps_what_it_held() {
    let started = started();
    let folder = started.root.path().join("locks");
    let lock = || {
        started
            .locks
            .lock(&started.cache, &request(None, None), at(1))
    };
    lock().unwrap();
    fs::remove_dir_all(&folder).unwrap();
    for changed in [true, false, false] {
        assert_eq!(started.locks.refresh(&started.cache), changed);
        assert!(locked(&started.cache, at(1)).is_some());
        assert!(
            started.locks.problems()[0]
                .to_string()
                .contains("the folder is gone")
        );
    }
    started
        .locks
        .unlock(&started.cache, &address(), at(1))
        .unwrap();
    assert_eq!(locked(&started.cache, at(1)), None);
    lock().unwrap();
    assert!(started.locks.refresh(&started.cache));
    assert_eq!(started.locks.problems(), []);
}

#[test]
fn what_is_half_written_is_not_read() {
    let root = directory(&[(".http-a.b.1.0.yaml.new", "a: ["), ("notes.txt", "a: [")]);
    LockStore::open(root.path().to_owned()).unwrap();
}

#[test]
fn a_lock_that_cannot_be_written_does_not_hold() {
    let started = started();
    let folder = started.root.path().join("locks");
    fs::write(&folder, "a file").unwrap();
    // A file in the place of the folder fails for root, too, whom no permission stops.
    let answer = started
        .locks
        .lock(&started.cache, &request(None, None), at(1));
    assert!(
        matches!(answer, Err(LockFault::Unavailable(_))),
        "{answer:?}"
    );
    assert_eq!(locked(&started.cache, at(1)), None);
}

#[tokio::test]
async fn who_may_lock() {
    let unauthenticated = Err(LockFault::Unauthenticated);
    let token = || Access::Token("0123456789abcdef".to_owned());
    let table = [
        (Access::Open, Caller::default(), true),
        (token(), Caller::with_bearer("0123456789abcdef"), true),
        (token(), Caller::with_bearer("0123456789abcdeF"), false),
        (token(), Caller::with_bearer("0123456789abcdef0"), false),
        (token(), Caller::default(), false),
        (
            Access::Closed,
            Caller::with_bearer("0123456789abcdef"),
            false,
        ),
    ];
    for (access, caller, expected) in table {
        let Started {
            root, cache, locks, ..
        } = started();
        let gate = LockGate::new(Arc::new(locks), cache.clone(), access.clone());
        let needs_none = expected && caller.bearer().is_none();
        assert_eq!(gate.is_open(), needs_none, "{access:?}");
        let answer = gate.lock(caller.clone(), request(None, None)).await;
        assert_eq!(answer.is_ok(), expected, "{access:?} {caller:?} {answer:?}");
        assert_eq!(locked(&cache, at(1)).is_some(), expected);
        let answer = gate.unlock(caller.clone(), address()).await;
        assert_eq!(answer.is_ok(), expected, "{access:?} {caller:?} {answer:?}");
        assert_eq!(
            answer == unauthenticated,
            !expected && caller.bearer().is_none()
        );
        drop(root);
    }
    assert!(!format!("{:?}", token()).contains("0123"));
}
