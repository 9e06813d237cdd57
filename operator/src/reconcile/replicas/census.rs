//! Asks the replicas: which are ready, and what each enforces (`GET /v1/enforcement` of the evaluation
//! API), and where shadows differ, on which requests (`GET /v1/shadows`).

use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use futures::{StreamExt as _, stream};
use hyper::StatusCode;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::{Api, api::ListParams};
use serde::de::DeserializeOwned;
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};

use super::{Holdings, Replicas, Report};
use crate::{
    cluster::{EVALUATION_PORT, Mirror, chain},
    https,
    reconcile::{
        PAUSE, Settings,
        metrics::Metrics,
        retry::Retry,
        shadows::{Examples, ShadowCounts},
    },
};

/// Time between two rounds when every replica enforces everything.
const PERIOD: Duration = Duration::from_secs(5);

/// Time between two rounds while some do not yet.
const PERIOD_PENDING: Duration = Duration::from_secs(1);

/// Replicas that are asked at once.
const AT_ONCE: usize = 8;

/// Most replicas that are asked; a larger fleet would need another way than asking each.
const MOST: usize = 256;

/// Largest answer: some hundred bytes a policy, and far more policies than a cluster has.
const ANSWER: usize = 16 << 20;

/// Time for listing the endpoints.
const READ: Duration = Duration::from_secs(10);

/// Asks the replicas.
pub(crate) struct Census {
    /// What it shows to replicas where not everybody may ask.
    pub(crate) pass: watch::Receiver<Option<Arc<str>>>,
    pub(crate) slices: Api<EndpointSlice>,
    pub(crate) settings: Arc<Settings>,
    pub(crate) metrics: Metrics,
    pub(crate) mirror: Arc<Mirror>,
    pub(crate) trusted: watch::Receiver<Option<Arc<str>>>,
    pub(crate) replicas: watch::Sender<Option<Arc<Replicas>>>,
}

/// Why the replicas could not be counted, or one of them gave no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CensusFault {
    #[error("failed to list the endpoints of the webhook's Service")]
    List(#[source] kube::Error),
    #[error("the API server did not list the webhook's endpoints within {} s", READ.as_secs())]
    Late,
    #[error("failed to ask {0}")]
    Ask(SocketAddr, #[source] https::HttpsFault),
    #[error("{0} answered with {1}")]
    Status(SocketAddr, StatusCode),
    #[error("failed to read the answer of {0}")]
    Read(SocketAddr, #[source] serde_json::Error),
}

impl Census {
    /// Asks for ever.
    pub(crate) async fn run(mut self) {
        let mut retry = Retry::new("count the replicas", self.metrics.clone());
        let mut changes = self.mirror.changes();
        let mut was_silent = false;
        loop {
            let wait = match self.count().await {
                Ok(replicas) => {
                    retry.succeeded();
                    self.metrics.replicas(replicas.ready);
                    let agree = replicas.agree(&self.mirror.cache().snapshot());
                    // One that ends does not answer any more, and is gone from the list a moment
                    // later: only a silence that lasts is told, or each rollout would change every
                    // status twice.
                    let is_silent = replicas.held.len() < replicas.ready;
                    if !is_silent || was_silent {
                        self.publish(replicas);
                    }
                    was_silent = is_silent;
                    if agree { PERIOD } else { PERIOD_PENDING }
                }
                Err(fault) => retry.note(&fault),
            };
            tokio::select! {
                _ = changes.changed() => {}
                _ = self.trusted.changed() => {}
                () = sleep(wait) => {}
            }
            sleep(PAUSE).await;
        }
    }

    fn publish(&self, replicas: Replicas) {
        self.replicas.send_if_modified(|known| {
            let is_new = known.as_deref() != Some(&replicas);
            if is_new {
                *known = Some(Arc::new(replicas));
            }
            is_new
        });
    }

    async fn count(&mut self) -> Result<Replicas, CensusFault> {
        let service = self.settings.webhook_service();
        let params = ListParams::default().labels(&format!("kubernetes.io/service-name={service}"));
        let slices = timeout(READ, self.slices.list(&params))
            .await
            .map_err(|_| CensusFault::Late)?
            .map_err(CensusFault::List)?;
        let addresses = addresses(&slices.items);
        let trusted = self.trusted.borrow_and_update().clone();
        let own = Asked {
            url: format!(
                "https://{service}.{}.svc:{EVALUATION_PORT}",
                self.settings.namespace
            ),
            trusted,
            pass: self.pass.borrow().clone(),
        };
        let own = &own;
        let answers = stream::iter(addresses.iter().take(MOST))
            .map(|address| own.ask(SocketAddr::new(*address, EVALUATION_PORT)))
            .buffer_unordered(AT_ONCE)
            .filter_map(|answer| async {
                // One that does not answer is ready and enforces nothing, as far as is known.
                answer
                    .map_err(|fault| tracing::debug!(fault = chain(&fault), "no answer"))
                    .ok()
            });
        let mut held: Vec<_> = answers.collect().await;
        held.sort_unstable();
        Ok(Replicas {
            ready: addresses.len(),
            held,
        })
    }
}

/// What each replica is asked, and how.
struct Asked {
    url: String,
    trusted: Option<Arc<str>>,
    pass: Option<Arc<str>>,
}

impl Asked {
    async fn ask(&self, address: SocketAddr) -> Result<Holdings, CensusFault> {
        let report: Report = self.get("/v1/enforcement", address).await?;
        let mut holdings = report.held();
        let mut policies = holdings.policies.values();
        if policies.any(|held| held.shadow.as_ref().is_some_and(ShadowCounts::differs)) {
            // Without examples the counts tell less, and are right.
            holdings.examples = self.examples(address).await.unwrap_or_else(|fault| {
                tracing::warn!(
                    fault = chain(&fault),
                    "no examples of what shadows differ in"
                );
                Examples::default()
            });
        }
        Ok(holdings)
    }

    /// Who made which requests.
    async fn examples(&self, address: SocketAddr) -> Result<Examples, CensusFault> {
        self.get("/v1/shadows", address).await
    }

    /// Asks with the pass: what replicas tell the operator is not for everybody.
    async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        address: SocketAddr,
    ) -> Result<T, CensusFault> {
        let pass = self.pass.as_deref().unwrap_or_default();
        let authorization = https::bearer(pass).expect("a pass is made of hexadecimal digits");
        let url = format!("{}{path}", self.url);
        let question = https::Question {
            url: &url,
            authority: self.trusted.as_ref().map(|pem| pem.as_bytes()),
            authorization: Some(&authorization),
            patience: https::PATIENCE,
            limit: ANSWER,
        };
        let (status, body) = question
            .ask_at(address)
            .await
            .map_err(|fault| CensusFault::Ask(address, fault))?;
        if status != StatusCode::OK {
            return Err(CensusFault::Status(address, status));
        }
        serde_json::from_slice(&body).map_err(|error| CensusFault::Read(address, error))
    }
}

/// The addresses of the ready endpoints, each once.
fn addresses(slices: &[EndpointSlice]) -> BTreeSet<IpAddr> {
    let endpoints = slices.iter().flat_map(|slice| &slice.endpoints);
    let ready = endpoints.filter(|endpoint| {
        let conditions = endpoint.conditions.as_ref();
        // An unknown condition is to be read as true.
        let is_ready = conditions
            .and_then(|conditions| conditions.ready)
            .unwrap_or(true);
        let is_ending = conditions
            .and_then(|conditions| conditions.terminating)
            .unwrap_or(false);
        is_ready && !is_ending
    });
    ready
        .filter_map(|endpoint| endpoint.addresses.first()?.parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::{Value as Json, json};

    #[rstest]
    #[case(json!([]), &[])]
    #[case(json!([{"addresses": ["10.0.0.1"], "conditions": {"ready": true}}]), &["10.0.0.1"])]
    #[case(json!([{"addresses": ["10.0.0.1"]}]), &["10.0.0.1"])]
    #[case(json!([{"addresses": ["10.0.0.1"], "conditions": {"ready": false}}]), &[])]
    #[case(json!([{"addresses": ["10.0.0.1"], "conditions": {"ready": true, "terminating": true}}]), &[])]
    #[case(json!([{"addresses": ["fd00::1", "fd00::2"]}, {"addresses": ["10.0.0.2"]}, {"addresses": ["10.0.0.2"]}]),
        &["10.0.0.2", "fd00::1"])]
    fn counts_ready_endpoints_once(#[case] endpoints: Json, #[case] expected: &[&str]) {
        let slice = json!({"addressType": "IPv4", "metadata": {}, "endpoints": endpoints});
        let slices: Vec<EndpointSlice> = vec![serde_json::from_value(slice).unwrap()];
        let expected: BTreeSet<IpAddr> = expected.iter().map(|ip| ip.parse().unwrap()).collect();
        assert_eq!(addresses(&slices), expected);
    }
}
