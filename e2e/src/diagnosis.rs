//! What is worth knowing when a test fails, written where the test's output goes.

use std::io::Write as _;

use crate::{Cluster, installation::NAMESPACE};

/// Most bytes of one answer that are told; the end of a log and the whole of a list.
const TOLD: usize = 12_000;

/// Tells about our own objects and Pods, and about those of the test's namespace.
pub async fn tell(cluster: &Cluster, namespace: Option<&str>) {
    let ours = "clusterpolicies,clusterlocks,policies,locks";
    let operator = "--selector=app.kubernetes.io/component=operator";
    let webhook = "--selector=app.kubernetes.io/component=webhook";
    let logs = [
        "logs",
        "-n",
        NAMESPACE,
        "--tail=40",
        "--prefix",
        "--all-containers",
    ];
    let mut questions: Vec<Vec<&str>> = vec![
        vec!["get", "pods", "-A", "-o", "wide"],
        vec![
            "get",
            "validatingwebhookconfigurations",
            "portcullis",
            "-o",
            "yaml",
        ],
        vec!["get", ours, "-A", "-o", "yaml"],
        vec!["get", "events", "-n", NAMESPACE, "--sort-by=.lastTimestamp"],
        [&logs[..], &[operator]].concat(),
        [&logs[..], &[webhook]].concat(),
    ];
    if let Some(namespace) = namespace {
        questions.push(vec!["get", "all", "-n", namespace]);
        questions.push(vec![
            "get",
            "events",
            "-n",
            namespace,
            "--sort-by=.lastTimestamp",
        ]);
    }
    for question in questions {
        let answer = match cluster.kubectl(&question).await {
            Ok(ran) => format!("{}{}", ran.stdout, ran.stderr),
            Err(error) => format!("{error:#}"),
        };
        let shown: String = answer.chars().take(TOLD).collect();
        // Nobody is left to tell when standard error is closed.
        let _ = writeln!(
            std::io::stderr(),
            "--- kubectl {}\n{shown}",
            question.join(" ")
        );
    }
}
