//! The commands that people use by hand, against a server that runs.

mod peers;

use std::{
    io::Write as _,
    path::Path,
    process::{Command, Output, Stdio},
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
