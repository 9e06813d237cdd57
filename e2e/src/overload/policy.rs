//! What is asked: a policy that works for a while, and one of admission that does not.

use std::{path::Path, time::Instant};

use anyhow::{Result, ensure};

use crate::hostile::connection::Connection;

/// Allows what is even, after as much work as the input asks for.
const WORK: &str = "package overload.work

allow if {
	found := [n | some n in numbers.range(1, input.work); n % 7 == 3]
	count(found) >= 0
	input.number % 2 == 0
}
";

/// Denies Pods whose containers have no name.
const NAMED: &str = "package overload.named

deny contains \"a container has no name\" if {
	some container in input.request.object.spec.containers
	not container.name
}
";

/// Its result is as long as its input.
const ECHO: &str = "package overload.echo

input_again := input
";

/// What they say beside their Rego. Nobody's time is to run out on a busy machine.
const SETTINGS: &str = "limits: {timeout: 5s}\n";

/// Where decisions about work are made.
pub const WORK_PATH: &str = "/policy/overload/work/1.0/decision";

/// Which requests the policy of admission judges.
const ADMISSION: &str = "admission:
  match:
    resourceRules: [{apiGroups: [\"\"], apiVersions: [v1], resources: [pods], operations: [CREATE]}]
";

/// Where the API server would ask.
pub const ADMISSION_PATH: &str = "/admission/cluster/fail?timeout=10s";

/// Where an input is given back.
pub const ECHO_PATH: &str = "/policy/overload/echo/1.0/evaluation";

/// A review of a Pod that is allowed.
pub const REVIEW: &[u8] =
    br#"{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
    "uid": "1", "operation": "CREATE", "namespace": "shop", "name": "web",
    "kind": {"group": "", "version": "v1", "kind": "Pod"},
    "resource": {"group": "", "version": "v1", "resource": "pods"},
    "object": {"spec": {"containers": [{"name": "web", "image": "nginx:1.27"}]}}}}"#;

/// Numbers that are worked through to find out how long that takes.
const SAMPLE: u64 = 20_000;

/// Writes the policies into a directory in the repository layout.
pub fn write(directory: &Path) -> Result<()> {
    for (name, rego) in [("work", WORK), ("named", NAMED), ("echo", ECHO)] {
        let folder = directory.join("overload").join(name).join("1.0");
        std::fs::create_dir_all(&folder)?;
        std::fs::write(folder.join("policy.rego"), rego)?;
        let admission = if name == "named" { ADMISSION } else { "" };
        std::fs::write(folder.join("policy.yaml"), format!("{SETTINGS}{admission}"))?;
    }
    Ok(())
}

/// The input that is allowed if `number` is even.
pub fn input(work: u64, number: u64) -> String {
    format!("{{\"work\": {work}, \"number\": {number}}}")
}

/// How much work takes so many milliseconds of one thread that has a processor for itself.
pub async fn calibrate(address: &str, milliseconds: f64) -> Result<u64> {
    let mut connection = Connection::open(address).await?;
    let body = input(SAMPLE, 0);
    let mut best = f64::INFINITY;
    for _ in 0..10 {
        let begin = Instant::now();
        let answer = connection.ask("POST", WORK_PATH, body.as_bytes()).await?;
        let text = String::from_utf8_lossy(&answer.body);
        ensure!(answer.status == 200, "{} {text}", answer.status);
        best = best.min(begin.elapsed().as_secs_f64() * 1000.0);
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "it is a few hundred thousand"
    )]
    let work = (SAMPLE as f64 * milliseconds / best) as u64;
    Ok(work.max(1))
}
