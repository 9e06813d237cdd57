//! Keeps what is fetched for policies, in objects of the cluster.
//!
//! An object has the last good document in its spec and how far it has come in its status. Replicas
//! follow the objects by their names; so a document that is written is in force everywhere, and one that
//! cannot be fetched changes nothing.

use std::sync::Arc;

use futures::future::{BoxFuture, FutureExt as _};
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, Client,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams},
};
use portcullis_crds::{self as crds, FetchedDocument, FetchedDocumentSpec, FetchedDocumentStatus};
use portcullis_policies::{HttpSource, Lookup as _, Selected};
use serde_json::json;
use tokio::time::timeout;

use super::FIELD_MANAGER;
use crate::{
    cluster::{Mirror, chain},
    leader::Leadership,
    refresh::{Attempts, Keeper, Progress},
};

/// Objects that are listed at a time: with the largest documents, some megabytes.
const PAGE: u32 = 16;

/// Time for listing these. No status of a policy is written before they were.
const LIST: std::time::Duration = std::time::Duration::from_secs(30);

/// Time for reading a Secret.
const READ: std::time::Duration = std::time::Duration::from_secs(4);

/// The leader's hand on the objects.
pub(super) struct Documents {
    pub(super) client: Client,
    pub(super) leadership: Leadership,
    pub(super) mirror: Arc<Mirror>,
}

impl Documents {
    fn api(&self) -> Api<FetchedDocument> {
        Api::all(self.client.clone())
    }

    /// What this replica knows of the object of a source.
    fn seen(&self, source: &HttpSource) -> Option<Selected> {
        self.mirror.cache().snapshot().selected(&source.selection())
    }

    /// Whether a document is what replicas have already.
    fn is_there(&self, source: &HttpSource, document: &str) -> bool {
        let Some(Selected::Known(objects)) = self.seen(source) else {
            return false;
        };
        let held = objects.first().and_then(|own| own.fetched());
        held == Some(document)
    }

    async fn list(&self) -> Result<Progress, String> {
        let api = self.api();
        let mut params = ListParams::default().limit(PAGE);
        let mut progress = Progress::new();
        loop {
            let page = timeout(LIST, api.list(&params)).await;
            let page = page.map_err(|_| "the API server did not answer in time".to_owned())?;
            let page = page.map_err(|error| chain(&error))?;
            progress.extend(page.items.into_iter().filter_map(|object| {
                let attempts = attempts(object.status.unwrap_or_default());
                Some((object.metadata.name?, attempts))
            }));
            match page.metadata.continue_.filter(|next| !next.is_empty()) {
                Some(next) => params = params.continue_token(&next),
                None => return Ok(progress),
            }
        }
    }

    async fn put(
        &self,
        source: &HttpSource,
        document: Option<String>,
        attempts: &Attempts,
    ) -> Result<(), String> {
        let name = source.object_name();
        let spec = FetchedDocumentSpec {
            url: source.to_string(),
            namespace: source.namespace.clone(),
            document,
        };
        let operation = "keep a document";
        if let Some(document) = &spec.document {
            if !self.is_there(source, document) {
                let params = PatchParams::apply(FIELD_MANAGER).force();
                let object = json!({
                    "apiVersion": crds::API_VERSION,
                    "kind": "FetchedDocument",
                    "metadata": {"name": name},
                    "spec": spec,
                });
                let patch = Patch::Apply(&object);
                let api = self.api();
                let applied = self
                    .leadership
                    .write(operation, api.patch(&name, &params, &patch));
                applied.await.map_err(|fault| chain(&fault))?;
            }
        } else if attempts.fetched.is_none() {
            // To have a place for why there is none. One that is there already is left as it is.
            let params = PostParams {
                field_manager: Some(FIELD_MANAGER.to_owned()),
                ..PostParams::default()
            };
            let api = self.api();
            let object = FetchedDocument::new(&name, spec);
            let made = self
                .leadership
                .write(operation, api.create(&params, &object));
            match made.await {
                Err(fault) if !fault.is_stale() => return Err(chain(&fault)),
                _ => {}
            }
        }
        let patch = Patch::Apply(json!({
            "apiVersion": crds::API_VERSION,
            "kind": "FetchedDocument",
            "metadata": {"name": name},
            "status": status(attempts),
        }));
        let params = PatchParams::apply(FIELD_MANAGER).force();
        let api = self.api();
        let written = self
            .leadership
            .write(operation, api.patch_status(&name, &params, &patch));
        match written.await {
            // It was deleted meanwhile, and is asked for again.
            Err(fault) if !fault.is_stale() => Err(chain(&fault)),
            _ => Ok(()),
        }
    }

    async fn read(&self, namespace: &str, name: &str, key: &str) -> Result<String, String> {
        let unread = |why: &str| format!("Secret {namespace}/{name} cannot be read: {why}");
        let api: Api<Secret> = Api::namespaced(self.client.clone(), namespace);
        // The chart allows what replicas need for data of Secrets: lists and watches by name.
        let params = ListParams::default().fields(&format!("metadata.name={name}"));
        let listed = timeout(READ, api.list(&params)).await;
        let listed = listed.map_err(|_| unread("the API server did not answer in time"))?;
        let listed = listed.map_err(|error| unread(&chain(&error)))?;
        let secret = listed.items.into_iter().next();
        let secret = secret.ok_or_else(|| unread("it is not there"))?;
        let mut data = secret.data.unwrap_or_default();
        let bytes = data.remove(key);
        let bytes = bytes.ok_or_else(|| unread(&format!("it has no key `{key}`")))?;
        String::from_utf8(bytes.0).map_err(|_| unread(&format!("`{key}` is no text")))
    }
}

impl Keeper for Documents {
    fn wanted(&self) -> Vec<HttpSource> {
        let cache = self.mirror.cache();
        let allowance = cache.allowance();
        let snapshot = cache.snapshot();
        let sources = snapshot.http_sources();
        sources
            .filter(|source| source.refusal(&allowance).is_none())
            .cloned()
            .collect()
    }

    fn kept(&self) -> BoxFuture<'_, Result<Progress, String>> {
        self.list().boxed()
    }

    fn is_gone(&self, source: &HttpSource) -> bool {
        matches!(self.seen(source), Some(Selected::Known(objects)) if objects.is_empty())
    }

    fn secret<'a>(
        &'a self,
        namespace: &'a str,
        name: &'a str,
        key: &'a str,
    ) -> BoxFuture<'a, Result<String, String>> {
        self.read(namespace, name, key).boxed()
    }

    fn keep<'a>(
        &'a self,
        source: &'a HttpSource,
        document: Option<String>,
        attempts: &'a Attempts,
    ) -> BoxFuture<'a, Result<(), String>> {
        self.put(source, document, attempts).boxed()
    }

    fn discard<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<(), String>> {
        async move {
            let api = self.api();
            let params = DeleteParams::default();
            let deleted = self
                .leadership
                .write("delete a document", api.delete(name, &params));
            match deleted.await {
                Err(fault) if !fault.is_stale() => Err(chain(&fault)),
                _ => Ok(()),
            }
        }
        .boxed()
    }
}

fn attempts(status: FetchedDocumentStatus) -> Attempts {
    let time = |text: Option<String>| text.and_then(|text| text.parse().ok());
    Attempts {
        attempted: time(status.attempted),
        fetched: time(status.fetched),
        size: status.size.and_then(|size| usize::try_from(size).ok()),
        tag: status.tag,
        failure: status.failure,
        failures: u32::try_from(status.failures).unwrap_or_default(),
    }
}

fn status(attempts: &Attempts) -> FetchedDocumentStatus {
    FetchedDocumentStatus {
        attempted: attempts.attempted.map(|time| time.to_string()),
        fetched: attempts.fetched.map(|time| time.to_string()),
        size: attempts.size.and_then(|size| i64::try_from(size).ok()),
        tag: attempts.tag.clone(),
        failure: attempts.failure.clone(),
        failures: i64::from(attempts.failures),
    }
}

#[cfg(test)]
mod tests;
