//! How a server ends.

use std::io::{BufRead as _, BufReader, Write as _};

use tempfile::TempDir;

use crate::process::{Server, connect, read_answer, write};

#[test]
fn a_request_under_way_is_answered_before_the_end() {
    let root = TempDir::new().unwrap();
    write(
        root.path(),
        "a/b/1.0/policy.rego",
        "package a.b\n\nallow if input.a == 1\n",
    );
    let server = Server::of(root.path());

    let mut stream = connect(&server.evaluation);
    let head = "POST /policy/a/b/1.0/evaluation HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\n";
    write!(stream, "{head}content-length: 8\r\n\r\n").unwrap();
    // The server says this once it reads the body, so the request is under way.
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    assert_eq!(line, "HTTP/1.1 100 Continue\r\n");
    reader.read_line(&mut line).unwrap();

    // An idle connection is closed when the server ends, so its end tells that it is ending.
    let idle = connect(&server.evaluation);
    server.terminate();
    let mut closed = String::new();
    BufReader::new(idle).read_line(&mut closed).unwrap();
    stream.write_all(b"{\"a\": 1}").unwrap();
    let answer = read_answer(stream);
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (200, "{\"allow\":true}")
    );
    server.await_log("stopped");
    assert!(server.ended().success());
}

#[test]
fn signals_are_taken_before_it_is_told_where_to_ask() {
    let root = TempDir::new().unwrap();
    write(root.path(), "a/b/1.0/policy.rego", "package a.b\n");
    let server = Server::of(root.path());
    // Those that have a handler, the first one lowest.
    let caught = server.status("SigCgt");
    let caught = u64::from_str_radix(&caught, 16).unwrap();
    for signal in [2, 15] {
        assert_ne!(caught & 1 << (signal - 1), 0, "{caught:x}");
    }
    assert!(server.stop().success());
}
