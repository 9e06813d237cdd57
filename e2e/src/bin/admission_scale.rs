//! What the number of policies costs an admission of which five judge: `admission-scale
//! [--requests N]`.
//!
//! Two servers are asked in turns, one with ten policies and one with a thousand, of which the same
//! five judge the request. What is compared was measured in one run, on one machine, at one time.

use std::{
    io::{self, Write as _},
    time::{Duration, Instant},
};

use anyhow::{Result, bail, ensure};
use portcullis_e2e::{hostile::connection::Connection, local::Local, overload::second::percentile};
use serde_json::{Value, json};

/// Policies that judge the request.
const JUDGING: usize = 5;

/// Policies of the two servers.
const SIZES: [usize; 2] = [10, 1_000];

/// Requests that come before those that are measured.
const WARM: usize = 200;

const PATH: &str = "/admission/cluster/fail?timeout=10s";

#[tokio::main]
async fn main() -> Result<()> {
    let requests = requests()?;
    let mut servers = Vec::new();
    for size in SIZES {
        let policies: Vec<Value> = (0..size).map(policy).collect();
        servers.push(Local::serve(&policies).await?);
    }
    let review = review().to_string();
    let mut connections = Vec::new();
    for server in &servers {
        connections.push(Connection::open(server.address()).await?);
    }
    let mut times = [Vec::new(), Vec::new()];
    for number in 0..WARM + requests {
        for (connection, times) in connections.iter_mut().zip(&mut times) {
            let begin = Instant::now();
            let answer = connection.ask("POST", PATH, review.as_bytes()).await?;
            let time = begin.elapsed();
            let said = String::from_utf8_lossy(&answer.body);
            ensure!(
                answer.status == 200 && said.contains("\"allowed\":true"),
                "{said}"
            );
            ensure!(said.matches("=sha256:").count() == JUDGING, "{said}");
            if number >= WARM {
                times.push(time);
            }
        }
    }
    tell(requests, &times)
}

fn requests() -> Result<usize> {
    let mut given = std::env::args().skip(1);
    match (given.next().as_deref(), given.next()) {
        (None, _) => Ok(5_000),
        (Some("--requests"), Some(number)) => Ok(number.parse()?),
        (Some(other), _) => bail!("`{other}`: --requests and a number are all there is"),
    }
}

fn tell(requests: usize, times: &[Vec<Duration>; 2]) -> Result<()> {
    let mut out = io::stdout();
    writeln!(
        out,
        "{requests} admissions of each, of which {JUDGING} policies judge every one"
    )?;
    writeln!(out, "{:>8}  {:>10}  {:>10}", "POLICIES", "MEDIAN", "P99")?;
    let mut measured = Vec::new();
    for (size, times) in SIZES.iter().zip(times) {
        let [median, worst] = [50, 99].map(|part| percentile(times, part));
        writeln!(out, "{size:>8}  {median:>8.3}ms  {worst:>8.3}ms")?;
        measured.push([median, worst]);
    }
    let ratio = |part: usize| measured[1][part] / measured[0][part];
    writeln!(
        out,
        "{:>8}  {:>9.2}x  {:>9.2}x",
        "RATIO",
        ratio(0),
        ratio(1)
    )?;
    Ok(())
}

/// One of many policies: the first five judge Pods, and the others something else each.
fn policy(number: usize) -> Value {
    let (group, resource) = if number < JUDGING {
        ("", "pods".to_owned())
    } else {
        ("example.com", format!("things{number}"))
    };
    let source = format!(
        "package scale.p{number}\n\ndeny contains \"an image without a tag\" if {{\n  \
         some container in input.request.object.spec.containers\n  \
         not contains(container.image, \":\")\n}}\n"
    );
    json!({
        "apiVersion": "portcullis.dev/v1alpha1",
        "kind": "ClusterPolicy",
        "metadata": {"name": format!("p{number}")},
        "spec": {
            "group": "scale",
            "name": format!("p{number}"),
            "version": "1.0",
            "modules": {"policy.rego": source},
            "admission": {"match": {"resourceRules": [{
                "apiGroups": [group], "apiVersions": ["v1"], "resources": [resource],
                "operations": ["CREATE"],
            }]}},
        },
    })
}

fn review() -> Value {
    let container = |number: usize| {
        json!({
            "name": format!("c{number}"), "image": "registry.example.com/web:1",
            "resources": {"limits": {"memory": "64Mi"}},
        })
    };
    let containers: Vec<Value> = (0..3).map(container).collect();
    json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "7d1c6a2e-0000-4000-8000-000000000001",
            "kind": {"group": "", "version": "v1", "kind": "Pod"},
            "resource": {"group": "", "version": "v1", "resource": "pods"},
            "operation": "CREATE",
            "name": "web",
            "namespace": "shop",
            "userInfo": {"username": "scale"},
            "object": {
                "apiVersion": "v1", "kind": "Pod",
                "metadata": {"name": "web", "namespace": "shop", "labels": {"app": "web"}},
                "spec": {"containers": containers},
            },
        },
    })
}
