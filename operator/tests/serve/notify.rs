//! Subscribers of `portcullis serve` are told of changes, with a signature that others verify.

use std::{
    ffi::OsStr,
    fs,
    io::{Read as _, Write as _},
    net::TcpListener,
    path::Path,
    process::Command,
};

use tempfile::TempDir;

use crate::process::{PATIENCE, Server, write};

fn serve(root: &Path) -> Server {
    let arguments = [
        "serve",
        "policies",
        "--export-key",
        "export.pem",
        "--notify-hosts",
        "127.0.0.1",
    ];
    Server::start(&arguments.map(OsStr::new), root)
}

fn openssl(root: &Path, arguments: &[&str]) {
    let ran = Command::new("openssl")
        .args(arguments)
        .current_dir(root)
        .output();
    let ran = ran.expect("openssl must start");
    assert!(ran.status.success(), "{arguments:?}: {ran:?}");
}

/// The next request: its head and its body.
fn receive(listener: &TcpListener) -> (String, String) {
    let (mut stream, _) = listener.accept().expect("somebody must come");
    stream
        .set_read_timeout(Some(PATIENCE))
        .expect("a socket takes a time");
    let mut text = Vec::new();
    let mut head = None;
    while head.is_none() {
        let mut bytes = [0; 4096];
        let count = stream.read(&mut bytes).expect("an event must come");
        assert!(count > 0, "the event is cut short");
        text.extend(&bytes[..count]);
        head = text.windows(4).position(|window| window == b"\r\n\r\n");
    }
    let end = head.expect("it was found");
    let head = String::from_utf8_lossy(&text[..end]).into_owned();
    let length: usize = header(&head, "content-length").parse().expect("a number");
    let mut body = text.split_off(end + 4);
    let read = body.len();
    body.resize(length, 0);
    stream
        .read_exact(&mut body[read..])
        .expect("the body must come");
    stream
        .write_all(b"HTTP/1.1 204 No Content\r\n\r\n")
        .expect("the server must read");
    (head, String::from_utf8(body).expect("it is JSON"))
}

fn header<'h>(head: &'h str, name: &str) -> &'h str {
    let mut lines = head.lines().filter_map(|line| line.split_once(": "));
    let found = lines.find(|(own, _)| own.eq_ignore_ascii_case(name));
    found.expect("the header must be there").1
}

#[test]
fn subscribers_are_told_of_changes_and_after_a_restart_of_what_changed_meanwhile() {
    let root = TempDir::new().unwrap();
    let policy = "policies/shop/discount/1.0/policy.rego";
    write(root.path(), policy, "package shop.discount\n");
    write(
        root.path(),
        "policies/shop/other/1.0/policy.rego",
        "package shop.other\n",
    );
    openssl(
        root.path(),
        &[
            "genpkey",
            "-algorithm",
            "EC",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-out",
            "export.pem",
        ],
    );
    openssl(
        root.path(),
        &["pkey", "-in", "export.pem", "-pubout", "-out", "key.pem"],
    );
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/told", listener.local_addr().unwrap());
    let server = serve(root.path());
    let body = format!(r#"{{"webhook_url": "{url}", "subscriber": "till"}}"#);
    let made = server.ask("POST", "/policy/shop/discount/1.0/notifychange", &body);
    assert_eq!(made.status, 200, "{made:?}");

    write(
        root.path(),
        policy,
        "package shop.discount\n\nallow := true\n",
    );
    let (head, body) = receive(&listener);
    assert!(body.contains(r#""change":"updated""#), "{body}");
    let signed = format!(
        "{}.{}.{body}",
        header(&head, "webhook-id"),
        header(&head, "webhook-timestamp")
    );
    let signature = header(&head, "webhook-signature").strip_prefix("v1es256,");
    fs::write(root.path().join("signed"), signed).unwrap();
    fs::write(root.path().join("signature.b64"), signature.unwrap()).unwrap();
    openssl(
        root.path(),
        &[
            "base64",
            "-d",
            "-A",
            "-in",
            "signature.b64",
            "-out",
            "signature",
        ],
    );
    openssl(
        root.path(),
        &[
            "dgst",
            "-sha256",
            "-verify",
            "key.pem",
            "-signature",
            "signature",
            "signed",
        ],
    );

    let locked = server.ask("POST", "/policy/shop/discount/1.0/lock", "");
    assert_eq!(locked.status, 200, "{locked:?}");
    assert!(receive(&listener).1.contains(r#""change":"locked""#));
    assert!(server.stop().success());

    fs::remove_dir_all(root.path().join("policies/shop/discount")).unwrap();
    let server = serve(root.path());
    let (_, body) = receive(&listener);
    assert!(body.contains(r#""change":"deleted""#), "{body}");
    let listed = server.ask("GET", "/policy/shop/discount/1.0/notifychange", "");
    assert!(listed.body.contains(r#""subscriber":"till""#), "{listed:?}");
}
