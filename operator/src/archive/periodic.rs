//! Fetches archives and has them imported, again and again.
//!
//! What fails, and what is refused, changes nothing: the policy that is in force stays, and the schedule
//! says why. What comes is verified as an archive that anybody sends, so that who answers at a URL can
//! make nothing of it but what a trusted signer signed, and no older state of that.

use std::{sync::Arc, time::Duration};

use futures::{StreamExt as _, future::BoxFuture, stream};
use portcullis_policies::{
    Address, Cache, Timestamp,
    outside::{HttpRequest, OutsideFault},
};
use portcullis_webhook::{ArchiveFault, Imported, OutboundFault};

use super::{
    contents::MAX_ARCHIVE,
    keyring::Keyring,
    schedule::{Outcome, Schedule},
};
use crate::network::{Network, Polled};

/// Time between two looks at what is due.
const PERIOD: Duration = Duration::from_secs(1);

/// Time to fetch one archive.
const PATIENCE: Duration = Duration::from_secs(30);

/// Archives that are fetched at once. They are imported one after the other.
const AT_ONCE: usize = 4;

/// Keeps schedules, and takes in what was fetched.
pub(crate) trait Shelf: Send + Sync {
    /// All schedules. An error is a sentence.
    fn schedules(&self) -> BoxFuture<'_, Result<Vec<Schedule>, String>>;

    /// Keeps what became of one, if it is still there. An error is a sentence.
    fn keep<'a>(
        &'a self,
        schedule: &'a Schedule,
        outcome: Outcome,
    ) -> BoxFuture<'a, Result<(), String>>;

    /// Verifies an archive and puts its policy in force.
    fn take_in(&self, archive: Vec<u8>) -> BoxFuture<'_, Result<Imported, ArchiveFault>>;
}

/// What may be fetched.
#[derive(Debug)]
pub(crate) struct Fetcher {
    network: Network,
    keyring: Arc<Keyring>,
}

/// Fetches what is due.
pub(crate) struct Importer<S> {
    shelf: S,
    fetcher: Arc<Fetcher>,
    cache: Arc<Cache>,
    said: Option<String>,
}

impl Fetcher {
    /// Fetches what `network` allows, for who trusts the keys of `keyring`.
    pub(crate) fn new(network: Network, keyring: Arc<Keyring>) -> Self {
        Self { network, keyring }
    }

    /// Whether anything can be fetched at all.
    pub(crate) fn is_idle(&self) -> bool {
        self.network.reaches_nothing()
    }

    /// Whether an archive may be fetched from a URL, as far as the URL tells.
    pub(crate) fn check(&self, url: &str) -> Result<(), OutboundFault> {
        let closed = |why: &str| Err(OutboundFault::Closed(why.to_owned()));
        if self.is_idle() {
            return closed("no archives are fetched here: no hosts are allowed");
        }
        if !self.keyring.may_import() {
            return closed("no archives are fetched here: nobody's are imported");
        }
        self.network.check_url(url).map_err(|fault| match fault {
            OutsideFault::Refused(why) => OutboundFault::HostForbidden(why),
            fault => OutboundFault::Invalid(fault.to_string()),
        })
    }

    /// Fetches an archive, unless the server still has the one of this name.
    async fn fetch(&self, schedule: &Schedule, tag: Option<&String>) -> Result<Polled, String> {
        let request = HttpRequest {
            method: "GET".to_owned(),
            url: schedule.url.clone(),
            headers: vec![("accept".to_owned(), "application/zip".to_owned())],
            body: Vec::new(),
            // Whoever moved is scheduled anew: a redirect would lead elsewhere than was agreed.
            follows_redirects: false,
            authorities: None,
            trusts_system: true,
            time: PATIENCE,
        };
        let tag = tag.map(String::as_str);
        self.network.poll(request, tag, MAX_ARCHIVE).await
    }
}

impl<S: Shelf> Importer<S> {
    pub(crate) fn new(shelf: S, fetcher: Arc<Fetcher>, cache: Arc<Cache>) -> Self {
        Self {
            shelf,
            fetcher,
            cache,
            said: None,
        }
    }

    /// Imports for ever.
    pub(crate) async fn run(mut self, period: Option<Duration>) {
        loop {
            let looked = self.round(Timestamp::now()).await.err();
            if looked.is_some() && looked != self.said {
                tracing::warn!(why = looked, "periodic imports cannot be looked at");
            }
            self.said = looked;
            tokio::time::sleep(period.unwrap_or(PERIOD)).await;
        }
    }

    /// One look.
    pub(super) async fn round(&self, now: Timestamp) -> Result<(), String> {
        if self.fetcher.is_idle() {
            return Ok(());
        }
        let mut due = self.shelf.schedules().await?;
        due.retain(|schedule| schedule.due() <= now);
        // Those that succeeded do not wait for those that fail.
        due.sort_by_key(|schedule| schedule.outcome.failures);
        let fetch = |schedule: Schedule| async move {
            let tag = schedule.outcome.tag.as_ref();
            let tag = tag.filter(|_| self.holds(&schedule));
            let fetched = self.fetcher.fetch(&schedule, tag).await;
            (schedule, fetched)
        };
        let mut fetched = stream::iter(due).map(fetch).buffer_unordered(AT_ONCE);
        while let Some((schedule, fetched)) = fetched.next().await {
            let outcome = self.take_in(&schedule, fetched, now).await;
            let kept = self.shelf.keep(&schedule, outcome.clone()).await;
            // Whoever reads it in the log finds it kept.
            tell(&schedule, &outcome);
            kept?;
        }
        Ok(())
    }

    /// Whether what was imported last is what there is: who took it away has it fetched again.
    fn holds(&self, schedule: &Schedule) -> bool {
        let Outcome { policy, digest, .. } = &schedule.outcome;
        let address = policy
            .as_ref()
            .and_then(|text| text.parse::<Address>().ok());
        let snapshot = self.cache.snapshot();
        let held = address.and_then(|address| snapshot.find(&address));
        held.is_some_and(|held| Some(held.policy.digest().to_string()) == *digest)
    }

    async fn take_in(
        &self,
        schedule: &Schedule,
        fetched: Result<Polled, String>,
        now: Timestamp,
    ) -> Outcome {
        let before = schedule.outcome.clone();
        let (archive, tag) = match fetched {
            Ok(Polled::New { body, tag }) => (body, tag),
            Ok(Polled::Same) => return before.unchanged(now),
            Err(why) => return before.failed(now, why),
        };
        match self.shelf.take_in(archive).await {
            Ok(imported) => Outcome {
                policy: Some(imported.address.path()),
                digest: Some(imported.digest.to_string()),
                tag,
                ..before.unchanged(now)
            },
            // The same archive is refused again, unless what refuses it changes.
            Err(fault) => before.failed(now, fault.to_string()),
        }
    }
}

/// Says what is new.
fn tell(schedule: &Schedule, outcome: &Outcome) {
    let (url, before) = (&schedule.url, &schedule.outcome);
    match (&outcome.failure, &before.failure) {
        (Some(why), known) if known.as_ref() != Some(why) => {
            tracing::warn!(
                url,
                why,
                "an archive was not imported, and what is there stays"
            );
        }
        (None, Some(_)) => tracing::info!(url, "an archive is imported again"),
        (None, None) if outcome.digest != before.digest => {
            let (policy, digest) = (&outcome.policy, &outcome.digest);
            tracing::info!(url, policy, digest, "an archive was imported");
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests;
