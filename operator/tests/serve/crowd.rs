//! Connections that only take room, and who asks beside them.

use std::{collections::VecDeque, io::Write as _, net::TcpStream};

use tempfile::TempDir;

use crate::process::{Server, connect, write};

/// Connections in all.
const CROWD: usize = 10_000;

/// Of them, those that are open at this end: more than twice of what the server holds, and fewer than
/// the files that a process may usually have open.
const OPEN: usize = 900;

/// Each of them says nothing, half of a head, or half of a body. Others are answered all the while.
#[test]
fn ten_thousand_idle_connections_keep_nobody_out() {
    let root = TempDir::new().unwrap();
    let policy = "package a.b\n\nallow := true\n";
    write(root.path(), "a/b/1.0/policy.rego", policy);
    let server = Server::of(root.path());
    let path = "/policy/a/b/1.0/evaluation";
    let half = &*format!("POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n\r\n{{");
    // Who sends half of a body has a moment, so these are fewer.
    let begins = |number: usize| match number % 100 {
        0 => half,
        odd if odd % 2 == 1 => "GET / HT",
        _ => "",
    };
    let mut crowd: VecDeque<TcpStream> = VecDeque::new();
    for number in 0..CROWD {
        let mut stream = connect(&server.evaluation);
        // It may have to leave at once.
        let _ = stream.write_all(begins(number).as_bytes());
        if crowd.len() == OPEN {
            crowd.pop_front();
        }
        crowd.push_back(stream);
        // The kernel has room for as many that wait, and takes a second to try again.
        if number % 100 == 99 {
            let answer = server.ask("POST", path, "{}");
            assert_eq!(
                (answer.status, answer.body.as_str()),
                (200, "{\"allow\":true}")
            );
        }
    }
    assert_eq!(server.ask("GET", "/health", "").status, 200);
    drop(crowd);
    assert!(server.stop().success());
}
