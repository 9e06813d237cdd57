//! What the decision log costs who asks: the same requests to a server without a log, to one with a log,
//! and to one with a log whose rules mask, in turns, in one run.
//!
//! ```text
//! cargo run --release -p portcullis-operator --example decision_log_cost -- target/release/portcullis [ROUNDS]
//! ```
//!
//! Each round asks each server once, one after the other and over a connection that stays, so that what
//! else the machine does falls on all alike. What is compared are quantiles of all rounds, from the
//! request to its answer. The log goes to a file.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program for people who measure"
)]

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::json;
use tempfile::TempDir;

/// Rounds, unless somebody says otherwise.
const ROUNDS: usize = 3_000;

/// Rounds that are not counted, until everything is warm.
const WARM: usize = 200;

const LIMITS: &str = r#"package platform.limits

deny contains sprintf("container %v has no memory limit", [container.name]) if {
    some container in input.request.object.spec.containers
    not container.resources.limits.memory
}
"#;

const OF_PODS: &str = r#"admission:
  action: Deny
  match:
    resourceRules: [{apiGroups: [""], apiVersions: [v1], resources: [pods], operations: [CREATE]}]
"#;

const TASKS: &str = "package tasks.authz

default allow := false

allow if input.subject == input.task.owner
";

const RULES: &str = r#"package system.log

mask contains "/input/request/object/metadata/annotations"

mask contains {"op": "upsert", "path": "/input/subject", "value": "***"} if input.input.subject
"#;

/// A server, and how long each of its requests took.
struct Measured {
    name: &'static str,
    child: Child,
    stream: BufReader<TcpStream>,
    times: Vec<Duration>,
    _folder: TempDir,
}

impl Measured {
    fn new(program: &Path, name: &'static str, is_logged: bool, rules: Option<&str>) -> Self {
        let folder = TempDir::new().unwrap();
        let write = |path: &str, text: &str| {
            let path = folder.path().join("policies").join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("platform/limits/1.0/policy.rego", LIMITS);
        write("platform/limits/1.0/policy.yaml", OF_PODS);
        write("tasks/authz/1.0/policy.rego", TASKS);
        if let Some(rules) = rules {
            write("system/log/1.0/policy.rego", rules);
        }
        let mut command = Command::new(program);
        command
            .arg("serve")
            .arg(folder.path().join("policies"))
            .args(["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        if is_logged {
            let file = folder.path().join("decisions.log");
            command.args(["--decision-log", &format!("file:{}", file.display())]);
        }
        let mut child = command.spawn().expect("the program must start");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let address = lines.find_map(|line| {
            let line = line.unwrap();
            Some(line.strip_prefix("evaluation: http://")?.to_owned())
        });
        let stream = TcpStream::connect(address.expect("it says where it listens")).unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            name,
            child,
            stream: BufReader::new(stream),
            times: Vec::new(),
            _folder: folder,
        }
    }

    fn ask(&mut self, path: &str, body: &str) {
        let length = body.len();
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        let begin = Instant::now();
        self.stream.get_mut().write_all(request.as_bytes()).unwrap();
        let mut length = 0;
        let mut line = String::new();
        loop {
            line.clear();
            self.stream.read_line(&mut line).unwrap();
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.trim().parse().unwrap();
            }
            if line == "\r\n" {
                break;
            }
        }
        let mut answer = vec![0; length];
        self.stream.read_exact(&mut answer).unwrap();
        self.times.push(begin.elapsed());
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.contains("\"allow"), "{answer}");
    }

    /// The time within which so many of a hundred were answered.
    fn within(&mut self, percent: usize) -> Duration {
        self.times.sort_unstable();
        self.times[(self.times.len() - 1) * percent / 100]
    }
}

impl Drop for Measured {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A Pod of some ten thousand bytes, as controllers leave them.
fn review() -> String {
    let variable = |number| json!({"name": format!("VARIABLE_{number}"), "value": "x".repeat(60)});
    let container = json!({
        "name": "web",
        "image": "registry.example.com/web:1.0",
        "resources": {"limits": {"memory": "1Gi"}},
        "env": (0..60).map(variable).collect::<Vec<_>>(),
    });
    let annotations = json!({"notes": "y".repeat(3_000)});
    let metadata = json!({"name": "web", "namespace": "shop", "annotations": annotations});
    let spec = json!({"containers": [container]});
    json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "1",
            "kind": {"group": "", "version": "v1", "kind": "Pod"},
            "resource": {"group": "", "version": "v1", "resource": "pods"},
            "name": "web",
            "namespace": "shop",
            "operation": "CREATE",
            "object": {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec},
        },
    })
    .to_string()
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let program = arguments
        .next()
        .expect("the program to measure must be named");
    let program = Path::new(&program);
    let rounds = arguments
        .next()
        .map_or(ROUNDS, |text| text.parse().unwrap());
    let input = json!({"subject": "ann", "task": {"owner": "ann"}}).to_string();
    println!("request     log              p25       p50       p99    beside off");
    for (kind, path, body) in [
        ("evaluation", "/policy/tasks/authz/1.0/evaluation", input),
        ("review", "/admission/cluster/fail", review()),
    ] {
        let mut all = [
            Measured::new(program, "off", false, None),
            Measured::new(program, "on", true, None),
            Measured::new(program, "with rules", true, Some(RULES)),
        ];
        for round in 0..WARM + rounds {
            for measured in &mut all {
                measured.ask(path, &body);
            }
            if round + 1 == WARM {
                all.iter_mut().for_each(|measured| measured.times.clear());
            }
        }
        let percents = [25, 50, 99];
        let off = percents.map(|percent| all[0].within(percent));
        for measured in &mut all {
            let own = percents.map(|percent| measured.within(percent));
            let [a, b, c] = [0, 1, 2].map(|place| own[place].div_duration_f64(off[place]));
            let [low, half, most] = own;
            println!(
                "{kind:11} {:10} {low:>9.1?} {half:>9.1?} {most:>9.1?}   {a:>5.2} {b:>5.2} {c:>5.2}",
                measured.name,
            );
        }
    }
}
