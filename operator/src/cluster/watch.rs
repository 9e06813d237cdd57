//! One watch for every kind: list, then watch from there, for ever.
//!
//! kube-runtime's watcher keeps bookmarks to itself, and so a quiet cluster cannot be told from a
//! dead connection. Here each list, event, bookmark and new watch is a sign of life.

use std::{sync::Arc, time::Duration};

use futures::{StreamExt as _, pin_mut};
use kube::{
    Api, Resource, ResourceExt as _,
    api::{ListParams, WatchEvent, WatchParams},
};
use kube_runtime::{utils::Backoff as _, watcher::DefaultBackoff};
use serde::de::DeserializeOwned;
use tokio::{
    sync::mpsc,
    time::{Instant, timeout},
};

use super::{Mirror, chain};

/// Objects on a page of a list: what client-go asks for. A policy is some kilobytes, so a page is
/// some megabytes.
const PAGE: u32 = 500;

/// Time for a page of a list, and for the beginning of a watch: the API server's own limit for a
/// request is a minute, and half of it is long for 500 objects.
const REQUEST: Duration = Duration::from_secs(30);

/// Seconds after which the API server ends a watch. kube refuses 295 and more; a watch that is
/// begun again every four minutes spreads over the servers of a control plane.
const WATCH: u32 = 240;

/// Longest silence of a watch. Bookmarks come about once a minute; two that are missing and half a
/// minute are a dead connection.
const SILENCE: Duration = Duration::from_secs(150);

/// Longest wait between two attempts. A cluster that is back is noticed within it, and five
/// watches of six replicas are three requests a second to one that struggles.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// A watch that ends sooner than this without an event is not one: try again with backoff.
const SHORTEST_WATCH: Duration = Duration::from_secs(1);

/// What a watch tells.
#[derive(Debug)]
pub(crate) enum News<K> {
    /// All objects that there are.
    Listed(Vec<K>),
    /// An object is new or has changed.
    Applied(K),
    /// An object is gone.
    Deleted(K),
    /// The API server does not answer, and why. What was known stays known.
    Away(String),
}

/// Which objects are followed, as the API server takes it in a query.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Selectors {
    /// By fields: `metadata.name=web`.
    pub(crate) fields: Option<String>,
    /// By labels: `app=web`.
    pub(crate) labels: Option<String>,
}

/// Follows one kind.
pub(crate) struct Watch<K> {
    source: &'static str,
    api: Api<K>,
    selectors: Selectors,
    mirror: Arc<Mirror>,
    news: mpsc::Sender<News<K>>,
    /// The resource version to watch from; none when a list is needed.
    position: Option<String>,
}

/// Why a watch was interrupted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WatchFault {
    #[error("failed to list {0}")]
    List(&'static str, #[source] kube::Error),
    #[error("failed to begin to watch {0}")]
    Start(&'static str, #[source] kube::Error),
    #[error("the watch of {0} broke off")]
    Broken(&'static str, #[source] kube::Error),
    #[error("the API server ended the watch of {0}: {1}")]
    Ended(&'static str, String),
    #[error("the API server did not answer about {0} within {seconds} s", seconds = .1.as_secs())]
    Late(&'static str, Duration),
    #[error("the list of {0} carries no resource version")]
    Unversioned(&'static str),
    /// Nobody receives the news any more.
    #[error("the news of {0} are not received any more")]
    Closed(&'static str),
}

impl<K> Watch<K>
where
    K: Resource + Clone + DeserializeOwned + std::fmt::Debug + Send + 'static,
{
    /// A watch of all objects of `api` that `selectors` select.
    pub(crate) fn new(
        source: &'static str,
        api: Api<K>,
        selectors: Selectors,
        mirror: Arc<Mirror>,
        news: mpsc::Sender<News<K>>,
    ) -> Self {
        Self {
            source,
            api,
            selectors,
            mirror,
            news,
            position: None,
        }
    }

    /// Follows until nobody receives the news.
    pub(crate) async fn run(mut self) {
        let mut backoff = DefaultBackoff::default();
        loop {
            let turn = match self.position.clone() {
                None => self.list().await,
                Some(version) => self.follow(&version).await,
            };
            match turn {
                Ok(()) => backoff.reset(),
                Err(WatchFault::Closed(_)) => return,
                Err(fault) => {
                    self.mirror.note_away(self.source, &fault);
                    let why = format!("{}; {}", chain(&fault), fault.remedy());
                    if self.tell(News::Away(why)).await.is_err() {
                        return;
                    }
                    let wait = backoff.next().unwrap_or(LONGEST_WAIT).min(LONGEST_WAIT);
                    tokio::time::sleep(wait).await;
                }
            }
        }
    }

    async fn list(&mut self) -> Result<(), WatchFault> {
        let mut params = ListParams {
            field_selector: self.selectors.fields.clone(),
            label_selector: self.selectors.labels.clone(),
            ..ListParams::default()
        };
        params = params.limit(PAGE);
        let mut objects = Vec::new();
        let version = loop {
            let page = timeout(REQUEST, self.api.list(&params))
                .await
                .map_err(|_| WatchFault::Late(self.source, REQUEST))?
                .map_err(|error| WatchFault::List(self.source, error))?;
            objects.extend(page.items);
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params.continue_token = Some(token),
                None => break page.metadata.resource_version,
            }
        };
        let version = version.filter(|version| !version.is_empty());
        let version = version.ok_or(WatchFault::Unversioned(self.source))?;
        self.tell(News::Listed(objects)).await?;
        self.mirror.note_alive(self.source);
        self.position = Some(version);
        Ok(())
    }

    async fn follow(&mut self, version: &str) -> Result<(), WatchFault> {
        let params = WatchParams {
            field_selector: self.selectors.fields.clone(),
            label_selector: self.selectors.labels.clone(),
            ..WatchParams::default()
        };
        let started = Instant::now();
        let stream = timeout(REQUEST, self.api.watch(&params.timeout(WATCH), version))
            .await
            .map_err(|_| WatchFault::Late(self.source, REQUEST))?
            .map_err(|error| {
                self.forget_position_if_gone(&error);
                WatchFault::Start(self.source, error)
            })?;
        pin_mut!(stream);
        self.mirror.note_alive(self.source);
        let mut silent = true;
        loop {
            let event = timeout(SILENCE, stream.next())
                .await
                .map_err(|_| WatchFault::Late(self.source, SILENCE))?;
            let Some(event) = event else {
                if silent && started.elapsed() < SHORTEST_WATCH {
                    return Err(WatchFault::Ended(self.source, "at once".to_owned()));
                }
                return Ok(());
            };
            silent = false;
            match event.map_err(|error| WatchFault::Broken(self.source, error))? {
                WatchEvent::Added(object) | WatchEvent::Modified(object) => {
                    self.position = object.resource_version();
                    self.tell(News::Applied(object)).await?;
                }
                WatchEvent::Deleted(object) => {
                    self.position = object.resource_version();
                    self.tell(News::Deleted(object)).await?;
                }
                WatchEvent::Bookmark(bookmark) => {
                    self.position = Some(bookmark.metadata.resource_version);
                }
                WatchEvent::Error(status) => {
                    // A version that is too old, or anything else that a list puts right.
                    self.position = None;
                    return Err(WatchFault::Ended(self.source, status.message));
                }
            }
            self.mirror.note_alive(self.source);
        }
    }

    /// A version that the API server has forgotten needs a new list.
    fn forget_position_if_gone(&mut self, error: &kube::Error) {
        if let kube::Error::Api(status) = error
            && matches!(status.code, 400 | 404 | 410)
        {
            self.position = None;
        }
    }

    async fn tell(&self, news: News<K>) -> Result<(), WatchFault> {
        self.news
            .send(news)
            .await
            .map_err(|_| WatchFault::Closed(self.source))
    }
}

impl WatchFault {
    /// What to do about it, where that is known.
    pub(crate) fn remedy(&self) -> &'static str {
        let (Self::List(_, error) | Self::Start(_, error) | Self::Broken(_, error)) = self else {
            return "check the API server; what is in force stays in force";
        };
        match error {
            kube::Error::Api(status) if status.code == 404 => {
                "the API server does not know this kind: install Portcullis' \
                 CustomResourceDefinitions, as `helm upgrade` does"
            }
            kube::Error::Api(status) if matches!(status.code, 401 | 403) => {
                "let the service account list and watch this kind, as the chart's roles do"
            }
            _ => "check the API server and the network; what is in force stays in force",
        }
    }
}
