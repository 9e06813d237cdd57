//! The commands that people use by hand, against a server that runs.

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, TcpListener},
    path::Path,
    process::{Command, Output, Stdio},
    thread::JoinHandle,
};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair,
};
use rstest::rstest;
use serde_json::Value as Json;
use tempfile::TempDir;

use crate::process::{PORTCULLIS, Server, write};

const POLICY: &str = "package shop.discount

default allow := false

allow if input.percent <= 20

deny contains {\"code\": \"SHOP.TOO_MUCH\", \"msg\": sprintf(\"%v is too much\", [input.percent]), \"remedy\": \"ask for less\"} if input.percent > 20

where := get_header(\"X-Location\")
";

/// What a command printed, and its status.
#[derive(Debug)]
struct Ran {
    code: i32,
    out: String,
    err: String,
}

impl Ran {
    fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self {
            code: output.status.code().unwrap(),
            out: text(output.stdout),
            err: text(output.stderr),
        }
    }

    fn json(&self) -> Json {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// It ended with this status, and said all of this.
    #[track_caller]
    fn failed(&self, code: i32, says: &[&str]) {
        assert_eq!(self.code, code, "{self:?}");
        for part in says {
            assert!(self.err.contains(part), "{part:?} is not in {self:?}");
        }
    }

    /// It succeeded, and printed this.
    #[track_caller]
    fn printed(&self, out: &str) {
        assert_eq!((self.code, self.out.as_str()), (0, out), "{self:?}");
    }
}

/// Runs the binary in a folder, with a text as its standard input.
fn portcullis(folder: &Path, input: &str, arguments: &[&str]) -> Ran {
    let mut child = Command::new(PORTCULLIS)
        .args(arguments)
        .current_dir(folder)
        .env("KUBECONFIG", "/nonexistent")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It may not read it.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    Ran::of(child.wait_with_output().unwrap())
}

/// A server of one policy, its folder, and its URL.
struct Shop {
    folder: TempDir,
    _server: Server,
    url: String,
}

impl Shop {
    fn new(arguments: &[&str]) -> Self {
        let folder = TempDir::new().unwrap();
        write(
            folder.path(),
            "policies/shop/discount/1.0/policy.rego",
            POLICY,
        );
        let broken = "package shop.broken\n\nallow if {\n";
        write(
            folder.path(),
            "policies/shop/broken/1.0/policy.rego",
            broken,
        );
        Self::within(folder, arguments)
    }

    fn within(folder: TempDir, arguments: &[&str]) -> Self {
        let line = ["serve", "policies"].iter().chain(arguments);
        let line: Vec<&std::ffi::OsStr> = line.map(std::ffi::OsStr::new).collect();
        let server = Server::start(&line, folder.path());
        let scheme = if arguments.contains(&"--tls-cert") {
            "https"
        } else {
            "http"
        };
        let url = format!("{scheme}://{}", server.evaluation);
        Self {
            folder,
            _server: server,
            url,
        }
    }

    /// Runs a command against the server.
    fn run(&self, arguments: &[&str]) -> Ran {
        self.tell("", arguments)
    }

    fn tell(&self, input: &str, arguments: &[&str]) -> Ran {
        let arguments = [arguments, &["--url", &self.url]].concat();
        portcullis(self.folder.path(), input, &arguments)
    }

    /// Runs a command with nothing but these arguments.
    fn plain(&self, arguments: &[&str]) -> Ran {
        portcullis(self.folder.path(), "", arguments)
    }
}

#[rstest]
#[case::allowed("{\"percent\": 20}", 0)]
#[case::denied("{\"percent\": 21}", 1)]
#[case::denied_of_yaml("percent: 21", 1)]
fn a_policy_is_asked(#[case] input: &str, #[case] code: i32) {
    let shop = Shop::new(&[]);
    let ran = shop.tell(
        input,
        &["eval", "shop/discount@1.0", "-i", "-", "-f", "pretty"],
    );
    assert_eq!(ran.code, code, "{ran:?}");
    assert_eq!(ran.json()["allow"], code == 0, "{ran:?}");
    let said = "denied: SHOP.TOO_MUCH: 21 is too much [shop/discount@1.0, rule deny] → ask \
                for less\n";
    assert_eq!(ran.err, if code == 0 { "" } else { said });
}

#[test]
fn an_answer_is_printed_as_one_of_a_query() {
    let shop = Shop::new(&[]);
    let line = [
        "eval",
        "shop/discount@1.0",
        "-I",
        "-H",
        "X-Location: Berlin",
        "--timeout",
        "5s",
    ];
    let ran = shop.tell("{\"percent\": 3}", &line);
    let printed = ran.json();
    let value = &printed["result"][0]["expressions"][0]["value"];
    assert_eq!(value["where"], "Berlin");
    assert_eq!(printed["decision"]["outcome"], "allowed");
    assert_eq!(ran.code, 0);
    let ran = shop.tell(
        "{\"percent\": 3}",
        &["eval", "shop/discount@1.0", "-I", "-f", "raw"],
    );
    ran.printed("{\"allow\":true,\"deny\":[],\"where\":\"\"}\n");
}

#[test]
fn what_cannot_be_told_is_no_denial() {
    let shop = Shop::new(&[]);
    let pretty = ["-f", "pretty"];
    let eval = |typed: &str| shop.run(&[&["eval", typed][..], &pretty].concat());
    eval("shop/discount@9.0").failed(
        2,
        &["1 error occurred: POLICY.NOT_FOUND: there is no policy shop/discount@9.0\n  → `portcullis list`"],
    );
    eval("shop/broken@1.0").failed(2, &["POLICY.COMPILE_FAILED"]);
    eval("shop/discount").failed(2, &["it has no version: write it like shop/discount@1.0"]);
    eval("data.shop").failed(2, &["is not an address"]);
    let ran = shop.run(&["eval", "shop/discount@9.0"]);
    assert_eq!(ran.json()["errors"][0]["code"], "POLICY.NOT_FOUND");
    assert_eq!(ran.code, 2);
    shop.run(&["eval", "shop/discount@1.0", "-i", "absent", "-f", "pretty"])
        .failed(2, &["unable to read input"]);
    shop.run(&["eval", "-f", "pretty"])
        .failed(2, &["name a policy"]);
    let namespaced = ["eval", "shop/discount@1.0", "-n", "team-a", "-f", "pretty"];
    shop.run(&namespaced)
        .failed(2, &["there is no policy shop/discount@1.0 in team-a"]);
}

#[test]
fn a_policy_is_locked_listed_and_unlocked() {
    let shop = Shop::new(&[]);
    let lock = [
        "lock",
        "shop/discount@1.0",
        "--reason",
        "incident 4711",
        "--until",
        "2130-12-01T08:00:00Z",
    ];
    shop.run(&lock).printed(
        "shop/discount@1.0 is locked at evaluation until 2130-12-01T08:00:00Z: incident 4711\n",
    );
    shop.run(&lock).failed(
        1,
        &["error: POLICY.LOCKED: policy is already locked\n  → `portcullis unlock`"],
    );
    let listed = shop.run(&["list", "--locked"]);
    insta::assert_snapshot!("list_locked", masked(&listed.out));
    let mut json = shop.run(&["list", "--locked", "-o", "json"]).json();
    for differs in ["digest", "updated"] {
        json["policies"][0][differs] = "…".into();
    }
    insta::assert_json_snapshot!("list_locked_json", json);
    let ran = shop.tell(
        "{\"percent\": 3}",
        &["eval", "shop/discount@1.0", "-I", "-f", "pretty"],
    );
    ran.failed(
        2,
        &[
            "POLICY.LOCKED: locked by ClusterLock http-shop.discount.1.0 until 2130-12-01T08:00:00Z: \
           incident 4711",
        ],
    );
    assert_eq!(ran.out, "");
    shop.run(&["unlock", "shop/discount@1.0"])
        .printed("shop/discount@1.0 is not locked at evaluation any more\n");
    shop.run(&["unlock", "shop/discount@1.0"])
        .failed(1, &["error: POLICY.UNLOCKED: policy is unlocked\n  → "]);
    shop.run(&["list", "--locked"])
        .failed(0, &["no policy fits"]);
    let names = shop.run(&["list", "--name", "broken", "--locked=false", "-o", "json"]);
    let names = names.json();
    assert_eq!(names["policies"].as_array().unwrap().len(), 1, "{names}");
    assert_eq!(names["policies"][0]["state"], "broken");
}

#[test]
fn what_is_not_locked_is_told() {
    let shop = Shop::new(&[]);
    for command in [&["lock", "--reason", "why"][..], &["unlock"]] {
        let run = |address: &str| shop.run(&[command, &[address]].concat());
        run("shop/discount@9.0").failed(1, &["error: POLICY.NOT_FOUND: there is no policy"]);
        run("shop/discount").failed(2, &["it has no version"]);
    }
    let lock = |reason: &str, until: &str| {
        shop.run(&[
            "lock",
            "shop/discount@1.0",
            "--reason",
            reason,
            "--until",
            until,
        ])
    };
    lock(" \n", "2130-12-01T08:00:00Z").failed(2, &["`--reason` says nothing"]);
    lock("why", "2020-12-01T08:00:00Z").failed(2, &["`--until` is in the past"]);
    let other = "apiVersion: portcullis.dev/v1alpha1\nkind: ClusterLock\nmetadata: {name: other}\n\
                 spec: {all: true, reason: by hand}\n";
    write(shop.folder.path(), "policies/locks/other.yaml", other);
    let held = loop {
        let ran = shop.run(&["unlock", "shop/discount@1.0"]);
        if !ran.err.contains("POLICY.UNLOCKED") {
            break ran;
        }
    };
    held.failed(
        1,
        &[
            "error: POLICY.LOCKED: the policy is held by ClusterLock other\n  → have these locks \
           removed",
        ],
    );
}

#[test]
fn a_policy_of_a_namespace_is_asked_and_locked_there() {
    let folder = TempDir::new().unwrap();
    let manifest = "apiVersion: portcullis.dev/v1alpha1\nkind: Policy\n\
                    metadata: {name: own, namespace: team-a}\nspec:\n  group: shop\n  name: own\n  \
                    version: \"1.0\"\n  modules:\n    policy.rego: |\n      package shop.own\n      \
                    allow := true\n";
    write(folder.path(), "policies/own.yaml", manifest);
    write(
        folder.path(),
        "policies/shop/own/1.0/policy.rego",
        "package shop.own\n",
    );
    let shop = Shop::within(folder, &[]);
    let raw = ["eval", "shop/own@1.0", "-n", "team-a", "-f", "raw"];
    shop.run(&raw).printed("{\"allow\":true}\n");
    shop.run(&[
        "lock",
        "shop/own@1.0",
        "-n",
        "team-a",
        "-r",
        "why",
        "--for",
        "1h",
    ]);
    shop.run(&raw).failed(
        2,
        &["POLICY.LOCKED: locked by Lock team-a/http-shop.own.1.0 until"],
    );
    for (options, expected) in [
        (&["--locked"][..], 1),
        (&["-n", "team-a"], 1),
        (&["-n", "team-b"], 0),
        (&[], 2),
    ] {
        let listed = shop
            .run(&[&["list", "-o", "json"], options].concat())
            .json();
        let policies = listed["policies"].as_array().unwrap();
        assert_eq!(policies.len(), expected, "{options:?} {listed}");
    }
    shop.run(&["unlock", "shop/own@1.0"])
        .failed(1, &["POLICY.UNLOCKED"]);
    shop.run(&["unlock", "shop/own@1.0", "-n", "team-a"])
        .printed("shop/own@1.0 in team-a is not locked at evaluation any more\n");
}

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
    let open = ["list", "--url", "http://192.0.2.1", "--token-file", "token"];
    shop.plain(&open)
        .failed(2, &["for everybody to read: use `https`"]);
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

#[test]
fn many_policies_are_listed_page_by_page() {
    let folder = TempDir::new().unwrap();
    for number in 0..230 {
        let path = format!("policies/a/p{number}/1.0/policy.rego");
        write(
            folder.path(),
            &path,
            &format!("package a.p{number}\n\nallow := true\n"),
        );
    }
    let shop = Shop::within(folder, &[]);
    let listed = shop.run(&["list", "-o", "json"]).json();
    let policies = listed["policies"].as_array().unwrap();
    assert_eq!(policies.len(), 230);
    assert_eq!(policies[0]["policy"], "a/p0@1.0");
    let distinct: std::collections::BTreeSet<_> = policies
        .iter()
        .map(|policy| policy["policy"].as_str())
        .collect();
    assert_eq!(distinct.len(), 230);
}

#[test]
fn an_archive_goes_from_one_server_to_another() {
    let folder = TempDir::new().unwrap();
    write(
        folder.path(),
        "policies/shop/discount/1.0/policy.rego",
        POLICY,
    );
    for arguments in [
        &["genpkey", "-algorithm", "ed25519", "-out", "export.pem"][..],
        &["pkey", "-in", "export.pem", "-pubout", "-out", "shop.pem"],
    ] {
        let mut openssl = Command::new("openssl");
        let ran = openssl.args(arguments).current_dir(folder.path()).output();
        assert!(ran.unwrap().status.success());
    }
    let there = Shop::within(folder, &["--export-key", "export.pem"]);
    let export = ["export", "shop/discount@1.0", "--file", "discount.zip"];
    let exported = there.run(&export);
    assert_eq!(exported.code, 0, "{exported:?}");
    assert!(
        exported
            .out
            .starts_with("shop/discount@1.0 is in discount.zip, "),
        "{exported:?}"
    );
    let missing = ["export", "shop/discount@9.0", "--file", "missing.zip"];
    there.run(&missing).failed(1, &["POLICY.NOT_FOUND"]);
    assert!(!there.folder.path().join("missing.zip").exists());
    there.plain(&export).failed(2, &["--url"]);

    let here = TempDir::new().unwrap();
    write(
        here.path(),
        "policies/shop/own/1.0/policy.rego",
        "package shop.own\n",
    );
    for file in ["shop.pem", "discount.zip"] {
        std::fs::copy(there.folder.path().join(file), here.path().join(file)).unwrap();
    }
    let here = Shop::within(here, &["--import-keys", "shop/*=shop.pem"]);
    let imported = here.run(&["import", "discount.zip"]);
    assert_eq!(imported.code, 0, "{imported:?}");
    assert!(
        imported
            .out
            .starts_with("shop/discount@1.0 is created: sha256:"),
        "{imported:?}"
    );
    let again = here.run(&["import", "discount.zip"]);
    assert!(
        again
            .out
            .starts_with("shop/discount@1.0 is unchanged: sha256:"),
        "{again:?}"
    );
    here.run(&["import", "shop.pem"])
        .failed(1, &["ARCHIVE.INVALID"]);
    here.run(&["import", "absent.zip"])
        .failed(2, &["failed to read `absent.zip`"]);
}

/// A table without times.
fn masked(table: &str) -> String {
    let mask = |word: &str| {
        let is_time = word.len() == 20 && word.ends_with('Z') && !word.starts_with("2130");
        if is_time {
            "…".repeat(20)
        } else {
            word.to_owned()
        }
    };
    table.split(' ').map(mask).collect::<Vec<_>>().join(" ")
}
