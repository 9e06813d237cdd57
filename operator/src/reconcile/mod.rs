//! What the leading operator writes, and what it is made of.
//!
//! ```text
//!             ┌ certificate ── trusted ──┐
//! Mirror ──┬──┤                          ├─▶ registration ── registered ──┐
//!          │  └ replicas (asks each) ────┴────────────── enforcing ───────┼─▶ status ──▶ events
//!          └──────────────────────────────────────────────────────────────┘
//! ```
//!
//! | room | what it keeps |
//! |---|---|
//! | `certificate`, `pki` | the webhook's certificate in the chart's two Secrets |
//! | `registration` | the webhooks in the chart's `ValidatingWebhookConfiguration` |
//! | `replicas` | what each replica of the webhook says that it enforces |
//! | `status` | the status of each policy and lock |
//! | `seals` | locks of policies that replicas took out of evaluation |
//! | `events` | Events about what is new |
//! | `documents` | what is fetched for policies |
//! | `outreach` | subscribers that are told, and archives that are fetched |
//!
//! Deciding is done by pure functions, which tables test; writing goes through
//! [`Leadership::write`](crate::leader::Leadership::write), which refuses when another replica may
//! lead. Nothing is written that is already so.

mod certificate;
mod documents;
mod events;
mod metrics;
mod outreach;
mod pki;
mod registration;
mod replicas;
mod retry;
#[cfg(test)]
mod samples;
mod seals;
mod shadows;
mod status;

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use kube::{Api, Client};
use tokio::sync::watch;

use crate::{
    cluster::{self, Mirror},
    leader::Leadership,
    network::Network,
    refresh::Refresher,
};
use certificate::CertificateKeeper;
use documents::Documents;
use events::Announcer;
use metrics::Metrics;
pub use outreach::Outreach;
use registration::{Registrar, Registration, Target};
use replicas::Census;
use seals::Sealer;
use status::Reporter;

/// Who writes, for the API server.
const FIELD_MANAGER: &str = "portcullis-operator";

/// Time from a change to the look at it, in which more changes may come. Shorter than anybody
/// notices, and long enough that applying a repository is a few looks instead of one for each file.
const PAUSE: Duration = Duration::from_millis(200);

/// Namespaces in which nothing is ever judged, beside the operator's own: a control plane that asks
/// a policy before it elects its leaders, and nodes before they say that they live, cannot recover.
pub(crate) const ALWAYS_EXEMPT: [&str; 2] = ["kube-system", "kube-node-lease"];

/// What the operator is told about its installation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    name: String,
    namespace: String,
    pod: String,
    exempt: BTreeSet<String>,
}

/// What the leader does.
#[derive(Clone)]
pub struct Reconciler {
    client: Client,
    mirror: Arc<Mirror>,
    settings: Arc<Settings>,
    metrics: Metrics,
    outreach: Outreach,
    network: Arc<Network>,
}

impl Settings {
    /// Of the installation `name` in `namespace`, for the replica `pod`. In `exempt` namespaces
    /// nothing is judged at admission, and neither in the own one.
    pub fn new(
        name: &str,
        namespace: &str,
        pod: &str,
        exempt: impl IntoIterator<Item = String>,
    ) -> Self {
        let always = ALWAYS_EXEMPT
            .into_iter()
            .chain([namespace])
            .map(str::to_owned);
        Self {
            name: name.to_owned(),
            namespace: namespace.to_owned(),
            pod: pod.to_owned(),
            exempt: always.chain(exempt).collect(),
        }
    }

    fn webhook_service(&self) -> String {
        cluster::webhook_service(&self.name)
    }

    fn authority_secret(&self) -> String {
        format!("{}-ca", self.name)
    }

    fn serving_secret(&self) -> String {
        format!("{}-webhook-tls", self.name)
    }

    fn target(&self) -> Target {
        Target {
            service: self.webhook_service(),
            namespace: self.namespace.clone(),
            exempt: self.exempt.clone(),
        }
    }
}

impl Reconciler {
    /// Keeps what follows from `mirror`, and fetches documents for policies from `network`.
    pub fn new(
        client: Client,
        mirror: Arc<Mirror>,
        settings: Settings,
        outreach: Outreach,
        network: Arc<Network>,
    ) -> Self {
        Self {
            outreach,
            network,
            client,
            mirror,
            settings: Arc::new(settings),
            metrics: Metrics::new(),
        }
    }

    /// Writes as long as it is not dropped.
    pub async fn lead(self, leadership: Leadership) {
        // A view of half the cluster would take the other half out of force.
        self.mirror.synced().await;
        let _leading = Leading::new(&self.metrics);
        let (trusted, is_trusted) = watch::channel(None);
        let (pass, own_pass) = watch::channel(None);
        let (counted, replicas) = watch::channel(None);
        let (registration, is_registered) = watch::channel(Registration::default());
        let announcer = Announcer::new(
            self.client.clone(),
            leadership.clone(),
            self.settings.clone(),
            self.metrics.clone(),
        );
        let outreach =
            self.outreach
                .run(self.client.clone(), leadership.clone(), self.mirror.clone());
        let documents = Documents {
            client: self.client.clone(),
            leadership: leadership.clone(),
            mirror: self.mirror.clone(),
        };
        let (progress, is_refreshed) = watch::channel(None);
        let refresher = Refresher::new(Arc::new(documents), self.network, progress);
        let certificate = CertificateKeeper {
            secrets: Api::namespaced(self.client.clone(), &self.settings.namespace),
            settings: self.settings.clone(),
            leadership: leadership.clone(),
            metrics: self.metrics.clone(),
            trusted,
            pass,
        };
        let census = Census {
            pass: own_pass,
            slices: Api::namespaced(self.client.clone(), &self.settings.namespace),
            settings: self.settings.clone(),
            metrics: self.metrics.clone(),
            mirror: self.mirror.clone(),
            trusted: is_trusted.clone(),
            replicas: counted,
        };
        let registrar = Registrar {
            client: self.client.clone(),
            settings: self.settings.clone(),
            leadership: leadership.clone(),
            metrics: self.metrics.clone(),
            announcer: announcer.clone(),
            mirror: self.mirror.clone(),
            replicas: replicas.clone(),
            trusted: is_trusted,
            registration,
        };
        let sealer = Sealer {
            client: self.client.clone(),
            leadership: leadership.clone(),
            metrics: self.metrics.clone(),
            mirror: self.mirror.clone(),
            replicas: replicas.clone(),
        };
        let reporter = Reporter {
            client: self.client,
            settings: self.settings,
            leadership,
            metrics: self.metrics.clone(),
            announcer,
            mirror: self.mirror,
            replicas,
            registration: is_registered,
            documents: is_refreshed,
            written: HashMap::new(),
        };
        tokio::join!(
            certificate.run(),
            outreach,
            refresher.run(),
            census.run(),
            registrar.run(),
            sealer.run(),
            reporter.run()
        );
    }

    /// Appends the operator's metrics in the text format of `OpenMetrics`.
    pub fn write_metrics(&self, text: &mut String) {
        self.metrics.write(text);
    }
}

impl std::fmt::Debug for Reconciler {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Reconciler")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// PEM of a certificate and its key, for tests of those who use them.
#[cfg(test)]
pub(crate) fn sample_certificate() -> (String, String) {
    let pair = pki::authority(jiff::Timestamp::now()).expect("a certificate can be made");
    (pair.certificate, pair.key.0)
}

/// PEM of an authority, of a certificate of the webhook of an installation, and of its key, likewise.
#[cfg(test)]
pub(crate) fn sample_serving(name: &str, namespace: &str) -> (String, String, String) {
    let now = jiff::Timestamp::now();
    let names = pki::service_names(&cluster::webhook_service(name), namespace);
    let authority = pki::authority(now).expect("a certificate can be made");
    let serving = pki::serving(&authority, &names, now).expect("a certificate can be made");
    (authority.certificate, serving.certificate, serving.key.0)
}

/// Shows in the metrics that this replica leads, until it is dropped.
struct Leading<'a>(&'a Metrics);

impl<'a> Leading<'a> {
    fn new(metrics: &'a Metrics) -> Self {
        metrics.leads(true);
        Self(metrics)
    }
}

impl Drop for Leading<'_> {
    fn drop(&mut self) {
        self.0.leads(false);
    }
}
