//! Fills the chart's `ValidatingWebhookConfiguration`, and never creates or deletes it.
//!
//! ```text
//! policies ─┐                                   gone    say so: Event, metric, log; leave it gone
//! catalogue ├─▶ desired ──▶ compare with what ─▶ empty  fill it when a replica is ready
//! authority ┘               the cluster has      filled put back what differs
//! ```
//!
//! Once it is filled it stays filled, replicas or not: a webhook that is taken out of the way
//! whenever nobody answers is a permission. The way out is an administrator's: who deletes the
//! configuration has switched admission off, until `helm upgrade` brings it back, empty.

mod catalogue;
mod cover;
mod desired;

use std::{sync::Arc, time::Duration};

use k8s_openapi::api::admissionregistration::v1::{
    ValidatingWebhook, ValidatingWebhookConfiguration,
};
use kube::{
    Api, Client,
    api::{Patch, PatchParams},
};
use serde_json::json;
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep, timeout},
};

pub(crate) use catalogue::Catalogue;
use cover::Cover;
#[cfg(test)]
pub(crate) use desired::webhooks as desired_webhooks;
pub(crate) use desired::{Target, is_registered};

use super::{
    FIELD_MANAGER, PAUSE, Settings, events::Announcer, metrics::Metrics, replicas::Replicas,
    retry::Retry,
};
use crate::{
    cluster::{Mirror, News, Selectors, Watch},
    leader::{Leadership, WriteFault},
};

/// How often the served resources are looked up while a policy has wildcards: two requests. A kind
/// that is new is judged within this time.
const REFRESH: Duration = Duration::from_secs(30);

/// Time for looking up the served resources.
const LOOK_UP: Duration = Duration::from_secs(20);

/// News of one object that may wait: more than an administrator makes while a patch is under way.
const WAITING_NEWS: usize = 16;

/// What the API server calls, as far as is known.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Registered {
    /// Not looked yet.
    #[default]
    Unknown,
    /// There is no configuration: admission is switched off.
    Gone,
    /// There is one without webhooks, for this reason.
    Empty(&'static str),
    /// There is one with these webhooks.
    Filled(Arc<[ValidatingWebhook]>),
}

/// The state of the registration, and the catalogue that its wildcards were expanded by.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Registration {
    pub(crate) registered: Registered,
    pub(crate) catalogue: Arc<Catalogue>,
}

/// The configuration as the watch sees it.
#[derive(Clone, Debug, Default)]
pub(crate) enum Sight {
    /// Not listed yet.
    #[default]
    Unknown,
    /// It does not exist.
    Gone,
    /// It exists.
    Here(Arc<ValidatingWebhookConfiguration>),
}

/// What there is to do about the configuration.
#[derive(Clone, Debug, PartialEq)]
enum Step {
    /// Nothing can be said yet.
    Look,
    /// It is gone: say so.
    Mourn,
    /// It is to be left empty, for this reason.
    Wait(&'static str),
    /// It is as it should be.
    Keep,
    /// Its webhooks are to be these.
    Write(Vec<ValidatingWebhook>),
}

/// Keeps the configuration.
pub(crate) struct Registrar {
    pub(crate) client: Client,
    pub(crate) settings: Arc<Settings>,
    pub(crate) leadership: Leadership,
    pub(crate) metrics: Metrics,
    pub(crate) announcer: Announcer,
    pub(crate) mirror: Arc<Mirror>,
    pub(crate) replicas: watch::Receiver<Option<Arc<Replicas>>>,
    pub(crate) trusted: watch::Receiver<Option<Arc<str>>>,
    pub(crate) registration: watch::Sender<Registration>,
}

/// Why the configuration could not be kept.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RegistrationFault {
    #[error("failed to look up the served resources")]
    Catalogue(#[source] kube::Error),
    #[error("the served resources were not told within {} s", LOOK_UP.as_secs())]
    Late,
    #[error(transparent)]
    Write(#[from] WriteFault),
}

impl Registrar {
    /// Keeps it for ever.
    pub(crate) async fn run(mut self) {
        let api: Api<ValidatingWebhookConfiguration> = Api::all(self.client.clone());
        let (news, received) = mpsc::channel(WAITING_NEWS);
        let selectors = Selectors {
            fields: Some(format!("metadata.name={}", self.settings.name)),
            labels: None,
        };
        let source = "validatingwebhookconfigurations";
        let watched = Watch::new(source, api, selectors, self.mirror.clone(), news);
        let (seen, sight) = watch::channel(Sight::Unknown);
        tokio::join!(watched.run(), look(received, seen), self.keep(sight));
    }

    async fn keep(&mut self, mut sight: watch::Receiver<Sight>) {
        let mut retry = Retry::new("register the webhooks", self.metrics.clone());
        let mut changes = self.mirror.changes();
        let mut catalogue: Option<(Instant, Arc<Catalogue>)> = None;
        loop {
            let now = sight.borrow_and_update().clone();
            let wait = match self.reconcile(&now, &mut catalogue).await {
                Ok(()) => {
                    retry.succeeded();
                    REFRESH
                }
                Err(fault) => retry.note(&fault),
            };
            // An error means that who sends is gone, and this is dropped with it.
            tokio::select! {
                _ = sight.changed() => {}
                _ = changes.changed() => {}
                _ = self.replicas.changed() => {}
                _ = self.trusted.changed() => {}
                () = sleep(wait) => {}
            }
            sleep(PAUSE).await;
        }
    }

    /// Compares once, and writes where something differs.
    async fn reconcile(
        &self,
        sight: &Sight,
        known: &mut Option<(Instant, Arc<Catalogue>)>,
    ) -> Result<(), RegistrationFault> {
        let view = self.mirror.view();
        if desired::needs_catalogue(&view.snapshot)
            && known
                .as_ref()
                .is_none_or(|(when, _)| when.elapsed() >= REFRESH)
            && matches!(sight, Sight::Here(_))
        {
            let before = known
                .take()
                .map(|(_, catalogue)| catalogue)
                .unwrap_or_default();
            let read = self.catalogue(&before).await;
            // What is known stays known; a wildcard is never expanded by nothing.
            let kept = read.as_ref().map_or(before.clone(), Arc::clone);
            if read.is_ok() || *before != Catalogue::default() {
                *known = Some((Instant::now(), kept));
            }
            read?;
        }
        let catalogue = known
            .as_ref()
            .map(|(_, catalogue)| catalogue.clone())
            .unwrap_or_default();
        let trusted = self.trusted.borrow().clone();
        let is_ready = self
            .replicas
            .borrow()
            .as_ref()
            .is_some_and(|replicas| replicas.ready > 0);
        let desired = trusted.as_deref().map(|trusted| {
            desired::webhooks(&view.snapshot, &catalogue, &self.settings.target(), trusted)
        });
        let step = step(sight, desired, is_ready);
        self.report(sight, &step, catalogue).await;
        if let Step::Write(webhooks) = step {
            self.write(sight, webhooks).await?;
        }
        Ok(())
    }

    /// Tells everybody who wants to know, once for each change.
    async fn report(&self, sight: &Sight, step: &Step, catalogue: Arc<Catalogue>) {
        let registered = match (step, sight) {
            (Step::Look, _) | (_, Sight::Unknown) => return,
            (Step::Mourn, _) | (_, Sight::Gone) => Registered::Gone,
            (_, Sight::Here(configuration)) => match (webhooks(configuration), step) {
                ([], Step::Wait(reason)) => Registered::Empty(reason),
                ([], _) => Registered::Empty("it is being filled"),
                (webhooks, _) => Registered::Filled(webhooks.into()),
            },
        };
        let is_gone = registered == Registered::Gone;
        self.metrics.configuration(
            !is_gone,
            match &registered {
                Registered::Filled(webhooks) => webhooks.len(),
                _ => 0,
            },
        );
        let was_gone = self.registration.borrow().registered == Registered::Gone;
        let new = Registration {
            registered,
            catalogue,
        };
        self.registration.send_if_modified(|old| {
            let changed = *old != new;
            *old = new;
            changed
        });
        if is_gone && !was_gone {
            tracing::error!(
                configuration = self.settings.name,
                "the ValidatingWebhookConfiguration is gone: admission is switched off, and no \
                 policy is enforced there; `helm upgrade` restores it"
            );
            self.announcer.configuration_missing().await;
        } else if was_gone && !is_gone {
            tracing::info!(
                configuration = self.settings.name,
                "the ValidatingWebhookConfiguration is back"
            );
            self.announcer.configuration_restored().await;
        }
    }

    async fn write(
        &self,
        sight: &Sight,
        webhooks: Vec<ValidatingWebhook>,
    ) -> Result<(), WriteFault> {
        let Sight::Here(configuration) = sight else {
            return Ok(());
        };
        let count = webhooks.len();
        // A merge patch replaces the list as a whole, so that what somebody added goes, too.
        let patch = Patch::Merge(json!({
            "metadata": {"resourceVersion": configuration.metadata.resource_version},
            "webhooks": webhooks,
        }));
        let params = PatchParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            ..PatchParams::default()
        };
        let api: Api<ValidatingWebhookConfiguration> = Api::all(self.client.clone());
        let request = api.patch_metadata(&self.settings.name, &params, &patch);
        match self
            .leadership
            .write("write the webhook configuration", request)
            .await
        {
            Ok(_) => tracing::info!(webhooks = count, "the webhook configuration is written"),
            // The watch tells what it is now.
            Err(fault) if fault.is_stale() => {}
            Err(fault) => return Err(fault),
        }
        Ok(())
    }

    async fn catalogue(&self, before: &Catalogue) -> Result<Arc<Catalogue>, RegistrationFault> {
        let read = async {
            let core = self.client.list_core_api_versions_aggregated().await?;
            let groups = self.client.list_api_groups_aggregated().await?;
            Ok(Arc::new(Catalogue::read(core, groups, before)))
        };
        timeout(LOOK_UP, read)
            .await
            .map_err(|_| RegistrationFault::Late)?
            .map_err(RegistrationFault::Catalogue)
    }
}

/// What to do. `desired` is `None` as long as there is no certificate.
fn step(sight: &Sight, desired: Option<Vec<ValidatingWebhook>>, is_ready: bool) -> Step {
    let configuration = match sight {
        Sight::Unknown => return Step::Look,
        Sight::Gone => return Step::Mourn,
        Sight::Here(configuration) => configuration,
    };
    let Some(desired) = desired else {
        return Step::Wait("the webhook has no certificate yet");
    };
    let current = webhooks(configuration);
    if current.is_empty() && !is_ready {
        return Step::Wait("no replica of the webhook is ready yet");
    }
    if current == desired {
        Step::Keep
    } else {
        Step::Write(desired)
    }
}

fn webhooks(configuration: &ValidatingWebhookConfiguration) -> &[ValidatingWebhook] {
    configuration.webhooks.as_deref().unwrap_or_default()
}

/// Turns the news of the watch into what there is now.
async fn look(
    mut news: mpsc::Receiver<News<ValidatingWebhookConfiguration>>,
    seen: watch::Sender<Sight>,
) {
    while let Some(news) = news.recv().await {
        let sight = match news {
            News::Listed(found) => found
                .into_iter()
                .next()
                .map_or(Sight::Gone, |found| Sight::Here(Arc::new(found))),
            News::Applied(found) => Sight::Here(Arc::new(found)),
            News::Deleted(_) => Sight::Gone,
            // It is told elsewhere.
            News::Away(_) => continue,
        };
        seen.send_replace(sight);
    }
}

#[cfg(test)]
mod tests;
