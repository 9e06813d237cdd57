//! Servers that are away, hostile, or want to know who asks.

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, TcpListener},
    path::Path,
    thread::JoinHandle,
};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair,
};
use tempfile::TempDir;

use super::{POLICY, Shop, portcullis};
use crate::process::write;

#[test]
fn nobody_answers() {
    let shop = Shop::new(&[]);
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    let list = |url: &str| shop.plain(&["list", "--url", url]);
    list(&closed).failed(2, &["error: SERVER.UNREACHABLE: failed to ask", "refused"]);
    list("http://absent.invalid").failed(2, &["failed to connect to absent.invalid:80"]);
    list("policies.example.com").failed(2, &["`--url`", "it has no scheme"]);
    list(&shop.url.replace("http:", "https:")).failed(2, &["failed to establish TLS 1.3"]);
    list(&format!("{}/other", shop.url)).failed(2, &["REQUEST.UNKNOWN_ROUTE", "check the URL"]);
    shop.plain(&["list"]).failed(
        2,
        &[
            "error: there is no cluster to ask",
            "→ `--url URL` asks a server",
        ],
    );
    shop.plain(&["list", "--kubeconfig", "absent"])
        .failed(2, &["the kubeconfig cannot be used", "absent"]);
    shop.plain(&["eval", "--cluster", "shop/discount@1.0", "-f", "pretty"])
        .failed(2, &["SERVER.UNREACHABLE: there is no cluster to ask"]);

    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    shop.plain(&["list", "--url", &url, "--timeout", "200ms"])
        .failed(2, &["within 200ms", "→ `--timeout TIME` waits longer"]);
}

/// A server that answers one request with this.
fn answering(head: &'static str, body: Vec<u8>) -> (String, JoinHandle<()>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let thread = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut asked = [0; 4096];
        let _ = stream.read(&mut asked).unwrap();
        let _ = write!(stream, "HTTP/1.1 {head}\r\nconnection: close\r\n\r\n");
        let _ = stream.write_all(&body);
    });
    (url, thread)
}

#[test]
fn a_server_that_is_hostile_forges_nothing() {
    let folder = TempDir::new().unwrap();
    let hostile = "{\"code\": \"POLICY.\\u001b[31mX\", \"detail\": \"a\\u009b2J\\u202eb\\r\\nerror: forged\"}";
    let (url, thread) = answering("403 Forbidden", hostile.into());
    let line = ["unlock", "a/b@1.0", "--url", &url];
    let ran = portcullis(folder.path(), "", &line);
    thread.join().unwrap();
    ran.failed(1, &["POLICY.", "a 2J b"]);
    assert!(
        !ran.err.contains(['\u{1b}', '\u{9b}', '\u{202e}', '\r']),
        "{ran:?}"
    );

    let hostile = "{\"allowed\": true, \"outcome\": \"allowed\", \"result\": \"\\u009b31m\\u202e\", \
                   \"messages\": [], \"warnings\": [{\"code\": \"A\", \"message\": \"\\u001b]0;x\"}]}";
    for format in ["json", "pretty", "values"] {
        let (url, thread) = answering("200 OK", hostile.into());
        let line = ["eval", "a/b@1.0", "--url", &url, "-f", format];
        let ran = portcullis(folder.path(), "", &line);
        thread.join().unwrap();
        assert_eq!(ran.code, 0, "{ran:?}");
        let printed = format!("{}{}", ran.out, ran.err);
        assert!(
            !printed.contains(['\u{1b}', '\u{9b}', '\u{202e}']),
            "{ran:?}"
        );
    }

    let list = format!(
        "{{\"policies\": [], \"continue\": \"a/b@1\", \"x\": \"{}\"}}",
        "x".repeat(1 << 10)
    );
    let (url, thread) = answering("200 OK", list.into_bytes());
    let ran = portcullis(folder.path(), "", &["list", "--url", &url]);
    thread.join().unwrap();
    ran.failed(2, &["SERVER.UNREACHABLE"]);

    let (url, thread) = answering("200 OK", vec![b'['; 2 << 20]);
    let ran = portcullis(folder.path(), "", &["unlock", "a/b@1.0", "--url", &url]);
    drop(thread);
    ran.failed(2, &["at most 1 MiB are read of an answer"]);

    let (url, thread) = answering("302 Found\r\nlocation: http://127.0.0.1:1/", Vec::new());
    let ran = portcullis(folder.path(), "", &["unlock", "a/b@1.0", "--url", &url]);
    thread.join().unwrap();
    ran.failed(2, &["answers 302 Found, and does not say why"]);
}

#[test]
fn a_token_says_who_asks() {
    let folder = TempDir::new().unwrap();
    write(
        folder.path(),
        "policies/shop/discount/1.0/policy.rego",
        POLICY,
    );
    write(
        folder.path(),
        "tokens",
        "web 5f4dcc3b5aa765d61d8327deb882cf99\n",
    );
    write(folder.path(), "token", "5f4dcc3b5aa765d61d8327deb882cf99\n");
    write(folder.path(), "other", "0f1e2d3c4b5a69788796a5b4c3d2e1f0\n");
    write(
        folder.path(),
        "locks-token",
        "00112233445566778899aabbccddeeff\n",
    );
    let shop = Shop::within(
        folder,
        &[
            "--auth",
            "token",
            "--auth-token-file",
            "tokens",
            "--lock-token-file",
            "locks-token",
        ],
    );
    shop.run(&["list"])
        .failed(1, &["REQUEST.UNAUTHENTICATED", "→ `--token-file FILE`"]);
    shop.run(&["list", "--token-file", "other"]).failed(
        1,
        &["REQUEST.UNAUTHENTICATED: the bearer token is not known"],
    );
    shop.run(&["list", "--token-file", "absent"])
        .failed(2, &["failed to read `absent`"]);
    let listed = shop.run(&["list", "--token-file", "token"]);
    assert_eq!(listed.code, 0, "{listed:?}");
    let lock = [
        "lock",
        "shop/discount@1.0",
        "--reason",
        "why",
        "--token-file",
    ];
    shop.run(&[&lock[..], &["token"]].concat())
        .failed(1, &["REQUEST."]);
    let locked = shop.run(&[&lock[..], &["locks-token"]].concat());
    locked.printed("shop/discount@1.0 is locked at evaluation until it is unlocked: why\n");
    let asked = [
        "eval",
        "shop/discount@1.0",
        "-i",
        "-",
        "--token-file",
        "token",
    ];
    shop.run(&["unlock", "shop/discount@1.0", "--token-file", "locks-token"]);
    let denied = shop.tell("{\"percent\": 21}", &asked).json();
    let id = denied["decision"]["id"].as_str().unwrap();
    let why = |token: &str| shop.plain(&["why", id, "--server", &shop.url, "--token-file", token]);
    let told = why("locks-token");
    assert_eq!(told.code, 0, "{told:?}");
    why("token").failed(1, &["is not remembered here, or you may not read it"]);
    why("absent").failed(2, &["failed to read `absent`"]);
    let open = "http://192.0.2.1";
    for line in [
        ["list", "--url", open, "--token-file", "token"].as_slice(),
        &["why", "a", "--server", open, "--token-file", "token"],
    ] {
        shop.plain(line)
            .failed(2, &["for everybody to read: use `https`"]);
    }
}

#[test]
fn certificates_say_who_answers_and_who_asks() {
    let folder = TempDir::new().unwrap();
    write(
        folder.path(),
        "policies/shop/discount/1.0/policy.rego",
        POLICY,
    );
    certify(folder.path(), "server", "localhost");
    certify(folder.path(), "web", "web");
    certify(folder.path(), "other", "other");
    let mut shop = Shop::within(
        folder,
        &[
            "--tls-cert",
            "server.crt",
            "--tls-key",
            "server.key",
            "--auth",
            "mtls",
            "--mtls-ca",
            "web-ca.crt",
        ],
    );
    let ca = ["--ca", "server-ca.crt"];
    let shown = |name: &str| [format!("{name}.crt"), format!("{name}.key")];
    let list = |shop: &Shop, options: &[&str]| shop.run(&[&["list"][..], options].concat());
    list(&shop, &ca).failed(2, &["not valid for", "→ `--url` has to name the server"]);
    shop.url = shop.url.replace("127.0.0.1", "localhost");
    list(&shop, &[]).failed(
        2,
        &["UnknownIssuer", "→ if it is the right server, `--ca FILE`"],
    );
    list(&shop, &["--ca", "other-ca.crt"]).failed(2, &["failed to establish TLS 1.3"]);
    list(&shop, &["--ca", "web.key"]).failed(2, &["there is no certificate in it"]);
    list(&shop, &ca).failed(
        1,
        &["REQUEST.UNAUTHENTICATED", "`--client-certificate FILE`"],
    );
    let with = |shop: &Shop, name: &str| {
        let [certificate, key] = shown(name);
        let identity = ["--client-certificate", &certificate, "--client-key", &key];
        list(shop, &[&ca[..], &identity].concat())
    };
    let listed = with(&shop, "web");
    assert_eq!(listed.code, 0, "{listed:?}");
    with(&shop, "other").failed(2, &["SERVER.UNREACHABLE"]);
}

/// Writes an authority `<name>-ca.crt`, and a certificate of it for a name, of servers and clients.
fn certify(folder: &Path, name: &str, subject: &str) {
    let mut authority = CertificateParams::new([]).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let mut own = CertificateParams::new([subject.to_owned()]).unwrap();
    own.distinguished_name.push(DnType::CommonName, subject);
    own.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ServerAuth,
        ExtendedKeyUsagePurpose::ClientAuth,
    ];
    let own = own.signed_by(&key, &authority).unwrap();
    write(folder, &format!("{name}-ca.crt"), &authority.pem());
    write(folder, &format!("{name}.crt"), &own.pem());
    write(folder, &format!("{name}.key"), &key.serialize_pem());
}
