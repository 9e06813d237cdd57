//! Asks for what is due, a few at a time, and remembers how far each has come.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures::{StreamExt as _, stream::FuturesUnordered};
use portcullis_policies::{HttpMethod, HttpSource, Timestamp};
use tokio::{sync::watch, time::sleep};

use super::{
    Attempts, Keeper, Progress,
    ask::{Answer, account, ask},
    wanted::Wanted,
};
use crate::network::Network;

/// Time between two looks at what is due.
const PERIOD: Duration = Duration::from_secs(1);

/// Time until what was kept is looked for again, where it could not be.
const PAUSE: Duration = Duration::from_secs(5);

/// Documents that are asked for at once.
const AT_ONCE: usize = 8;

/// Most of these that failed before: servers that do not answer keep those that do waiting no longer than
/// it takes one of these to be asked.
const FAILED_AT_ONCE: usize = 4;

/// Time for which a document is kept that nobody wants: a policy that is applied anew, or mended, has its
/// last good one at once.
const GRACE: Duration = Duration::from_mins(10);

/// Most documents that are kept so: whoever changes a policy again and again fills no cluster.
const MOST_UNWANTED: usize = 32;

/// Time from keeping a document until its absence is believed: until then nobody may have heard of it.
const NEWS: Duration = Duration::from_secs(30);

/// Asks for documents, and has them kept.
pub(crate) struct Refresher<K> {
    keeper: Arc<K>,
    network: Arc<Network>,
    known: BTreeMap<String, Known>,
    beyond: BTreeMap<String, String>,
    told: watch::Sender<Option<Arc<Progress>>>,
}

/// What is known of one document.
#[derive(Debug, Default)]
struct Known {
    attempts: Attempts,
    is_running: bool,
    /// Since when nobody wants it.
    unwanted: Option<Timestamp>,
}

/// Something to do.
#[derive(Debug, PartialEq)]
enum Job {
    Fetch {
        name: String,
        source: Box<HttpSource>,
        attempts: Attempts,
    },
    Discard(String),
}

/// What was done.
struct Done {
    name: String,
    /// How far the document has come, if it is kept still.
    attempts: Option<Attempts>,
}

impl<K: Keeper> Refresher<K> {
    /// Asks what `network` allows. How far each has come is told to `told`, once it is known.
    pub(crate) fn new(
        keeper: Arc<K>,
        network: Arc<Network>,
        told: watch::Sender<Option<Arc<Progress>>>,
    ) -> Self {
        Self {
            keeper,
            network,
            known: BTreeMap::new(),
            beyond: BTreeMap::new(),
            told,
        }
    }

    /// Asks for ever; where no host is allowed, there is nothing to ask.
    pub(crate) async fn run(mut self) {
        if self.network.reaches_nothing() {
            self.tell();
            return;
        }
        self.remember().await;
        let (keeper, network) = (self.keeper.clone(), self.network.clone());
        let mut running = FuturesUnordered::new();
        loop {
            let jobs = self.begin(Timestamp::now());
            running.extend(jobs.into_iter().map(|job| job.run(&*keeper, &network)));
            tokio::select! {
                Some(done) = running.next() => self.settle(done),
                () = sleep(PERIOD) => {}
            }
        }
    }

    /// Takes up what whoever asked before has kept.
    async fn remember(&mut self) {
        let mut said = None;
        loop {
            match self.keeper.kept().await {
                Ok(kept) => {
                    let known = kept.into_iter().map(|(name, attempts)| {
                        let known = Known {
                            attempts,
                            ..Known::default()
                        };
                        (name, known)
                    });
                    self.known = known.collect();
                    return self.tell();
                }
                Err(why) => {
                    if said.as_ref() != Some(&why) {
                        tracing::warn!(why, "documents that were fetched cannot be looked at");
                    }
                    said = Some(why);
                    self.tell();
                    sleep(PAUSE).await;
                }
            }
        }
    }

    /// What is to be done now, of which nothing waits for a place.
    fn begin(&mut self, now: Timestamp) -> Vec<Job> {
        let is_known = |name: &str| self.known.contains_key(name);
        let Wanted { sources, beyond } = Wanted::of(self.keeper.wanted(), is_known);
        for (name, known) in &mut self.known {
            known.unwanted = known.unwanted.or(Some(now));
            if sources.contains_key(name) {
                known.unwanted = None;
            }
        }
        for name in sources.keys() {
            self.known.entry(name.clone()).or_default();
        }
        if self.beyond != beyond {
            self.beyond = beyond;
            self.tell();
        }
        let names = self.placed(&sources, now);
        let fetch = |name: String| {
            let source = sources[&name].clone();
            self.fetch(name, source)
        };
        let mut jobs: Vec<Job> = names.into_iter().map(fetch).collect();
        jobs.extend(self.unwanted(now));
        jobs
    }

    /// The names of those that are due and have a place beside those that are asked for. Those that
    /// succeeded do not wait for those that fail.
    fn placed(&self, sources: &BTreeMap<String, HttpSource>, now: Timestamp) -> Vec<String> {
        let running = self.known.values().filter(|known| known.is_running);
        let failing = running.clone().filter(|known| known.attempts.failures > 0);
        let mut places = AT_ONCE.saturating_sub(running.clone().count());
        let mut places_of_failed = FAILED_AT_ONCE.saturating_sub(failing.count());
        let due = sources.iter().filter_map(|(name, source)| {
            let known = self.known.get(name).filter(|known| !known.is_running)?;
            let at = self.due(name, source, known, now);
            (at <= now).then_some((known.attempts.failures, at, name))
        });
        let mut due: Vec<_> = due.collect();
        due.sort_unstable();
        due.retain(|(failures, ..)| {
            let has_failed = *failures > 0;
            let fits = places > 0 && (!has_failed || places_of_failed > 0);
            places -= usize::from(fits);
            places_of_failed -= usize::from(fits && has_failed);
            fits
        });
        due.into_iter().map(|(.., name)| name.clone()).collect()
    }

    fn due(&self, name: &str, source: &HttpSource, known: &Known, now: Timestamp) -> Timestamp {
        let attempts = &known.attempts;
        let due = attempts.due(name, source.period, now);
        let heard = attempts.attempted.and_then(|at| at.checked_add(NEWS).ok());
        let is_gone = heard.is_some_and(|heard| heard <= now)
            && attempts.fetched.is_some()
            && self.keeper.is_gone(source);
        if is_gone { now.min(due) } else { due }
    }

    fn fetch(&mut self, name: String, source: HttpSource) -> Job {
        let is_gone = self.keeper.is_gone(&source);
        let known = self.known.entry(name.clone()).or_default();
        known.is_running = true;
        let mut attempts = known.attempts.clone();
        if is_gone {
            // A server that says that nothing is new would leave nothing, and what was fetched does not
            // stay.
            (attempts.tag, attempts.fetched, attempts.size) = (None, None, None);
        }
        Job::Fetch {
            name,
            source: Box::new(source),
            attempts,
        }
    }

    /// What nobody has wanted for so long that nobody will, or longer than too many others.
    fn unwanted(&mut self, now: Timestamp) -> Vec<Job> {
        let is_over = |since: Timestamp| since.checked_add(GRACE).is_ok_and(|end| end <= now);
        let unwanted = self.known.iter().filter(|(_, known)| !known.is_running);
        let unwanted = unwanted.filter_map(|(name, known)| Some((known.unwanted?, name.clone())));
        let mut unwanted: Vec<(Timestamp, String)> = unwanted.collect();
        unwanted.sort_unstable();
        let beyond = unwanted.len().saturating_sub(MOST_UNWANTED);
        let over = unwanted.into_iter().enumerate();
        let over = over.filter(|(at, (since, _))| *at < beyond || is_over(*since));
        let mut jobs = Vec::new();
        for (_, (_, name)) in over {
            if let Some(known) = self.known.get_mut(&name) {
                known.is_running = true;
                jobs.push(Job::Discard(name));
            }
        }
        jobs
    }

    /// Takes up what was done.
    fn settle(&mut self, done: Done) {
        let Some(known) = self.known.get_mut(&done.name) else {
            return;
        };
        known.is_running = false;
        match done.attempts {
            Some(attempts) => known.attempts = attempts,
            None => drop(self.known.remove(&done.name)),
        }
        self.tell();
    }

    fn tell(&self) {
        let known = self.known.iter();
        let known = known.map(|(name, known)| (name.clone(), known.attempts.clone()));
        let beyond = self.beyond.iter().map(|(name, why)| {
            let attempts = Attempts {
                failure: Some(why.clone()),
                ..Attempts::default()
            };
            (name.clone(), attempts)
        });
        self.told
            .send_replace(Some(Arc::new(known.chain(beyond).collect())));
    }
}

impl Job {
    async fn run(self, keeper: &impl Keeper, network: &Network) -> Done {
        match self {
            Self::Fetch {
                name,
                source,
                attempts,
            } => {
                let fetched = fetch(keeper, network, &source, attempts.clone()).await;
                say(&source, &attempts, &fetched);
                Done {
                    name,
                    attempts: Some(fetched),
                }
            }
            Self::Discard(name) => {
                if let Err(why) = keeper.discard(&name).await {
                    tracing::warn!(name, why, "a document that nobody wants was not deleted");
                }
                // What is still there is found by who leads next.
                Done {
                    name,
                    attempts: None,
                }
            }
        }
    }
}

/// Asks once, and keeps what came.
async fn fetch(
    keeper: &impl Keeper,
    network: &Network,
    source: &HttpSource,
    before: Attempts,
) -> Attempts {
    let now = Timestamp::now();
    let tag = before.tag.as_deref();
    // What a server answers to a body has no name.
    let tag = tag.filter(|_| source.method == HttpMethod::Get);
    let (document, attempts) = match ask(network, keeper, source, tag).await {
        Ok(Answer::Same) => (None, before.clone().unchanged(now)),
        Ok(Answer::Document(text, tag)) => {
            let attempts = before.clone().succeeded(now, text.len(), tag);
            (Some(text), attempts)
        }
        Err(why) => (None, before.clone().failed(now, why)),
    };
    match keeper.keep(source, document, &attempts).await {
        Ok(()) => attempts,
        Err(why) => before.failed(now, account(&format!("what came cannot be kept: {why}"))),
    }
}

/// Says what is new.
fn say(source: &HttpSource, before: &Attempts, after: &Attempts) {
    let namespace = source.namespace.as_deref();
    match (&after.failure, &before.failure) {
        (Some(why), known) if known.as_ref() != Some(why) => {
            tracing::warn!(
                url = %source,
                namespace,
                why,
                "data of policies was not refreshed, and what is there stays"
            );
        }
        (None, Some(_)) => {
            tracing::info!(url = %source, namespace, "data of policies is refreshed again");
        }
        (None, None) if before.fetched.is_none() => {
            tracing::info!(url = %source, namespace, "data of policies was fetched");
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests;
