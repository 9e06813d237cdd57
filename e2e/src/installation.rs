//! Our chart on the cluster, as a user installs and uninstalls it.

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use kube::{Api, Client};
use portcullis_crds::ClusterPolicy;

use crate::{Cluster, admissions, programs::Ran, samples, until, waiting::MINUTE};

/// The release, and the first word of its objects' names.
pub const RELEASE: &str = "portcullis";
/// The release's namespace.
pub const NAMESPACE: &str = "portcullis-system";
/// The name of the Service of the webhook's replicas, as a certificate has it.
pub const SERVICE: &str = "portcullis-webhook.portcullis-system.svc";

/// The image of our own program: the one that was loaded into the nodes.
pub const IMAGE: &str = concat!("portcullis:", env!("CARGO_PKG_VERSION"));

/// Installs or upgrades the chart and waits until all of it works. The same again when it is there.
pub async fn install(cluster: &Cluster) -> Result<()> {
    upgrade(cluster).await?.succeeded()?;
    await_enforcement(&cluster.client()).await
}

/// What policies may ask, for `e2e/crds/accept/policy-network.yaml` to be sound, of which nothing is
/// asked, and [`DATA_HOST`].
const ALLOWED_HOSTS: &str = r#"allowHosts=["*.example.com", "10.0.0.1:80", "[2001:db8::1]:443",
    "a_b.svc.cluster.local", "e2e-roles.default.svc.cluster.local:8080"]"#;

/// The server that the operator may ask for data of policies, once a test has made it.
pub const DATA_HOST: &str = "e2e-roles.default.svc.cluster.local:8080";

/// The Secret whose key signs exported policies, once a test has made it.
pub const EXPORT_KEY: &str = "e2e-export-key";

/// The Secret of the namespace `default` that policies may take data of, once a test has made it.
pub const DATA_SECRET: &str = "e2e-data";

/// Whose archives are imported: the owner of `e2e/exchange/key.pem`, of policies of one group.
const IMPORT_KEYS: &str = concat!(
    r#"archives.importKeys=[{"addresses": ["exchange/*"], "keys": ""#,
    "-----BEGIN PUBLIC KEY-----\\nMCowBQYDK2VwAyEAczIdMMEEjaZBlMLjtp3gqtK5/r9UZwbVkrXCtsrbK+A=\\n-----END PUBLIC KEY-----",
    r#""}]"#
);

/// `helm upgrade --install`, as README.md has it, with the image that was loaded.
pub async fn upgrade(cluster: &Cluster) -> Result<Ran> {
    let (repository, tag) = IMAGE.split_once(':').expect("an image has a tag");
    let repository = format!("image.repository={repository}");
    let tag = format!("image.tag={tag}");
    let arguments = [
        "upgrade",
        "--install",
        RELEASE,
        "charts/portcullis",
        "--namespace",
        NAMESPACE,
        "--create-namespace",
        "--wait",
        "--timeout",
        "3m",
        "--set",
        &repository,
        "--set",
        &tag,
        // Images come from archives; no registry is asked.
        "--set",
        "image.pullPolicy=Never",
        "--set-json",
        ALLOWED_HOSTS,
        "--set-json",
        IMPORT_KEYS,
        "--set",
        &format!("archives.exportKeySecret={EXPORT_KEY}"),
        "--set",
        &format!("dataFrom.secrets[0].namespace=default,dataFrom.secrets[0].name={DATA_SECRET}"),
    ];
    cluster.helm(&arguments).await
}

/// `helm uninstall`; succeeds when there is nothing to uninstall.
pub async fn uninstall(cluster: &Cluster) -> Result<Ran> {
    let arguments = [
        "uninstall",
        RELEASE,
        "--namespace",
        NAMESPACE,
        "--wait",
        "--timeout",
        "3m",
        "--ignore-not-found",
    ];
    cluster.helm(&arguments).await
}

/// Waits until the operator has filled the webhook configuration and the API server asks us about
/// our own resources.
pub async fn await_enforcement(client: &Client) -> Result<()> {
    let configurations: Api<ValidatingWebhookConfiguration> = Api::all(client.clone());
    until(
        "the operator has filled the webhook configuration",
        MINUTE,
        async || {
            let configuration = configurations.get(RELEASE).await?;
            let webhooks = configuration.webhooks.unwrap_or_default();
            ensure!(
                !webhooks.is_empty(),
                "the configuration {RELEASE} has no webhooks"
            );
            Ok(())
        },
    )
    .await?;
    let probe = ClusterPolicy::new("e2e-probe", samples::broken_policy("probe").into());
    let policies: Api<ClusterPolicy> = Api::all(client.clone());
    until(
        "the API server asks about our own resources",
        MINUTE,
        async || {
            let refusal = admissions::dry_run(&policies, &probe).await.refusal();
            refusal
                .map(|_| ())
                .context("a policy that does not compile was not refused")
        },
    )
    .await
}
