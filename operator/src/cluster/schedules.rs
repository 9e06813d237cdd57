//! Periodic imports as objects of the cluster, made, listed and deleted with the caller's own rights.
//!
//! The leading operator fetches and imports, and writes what became of each into the object's status.

use std::{sync::Arc, time::Duration};

use aws_lc_rs::digest::{SHA256, digest};
use futures::future::{BoxFuture, FutureExt as _};
use kube::{
    Api, Client, Config,
    api::{DeleteParams, ListParams, Patch, PatchParams},
};
use portcullis_crds::{self as crds, ClusterPolicyImport};
use portcullis_webhook::{Caller, ImportScheduler, OutboundFault, ScheduledImport};
use serde_json::json;

use super::callers::{Callers, ask};
use crate::archive::{Fetcher, MAX_SCHEDULES, Outcome, Schedule, hexadecimal};

/// What is not there, in answers.
const WHAT: &str = "periodic import";

/// Who owns the fields of a schedule, for the API server.
const FIELD_MANAGER: &str = "portcullis-import";

/// Keeps schedules in the cluster.
#[derive(Debug)]
pub struct ClusterSchedules {
    callers: Callers,
    fetcher: Arc<Fetcher>,
}

impl ClusterSchedules {
    /// Reaches the API server as `config` says, but for who asks.
    pub(crate) fn new(config: Config, fetcher: Arc<Fetcher>) -> Self {
        let callers = Callers::new(config);
        Self { callers, fetcher }
    }

    #[cfg(test)]
    fn connecting(callers: Callers, fetcher: Arc<Fetcher>) -> Self {
        Self { callers, fetcher }
    }

    async fn apply(
        &self,
        caller: Caller,
        url: String,
        interval: Duration,
    ) -> Result<(), OutboundFault> {
        self.fetcher.check(&url)?;
        let (client, _place) = self.callers.client(&caller)?;
        let name = object_name(&url);
        let object = json!({
            "apiVersion": crds::API_VERSION,
            "kind": "ClusterPolicyImport",
            "metadata": {"name": name},
            "spec": {"url": url, "interval": format!("{}s", interval.as_secs())},
        });
        let api: Api<ClusterPolicyImport> = Api::all(client);
        let params = PatchParams::apply(FIELD_MANAGER);
        ask(WHAT, api.patch(&name, &params, &Patch::Apply(&object)))
            .await
            .map(drop)
    }

    async fn find(&self, caller: Caller) -> Result<Vec<ScheduledImport>, OutboundFault> {
        let (client, _place) = self.callers.client(&caller)?;
        let schedules = ask(WHAT, all(client)).await?;
        Ok(schedules.into_iter().map(ScheduledImport::from).collect())
    }

    async fn delete(&self, caller: Caller, url: String) -> Result<Duration, OutboundFault> {
        let (client, _place) = self.callers.client(&caller)?;
        let mut found = ask(WHAT, all(client.clone())).await?.into_iter();
        let own = found.find(|own| own.url == url);
        let own = own.ok_or(OutboundFault::NotFound(WHAT))?;
        let api: Api<ClusterPolicyImport> = Api::all(client);
        ask(WHAT, api.delete(&own.object, &DeleteParams::default())).await?;
        Ok(own.interval())
    }
}

impl ImportScheduler for ClusterSchedules {
    fn set(
        &self,
        caller: Caller,
        url: String,
        interval: Duration,
    ) -> BoxFuture<'_, Result<(), OutboundFault>> {
        self.apply(caller, url, interval).boxed()
    }

    fn list(&self, caller: Caller) -> BoxFuture<'_, Result<Vec<ScheduledImport>, OutboundFault>> {
        self.find(caller).boxed()
    }

    fn remove(
        &self,
        caller: Caller,
        url: String,
    ) -> BoxFuture<'_, Result<Duration, OutboundFault>> {
        self.delete(caller, url).boxed()
    }
}

/// The first schedules of the cluster, by their URLs.
pub(crate) async fn all(client: Client) -> kube::Result<Vec<Schedule>> {
    let api: Api<ClusterPolicyImport> = Api::all(client);
    let most = u32::try_from(MAX_SCHEDULES).unwrap_or(u32::MAX);
    let listed = api.list(&ListParams::default().limit(most)).await?;
    let mut schedules: Vec<Schedule> = listed.items.iter().filter_map(read).collect();
    schedules.sort_by(|left, right| left.url.cmp(&right.url));
    Ok(schedules)
}

/// One object a URL, so that the same URL again changes it.
fn object_name(url: &str) -> String {
    let sum = digest(&SHA256, url.as_bytes());
    format!("import-{}", hexadecimal(&sum.as_ref()[..16]))
}

/// The schedule that an object holds; none where its interval cannot be read.
fn read(object: &ClusterPolicyImport) -> Option<Schedule> {
    let interval = portcullis_webhook::parse_duration(&object.spec.interval)?;
    let status = object.status.clone().unwrap_or_default();
    let time = |text: Option<String>| text.and_then(|text| text.parse().ok());
    Some(Schedule {
        object: object.metadata.name.clone()?,
        url: object.spec.url.clone(),
        interval_seconds: interval.as_secs(),
        outcome: Outcome {
            attempted: time(status.attempted),
            succeeded: time(status.succeeded),
            policy: status.policy,
            digest: status.digest,
            tag: status.tag,
            failure: status.failure,
            failures: u32::try_from(status.failures).unwrap_or_default(),
        },
    })
}

/// The status that says what became of an import.
pub(crate) fn status(outcome: Outcome) -> crds::ImportStatus {
    crds::ImportStatus {
        attempted: outcome.attempted.map(|time| time.to_string()),
        succeeded: outcome.succeeded.map(|time| time.to_string()),
        policy: outcome.policy,
        digest: outcome.digest,
        tag: outcome.tag,
        failure: outcome.failure,
        failures: i64::from(outcome.failures),
    }
}

#[cfg(test)]
mod tests;
