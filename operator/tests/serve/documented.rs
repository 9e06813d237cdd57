//! What docs/serve.md, docs/api.md, docs/opa.md, docs/exchange.md, docs/why.md, docs/commands.md,
//! docs/decision-log.md and docs/metrics.md show is what happens: their commands are run as they stand
//! there, one after the other, and what they print is compared with what they are said to print.

use std::{ffi::OsStr, path::Path};

use tempfile::TempDir;

use crate::{
    document::{self, Example, document, examples, is_like},
    process::Server,
};

#[test]
fn serving_is_what_is_shown() {
    let root = TempDir::new().unwrap();
    let mut server: Option<Server> = None;
    let examples = examples(&document("serve.md"));
    assert!(examples.len() > 10, "the document must have examples");
    for Example { command, expected } in examples {
        if let Some(arguments) = command.strip_prefix("portcullis serve ") {
            if let Some(server) = server.take() {
                assert!(server.stop().success());
            }
            let directory = root.path().join(arguments);
            let started = Server::of(&directory);
            assert_eq!(
                as_documented(&started.printed, &started),
                expected.trim_end(),
                "{command}"
            );
            server = Some(started);
            continue;
        }
        let printed = shell(root.path(), &command, server.as_ref());
        let printed = server
            .as_ref()
            .map_or(printed.clone(), |server| as_documented(&printed, server));
        assert_eq!(printed.trim_end(), expected.trim_end(), "{command}");
        if let Some(server) = server.as_ref().filter(|_| command.contains(" > policies/")) {
            let line = server.await_log("the directory");
            if line.contains("problems") {
                check_fault(server);
            }
        }
    }
}

#[test]
fn the_evaluation_api_is_what_is_shown() {
    let root = TempDir::new().unwrap();
    let server = Server::start(&[OsStr::new("serve")], root.path());
    let examples = examples(&document("api.md"));
    assert!(examples.len() >= 8, "the document must have examples");
    for Example { command, expected } in examples {
        let printed = shell(root.path(), &command, Some(&server));
        let printed = as_documented(&printed.replace('\r', ""), &server);
        let expected = expected.trim_end();
        assert!(
            is_like(&printed, expected),
            "{command}\n{printed}\nis not\n{expected}"
        );
    }
}

#[test]
fn handing_policies_on_is_what_is_shown() {
    let root = TempDir::new().unwrap();
    let mut server: Option<Server> = None;
    let examples = examples(&document("exchange.md"));
    assert!(examples.len() > 15, "the document must have examples");
    for Example { command, expected } in examples {
        if let Some(arguments) = command.strip_prefix("portcullis ") {
            if let Some(server) = server.take() {
                assert!(server.stop().success());
            }
            let arguments: Vec<&OsStr> = arguments
                .split(' ')
                .map(|argument| OsStr::new(argument.trim_matches('\'')))
                .collect();
            let started = Server::start(&arguments, root.path());
            let printed = as_documented(&started.printed, &started);
            assert_eq!(printed, expected.trim_end(), "{command}");
            server = Some(started);
            continue;
        }
        let printed = shell(root.path(), &command, server.as_ref()).replace('\r', "");
        let printed = server
            .as_ref()
            .map_or(printed.clone(), |server| as_documented(&printed, server));
        let (printed, expected) = (printed.trim_end(), expected.trim_end());
        assert!(
            is_like(printed, expected),
            "{command}\n{printed}\nis not\n{expected}"
        );
    }
}

#[test]
fn what_opas_clients_call_is_what_is_shown() {
    let root = TempDir::new().unwrap();
    let server = Server::start(&[OsStr::new("serve")], root.path());
    let examples = examples(&document("opa.md"));
    assert!(examples.len() >= 9, "the document must have examples");
    for Example { command, expected } in examples {
        let printed = as_documented(&shell(root.path(), &command, Some(&server)), &server);
        let expected = expected.trim_end();
        assert!(
            is_like(&printed, expected),
            "{command}\n{printed}\nis not\n{expected}"
        );
    }
}

#[test]
fn asking_why_is_what_is_shown() {
    asking_is_what_is_shown("why.md");
}

#[test]
fn commands_by_hand_are_what_is_shown() {
    asking_is_what_is_shown("commands.md");
}

#[test]
fn measuring_is_what_is_shown() {
    asking_is_what_is_shown("metrics.md");
}

/// The document's commands, asked of a server of the shipped policies.
fn asking_is_what_is_shown(name: &str) {
    let root = TempDir::new().unwrap();
    let server = Server::start(&[OsStr::new("serve")], root.path());
    let examples = examples(&document(name));
    assert!(examples.len() >= 2, "the document must have examples");
    for Example { command, expected } in examples {
        let printed = as_documented(&shell(root.path(), &command, Some(&server)), &server);
        let expected = expected.trim_end();
        assert!(
            is_like(&printed, expected),
            "{command}\n{printed}\nis not\n{expected}"
        );
    }
}

#[test]
fn the_decision_log_is_what_is_shown() {
    let root = TempDir::new().unwrap();
    let mut server: Option<Server> = None;
    let examples = examples(&document("decision-log.md"));
    assert!(examples.len() >= 9, "the document must have examples");
    for Example { command, expected } in examples {
        if command.starts_with("portcullis serve ") {
            if let Some(server) = server.take() {
                assert!(server.stop().success());
            }
            let at = |path: &str| root.path().join(path).display().to_string();
            let words = command.split(' ').skip(1);
            let words: Vec<String> = words
                .map(|word| match word.strip_prefix("file:") {
                    Some(path) => format!("file:{}", at(path)),
                    None if word == "policies" => at(word),
                    None => word.to_owned(),
                })
                .collect();
            let words: Vec<&OsStr> = words.iter().map(OsStr::new).collect();
            server = Some(Server::start(&words, root.path()));
            continue;
        }
        let printed = shell(root.path(), &command, server.as_ref());
        let (printed, expected) = (printed.trim_end(), expected.trim_end());
        assert!(
            is_like(printed, expected),
            "{command}\n{printed}\nis not\n{expected}"
        );
    }
}

/// The document shows the fault as the log tells it.
fn check_fault(server: &Server) {
    let document = document("serve.md");
    let (_, shown) = document
        .split_once("```text\n")
        .expect("the document shows a fault");
    let (shown, _) = shown.split_once("```").expect("a block has an end");
    for line in shown.lines() {
        server.await_log(line.trim());
    }
}

/// Runs a command against a server, if one is running.
fn shell(folder: &Path, command: &str, server: Option<&Server>) -> String {
    let mut command = command.to_owned();
    if let Some(server) = server {
        command = command.replace("127.0.0.1:8181", &server.evaluation);
        command = command.replace("127.0.0.1:8080", &server.admin);
    }
    document::shell(folder, &command)
}

fn as_documented(printed: &str, server: &Server) -> String {
    let printed = printed.replace(&server.evaluation, "127.0.0.1:8181");
    printed
        .replace(&server.admin, "127.0.0.1:8080")
        .trim_end()
        .to_owned()
}
