//! The same requests are sent to OPA and to us, with the same policies and the same masks: what both
//! write to their consoles is the same, but for ids, times and what only one of them has.

use std::{
    io::{BufRead as _, BufReader},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::Instant,
};

use serde_json::{Map, Value as Json, json};
use tempfile::TempDir;

use crate::process::{PATIENCE, Server, ask, write};

const POLICY: &str = "package services.authorization

import rego.v1

default allow := false

allow if input.role == \"admin\"

roles contains \"viewer\"

roles contains input.role

conflict := 1 if input.twice

conflict := 2 if input.twice
";

const RULES: &str = "package system.log

import rego.v1

mask contains \"/input/secretive\"

mask contains \"/input/not/there\"

mask contains {\"op\": \"upsert\", \"path\": \"/input/role\", \"value\": \"***\"} if input.input.hide

mask contains {\"op\": \"upsert\", \"path\": \"/result/allow\", \"value\": null} if is_object(input.result)

mask contains \"/input/list/1\"

drop if input.input.drop
";

/// Each by its path and its body.
const REQUESTS: [(&str, &str); 12] = [
    ("/allow", r#"{"input":{"role":"admin"}}"#),
    ("/allow", r#"{"input":{"role":"viewer","secretive":[1]}}"#),
    ("/allow", r#"{"input":{"role":"admin","hide":true}}"#),
    (
        "/allow",
        r#"{"input":{"list":[1,2,3],"number":1.50,"big":12345678901234567890}}"#,
    ),
    ("/allow", r#"{"input":{"drop":true}}"#),
    ("/roles", r#"{"input":{"role":"admin"}}"#),
    ("", r#"{"input":{"role":"admin"}}"#),
    ("", ""),
    ("/allow", "{}"),
    ("/nothing", r#"{"input":"text"}"#),
    ("/allow", r#"{"input":[1,{"role":"admin"}]}"#),
    ("/conflict", r#"{"input":{"twice":true}}"#),
];

/// OPA, until this is dropped.
struct Opa {
    child: Child,
    address: String,
    entries: Receiver<Json>,
}

impl Opa {
    fn start(bundle: &Path) -> Self {
        // It does not say which port it has taken, so one that is free is found for it.
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap().to_string();
        drop(free);
        let mut child = Command::new("opa")
            .args([
                "run",
                "--server",
                "--skip-version-check",
                "--addr",
                &address,
            ])
            .args(["--set", "decision_logs.console=true", "--bundle"])
            .arg(bundle)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("`opa` must be installed: `make opa`");
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let (sender, entries) = channel();
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let Ok(line) = serde_json::from_str::<Json>(&line) else {
                    continue;
                };
                if line["msg"] == "Decision Log" && sender.send(line).is_err() {
                    return;
                }
            }
        });
        let begin = Instant::now();
        while TcpStream::connect(&address).is_err() {
            assert!(begin.elapsed() < PATIENCE, "OPA must start");
            thread::yield_now();
        }
        // It listens when it has read its policies.
        assert_eq!(ask(&address, "GET", "/health?bundles", "").status, 200);
        Self {
            child,
            address,
            entries,
        }
    }
}

impl Drop for Opa {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn entries_are_those_of_opa() {
    let folder = TempDir::new().unwrap();
    let (bundle, policies) = (folder.path().join("bundle"), folder.path().join("policies"));
    write(&bundle, "policy.rego", POLICY);
    write(&bundle, "log.rego", RULES);
    write(&bundle, ".manifest", r#"{"revision":"r1"}"#);
    write(&policies, "services/authorization/1.0/policy.rego", POLICY);
    write(&policies, "system/log/1.0/policy.rego", RULES);
    let opa = Opa::start(&bundle);
    let arguments = [
        "serve",
        policies.to_str().unwrap(),
        "--decision-log",
        "stdout",
    ];
    let own = Server::start(&arguments.map(std::ffi::OsStr::new), folder.path());
    let mut compared = 0;
    for (path, body) in REQUESTS {
        let path = format!("/v1/data/services/authorization{path}");
        // The second time OPA has compiled the query, as we have from the beginning.
        for is_compared in [false, true] {
            ask(&opa.address, "POST", &path, body);
            own.ask("POST", &path, body);
            if body.contains("drop") {
                continue;
            }
            let theirs = opa.entries.recv_timeout(PATIENCE).expect("OPA must log");
            let ours: Json = serde_json::from_str(&own.next_line()).unwrap();
            if is_compared {
                compare(&path, body, &theirs, &ours);
                compared += 1;
            }
        }
    }
    assert_eq!(compared, REQUESTS.len() - 1);
}

/// The same members of the same types, and the same values of all that does not differ each time.
fn compare(path: &str, body: &str, theirs: &Json, ours: &Json) {
    let asked = format!("{path} {body}\n{theirs}\n{ours}");
    let (mut theirs, mut ours) = (members(theirs), members(ours));
    // Ours alone: what OPA leaves to who sends entries.
    assert!(ours.remove("custom").is_some(), "{asked}");
    // What is measured in phases that only one of them has is left out by the other one.
    let measured = |entry: &mut Map<String, Json>| members(&entry.remove("metrics").unwrap());
    let (measured_by_opa, measured_by_us) = (measured(&mut theirs), measured(&mut ours));
    for (name, value) in measured_by_us {
        assert!(value.is_u64(), "{name} {asked}");
        assert!(measured_by_opa.contains_key(&name), "{name} {asked}");
    }
    let keys = |entry: &Map<String, Json>| entry.keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&theirs), keys(&ours), "{asked}");
    for (name, own) in ours {
        let theirs = &theirs[&name];
        match name.as_str() {
            "decision_id" | "time" | "timestamp" | "requested_by" | "req_id" | "error"
            | "labels" | "bundles" => {
                assert_eq!(shape(theirs), shape(&own), "{name} {asked}");
            }
            _ => assert_eq!(theirs, &own, "{name} {asked}"),
        }
    }
}

fn members(object: &Json) -> Map<String, Json> {
    object.as_object().expect("it is an object").clone()
}

/// A value's types: of an object with other names, those of its members.
fn shape(value: &Json) -> Json {
    match value {
        Json::String(text) => {
            // Both write times with so many parts, and ids of so many characters.
            let signs: String = text.chars().filter(|c| "-:TZ".contains(*c)).collect();
            match text.len() {
                36 => json!("an id"),
                _ if text.ends_with('Z') && text.contains('T') => json!(signs),
                _ => json!("a text"),
            }
        }
        Json::Number(_) => json!("a number"),
        Json::Array(items) => items.iter().map(shape).collect(),
        Json::Object(members) if members.values().all(Json::is_object) => {
            members.values().map(shape).collect()
        }
        Json::Object(members) => {
            let shapes = members
                .iter()
                .map(|(name, value)| (name.clone(), shape(value)));
            shapes.collect()
        }
        other => other.clone(),
    }
}
