//! Policies, changes and locks of a directory, over HTTP.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use tempfile::TempDir;

use crate::process::{Server, ask, write};

const EVALUATION: &str = "/policy/a/b/1.0/evaluation";

fn version(number: u32) -> String {
    format!("package a.b\n\nallow := true\n\nversion := {number}\n")
}

fn directory() -> TempDir {
    let root = TempDir::new().unwrap();
    write(root.path(), "a/b/1.0/policy.rego", &version(1));
    root
}

#[test]
fn a_change_is_taken_without_a_request_being_dropped() {
    let root = directory();
    let server = Server::of(root.path());
    assert_eq!(
        server.ask("GET", EVALUATION, "").body,
        "{\"allow\":true,\"version\":1}"
    );

    let stop = Arc::new(AtomicBool::new(false));
    let (address, stopped) = (server.evaluation.clone(), stop.clone());
    let requests = std::thread::spawn(move || {
        let mut asked = 0_u32;
        while !stopped.load(Ordering::Relaxed) || asked == 0 {
            assert_eq!(ask(&address, "POST", EVALUATION, "{}").status, 200);
            asked += 1;
        }
    });
    write(root.path(), "a/b/1.0/policy.rego", &version(2));
    server.await_log("all of it is in force");
    assert_eq!(
        server.ask("GET", EVALUATION, "").body,
        "{\"allow\":true,\"version\":2}"
    );

    write(
        root.path(),
        "a/b/1.0/policy.rego",
        "package a.b\n\nallow := \n",
    );
    server.await_log("a/b/1.0/policy.rego:");
    server.await_log("the last good state stays in force");
    let ready = ask(&server.admin, "GET", "/readyz", "");
    assert_eq!(ready.status, 200);
    assert!(
        ready
            .body
            .starts_with("ok\na/b/1.0/policy.rego:4:1: rego_parse_error:")
            && ready
                .body
                .ends_with("; the last good state stays in force\n"),
        "{ready:?}"
    );
    assert_eq!(
        server.ask("GET", EVALUATION, "").body,
        "{\"allow\":true,\"version\":2}"
    );

    write(root.path(), "a/b/1.0/policy.rego", &version(3));
    write(
        root.path(),
        "a/c/1.0/policy.rego",
        "package a.c\n\nallow := ",
    );
    server.await_log("until it is mended, it denies");
    assert_eq!(
        server.ask("GET", EVALUATION, "").body,
        "{\"allow\":true,\"version\":3}"
    );
    let broken = server.ask("GET", "/policy/a/c/1.0/evaluation", "");
    assert!(
        broken.status >= 400 && broken.body.contains("POLICY.COMPILE_FAILED"),
        "{broken:?}"
    );

    stop.store(true, Ordering::Relaxed);
    requests.join().unwrap();
}

/// The older of two objects holds an address; of two files, the one that is first by its name.
#[test]
fn an_address_that_is_taken_is_told() {
    let root = directory();
    let server = Server::of(root.path());
    let manifest = "apiVersion: portcullis.dev/v1alpha1\nkind: ClusterPolicy\nmetadata: {name: x}\n\
                    spec:\n  group: a\n  name: b\n  version: \"1.0\"\n  modules:\n    \
                    p.rego: \"package a.b\\nallow := false\"\n";
    write(root.path(), "x.yaml", manifest);
    server.await_log("the address a/b@1.0 is held by ClusterPolicy x");
    assert_eq!(server.ask("GET", EVALUATION, "").body, "{\"allow\":false}");
    std::fs::remove_file(root.path().join("x.yaml")).unwrap();
    server.await_log("all of it is in force");
    assert_eq!(
        server.ask("GET", EVALUATION, "").body,
        "{\"allow\":true,\"version\":1}"
    );
}

#[test]
fn a_lock_survives_a_restart() {
    let root = directory();
    let server = Server::of(root.path());
    let locked = server.ask("POST", "/policy/a/b/1.0/lock", "{\"reason\": \"why\"}");
    assert_eq!(locked.status, 200, "{locked:?}");
    let refused = |server: &Server| {
        let answer = server.ask("GET", EVALUATION, "");
        assert_eq!(answer.status, 403, "{answer:?}");
        assert!(
            answer.body.contains("POLICY.LOCKED") && answer.body.contains("why"),
            "{answer:?}"
        );
    };
    refused(&server);
    assert!(server.stop().success());

    let server = Server::of(root.path());
    assert!(
        server
            .printed
            .contains("locked by ClusterLock http-a.b.1.0"),
        "{}",
        server.printed
    );
    refused(&server);
    assert_eq!(server.ask("DELETE", "/policy/a/b/1.0/lock", "").status, 200);
    assert_eq!(server.ask("GET", EVALUATION, "").status, 200);
}

#[test]
fn the_library_judges_admission_reviews() {
    let home = TempDir::new().unwrap();
    let server = Server::start(&["serve".as_ref()], home.path());
    let review = r#"{
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
            "kind": {"group": "", "version": "v1", "kind": "Pod"},
            "resource": {"group": "", "version": "v1", "resource": "pods"},
            "name": "web", "namespace": "default", "operation": "CREATE",
            "userInfo": {"username": "alice"},
            "object": {
                "apiVersion": "v1", "kind": "Pod",
                "metadata": {"name": "web", "namespace": "default"},
                "spec": {"containers": [
                    {"name": "web", "image": "web", "securityContext": {"privileged": true}}
                ]}
            }
        }
    }"#;
    let answer = server.ask("POST", "/admission/cluster/fail", review);
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.body.contains("\"allowed\":false"), "{answer:?}");
    assert!(
        answer.body.contains("platform/no_privileged@1.0"),
        "{answer:?}"
    );
    let locked = server.ask("POST", "/policy/platform/no_privileged/1.0/lock", "");
    assert_eq!(locked.status, 200, "{locked:?}");
    let kept = home
        .path()
        .join("portcullis/locks/http-platform.no-privileged.1.0.yaml");
    assert!(kept.is_file());
}

#[test]
fn a_sidecar_serves_a_directory() {
    let root = directory();
    let arguments = [
        "sidecar".as_ref(),
        "--policies".as_ref(),
        root.path().as_os_str(),
    ];
    let server = Server::start(&arguments, root.path());
    assert_eq!(server.ask("GET", EVALUATION, "").status, 200);
    assert_eq!(
        server.ask("POST", "/admission/cluster/fail", "{}").status,
        404
    );
}
