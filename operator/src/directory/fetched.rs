//! What is fetched for the policies of a directory: in memory, and gone with the process.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures::future::{self, BoxFuture, FutureExt as _};
use portcullis_policies::{
    Diagnostic, HeaderValue, HttpSource, Labels, Parameter, ParameterKey, ParameterKind, Selected,
    Selection, Which,
};
use serde_json::json;
use tokio::sync::watch;

use super::report::{Meanwhile, Problem};
use crate::{
    convert,
    refresh::{Attempts, Keeper, Progress},
};

/// Documents, and what is known of those that are wanted.
pub struct FetchedDocuments {
    state: Mutex<State>,
    progress: watch::Sender<Option<Arc<Progress>>>,
}

#[derive(Default)]
struct State {
    wanted: BTreeSet<HttpSource>,
    /// Secrets of the directory of which headers are made.
    secrets: BTreeMap<Selection, Selected>,
    /// By the names that their objects would have.
    documents: BTreeMap<String, Arc<Parameter>>,
}

impl Default for FetchedDocuments {
    fn default() -> Self {
        Self {
            state: Mutex::default(),
            progress: watch::Sender::new(None),
        }
    }
}

impl FetchedDocuments {
    /// Fetches these from now on, with what these Secrets hold.
    pub(super) fn want(
        &self,
        wanted: BTreeSet<HttpSource>,
        secrets: BTreeMap<Selection, Selected>,
    ) {
        let mut state = self.state();
        state.wanted = wanted;
        state.secrets = secrets;
    }

    /// The document that a selection names.
    pub(super) fn select(&self, selection: &Selection) -> Selected {
        let state = self.state();
        let document = match &selection.which {
            Which::Name(name) => state.documents.get(name),
            Which::Selector(_) => None,
        };
        Selected::Known(document.cloned().into_iter().collect())
    }

    /// Where how far they are is told.
    pub(crate) fn progress(&self) -> watch::Sender<Option<Arc<Progress>>> {
        self.progress.clone()
    }

    /// Documents of which an older state is in force than their servers may have. Those that were never
    /// fetched have broken policies, which say so.
    pub(super) fn problems(&self) -> Vec<Problem> {
        let told = self.progress.borrow().clone().unwrap_or_default();
        let wanted = self.state().wanted.clone();
        let stale = wanted.iter().filter_map(|source| {
            let attempts = told.get(&source.object_name())?;
            let (why, time) = (attempts.failure.as_ref()?, attempts.fetched?);
            let text = format!("data of policies is of {time:.0} and stays so: {why}");
            Some(Problem {
                origin: source.to_string(),
                diagnostic: Diagnostic::new("data_not_refreshed", text)
                    .with_remedy("mend the server; it is asked again and again"),
                meanwhile: Meanwhile::LastGood,
            })
        });
        stale.collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Each change is of one field, so a panic leaves a valid state.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The Secrets that headers of a source are made of.
pub(super) fn secrets(source: &HttpSource) -> impl Iterator<Item = Selection> {
    source.headers.iter().filter_map(|(_, value)| match value {
        HeaderValue::Text(_) => None,
        HeaderValue::Secret {
            namespace, name, ..
        } => Some(secret(namespace, name)),
    })
}

fn secret(namespace: &str, name: &str) -> Selection {
    Selection {
        kind: ParameterKind::secret(),
        namespace: Some(namespace.to_owned()),
        which: Which::Name(name.to_owned()),
    }
}

impl Keeper for FetchedDocuments {
    fn wanted(&self) -> Vec<HttpSource> {
        self.state().wanted.iter().cloned().collect()
    }

    fn kept(&self) -> BoxFuture<'_, Result<Progress, String>> {
        future::ready(Ok(Progress::new())).boxed()
    }

    fn is_gone(&self, _source: &HttpSource) -> bool {
        false
    }

    fn secret<'a>(
        &'a self,
        namespace: &'a str,
        name: &'a str,
        key: &'a str,
    ) -> BoxFuture<'a, Result<String, String>> {
        let state = self.state();
        let text = match state.secrets.get(&secret(namespace, name)) {
            Some(Selected::Known(objects)) => objects.first().and_then(|own| own.text(key).ok()),
            _ => None,
        };
        let text = text.map(str::to_owned);
        let missing = || format!("the directory has no Secret {namespace}/{name} with `{key}`");
        future::ready(text.ok_or_else(missing)).boxed()
    }

    fn keep<'a>(
        &'a self,
        source: &'a HttpSource,
        document: Option<String>,
        attempts: &'a Attempts,
    ) -> BoxFuture<'a, Result<(), String>> {
        let name = source.object_name();
        let mut state = self.state();
        // A failure is said where there is nothing.
        if document.is_some() || attempts.fetched.is_none() {
            let key = ParameterKey {
                kind: ParameterKind::fetched_document(),
                namespace: None,
                name: name.clone(),
            };
            let content = json!({
                "spec": {"document": document},
                "status": {"failure": attempts.failure},
            });
            let content = content.as_object().cloned().unwrap_or_default();
            let parameter = convert::parameter(key, Labels::new(), content);
            state.documents.insert(name, Arc::new(parameter));
        }
        future::ready(Ok(())).boxed()
    }

    fn discard<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<(), String>> {
        self.state().documents.remove(name);
        future::ready(Ok(())).boxed()
    }
}

/// What they say may be secret.
impl fmt::Debug for FetchedDocuments {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("FetchedDocuments")
            .finish_non_exhaustive()
    }
}
