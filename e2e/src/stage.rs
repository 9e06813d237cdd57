//! What one test has to itself: the cluster with our chart on it, and a namespace.

use std::{fs::File, panic::AssertUnwindSafe, time::Duration};

use anyhow::{Context, Result, anyhow, bail};
use futures::FutureExt;
use k8s_openapi::api::core::v1::{Namespace, Pod, ServiceAccount};
use kube::{Api, Client, Resource, ResourceExt, api::PostParams};
use portcullis_crds::{
    ClusterExemption, ClusterLock, ClusterPolicy, ClusterPolicyBinding, ConditionType, Exemption,
    ExemptionStatus, Lock, Policy, PolicySpec, PolicyStatus, conditions,
};
use serde_json::{Value, json};
use tokio::{task::spawn_blocking, time::timeout};

use crate::{
    Admission, Cluster, Ran, admissions, diagnosis, installation, manifests, samples, until,
    waiting::MINUTE,
};

/// Longest time for one test. Rolling both Deployments one Pod at a time is the longest of them.
const LIMIT: Duration = Duration::from_mins(8);

/// What one test has to itself.
#[derive(Debug)]
pub struct Stage {
    cluster: Cluster,
    namespace: String,
}

/// Runs a test: alone, with our chart installed, in a namespace of its own. Whatever becomes of it,
/// all that it made is put away; when it fails, it is told what there was to see.
pub async fn on_stage(test: impl AsyncFnOnce(&Stage) -> Result<()>) -> Result<()> {
    let _alone = spawn_blocking(alone).await??;
    let cluster = Cluster::connect().await?;
    put_away(&cluster).await?;
    if let Err(error) = installation::install(&cluster).await {
        diagnosis::tell(&cluster, None).await;
        return Err(error.context("the chart cannot be installed"));
    }
    let namespace = create_namespace(&cluster.client()).await?;
    let stage = Stage { cluster, namespace };

    let test = AssertUnwindSafe(timeout(LIMIT, test(&stage)))
        .catch_unwind()
        .await;
    let outcome = match test {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_)) => Err(anyhow!("the test did not end within {} s", LIMIT.as_secs())),
        Err(panic) => Err(anyhow!("the test panicked: {}", words_of(&*panic))),
    };
    if outcome.is_err() {
        diagnosis::tell(&stage.cluster, Some(&stage.namespace)).await;
    }
    let cleaning = put_away(&stage.cluster).await;
    outcome.and(cleaning)
}

/// One test at a time on a machine: they all share the cluster and its one installation.
fn alone() -> Result<File> {
    let path = std::env::temp_dir().join("portcullis-e2e.lock");
    let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    file.lock()?;
    Ok(file)
}

async fn create_namespace(client: &Client) -> Result<String> {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let namespace: Namespace = serde_json::from_value(json!({
        "metadata": {"generateName": "e2e-", "labels": {manifests::LABEL: manifests::MAKER}},
    }))?;
    let name = namespaces
        .create(&PostParams::default(), &namespace)
        .await?
        .name_any();
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), &name);
    until(
        "the namespace has its service account",
        MINUTE,
        async || Ok(accounts.get("default").await?),
    )
    .await?;
    Ok(name)
}

/// Deletes all that tests made, this one and one that was killed before. Namespaces have names of
/// their own, and go when their Pods have ended: nobody waits for them.
async fn put_away(cluster: &Cluster) -> Result<()> {
    let mut kinds = vec![
        "clusterrolebindings",
        "validatingadmissionpolicybindings",
        "validatingadmissionpolicies",
        "customresourcedefinitions",
        "namespaces",
    ];
    let definition = ["get", "crd", "clusterlocks.portcullis.dev"];
    if cluster.kubectl(&definition).await?.status.success() {
        // Locks first: a policy that goes while it is locked would be one more state to think of.
        kinds.splice(
            0..0,
            [
                "clusterlocks.portcullis.dev",
                "clusterpolicybindings.portcullis.dev",
                "clusterexemptions.portcullis.dev",
                "clusterpolicysubscriptions.portcullis.dev",
                "clusterpolicyimports.portcullis.dev",
                "clusterpolicies.portcullis.dev",
            ],
        );
    }
    let selector = format!("--selector={}={}", manifests::LABEL, manifests::MAKER);
    for kind in kinds {
        let delete = [
            "delete",
            kind,
            &selector,
            "--ignore-not-found",
            "--wait=false",
        ];
        cluster.kubectl(&delete).await?.succeeded()?;
    }
    // What a test lets its users do in the release's own namespace.
    let delete = [
        "delete",
        "rolebindings",
        &selector,
        "--namespace",
        installation::NAMESPACE,
        "--ignore-not-found",
    ];
    cluster.kubectl(&delete).await?.succeeded()?;
    Ok(())
}

fn words_of(panic: &(dyn std::any::Any + Send)) -> String {
    let words = panic.downcast_ref::<String>().cloned();
    words
        .or_else(|| panic.downcast_ref::<&str>().map(|&words| words.to_owned()))
        .unwrap_or_else(|| "without words".to_owned())
}

impl Stage {
    /// The cluster.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// A client with all rights.
    pub fn client(&self) -> Client {
        self.cluster.client()
    }

    /// The test's own namespace.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Another namespace, with these labels; put away with everything else.
    pub async fn another_namespace(&self) -> Result<String> {
        create_namespace(&self.client()).await
    }

    /// `kubectl apply` of objects, in the test's namespace where they name none.
    pub async fn try_apply(&self, objects: &[Value]) -> Result<Ran> {
        self.with_kubectl(&["apply"], objects).await
    }

    /// The same, which has to succeed.
    pub async fn apply(&self, objects: &[Value]) -> Result<Ran> {
        self.try_apply(objects).await?.succeeded()
    }

    /// `kubectl create --dry-run=server` of objects.
    pub async fn try_create(&self, objects: &[Value]) -> Result<Ran> {
        self.with_kubectl(&["create", "--dry-run=server"], objects)
            .await
    }

    /// `kubectl delete` of objects, until they are gone.
    pub async fn delete(&self, objects: &[Value]) -> Result<()> {
        self.with_kubectl(&["delete"], objects).await?.succeeded()?;
        Ok(())
    }

    /// Gives a user these ClusterRoles everywhere.
    pub async fn may(&self, user: &str, roles: &[&str]) -> Result<()> {
        let binding = |role: &&str| self.binding("ClusterRoleBinding", user, role);
        self.apply(&roles.iter().map(binding).collect::<Vec<_>>())
            .await?;
        Ok(())
    }

    /// Gives a user these ClusterRoles in the test's namespace.
    pub async fn may_here(&self, user: &str, roles: &[&str]) -> Result<()> {
        let binding = |role: &&str| {
            let binding = self.binding("RoleBinding", user, role);
            manifests::in_namespace(binding, self.namespace())
        };
        self.apply(&roles.iter().map(binding).collect::<Vec<_>>())
            .await?;
        Ok(())
    }

    fn binding(&self, kind: &str, user: &str, role: &str) -> Value {
        let group = "rbac.authorization.k8s.io";
        json!({
            "apiVersion": format!("{group}/v1"),
            "kind": kind,
            "metadata": {"name": format!("{}-{user}-{role}", self.namespace())},
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": role},
            "subjects": [{"apiGroup": group, "kind": "User", "name": user}],
        })
    }

    /// `kubectl apply` of an object as somebody else, in the test's namespace where it names none.
    pub async fn apply_as(&self, user: &str, object: &Value) -> Result<Ran> {
        let command = ["apply", "--as", user];
        self.with_kubectl(&command, std::slice::from_ref(object))
            .await
    }

    /// The same, without keeping it.
    pub async fn try_as(&self, user: &str, command: &str, object: &Value) -> Result<Ran> {
        let command = [command, "--dry-run=server", "--as", user];
        self.with_kubectl(&command, std::slice::from_ref(object))
            .await
    }

    async fn with_kubectl(&self, command: &[&str], objects: &[Value]) -> Result<Ran> {
        let mut arguments = command.to_vec();
        // Without it kubectl refuses objects of other namespaces.
        let elsewhere = objects
            .iter()
            .any(|object| object["metadata"]["namespace"].is_string());
        if !elsewhere {
            arguments.extend(["--namespace", self.namespace()]);
        }
        arguments.extend(["--filename", "-"]);
        self.cluster
            .kubectl_with(&arguments, Some(&manifests::labelled(objects)))
            .await
    }

    /// Asks whether a Pod would be let in, in a namespace.
    pub async fn ask_in(&self, namespace: &str, pod: &Value) -> Admission {
        let api: Api<Pod> = Api::namespaced(self.client(), namespace);
        admissions::dry_run(&api, &samples::typed(pod)).await
    }

    /// Asks whether a Pod would be let in, in the test's namespace.
    pub async fn ask(&self, pod: &Value) -> Admission {
        self.ask_in(self.namespace(), pod).await
    }

    /// Waits until a Pod would be let in.
    pub async fn await_allowed(&self, pod: &Value) -> Result<()> {
        until("the Pod is let in", MINUTE, async || {
            self.ask(pod).await.allowed()
        })
        .await
    }

    /// Waits until a Pod would be refused with all of `words`; returns the message.
    pub async fn await_refused(&self, pod: &Value, words: &[&str]) -> Result<String> {
        let what = format!("the Pod is refused with {words:?}");
        until(&what, MINUTE, async || {
            self.ask(pod).await.refused_with(words)
        })
        .await
    }

    /// Has `docs/examples/first-policy.yaml` enforced, which refuses Pods without a label `team`.
    pub async fn first_policy(&self) -> Result<()> {
        self.apply(&manifests::read("docs/examples/first-policy.yaml")?)
            .await?;
        self.await_cluster_policy("required-labels-1.0").await?;
        self.await_refused(&samples::good("unlabelled"), &["LABELS.MISSING"])
            .await?;
        Ok(())
    }

    /// Applies a ClusterPolicy, and waits until every replica enforces it. Its object has the policy's
    /// name, in which an object has no underscores.
    pub async fn enforce(&self, policy: PolicySpec) -> Result<PolicyStatus> {
        let name = policy.name.replace('_', "-");
        let object = ClusterPolicy::new(&name, policy.into());
        self.apply(&[manifests::object(&object)?]).await?;
        self.await_cluster_policy(&name).await
    }

    /// Waits until a ClusterPolicy is enforced on every replica.
    pub async fn await_cluster_policy(&self, name: &str) -> Result<PolicyStatus> {
        self.await_cluster_policy_is(name, ConditionType::Ready, true, "InForce")
            .await
    }

    /// Waits for a condition of a ClusterPolicy, of its present generation.
    pub async fn await_cluster_policy_is(
        &self,
        name: &str,
        condition: ConditionType,
        holds: bool,
        reason: &str,
    ) -> Result<PolicyStatus> {
        let api: Api<ClusterPolicy> = Api::all(self.client());
        await_status(&api, name, condition, holds, reason, |policy| {
            policy.status.clone()
        })
        .await
    }

    /// Waits until a Policy of the test's namespace is enforced on every replica.
    pub async fn await_policy(&self, name: &str) -> Result<PolicyStatus> {
        let api: Api<Policy> = Api::namespaced(self.client(), self.namespace());
        let ready = ConditionType::Ready;
        await_status(&api, name, ready, true, "InForce", |policy| {
            policy.status.clone()
        })
        .await
    }

    /// Waits for a condition of a ClusterPolicyBinding, of its present generation.
    pub async fn await_cluster_binding(
        &self,
        name: &str,
        condition: ConditionType,
        holds: bool,
        reason: &str,
    ) -> Result<()> {
        let api: Api<ClusterPolicyBinding> = Api::all(self.client());
        await_status(&api, name, condition, holds, reason, |binding| {
            binding.status.clone()
        })
        .await?;
        Ok(())
    }

    /// Waits until a ClusterLock holds something.
    pub async fn await_cluster_lock(&self, name: &str, holds: bool, reason: &str) -> Result<()> {
        let api: Api<ClusterLock> = Api::all(self.client());
        let active = ConditionType::Active;
        await_status(&api, name, active, holds, reason, |lock| {
            lock.status.clone()
        })
        .await?;
        Ok(())
    }

    /// Waits until a ClusterExemption is honoured, or is not for a reason.
    pub async fn await_cluster_exemption(
        &self,
        name: &str,
        holds: bool,
        reason: &str,
    ) -> Result<ExemptionStatus> {
        let api: Api<ClusterExemption> = Api::all(self.client());
        let active = ConditionType::Active;
        await_status(&api, name, active, holds, reason, |exemption| {
            exemption.status.clone()
        })
        .await
    }

    /// Waits until an Exemption of the test's namespace is honoured, or is not for a reason.
    pub async fn await_exemption(
        &self,
        name: &str,
        holds: bool,
        reason: &str,
    ) -> Result<ExemptionStatus> {
        let api: Api<Exemption> = Api::namespaced(self.client(), self.namespace());
        let active = ConditionType::Active;
        await_status(&api, name, active, holds, reason, |exemption| {
            exemption.status.clone()
        })
        .await
    }

    /// Waits until a Lock of the test's namespace holds something.
    pub async fn await_lock(&self, name: &str) -> Result<()> {
        let api: Api<Lock> = Api::namespaced(self.client(), self.namespace());
        let active = ConditionType::Active;
        await_status(&api, name, active, true, "Holds", |lock| {
            lock.status.clone()
        })
        .await?;
        Ok(())
    }
}

async fn await_status<K, S>(
    api: &Api<K>,
    name: &str,
    condition: ConditionType,
    holds: bool,
    reason: &str,
    status: impl Fn(&K) -> Option<S>,
) -> Result<S>
where
    K: Clone + std::fmt::Debug + serde::de::DeserializeOwned + Resource,
    S: serde::Serialize,
{
    let state = if holds { "holds" } else { "does not hold" };
    let what = format!("{} of {name} {state} ({reason})", condition.as_str());
    until(&what, MINUTE, async || {
        let object = api.get(name).await?;
        let found = status(&object).context("there is no status")?;
        let told = serde_json::to_value(&found)?;
        let current = told["observedGeneration"].as_i64() == object.meta().generation;
        let listed = told["conditions"].as_array().cloned().unwrap_or_default();
        let is_met = |listed: &Value| {
            listed["type"] == condition.as_str()
                && listed["status"] == if holds { "True" } else { "False" }
                && listed["reason"] == reason
        };
        if !current || !listed.iter().any(is_met) {
            bail!("generation {:?}, {told}", object.meta().generation);
        }
        Ok(found)
    })
    .await
}

/// Whether a condition of a status holds; none when it is absent or unknown.
pub fn holds(status: &PolicyStatus, condition: ConditionType) -> Option<bool> {
    conditions::holds(&status.conditions, condition)
}
