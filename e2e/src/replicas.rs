//! Our own processes on the cluster: their Pods, what they log and count, and how they end.

use std::fs;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::{coordination::v1::Lease, core::v1::Pod};
use kube::{
    Api, ResourceExt,
    api::{ListParams, LogParams},
};
use tokio::process::Command;

use crate::{
    Cluster,
    installation::{self, NAMESPACE, RELEASE},
    programs::Ran,
    until,
    waiting::MINUTE,
};

/// One of our two Deployments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Component {
    /// The leader-elected writer.
    Operator,
    /// The replicas that answer.
    Webhook,
}

impl Component {
    /// The name of its Deployment.
    pub fn deployment(self) -> String {
        format!("{RELEASE}-{}", self.name())
    }

    /// Its value of the label `app.kubernetes.io/component`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Webhook => "webhook",
        }
    }
}

/// The Pods of a component that are not about to end, ready or not.
pub async fn pods(cluster: &Cluster, component: Component) -> Result<Vec<Pod>> {
    let api: Api<Pod> = Api::namespaced(cluster.client(), NAMESPACE);
    let labels = format!(
        "app.kubernetes.io/instance={RELEASE},app.kubernetes.io/component={}",
        component.name()
    );
    let mut pods = api
        .list(&ListParams::default().labels(&labels))
        .await?
        .items;
    pods.retain(|pod| pod.metadata.deletion_timestamp.is_none());
    ensure!(
        !pods.is_empty(),
        "there is no Pod of the {}",
        component.name()
    );
    Ok(pods)
}

/// The Pod of the operator that leads.
pub async fn leader(cluster: &Cluster) -> Result<String> {
    let leases: Api<Lease> = Api::namespaced(cluster.client(), NAMESPACE);
    let lease = leases.get(&Component::Operator.deployment()).await?;
    let holder = lease
        .spec
        .and_then(|spec| spec.holder_identity)
        .unwrap_or_default();
    let pods = pods(cluster, Component::Operator).await?;
    let leads = |pod: &&Pod| !holder.is_empty() && holder.starts_with(&pod.name_any());
    let pod = pods.iter().find(leads);
    pod.map(ResourceExt::name_any)
        .with_context(|| format!("the lease is held by `{holder}`"))
}

/// Waits until another Pod leads than `before`.
pub async fn another_leader(cluster: &Cluster, before: &str) -> Result<String> {
    until("another operator leads", MINUTE, async || {
        let leader = leader(cluster).await?;
        ensure!(leader != before, "{leader} still leads");
        Ok(leader)
    })
    .await
}

/// `kubectl rollout restart` of a component, and waits until the last of the old Pods is gone.
pub async fn restart(cluster: &Cluster, component: Component) -> Result<()> {
    let old = pods(cluster, component).await?;
    let name = format!("deployment/{}", component.deployment());
    let restart = ["rollout", "restart", &name, "-n", NAMESPACE];
    cluster.kubectl(&restart).await?.succeeded()?;
    rolled_out(cluster, component).await?.succeeded()?;
    let api: Api<Pod> = Api::namespaced(cluster.client(), NAMESPACE);
    until("the old Pods are gone", MINUTE, async || {
        for pod in &old {
            let left = api.get_opt(&pod.name_any()).await?;
            ensure!(left.is_none(), "{} is left", pod.name_any());
        }
        Ok(())
    })
    .await
}

/// Waits until a component is as its Deployment wants it.
pub async fn rolled_out(cluster: &Cluster, component: Component) -> Result<Ran> {
    let name = format!("deployment/{}", component.deployment());
    cluster
        .kubectl(&["rollout", "status", &name, "-n", NAMESPACE, "--timeout=3m"])
        .await
}

/// Everything that the Pods of a component wrote since they started.
pub async fn logs(cluster: &Cluster, component: Component) -> Result<String> {
    let api: Api<Pod> = Api::namespaced(cluster.client(), NAMESPACE);
    let mut logs = String::new();
    for pod in pods(cluster, component).await? {
        logs.push_str(&api.logs(&pod.name_any(), &LogParams::default()).await?);
    }
    Ok(logs)
}

/// The sum, over the replicas of a component, of all series of a metric that have these labels.
pub async fn count(
    cluster: &Cluster,
    component: Component,
    metric: &str,
    labels: &[(&str, &str)],
) -> Result<f64> {
    let mut sum = 0.0;
    for pod in pods(cluster, component).await? {
        sum += sum_of(&metrics(cluster, &pod.name_any()).await?, metric, labels)?;
    }
    Ok(sum)
}

/// What a Pod tells Prometheus, fetched by way of the API server.
async fn metrics(cluster: &Cluster, pod: &str) -> Result<String> {
    let path = format!("/api/v1/namespaces/{NAMESPACE}/pods/{pod}:8080/proxy/metrics");
    Ok(cluster
        .kubectl(&["get", "--raw", &path])
        .await?
        .succeeded()?
        .stdout)
}

fn sum_of(text: &str, metric: &str, labels: &[(&str, &str)]) -> Result<f64> {
    let mut sum = 0.0;
    for line in text.lines() {
        let Some(rest) = line.strip_prefix(metric) else {
            continue;
        };
        let (series, value) = match rest.strip_prefix('{') {
            Some(rest) => rest
                .rsplit_once("} ")
                .with_context(|| format!("not a metric: {line}"))?,
            None if rest.starts_with(' ') => ("", rest.trim()),
            // Another metric, whose name begins alike.
            None => continue,
        };
        let has = |(name, value): &(&str, &str)| series.contains(&format!("{name}=\"{value}\""));
        if labels.iter().all(has) {
            sum += value
                .parse::<f64>()
                .with_context(|| format!("not a metric: {line}"))?;
        }
    }
    Ok(sum)
}

/// Kills the process of a Pod with SIGKILL, so that it cannot say goodbye. On a cluster whose node
/// is another machine, its Pod is deleted without grace instead.
pub async fn kill(cluster: &Cluster, pod: &Pod) -> Result<()> {
    let name = pod.name_any();
    if !cluster.is_ours() {
        let arguments = [
            "delete",
            "pod",
            &name,
            "-n",
            NAMESPACE,
            "--force",
            "--grace-period=0",
        ];
        cluster.kubectl(&arguments).await?.succeeded()?;
        return Ok(());
    }
    for process in processes_of(pod)? {
        let id = process.id.to_string();
        let killed = Command::new("kill").args(["-KILL", &id]).status().await?;
        ensure!(killed.success(), "cannot kill process {id} of {name}");
    }
    Ok(())
}

/// Waits until a Pod that was killed is seen to be: its container restarts, or it is gone.
pub async fn died(cluster: &Cluster, pod: &Pod) -> Result<()> {
    let api: Api<Pod> = Api::namespaced(cluster.client(), NAMESPACE);
    until(
        "the killed container is seen to have ended",
        MINUTE,
        async || {
            let Some(now) = api.get_opt(&pod.name_any()).await? else {
                return Ok(());
            };
            ensure!(restarts(&now) > restarts(pod), "{:?}", now.status);
            Ok(())
        },
    )
    .await
}

fn restarts(pod: &Pod) -> i32 {
    let status = pod.status.as_ref();
    let containers = status.and_then(|status| status.container_statuses.as_deref());
    let containers = containers.unwrap_or_default().iter();
    containers.map(|container| container.restart_count).sum()
}

/// A process on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its number.
    pub id: u32,
    /// Its resident memory, in KiB.
    pub resident: u64,
}

/// The processes `portcullis` of a Pod whose node is this machine.
pub fn processes_of(pod: &Pod) -> Result<Vec<Process>> {
    let name = pod.name_any();
    let uid = pod.uid().context("a Pod has a uid")?;
    // The kubelet names a Pod's cgroup by its uid, with underscores under systemd.
    let names = [format!("pod{uid}"), format!("pod{}", uid.replace('-', "_"))];
    let mut processes = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let directory = entry?.path();
        let id = directory
            .file_name()
            .and_then(|name| name.to_str()?.parse().ok());
        let Some(id) = id else { continue };
        // A process that ended in between has no files any more.
        let read = |file: &str| fs::read_to_string(directory.join(file)).unwrap_or_default();
        let cgroup = read("cgroup");
        if names.iter().any(|name| cgroup.contains(name)) && read("comm").trim() == "portcullis" {
            processes.push(Process {
                id,
                resident: resident(id)?,
            });
        }
    }
    ensure!(
        !processes.is_empty(),
        "{name} has no process `portcullis` on this machine"
    );
    Ok(processes)
}

/// The resident memory of a process of this machine, in KiB.
pub fn resident(process: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok());
    number.with_context(|| format!("process {process} tells no VmRSS"))
}

/// Waits until every replica of both components is there and ready.
pub async fn all_ready(cluster: &Cluster) -> Result<()> {
    for component in [Component::Operator, Component::Webhook] {
        rolled_out(cluster, component).await?.succeeded()?;
    }
    installation::await_enforcement(&cluster.client()).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_the_series_that_have_the_labels() {
        let text =
            "# TYPE a counter\na_total{x=\"1\",y=\"2\"} 3\na_total{y=\"2\",x=\"4\"} 5\na 7\nab 9\n";
        let sum = |metric, labels: &[_]| sum_of(text, metric, labels).unwrap();
        assert_eq!(sum("a_total", &[]).to_string(), "8");
        assert_eq!(sum("a_total", &[("x", "4")]).to_string(), "5");
        assert_eq!(sum("a_total", &[("x", "9")]).to_string(), "0");
        assert_eq!(sum("a", &[]).to_string(), "7");
    }
}
