//! Who may ask, of a real server: docs/authentication.md as it stands there, and JSON Web Tokens.

use std::ffi::OsString;

use serde_json::{Value as Json, json};
use tempfile::TempDir;

use crate::{
    document::{self, Example, document, examples, is_like},
    issuer::Issuer,
    process::{Answer, Server, connect, read_answer, run, write},
};

#[test]
fn authentication_is_what_is_shown() {
    let root = TempDir::new().unwrap();
    let mut server: Option<Server> = None;
    let examples = examples(&document("authentication.md"));
    assert!(examples.len() > 15, "the document must have examples");
    for Example { command, expected } in examples {
        if command.starts_with("portcullis serve ") {
            drop(server.take());
            // What is a file of the folder is meant by its path.
            let arguments = command.split_whitespace().skip(1).map(|word| {
                let path = root.path().join(word);
                if path.exists() {
                    path.into()
                } else {
                    word.into()
                }
            });
            let arguments: Vec<OsString> = arguments.collect();
            let arguments: Vec<_> = arguments.iter().map(AsRef::as_ref).collect();
            server = Some(Server::start(&arguments, root.path()));
            continue;
        }
        let asked = match &server {
            Some(server) => command.replace("127.0.0.1:8181", &server.evaluation),
            None => command.clone(),
        };
        let printed = document::shell(root.path(), &asked).replace('\r', "");
        let (printed, expected) = (printed.trim_end(), expected.trim_end());
        assert!(
            is_like(printed, expected),
            "{command}\n{printed}\nis not\n{expected}"
        );
    }
}

/// A request of a caller with a token.
fn ask(server: &Server, token: &str, path: &str) -> Answer {
    use std::io::Write as _;
    let mut stream = connect(&server.evaluation);
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nauthorization: Bearer {token}\r\n\r\n"
    )
    .unwrap();
    read_answer(stream)
}

fn claims(changes: &Json) -> Json {
    let mut claims = json!({
        "iss": "https://issuer.example",
        "aud": ["portcullis"],
        "sub": "alice",
        "exp": 4_000_000_000_u64,
    });
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims
}

#[test]
fn json_web_tokens_of_a_file_of_keys() {
    let root = TempDir::new().unwrap();
    write(
        root.path(),
        "policies/a/b/1.0/policy.rego",
        "package a.b\n\nallow := true\n",
    );
    let (old, new) = (Issuer::es256("old"), Issuer::rsa("new", "RS256"));
    let publish = |issuer: &Issuer| {
        write(
            root.path(),
            "keys.json",
            &json!({"keys": [issuer.key()]}).to_string(),
        );
    };
    publish(&old);
    let (policies, keys) = (root.path().join("policies"), root.path().join("keys.json"));
    let arguments = [
        "serve".as_ref(),
        policies.as_os_str(),
        "--auth".as_ref(),
        "jwt".as_ref(),
        "--jwt-keys".as_ref(),
        keys.as_os_str(),
        "--jwt-issuer".as_ref(),
        "https://issuer.example".as_ref(),
        "--jwt-audiences".as_ref(),
        "portcullis".as_ref(),
    ];
    let server = Server::start(&arguments, root.path());
    let path = "/policy/a/b/1.0/evaluation";
    let good = ask(&server, &old.sign(&claims(&json!({}))), path);
    assert_eq!((good.status, good.body.as_str()), (200, "{\"allow\":true}"));
    for (changes, says) in [
        (json!({"exp": 1}), "it has expired"),
        (json!({"aud": "other"}), "it is for others"),
        (json!({"iss": "https://other.example"}), "is not known"),
    ] {
        let answer = ask(&server, &old.sign(&claims(&changes)), path);
        assert_eq!(answer.status, 401, "{}", answer.body);
        assert!(answer.body.contains(says), "{}", answer.body);
    }
    // A key that is new is taken over, and one that is gone is none any more.
    publish(&new);
    server.await_log("a file has changed");
    assert_eq!(
        ask(&server, &new.sign(&claims(&json!({}))), path).status,
        200
    );
    let gone = ask(&server, &old.sign(&claims(&json!({"jti": "2"}))), path);
    assert_eq!(gone.status, 401, "{}", gone.body);
    // What is no set of keys changes nothing.
    write(root.path(), "keys.json", "{");
    server.await_log("what it held stays in use");
    let again = ask(&server, &new.sign(&claims(&json!({"jti": "3"}))), path);
    assert_eq!(again.status, 200, "{}", again.body);
}

#[test]
fn a_file_of_tokens_that_changes_is_taken_over() {
    let root = TempDir::new().unwrap();
    write(
        root.path(),
        "policies/a/b/1.0/policy.rego",
        "package a.b\n\nallow := true\n",
    );
    write(root.path(), "tokens", "web 0123456789abcdef\n");
    let (policies, tokens) = (root.path().join("policies"), root.path().join("tokens"));
    let arguments = [
        "serve".as_ref(),
        policies.as_os_str(),
        "--auth".as_ref(),
        "token".as_ref(),
        "--auth-token-file".as_ref(),
        tokens.as_os_str(),
        "--rate-limit".as_ref(),
        "1".as_ref(),
        "--rate-burst".as_ref(),
        "3".as_ref(),
    ];
    let server = Server::start(&arguments, root.path());
    assert_eq!(ask(&server, "0123456789abcdef", "/v1/policies").status, 200);
    write(root.path(), "tokens", "web fedcba9876543210\n");
    server.await_log("a file has changed");
    assert_eq!(ask(&server, "0123456789abcdef", "/v1/policies").status, 401);
    let statuses: Vec<u16> = (0..50)
        .map(|_| ask(&server, "fedcba9876543210", "/v1/policies").status)
        .collect();
    assert!(
        statuses.contains(&200) && statuses.contains(&429),
        "{statuses:?}"
    );
    assert_eq!(server.ask("GET", "/health", "").status, 200);
}

#[test]
fn nobody_is_asked_on_loopback_only() {
    let root = TempDir::new().unwrap();
    write(
        root.path(),
        "a/b/1.0/policy.rego",
        "package a.b\n\nallow := true\n",
    );
    let path = root.path().to_str().unwrap();
    let ended = run(&["serve", path, "--listen", "0.0.0.0:0", "--insecure"]);
    let says = String::from_utf8(ended.stderr).unwrap();
    assert!(!ended.status.success());
    assert!(
        says.contains("`--auth none` asks nobody who they are"),
        "{says}"
    );
    assert!(says.contains("--allow-anonymous"), "{says}");
}
