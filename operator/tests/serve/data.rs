//! Data that a directory's policies take of a server.

use std::{
    ffi::OsStr,
    io::{BufRead as _, BufReader, Write as _},
    net::TcpListener,
    sync::{Arc, Mutex},
};

use serde_json::{Value as Json, json};
use tempfile::TempDir;

use crate::process::{Server, ask, write};

const EVALUATION: &str = "/policy/a/b/1.0/evaluation";

const SECRET: &str = "\
apiVersion: v1
kind: Secret
metadata: {name: token, namespace: platform}
stringData: {it: Bearer sesame}
";

/// A server that answers with what it is told to, and writes down the heads of requests.
#[derive(Clone)]
struct Origin {
    port: u16,
    answer: Arc<Mutex<String>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Origin {
    fn start(answer: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let own = Self {
            port: listener.local_addr().unwrap().port(),
            answer: Arc::new(Mutex::new(answer.to_owned())),
            asked: Arc::default(),
        };
        let serving = own.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let lines = BufReader::new(&stream).lines().map_while(Result::ok);
                let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
                serving.asked.lock().unwrap().push(head.join("\n"));
                let answer = serving.answer.lock().unwrap().clone();
                // Who has read enough goes.
                let _ = write!(stream, "HTTP/1.1 {answer}");
            }
        });
        own
    }

    fn set(&self, answer: &str) {
        answer.clone_into(&mut self.answer.lock().unwrap());
    }
}

fn ok(body: &str) -> String {
    format!("200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

/// A policy that says what it takes of the server.
fn directory(origin: &Origin, more: &str) -> TempDir {
    let root = TempDir::new().unwrap();
    write(
        root.path(),
        "policies/a/b/1.0/policy.rego",
        "package a.b\n\nroles := data.roles\n",
    );
    let settings = format!(
        "dataFrom:\n- path: roles\n  http:\n    url: http://127.0.0.1:{}/roles?token=x\n    period: 30s\n{more}",
        origin.port
    );
    write(root.path(), "policies/a/b/1.0/policy.yaml", &settings);
    root
}

fn serve(root: &TempDir, hosts: &str) -> Server {
    let arguments = ["serve", "policies", "--allow-hosts", hosts];
    Server::start(&arguments.map(OsStr::new), root.path())
}

#[test]
fn what_a_server_answers_is_fetched_while_others_are_served() {
    let origin = Origin::start("503 Away\r\ncontent-length: 0\r\n\r\n");
    let secret = "    headers:\n    - name: Authorization\n      secretKeyRef: {namespace: platform, \
                  name: token, key: it}\n";
    let root = directory(&origin, secret);
    write(root.path(), "policies/secret.yaml", SECRET);
    let server = serve(&root, "127.0.0.1");
    // It does not wait for the server; the policy does.
    let line = server.await_log("data of policies was not refreshed");
    assert!(line.contains("/roles"), "{line}");
    assert!(!line.contains("token"), "{line}");
    server.await_log("which was never fetched: the server answered 503 Service Unavailable");
    let answer = server.ask("GET", EVALUATION, "");
    assert_eq!(answer.status, 500, "{answer:?}");
    assert!(answer.body.contains("was never fetched"), "{answer:?}");

    // A failure is tried again within some seconds.
    origin.set(&ok("[admin]"));
    server.await_log("data of policies is refreshed again");
    server.await_log("all of it is in force");
    let answer = server.ask("GET", EVALUATION, "");
    assert_eq!(answer.body, r#"{"roles":["admin"]}"#);
    let asked = origin.asked.lock().unwrap().clone();
    assert!(
        asked[0].starts_with("GET /roles?token=x HTTP/1.1"),
        "{asked:?}"
    );
    assert!(
        asked[0].contains("authorization: Bearer sesame"),
        "{asked:?}"
    );
    let listed = server.ask("GET", "/v1/policies?dataConfig=true", "").body;
    let listed: Json = serde_json::from_str(&listed).unwrap();
    assert!(!listed.to_string().contains("sesame"), "{listed}");
}

/// The shortest period is half a minute, so this takes as long.
#[test]
fn the_last_good_answer_stays_and_that_is_told() {
    let origin = Origin::start(&ok(r#"{"admin": true}"#));
    let root = directory(&origin, "");
    let server = serve(&root, "127.0.0.1");
    server.await_log("all of it is in force");
    let expected = r#"{"roles":{"admin":true}}"#;
    assert_eq!(server.ask("GET", EVALUATION, "").body, expected);
    origin.set(&ok("<html>Sign in</html>"));
    server.await_log("data of policies was not refreshed");
    let line = server.await_log("and stays so: the answer is not taken");
    assert!(line.contains("/roles"), "{line}");
    assert_eq!(server.ask("GET", EVALUATION, "").body, expected);
    let ready = ask(&server.admin, "GET", "/readyz", "");
    assert_eq!(ready.status, 200);
    assert!(ready.body.contains("and stays so"), "{ready:?}");
}

#[test]
fn nothing_is_asked_of_a_host_that_is_not_allowed() {
    let origin = Origin::start(&ok("[]"));
    let root = directory(&origin, "");
    let server = serve(&root, "example.com");
    let answer = server.ask("GET", EVALUATION, "");
    assert_eq!(answer.status, 500);
    let problem: Json = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(problem["code"], json!("POLICY.COMPILE_FAILED"));
    let detail = problem["detail"].as_str().unwrap();
    assert!(
        detail.contains("the administrator does not allow `127.0.0.1:"),
        "{detail}"
    );
    assert_eq!(origin.asked.lock().unwrap().len(), 0);
}
